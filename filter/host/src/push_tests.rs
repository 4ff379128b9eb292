use super::*;
use crate::snapshot::{Lookalike, Match, Snapshot};
use crate::testing;
use gatehold_wire::Any;

fn is_lookalike(snapshot: &Snapshot, path: &str) -> bool {
    !matches!(snapshot.lookalike(path), Lookalike::None)
}

fn client() -> PushClient {
    PushClient::new("node".into(), "cluster".into(), vec!["protocol/2".into()])
}

fn server(name: &str, path: &str, version: &str) -> Resource {
    resource(
        Kind::Server,
        name,
        version,
        testing::server_resource(name, path, &[]).encode_to_vec(),
    )
}

fn resource(kind: Kind, name: &str, version: &str, value: Vec<u8>) -> Resource {
    let any = Any {
        type_url: kind.type_url().into(),
        value,
    };
    Resource {
        name: name.into(),
        version: version.into(),
        resource: Some(any),
    }
}

fn response(kind: Kind, resources: Vec<Resource>, removed: &[&str]) -> Vec<u8> {
    DeltaDiscoveryResponse {
        type_url: kind.type_url().into(),
        nonce: "7".into(),
        resources,
        removed_resources: removed.iter().map(|name| (*name).to_owned()).collect(),
        ..DeltaDiscoveryResponse::default()
    }
    .encode_to_vec()
}

fn reply(received: &Received) -> DeltaDiscoveryRequest {
    DeltaDiscoveryRequest::decode(received.reply.as_slice()).unwrap()
}

fn found(client: &PushClient, path: &str) -> Option<String> {
    match client.snapshot()?.find("h", path) {
        Match::Endpoint(endpoint) => Some(endpoint.server.version.clone()),
        _ => None,
    }
}

#[test]
fn subscribes_to_everything_of_all_types() {
    let requests: Vec<_> = client()
        .subscribe()
        .iter()
        .map(|request| DeltaDiscoveryRequest::decode(request.as_slice()).unwrap())
        .collect();
    assert_eq!(requests.len(), 3);
    assert_eq!(requests[0].node.as_ref().unwrap().id, "node");
    assert_eq!((&requests[1].node, &requests[2].node), (&None, &None));
    for (request, kind) in requests.iter().zip(Kind::ALL) {
        assert_eq!(request.type_url, kind.type_url());
        assert_eq!(request.resource_names_subscribe, ["*"]);
        assert!(request.initial_resource_versions.is_empty());
    }
}

#[test]
fn is_ready_with_the_first_servers_be_it_none() {
    let mut client = client();
    let issuer = testing::issuer_resource().encode_to_vec();
    let issuers = vec![resource(Kind::Issuer, "corp", "1", issuer)];
    client
        .receive(&response(Kind::Issuer, issuers, &[]))
        .unwrap();
    assert!(client.snapshot().is_none());
    let received = client
        .receive(&response(Kind::Server, vec![], &[]))
        .unwrap();
    assert_eq!(client.snapshot().unwrap().servers(), 0);
    let reply = reply(&received);
    assert_eq!(
        (reply.response_nonce.as_str(), reply.error_detail),
        ("7", None)
    );
}

#[test]
fn a_refused_server_keeps_its_path_from_passing() {
    let mut client = client();
    let mut broken = testing::server_resource("b", "/b", &[]);
    broken.issuers.clear();
    let broken = resource(Kind::Server, "b", "1", broken.encode_to_vec());
    let unread = resource(Kind::Server, "c", "1", vec![0xff]);
    let mut check = |resources, removed: &[&str], expected: [bool; 3]| {
        client
            .receive(&response(Kind::Server, resources, removed))
            .unwrap();
        let snapshot = client.snapshot().unwrap();
        let paths = ["/a", "/b/x", "/other"];
        assert_eq!(paths.map(|path| is_lookalike(&snapshot, path)), expected);
    };
    check(
        vec![server("a", "/a", "1"), broken.clone()],
        &[],
        [true, true, false],
    );
    check(vec![unread], &[], [true; 3]);
    check(vec![], &["c"], [true, true, false]);
    check(vec![server("b", "/b2", "2")], &[], [true, false, false]);
    check(vec![broken], &[], [true, true, false]);
    check(vec![], &["b"], [true, false, false]);
}

