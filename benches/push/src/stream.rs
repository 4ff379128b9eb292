//! One stream of a simulated Envoy: what the filter says in one of Envoy's threads.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use gatehold_wire::{ISSUER_TYPE_URL, SERVER_TYPE_URL};
use http_body_util::BodyExt as _;
use http_body_util::channel::Channel;
use hyper::client::conn::http2;
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::contents::{Contents, Id, Kind, Slot};
use crate::meter::{Meter, Traffic};
use crate::wire::{Malformed, Piece, Reader, ack, subscribe};

const PATH: &str =
    "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";
/// Envoy's windows where its configuration names none (since 1.36).
const STREAM_WINDOW: u32 = 16 << 20;
const CONNECTION_WINDOW: u32 = 24 << 20;
/// How long a stream waits before it opens again.
const RETRY: Duration = Duration::from_millis(20);
/// Most problems that are kept.
const MAX_PROBLEMS: usize = 20;

/// What all streams share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Where control listens.
    pub(crate) address: SocketAddr,
    /// What was received.
    pub(crate) contents: Contents,
    /// All times are since this.
    pub(crate) start: Instant,
    /// Messages with servers that were acknowledged, over all streams.
    pub(crate) acked: AtomicUsize,
    /// How many are waited for.
    pub(crate) goal: AtomicUsize,
    /// Is told when they are there, or something is wrong.
    pub(crate) progress: Notify,
    /// Whether a stream may end: while control restarts.
    pub(crate) may_end: AtomicBool,
    /// Streams that ended or could not be opened.
    pub(crate) retries: AtomicUsize,
    /// What is wrong.
    pub(crate) problems: Mutex<Vec<String>>,
}

impl Shared {
    /// Nanoseconds since the start.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Notes that something is wrong.
    pub(crate) fn problem(&self, problem: String) {
        let mut problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        if problems.len() < MAX_PROBLEMS {
            problems.push(problem);
        }
        drop(problems);
        self.progress.notify_one();
    }
}

/// How one stream stands.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Its Envoy's node id.
    pub(crate) node: String,
    /// Bytes of its connections.
    pub(crate) traffic: Arc<Traffic>,
    /// When the last message with servers began to arrive.
    pub(crate) begun: AtomicU64,
    /// When the last message with servers was acknowledged.
    pub(crate) acked: AtomicU64,
    /// Messages with servers.
    pub(crate) messages: AtomicU64,
    /// Length of the last of them.
    pub(crate) message_bytes: AtomicU64,
    held: Mutex<Vec<Option<Id>>>,
}

impl State {
    /// A stream that holds nothing.
    pub(crate) fn new(node: String) -> Self {
        Self {
            node,
            ..Self::default()
        }
    }

    /// What it holds, by slot.
    pub(crate) fn held(&self) -> MutexGuard<'_, Vec<Option<Id>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hold(&self, slot: Slot, id: Id) {
        let mut held = self.held();
        if held.len() <= slot {
            held.resize(slot + 1, None);
        }
        if let Some(place) = held.get_mut(slot) {
            *place = Some(id);
        }
    }
}

/// Keeps the stream open for as long as it is polled.
pub(crate) async fn keep_open(state: Arc<State>, shared: Arc<Shared>) {
    loop {
        if let Err(error) = once(&state, &shared).await
            && !shared.may_end.load(Ordering::Relaxed)
        {
            shared.problem(format!("a stream of {} ended: {error:#}", state.node));
        }
        shared.retries.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(RETRY).await;
    }
}

/// Drives a connection until it is dropped.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn once(state: &State, shared: &Shared) -> anyhow::Result<()> {
    let inner = TcpStream::connect(shared.address)
        .await
        .context("connecting")?;
    inner.set_nodelay(true)?;
    let traffic = state.traffic.clone();
    let io = TokioIo::new(Meter { inner, traffic });
    let (mut sender, connection) = http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .handshake(io)
        .await?;
    let _driver = Driver(tokio::spawn(async move {
        // Whatever ends the connection ends the stream, which says so.
        let _ = connection.await;
    }));
    let (mut requests, body) = Channel::<Bytes, Infallible>::new(8);
    let request = Request::post(format!("http://{}{PATH}", shared.address))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(body)?;
    let versions = |kind| {
        let held: Vec<Id> = state.held().iter().flatten().copied().collect();
        shared.contents.versions(kind, held.into_iter())
    };
    // As the filter does: keys first, and the node with the first request only.
    let issuers = subscribe(ISSUER_TYPE_URL, Some(&state.node), versions(Kind::Issuer));
    requests.send_data(issuers).await?;
    let servers = subscribe(SERVER_TYPE_URL, None, versions(Kind::Server));
    requests.send_data(servers).await?;
    let response = sender.send_request(request).await.context("subscribing")?;
    if response.status() != StatusCode::OK {
        bail!("control answers {}", response.status());
    }
    let mut body = response.into_body();
    let mut reader = Reader::default();
    let (mut begun, mut length) = (0, 0);
    while let Some(frame) = body.frame().await {
        let frame = frame?;
        let Some(data) = frame.data_ref() else {
            bail!("control ended it: {:?}", frame.trailers_ref());
        };
        reader.add(data);
        while let Some(piece) = reader
            .next()
            .map_err(|Malformed(why)| anyhow::anyhow!(why))?
        {
            match piece {
                Piece::Begin(bytes) => (begun, length) = (shared.now(), bytes as u64),
                Piece::Resource(resource) => match shared.contents.take(&resource) {
                    Ok((slot, id)) => state.hold(slot, id),
                    Err(problem) => shared.problem(format!("{}: {problem}", state.node)),
                },
                Piece::Removed(name) => shared.problem(format!("{name:?} was removed")),
                Piece::End { type_url, nonce } => {
                    let servers = type_url == SERVER_TYPE_URL;
                    requests.send_data(ack(type_url, nonce)).await?;
                    if servers {
                        note(state, shared, begun, length);
                    }
                }
            }
        }
    }
    bail!("control closed it")
}

fn note(state: &State, shared: &Shared, begun: u64, length: u64) {
    state.begun.store(begun, Ordering::Relaxed);
    state.message_bytes.store(length, Ordering::Relaxed);
    state.messages.fetch_add(1, Ordering::Relaxed);
    state.acked.store(shared.now(), Ordering::Relaxed);
    let acked = shared.acked.fetch_add(1, Ordering::AcqRel) + 1;
    if acked >= shared.goal.load(Ordering::Acquire) {
        shared.progress.notify_one();
    }
}
