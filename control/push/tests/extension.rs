//! The service by which Envoys get the filter, over a real port.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::any::Any;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gatehold_push::{
    EXTENSION_NAME, EXTENSION_TYPE_URL, Fleet, Gate, Observer, PushService, Resource, Resources,
    Rollout, Rollouts, StreamKind,
};
use gatehold_wire::discovery::{DeltaDiscoveryRequest, DeltaDiscoveryResponse, Node};
use gatehold_wire::setup::PROTOCOL;
use http::uri::PathAndQuery;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Streaming;
use tonic::client::Grpc;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Endpoint, Server};
use tonic_prost::ProstCodec;

const PATH: &str =
    "/envoy.service.extension.v3.ExtensionConfigDiscoveryService/DeltaExtensionConfigs";
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Default)]
struct Problems(Mutex<Vec<&'static str>>);

impl Observer for Problems {
    fn connected(&self, _: StreamKind) -> Box<dyn Any + Send> {
        Box::new(())
    }
    fn pushed(&self, _: &str, _: usize) {}
    fn acked(&self, _: &str, _: usize, _: Duration) {}
    fn nacked(&self, _: &str, _: usize) {}
    fn problem(&self, problem: &'static str) {
        self.0.lock().expect("unpoisoned").push(problem);
    }
}

/// Everybody is to have `new`, and there is `old`; both require something.
#[derive(Debug)]
struct New;

impl Rollout for New {
    fn wanted(&self, _: &str, _: &str) -> Option<Arc<str>> {
        Some("new".into())
    }

    fn versions(&self) -> Vec<Arc<str>> {
        vec!["new".into(), "old".into()]
    }

    fn resources(&self, version: &str, _: u32) -> Option<Arc<Resources>> {
        let (name, version) = (EXTENSION_NAME, version.to_owned());
        let resource = Resource::versioned(EXTENSION_TYPE_URL, name, version, Vec::new());
        let one = [(
            EXTENSION_TYPE_URL.to_owned(),
            resource.requiring(Some("teleport")),
        )];
        Some(Arc::new(one.into_iter().collect()))
    }
}

struct Control {
    address: SocketAddr,
    gate: Arc<Gate>,
    problems: Arc<Problems>,
    _rollouts: watch::Sender<Rollouts>,
}

impl Control {
    fn start() -> Self {
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse().expect("address")).expect("bind");
        let address = incoming.local_addr().expect("bound");
        let (rollouts, rollout) = watch::channel::<Rollouts>(Some(Arc::new(New)));
        let (gate, problems) = <(Arc<Gate>, Arc<Problems>)>::default();
        let (snapshots, shutdown) = (watch::channel(None).1, CancellationToken::new());
        let fleet = Arc::new(Fleet::default());
        let service = PushService::new(snapshots, fleet, problems.clone(), shutdown);
        let server = Server::builder().add_service(service.filters(rollout, gate.clone()));
        tokio::spawn(server.serve_with_incoming(incoming));
        Self {
            address,
            gate,
            problems,
            _rollouts: rollouts,
        }
    }

    /// The node and reason of what is held back, once it is.
    async fn held_back(&self) -> (String, String) {
        let look = async {
            loop {
                if let Some(held) = self.gate.held_back(&New).into_iter().next() {
                    return (held.node, held.reason);
                }
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, look).await.expect("in time")
    }
}

struct Envoy {
    _requests: mpsc::Sender<DeltaDiscoveryRequest>,
    responses: Streaming<DeltaDiscoveryResponse>,
}

impl Envoy {
    async fn connect(control: &Control, id: &str, held: Option<&str>) -> Self {
        let endpoint = Endpoint::from_shared(format!("http://{}", control.address)).expect("a URL");
        let mut client = Grpc::new(endpoint.connect().await.expect("connects"));
        client.ready().await.expect("ready");
        let (requests, receiver) = mpsc::channel(8);
        let held = held.map(|held| (EXTENSION_NAME.to_owned(), held.to_owned()));
        let hello = DeltaDiscoveryRequest {
            node: Some(Node {
                id: id.to_owned(),
                // As only a filter speaks.
                client_features: vec![
                    format!("protocol/{}", PROTOCOL + 2),
                    "problem/two_copies".to_owned(),
                ],
                ..Node::default()
            }),
            type_url: EXTENSION_TYPE_URL.to_owned(),
            resource_names_subscribe: vec![EXTENSION_NAME.to_owned()],
            initial_resource_versions: held.into_iter().collect(),
            ..DeltaDiscoveryRequest::default()
        };
        requests.send(hello).await.expect("open");
        let codec = ProstCodec::<DeltaDiscoveryRequest, DeltaDiscoveryResponse>::default();
        let (stream, path) = (
            ReceiverStream::new(receiver),
            PathAndQuery::from_static(PATH),
        );
        let responses = client.streaming(tonic::Request::new(stream), path, codec);
        Self {
            _requests: requests,
            responses: responses.await.expect("a stream").into_inner(),
        }
    }

    async fn gets(&mut self, version: &str) {
        let message = timeout(PATIENCE, self.responses.message()).await;
        let message = message.expect("in time").expect("no error");
        let resources = message.expect("a response").resources;
        let versions: Vec<&str> = resources.iter().map(|it| it.version.as_str()).collect();
        assert_eq!(versions, [version]);
    }
}

#[tokio::test]
async fn what_filters_say_of_themselves_is_nothing_to_envoys() {
    let control = Control::start();
    Envoy::connect(&control, "edge", Some("old"))
        .await
        .gets("new")
        .await;
    assert!(control.problems.0.lock().expect("unpoisoned").is_empty());
}

#[tokio::test]
async fn an_envoy_that_goes_with_a_version_in_its_hands_holds_it_back() {
    let control = Control::start();
    let mut one = Envoy::connect(&control, "one", Some("old")).await;
    one.gets("new").await;
    drop(one);
    let (node, reason) = control.held_back().await;
    assert_eq!(
        (&*node, &*reason),
        ("one", "it went away while it tried it")
    );
    // It comes back without any.
    Envoy::connect(&control, "one", None)
        .await
        .gets("old")
        .await;
}
