//! Who is connected, and how each stands: for metrics and the fleet view.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use gatehold_wire::discovery::Node;

use crate::{Subscriptions, TypeStatus};

/// All open streams. An Envoy with N workers has N+1 of them.
#[derive(Debug, Default)]
pub struct Fleet {
    streams: Mutex<BTreeMap<u64, StreamStatus>>,
    opened: AtomicU64,
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
        let status = StreamStatus {
            node: String::new(),
            cluster: String::new(),
            peer,
            connected_since: SystemTime::now(),
            types: BTreeMap::new(),
        };
        self.lock().insert(id, status);
        Connection {
            fleet: self.clone(),
            id,
        }
    }

    /// How many streams are open.
    pub fn connected(&self) -> usize {
        self.lock().len()
    }

    /// All open streams, oldest first.
    pub fn streams(&self) -> Vec<StreamStatus> {
        self.lock().values().cloned().collect()
    }

    /// How many resources are refused at present, summed over all streams.
    pub fn rejected(&self) -> usize {
        let streams = self.lock();
        streams
            .values()
            .flat_map(|stream| stream.types.values())
            .map(|t| t.rejected.len())
            .sum()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, StreamStatus>> {
        // Every change under the lock is a single step, so what a panicking thread left is whole.
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The entry of one open stream.
#[derive(Debug)]
pub struct Connection {
    fleet: Arc<Fleet>,
    id: u64,
}

impl Connection {
    /// Notes who the client says it is.
    pub fn identify(&self, node: &Node) {
        self.change(|status| {
            status.node.clone_from(&node.id);
            status.cluster.clone_from(&node.cluster);
        });
    }

    /// Notes how the client stands.
    pub fn update(&self, subscriptions: &Subscriptions) {
        let types = subscriptions
            .status()
            .map(|(type_url, status)| (type_url.to_owned(), status.clone()))
            .collect();
        self.change(|status| status.types = types);
    }

    fn change(&self, change: impl FnOnce(&mut StreamStatus)) {
        if let Some(status) = self.fleet.lock().get_mut(&self.id) {
            change(status);
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.fleet.lock().remove(&self.id);
    }
}
