//! Who is connected, and how each stands: for metrics and the fleet view.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use gatehold_wire::discovery::Node;
use gatehold_wire::setup::problems;
use tonic::{Code, Status};

use crate::gone::{Gone, GoneList};
use crate::text::{MAX_WORD, short};
use crate::told::Told;
use crate::view::Seen;
use crate::{EXTENSION_NAME, EXTENSION_TYPE_URL, Subscriptions, TypeStatus};

/// Most words of a client that are kept.
const MAX_WORDS: usize = 16;
/// Most problems that one stream can tell of.
const MAX_PROBLEMS: usize = 16;

/// What a stream carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StreamKind {
    /// Policies and keys, to filters. An Envoy with N workers has N+1 of them.
    Policy,
    /// The filter itself, to Envoy: one.
    Filter,
}

/// All open streams, and those that ended lately.
///
/// An entry shares the state of its stream, so that a stream costs nothing more for being listed.
#[derive(Debug, Default)]
pub struct Fleet {
    streams: Mutex<BTreeMap<u64, Arc<Entry>>>,
    opened: AtomicU64,
    gone: Mutex<GoneList>,
    /// Problems of nodes that people were told of.
    told: Mutex<Told>,
}

#[derive(Debug)]
struct Entry {
    kind: StreamKind,
    peer: String,
    connected_since: SystemTime,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    node: String,
    cluster: String,
    version: String,
    problems: Vec<String>,
    /// How many of its problems were news.
    news: usize,
    last_seen: Option<SystemTime>,
    /// Version of the snapshot that the client had in force last, all of it.
    snapshot: Option<String>,
    /// Why control ended it.
    refused: Option<String>,
    subscriptions: Subscriptions,
}

/// One open stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamStatus {
    /// What it carries.
    pub kind: StreamKind,
    /// Envoy's node id; empty until the client has said it.
    pub node: String,
    /// Envoy's cluster; may be empty.
    pub cluster: String,
    /// The filter's version, as it says; may be empty.
    pub version: String,
    /// The other end of the connection, `address:port`.
    pub peer: String,
    /// When the stream was opened.
    pub connected_since: SystemTime,
    /// What was applied and what was refused, by type URL.
    pub types: BTreeMap<String, TypeStatus>,
}

impl Fleet {
    /// Enters a stream; it leaves when the [`Connection`] is dropped.
    pub fn connect(self: &Arc<Self>, kind: StreamKind, peer: String) -> Connection {
        let id = self.opened.fetch_add(1, Ordering::Relaxed);
        let entry = Arc::new(Entry {
            kind,
            peer,
            connected_since: SystemTime::now(),
            state: Mutex::default(),
        });
        lock(&self.streams).insert(id, entry.clone());
        Connection {
            fleet: self.clone(),
            id,
            entry,
        }
    }

    /// How many streams are open.
    pub fn connected(&self) -> usize {
        lock(&self.streams).len()
    }

    /// All open streams, oldest first.
    pub fn streams(&self) -> Vec<StreamStatus> {
        let entries = self.entries();
        entries.iter().map(|entry| entry.status()).collect()
    }

    /// Streams that ended in the last hour, oldest first.
    pub fn gone(&self) -> Vec<Gone> {
        lock(&self.gone).list(SystemTime::now())
    }

    /// What the fleet view goes by, of all open streams.
    pub fn seen(&self) -> Vec<Seen> {
        self.entries().iter().map(|entry| entry.seen()).collect()
    }

    /// How many resources are refused at present, summed over all streams.
    pub fn rejected(&self) -> usize {
        let entries = self.entries();
        let rejected = |entry: &Arc<Entry>| lock(&entry.state).subscriptions.rejected();
        entries.iter().map(rejected).sum()
    }

    /// The list is not held while each stream is asked.
    fn entries(&self) -> Vec<Arc<Entry>> {
        lock(&self.streams).values().cloned().collect()
    }
}

impl Entry {
    fn status(&self) -> StreamStatus {
        let state = lock(&self.state);
        let types = state.subscriptions.status();
        StreamStatus {
            kind: self.kind,
            version: state.version.clone(),
            node: state.node.clone(),
            cluster: state.cluster.clone(),
            peer: self.peer.clone(),
            connected_since: self.connected_since,
            types: types
                .map(|(type_url, status)| (type_url.to_owned(), status))
                .collect(),
        }
    }

    fn seen(&self) -> Seen {
        let state = lock(&self.state);
        let extension = (EXTENSION_TYPE_URL, EXTENSION_NAME);
        let rejections = state.subscriptions.rejections();
        Seen {
            kind: self.kind,
            node: state.node.clone(),
            cluster: state.cluster.clone(),
            version: state.version.clone(),
            peer: self.peer.clone(),
            problems: state.problems.clone(),
            since: self.connected_since,
            last_seen: state.last_seen.unwrap_or(self.connected_since),
            snapshot: state.snapshot.clone(),
            filter: state.subscriptions.resource(extension.0, extension.1).0,
            rejections: rejections
                .map(|(type_url, name, rejection)| {
                    (type_url.to_owned(), name.to_owned(), rejection.clone())
                })
                .collect(),
        }
    }

