//! The lexicon's text: classes and their words.

use std::collections::BTreeMap;

use gatehold_detect::{Hash, Tag, flag, shape};

use crate::TextError;
use crate::frequency::Frequency;

/// The class whose words are also looked for in turned text.
const TURNED: &str = "turned";

/// Classes by name, and what each word is.
#[derive(Debug, Default)]
pub(crate) struct Words {
    classes: Vec<String>,
    /// By folded word; several classes may have it.
    words: BTreeMap<String, Vec<Tag>>,
}

/// A word as it is written in the texts: `^step`, `SYSTEM`, `[system]`, `user:`, `<|`.
struct Written {
    folded: String,
    need: u8,
    before: u8,
    after: u8,
}

impl Words {
    /// Reads the text. Shapes are classes too, and come first.
    ///
    /// # Errors
    /// A line or word cannot be read.
    pub(crate) fn parse(text: &str, fold: &dyn Fn(&str) -> String) -> Result<Self, TextError> {
        let mut words = Self::default();
        for name in shape::NAMES {
            words.class(name);
        }
        let mut class = None;
        for (number, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let listed = match line.split_once(": ") {
                Some((name, rest)) if !line.starts_with(' ') => {
                    class = Some(words.class(name));
                    rest
                }
                _ => line,
            };
            let Some(class) = class else {
                return Err(TextError::new(number, "no class before this line"));
            };
            for word in listed.split_whitespace() {
                words
                    .add(class, word, fold)
                    .map_err(|reason| TextError::new(number, reason))?;
            }
        }
        words.turn();
        Ok(words)
    }

    /// Puts the words that attacks cannot do without into the lexicon as they are when they are turned, so that
    /// a scan looks at what stands around them.
    fn turn(&mut self) {
        let class = self.find(TURNED);
        let meant = |tags: &[Tag]| tags.iter().any(|tag| Some(tag.class) == class);
        let words = self.words.iter().filter(|(word, tags)| {
            word.len() >= 5 && word.bytes().all(|it| it.is_ascii_lowercase()) && meant(tags)
        });
        let words: Vec<String> = words.map(|(word, _)| word.clone()).collect();
        for word in words {
            let rotated = word
                .bytes()
                .map(|it| char::from(b'a' + (it - b'a' + 13) % 26));
            let turned = [
                (rotated.collect::<String>(), shape::ROT13),
                (word.chars().rev().collect(), shape::REVERSED),
            ];
            for (turned, class) in turned {
                self.words.entry(turned).or_default().push(Tag {
                    class,
                    need: 0,
                    before: 0,
                    after: 0,
                });
            }
        }
    }

    /// How many classes there are.
    pub(crate) fn len(&self) -> usize {
        self.classes.len()
    }

    /// The class's number, a new one if need be.
    pub(crate) fn class(&mut self, name: &str) -> u16 {
        let known = self.find(name);
        known.unwrap_or_else(|| {
            self.classes.push(name.to_owned());
            u16::try_from(self.classes.len() - 1).unwrap_or(u16::MAX)
        })
    }

    /// The class's number.
    pub(crate) fn find(&self, name: &str) -> Option<u16> {
        let at = self.classes.iter().position(|known| known == name)?;
        u16::try_from(at).ok()
    }

    /// Puts a word into a class.
    pub(crate) fn add(
        &mut self,
        class: u16,
        word: &str,
        fold: &dyn Fn(&str) -> String,
    ) -> Result<(), String> {
        let written = written(word, fold)?;
        let tag = Tag {
            class,
            need: written.need,
            before: written.before,
            after: written.after,
        };
        let tags = self.words.entry(written.folded).or_default();
        if !tags.contains(&tag) {
            tags.push(tag);
        }
        Ok(())
    }

    pub(crate) fn knows(&self, word: &str) -> bool {
        self.words.contains_key(word)
    }

    /// How often each class is met.
    pub(crate) fn frequency(&self, of: &Frequency) -> Vec<u32> {
        let mut classes = vec![0_u32; self.len()];
        for (word, tags) in &self.words {
            for tag in tags {
                // Few words stand between the symbols that are asked for.
                let share = if tag.before | tag.after != 0 { 16 } else { 1 };
                if let Some(place) = classes.get_mut(usize::from(tag.class)) {
                    *place = place.saturating_add(of.of(word) / share);
                }
            }
        }
        classes
    }

    /// What the pack holds.
    pub(crate) fn lexicon(&self) -> Vec<(Hash, Vec<Tag>)> {
        let hashed = |(word, tags): (&String, &Vec<Tag>)| (Hash::of(word.as_bytes()), tags.clone());
        self.words.iter().map(hashed).collect()
    }
}

fn is_word(character: char) -> bool {
    character == '_'
        || character.is_alphanumeric()
        || (!character.is_ascii() && !character.is_whitespace())
}

fn written(word: &str, fold: &dyn Fn(&str) -> String) -> Result<Written, String> {
    let bare = word.strip_prefix('^').filter(|rest| rest.contains(is_word));
    let mut need = if bare.is_some() { flag::START } else { 0 };
    let bare = bare.unwrap_or(word);
    if !bare.contains(is_word) {
        return Ok(Written {
            folded: bare.to_owned(),
            need: flag::SYMBOLS,
            before: 0,
            after: 0,
        });
    }
    let core = bare.trim_matches(|it: char| !is_word(it)).replace('\'', "");
    if let Some(odd) = core.chars().find(|it| !is_word(*it)) {
        return Err(format!(
            "`{word}` has `{odd}` inside: write the words as a pattern"
        ));
    }
    let before = bare.split(is_word).next().unwrap_or_default();
    let after = bare.rsplit(is_word).next().unwrap_or_default();
    // Of several symbols the nearest counts.
    let before = before.bytes().last().unwrap_or(0);
    let after = after.bytes().next().unwrap_or(0);
    let letters = || core.chars().filter(|it| it.is_ascii_alphabetic());
    if letters().count() > 1 && letters().all(|it| it.is_ascii_uppercase()) {
        need |= flag::UPPER;
    }
    Ok(Written {
        folded: fold(&core),
        need,
        before,
        after,
    })
}
