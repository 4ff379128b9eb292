use gatehold_wire::discovery::{DeltaDiscoveryRequest, Node, Status};

use super::*;
use crate::{Fleet, Resource, StreamKind};

/// One version for each cluster.
#[derive(Debug)]
struct ByCluster(BTreeMap<String, Arc<Resources>>);

impl Rollout for ByCluster {
    fn of(&self, _: &str, cluster: &str) -> Arc<Resources> {
        self.0.get(cluster).cloned().unwrap_or_default()
    }
}

fn version(label: &str) -> Resource {
    let body = label.as_bytes().to_vec();
    let version = format!("{label}+0");
    Resource::versioned(EXTENSION_TYPE_URL, EXTENSION_NAME, version, body)
}

fn rollout(clusters: &[(&str, &str)]) -> Rollouts {
    let of = |label: &str| {
        let one = [(EXTENSION_TYPE_URL.to_owned(), version(label))];
        Arc::new(one.into_iter().collect())
    };
    let all = clusters.iter();
    let all = all.map(|(cluster, label)| (cluster.to_string(), of(label)));
    Some(Arc::new(ByCluster(all.collect())))
}

struct Control {
    rollouts: watch::Sender<Rollouts>,
    gate: Arc<Gate>,
    fleet: Arc<Fleet>,
}

/// One Envoy, and the stream to it.
struct Envoy {
    connection: Connection,
    turns: Turns,
    nonce: Option<String>,
}

impl Control {
    fn new(clusters: &[(&str, &str)]) -> Self {
        Self {
            rollouts: watch::Sender::new(rollout(clusters)),
            gate: Arc::default(),
            fleet: Arc::default(),
        }
    }

    fn give(&self, clusters: &[(&str, &str)]) {
        self.rollouts.send_replace(rollout(clusters));
    }

    /// An Envoy of this cluster comes, and holds this version.
    fn envoy(&self, id: &str, cluster: &str, held: Option<&str>) -> Envoy {
        let connection = self
            .fleet
            .connect(StreamKind::Filter, "127.0.0.1:5".to_owned());
        let held = held.map(|label| version(label).version.to_string());
        connection.heard();
        connection.identify(&Node {
            id: id.to_owned(),
            cluster: cluster.to_owned(),
            ..Node::default()
        });
        let hello = DeltaDiscoveryRequest {
            type_url: EXTENSION_TYPE_URL.to_owned(),
            resource_names_subscribe: vec![EXTENSION_NAME.to_owned()],
            initial_resource_versions: held
                .map(|version| (EXTENSION_NAME.to_owned(), version))
                .into_iter()
                .collect(),
            ..DeltaDiscoveryRequest::default()
        };
        connection.with(|state| state.request(hello)).unwrap();
        Envoy {
            connection,
            turns: Turns::new(self.rollouts.subscribe(), self.gate.clone()),
            nonce: None,
        }
    }

    fn held_back(&self) -> Vec<(String, String, String)> {
        let rollout = self.rollouts.borrow().clone().unwrap();
        let held_back = self.gate.held_back(&*rollout).into_iter();
        held_back
            .map(|it| {
                let label = it.version.split('+').next().unwrap_or_default();
                (label.to_owned(), it.node, it.reason)
            })
            .collect()
    }
}

impl Envoy {
    /// The stream's turn comes: the label of what it sends.
    fn look(&mut self) -> Option<String> {
        let resources = self.turns.now(&self.connection)?;
        let due = self.connection.with(|state| state.due(&resources));
        let response = due.into_iter().next()?;
        self.nonce = Some(response.nonce.clone());
        let message = response.message().unwrap();
        let version = message.resources.first()?.version.clone();
        Some(version.split('+').next().unwrap_or_default().to_owned())
    }

    fn answer(&mut self, refusal: Option<&str>) {
        let answer = DeltaDiscoveryRequest {
            type_url: EXTENSION_TYPE_URL.to_owned(),
            response_nonce: self.nonce.take().expect("something was sent"),
            error_detail: refusal.map(|reason| Status {
                code: 3,
                message: reason.to_owned(),
            }),
            ..DeltaDiscoveryRequest::default()
        };
        self.connection.with(|state| state.request(answer)).unwrap();
        assert_eq!(self.look(), None);
    }

