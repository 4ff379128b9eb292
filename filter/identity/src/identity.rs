//! What a verified token says.

use serde_json::{Map, Value};

/// The bearer of a token that has been verified.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// Name of the [`Issuer`](crate::Issuer) whose key verified the token (not the `iss` claim).
    pub issuer: String,
    /// The user's identifier; never empty.
    pub user: String,
    /// The agent's client id; empty when the token names none.
    pub agent: String,
    /// Roles, in the order of the token, each once.
    pub roles: Vec<String>,
    /// Groups, in the order of the token, each once.
    pub groups: Vec<String>,
    /// Scopes of `scope`, or of `scp` when there is no `scope`.
    pub scopes: Vec<String>,
    /// All claims of the token.
    pub claims: Map<String, Value>,
    /// The second (Unix time) from which on the token is refused: `exp` plus the issuer's clock skew.
    pub expires_at: u64,
}
