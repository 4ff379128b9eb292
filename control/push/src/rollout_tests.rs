use std::collections::BTreeMap;

use gatehold_wire::discovery::{self, DeltaDiscoveryRequest, Status};

use super::*;
use crate::{Fleet, Resource, StreamKind};

/// One version for each cluster, and the names of others that there are.
#[derive(Debug)]
struct ByCluster(BTreeMap<String, String>, Vec<String>);

impl Rollout for ByCluster {
    fn wanted(&self, _: &str, cluster: &str) -> Option<Arc<str>> {
        let label = self.0.get(cluster)?;
        Some(version(label))
    }

    fn versions(&self) -> Vec<Arc<str>> {
        let all = self.0.values().chain(&self.1);
        all.map(|label| version(label)).collect()
    }

    fn resources(&self, version: &str, offer: u32) -> Option<Arc<Resources>> {
        let body = format!("{version} {offer}").into_bytes();
        let (name, version) = (EXTENSION_NAME, version.to_owned());
        let resource = Resource::versioned(EXTENSION_TYPE_URL, name, version, body);
        let one = [(EXTENSION_TYPE_URL.to_owned(), resource)];
        Some(Arc::new(one.into_iter().collect()))
    }
}

fn version(label: &str) -> Arc<str> {
    format!("{label}+0").into()
}

