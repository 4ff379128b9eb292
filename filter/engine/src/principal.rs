//! Who asks: the user, the agent that acts for the user, and what both may be matched by.

use serde_json::{Map, Value};

/// The verified identity behind one request.
///
/// Built by the adapter from a token that has been verified; the engine trusts it as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Principal {
    /// The user's stable identifier (by default the token's `sub`). Never empty for a verified token.
    pub user: String,
    /// The agent, that is the OAuth client that acts for the user (by default `azp`, then `client_id`).
    /// Empty when the token names none.
    pub agent: String,
    /// Roles, in the order of the token.
    pub roles: Vec<String>,
    /// Groups, in the order of the token.
    pub groups: Vec<String>,
    /// All claims of the token, for conditions (`user.claims.tenant`).
    pub claims: Map<String, Value>,
}