    fn gone(&self) -> Gone {
        let state = lock(&self.state);
        Gone {
            kind: self.kind,
            node: state.node.clone(),
            cluster: state.cluster.clone(),
            version: state.version.clone(),
            peer: self.peer.clone(),
            refused: state.refused.clone(),
            at: SystemTime::now(),
            times: 1,
        }
    }
}

/// The entry of one open stream.
#[derive(Debug)]
pub struct Connection {
    fleet: Arc<Fleet>,
    id: u64,
    entry: Arc<Entry>,
}

impl Connection {
    /// Notes who the client says it is.
    pub fn identify(&self, node: &Node) {
        let mut state = lock(&self.entry.state);
        state.node = short(&node.id, MAX_WORD);
        state.cluster = short(&node.cluster, MAX_WORD);
        state.version = short(&node.user_agent_version, MAX_WORD);
        let words = problems(&node.client_features);
        let words = words.take(MAX_WORDS);
        state.problems = words.map(|word| short(word, MAX_WORD)).collect();
    }

    /// Who the client says it is: node id and cluster. Nothing before it has said so.
    pub(crate) fn node(&self) -> Option<(String, String)> {
        let state = lock(&self.entry.state);
        let is_known = state.last_seen.is_some();
        is_known.then(|| (state.node.clone(), state.cluster.clone()))
    }

    /// Notes that something came from the client.
    pub(crate) fn heard(&self) {
        lock(&self.entry.state).last_seen = Some(SystemTime::now());
    }

    /// Notes that the client was sent all of the snapshot with this version.
    pub(crate) fn sent(&self, version: &str) {
        let mut state = lock(&self.entry.state);
        if state.subscriptions.is_settled() && state.snapshot.as_deref() != Some(version) {
            state.snapshot = Some(version.to_owned());
        }
    }

    /// Notes how control ended the stream. What only says that one side went away is not kept.
    pub(crate) fn ended(&self, status: &Status) {
        let refused = matches!(
            status.code(),
            Code::InvalidArgument
                | Code::FailedPrecondition
                | Code::PermissionDenied
                | Code::OutOfRange
                | Code::ResourceExhausted
        );
        lock(&self.entry.state).refused = refused.then(|| short(status.message(), MAX_WORD));
    }

    /// Notes that something is wrong with how the client was set up; whether its node has not said so within the last
    /// hour. A stream that says ever other node ids is no longer listened to.
    pub fn has_problem(&self, problem: &'static str) -> bool {
        let mut state = lock(&self.entry.state);
        if state.news >= MAX_PROBLEMS {
            return false;
        }
        let is_news = lock(&self.fleet.told).is_news(&state.node, problem, Instant::now());
        if is_news {
            state.news += 1;
        }
        is_news
    }

    /// Does something with what the client asked for and was told.
    pub fn with<T>(&self, act: impl FnOnce(&mut Subscriptions) -> T) -> T {
        act(&mut lock(&self.entry.state).subscriptions)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        lock(&self.fleet.streams).remove(&self.id);
        let gone = self.entry.gone();
        lock(&self.fleet.gone).add(gone);
    }
}

/// Nothing that is done under these locks panics halfway, so what a panicking thread left is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connect(fleet: &Arc<Fleet>, node: &str) -> Connection {
        let connection = fleet.connect(StreamKind::Policy, "127.0.0.1:5".to_owned());
        connection.identify(&named(node));
        connection
    }

    fn named(id: &str) -> Node {
        Node {
            id: id.to_owned(),
            ..Node::default()
        }
    }

    #[test]
    fn a_problem_that_comes_back_with_each_stream_is_told_once() {
        let fleet = Arc::new(Fleet::default());
        let told = (0..5).map(|_| connect(&fleet, "a").has_problem("x"));
        assert_eq!(told.filter(|told| *told).count(), 1);
        assert!(connect(&fleet, "a").has_problem("y"));
        assert!(connect(&fleet, "b").has_problem("x"));
    }

    #[test]
    fn one_stream_with_ever_other_ids_tells_of_few() {
        let fleet = Arc::new(Fleet::default());
        let connection = connect(&fleet, "a");
        let told = (0..1000).filter(|number| {
            connection.identify(&named(&number.to_string()));
            connection.has_problem("x")
        });
        assert_eq!(told.count(), MAX_PROBLEMS);
        assert!(connect(&fleet, "b").has_problem("x"));
    }
}
