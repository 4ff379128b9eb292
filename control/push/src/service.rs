//! The gRPC service: carries requests to [`Subscriptions`] and responses back.

use std::any::Any;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gatehold_proto::discovery::aggregated_discovery_service_server::{
    AggregatedDiscoveryService, AggregatedDiscoveryServiceServer,
};
use gatehold_wire::discovery::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};
use tokio::sync::{mpsc, watch};
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};
use tracing::{debug, info, warn};

use crate::{Answer, Connection, Fleet, MAX_TYPES, Resources, Subscriptions};

/// What is in force; `None` until something could be compiled, and until then clients get nothing.
pub type Snapshot = Option<Arc<Resources>>;

/// A client that says what it holds names every resource, which can be many.
const MAX_REQUEST_BYTES: usize = 32 << 20;

/// Is told what happens on the streams, to count it. All types are told by their type URL.
pub trait Observer: Send + Sync + 'static {
    /// A stream was opened; it is open until what this returns is dropped.
    fn connected(&self) -> Box<dyn Any + Send>;
    /// Resources were sent.
    fn pushed(&self, type_url: &str, resources: usize);
    /// Resources were applied, this long after they were sent.
    fn acked(&self, type_url: &str, resources: usize, latency: Duration);
    /// Resources were refused.
    fn nacked(&self, type_url: &str, resources: usize);
}

/// `envoy.service.discovery.v3.AggregatedDiscoveryService`, delta only.
#[derive(Clone)]
pub struct PushService {
    snapshots: watch::Receiver<Snapshot>,
    fleet: Arc<Fleet>,
    observer: Arc<dyn Observer>,
    shutdown: CancellationToken,
}

impl PushService {
    /// Streams follow `snapshots`, are listed in `fleet`, told to `observer`, and end on `shutdown`.
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

    /// The service as a server takes it, with limits that fit big snapshots.
    pub fn into_server(self) -> AggregatedDiscoveryServiceServer<Self> {
        AggregatedDiscoveryServiceServer::new(self)
            .max_decoding_message_size(MAX_REQUEST_BYTES)
            .max_encoding_message_size(usize::MAX)
    }
}

type ResponseStream = Pin<Box<dyn Stream<Item = Result<DeltaDiscoveryResponse, Status>> + Send>>;

#[tonic::async_trait]
impl AggregatedDiscoveryService for PushService {
    type DeltaAggregatedResourcesStream = ResponseStream;

    async fn delta_aggregated_resources(
        &self,
        request: Request<Streaming<DeltaDiscoveryRequest>>,
    ) -> Result<Response<ResponseStream>, Status> {
        let peer = request
            .remote_addr()
            .map(|address| address.to_string())
            .unwrap_or_default();
        let (responses, receiver) = mpsc::channel(QUEUE);
        let stream = PushStream {
            connection: self.fleet.connect(peer),
            observer: self.observer.clone(),
            _connected: self.observer.connected(),
            responses,
            subscriptions: Subscriptions::default(),
            node: String::new(),
            sent: BTreeMap::new(),
        };
        let Self {
            snapshots,
            shutdown,
            ..
        } = self.clone();
        tokio::spawn(stream.run(request.into_inner(), snapshots, shutdown));
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}

/// One response per type can be in flight, and the last place is for the status at the end: the channel
/// is never full.
const QUEUE: usize = MAX_TYPES + 1;

struct PushStream {
    connection: Connection,
    observer: Arc<dyn Observer>,
    /// Counts as connected as long as it lives.
    _connected: Box<dyn Any + Send>,
    responses: mpsc::Sender<Result<DeltaDiscoveryResponse, Status>>,
    subscriptions: Subscriptions,
    node: String,
    /// When the response in flight was sent, by nonce.
    sent: BTreeMap<String, Instant>,
}

impl PushStream {
    async fn run(
        mut self,
        inbound: Streaming<DeltaDiscoveryRequest>,
        snapshots: watch::Receiver<Snapshot>,
        shutdown: CancellationToken,
    ) {
        let end = self.follow(inbound, snapshots, shutdown).await;
        debug!(node = self.node, ?end, "a push stream ended");
        if let Err(status) = end {
            // The client may be gone already, and then nobody needs the status.
            let _ = self.responses.send(Err(status)).await;
        }
    }

    async fn follow(
        &mut self,
        mut inbound: Streaming<DeltaDiscoveryRequest>,
        mut snapshots: watch::Receiver<Snapshot>,
        shutdown: CancellationToken,
    ) -> Result<(), Status> {
        loop {
            let snapshot = snapshots.borrow_and_update().clone();
            if let Some(snapshot) = snapshot {
                self.send(&snapshot).await?;
            }
            self.connection.update(&self.subscriptions);
            tokio::select! {
                () = shutdown.cancelled() => {
                    return Err(Status::unavailable("control is shutting down; connect again"));
                }
                changed = snapshots.changed() => {
                    if changed.is_err() {
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
        for response in self.subscriptions.due(snapshot) {
            let DeltaDiscoveryResponse {
                type_url,
                nonce,
                resources,
                removed_resources,
                ..
            } = &response;
            let (changed, removed) = (resources.len(), removed_resources.len());
            debug!(node = self.node, type_url, nonce, changed, removed, "push");
            self.observer.pushed(type_url, changed);
            self.sent.insert(nonce.clone(), Instant::now());
            if self.responses.send(Ok(response)).await.is_err() {
                return Err(Status::cancelled("the client is gone"));
            }
        }
        Ok(())
    }

    fn take(&mut self, request: DeltaDiscoveryRequest) -> Result<(), Status> {
        if let Some(node) = &request.node {
            if self.node != node.id {
                self.node.clone_from(&node.id);
                info!(node = self.node, "a filter subscribed");
            }
            self.connection.identify(node);
        }
        let type_url = request.type_url.clone();
        let sent = self.sent.remove(&request.response_nonce);
        let latency = sent.map(|sent| sent.elapsed()).unwrap_or_default();
        let answer = self
            .subscriptions
            .request(request)
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
