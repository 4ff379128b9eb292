//! Which Envoy gets which filter, and when: one first, the others once it has taken it, none while one refuses it.

use std::fmt;
use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tracing::warn;

use crate::source::Source;
use crate::trials::{Held, Lost, Node, Report, Trials};
use crate::{Connection, Resources};

/// Type of the resource that Envoy gets the filter in.
pub const EXTENSION_TYPE_URL: &str =
    "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig";
/// Name of that resource, and of the filter in Envoy's configuration.
pub const EXTENSION_NAME: &str = "gatehold";

/// Which version of the filter each Envoy is to have.
pub trait Rollout: fmt::Debug + Send + Sync {
    /// The version for the Envoy with this node id and cluster; one of [`Rollout::versions`].
    fn wanted(&self, id: &str, cluster: &str) -> Option<Arc<str>>;

    /// All versions there are.
    fn versions(&self) -> Vec<Arc<str>>;

    /// The filter of this version: one resource, [`EXTENSION_NAME`]. Its message is another one for each `offer`.
    fn resources(&self, version: &str, offer: u32) -> Option<Arc<Resources>>;
}

/// What is rolled out; while it is `None` every Envoy keeps what it has.
pub type Rollouts = Option<Arc<dyn Rollout>>;

/// Lets Envoys have a version of the filter by turns.
///
/// A version that no Envoy has yet goes to one alone. Once that has taken it, it goes to all that are to have it; once
/// one has refused it, to no other until the document gives that one another version. Not to answer, and to go away
/// before an answer, counts as a refusal. An Envoy without any filter gets one that is known to run, if there is any,
/// and has nothing to lose otherwise.
#[derive(Debug)]
pub struct Gate {
    state: Mutex<State>,
    streams: AtomicU64,
    /// Counts changes, so that those who wait look again.
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    rollout: Rollouts,
    trials: Trials,
}

/// A version that is held back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldBack {
    /// Version of the resource.
    pub version: Arc<str>,
    /// Node id of an Envoy that refuses it, does not answer or went away.
    pub node: String,
    /// Why, in Envoy's words or ours.
    pub reason: String,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            streams: AtomicU64::new(0),
            changes: watch::Sender::new(0),
        }
    }
}

impl Gate {
    /// The versions that are held back by `rollout`, with Envoys that refuse them: a hundred of each version at most.
    pub fn held_back(&self, rollout: &dyn Rollout) -> Vec<HeldBack> {
        let now = Instant::now().into_std();
        let is_wanted = |held: &Held<'_>| {
            let Node { id, cluster } = held.node;
            rollout.wanted(id, cluster).as_ref() == Some(held.version)
        };
        self.change(|state| {
            let held = state.trials.held_back(now).filter(is_wanted);
            held.map(|held| HeldBack {
                version: held.version.clone(),
                node: held.node.id.clone(),
                reason: held.reason.to_owned(),
            })
            .collect()
        })
    }

    /// Does something, and wakes those who may have waited for it.
    fn change<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let before = state.trials.revision();
        let result = act(&mut state);
        for lost in state.trials.lost() {
            let Lost {
                version,
                node,
                reason,
            } = lost;
            warn!(node, %version, reason, "a version of the filter is held back");
        }
        if state.trials.revision() != before {
            self.changes.send_modify(|changes| *changes += 1);
        }
        result
    }

    /// Nothing that is done under the lock panics halfway.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What is rolled out from now on.
    fn follow(&mut self, rollouts: &Rollouts) {
        let is_same = match (&self.rollout, rollouts) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            _ => false,
        };
        if is_same {
            return;
        }
        self.rollout.clone_from(rollouts);
        if let Some(rollout) = rollouts {
            let wanted = |node: &Node| rollout.wanted(&node.id, &node.cluster);
            self.trials.document(rollout.versions(), wanted);
        }
    }
}

/// What one Envoy is to have, once it is its turn.
pub(crate) struct Turns {
    rollouts: watch::Receiver<Rollouts>,
    gate: Arc<Gate>,
    changes: watch::Receiver<u64>,
    stream: u64,
    /// When to look again, if nothing changes before.
    again: Option<Instant>,
}

impl Turns {
    /// For a new stream.
    pub(crate) fn new(rollouts: watch::Receiver<Rollouts>, gate: Arc<Gate>) -> Self {
        Self {
            rollouts,
            changes: gate.changes.subscribe(),
            stream: gate.streams.fetch_add(1, Ordering::Relaxed),
            gate,
            again: None,
        }
    }
}

impl Source for Turns {
    async fn changed(&mut self) -> bool {
        let again = self.again;
        let time = async {
            match again {
                Some(again) => sleep_until(again).await,
                None => pending().await,
            }
        };
        tokio::select! {
            changed = self.rollouts.changed() => changed.is_ok(),
            changed = self.changes.changed() => changed.is_ok(),
            () = time => true,
        }
    }

    fn now(&mut self, client: &Connection) -> Option<Arc<Resources>> {
        self.again = None;
        self.changes.borrow_and_update();
        let (stream, now) = (self.stream, Instant::now().into_std());
        let rollouts = &mut self.rollouts;
        let (rollout, turn) = self.gate.change(|state| {
            // Looked at under the lock, so that no stream goes back to what was before.
            let rollout = rollouts.borrow_and_update().clone();
            state.follow(&rollout);
            let rollout = rollout?;
            let report = report(client)?;
            let wanted = rollout.wanted(&report.node.id, &report.node.cluster)?;
            state.trials.hear(stream, report, &wanted, now);
            Some((rollout, state.trials.turn(stream, now)))
        })?;
        self.again = turn.again.map(Instant::from_std);
        rollout.resources(&turn.version?, turn.offer)
    }

    fn ended(&mut self, was_sent: bool) {
        let (stream, now) = (self.stream, Instant::now().into_std());
        self.gate
            .change(|state| state.trials.end(stream, was_sent, now));
    }
}

impl Drop for Turns {
    fn drop(&mut self) {
        // Unless that was told already.
        self.ended(false);
    }
}

/// What an Envoy says; `None` before it has asked for the filter.
fn report(client: &Connection) -> Option<Report> {
    let (id, cluster) = client.node()?;
    client.with(|client| {
        let (asks, in_flight) = client.asks(EXTENSION_TYPE_URL, EXTENSION_NAME);
        let (held, refused) = client.resource(EXTENSION_TYPE_URL, EXTENSION_NAME);
        asks.then_some(Report {
            node: Node { id, cluster },
            held,
            refused,
            in_flight,
        })
    })
}

#[cfg(test)]
#[path = "rollout_tests.rs"]
mod tests;
