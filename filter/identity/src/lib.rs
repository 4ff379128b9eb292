//! Who sent a request: bearer tokens (RFC 6750) that are JWTs (RFC 7519, RFC 9068).
//!
//! Pure: keys, time and accepted audiences are parameters. Nothing here needs randomness, a clock or
//! I/O, and no text of a token ever appears in an error.
#![forbid(unsafe_code)]

mod bearer;
mod binding;
mod claims;
mod error;
mod identity;
mod issuer;
mod json;
mod keys;
mod memory;
mod public_key;
mod verify;

pub use bearer::{BearerError, bearer};
pub use binding::{Binding, Bound, Sealer};
pub use error::TokenError;
pub use identity::Identity;
pub use issuer::{Algorithm, ClaimMapping, Issuer};
pub use keys::{KeyError, KeySet, SkippedKey};
pub use memory::{Remember, TokenMemory};
pub use verify::{MAX_TOKEN_BYTES, verify};
