//! The fleet, on its page and in the API.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use gatehold_console::api::OPENAPI;
use gatehold_push::{FleetView, HeldBack, NodeFilter, NodeState, NodeView, Refusal};
use http::StatusCode;
use serde_json::{Value, json};

use crate::support::App;

/// An Envoy that has everything to say, with `bait` wherever somebody else writes.
fn node(bait: &str) -> NodeView {
    NodeView {
        node: format!("edge-1{bait}"),
        cluster: format!("canary{bait}"),
        state: NodeState::Refuses,
        addresses: BTreeSet::from(["10.0.0.1".to_owned()]),
        filters: 3,
        current: 2,
        versions: BTreeMap::from([(format!("0.1.0{bait}"), 3)]),
        filter: Some(NodeFilter {
            wanted: Some("new+22".to_owned()),
            held: Some("old+11".to_owned()),
        }),
        refusals: vec![Refusal {
            kind: "Filter".to_owned(),
            name: "gatehold".to_owned(),
            version: "new+22".to_owned(),
            reason: format!("Unable to create{bait}"),
            streams: 1,
        }],
        problems: BTreeSet::from([format!("two-copies{bait}")]),
        since: SystemTime::UNIX_EPOCH,
        last_seen: SystemTime::UNIX_EPOCH + Duration::from_secs(60),
    }
}

fn view(bait: &str) -> FleetView {
    FleetView {
        snapshot: Some("0011".to_owned()),
        nodes: vec![node(bait)],
        held_back: vec![HeldBack {
            version: "new+22".into(),
            node: format!("edge-1{bait}"),
            reason: format!("Unable to create{bait}"),
        }],
    }
}

#[tokio::test]
async fn the_page_says_how_each_envoy_stands() {
    let app = App::new().await;
    let cookie = app.sign_in(json!({ "sub": "eve", "roles": [] })).await;
    let empty = app.get("/fleet", &cookie).await;
    assert!(empty.body.contains("Nobody is connected"), "{}", empty.body);
    app.fleet.set(view(""));
    let page = app.get("/fleet", &cookie).await.body;
    for part in [
        "edge-1",
        "in canary",
        "10.0.0.1",
        "0.1.0 × 3",
        "to have new+22, has old+11",
        "2 of 3",
        "Refuses",
        "Filter gatehold (new+22): Unable to create",
        "two-copies",
        "is held back because of",
        "1 connected, 0 of them up to date, 1 refusing or refused",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
}

#[tokio::test]
async fn of_thousands_those_with_trouble_are_shown() {
    let app = App::new().await;
    let cookie = app.sign_in(json!({ "sub": "eve", "roles": [] })).await;
    let (mut well, mut ill) = (node("-well"), node("-ill"));
    (well.state, well.refusals) = (NodeState::Current, Vec::new());
    ill.refusals = vec![ill.refusals[0].clone(); 1000];
    let mut many = view("");
    many.nodes = vec![well; 5000];
    many.nodes.push(ill);
    many.held_back = vec![many.held_back[0].clone(); 100];
    app.fleet.set(many);
    let page = app.get("/fleet", &cookie).await.body;
    for (part, times) in [
        ("edge-1-well", 999),
        ("edge-1-ill", 1),
        ("and 4001 more", 1),
        // Of its notes.
        ("and 981 more", 1),
        ("is held back because of", 20),
        ("and 80 more that stand in the way", 1),
    ] {
        assert_eq!(page.matches(part).count(), times, "{part}");
    }
}

#[tokio::test]
async fn only_who_is_signed_in_may_look() {
    let app = App::new().await;
    let answer = app.get("/fleet", "").await;
    assert_eq!(
        (answer.status, answer.location()),
        (StatusCode::SEE_OTHER, "/sign-in?to=%2Ffleet")
    );
    let answer = app.api("GET", "/fleet", "no-token", "").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn what_envoys_say_is_shown_as_text() {
    let app = App::new().await;
    app.fleet.set(view("<b>\u{202e}"));
    let cookie = app.sign_in(json!({ "sub": "eve", "roles": [] })).await;
    let page = app.get("/fleet", &cookie).await.body;
    assert!(
        !page.contains("<b>") && !page.contains('\u{202e}'),
        "{page}"
    );
    assert_eq!(page.matches("U+202E").count(), 7, "{page}");
}

#[tokio::test]
async fn the_api_writes_what_its_schema_says() {
    let app = App::new().await;
    app.fleet.set(view(""));
    let token = app.provider.api_token("eve", &[]);
    let fleet = app.api("GET", "/fleet", &token, "").await.json();
    let document: Value = serde_json::from_str(OPENAPI).unwrap();
    let schemas = &document["components"]["schemas"];
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect();
    let node = &fleet["nodes"][0];
    for (value, schema) in [
        (&fleet, "Fleet"),
        (node, "Node"),
        (&node["given"], "Given"),
        (&node["refusals"][0], "Refusal"),
        (&fleet["heldBack"][0], "HeldBack"),
    ] {
        let written: BTreeSet<String> = names(value);
        assert_eq!(written, names(&schemas[schema]["properties"]), "{schema}");
    }
    assert_eq!(node["lastSeen"], "1970-01-01T00:01:00Z");
    assert_eq!(
        (&node["state"], &node["current"]),
        (&json!("refuses"), &json!(2))
    );
}
