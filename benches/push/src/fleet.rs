//! All simulated Envoys.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::bail;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout_at;

use crate::contents::{Contents, Id};
use crate::documents::Change;
use crate::stream::{Shared, State, keep_open};

/// How long anything may take before it counts as hanging.
const PATIENCE: Duration = Duration::from_secs(300);

/// Simulated Envoys. Dropping it closes their connections.
#[derive(Debug)]
pub(crate) struct Fleet {
    /// What the streams share.
    pub(crate) shared: Arc<Shared>,
    /// The streams; those of one Envoy are neighbors.
    pub(crate) streams: Vec<Arc<State>>,
    per_envoy: usize,
    tasks: JoinSet<()>,
}

/// What of the streams' counters is compared before and after.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counters {
    traffic: Vec<(u64, u64)>,
    messages: Vec<u64>,
}

/// What went to each stream between two states of the counters.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wire {
    /// Bytes from control, of the stream that got the most.
    pub(crate) received_most: u64,
    /// Bytes from control, over all streams.
    pub(crate) received: u64,
    /// Bytes to control, over all streams.
    pub(crate) sent: u64,
    /// Messages, of the stream that got the most.
    pub(crate) messages_most: u64,
    /// Messages, of the stream that got the least.
    pub(crate) messages_least: u64,
    /// Length of the last message.
    pub(crate) message_bytes: u64,
}

impl Fleet {
    /// Envoys that are not connected yet.
    pub(crate) fn new(address: SocketAddr, envoys: usize, per_envoy: usize) -> Self {
        let shared = Shared {
            address,
            contents: Contents::default(),
            start: Instant::now(),
            acked: AtomicUsize::new(0),
            goal: AtomicUsize::new(usize::MAX),
            progress: Notify::new(),
            may_end: AtomicBool::new(false),
            retries: AtomicUsize::new(0),
            problems: Mutex::default(),
        };
        let streams = (0..envoys * per_envoy)
            .map(|number| Arc::new(State::new(format!("envoy-{:05}", number / per_envoy))));
        Self {
            shared: Arc::new(shared),
            streams: streams.collect(),
            per_envoy,
            tasks: JoinSet::new(),
        }
    }

    /// Connects all at once.
    pub(crate) fn connect(&mut self) {
        for stream in &self.streams {
            self.tasks
                .spawn(keep_open(stream.clone(), self.shared.clone()));
        }
    }

    /// Waits, from now on, for one more message with servers on every stream; call it before what makes
    /// control send them.
    pub(crate) fn expect(&self) {
        let acked = self.shared.acked.load(Ordering::Acquire);
        self.shared
            .goal
            .store(acked + self.streams.len(), Ordering::Release);
    }

    /// Waits until what was expected has been acknowledged.
    ///
    /// # Errors
    /// When something is wrong, or it does not come.
    pub(crate) async fn acknowledged(&self) -> anyhow::Result<()> {
        let end = tokio::time::Instant::now() + PATIENCE;
        let goal = self.shared.goal.load(Ordering::Acquire);
        loop {
            self.healthy()?;
            let acked = self.shared.acked.load(Ordering::Acquire);
            if acked >= goal {
                return Ok(());
            }
            if timeout_at(end, self.shared.progress.notified())
                .await
                .is_err()
            {
                let missing = goal.saturating_sub(acked);
                bail!("{missing} streams have not got what they should after {PATIENCE:?}");
            }
        }
    }

    /// Fails if something is wrong.
    pub(crate) fn healthy(&self) -> anyhow::Result<()> {
        let problems = &self.shared.problems;
        let problems = problems.lock().unwrap_or_else(PoisonError::into_inner);
        if problems.is_empty() {
            return Ok(());
        }
        bail!("{}", problems.join("\n"))
    }

    /// For each Envoy, when all of its streams had acknowledged, in nanoseconds since the start.
    pub(crate) fn envoys_acked(&self) -> Vec<u64> {
        let acked = |state: &Arc<State>| state.acked.load(Ordering::Relaxed);
        let envoys = self.streams.chunks(self.per_envoy);
        envoys
            .map(|streams| streams.iter().map(acked).max().unwrap_or_default())
            .collect()
    }

    /// When the first and the last stream began to receive, in nanoseconds since the start.
    pub(crate) fn begun(&self) -> (u64, u64) {
        let begun = || {
            self.streams
                .iter()
                .map(|state| state.begun.load(Ordering::Relaxed))
        };
        (
            begun().min().unwrap_or_default(),
            begun().max().unwrap_or_default(),
        )
    }

    /// The counters as they are.
    pub(crate) fn counters(&self) -> Counters {
        let streams = self.streams.iter();
        Counters {
            traffic: streams.clone().map(|state| state.traffic.now()).collect(),
            messages: streams
                .map(|state| state.messages.load(Ordering::Relaxed))
                .collect(),
        }
    }

    /// What went over the wire since then.
    pub(crate) fn wire(&self, since: &Counters) -> Wire {
        let now = self.counters();
        let traffic = now.traffic.iter().zip(&since.traffic);
        let traffic = traffic.map(|(now, then)| (now.0 - then.0, now.1 - then.1));
        let messages = now.messages.iter().zip(&since.messages);
        let messages = messages.map(|(now, then)| now - then);
        let length = self.streams.first();
        let length = length.map(|state| state.message_bytes.load(Ordering::Relaxed));
        Wire {
            received_most: traffic
                .clone()
                .map(|(received, _)| received)
                .max()
                .unwrap_or_default(),
            received: traffic.clone().map(|(received, _)| received).sum(),
            sent: traffic.map(|(_, sent)| sent).sum(),
            messages_most: messages.clone().max().unwrap_or_default(),
            messages_least: messages.min().unwrap_or_default(),
            message_bytes: length.unwrap_or_default(),
        }
    }

    /// What all streams hold, if all hold the same.
    ///
    /// # Errors
    /// When two differ.
    pub(crate) fn held(&self) -> anyhow::Result<Vec<Option<Id>>> {
        let Some((first, rest)) = self.streams.split_first() else {
            return Ok(Vec::new());
        };
        let held = first.held().clone();
        for state in rest {
            if *state.held() != held {
                bail!("{} does not hold what {} holds", state.node, first.node);
            }
        }
        Ok(held)
    }

    /// What all streams hold after a change, given what they held before.
    ///
    /// # Errors
    /// When two differ, when the change has not arrived, or when anything else has changed.
    pub(crate) fn held_after(
        &self,
        before: &[Option<Id>],
        change: &Change,
    ) -> anyhow::Result<Vec<Option<Id>>> {
        let held = self.held()?;
        let contents = &self.shared.contents;
        let slot = contents.slot(&change.server);
        let id = slot.and_then(|slot| held.get(slot).copied().flatten());
        if !id.is_some_and(|id| contents.speaks_of(id, &change.tool)) {
            bail!("`{}` does not speak of `{}`", change.server, change.tool);
        }
        let differ = held.iter().zip(before).filter(|(now, then)| now != then);
        let differ = differ.count();
        if differ != 1 || held.len() != before.len() {
            bail!("one rule was changed, but {differ} resources differ");
        }
        Ok(held)
    }

    /// Lets streams end and open again, or no longer.
    pub(crate) fn may_end(&self, may: bool) {
        self.shared.may_end.store(may, Ordering::Relaxed);
    }
}
