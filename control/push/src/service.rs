//! The gRPC service: carries requests to [`Subscriptions`] and responses back.

use std::any::Any;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use gatehold_proto::discovery::aggregated_discovery_service_server::SERVICE_NAME;
use gatehold_wire::discovery::{DeltaDiscoveryRequest, Node};
use gatehold_wire::setup::{FIRST_PROTOCOL, PROTOCOL, SetupProblem, problems};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tonic::codec::BufferSettings;
use tonic::metadata::GRPC_CONTENT_TYPE;
use tonic::server::NamedService;
use tonic::transport::server::TcpConnectInfo;
use tonic::{Status, Streaming};
use tonic_prost::ProstDecoder;
use tower_service::Service;
use tracing::{debug, info, warn};

use crate::body::{Outgoing, StreamBody};
use crate::rollout::{Gate, Rollouts, Turns};
use crate::source::{Snapshot, Source};
use crate::versions::{agree, refuses_by_itself};
use crate::{Answer, Connection, Fleet, MAX_TYPES, Resources, StreamKind};

const PATH: &str =
    "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";
const EXTENSION_SERVICE: &str = "envoy.service.extension.v3.ExtensionConfigDiscoveryService";
const EXTENSION_PATH: &str =
    "/envoy.service.extension.v3.ExtensionConfigDiscoveryService/DeltaExtensionConfigs";

/// Requests are small but for the first, so little room is kept for them on every stream.
fn buffers() -> BufferSettings {
    BufferSettings::new(256, 256)
}

/// A client that says what it holds names every resource, which can be many.
const MAX_REQUEST_BYTES: usize = 32 << 20;

/// Is told what happens on the streams, to count it. All types are told by their type URL.
pub trait Observer: Send + Sync + 'static {
    /// A stream was opened; it is open until what this returns is dropped.
    fn connected(&self, kind: StreamKind) -> Box<dyn Any + Send>;
    /// Resources were sent.
    fn pushed(&self, type_url: &str, resources: usize);
    /// Resources were applied, this long after they were sent.
    fn acked(&self, type_url: &str, resources: usize, latency: Duration);
    /// Resources were refused.
    fn nacked(&self, type_url: &str, resources: usize);
    /// Something is wrong with how a filter was set up, told once an hour for each node: a name of
    /// [`SetupProblem`](gatehold_wire::setup::SetupProblem), or `incompatible_version`, or `other`.
    fn problem(&self, problem: &'static str);
}

/// Pushes to filters and to Envoys, delta only.
#[derive(Clone)]
pub struct PushService {
    snapshots: watch::Receiver<Snapshot>,
    fleet: Arc<Fleet>,
    observer: Arc<dyn Observer>,
    shutdown: CancellationToken,
}

impl PushService {
    /// Streams of filters follow `snapshots`. All are listed in `fleet`, told to `observer`, and end on `shutdown`.
    pub fn new(
        snapshots: watch::Receiver<Snapshot>,
        fleet: Arc<Fleet>,
        observer: Arc<dyn Observer>,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            snapshots,
            fleet,
            observer,
            shutdown,
        }
    }

    /// The service for filters, as a server takes it.
    ///
    /// It is not what tonic generates, because that encodes each message for each stream: thousands of
    /// clients that come at once would each get a copy of the whole snapshot in memory.
    pub fn into_server(self) -> PushServer {
        PushServer(self)
    }

    /// The service by which Envoys get the filter itself, as a server takes it: as `rollouts` say, and by turns as
    /// `gate` lets them.
    pub fn filters(&self, rollouts: watch::Receiver<Rollouts>, gate: Arc<Gate>) -> ExtensionServer {
        ExtensionServer {
            service: self.clone(),
            rollouts,
            gate,
        }
    }

    fn open<S: Source>(
        &self,
        kind: StreamKind,
        request: http::Request<tonic::body::Body>,
        source: S,
    ) -> http::Response<tonic::body::Body> {
        let peer = request.extensions().get::<TcpConnectInfo>();
        let peer = peer.and_then(TcpConnectInfo::remote_addr);
        let peer = peer.map(|address| address.to_string()).unwrap_or_default();
        let (responses, receiver) = mpsc::channel(QUEUE);
        let stream = PushStream {
            kind,
            connection: self.fleet.connect(kind, peer),
            source,
            observer: self.observer.clone(),
            _connected: self.observer.connected(kind),
            responses,
            node: String::new(),
            is_heard: true,
            protocol: FIRST_PROTOCOL,
            sent: Vec::new(),
        };
        let decoder = ProstDecoder::new(buffers());
        let inbound =
            Streaming::new_request(decoder, request.into_body(), None, Some(MAX_REQUEST_BYTES));
        tokio::spawn(stream.run(inbound, self.shutdown.clone()));
        let body = tonic::body::Body::new(StreamBody::new(receiver));
        let mut response = http::Response::new(body);
        response
            .headers_mut()
            .insert(CONTENT_TYPE, GRPC_CONTENT_TYPE);
        response
    }
}

