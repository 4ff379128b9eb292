use super::*;
use crate::push::Kind;
use crate::testing::{self, FakeHost};
use gatehold_wire::Any;
use gatehold_wire::audit::{AppendRequest, AppendResponse, Event};
use gatehold_wire::discovery::{DeltaDiscoveryRequest, DeltaDiscoveryResponse, Resource};
use prost::Message as _;

const CONFIG: &[u8] = br#"{"control_cluster": "control"}"#;

fn host() -> FakeHost {
    let host = FakeHost::new();
    host.with(|inner| inner.configuration = CONFIG.to_vec());
    host
}

fn root(host: &FakeHost) -> Root {
    let mut root = Root::default();
    assert!(
        root.configure(host),
        "{:?}",
        host.with(|inner| inner.logs.clone())
    );
    root
}

fn servers() -> Vec<u8> {
    let value = testing::server_resource("crm", "/crm/mcp", &[]).encode_to_vec();
    let any = Any {
        type_url: Kind::Server.type_url().into(),
        value,
    };
    DeltaDiscoveryResponse {
        type_url: Kind::Server.type_url().into(),
        nonce: "1".into(),
        resources: vec![Resource {
            name: "crm".into(),
            version: "1".into(),
            resource: Some(any),
        }],
        ..DeltaDiscoveryResponse::default()
    }
    .encode_to_vec()
}

fn deliver(host: &FakeHost, root: &mut Root, stream: u32, message: Vec<u8>) {
    let size = message.len();
    host.with(|inner| inner.message = message);
    root.message(host, stream, size);
}

fn wait(host: &FakeHost, seconds: u64) {
    host.with(|inner| inner.nanos += seconds * 1_000_000_000);
}

fn has_snapshot(root: &Root) -> bool {
    root.worker().unwrap().snapshot.borrow().is_some()
}

#[test]
fn refuses_a_bad_configuration() {
    let host = host();
    host.with(|inner| inner.configuration = b"{}".to_vec());
    let mut root = Root::default();
    assert!(!root.configure(&host));
    assert!(host.with(|inner| inner.logs[0].contains("control_cluster")));
    assert!(root.worker().is_none());
    assert!(root.done());
}

#[test]
fn opens_both_streams_from_the_tick() {
    let host = host();
    let mut root = root(&host);
    assert_eq!(host.with(|inner| inner.opened.len()), 0);
    root.tick(&host);
    root.tick(&host);
    assert_eq!(
        host.with(|inner| inner.opened.clone()),
        [
            "control: envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources",
            "control: gatehold.audit.v1.Audit/Append",
        ]
    );
}

#[test]
fn takes_a_push_acknowledges_it_and_keeps_it_for_others() {
    let host = host();
    let mut first = root(&host);
    first.tick(&host);
    assert!(!has_snapshot(&first));
    deliver(&host, &mut first, 1, servers());
    assert!(has_snapshot(&first));
    let (stream, ack) = host.with(|inner| inner.sent.last().cloned()).unwrap();
    let ack = DeltaDiscoveryRequest::decode(ack.as_slice()).unwrap();
    assert_eq!(
        (stream, ack.response_nonce.as_str(), ack.error_detail),
        (1, "1", None)
    );
    assert_eq!(host.metric("gatehold_servers"), 1);

    let second = root(&host);
    assert!(
        has_snapshot(&second),
        "{:?}",
        host.with(|inner| inner.logs.clone())
    );
}

#[test]
fn decides_on_when_control_goes_away_and_comes_back() {
    let host = host();
    let mut root = root(&host);
    root.tick(&host);
    deliver(&host, &mut root, 1, servers());
    root.closed(&host, 1, 14);
    assert!(has_snapshot(&root));
    root.tick(&host);
    assert_eq!(
        host.with(|inner| inner.opened.len()),
        2,
        "not before the backoff is over"
    );
    wait(&host, 1);
    root.tick(&host);
    assert_eq!(host.with(|inner| inner.opened.len()), 3);
    let sent = host.with(|inner| inner.sent.last().cloned()).unwrap();
    let again = DeltaDiscoveryRequest::decode(sent.1.as_slice()).unwrap();
    assert_eq!(
        again
            .initial_resource_versions
            .get("crm")
            .map(String::as_str),
        Some("1")
    );
}

#[test]
fn a_cluster_that_is_missing_is_tried_again() {
    let host = host();
    let mut root = root(&host);
    host.with(|inner| inner.fail = Some(("open_stream", 0)));
    root.tick(&host);
    assert!(host.with(|inner| {
        inner
            .logs
            .iter()
            .any(|line| line.contains("cannot reach control"))
    }));
    host.with(|inner| inner.fail = None);
    wait(&host, 10);
    root.tick(&host);
    assert_eq!(host.with(|inner| inner.opened.len()), 2);
}

#[test]
fn events_leave_in_batches_and_again_after_a_reconnect() {
    let host = host();
    let mut root = root(&host);
    root.tick(&host);
    let worker = root.worker().unwrap();
    worker.record(
        &host,
        Event {
            id: "e".into(),
            ..Event::default()
        }
        .encode_to_vec(),
        crate::audit::Weight::Known,
    );
    root.tick(&host);
    let batch = |at: usize| {
        let (stream, message) = host.with(|inner| inner.sent[at].clone());
        (stream, AppendRequest::decode(message.as_slice()).unwrap())
    };
    let count = host.with(|inner| inner.sent.len());
    let (stream, request) = batch(count - 1);
    assert_eq!(
        (stream, request.batch, request.node.as_str()),
        (2, 1, "xds.node.id")
    );
    assert_eq!(request.events[0].id, "e");

    root.closed(&host, 2, 14);
    wait(&host, 1);
    root.tick(&host);
    let (stream, again) = batch(count);
    assert_eq!((stream, &again), (3, &request));

    assert!(!root.done());
    deliver(
        &host,
        &mut root,
        3,
        AppendResponse { batch: 1 }.encode_to_vec(),
    );
    assert_eq!(host.metric("gatehold_audit_events.state=acknowledged"), 1);
    assert_eq!(host.with(|inner| inner.dones), 0);
    root.tick(&host);
    assert_eq!(host.with(|inner| inner.dones), 1);
}

#[test]
fn a_draining_root_does_not_wait_for_ever() {
    let host = host();
    let mut root = root(&host);
    root.tick(&host);
    let worker = root.worker().unwrap();
    worker.record(
        &host,
        Event::default().encode_to_vec(),
        crate::audit::Weight::Known,
    );
    assert!(!root.done());
    for _ in 0..=DRAIN_TICKS + 5 {
        root.tick(&host);
    }
    assert_eq!(host.with(|inner| inner.dones), 1);
}

#[test]
fn messages_that_cannot_be_read_close_their_stream() {
    let host = host();
    let mut root = root(&host);
    root.tick(&host);
    for stream in [1, 2] {
        deliver(&host, &mut root, stream, vec![0xff]);
    }
    // Of a stream that is not ours any more.
    deliver(&host, &mut root, 1, servers());
    assert!(!has_snapshot(&root));
    wait(&host, 10);
    root.tick(&host);
    assert_eq!(host.with(|inner| inner.opened.len()), 4);
}