fn rollout(clusters: &[(&str, &str)]) -> Rollouts {
    let all = clusters.iter();
    let all = all.map(|(cluster, label)| (cluster.to_string(), label.to_string()));
    Some(Arc::new(ByCluster(all.collect(), vec!["old".to_owned()])))
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
    /// All that it was sent.
    messages: Vec<Vec<u8>>,
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
        let held = held.map(|label| version(label).to_string());
        connection.heard();
        connection.identify(&discovery::Node {
            id: id.to_owned(),
            cluster: cluster.to_owned(),
            ..discovery::Node::default()
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
            messages: Vec::new(),
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
        let resource = message.resources.first()?;
        let body = resource.resource.clone().unwrap().value;
        self.messages.push(body);
        let version = resource.version.clone();
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
    }

    fn takes(&mut self) {
        self.answer(None);
        self.waits();
    }

    fn refuses(&mut self, reason: &str) {
        self.answer(Some(reason));
        self.waits();
    }

    /// Its process ends, and so does the stream.
    fn dies(mut self) {
        self.turns.ended(true);
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
    one.takes();
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
    one.refuses("no such import");
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
    one.refuses("no");
    // It is told the version it has, after which it refuses nothing any more.
    control.give(&[("a", "old")]);
    one.gets("old");
    one.takes();
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
    one.takes();
    two.waits();
}

#[test]
fn who_has_nothing_gets_what_is_known_to_run_and_else_need_not_wait() {
    let control = Control::new(&[("a", "new")]);
    let mut fresh = control.envoy("1", "a", None);
    fresh.gets("new");
    control.envoy("2", "a", None).gets("new");
    // It may kill those that try it, and `old` is known to run.
    let mut has_old = control.envoy("3", "a", Some("old"));
    let mut waits = control.envoy("4", "a", None);
    has_old.gets("new");
    waits.gets("old");
    waits.takes();
    // That it runs somewhere is as good as a trial.
    fresh.takes();
    waits.gets("new");
    control.envoy("5", "a", None).gets("new");
}

#[test]
fn another_tries_when_the_first_one_goes_before_it_was_sent_anything() {
    let control = Control::new(&[("a", "new")]);
    let mut one = control.envoy("1", "a", Some("old"));
    let mut two = control.envoy("2", "a", Some("old"));
    one.gets("new");
    two.waits();
    // What was meant for it never went out.
    one.turns.ended(false);
    assert_eq!(control.held_back(), []);
    two.gets("new");
}

#[test]
fn a_version_that_kills_the_first_one_goes_no_further() {
    let control = Control::new(&[("a", "new")]);
    let mut one = control.envoy("1", "a", Some("old"));
    let mut two = control.envoy("2", "a", Some("old"));
    one.gets("new");
    two.waits();
    one.dies();
    two.waits();
    let lost = |id: &str| {
        let reason = "it went away while it tried it";
        ("new".to_owned(), id.to_owned(), reason.to_owned())
    };
    assert_eq!(control.held_back(), [lost("1")]);
    // It comes again, without any filter, and gets the one that is known to run.
    let mut again = control.envoy("1", "a", None);
    again.gets("old");
    again.takes();
    assert_eq!(control.held_back(), [lost("1")]);
    // Another document is another chance.
    control.give(&[("a", "new"), ("b", "old")]);
    assert_eq!(control.held_back(), [lost("1")]);
    two.gets("new");
    again.waits();
    assert_eq!(control.held_back(), []);
}

#[test]
fn a_connection_that_breaks_is_no_refusal_if_the_envoy_still_has_a_filter() {
    let control = Control::new(&[("a", "new")]);
    let mut two = control.envoy("2", "a", Some("old"));
    for _ in 0..3 {
        let mut one = control.envoy("1", "a", Some("old"));
        one.gets("new");
        one.dies();
        two.waits();
    }
    // It has it although its answer was lost.
    let mut one = control.envoy("1", "a", Some("new"));
    one.waits();
    two.gets("new");
    drop((one, two));
    // One that always loses its connection is not tried forever.
    let control = Control::new(&[("a", "new")]);
    let tries = (0..10).filter(|_| {
        let mut one = control.envoy("1", "a", Some("old"));
        let tries = one.look().is_some();
        one.dies();
        tries
    });
    assert_eq!(tries.count(), 4);
    assert_eq!(control.held_back().len(), 1);
}

/// Lets everybody answer as `takes` says and look again when woken, until nobody is woken any more: how often they
/// looked.
fn until_quiet(envoys: &mut [(&mut Envoy, bool)]) -> usize {
    let mut looks = 0;
    loop {
        let mut is_quiet = true;
        for (envoy, takes) in &mut *envoys {
            let is_woken = envoy.turns.changes.has_changed().unwrap();
            if is_woken && envoy.nonce.is_none() {
                is_quiet = false;
                looks += 1;
                if envoy.look().is_some() {
                    envoy.answer((!*takes).then_some("no"));
                    envoy.look();
                }
            }
        }
        if is_quiet {
            return looks;
        }
        assert!(looks < 100, "they wake each other again and again");
    }
}

#[test]
fn two_with_one_node_id_that_do_not_agree_come_to_rest() {
    let control = Control::new(&[("a", "new")]);
    let [mut one, mut two, mut three] = [0; 3].map(|_| control.envoy("static", "a", Some("old")));
    one.gets("new");
    one.takes();
    two.gets("new");
    three.gets("new");
    two.refuses("no");
    three.takes();
    let looks = until_quiet(&mut [(&mut one, true), (&mut two, false), (&mut three, true)]);
    assert!(looks <= 6, "{looks}");
    let before = *control.gate.changes.borrow();
    for _ in 0..10 {
        for envoy in [&mut one, &mut two, &mut three] {
            envoy.waits();
        }
        control.held_back();
    }
    assert_eq!(*control.gate.changes.borrow(), before);
    // The one that took it has not taken back what the other said.
    assert_eq!(control.held_back().len(), 1);
    control.envoy("4", "a", Some("old")).waits();
}

#[test]
fn a_new_version_comes_to_rest_with_everybody() {
    let control = Control::new(&[("a", "new")]);
    let mut envoys: Vec<Envoy> = (0..20)
        .map(|number| control.envoy(&number.to_string(), "a", Some("old")))
        .collect();
    envoys[0].gets("new");
    envoys[0].takes();
    let mut all: Vec<_> = envoys.iter_mut().map(|envoy| (envoy, true)).collect();
    let looks = until_quiet(&mut all);
    assert!(looks <= 60, "{looks}");
}

#[test]
fn who_has_nothing_is_not_given_what_is_held_back() {
    let control = Control::new(&[("a", "new"), ("b", "older")]);
    control.envoy("0", "b", Some("older")).waits();
    let mut neighbour = control.envoy("1", "a", Some("old"));
    neighbour.gets("new");
    neighbour.refuses("no");
    let mut fresh = control.envoy("2", "a", None);
    // What its group has, and not what another one has.
    fresh.gets("old");
    fresh.takes();
    assert_eq!(control.held_back().len(), 1);
    control.give(&[("a", "newer")]);
    fresh.gets("newer");
}

#[test]
fn what_was_refused_is_never_offered_in_the_same_words() {
    let control = Control::new(&[("a", "new")]);
    let mut one = control.envoy("1", "a", None);
    one.gets("new");
    one.refuses("no");
    drop(one.turns);
    // Nothing is known to run, so it has nothing to lose.
    let mut again = control.envoy("1", "a", None);
    again.gets("new");
    assert_ne!(again.messages, one.messages);
    again.refuses("no");
    // Nobody else takes it on their word either.
    control.envoy("2", "a", Some("old")).waits();
    assert_eq!(control.held_back().len(), 2);
    // It is given what is found to run.
    again.gets("old");
}

#[test]
fn what_was_refused_is_tried_again_when_a_document_says_so() {
    let control = Control::new(&[("a", "new")]);
    let mut one = control.envoy("1", "a", Some("old"));
    one.gets("new");
    one.refuses("no");
    control.give(&[("a", "old")]);
    one.gets("old");
    one.takes();
    control.give(&[("a", "new")]);
    one.gets("new");
    assert_ne!(one.messages[0], one.messages[2]);
    one.takes();
    assert_eq!(control.held_back(), []);
}

#[test]
fn who_asks_for_something_else_tries_nothing() {
    let control = Control::new(&[("a", "new")]);
    let mut other = control.envoy("1", "a", Some("old"));
    let leaves = DeltaDiscoveryRequest {
        type_url: EXTENSION_TYPE_URL.to_owned(),
        resource_names_unsubscribe: vec![EXTENSION_NAME.to_owned()],
        ..DeltaDiscoveryRequest::default()
    };
    other
        .connection
        .with(|state| state.request(leaves))
        .unwrap();
    other.waits();
    control.envoy("2", "a", Some("old")).gets("new");
}

#[test]
fn a_long_reason_is_cut() {
    let control = Control::new(&[("a", "new")]);
    let mut one = control.envoy("1", "a", Some("old"));
    one.gets("new");
    one.refuses(&"x".repeat(1 << 20));
    assert_eq!(control.held_back()[0].2.len(), 256);
}

#[tokio::test(start_paused = true)]
async fn a_trial_without_an_answer_is_noticed_without_anybody_looking() {
    let control = Control::new(&[("a", "new")]);
    let mut one = control.envoy("1", "a", Some("old"));
    let mut two = control.envoy("2", "a", Some("old"));
    one.gets("new");
    two.waits();
    let before = Instant::now();
    while control.held_back().is_empty() {
        assert!(one.turns.changed().await);
        one.waits();
    }
    assert_eq!(before.elapsed(), crate::trials::ANSWER_WITHIN);
    two.waits();
    assert_eq!(control.held_back()[0].2, "it did not answer within 60 s");
    // Better late.
    one.takes();
    assert_eq!(control.held_back(), []);
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
