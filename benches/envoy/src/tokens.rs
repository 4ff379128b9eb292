//! Real tokens: signed with the keys whose public halves control pushes.

use std::cell::Cell;

use anyhow::Context as _;
use gatehold_harness::{Algorithm, Claims, Keys, tokens};

use crate::policy;

/// How long a token is good, in seconds: longer than any run.
const LIFETIME: u64 = 6 * 3600;

/// Makes tokens of which no two are the same.
#[derive(Debug)]
pub struct Tokens {
    keys: &'static Keys,
    made: Cell<u64>,
}

impl Tokens {
    /// With these keys.
    #[must_use]
    pub fn new(keys: &'static Keys) -> Self {
        Self {
            keys,
            made: Cell::new(0),
        }
    }

    /// A token (ES256) of a caller with the role that the policy is about.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn fresh(&self) -> anyhow::Result<String> {
        let number = self.made.get();
        self.made.set(number.saturating_add(1));
        let claims = Claims::new(
            "alice@example.com",
            &[policy::ROLE, "employee"],
            policy::RESOURCE,
        )
        .with("exp", tokens::now().saturating_add(LIFETIME))
        .with("jti", format!("token-{number:08}"))
        .json();
        self.keys
            .sign(Algorithm::Es256, &claims)
            .context("could not sign a token")
    }
}
