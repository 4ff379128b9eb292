use std::time::Duration;

use super::*;
use crate::Resources;

const NOW: &str = "now";

fn at(second: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(second)
}

fn seen(kind: StreamKind, node: &str) -> Seen {
    Seen {
        kind,
        node: node.to_owned(),
        cluster: "edge".to_owned(),
        version: "0.1.0".to_owned(),
        peer: "10.0.0.1:4000".to_owned(),
        problems: Vec::new(),
        since: at(100),
        last_seen: at(200),
        snapshot: Some(NOW.to_owned()),
        filter: None,
        rejections: Vec::new(),
    }
}

fn filter(node: &str) -> Seen {
    seen(StreamKind::Policy, node)
}

fn gone(node: &str, refused: Option<&str>, second: u64) -> Gone {
    Gone {
        kind: StreamKind::Policy,
        node: node.to_owned(),
        cluster: "edge".to_owned(),
        version: "0.0.9".to_owned(),
        peer: "[::1]:4000".to_owned(),
        refused: refused.map(str::to_owned),
        at: at(second),
        times: 1,
    }
}

/// The state of the only node.
fn state(streams: &[Seen], gone: &[Gone], rollout: Option<&dyn Rollout>) -> NodeState {
    let view = view(at(205), streams, gone, Some(NOW), rollout, Vec::new());
    let [node] = view.nodes.as_slice() else {
        panic!("{:?}", view.nodes);
    };
    node.state
}

#[derive(Debug)]
struct New;

impl Rollout for New {
    fn wanted(&self, _: &str, _: &str) -> Option<Arc<str>> {
        Some("new+1".into())
    }

    fn versions(&self) -> Vec<Arc<str>> {
        vec!["new+1".into()]
    }

    fn resources(&self, _: &str, _: u32) -> Option<Arc<Resources>> {
        None
    }
}

