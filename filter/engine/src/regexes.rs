//! The patterns of `matches`, compiled once per policy.

use regex_lite::{Regex, RegexBuilder};
use rustc_hash::FxHashMap;

/// Largest compiled pattern, in bytes: some thousand states.
const MAX_SIZE: usize = 64 * 1024;
/// Smallest size that is tried when a pattern's cost is measured.
const MIN_SIZE: usize = 512;
/// Bytes of one state of a compiled pattern, roughly.
const STATE_SIZE: usize = 32;
/// State visits that cost as much as one step of an evaluation.
const VISITS_PER_STEP: usize = 16;

/// All patterns of one policy, by their text.
#[derive(Debug, Default)]
pub(crate) struct Regexes {
    compiled: FxHashMap<String, Pattern>,
}

/// One compiled pattern.
#[derive(Debug)]
pub(crate) struct Pattern {
    regex: Regex,
    /// Upper bound of its states; a search visits each at most once per byte.
    states: usize,
}

impl Regexes {
    /// Compiles a pattern unless it is known already.
    pub(crate) fn add(&mut self, text: &str) -> Result<(), String> {
        if !self.compiled.contains_key(text) {
            self.compiled.insert(text.to_owned(), Pattern::new(text)?);
        }
        Ok(())
    }

    pub(crate) fn get(&self, text: &str) -> Option<&Pattern> {
        self.compiled.get(text)
    }
}

impl Pattern {
    fn new(text: &str) -> Result<Self, String> {
        // The compiler does not tell a program's size, but refuses one over a limit: the first limit
        // that it fits tells what a search may cost.
        let mut size = MIN_SIZE;
        loop {
            match RegexBuilder::new(text).size_limit(size).build() {
                Ok(regex) => {
                    return Ok(Self {
                        regex,
                        states: size / STATE_SIZE,
                    });
                }
                Err(error) if size >= MAX_SIZE => return Err(error.to_string()),
                Err(_) => size *= 2,
            }
        }
    }

    /// Steps that a search in a text of this many bytes may cost.
    pub(crate) fn cost(&self, bytes: usize) -> usize {
        bytes.saturating_mul(self.states) / VISITS_PER_STEP
    }

    /// Whether the text holds a match anywhere.
    pub(crate) fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}
