//! Keeping the key sets fresh: one task per issuer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gatehold_api::Metrics;
use gatehold_documents::KeySource;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

use super::Fetcher;

const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(60);

/// Whose keys, and where they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The `iss` claim.
    pub issuer: String,
    /// Where the keys are.
    pub source: KeySource,
    /// Time between two fetches.
    pub refresh: Duration,
}

/// A key set that was fetched.
#[derive(Clone, Debug)]
pub struct Found {
    name: String,
    generation: u64,
    keys: Arc<str>,
}

/// What is known of the keys of an issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// The last good key set, JSON.
    Keys(Arc<str>),
    /// None since this process started. Filters may hold keys from before, and should keep them.
    NotYet,
    /// None: the document was changed to name other keys, and they did not come yet. Those from before
    /// must not be trusted any more.
    Replaced,
}

/// Keeps the keys of all issuers.
#[derive(Debug)]
pub struct Keeper {
    fetcher: Fetcher,
    metrics: Metrics,
    found: mpsc::Sender<Found>,
    issuers: BTreeMap<String, Kept>,
    generation: u64,
}

#[derive(Debug)]
struct Kept {
    wanted: Wanted,
    generation: u64,
    held: Held,
    _task: AbortOnDropHandle<()>,
}

impl Keeper {
    /// What is fetched goes to `found`, from where it should come back to [`Self::take`].
    pub fn new(fetcher: Fetcher, metrics: Metrics, found: mpsc::Sender<Found>) -> Self {
        Self {
            fetcher,
            metrics,
            found,
            issuers: BTreeMap::new(),
            generation: 0,
        }
    }

    /// Keeps these issuers from now on, by the name of their document, and no others. Of an issuer that
    /// is the same as before the keys stay.
    pub fn keep(&mut self, issuers: impl IntoIterator<Item = (String, Wanted)>) {
        let mut before = std::mem::take(&mut self.issuers);
        for (name, wanted) in issuers {
            let kept = match before.remove(&name) {
                Some(kept) if kept.wanted == wanted => kept,
                Some(Kept {
                    wanted: Wanted { issuer, source, .. },
                    held,
                    ..
                }) if (&issuer, &source) == (&wanted.issuer, &wanted.source) => {
                    self.start(&name, wanted, held)
                }
                Some(_) => self.start(&name, wanted, Held::Replaced),
                None => self.start(&name, wanted, Held::NotYet),
            };
            self.issuers.insert(name, kept);
        }
        for name in before.keys() {
            self.metrics.jwks_forgotten(name);
        }
    }

    /// Takes a fetched key set in. Gives whether it differs from the one before.
    pub fn take(&mut self, found: Found) -> bool {
        let Found {
            name,
            generation,
            keys,
        } = found;
        let Some(kept) = self
            .issuers
            .get_mut(&name)
            .filter(|kept| kept.generation == generation)
        else {
            return false;
        };
        self.metrics.jwks_fetched(&name);
        if matches!(&kept.held, Held::Keys(held) if is_same(held, &keys)) {
            return false;
        }
        info!(issuer = name, "new keys");
        kept.held = Held::Keys(keys);
        true
    }

    /// What is known of the keys of the issuer with this name.
    pub fn held(&self, name: &str) -> Held {
        self.issuers
            .get(name)
            .map_or(Held::NotYet, |kept| kept.held.clone())
    }

    fn start(&mut self, name: &str, wanted: Wanted, held: Held) -> Kept {
        self.generation += 1;
        let generation = self.generation;
        let held = match &wanted.source {
            // Known at once; the task only checks that they can be used.
            KeySource::Inline(keys) => Held::Keys(keys.as_str().into()),
            KeySource::Discovery(_) | KeySource::Uri(_) => held,
        };
        let refresher = Refresher {
            name: name.to_owned(),
            generation,
            wanted: wanted.clone(),
            fetcher: self.fetcher.clone(),
            metrics: self.metrics.clone(),
            found: self.found.clone(),
        };
        let task = AbortOnDropHandle::new(tokio::spawn(refresher.run()));
        Kept {
            wanted,
            generation,
            held,
            _task: task,
        }
    }
}

struct Refresher {
    name: String,
    generation: u64,
    wanted: Wanted,
    fetcher: Fetcher,
    metrics: Metrics,
    found: mpsc::Sender<Found>,
}

impl Refresher {
    async fn run(self) {
        let Wanted {
            issuer,
            source,
            refresh,
        } = &self.wanted;
        let mut retry = FIRST_RETRY;
        loop {
            let pause = match self.fetcher.key_set(issuer, source).await {
                Ok(keys) => {
                    retry = FIRST_RETRY;
                    let found = Found {
                        name: self.name.clone(),
                        generation: self.generation,
                        keys,
                    };
                    if self.found.send(found).await.is_err() {
                        return;
                    }
                    *refresh
                }
                Err(error) => {
                    self.metrics.jwks_failed(&self.name);
                    warn!(issuer = self.name, %error, "no new keys; those from before stay in force");
                    let pause = retry.min(*refresh);
                    retry = LAST_RETRY.min(retry * 2);
                    pause
                }
            };
            if matches!(source, KeySource::Inline(_)) {
                return;
            }
            // Replicas that were started together should not ask together.
            sleep(pause.mul_f64(0.9 + fastrand::f64() * 0.2)).await;
        }
    }
}

/// Whether two key sets differ by more than the order of fields and blanks.
fn is_same(one: &str, other: &str) -> bool {
    let parse = |text| serde_json::from_str::<Value>(text).ok();
    one == other || parse(one).is_some_and(|one| parse(other) == Some(one))
}
