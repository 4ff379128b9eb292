//! The fleet: who is connected and how each stands, for the console, the metrics and the command line.

mod command;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gatehold_api::{FleetCounts, Metrics};
use gatehold_push::{Fleet, FleetView, Gate, NodeState, Rollouts, Snapshot, view};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

pub use command::{Options, fleet};

/// How often the metrics are counted anew.
const COUNT: Duration = Duration::from_secs(2);

/// Everything that the view of the fleet is put together from.
#[derive(Debug)]
pub struct Watched {
    /// Who is connected, and who was.
    pub fleet: Arc<Fleet>,
    /// Which version of the filter goes no further.
    pub gate: Arc<Gate>,
    /// What filters are to have in force.
    pub snapshots: watch::Receiver<Snapshot>,
    /// Which filter Envoys are to have.
    pub rollouts: watch::Receiver<Rollouts>,
}

impl Watched {
    /// Counts for the metrics, until `shutdown`.
    pub async fn count(self: Arc<Self>, metrics: Metrics, shutdown: CancellationToken) {
        let mut tick = interval(COUNT);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = tick.tick() => metrics.fleet(&counts(&gatehold_console::Fleet::view(&*self))),
            }
        }
    }
}

impl gatehold_console::Fleet for Watched {
    fn view(&self) -> FleetView {
        let snapshot = self.snapshots.borrow().clone();
        let rollout = self.rollouts.borrow().clone();
        let held_back = rollout
            .as_deref()
            .map(|rollout| self.gate.held_back(rollout));
        view(
            SystemTime::now(),
            &self.fleet.seen(),
            &self.fleet.gone(),
            snapshot.as_deref().map(|snapshot| snapshot.version()),
            rollout.as_deref(),
            held_back.unwrap_or_default(),
        )
    }
}

fn counts(view: &FleetView) -> FleetCounts {
    let of = |state: NodeState| {
        let nodes = view.nodes.iter().filter(|node| node.state == state);
        (state.as_str(), nodes.count() as u64)
    };
    let mut versions = BTreeMap::<&str, u64>::new();
    for (version, count) in view.nodes.iter().flat_map(|node| &node.versions) {
        *versions.entry(version).or_default() += *count as u64;
    }
    // Several Envoys may refuse one.
    let held_back = view.held_back.iter().map(|held| &held.version);
    FleetCounts {
        nodes: NodeState::ALL.map(of).to_vec(),
        versions: versions
            .into_iter()
            .map(|(version, count)| (version.to_owned(), count))
            .collect(),
        refusals: view
            .nodes
            .iter()
            .flat_map(|node| &node.refusals)
            .map(|refusal| refusal.streams as u64)
            .sum(),
        behind: view
            .nodes
            .iter()
            .map(|node| node.filters.saturating_sub(node.current) as u64)
            .sum(),
        held_back: held_back.collect::<BTreeSet<_>>().len() as u64,
    }
}
