//! The fleet as JSON. The command line reads what is written here.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use gatehold_push::{FleetView, HeldBack, NodeFilter, NodeView, Refusal};
use serde::{Deserialize, Serialize};

use crate::view::Moment;

/// The fleet at one moment.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FleetJson {
    /// Version of the snapshot in force; absent before there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// By cluster and node id.
    pub nodes: Vec<NodeJson>,
    /// Versions of the filter that go to no further Envoy.
    pub held_back: Vec<HeldBackJson>,
}

/// One Envoy.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeJson {
    /// Envoy's node id.
    pub node: String,
    /// Envoy's cluster.
    pub cluster: String,
    /// `current`, `behind`, `problem`, `refuses` or `gone`.
    pub state: String,
    /// Addresses it connects from.
    pub addresses: Vec<String>,
    /// Filters that are connected: one for each worker, and one for the main thread.
    pub filters: usize,
    /// Of these, how many have all of the snapshot in force.
    pub current: usize,
    /// Versions of the filter that run, as they say, with how many of each.
    pub versions: BTreeMap<String, usize>,
    /// The filter that control gives it; absent when Envoy has it from elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<GivenJson>,
    /// What it refuses.
    pub refusals: Vec<RefusalJson>,
    /// What is wrong with its set-up, and why control refuses it.
    pub problems: Vec<String>,
    /// When the oldest of its streams was opened, in RFC 3339.
    pub since: String,
    /// When something came from it last, in RFC 3339.
    pub last_seen: String,
}

/// The filter that control gives an Envoy.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GivenJson {
    /// The version it is to have; absent when no document says so any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<String>,
    /// The version it has; absent before it has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
}

/// Something that an Envoy refuses.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusalJson {
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

/// A version of the filter that goes to no further Envoy.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldBackJson {
    /// The version.
    pub version: String,
    /// Node id of an Envoy that refuses it, does not answer or went away.
    pub node: String,
    /// Why, in Envoy's words or ours.
    pub reason: String,
}

impl From<FleetView> for FleetJson {
    fn from(view: FleetView) -> Self {
        let FleetView {
            snapshot,
            nodes,
            held_back,
        } = view;
        let held_back = held_back.into_iter().map(|it| {
            let HeldBack {
                version,
                node,
                reason,
            } = it;
            HeldBackJson {
                version: version.to_string(),
                node,
                reason,
            }
        });
        Self {
            snapshot,
            nodes: nodes.into_iter().map(NodeJson::from).collect(),
            held_back: held_back.collect(),
        }
    }
}

impl From<NodeView> for NodeJson {
    fn from(view: NodeView) -> Self {
        let NodeView {
            node,
            cluster,
            state,
            addresses,
            filters,
            current,
            versions,
            filter,
            refusals,
            problems,
            since,
            last_seen,
        } = view;
        Self {
            node,
            cluster,
            state: state.as_str().to_owned(),
            addresses: addresses.into_iter().collect(),
            filters,
            current,
            versions,
            given: filter.map(|NodeFilter { wanted, held }| GivenJson { wanted, held }),
            refusals: refusals.into_iter().map(RefusalJson::from).collect(),
            problems: problems.into_iter().collect(),
            since: Moment::new(millis(since)).iso,
            last_seen: Moment::new(millis(last_seen)).iso,
        }
    }
}

impl From<Refusal> for RefusalJson {
    fn from(refusal: Refusal) -> Self {
        let Refusal {
            kind,
            name,
            version,
            reason,
            streams,
        } = refusal;
        Self {
            kind,
            name,
            version,
            reason,
            streams,
        }
    }
}

/// Milliseconds since the Unix epoch; zero for a clock before it.
pub(crate) fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
