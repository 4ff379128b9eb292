//! What ships: the texts in `rules/`, and the weights that were trained for them.

use std::collections::BTreeMap;

use gatehold_detect::{Feature, Pack, Parts, Step, shape};

use crate::TextError;
use crate::frequency::Frequency;
use crate::patterns::{Named, Sequences, Sign};
use crate::words::Words;

const WORDS: &str = include_str!("../rules/words.txt");
const PATTERNS: &str = include_str!("../rules/patterns.txt");
const WEIGHTS: &str = include_str!("../rules/weights.tsv");
const FREQUENCY: &str = include_str!("../rules/frequency.tsv");
/// Words over which features add up, by kind: what is hidden in data is close together, what an agent was talked
/// into is long.
pub const WINDOWS: [u32; 3] = [40, 128, 256];

/// Everything that can be looked for, before it is known what it weighs.
#[derive(Debug)]
pub struct Draft {
    words: Words,
    sequences: Sequences,
    fold: gatehold_detect::Fold,
    frequency: Frequency,
}

/// What each feature weighs, and from where on texts are flagged.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights {
    /// By feature and kind, in thousandths of log odds. What is not here is not looked for.
    pub features: BTreeMap<String, [i32; 3]>,
    /// By kind.
    pub thresholds: [i32; 3],
}

impl Draft {
    /// Reads the texts that ship.
    ///
    /// # Errors
    /// A text cannot be read: its line and why.
    pub fn shipped() -> Result<Self, TextError> {
        let fold = crate::unicode::fold();
        let folded = |text: &str| fold.fold(text);
        let mut words = Words::parse(WORDS, &folded).map_err(|error| error.within("words.txt"))?;
        let sequences = Sequences::parse(PATTERNS, &mut words, &folded)
            .map_err(|error| error.within("patterns.txt"))?;
        let frequency =
            Frequency::parse(FREQUENCY).map_err(|error| error.within("frequency.tsv"))?;
        Ok(Self {
            words,
            sequences,
            fold,
            frequency,
        })
    }

    /// A pack in which every sequence fires and nothing weighs, to learn from.
    ///
    /// # Errors
    /// There is too much of something.
    pub fn for_training(&self) -> Result<Pack, TextError> {
        let mut weights = Weights::default();
        let names = self
            .sequences
            .features
            .iter()
            .map(|it| (it.name.clone(), [0; 3]));
        weights.features.extend(names);
        self.pack("training", &weights, Vec::new())
    }

    /// How often the words of the lexicon are met in these texts.
    pub fn count<'a>(&self, texts: impl Iterator<Item = &'a [u8]>) -> Frequency {
        Frequency::count(texts, |word| self.words.knows(word))
    }

    /// Which way a feature may weigh.
    pub fn sign(&self, feature: &str) -> Sign {
        let named = self.sequences.features.iter().find(|it| it.name == feature);
        named.map_or(Sign::Free, |it| it.sign)
    }

    /// The pack that looks for what has a weight.
    ///
    /// # Errors
    /// There is too much of something.
    pub fn pack(&self, name: &str, weights: &Weights, user: Vec<u8>) -> Result<Pack, TextError> {
        let mut features = Vec::new();
        let mut numbers = BTreeMap::new();
        for (name, weights) in &weights.features {
            let number = u16::try_from(features.len())
                .map_err(|_| TextError::new(0, "too many features"))?;
            numbers.insert(name.clone(), number);
            features.push(Feature {
                name: name.clone(),
                weights: *weights,
            });
        }
        let number = |named: &Named| numbers.get(&named.name).copied();
        let renamed = |step: &Step| {
            let named = self.sequences.features.get(usize::from(step.feature));
            let feature = named.and_then(number).unwrap_or(u16::MAX);
            Step { feature, ..*step }
        };
        let steps = self.sequences.steps.iter();
        let steps = steps.map(|of| of.iter().map(renamed).collect()).collect();
        let parts = Parts {
            name: name.to_owned(),
            windows: WINDOWS,
            classes: u16::try_from(self.words.len()).unwrap_or(u16::MAX),
            lexicon: self.words.lexicon(),
            steps,
            states: self.sequences.states,
            features,
            thresholds: weights.thresholds,
            fold: self.fold.clone(),
            frequency: self.words.frequency(&self.frequency),
            user,
        };
        Pack::assemble(parts).map_err(|error| TextError::new(0, error.to_string()))
    }
}

impl Weights {
    /// The weights that ship.
    ///
    /// # Errors
    /// The text cannot be read.
    pub fn shipped() -> Result<Self, TextError> {
        Self::parse(WEIGHTS).map_err(|error| error.within("weights.tsv"))
    }

    /// Reads lines of a name and three numbers, with tabs; `threshold` is the name of the thresholds.
    ///
    /// # Errors
    /// A line is something else.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let mut weights = Self::default();
        for (number, line) in text.lines().enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let mut parts = line.split('\t');
            let name = parts.next().unwrap_or_default();
            let numbers: Option<Vec<i32>> = parts.map(|it| it.parse().ok()).collect();
            let numbers = numbers.and_then(|numbers| <[i32; 3]>::try_from(numbers).ok());
            let Some(numbers) = numbers else {
                return Err(TextError::new(
                    number,
                    "write a name and three whole numbers",
                ));
            };
            if name == "threshold" {
                weights.thresholds = numbers;
            } else {
                weights.features.insert(name.to_owned(), numbers);
            }
        }
        Ok(weights)
    }

    /// The text that [`Weights::parse`] reads.
    pub fn to_text(&self) -> String {
        let mut text = String::from(
            "# Made by `make detectors`: what each feature weighs in results, tools and arguments, in\n\
             # thousandths of log odds, and the sums from which on a text is flagged.\n",
        );
        let mut line = |name: &str, numbers: &[i32; 3]| {
            let [result, tool, argument] = numbers;
            text.push_str(&format!("{name}\t{result}\t{tool}\t{argument}\n"));
        };
        line("threshold", &self.thresholds);
        self.features
            .iter()
            .for_each(|(name, weights)| line(name, weights));
        text
    }
}

/// The pack that ships, with bytes of a user's rules.
pub(crate) fn pack(user: Vec<u8>) -> Result<Pack, TextError> {
    Draft::shipped()?.pack("shipped", &Weights::shipped()?, user)
}

const _: () = assert!(shape::NAMES.len() < 64, "shapes come first and leave room");
