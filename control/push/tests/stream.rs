//! The service over a real port, with a real client.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::any::Any;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gatehold_proto::discovery::AggregatedDiscoveryServiceClient;
use gatehold_push::{Fleet, Observer, PushService, Resources, Snapshot, StreamKind, StreamStatus};
use gatehold_wire::discovery::{DeltaDiscoveryRequest, DeltaDiscoveryResponse, Node, Status};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Streaming;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

const TYPE: &str = "type.example/Thing";
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Default)]
struct Counter {
    pushed: AtomicUsize,
    acked: AtomicUsize,
    nacked: AtomicUsize,
}

impl Observer for Counter {
    fn connected(&self, _: StreamKind) -> Box<dyn Any + Send> {
        Box::new(())
    }
    fn pushed(&self, _: &str, resources: usize) {
        self.pushed.fetch_add(resources, Ordering::SeqCst);
    }
    fn acked(&self, _: &str, resources: usize, _: Duration) {
        self.acked.fetch_add(resources, Ordering::SeqCst);
    }
    fn nacked(&self, _: &str, resources: usize) {
        self.nacked.fetch_add(resources, Ordering::SeqCst);
    }
}

struct Control {
    address: SocketAddr,
    snapshots: watch::Sender<Snapshot>,
    fleet: Arc<Fleet>,
    counter: Arc<Counter>,
    shutdown: CancellationToken,
    server: JoinHandle<Result<(), tonic::transport::Error>>,
}

impl Control {
    fn start() -> Self {
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse().expect("address")).expect("bind");
        let address = incoming.local_addr().expect("bound");
        let (snapshots, receiver) = watch::channel(None);
        let (fleet, counter) = (Arc::new(Fleet::default()), Arc::new(Counter::default()));
        let shutdown = CancellationToken::new();
        let service = PushService::new(receiver, fleet.clone(), counter.clone(), shutdown.clone())
            .into_server();
        let server = Server::builder()
            .add_service(service)
            .serve_with_incoming_shutdown(incoming, shutdown.clone().cancelled_owned());
        let server = tokio::spawn(server);
        Self {
            address,
            snapshots,
            fleet,
            counter,
            shutdown,
            server,
        }
    }

    fn publish(&self, items: &[(&str, &str)]) {
        let resources: Resources = items
            .iter()
            .map(|(name, body)| (TYPE.to_owned(), name.to_string(), body.as_bytes().to_vec()))
            .collect();
        self.snapshots.send_replace(Some(Arc::new(resources)));
    }

    /// Polls the fleet until it is as it should be.
    async fn until(&self, what: impl Fn(&[StreamStatus]) -> bool) {
        let poll = async {
            while !what(&self.fleet.streams()) {
                tokio::task::yield_now().await;
            }
        };
        let waited = timeout(PATIENCE, poll).await;
        assert!(
            waited.is_ok(),
            "the fleet stays at {:?}",
            self.fleet.streams()
        );
    }
}

struct Client {
    requests: mpsc::Sender<DeltaDiscoveryRequest>,
    responses: Streaming<DeltaDiscoveryResponse>,
}

impl Client {
    async fn connect(control: &Control, node: &str, held: &[(&str, &str)]) -> Self {
        let mut client =
            AggregatedDiscoveryServiceClient::connect(format!("http://{}", control.address))
                .await
                .expect("connects")
                .max_decoding_message_size(usize::MAX);
        let (requests, receiver) = mpsc::channel(8);
        let hello = DeltaDiscoveryRequest {
            node: Some(Node {
                id: node.to_owned(),
                ..Default::default()
            }),
            type_url: TYPE.to_owned(),
            resource_names_subscribe: vec!["*".to_owned()],
            initial_resource_versions: held
                .iter()
                .map(|(name, version)| (name.to_string(), version.to_string()))
                .collect(),
            ..Default::default()
        };
        requests.send(hello).await.expect("open");
        let responses = client
            .delta_aggregated_resources(ReceiverStream::new(receiver))
            .await
            .expect("a stream")
            .into_inner();
        Self {
            requests,
            responses,
        }
    }

    async fn next(&mut self) -> DeltaDiscoveryResponse {
        let message = timeout(PATIENCE, self.responses.message())
            .await
            .expect("in time");
        message.expect("no error").expect("a response")
    }

    async fn answer(&self, nonce: &str, error: Option<&str>) {
        let answer = DeltaDiscoveryRequest {
            type_url: TYPE.to_owned(),
            response_nonce: nonce.to_owned(),
            error_detail: error.map(|message| Status {
                code: 3,
                message: message.to_owned(),
            }),
            ..Default::default()
        };
        self.requests.send(answer).await.expect("open");
    }

    /// Takes one response and acknowledges it.
    async fn take(&mut self) -> Vec<String> {
        let response = self.next().await;
        self.answer(&response.nonce, None).await;
        names(&response)
    }
}