/// `envoy.service.discovery.v3.AggregatedDiscoveryService`, delta only.
#[derive(Clone)]
pub struct PushServer(PushService);

impl NamedService for PushServer {
    const NAME: &'static str = SERVICE_NAME;
}

impl Service<http::Request<tonic::body::Body>> for PushServer {
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        if request.uri().path() != PATH {
            return ready(Ok(only_delta()));
        }
        let source = self.0.snapshots.clone();
        let mut response = self.0.open(StreamKind::Policy, request, source);
        // Filters of a later release may ask; control of the first protocol does not say it.
        response
            .headers_mut()
            .insert(PROTOCOL_HEADER, HeaderValue::from(PROTOCOL));
        ready(Ok(response))
    }
}

/// `envoy.service.extension.v3.ExtensionConfigDiscoveryService`, delta only.
#[derive(Clone)]
pub struct ExtensionServer {
    service: PushService,
    rollouts: watch::Receiver<Rollouts>,
    gate: Arc<Gate>,
}

impl NamedService for ExtensionServer {
    const NAME: &'static str = EXTENSION_SERVICE;
}

impl Service<http::Request<tonic::body::Body>> for ExtensionServer {
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<tonic::body::Body>) -> Self::Future {
        if request.uri().path() != EXTENSION_PATH {
            return ready(Ok(only_delta()));
        }
        let source = Turns::new(self.rollouts.clone(), self.gate.clone());
        ready(Ok(self.service.open(StreamKind::Filter, request, source)))
    }
}

fn only_delta() -> http::Response<tonic::body::Body> {
    Status::unimplemented("only the delta variant is spoken here").into_http()
}

/// One response per type can be in flight, and the last place is for the status at the end: the channel
/// is never full.
const QUEUE: usize = MAX_TYPES + 1;

/// Problems of one filter that are looked at.
const MAX_PROBLEMS: usize = 16;
/// The name of the problem that a filter has which is refused for its version.
const INCOMPATIBLE: &str = "incompatible_version";
/// The header of the answer that says what control speaks.
const PROTOCOL_HEADER: HeaderName = HeaderName::from_static("x-gatehold-protocol");

struct PushStream<S> {
    kind: StreamKind,
    connection: Connection,
    source: S,
    observer: Arc<dyn Observer>,
    /// Counts as connected as long as it lives.
    _connected: Box<dyn Any + Send>,
    responses: mpsc::Sender<Outgoing>,
    node: String,
    /// Whether what was sent last went out.
    is_heard: bool,
    /// What the client speaks.
    protocol: u32,
    /// Nonces of the responses in flight, at most one for each type, and when they were sent.
    sent: Vec<(String, Instant)>,
}

impl<S: Source> PushStream<S> {
    async fn run(mut self, inbound: Streaming<DeltaDiscoveryRequest>, shutdown: CancellationToken) {
        let end = self.follow(inbound, shutdown).await;
        debug!(node = self.node, ?end, "a push stream ended");
        self.source.ended(self.is_heard);
        if let Err(status) = end {
            self.connection.ended(&status);
            // The client may be gone already, and then nobody needs the status.
            let _ = self.responses.send(Err(status)).await;
        }
    }

