//! Who sent a request, as it is remembered between requests.

use std::cell::{OnceCell, RefCell};
use std::mem;

use gatehold_engine::Principal;
use gatehold_identity::{Binding, Bound, Identity, Remember};

use crate::hold::CallDigest;
use crate::server::Server;

/// A verified caller. Made once per token, not once per request.
#[derive(Debug)]
pub struct Caller {
    /// What the token says, and until when; its claims are the principal's.
    pub identity: Identity,
    /// The same, as policy sees it.
    pub principal: Principal,
    bytes: usize,
    /// The session that was opened last, and the version of the server that it was opened for.
    session: RefCell<Option<(String, String)>>,
    /// What a taint of the caller is kept under, once it was looked for.
    taint: OnceCell<CallDigest>,
}

/// Longest session that is remembered, as the client writes it.
const MAX_SESSION: usize = 256;

impl Caller {
    /// Whom a verified token names.
    pub fn new(mut identity: Identity) -> Self {
        // What both have is little beside the claims.
        let beside = mem::size_of::<Self>() + MAX_SESSION;
        let bytes = identity.bytes().saturating_add(beside);
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
            session: RefCell::default(),
            taint: OnceCell::new(),
        }
    }

    /// Somebody without a token that holds; goes on in shadow mode only.
    #[cold]
    pub fn unknown() -> Self {
        Self::new(Identity {
            issuer: String::new(),
            user: String::new(),
            agent: String::new(),
            roles: Vec::new(),
            groups: Vec::new(),
            scopes: Vec::new(),
            claims: serde_json::Map::new(),
            expires_at: u64::MAX,
        })
    }

    /// The digest that names this caller, made once.
    pub fn taint_digest(&self, make: impl FnOnce(&Identity) -> CallDigest) -> CallDigest {
        *self.taint.get_or_init(|| make(&self.identity))
    }
}

impl Caller {
    /// The server's own id of a session, if it was sealed for this caller. Most callers stay in one, so the last
    /// one is known without its MAC.
    pub fn open_session<'s>(&self, server: &Server, sealed: &'s str) -> Option<&'s str> {
        let known = matches!(
            &*self.session.borrow(),
            Some((version, last)) if *version == server.version && last == sealed
        );
        if known {
            return Binding::identifier(sealed);
        }
        let session = server
            .binding
            .open(Bound::Session, &self.identity, sealed)?;
        if sealed.len() <= MAX_SESSION {
            self.session
                .replace(Some((server.version.clone(), sealed.to_owned())));
        }
        Some(session)
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
