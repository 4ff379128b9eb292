//! Sessions of people who have signed in.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use gatehold_approvals::Person;
use sha2::{Digest as _, Sha256};

use super::{NoRandomness, random};
use crate::ConsoleConfig;

/// The sessions, in memory: after a restart of control people sign in again, which their identity provider does
/// without asking as long as it knows them. Ids are random, and kept as digests only.
#[derive(Default)]
pub struct Sessions {
    sessions: Mutex<HashMap<[u8; 32], Session>>,
}

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub struct Signed {
    /// Who.
    pub person: Person,
    /// What forms of this session carry, so that no other site can send them.
    pub csrf: String,
}

struct Session {
    signed: Signed,
    /// By what they signed in: issuer and client. When the documents say something else, the session is over.
    by: By,
    begun: u64,
    seen: u64,
}

#[derive(PartialEq, Eq)]
struct By {
    issuer: String,
    client_id: String,
}

impl By {
    fn of(config: &ConsoleConfig) -> Self {
        Self {
            issuer: config.issuer.issuer.clone(),
            client_id: config.document.sign_in.client_id.clone(),
        }
    }
}

impl Sessions {
    /// Begins a session at `now` (Unix seconds) under a new id, which is given back and kept nowhere.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn begin(
        &self,
        config: &ConsoleConfig,
        person: Person,
        now: u64,
    ) -> Result<String, NoRandomness> {
        let id = random()?;
        let csrf = random()?;
        let mut sessions = self.lock();
        sessions.retain(|_, session| !session.is_over(config, now));
        let session = Session {
            signed: Signed { person, csrf },
            by: By::of(config),
            begun: now,
            seen: now,
        };
        sessions.insert(digest(&id), session);
        Ok(id)
    }

    /// Who has this session at `now`. With `active`, that counts as something done: it is what pages that refresh
    /// themselves are not, so that a tab that was left open does not keep its session.
    pub fn find(&self, config: &ConsoleConfig, id: &str, now: u64, active: bool) -> Option<Signed> {
        let digest = digest(id);
        let mut sessions = self.lock();
        let session = sessions.get_mut(&digest)?;
        if session.is_over(config, now) {
            sessions.remove(&digest);
            return None;
        }
        if active {
            session.seen = session.seen.max(now);
        }
        Some(session.signed.clone())
    }

    /// Ends a session, if there is one with this id.
    pub fn end(&self, id: &str) {
        self.lock().remove(&digest(id));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Session>> {
        // A poisoned lock only means that another thread panicked; the map is whole all the same.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    fn is_over(&self, config: &ConsoleConfig, now: u64) -> bool {
        now.saturating_sub(self.seen) >= config.document.idle_seconds
            || now.saturating_sub(self.begun) >= config.document.longest_seconds
            || self.by != By::of(config)
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Sessions(..)")
    }
}

fn digest(id: &str) -> [u8; 32] {
    Sha256::digest(id.as_bytes()).into()
}