#[test]
fn good_resources_apply_while_bad_ones_are_refused() {
    let mut client = client();
    client
        .receive(&response(
            Kind::Server,
            vec![server("a", "/a", "1"), server("b", "/b", "1")],
            &[],
        ))
        .unwrap();
    let bad = resource(Kind::Server, "b", "2", vec![0xff]);
    let mut nameless = testing::server_resource("c", "/c", &[]);
    nameless.issuers.clear();
    let nameless = resource(Kind::Server, "c", "1", nameless.encode_to_vec());
    let renamed = resource(
        Kind::Server,
        "d",
        "1",
        server("e", "/e", "1").resource.unwrap().value,
    );
    let other = Resource {
        resource: None,
        ..server("f", "/f", "1")
    };
    let update = vec![bad, nameless, renamed, other, server("a", "/a2", "2")];
    let received = client
        .receive(&response(Kind::Server, update, &[]))
        .unwrap();
    let status = reply(&received).error_detail.unwrap();
    assert_eq!(status.code, INVALID_ARGUMENT);
    for reason in [
        "`b`: ",
        "`c`: field `issuers` is empty",
        "`d`: it holds `e`",
        "`f`: its message is missing",
    ] {
        assert!(
            status.message.contains(reason),
            "{reason}: {}",
            status.message
        );
    }
    assert_eq!(found(&client, "/a2").as_deref(), Some("2"));
    assert_eq!(found(&client, "/a"), None);
    // What was in force stays in force.
    assert_eq!(found(&client, "/b").as_deref(), Some("1"));
    assert_eq!(received.changes.len(), 1);
}

#[test]
fn removals_apply_before_additions() {
    let mut client = client();
    client
        .receive(&response(Kind::Server, vec![server("a", "/x", "1")], &[]))
        .unwrap();
    client
        .receive(&response(
            Kind::Server,
            vec![server("b", "/x", "2")],
            &["a"],
        ))
        .unwrap();
    assert_eq!(found(&client, "/x").as_deref(), Some("2"));
}

#[test]
fn tells_what_it_holds_after_a_reconnect() {
    let mut client = client();
    client
        .receive(&response(Kind::Server, vec![server("a", "/a", "5")], &[]))
        .unwrap();
    let requests = client.subscribe();
    let servers = DeltaDiscoveryRequest::decode(requests[2].as_slice()).unwrap();
    assert_eq!(
        servers
            .initial_resource_versions
            .get("a")
            .map(String::as_str),
        Some("5")
    );
}

#[test]
fn restores_what_was_kept() {
    let mut first = client();
    let received = first
        .receive(&response(Kind::Server, vec![server("a", "/a", "5")], &[]))
        .unwrap();
    let kept = received.changes.into_iter().map(|change| match change {
        Change::Put(stored) => stored,
        Change::Removed(..) => panic!("nothing was removed"),
    });
    let mut second = client();
    assert_eq!(second.restore(kept), Vec::<String>::new());
    assert_eq!(found(&second, "/a").as_deref(), Some("5"));
}

#[test]
fn unknown_types_and_noise_are_refused() {
    let mut client = client();
    let odd = DeltaDiscoveryResponse {
        type_url: "x".into(),
        ..DeltaDiscoveryResponse::default()
    };
    let received = client.receive(&odd.encode_to_vec()).unwrap();
    assert!(reply(&received).error_detail.is_some());
    assert!(client.receive(&[0xff, 0xff]).is_err());
}

#[test]
fn a_nack_is_bounded() {
    let mut client = client();
    let resources = (0..2000)
        .map(|number| resource(Kind::Server, &format!("server-{number}"), "1", vec![0xff]))
        .collect();
    let received = client
        .receive(&response(Kind::Server, resources, &[]))
        .unwrap();
    assert_eq!(received.refused.len(), 2000);
    assert!(reply(&received).error_detail.unwrap().message.len() < MAX_REASONS + 16);
}

fn detectors(version: &str, pack: &[u8], allowed: Vec<Vec<u8>>) -> Resource {
    let value = push::Detectors {
        pack: pack.to_vec(),
        shadow: Vec::new(),
        allowed,
    };
    let kind = Kind::Detectors;
    resource(kind, "detectors", version, value.encode_to_vec())
}

fn looks_with(client: &PushClient) -> Option<String> {
    match client.snapshot()?.find("h", "/a") {
        Match::Endpoint(it) => Some(it.detectors.as_ref()?.version.clone()),
        _ => None,
    }
}

#[test]
fn detectors_that_do_not_load_leave_those_before_in_force() {
    let mut client = client();
    client
        .receive(&response(Kind::Server, vec![server("a", "/a", "1")], &[]))
        .unwrap();
    assert_eq!(looks_with(&client), None);
    let mut check = |resource, expected: &str, said: Option<&str>| {
        let message = response(Kind::Detectors, vec![resource], &[]);
        let received = client.receive(&message).unwrap();
        assert_eq!(looks_with(&client).as_deref(), Some(expected));
        let detail = reply(&received).error_detail.map(|it| it.message);
        match (said, detail) {
            (None, detail) => assert_eq!(detail, None),
            (Some(said), detail) => assert!(detail.unwrap().contains(said)),
        }
    };
    let pack = testing::pack();
    check(detectors("1", pack, Vec::new()), "1", None);
    check(
        detectors("2", b"noise", Vec::new()),
        "1",
        Some("`detectors`: its pack cannot be loaded"),
    );
    check(
        detectors("3", pack, vec![vec![1; 31]]),
        "1",
        Some("not 32 bytes"),
    );
    check(detectors("4", pack, vec![vec![1; 32]]), "4", None);
    let gone = response(Kind::Detectors, Vec::new(), &["detectors"]);
    client.receive(&gone).unwrap();
    assert_eq!(looks_with(&client), None);
}
