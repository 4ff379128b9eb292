//! What every piece of traffic needs: where to go, who to be, a number of its own.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use fastrand::Rng;
use gatehold_harness::{Algorithm, Call, Claims, Exchange, Keys, Reply, Version};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::reload::{Cut, Reloads};
use crate::tally::Tally;

/// Paths of the servers.
pub const CRM: &str = "/crm/mcp";
/// The modern stock server.
pub const DESK: &str = "/desk/mcp";
/// The legacy stock server.
pub const EVERYTHING: &str = "/everything/mcp";

/// How long a token is used again; test tokens hold for ten minutes, the provider's too.
const WARM: Duration = Duration::from_secs(240);
/// New tokens per second, whatever the rate. A worker remembers those that it verified until they expire: more of them
/// would let that memory look like a leak for as long as the first ones hold.
const COLD: f64 = 2.0;

/// What the load generator has to know.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// Port of the gateway.
    pub port: u16,
    /// Pieces of traffic per second, on average.
    pub rate: f64,
    /// With the same seed the same traffic is sent in the same order.
    pub seed: u64,
    /// Envoy's worker threads.
    pub workers: u32,
    /// Folder of the hostile bodies.
    pub corpus: PathBuf,
    /// The keys that tokens are signed with, as the harness exports them.
    pub keys: Value,
    /// How long a slice of time is, in seconds, for latencies over time.
    pub slice: f64,
}

/// Shared by all traffic.
#[derive(Debug)]
pub struct World {
    /// Port of the gateway.
    pub port: u16,
    /// Envoy's worker threads.
    pub workers: u32,
    /// Where all is counted.
    pub tally: Arc<Tally>,
    /// When workers reloaded.
    pub reloads: Reloads,
    /// Whether what tokens are verified by has changed since the start.
    pub issuer_changed: AtomicBool,
    /// Bodies of `tests/corpus/requests`, by name.
    pub corpus: Vec<(String, Bytes)>,
    keys: Keys,
    /// One token in so many is new.
    cold: f64,
    next: AtomicU64,
    warm: Mutex<BTreeMap<(String, String), (String, Instant)>>,
    provided: Mutex<BTreeMap<String, String>>,
}

impl World {
    /// Nothing has been sent yet.
    ///
    /// # Errors
    /// When the corpus cannot be read, or the keys are none.
    pub fn new(settings: &Settings) -> anyhow::Result<Self> {
        let folder = &settings.corpus;
        let mut corpus = Vec::new();
        for entry in fs::read_dir(folder).context("read the corpus of requests")? {
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
            port: settings.port,
            workers: settings.workers,
            tally: Arc::default(),
            reloads: Reloads::default(),
            issuer_changed: AtomicBool::new(false),
            corpus,
            keys: Keys::import(settings.keys.clone())?,
            cold: settings.rate / COLD,
            next: AtomicU64::new(1),
            warm: Mutex::default(),
            provided: Mutex::default(),
        })
    }

    /// Sends a request and waits for the whole answer.
    ///
    /// # Errors
    /// When the exchange breaks off; [`Cut`] when Envoy answered for a worker that reloads.
    pub async fn send(&self, call: &Call) -> anyhow::Result<Reply> {
        let begin = Instant::now();
        let reply = call.send(self.port).await?;
        self.uncut(begin, &reply)?;
        Ok(reply)
    }

    /// Sends a request and waits for the headers of the answer only.
    ///
    /// # Errors
    /// As [`World::send`].
    pub async fn open(&self, call: &Call) -> anyhow::Result<Exchange> {
        let begin = Instant::now();
        let exchange = call.open(self.port).await?;
        if exchange.status() == 503 {
            let reply = exchange.whole().await?;
            self.uncut(begin, &reply)?;
            anyhow::bail!("503 {}", reply.text());
        }
        Ok(exchange)
    }

    fn uncut(&self, begin: Instant, reply: &Reply) -> Result<(), Cut> {
        // The filter's own refusals have a body.
        let bare = reply.status == 503 && reply.body.is_empty();
        if bare && self.reloads.explain(begin, Instant::now()) {
            return Err(Cut);
        }
        Ok(())
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
        if rng.f64() * self.cold < 1.0 {
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