    async fn follow(
        &mut self,
        mut inbound: Streaming<DeltaDiscoveryRequest>,
        shutdown: CancellationToken,
    ) -> Result<(), Status> {
        loop {
            if let Some(resources) = self.source.now(&self.connection) {
                self.send(&resources).await?;
            }
            tokio::select! {
                () = shutdown.cancelled() => {
                    return Err(Status::unavailable("control is shutting down; connect again"));
                }
                changed = self.source.changed() => {
                    if !changed {
                        return Err(Status::unavailable("control has nothing more to push"));
                    }
                }
                request = inbound.message() => {
                    let Some(request) = request? else { return Ok(()) };
                    self.take(request)?;
                }
            }
        }
    }

    async fn send(&mut self, snapshot: &Resources) -> Result<(), Status> {
        let due = self
            .connection
            .with(|subscriptions| subscriptions.due(snapshot));
        if self.kind == StreamKind::Policy
            && !due.is_empty()
            && let Some((resource, feature)) = snapshot.requirement()
            && !refuses_by_itself(self.protocol)
        {
            return Err(self.incompatible(format!(
                "`{resource}` requires `{feature}`, which the filter passes over: it is of version 0.1; upgrade the filter"
            )));
        }
        for response in due {
            let (type_url, nonce) = (&response.type_url, &response.nonce);
            let (changed, removed) = (response.changed(), response.removed());
            debug!(node = self.node, type_url, nonce, changed, removed, "push");
            self.observer.pushed(type_url, changed);
            self.sent.push((nonce.clone(), Instant::now()));
            if self.responses.send(Ok(response)).await.is_err() {
                self.is_heard = false;
                return Err(Status::cancelled("the client is gone"));
            }
        }
        self.connection.sent(snapshot.version());
        Ok(())
    }

    /// The status with which a filter is refused that control does not work with.
    fn incompatible(&self, reason: String) -> Status {
        if self.connection.has_problem(INCOMPATIBLE) {
            warn!(
                node = self.node,
                reason, "a filter of another version is refused"
            );
            self.observer.problem(INCOMPATIBLE);
        }
        Status::failed_precondition(reason)
    }

    /// Says what the filter finds wrong with its set-up, once an hour for each node.
    fn note_problems(&self, node: &Node) {
        for problem in problems(&node.client_features).take(MAX_PROBLEMS) {
            let mut names = SetupProblem::ALL.into_iter().map(SetupProblem::name);
            let known = names.find(|name| *name == problem).unwrap_or("other");
            if self.connection.has_problem(known) {
                let problem: String = problem
                    .chars()
                    .filter(|c| c.is_ascii_graphic())
                    .take(64)
                    .collect();
                warn!(
                    node = self.node,
                    problem, "a filter is not set up right; see docs/troubleshooting.md"
                );
                self.observer.problem(known);
            }
        }
    }

    fn take(&mut self, request: DeltaDiscoveryRequest) -> Result<(), Status> {
        self.connection.heard();
        if let Some(node) = &request.node {
            if self.node != node.id {
                self.node.clone_from(&node.id);
                info!(node = self.node, "a filter subscribed");
            }
            self.connection.identify(node);
            // Envoy says nothing of this where it asks for the filter.
            if self.kind == StreamKind::Policy {
                self.protocol = agree(node).map_err(|reason| self.incompatible(reason))?;
                self.note_problems(node);
            }
        }
        let type_url = request.type_url.clone();
        let nonce = &request.response_nonce;
        let sent = self.sent.iter().position(|(sent, _)| sent == nonce);
        let sent = sent.map(|index| self.sent.swap_remove(index).1);
        let latency = sent.map(|sent| sent.elapsed()).unwrap_or_default();
        let answer = self
            .connection
            .with(|subscriptions| subscriptions.request(request))
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        match answer {
            Answer::None | Answer::Stale => {}
            Answer::Ack { applied } => self.observer.acked(&type_url, applied, latency),
            Answer::Nack { applied, refused } => {
                if applied > 0 {
                    self.observer.acked(&type_url, applied, latency);
                }
                self.observer.nacked(&type_url, refused.len());
                for (resource, reason) in refused {
                    warn!(
                        node = self.node,
                        type_url, resource, reason, "a filter refused a resource"
                    );
                }
            }
        }
        Ok(())
    }
}
