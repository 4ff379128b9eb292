//! What a verified token says.

use std::mem;

use serde_json::{Map, Value};

use crate::Remember;

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

impl Remember for Identity {
    fn expires_at(&self) -> u64 {
        self.expires_at
    }

    fn bytes(&self) -> usize {
        let Self {
            issuer,
            user,
            agent,
            roles,
            groups,
            scopes,
            claims,
            expires_at: _,
        } = self;
        let lists = [roles, groups, scopes];
        let texts = [issuer, user, agent]
            .into_iter()
            .chain(lists.into_iter().flatten());
        let texts = texts.map(|text| mem::size_of::<String>() + text.len());
        let members = claims.iter().map(|(key, value)| size_of_member(key, value));
        mem::size_of::<Self>() + texts.chain(members).sum::<usize>()
    }
}

fn size_of_member(key: &str, value: &Value) -> usize {
    mem::size_of::<(String, Value)>() + key.len() + size_of_value(value)
}

/// What a value takes beside its own slot. The recursion is bounded by the JSON parser's depth (128).
fn size_of_value(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(items) => items
            .iter()
            .map(|item| mem::size_of::<Value>() + size_of_value(item))
            .sum(),
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| size_of_member(key, value))
            .sum(),
    }
}
