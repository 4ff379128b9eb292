//! Compiles what the filter looks for into a pack, and trains its weights.
#![forbid(unsafe_code)]

mod frequency;
mod patterns;
mod shipped;
mod unicode;
mod user;
mod words;

pub use frequency::Frequency;
use gatehold_detect::Pack;
pub use patterns::Sign;
pub use shipped::{Draft, WINDOWS, Weights};
pub use unicode::fold;
pub use user::with_rules;

/// The pack that ships, with the rules of a user added.
///
/// # Errors
/// A rule cannot be compiled; the message says which and why.
pub fn compile(rules: &[UserRule]) -> Result<Pack, RuleError> {
    let pack = shipped::pack(Vec::new()).map_err(|error| RuleError {
        name: "shipped".to_owned(),
        reason: error.to_string(),
    })?;
    with_rules(pack, rules)
}

/// Where a text of `rules/` cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file} line {line}: {reason}")]
pub struct TextError {
    file: String,
    line: usize,
    reason: String,
}

impl TextError {
    pub(crate) fn new(number: usize, reason: impl Into<String>) -> Self {
        Self {
            file: String::new(),
            line: number + 1,
            reason: reason.into(),
        }
    }

    pub(crate) fn within(mut self, file: &str) -> Self {
        file.clone_into(&mut self.file);
        self
    }
}

/// A rule that a user adds, from a `kind: Detectors` document.
#[derive(Clone, Debug, PartialEq)]
pub struct UserRule {
    /// Its name, in findings as `rule.NAME`, of secrets as it is.
    pub name: String,
    /// What it looks for: a regular expression (RE2-like, case-insensitive for `Phrase`).
    pub pattern: String,
    /// What it means.
    pub role: RuleRole,
}

/// What a user's rule means.
#[derive(Clone, Debug, PartialEq)]
pub enum RuleRole {
    /// Adds to the score, in log odds; the default flags by itself.
    Finding {
        /// Log odds.
        weight: f64,
    },
    /// Is a secret or personal datum.
    Secret {
        /// Whether it identifies a person.
        personal: bool,
    },
}

/// Why a user's rule cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rule `{name}`: {reason}")]
pub struct RuleError {
    /// The rule.
    pub name: String,
    /// What is wrong and what to do.
    pub reason: String,
}
