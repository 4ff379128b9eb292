//! Names of approvals.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Names one approval: 26 characters, `a-z2-7`, so it can stand in a URL and on a command line. Whoever knows it
/// has been told: it is 128 random bits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ApprovalId(Arc<str>);

impl ApprovalId {
    /// The name that these random bytes make.
    #[must_use]
    pub fn new(random: [u8; 16]) -> Self {
        let bits = u128::from_be_bytes(random);
        let text: String = (0..26)
            .rev()
            .map(|place| (bits >> (place * 5)) as usize & 31)
            .filter_map(|value| ALPHABET.get(value).copied().map(char::from))
            .collect();
        Self(text.into())
    }

    /// A name that was written down before. Any text is one; most name nothing.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        Self(text.into())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for ApprovalId {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for ApprovalId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ApprovalId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