#[test]
fn streams_of_an_envoy_are_one_entry() {
    let mut other = filter("edge-1");
    (other.version, other.peer) = ("0.2.0".to_owned(), "[2001:db8::2]:77".to_owned());
    (other.since, other.last_seen) = (at(50), at(300));
    let streams = [filter("edge-2"), filter("edge-1"), other, filter("edge-1")];
    let view = view(at(205), &streams, &[], Some(NOW), None, Vec::new());
    let [one, two] = view.nodes.as_slice() else {
        panic!("{:?}", view.nodes);
    };
    assert_eq!((&*one.node, &*two.node), ("edge-1", "edge-2"));
    assert_eq!((one.filters, one.current), (3, 3));
    let versions: Vec<_> = one.versions.iter().collect();
    assert_eq!(format!("{versions:?}"), r#"[("0.1.0", 2), ("0.2.0", 1)]"#);
    let addresses: Vec<_> = one.addresses.iter().collect();
    assert_eq!(addresses, ["10.0.0.1", "2001:db8::2"]);
    assert_eq!((one.since, one.last_seen), (at(50), at(300)));
    assert_eq!(one.state, NodeState::Current);
}

#[test]
fn an_envoy_that_lacks_something_is_behind() {
    let mut old = filter("a");
    old.snapshot = Some("before".to_owned());
    assert_eq!(
        state(&[filter("a"), old.clone()], &[], None),
        NodeState::Behind
    );
    old.snapshot = None;
    assert_eq!(state(&[old], &[], None), NodeState::Behind);
    // Before there is anything nobody can have it.
    let nothing = view(at(205), &[filter("a")], &[], None, None, Vec::new());
    assert_eq!(nothing.nodes[0].state, NodeState::Behind);
}

#[test]
fn an_envoy_without_the_filter_it_is_to_have_is_behind() {
    let rollout = New;
    let mut extension = seen(StreamKind::Filter, "a");
    extension.filter = Some("new+1".into());
    let streams = [filter("a"), extension.clone()];
    assert_eq!(state(&streams, &[], Some(&rollout)), NodeState::Current);
    extension.filter = Some("old+1".into());
    let streams = [filter("a"), extension];
    assert_eq!(state(&streams, &[], Some(&rollout)), NodeState::Behind);
    // No document speaks of filters any more.
    assert_eq!(state(&streams, &[], None), NodeState::Current);
    let view = view(
        at(205),
        &streams,
        &[],
        Some(NOW),
        Some(&rollout),
        Vec::new(),
    );
    let expected = NodeFilter {
        wanted: Some("new+1".to_owned()),
        held: Some("old+1".to_owned()),
    };
    assert_eq!(view.nodes[0].filter, Some(expected));
}

#[test]
fn refusals_are_told_once_with_their_number() {
    let mut refuses = filter("a");
    let rejection = |reason: &str| Rejection {
        version: "v".into(),
        reason: reason.to_owned(),
    };
    let server = "type.googleapis.com/gatehold.push.v1.Server".to_owned();
    refuses.rejections = vec![(server.clone(), "crm".to_owned(), rejection("bad glob"))];
    let mut odd = refuses.clone();
    odd.rejections = vec![(server, "crm".to_owned(), rejection("too long"))];
    let streams = [refuses.clone(), odd, refuses];
    let view = view(at(205), &streams, &[], Some(NOW), None, Vec::new());
    let refusals = &view.nodes[0].refusals;
    let told: Vec<_> = refusals
        .iter()
        .map(|it| (&*it.kind, &*it.reason, it.streams))
        .collect();
    assert_eq!(told, [("Server", "bad glob", 2), ("Server", "too long", 1)]);
    assert_eq!(view.nodes[0].state, NodeState::Refuses);
}

#[test]
fn what_a_filter_says_of_its_set_up_is_a_problem() {
    let mut wrong = filter("a");
    wrong.problems = vec!["two-copies".to_owned()];
    let streams = [filter("a"), wrong.clone(), wrong];
    let view = view(at(205), &streams, &[], Some(NOW), None, Vec::new());
    assert_eq!(view.nodes[0].state, NodeState::Problem);
    assert_eq!(view.nodes[0].problems.len(), 1);
}

#[test]
fn who_is_gone_is_listed_and_who_came_back_is_not() {
    assert_eq!(state(&[], &[gone("a", None, 150)], None), NodeState::Gone);
    assert_eq!(
        state(&[filter("a")], &[gone("a", None, 50)], None),
        NodeState::Current
    );
    // A filter that was replaced by another one.
    assert_eq!(
        state(&[filter("a")], &[gone("a", None, 150)], None),
        NodeState::Current
    );
}

#[test]
fn whom_control_refuses_is_told_why() {
    let refused = [gone("a", Some("protocol 7 is too new"), 150)];
    let seen_only_there = view(at(205), &[], &refused, Some(NOW), None, Vec::new());
    let node = &seen_only_there.nodes[0];
    assert_eq!((node.state, node.last_seen), (NodeState::Refuses, at(150)));
    let problem = "refused by control (0.0.9): protocol 7 is too new";
    assert!(node.problems.contains(problem), "{:?}", node.problems);
    // Its Envoy may have another stream, for the filter itself.
    let extension = [seen(StreamKind::Filter, "a")];
    assert_eq!(state(&extension, &refused, None), NodeState::Refuses);
    // A filter that control takes came after it.
    let earlier = [gone("a", Some("protocol 7 is too new"), 50)];
    assert_eq!(state(&[filter("a")], &earlier, None), NodeState::Current);
}

#[test]
fn a_filter_that_envoy_has_and_that_never_connected_is_a_problem() {
    let mut extension = seen(StreamKind::Filter, "a");
    let problem = |streams: &[Seen], second| {
        let view = view(at(second), streams, &[], Some(NOW), Some(&New), Vec::new());
        let node = &view.nodes[0];
        (node.state == NodeState::Problem).then(|| node.problems.iter().cloned().collect())
    };
    // It has none.
    assert_eq!(problem(std::slice::from_ref(&extension), 300), None);
    extension.filter = Some("new+1".into());
    // It has it since second 200.
    assert_eq!(problem(std::slice::from_ref(&extension), 210), None);
    let expected = vec![NOT_CONNECTED.to_owned()];
    assert_eq!(
        problem(std::slice::from_ref(&extension), 211),
        Some(expected)
    );
    assert_eq!(problem(&[extension, filter("a")], 300), None);
}

#[test]
fn one_of_several_with_the_same_node_id_that_lacks_something_is_told() {
    let with = |held: Option<&str>| Seen {
        filter: held.map(Into::into),
        ..seen(StreamKind::Filter, "a")
    };
    let streams = [
        with(Some("new+1")),
        with(None),
        with(Some("new+1")),
        filter("a"),
    ];
    assert_eq!(state(&streams, &[], Some(&New)), NodeState::Behind);
}
