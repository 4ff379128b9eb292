//! The fleet as people look at it: one entry per Envoy, with what stands in its way.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::{EXTENSION_TYPE_URL, Gone, HeldBack, Rejection, Rollout, StreamKind};

/// So long after Envoy has taken a filter it may take until that connects.
const CONNECTS_WITHIN: Duration = Duration::from_secs(10);
/// What is wrong when it does not.
const NOT_CONNECTED: &str = "its filter has not connected; see Envoy's log";

/// What is known of an open stream.
#[derive(Clone, Debug)]
pub struct Seen {
    /// What it carries.
    pub kind: StreamKind,
    /// Envoy's node id.
    pub node: String,
    /// Envoy's cluster.
    pub cluster: String,
    /// The filter's version, as it says.
    pub version: String,
    /// The other end, `address:port`.
    pub peer: String,
    /// What the filter finds wrong with its set-up, a word each.
    pub problems: Vec<String>,
    /// When it was opened.
    pub since: SystemTime,
    /// When something came on it last.
    pub last_seen: SystemTime,
    /// Version of the snapshot that was last in force there as a whole.
    pub snapshot: Option<String>,
    /// Version of the filter that Envoy has from control.
    pub filter: Option<Arc<str>>,
    /// Type URL, name, and what is refused of it.
    pub rejections: Vec<(String, String, Rejection)>,
}

/// The fleet at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FleetView {
    /// Version of the snapshot that is in force; `None` before there is one.
    pub snapshot: Option<String>,
    /// By cluster and node id.
    pub nodes: Vec<NodeView>,
    /// Versions of the filter that go to no further Envoy.
    pub held_back: Vec<HeldBack>,
}

/// One Envoy, or several that say the same node id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeView {
    /// Envoy's node id.
    pub node: String,
    /// Envoy's cluster.
    pub cluster: String,
    /// How it stands, in a word.
    pub state: NodeState,
    /// Addresses it connects from, without ports.
    pub addresses: BTreeSet<String>,
    /// Filters that are connected: one for each worker, and one for the main thread.
    pub filters: usize,
    /// Of these, how many have all of the snapshot in force.
    pub current: usize,
    /// Versions of the filter that run, as they say, with how many of each.
    pub versions: BTreeMap<String, usize>,
    /// The filter that control gives it; `None` when Envoy has it from elsewhere.
    pub filter: Option<NodeFilter>,
    /// What it refuses.
    pub refusals: Vec<Refusal>,
    /// What its filters find wrong with their set-up, and why control refuses them.
    pub problems: BTreeSet<String>,
    /// When the oldest of its streams was opened; when it is gone, the same as `last_seen`.
    pub since: SystemTime,
    /// When something came from it last.
    pub last_seen: SystemTime,
}

/// How an Envoy stands; the first that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodeState {
    /// Nothing of it is connected.
    Gone,
    /// It refuses something, or control refuses it.
    Refuses,
    /// Its set-up is wrong.
    Problem,
    /// Something newer has not come into force there yet.
    Behind,
    /// Everything is in force there.
    Current,
}

/// The filter that control gives an Envoy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeFilter {
    /// The version it is to have; `None` when no document says so any more.
    pub wanted: Option<String>,
    /// The version it has; `None` before it has any.
    pub held: Option<String>,
}

/// Something that an Envoy refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// `Server`, `Issuer`, `Detectors` or `Filter`.
    pub kind: String,
    /// Name of the resource.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Why, in its words.
    pub reason: String,
    /// How many of its streams refuse it.
    pub streams: usize,
}

impl NodeState {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Gone,
        Self::Refuses,
        Self::Problem,
        Self::Behind,
        Self::Current,
    ];

    /// The state as it is written for people and machines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Refuses => "refuses",
            Self::Problem => "problem",
            Self::Behind => "behind",
            Self::Current => "current",
        }
    }
}

/// Puts together what is known `now`: open streams, streams that ended, the snapshot in force, what is rolled out, and what
/// of it is held back.
pub fn view(
    now: SystemTime,
    streams: &[Seen],
    gone: &[Gone],
    snapshot: Option<&str>,
    rollout: Option<&dyn Rollout>,
    held_back: Vec<HeldBack>,
) -> FleetView {
    let mut nodes: BTreeMap<(&str, &str), Vec<&Seen>> = BTreeMap::new();
    for stream in streams {
        let key = (&*stream.cluster, &*stream.node);
        nodes.entry(key).or_default().push(stream);
    }
    let mut all: Vec<NodeView> = nodes
        .values()
        .filter_map(|streams| node(now, streams, snapshot, rollout))
        .collect();
    // What came back after it had ended is no news, whoever ended it.
    let mut newest = HashMap::new();
    for stream in streams {
        let since = newest.entry((stream.kind, &stream.node, &stream.cluster));
        let since = since.or_insert(stream.since);
        *since = stream.since.max(*since);
    }
    let is_back = |gone: &&Gone| {
        let since = newest.get(&(gone.kind, &gone.node, &gone.cluster));
        since.is_some_and(|since| *since > gone.at)
    };
    for gone in gone.iter().filter(|gone| !is_back(gone)) {
        let same =
            |node: &&mut NodeView| (&node.node, &node.cluster) == (&gone.node, &gone.cluster);
        match all.iter_mut().find(same) {
            Some(node) => node.add(gone),
            None => all.push(NodeView::of_gone(gone)),
        }
    }
    all.sort_by(|one, other| (&one.cluster, &one.node).cmp(&(&other.cluster, &other.node)));
    FleetView {
        snapshot: snapshot.map(str::to_owned),
        nodes: all,
        held_back,
    }
}