fn names(response: &DeltaDiscoveryResponse) -> Vec<String> {
    response
        .resources
        .iter()
        .map(|resource| resource.name.clone())
        .collect()
}

#[tokio::test]
async fn one_change_pushes_one_resource_to_every_stream() {
    let control = Control::start();
    control.publish(&[("a", "1"), ("b", "1")]);
    let mut one = Client::connect(&control, "envoy-1", &[]).await;
    let mut two = Client::connect(&control, "envoy-1", &[]).await;
    assert_eq!(one.take().await, ["a", "b"]);
    assert_eq!(two.take().await, ["a", "b"]);
    control.publish(&[("a", "1"), ("b", "2")]);
    assert_eq!(one.take().await, ["b"]);
    assert_eq!(two.take().await, ["b"]);

    control
        .until(|streams| {
            streams.len() == 2
                && streams.iter().all(|stream| {
                    stream.node == "envoy-1"
                        && !stream.peer.is_empty()
                        && !stream.types[TYPE].in_flight
                        && stream.types[TYPE].acked.len() == 2
                })
        })
        .await;
    assert_eq!(control.counter.pushed.load(Ordering::SeqCst), 6);
    assert_eq!(control.counter.acked.load(Ordering::SeqCst), 6);
    drop(one);
    control.until(|streams| streams.len() == 1).await;
}

#[tokio::test]
async fn a_refusal_is_recorded_with_its_reason() {
    let control = Control::start();
    control.publish(&[("a", "1"), ("b", "1")]);
    let mut client = Client::connect(&control, "envoy-1", &[]).await;
    let response = client.next().await;
    client
        .answer(&response.nonce, Some("b: rule `x/1` has a bad glob"))
        .await;
    control
        .until(|streams| !streams[0].types[TYPE].rejected.is_empty())
        .await;
    let status = control
        .fleet
        .streams()
        .remove(0)
        .types
        .remove(TYPE)
        .expect("subscribed");
    assert_eq!(status.rejected["b"].reason, "rule `x/1` has a bad glob");
    assert_eq!(status.acked.keys().collect::<Vec<_>>(), ["a"]);
    assert_eq!(control.fleet.rejected(), 1);
    assert_eq!(control.counter.nacked.load(Ordering::SeqCst), 1);

    control.publish(&[("a", "1"), ("b", "2")]);
    assert_eq!(client.take().await, ["b"]);
    control
        .until(|streams| streams[0].types[TYPE].rejected.is_empty())
        .await;
}

#[tokio::test]
async fn a_client_that_comes_back_gets_what_it_lacks() {
    let control = Control::start();
    control.publish(&[("a", "1"), ("b", "1")]);
    let mut client = Client::connect(&control, "envoy-1", &[]).await;
    let first = client.next().await;
    let held: Vec<_> = first
        .resources
        .iter()
        .map(|r| (r.name.as_str(), r.version.as_str()))
        .collect();
    let mut back = Client::connect(&control, "envoy-1", &held).await;
    control
        .until(|streams| streams.len() == 2 && streams[1].node == "envoy-1")
        .await;
    // Nothing came before this change.
    control.publish(&[("a", "1"), ("b", "2")]);
    assert_eq!(back.take().await, ["b"]);
}

#[tokio::test]
async fn a_big_resource_arrives_whole() {
    let control = Control::start();
    let body = "x".repeat(9 << 20);
    control.publish(&[("a", &body)]);
    let mut client = Client::connect(&control, "envoy-1", &[]).await;
    let response = client.next().await;
    let any = response.resources[0].resource.clone().expect("a body");
    assert_eq!(any.value.len(), body.len());
}

#[tokio::test]
async fn shutting_down_ends_the_streams() {
    let control = Control::start();
    control.publish(&[("a", "1")]);
    let mut client = Client::connect(&control, "envoy-1", &[]).await;
    assert_eq!(client.take().await, ["a"]);
    control.shutdown.cancel();
    let end = timeout(PATIENCE, client.responses.message())
        .await
        .expect("in time");
    assert_eq!(end.expect_err("a status").code(), tonic::Code::Unavailable);
    let ended = timeout(PATIENCE, control.server).await.expect("in time");
    ended.expect("no panic").expect("a clean end");
}

#[tokio::test]
async fn a_request_out_of_bounds_is_told_why() {
    let control = Control::start();
    let mut client = Client::connect(&control, "envoy-1", &[]).await;
    client
        .requests
        .send(DeltaDiscoveryRequest::default())
        .await
        .expect("open");
    let end = timeout(PATIENCE, client.responses.message())
        .await
        .expect("in time");
    let status = end.expect_err("a status");
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
    assert!(status.message().contains("type_url"), "{status}");
}
