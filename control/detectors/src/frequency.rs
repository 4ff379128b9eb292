//! How often words are met in text that nobody tampered with: what is rare is looked for first.

use std::collections::BTreeMap;

use crate::TextError;

/// Words of which fewer are in a hundred thousand are not listed.
const LEAST: u64 = 5;

/// By word: how many of a hundred thousand words are this one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frequency(BTreeMap<String, u32>);

impl Frequency {
    /// Counts the words of some texts, of which those are kept that are `known`.
    pub(crate) fn count<'a>(
        texts: impl Iterator<Item = &'a [u8]>,
        known: impl Fn(&str) -> bool,
    ) -> Self {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        let mut all = 0_u64;
        for text in texts {
            let words = text.split(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_');
            for word in words.filter(|word| !word.is_empty()) {
                all += 1;
                let word = String::from_utf8_lossy(word).to_ascii_lowercase();
                if known(&word) {
                    *counts.entry(word).or_default() += 1;
                }
            }
        }
        let shares = counts
            .into_iter()
            .map(|(word, count)| (word, count * 100_000 / all.max(1)));
        let often = shares.filter(|(_, share)| *share >= LEAST);
        Self(
            often
                .filter_map(|(word, share)| Some((word, u32::try_from(share).ok()?)))
                .collect(),
        )
    }

    /// Of this word.
    pub(crate) fn of(&self, word: &str) -> u32 {
        self.0.get(word).copied().unwrap_or(0)
    }

    /// Reads lines of a word and a number, with a tab.
    ///
    /// # Errors
    /// A line is something else.
    pub(crate) fn parse(text: &str) -> Result<Self, TextError> {
        let mut words = BTreeMap::new();
        for (number, line) in text.lines().enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let read = line
                .split_once('\t')
                .and_then(|(word, count)| Some((word.to_owned(), count.parse().ok()?)));
            let (word, count) =
                read.ok_or_else(|| TextError::new(number, "write a word and a whole number"))?;
            words.insert(word, count);
        }
        Ok(Self(words))
    }

    /// The text that [`Frequency::parse`] reads.
    pub fn to_text(&self) -> String {
        let mut text = String::from(
            "# Made by `make detectors`: of a hundred thousand words of usual text, how many are this one.\n",
        );
        for (word, count) in &self.0 {
            text.push_str(&format!("{word}\t{count}\n"));
        }
        text
    }
}
