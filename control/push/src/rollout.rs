//! Which Envoy gets which filter, and when: one first, the others once it has taken it, none while one refuses it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::source::Source;
use crate::{Connection, Resources};

/// Type of the resource that Envoy gets the filter in.
pub const EXTENSION_TYPE_URL: &str =
    "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig";
/// Name of that resource, and of the filter in Envoy's configuration.
pub const EXTENSION_NAME: &str = "gatehold";

/// Which version of the filter each Envoy is to have.
pub trait Rollout: fmt::Debug + Send + Sync {
    /// The filter for the Envoy with this node id and cluster: one resource, [`EXTENSION_NAME`].
    fn of(&self, id: &str, cluster: &str) -> Arc<Resources>;
}

/// What is rolled out; while it is `None` every Envoy keeps what it has.
pub type Rollouts = Option<Arc<dyn Rollout>>;

/// Lets Envoys have a version of the filter by turns.
///
/// A version that no Envoy has yet goes to one alone. Once that has taken it, it goes to all that are to have it; once
/// one has refused it, to no other as long as that one is to have it. An Envoy without any filter has nothing to lose
/// and need not wait.
#[derive(Debug)]
pub struct Gate {
    trials: Mutex<BTreeMap<Arc<str>, Trial>>,
    streams: AtomicU64,
    /// Counts changes, so that those who wait look again.
    changes: watch::Sender<u64>,
}

/// A version that is held back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldBack {
    /// Version of the resource.
    pub version: Arc<str>,
    /// Node id of an Envoy that refuses it.
    pub node: String,
    /// Why, in Envoy's words.
    pub reason: String,
}

/// What is known of a version.
#[derive(Debug, Default)]
struct Trial {
    is_taken: bool,
    /// The stream of the Envoy that tries it.
    by: Option<u64>,
    /// Node id to cluster and reason.
    refused: BTreeMap<String, (String, String)>,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            trials: Mutex::default(),
            streams: AtomicU64::new(0),
            changes: watch::Sender::new(0),
        }
    }
}

impl Gate {
    /// The versions that are held back by `rollout`, with each Envoy that refuses them.
    pub fn held_back(&self, rollout: &dyn Rollout) -> Vec<HeldBack> {
        let trials = self.lock();
        let refused = trials.iter().flat_map(|(version, trial)| {
            let still = trial.refused.iter().filter(|(id, (cluster, _))| {
                version_of(&rollout.of(id, cluster)).as_ref() == Some(version)
            });
            still.map(|(node, (_, reason))| HeldBack {
                version: version.clone(),
                node: node.clone(),
                reason: reason.clone(),
            })
        });
        refused.collect()
    }

    /// The Envoy of this node id has the version in force.
    fn take(&self, version: &Arc<str>, id: &str) {
        self.change(|trials| {
            let trial = trials.entry(version.clone()).or_default();
            let is_new = !trial.is_taken;
            trial.is_taken = true;
            trial.by = None;
            trial.refused.remove(id).is_some() || is_new
        });
    }

    /// The Envoy of this node refuses the version.
    fn refuse(&self, version: &Arc<str>, id: &str, cluster: &str, reason: &str) {
        self.change(|trials| {
            let trial = trials.entry(version.clone()).or_default();
            trial.by = None;
            let refused = (cluster.to_owned(), reason.to_owned());
            trial.refused.insert(id.to_owned(), refused.clone()) != Some(refused)
        });
    }

    /// Whether the Envoy on this stream may have the version now.
    fn admit(&self, version: &Arc<str>, stream: u64, rollout: &dyn Rollout) -> bool {
        let mut trials = self.lock();
        let trial = trials.entry(version.clone()).or_default();
        // An Envoy that is to have another version by now has no say in this one.
        trial.refused.retain(|id, (cluster, _)| {
            version_of(&rollout.of(id, cluster)).as_ref() == Some(version)
        });
        if !trial.refused.is_empty() {
            return false;
        }
        trial.is_taken || *trial.by.get_or_insert(stream) == stream
    }

    /// The stream tries no other version than this one any longer.
    fn leave(&self, stream: u64, except: Option<&Arc<str>>) {
        self.change(|trials| {
            let mut is_changed = false;
            for (version, trial) in trials {
                if trial.by == Some(stream) && Some(version) != except {
                    trial.by = None;
                    is_changed = true;
                }
            }
            is_changed
        });
    }

    fn change(&self, act: impl FnOnce(&mut BTreeMap<Arc<str>, Trial>) -> bool) {
        if act(&mut self.lock()) {
            self.changes.send_modify(|changes| *changes += 1);
        }
    }

    /// Nothing that is done under the lock panics halfway.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Trial>> {
        self.trials.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one Envoy is to have, once it is its turn.
pub(crate) struct Turns {
    rollouts: watch::Receiver<Rollouts>,
    gate: Arc<Gate>,
    changes: watch::Receiver<u64>,
    stream: u64,
}

impl Turns {
    /// For a new stream.
    pub(crate) fn new(rollouts: watch::Receiver<Rollouts>, gate: Arc<Gate>) -> Self {
        Self {
            rollouts,
            changes: gate.changes.subscribe(),
            stream: gate.streams.fetch_add(1, Ordering::Relaxed),
            gate,
        }
    }
}

impl Source for Turns {
    async fn changed(&mut self) -> bool {
        tokio::select! {
            changed = self.rollouts.changed() => changed.is_ok(),
            changed = self.changes.changed() => changed.is_ok(),
        }
    }

    fn now(&mut self, client: &Connection) -> Option<Arc<Resources>> {
        self.changes.borrow_and_update();
        let rollout = self.rollouts.borrow_and_update().clone()?;
        let (id, cluster) = client.node()?;
        let resources = rollout.of(&id, &cluster);
        let wanted = version_of(&resources)?;
        let (held, refused) =
            client.with(|client| client.resource(EXTENSION_TYPE_URL, EXTENSION_NAME));
        self.gate.leave(self.stream, Some(&wanted));
        if held.as_ref() == Some(&wanted) {
            self.gate.take(&wanted, &id);
        }
        match refused {
            Some(refused) if refused.version == wanted => {
                self.gate.refuse(&wanted, &id, &cluster, &refused.reason);
                return Some(resources);
            }
            _ => {}
        }
        let may_have = match held {
            None => true,
            Some(held) => held == wanted || self.gate.admit(&wanted, self.stream, &*rollout),
        };
        may_have.then_some(resources)
    }
}

impl Drop for Turns {
    fn drop(&mut self) {
        self.gate.leave(self.stream, None);
    }
}

fn version_of(resources: &Resources) -> Option<Arc<str>> {
    let resource = resources.get(EXTENSION_TYPE_URL, EXTENSION_NAME)?;
    Some(resource.version.clone())
}

#[cfg(test)]
#[path = "rollout_tests.rs"]
mod tests;
