//! What every piece of traffic needs: where to go, who to be, a number of its own.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use fastrand::Rng;
use gatehold_harness::{Algorithm, Call, Claims, Harness, Keys, Version};

use crate::tally::Tally;

/// Paths of the servers.
pub const CRM: &str = "/crm/mcp";
/// The modern stock server.
pub const DESK: &str = "/desk/mcp";
/// The legacy stock server.
pub const EVERYTHING: &str = "/everything/mcp";

/// How long a token is used again; test tokens hold for ten minutes, the provider's too.
const WARM: Duration = Duration::from_secs(240);
/// One token in so many is new. A worker remembers those that it verified, up to a bound that takes hours to reach: more
/// of them would let that memory look like a leak.
const COLD: u32 = 20;

/// Shared by all traffic.
#[derive(Debug)]
pub struct World {
    /// Port of the gateway.
    pub port: u16,
    /// Where all is counted.
    pub tally: Arc<Tally>,
    /// Bodies of `tests/corpus/requests`, by name.
    pub corpus: Vec<(String, Bytes)>,
    keys: &'static Keys,
    next: AtomicU64,
    warm: Mutex<BTreeMap<(String, String), (String, Instant)>>,
    provided: Mutex<BTreeMap<String, String>>,
}

impl World {
    /// Of a harness that runs.
    ///
    /// # Errors
    /// When the corpus cannot be read.
    pub fn new(harness: &Harness, tally: Arc<Tally>) -> anyhow::Result<Self> {
        let folder = harness.tools.root.join("tests/corpus/requests");
        let mut corpus = Vec::new();
        for entry in fs::read_dir(&folder).context("read the corpus of requests")? {
            let path = entry?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "body")
            {
                let name = path.file_stem().unwrap_or_default().to_string_lossy();
                corpus.push((name.into_owned(), Bytes::from(fs::read(&path)?)));
            }
        }
        // The order of a folder is no order, and a seed should name one run.
        corpus.sort();
        Ok(Self {
            port: harness.port(),
            tally,
            corpus,
            keys: harness.keys,
            next: AtomicU64::new(1),
            warm: Mutex::default(),
            provided: Mutex::default(),
        })
    }

    /// A number that nobody else has.
    pub fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Keeps a token of the OpenID provider for the server at `path`, to be used among the others.
    pub fn provide(&self, path: &str, token: String) {
        lock(&self.provided).insert(path.to_owned(), token);
    }

    /// A token of somebody in support for the server at `path`: mostly one that was used before, sometimes a new one,
    /// sometimes the provider's. The user is the same for the same `user`, but for the provider's.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn token(&self, rng: &mut Rng, user: &str, path: &str) -> anyhow::Result<String> {
        if rng.u32(0..10) == 0
            && let Some(token) = lock(&self.provided).get(path)
        {
            return Ok(token.clone());
        }
        if rng.u32(0..COLD) == 0 {
            return self.sign(user, path);
        }
        self.warm(user, path)
    }

    /// A token of `user`, of our own issuer, that is used again and again.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn warm(&self, user: &str, path: &str) -> anyhow::Result<String> {
        let key = (user.to_owned(), path.to_owned());
        let known = lock(&self.warm).get(&key).cloned();
        if let Some((token, made)) = known
            && made.elapsed() < WARM
        {
            return Ok(token);
        }
        let token = self.sign(user, path)?;
        lock(&self.warm).insert(key, (token.clone(), Instant::now()));
        Ok(token)
    }

    /// A new token of `user`, of our own issuer, for a run of requests that belong together.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn sign(&self, user: &str, path: &str) -> anyhow::Result<String> {
        let resource = format!("http://127.0.0.1:{}{path}", self.port);
        let claims = Claims::new(user, &["support"], &resource).with("jti", self.number());
        Ok(self.keys.sign(Algorithm::Es256, &claims.json())?)
    }
}

/// One of a few users.
pub fn user(rng: &mut Rng) -> &'static str {
    ["alice", "bob", "carol", "dave"]
        .get(rng.usize(0..4))
        .copied()
        .unwrap_or("alice")
}

/// Over either version, in one piece or in several.
pub fn shaped(rng: &mut Rng, call: Call, size: usize) -> Call {
    let call = call.over(if rng.bool() {
        Version::Http1
    } else {
        Version::Http2
    });
    if rng.u32(0..4) == 0 {
        call.in_pieces_of(size / rng.usize(1..6) + 1)
    } else {
        call
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
