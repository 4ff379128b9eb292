//! Bearer tokens of the HTTP API.

use gatehold_approvals::Person;
use gatehold_identity::{BearerError, Identity, TokenError, bearer, verify};
use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::ConsoleConfig;
use crate::config::now;

/// Why a request is nobody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unauthorized {
    /// There is none.
    #[error("the request has no bearer token; send `Authorization: Bearer …`")]
    Missing,
    /// The header is not one.
    #[error("{0}")]
    Header(#[from] BearerError),
    /// It does not stand the test.
    #[error("{0}")]
    Token(#[from] TokenError),
    /// The documents name no audience.
    #[error("the HTTP API takes no tokens here; set `api.audiences` in the Console document")]
    Off,
}

/// Whose token a request carries.
///
/// # Errors
/// Why it is nobody's.
pub fn person_of(headers: &HeaderMap, config: &ConsoleConfig) -> Result<Person, Unauthorized> {
    let audiences = &config.document.api_audiences;
    if audiences.is_empty() {
        return Err(Unauthorized::Off);
    }
    let mut values = headers.get_all(AUTHORIZATION).into_iter();
    let value = values.next().ok_or(Unauthorized::Missing)?;
    if values.next().is_some() {
        return Err(BearerError::Malformed.into());
    }
    let token = bearer(value.as_bytes())?;
    let identity = verify(token, &[&config.issuer], audiences, now())?;
    Ok(person(identity))
}

/// The person that a verified token names.
pub(super) fn person(identity: Identity) -> Person {
    let Identity {
        issuer,
        user,
        roles,
        claims,
        ..
    } = identity;
    let name = ["name", "preferred_username", "email"]
        .into_iter()
        .filter_map(|claim| claims.get(claim)?.as_str())
        .find(|name| !name.is_empty())
        .unwrap_or_default();
    Person {
        issuer,
        user,
        name: name.chars().take(100).collect(),
        roles,
    }
}
