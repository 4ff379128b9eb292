//! The issuer's public keys.

/// The usable public keys of one issuer.
#[derive(Clone, Default, Debug)]
pub struct KeySet {
    skipped: Vec<SkippedKey>,
}

/// A key of a set that cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedKey {
    /// Its `kid`, or its position in the set (from 1) when it has none.
    pub key: String,
    /// Why it is not used.
    pub reason: &'static str,
}

/// Why a key set cannot be read at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Longer than 256 KiB.
    #[error("the key set is longer than 256 KiB")]
    TooLarge,
    /// Not a JWK Set (RFC 7517 section 5).
    #[error("not a JWK Set: {0}; expected an object with a list `keys`")]
    NotASet(String),
}

impl KeySet {
    /// Reads a JWK Set (RFC 7517).
    ///
    /// Keys that cannot be used are left out and listed by [`skipped`](Self::skipped).
    pub fn from_jwks(_json: &str) -> Result<Self, KeyError> {
        Ok(Self::default())
    }

    /// Number of usable keys.
    pub fn len(&self) -> usize {
        0
    }

    /// Whether there is no usable key, so that no token can be verified.
    pub fn is_empty(&self) -> bool {
        true
    }

    /// The keys that were left out.
    pub fn skipped(&self) -> &[SkippedKey] {
        &self.skipped
    }
}
