//! Who is connected, and how each stands: for metrics and the fleet view.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use gatehold_wire::discovery::Node;

use crate::{Subscriptions, TypeStatus};

/// All open streams. An Envoy with N workers has N+1 of them.
///
/// An entry shares the state of its stream, so that a stream costs nothing more for being listed.
#[derive(Debug, Default)]
pub struct Fleet {
    streams: Mutex<BTreeMap<u64, Arc<Entry>>>,
    opened: AtomicU64,
}

#[derive(Debug)]
struct Entry {
    peer: String,
    connected_since: SystemTime,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    node: String,
    cluster: String,
    subscriptions: Subscriptions,
}

/// One open stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamStatus {
    /// Envoy's node id; empty until the client has said it.
    pub node: String,
    /// Envoy's cluster; may be empty.
    pub cluster: String,
    /// The other end of the connection, `address:port`.
    pub peer: String,
    /// When the stream was opened.
    pub connected_since: SystemTime,
    /// What was applied and what was refused, by type URL.
    pub types: BTreeMap<String, TypeStatus>,
}

impl Fleet {
    /// Enters a stream; it leaves when the [`Connection`] is dropped.
    pub fn connect(self: &Arc<Self>, peer: String) -> Connection {
        let id = self.opened.fetch_add(1, Ordering::Relaxed);
        let entry = Arc::new(Entry {
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
            node: state.node.clone(),
            cluster: state.cluster.clone(),
            peer: self.peer.clone(),
            connected_since: self.connected_since,
            types: types
                .map(|(type_url, status)| (type_url.to_owned(), status))
                .collect(),
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
        state.node.clone_from(&node.id);
        state.cluster.clone_from(&node.cluster);
    }

    /// Does something with what the client asked for and was told.
    pub fn with<T>(&self, act: impl FnOnce(&mut Subscriptions) -> T) -> T {
        act(&mut lock(&self.entry.state).subscriptions)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        lock(&self.fleet.streams).remove(&self.id);
    }
}

/// Nothing that is done under these locks panics halfway, so what a panicking thread left is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