fn node(
    now: SystemTime,
    streams: &[&Seen],
    snapshot: Option<&str>,
    rollout: Option<&dyn Rollout>,
) -> Option<NodeView> {
    let first = streams.first()?;
    let of_kind = |kind| streams.iter().filter(move |stream| stream.kind == kind);
    let mut versions = BTreeMap::new();
    for stream in of_kind(StreamKind::Policy).filter(|stream| !stream.version.is_empty()) {
        *versions.entry(stream.version.clone()).or_default() += 1;
    }
    let filters = of_kind(StreamKind::Policy).count();
    let is_current = |stream: &&&Seen| snapshot.is_some() && stream.snapshot.as_deref() == snapshot;
    let current = of_kind(StreamKind::Policy).filter(is_current).count();
    let wanted = || {
        let version = rollout?.wanted(&first.node, &first.cluster)?;
        Some(version.to_string())
    };
    let wanted = wanted();
    // Of several that say the same node id the one counts that has something else than it is to have.
    let held = of_kind(StreamKind::Filter)
        .map(|stream| stream.filter.as_ref().map(ToString::to_string))
        .max_by_key(|held| *held != wanted);
    let filter = held.map(|held| NodeFilter { wanted, held });
    let problems = streams.iter().flat_map(|stream| &stream.problems);
    let mut node = NodeView {
        node: first.node.clone(),
        cluster: first.cluster.clone(),
        state: NodeState::Current,
        addresses: streams.iter().map(|it| address(&it.peer)).collect(),
        filters,
        current,
        versions,
        filter,
        refusals: refusals(streams),
        problems: problems.cloned().collect(),
        since: streams.iter().map(|it| it.since).min()?,
        last_seen: streams.iter().map(|it| it.last_seen).max()?,
    };
    // Envoy takes many a module and fails when it is to run.
    let is_silent = |stream: &Seen| {
        let since = now.duration_since(stream.last_seen);
        stream.filter.is_some() && since.is_ok_and(|since| since > CONNECTS_WITHIN)
    };
    if filters == 0 && of_kind(StreamKind::Filter).any(|stream| is_silent(stream)) {
        node.problems.insert(NOT_CONNECTED.to_owned());
    }
    let is_behind = node
        .filter
        .as_ref()
        .is_some_and(|filter| filter.wanted.is_some() && filter.wanted != filter.held);
    node.state = if !node.refusals.is_empty() {
        NodeState::Refuses
    } else if !node.problems.is_empty() {
        NodeState::Problem
    } else if current < filters || is_behind {
        NodeState::Behind
    } else {
        NodeState::Current
    };
    Some(node)
}

fn refusals(streams: &[&Seen]) -> Vec<Refusal> {
    let (mut refusals, mut known) = (Vec::<Refusal>::new(), HashMap::new());
    for (type_url, name, rejection) in streams.iter().flat_map(|stream| &stream.rejections) {
        let kind = match type_url.as_str() {
            EXTENSION_TYPE_URL => "Filter",
            other => other.rsplit(['.', '/']).next().unwrap_or(other),
        };
        let refusal = Refusal {
            kind: kind.to_owned(),
            name: name.clone(),
            version: rejection.version.to_string(),
            reason: rejection.reason.clone(),
            streams: 1,
        };
        let key = (type_url, name, &rejection.version, &rejection.reason);
        match known.get(&key).and_then(|at: &usize| refusals.get_mut(*at)) {
            Some(other) => other.streams += 1,
            None => {
                known.insert(key, refusals.len());
                refusals.push(refusal);
            }
        }
    }
    refusals
}

impl NodeView {
    fn of_gone(gone: &Gone) -> Self {
        let mut node = Self {
            node: gone.node.clone(),
            cluster: gone.cluster.clone(),
            state: NodeState::Gone,
            addresses: BTreeSet::new(),
            filters: 0,
            current: 0,
            versions: BTreeMap::new(),
            filter: None,
            refusals: Vec::new(),
            problems: BTreeSet::new(),
            since: gone.at,
            last_seen: gone.at,
        };
        node.add(gone);
        node
    }

    /// Adds what is known of streams of it that ended. Of an Envoy that is connected only counts why control ended
    /// them.
    fn add(&mut self, gone: &Gone) {
        let is_here = self.filters > 0 || self.filter.is_some();
        if let Some(refused) = &gone.refused {
            let version = if gone.version.is_empty() {
                String::new()
            } else {
                format!(" ({})", gone.version)
            };
            self.problems
                .insert(format!("refused by control{version}: {refused}"));
            self.state = NodeState::Refuses;
        }
        if !is_here {
            self.addresses.insert(address(&gone.peer));
            // Those that are refused again and again are not gone.
            self.last_seen = self.last_seen.max(gone.at);
            self.since = self.last_seen;
        }
    }
}

/// The address without its port.
fn address(peer: &str) -> String {
    let address = peer.rsplit_once(':').map_or(peer, |(address, _)| address);
    address.trim_matches(['[', ']']).to_owned()
}

#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;
