//! Who sent a request, as it is remembered between requests.

use std::mem;

use gatehold_engine::Principal;
use gatehold_identity::{Identity, Remember};

/// A verified caller. Made once per token, not once per request.
#[derive(Debug)]
pub struct Caller {
    /// What the token says, and until when; its claims are the principal's.
    pub identity: Identity,
    /// The same, as policy sees it.
    pub principal: Principal,
    bytes: usize,
}

impl Caller {
    /// Whom a verified token names.
    pub fn new(mut identity: Identity) -> Self {
        // What both have is little beside the claims.
        let bytes = identity.bytes().saturating_add(mem::size_of::<Principal>());
        let claims = mem::take(&mut identity.claims);
        let principal = Principal {
            user: identity.user.clone(),
            agent: identity.agent.clone(),
            roles: identity.roles.clone(),
            groups: mem::take(&mut identity.groups),
            claims,
        };
        Self {
            identity,
            principal,
            bytes,
        }
    }
}

impl Remember for Caller {
    fn expires_at(&self) -> u64 {
        self.identity.expires_at
    }

    fn bytes(&self) -> usize {
        self.bytes
    }
}