    fn gets(&mut self, label: &str) {
        assert_eq!(self.look().as_deref(), Some(label));
    }

    fn waits(&mut self) {
        assert_eq!(self.look(), None);
    }
}

#[test]
fn one_goes_first_and_the_others_once_it_has_taken_it() {
    let control = Control::new(&[("a", "old")]);
    let mut envoys = ["1", "2", "3"].map(|id| control.envoy(id, "a", Some("old")));
    envoys.iter_mut().for_each(Envoy::waits);
    control.give(&[("a", "new")]);
    let [one, two, three] = &mut envoys;
    one.gets("new");
    two.waits();
    three.waits();
    let mut seen = control.gate.changes.subscribe();
    seen.borrow_and_update();
    one.answer(None);
    assert!(seen.has_changed().unwrap(), "those who wait are woken");
    two.gets("new");
    three.gets("new");
}

#[test]
fn what_one_refuses_goes_to_nobody_else() {
    let control = Control::new(&[("a", "new"), ("b", "new")]);
    let mut one = control.envoy("1", "a", Some("old"));
    let mut two = control.envoy("2", "b", Some("old"));
    one.gets("new");
    one.answer(Some("no such import"));
    two.waits();
    let refused = (
        "new".to_owned(),
        "1".to_owned(),
        "no such import".to_owned(),
    );
    assert_eq!(control.held_back(), [refused]);
    // Not even when the one that refused it is away: it would refuse it again.
    drop(one);
    two.waits();
    // Only when that one is to have another.
    control.give(&[("a", "old"), ("b", "new")]);
    assert_eq!(control.held_back(), []);
    two.gets("new");
}

#[test]
fn a_group_goes_back_although_the_new_version_was_refused() {
    let control = Control::new(&[("a", "new")]);
    let mut one = control.envoy("1", "a", Some("old"));
    one.gets("new");
    one.answer(Some("no"));
    // It is told the version it has, after which it refuses nothing any more.
    control.give(&[("a", "old")]);
    one.gets("old");
    one.answer(None);
    assert_eq!(one.connection.with(|state| state.rejected()), 0);
}

#[test]
fn a_change_for_one_group_is_no_change_for_another() {
    let control = Control::new(&[("a", "old"), ("b", "old")]);
    let mut one = control.envoy("1", "a", Some("old"));
    let mut two = control.envoy("2", "b", Some("old"));
    control.give(&[("a", "new"), ("b", "old")]);
    two.waits();
    one.gets("new");
    one.answer(None);
    two.waits();
}

#[test]
fn who_has_nothing_need_not_wait() {
    let control = Control::new(&[("a", "new")]);
    let mut tries = control.envoy("1", "a", Some("old"));
    tries.gets("new");
    let mut fresh = control.envoy("2", "a", None);
    fresh.gets("new");
    // That it runs there is as good as a trial.
    fresh.answer(None);
    control.envoy("3", "a", Some("old")).gets("new");
}

#[test]
fn another_tries_when_the_first_one_goes() {
    let control = Control::new(&[("a", "new")]);
    let mut one = control.envoy("1", "a", Some("old"));
    let mut two = control.envoy("2", "a", Some("old"));
    one.gets("new");
    two.waits();
    drop(one);
    two.gets("new");
}

#[test]
fn control_that_was_restarted_learns_who_has_what() {
    let control = Control::new(&[("a", "new")]);
    control.envoy("1", "a", Some("new")).waits();
    control.envoy("2", "a", Some("old")).gets("new");
    control.envoy("3", "a", Some("old")).gets("new");
}

#[test]
fn without_a_document_everybody_keeps_what_they_have() {
    let control = Control::new(&[]);
    control.rollouts.send_replace(None);
    control.envoy("1", "a", Some("old")).waits();
    control.envoy("2", "a", None).waits();
}
