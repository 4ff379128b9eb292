//! What detection saw in the arguments of a call, as conditions ask for it (`findings`).

use std::fmt;

/// What detection saw in the arguments of a call. The default is that it saw nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Findings {
    /// How much the arguments look like an attack, 0 to 1.
    pub score: f64,
    /// Whether that reaches the threshold of the pack in force.
    pub flagged: bool,
    /// Names of the features and of the users' rules that the score was made of, the weightiest first.
    pub features: Vec<String>,
    /// Names of the patterns of the secrets and personal data, in the order of their places.
    pub secrets: Vec<String>,
}

/// Findings for which the arguments are scanned only if a condition asks.
pub trait FindingsSource: fmt::Debug {
    /// The findings, the same every time; `None` when nothing can be scanned (no pack has arrived yet), so
    /// that every condition over them fails.
    fn findings(&self) -> Option<&Findings>;
}

impl FindingsSource for Findings {
    fn findings(&self) -> Option<&Findings> {
        Some(self)
    }
}
