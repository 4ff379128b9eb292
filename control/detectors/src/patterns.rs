//! The text of the sequences.

use gatehold_detect::{Step, flag};

use crate::TextError;
use crate::words::Words;

/// In which direction a feature may weigh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// It can only add, and says much by itself.
    Strong,
    /// It can only add.
    Plus,
    /// It can only add, and says little by itself.
    Weak,
    /// It can only take away.
    Minus,
    /// Training decides.
    Free,
}

/// A named feature and how it may weigh.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) sign: Sign,
}

/// All sequences, ready for the pack.
#[derive(Debug, Default)]
pub(crate) struct Sequences {
    pub(crate) features: Vec<Named>,
    /// By class.
    pub(crate) steps: Vec<Vec<Step>>,
    pub(crate) states: u32,
}

/// One place of a sequence.
struct Element {
    gap: u8,
    classes: Vec<u16>,
    need: u8,
}

impl Sequences {
    /// Reads the text; words in it that stand for themselves become classes.
    pub(crate) fn parse(
        text: &str,
        words: &mut Words,
        fold: &dyn Fn(&str) -> String,
    ) -> Result<Self, TextError> {
        let mut sequences = Self::default();
        for (number, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let read = line
                .split_once(" = ")
                .ok_or("write `+name = class 2 class`".to_owned());
            let read = read.and_then(|(name, places)| {
                let elements = elements(places, words, fold)?;
                sequences.add(name.trim(), &elements)
            });
            read.map_err(|reason| TextError::new(number, reason))?;
        }
        sequences.steps.resize(words.len(), Vec::new());
        // A word takes later places first, so that it never is two places of one sequence.
        for steps in &mut sequences.steps {
            steps.sort_by_key(|step| std::cmp::Reverse(step.state));
        }
        Ok(sequences)
    }

    /// The number of a feature, a new one if need be.
    pub(crate) fn feature(&mut self, name: &str, sign: Sign) -> Result<u16, String> {
        let at = self.features.iter().position(|known| known.name == name);
        let at = at.unwrap_or_else(|| {
            let name = name.to_owned();
            self.features.push(Named { name, sign });
            self.features.len() - 1
        });
        u16::try_from(at).map_err(|_| "too many features".to_owned())
    }

    fn add(&mut self, name: &str, elements: &[Element]) -> Result<(), String> {
        let (sign, name) = match name.split_at_checked(1) {
            Some(("*", name)) => (Sign::Strong, name),
            Some(("+", name)) => (Sign::Plus, name),
            Some(("?", name)) => (Sign::Weak, name),
            Some(("-", name)) => (Sign::Minus, name),
            _ => return Err(format!("`{name}` needs `*`, `+`, `?` or `-` before it")),
        };
        let span: usize = elements
            .iter()
            .skip(1)
            .map(|it| usize::from(it.gap) + 1)
            .sum();
        if span > gatehold_detect::MAX_SPAN {
            let most = gatehold_detect::MAX_SPAN;
            return Err(format!(
                "it spans {span} words after the first, at most {most} may be"
            ));
        }
        let feature = self.feature(name, sign)?;
        for (nth, element) in elements.iter().enumerate() {
            let state = u16::try_from(self.states).map_err(|_| "too many sequences".to_owned())?;
            self.states += 1;
            for class in &element.classes {
                let step = Step {
                    state,
                    gap: if nth == 0 { Step::FIRST } else { element.gap },
                    need: element.need,
                    feature: if nth + 1 == elements.len() {
                        feature
                    } else {
                        u16::MAX
                    },
                };
                let class = usize::from(*class);
                if self.steps.len() <= class {
                    self.steps.resize(class + 1, Vec::new());
                }
                if let Some(steps) = self.steps.get_mut(class) {
                    steps.push(step);
                }
            }
        }
        Ok(())
    }
}

fn elements(
    text: &str,
    words: &mut Words,
    fold: &dyn Fn(&str) -> String,
) -> Result<Vec<Element>, String> {
    let mut elements = Vec::new();
    let mut gap = 0;
    for token in text.split_whitespace() {
        if token.bytes().all(|byte| byte.is_ascii_digit()) {
            gap = token
                .parse()
                .map_err(|_| format!("`{token}` is too large a gap"))?;
            continue;
        }
        elements.push(element(token, gap, words, fold)?);
        gap = 0;
    }
    if elements.is_empty() {
        return Err("the sequence is empty".to_owned());
    }
    Ok(elements)
}

fn element(
    token: &str,
    gap: u8,
    words: &mut Words,
    fold: &dyn Fn(&str) -> String,
) -> Result<Element, String> {
    let mut need = 0;
    let mut rest = token;
    if let Some(bare) = rest.strip_prefix('^') {
        need |= flag::START;
        rest = bare;
    }
    if let Some(bare) = rest.strip_suffix('!') {
        need |= flag::UPPER;
        rest = bare;
    }
    let (literal, named): (Vec<&str>, Vec<&str>) =
        rest.split('|').partition(|part| part.starts_with('"'));
    let mut classes = Vec::new();
    for name in named {
        let class = words.find(name);
        classes.push(class.ok_or_else(|| format!("there is no class `{name}`"))?);
    }
    if !literal.is_empty() {
        // Elements with the same words share a class.
        let class = words.class(&literal.join("|"));
        for word in literal {
            words.add(class, word.trim_matches('"'), fold)?;
        }
        classes.push(class);
    }
    Ok(Element { gap, classes, need })
}
