//! Verification of one token.

use crate::{Identity, Issuer, TokenError};

/// Longest token that is looked at.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Verifies `token` at `now` (Unix seconds).
pub fn verify(
    token: &str,
    _issuers: &[&Issuer],
    _audiences: &[String],
    _now: u64,
) -> Result<Identity, TokenError> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(TokenError::TooLarge);
    }
    Err(TokenError::NoKeys)
}
