//! What a scan saw.

use std::ops::Range;

/// How many findings a verdict has at most.
pub const MAX_FINDINGS: usize = 16;

/// The outcome of a scan.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// How much the text looks like an attack, 0 to 1. Comparable within a kind and a pack only.
    pub score: f64,
    /// Whether the score reaches the pack's threshold for the kind.
    pub flagged: bool,
    /// What the score was made of, the weightiest first; at most [`MAX_FINDINGS`](crate::MAX_FINDINGS).
    pub findings: Vec<Finding>,
    /// Secrets and personal data, in the order of their places.
    pub secrets: Vec<Secret>,
}

/// One feature or user rule that was seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Name of the feature (`override.instructions`) or of the user's rule (`rule.internal-hosts`).
    pub feature: String,
    /// What it added to the score, in units of log odds.
    pub weight: f64,
    /// Bytes of the input, as they were given to the scan (over all chunks).
    pub span: Range<usize>,
    /// What stands there as it was read (decoded, folded), at most 96 bytes.
    pub excerpt: String,
}

/// A secret or personal datum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// Name of the pattern: `github-token`, `card`, `iban`, or a user's.
    pub pattern: String,
    /// Whether it identifies a person rather than opens something.
    pub personal: bool,
    /// Bytes of the input.
    pub span: Range<usize>,
}
