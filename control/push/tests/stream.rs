//! The service over a real port, with a real client.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::any::Any;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gatehold_proto::discovery::AggregatedDiscoveryServiceClient;
use gatehold_push::{
    Fleet, Observer, PushService, Resource, Resources, Snapshot, StreamKind, StreamStatus,
};
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
    problems: Mutex<Vec<&'static str>>,
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
    fn problem(&self, problem: &'static str) {
        self.problems.lock().expect("unpoisoned").push(problem);
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
        Self::telling(control, node, held, &[]).await
    }

    /// A client that tells these words of itself.
    async fn telling(control: &Control, node: &str, held: &[(&str, &str)], words: &[&str]) -> Self {
        let client = Self::trying(control, node, held, words).await;
        client.expect("a stream")
    }

    /// The same, of which control may want nothing.
    async fn trying(
        control: &Control,
        node: &str,
        held: &[(&str, &str)],
        words: &[&str],
    ) -> Result<Self, tonic::Status> {
        let mut client =
            AggregatedDiscoveryServiceClient::connect(format!("http://{}", control.address))
                .await
                .expect("connects")
                .max_decoding_message_size(usize::MAX);
        let (requests, receiver) = mpsc::channel(8);
        let hello = DeltaDiscoveryRequest {
            node: Some(Node {
                id: node.to_owned(),
                user_agent_version: "9.9.9".to_owned(),
                client_features: words.iter().map(|&word| word.to_owned()).collect(),
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
            .await?
            .into_inner();
        Ok(Self {
            requests,
            responses,
        })
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

/// The status with which control ends the stream of a client that tells these words of itself.
async fn ended(control: &Control, words: &[&str]) -> tonic::Status {
    let mut client = match Client::trying(control, "edge", &[], words).await {
        Ok(client) => client,
        Err(status) => return status,
    };
    loop {
        let message = timeout(PATIENCE, client.responses.message()).await;
        match message.expect("in time") {
            Ok(message) => assert!(message.is_some(), "the stream ended well"),
            Err(status) => return status,
        }
    }
}

#[tokio::test]
async fn a_filter_of_another_time_is_refused_with_both_versions() {
    let control = Control::start();
    control.publish(&[("a", "1")]);
    let status = ended(&control, &["protocol/9"]).await;
    assert_eq!(status.code(), tonic::Code::FailedPrecondition);
    for words in [
        "filter 9.9.9",
        "protocol 9",
        env!("CARGO_PKG_VERSION"),
        "upgrade control",
    ] {
        assert!(status.message().contains(words), "{status:?}");
    }
    assert_eq!(
        *control.counter.problems.lock().expect("unpoisoned"),
        ["incompatible_version"]
    );
    // The ones before and after are let in.
    for words in [&["protocol/3"][..], &["protocol/1"], &[]] {
        let mut client = Client::telling(&control, "edge", &[], words).await;
        assert_eq!(names(&client.next().await), ["a"]);
    }
}

#[tokio::test]
async fn what_requires_more_is_not_sent_to_filters_that_do_not_look() {
    let control = Control::start();
    let resource = Resource::new(TYPE, "a", b"1".to_vec()).requiring(Some("teleport"));
    let resources: Resources = [(TYPE.to_owned(), resource)].into_iter().collect();
    control.snapshots.send_replace(Some(Arc::new(resources)));
    let status = ended(&control, &[]).await;
    assert_eq!(status.code(), tonic::Code::FailedPrecondition);
    assert!(
        status.message().contains("`a` requires `teleport`"),
        "{status:?}"
    );
    assert_eq!(control.counter.pushed.load(Ordering::SeqCst), 0);
    // One that looks refuses by itself.
    let mut client = Client::telling(&control, "edge", &[], &["protocol/2"]).await;
    assert_eq!(names(&client.next().await), ["a"]);
}

#[tokio::test]
async fn problems_of_a_set_up_count_once_an_hour_for_each_node() {
    let control = Control::start();
    control.publish(&[("a", "1")]);
    let words = ["protocol/2", "problem/two_copies", "problem/of_the_future"];
    let mut streams = Vec::new();
    for node in ["one", "one", "two"] {
        let mut client = Client::telling(&control, node, &[], &words).await;
        client.next().await;
        streams.push(client);
    }
    let problems = || control.counter.problems.lock().expect("unpoisoned").clone();
    assert_eq!(problems(), ["two_copies", "other", "two_copies", "other"]);
    // A problem that is seen later is told on the stream that is open.
    let client = streams.last_mut().expect("three");
    let later = DeltaDiscoveryRequest {
        node: Some(Node {
            id: "two".to_owned(),
            client_features: vec![
                "protocol/2".to_owned(),
                "problem/headers_not_held".to_owned(),
            ],
            ..Node::default()
        }),
        type_url: TYPE.to_owned(),
        ..DeltaDiscoveryRequest::default()
    };
    client.requests.send(later).await.expect("open");
    let told = async {
        while problems().len() < 5 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, told).await.expect("in time");
    assert_eq!(problems().last(), Some(&"headers_not_held"));
    // A node that goes and comes back with it again and again is no news.
    drop(streams);
    for _ in 0..3 {
        control.until(<[_]>::is_empty).await;
        let mut client = Client::telling(&control, "one", &[], &words).await;
        client.next().await;
    }
    assert_eq!(problems().len(), 5);
}

#[tokio::test]
async fn a_filter_that_is_refused_again_and_again_is_told_once() {
    let control = Control::start();
    for _ in 0..5 {
        let status = ended(&control, &["protocol/9"]).await;
        assert_eq!(status.code(), tonic::Code::FailedPrecondition);
        control.until(<[_]>::is_empty).await;
    }
    let problems = control.counter.problems.lock().expect("unpoisoned");
    assert_eq!(*problems, ["incompatible_version"]);
}
