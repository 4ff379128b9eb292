//! What detection saw, as people and the audit log are told.

/// One text in which detection saw something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finding {
    /// `argument`, `result` or `tool` (a definition).
    pub kind: String,
    /// Name of the definition, or of the tool whose result it was; may be empty.
    pub subject: String,
    /// How much it looks like an attack, in thousandths; 0 when there are only secrets.
    pub score: u16,
    /// Whether that is enough to act on.
    pub flagged: bool,
    /// Names of features and rules, the weightiest first; `secret:` before those of secrets.
    pub features: Vec<String>,
    /// First byte of the weightiest one in the message as it came.
    pub start: u64,
    /// The byte after its last.
    pub end: u64,
    /// What stands there, decoded and folded; empty for secrets. Whoever attacks wrote it.
    pub excerpt: String,
    /// Whether only detectors that are being tried saw it.
    pub shadow: bool,
}

impl Finding {
    /// The score of a filter, 0 to 1, in thousandths. What is no such number is 0.
    #[must_use]
    pub fn thousandths(score: f64) -> u16 {
        // A cast saturates, and makes 0 of what is not a number.
        (score.clamp(0.0, 1.0) * 1000.0).round() as u16
    }

    /// The score as it is written: `0.987`.
    #[must_use]
    pub fn score_text(&self) -> String {
        format!("{}.{:03}", self.score / 1000, self.score % 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_written_with_three_digits() {
        let check = |score: f64, expected: &str| {
            let score = Finding::thousandths(score);
            let finding = Finding {
                score,
                ..Finding::default()
            };
            assert_eq!(finding.score_text(), expected);
        };
        check(0.0, "0.000");
        check(0.0004, "0.000");
        check(0.98751, "0.988");
        check(1.0, "1.000");
        check(7.0, "1.000");
        check(-1.0, "0.000");
        check(f64::NAN, "0.000");
    }
}
