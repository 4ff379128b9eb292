use super::*;

const NEW: &str = "new";
const OLD: &str = "old";

/// A document with two versions, and the time.
struct World {
    trials: Trials,
    now: Instant,
    streams: u64,
}

/// An Envoy as it says of itself.
struct Envoy {
    stream: u64,
    node: Node,
    held: Option<Arc<str>>,
    refused: Option<Rejection>,
    sent: Option<Arc<str>>,
    offers: Vec<u32>,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            trials: Trials::default(),
            now: Instant::now(),
            streams: 0,
        };
        world.document(&[NEW, OLD]);
        world
    }

    fn document(&mut self, versions: &[&str]) {
        let versions = versions.iter().map(|&version| version.into()).collect();
        self.trials.document(versions, |_| Some(NEW.into()));
    }

    fn envoy(&mut self, id: &str, held: Option<&str>) -> Envoy {
        self.streams += 1;
        Envoy {
            stream: self.streams,
            node: Node {
                id: id.to_owned(),
                cluster: String::new(),
            },
            held: held.map(Into::into),
            refused: None,
            sent: None,
            offers: Vec::new(),
        }
    }

    /// What this one is sent, and when it is to look again.
    fn turn(&mut self, envoy: &mut Envoy) -> (Option<String>, Option<Duration>) {
        let report = Report {
            node: envoy.node.clone(),
            held: envoy.held.clone(),
            refused: envoy.refused.clone(),
            in_flight: envoy.sent.is_some(),
        };
        let wanted = NEW.into();
        self.trials.hear(envoy.stream, report, &wanted, self.now);
        let turn = self.trials.turn(envoy.stream, self.now);
        let version = turn.version.as_ref().map(ToString::to_string);
        if let Some(version) = turn.version {
            envoy.sent = Some(version);
            envoy.offers.push(turn.offer);
        }
        (version, turn.again.map(|again| again - self.now))
    }

    fn gets(&mut self, envoy: &mut Envoy, version: &str) {
        assert_eq!(self.turn(envoy).0.as_deref(), Some(version));
    }

    fn waits(&mut self, envoy: &mut Envoy) {
        assert_eq!(self.turn(envoy).0, None);
    }

    fn takes(&mut self, envoy: &mut Envoy) {
        envoy.held = envoy.sent.take();
        envoy.refused = None;
        self.waits(envoy);
    }

    /// It says no, and is sent this.
    fn refuses(&mut self, envoy: &mut Envoy) -> Option<String> {
        envoy.refused = envoy.sent.take().map(|version| Rejection {
            version,
            reason: "no".to_owned(),
        });
        self.turn(envoy).0
    }

    fn dies(&mut self, envoy: &Envoy) {
        self.trials.end(envoy.stream, true, self.now);
    }

    fn held_back(&mut self) -> usize {
        self.trials.held_back(self.now).count()
    }
}

#[test]
fn one_that_does_not_answer_holds_the_version_back_until_it_does() {
    let mut world = World::new();
    let mut one = world.envoy("1", Some(OLD));
    let mut two = world.envoy("2", Some(OLD));
    world.gets(&mut one, NEW);
    assert_eq!(world.turn(&mut one), (None, Some(ANSWER_WITHIN)));
    world.waits(&mut two);
    world.now += ANSWER_WITHIN;
    assert_eq!(world.turn(&mut one), (None, None));
    assert_eq!(world.held_back(), 1);
    world.waits(&mut two);
    world.takes(&mut one);
    assert_eq!(world.held_back(), 0);
    world.gets(&mut two, NEW);
}

#[test]
fn a_document_releases_what_an_envoy_never_answered() {
    let mut world = World::new();
    let mut one = world.envoy("1", Some(OLD));
    let mut two = world.envoy("2", Some(OLD));
    world.gets(&mut one, NEW);
    world.now += ANSWER_WITHIN;
    world.waits(&mut one);
    world.waits(&mut two);
    world.document(&[NEW, OLD]);
    world.waits(&mut one);
    assert_eq!(world.held_back(), 0);
    world.gets(&mut two, NEW);
    // It was killed after all.
    world.dies(&one);
    assert_eq!(world.held_back(), 1);
}

#[test]
fn who_has_gone_for_an_hour_has_no_say() {
    let mut world = World::new();
    let mut one = world.envoy("1", Some(OLD));
    let mut two = world.envoy("2", Some(OLD));
    world.gets(&mut one, NEW);
    assert_eq!(world.refuses(&mut one), None);
    world.now += 2 * FORGET_AFTER;
    // It is still there.
    assert_eq!(world.turn(&mut two), (None, None));
    world.dies(&one);
    assert_eq!(world.turn(&mut two), (None, Some(FORGET_AFTER)));
    let mut again = world.envoy("1", Some(OLD));
    world.waits(&mut again);
    world.now += FORGET_AFTER;
    world.waits(&mut again);
    // One that says the same node id is there.
    assert_eq!(world.turn(&mut two), (None, Some(FORGET_AFTER)));
    world.now += FORGET_AFTER / 2;
    world.dies(&again);
    assert_eq!(world.turn(&mut two), (None, Some(FORGET_AFTER)));
    world.now += FORGET_AFTER;
    world.gets(&mut two, NEW);
}

#[test]
fn a_killer_costs_few_that_have_nothing_else() {
    let mut world = World::new();
    let mut lost = 0;
    for minute in 0..20 {
        for id in ["1", "2", "3"] {
            let mut envoy = world.envoy(id, None);
            if world.turn(&mut envoy).0.is_some() {
                lost += 1;
            } else if minute == 0 {
                assert_eq!(world.turn(&mut envoy).1, Some(RETRY_AFTER));
            }
            world.dies(&envoy);
        }
        world.now += RETRY_AFTER;
    }
    assert_eq!(lost, 1 + MAX_RETRIES);
}

#[test]
fn one_that_was_lost_by_chance_stops_nobody_for_long() {
    let mut world = World::new();
    let mut one = world.envoy("1", None);
    world.gets(&mut one, NEW);
    world.dies(&one);
    let mut two = world.envoy("2", None);
    let mut three = world.envoy("3", None);
    assert_eq!(world.turn(&mut two), (None, Some(RETRY_AFTER)));
    world.now += RETRY_AFTER;
    world.gets(&mut two, NEW);
    world.waits(&mut three);
    world.takes(&mut two);
    // The first one's loss is still known, but it runs now.
    world.gets(&mut three, NEW);
    let mut one = world.envoy("1", None);
    world.gets(&mut one, NEW);
    world.takes(&mut one);
    assert_eq!(world.held_back(), 0);
}

#[test]
fn an_envoy_that_refuses_everything_is_left_alone() {
    let mut world = World::new();
    let mut has_old = world.envoy("0", Some(OLD));
    world.gets(&mut has_old, NEW);
    let mut fresh = world.envoy("1", None);
    world.gets(&mut fresh, OLD);
    // It may have nothing else, so it may try what the other one tries.
    assert_eq!(world.refuses(&mut fresh).as_deref(), Some(NEW));
    assert_eq!(world.refuses(&mut fresh), None);
    world.waits(&mut fresh);
    assert!(fresh.offers[0] < fresh.offers[1], "{:?}", fresh.offers);
    // It speaks for those that are to have the new version, and not for those of the old one.
    assert_eq!(world.held_back(), 1);
    world.takes(&mut has_old);
    world.waits(&mut fresh);
}

#[test]
fn refusals_are_bounded() {
    let mut world = World::new();
    for number in 0..2 * MAX_REFUSALS {
        let mut envoy = world.envoy(&number.to_string(), None);
        world.gets(&mut envoy, NEW);
        assert_eq!(world.refuses(&mut envoy), None);
    }
    assert_eq!(world.held_back(), MAX_REFUSALS);
}

#[test]
fn where_it_runs_one_may_be_lost_by_chance_and_two_may_not() {
    let mut world = World::new();
    let mut runs = world.envoy("0", Some(NEW));
    let [mut one, mut two, mut three] = ["1", "2", "3"].map(|id| world.envoy(id, Some(OLD)));
    world.waits(&mut runs);
    world.gets(&mut one, NEW);
    world.dies(&one);
    // It was one of those that are ended while they load.
    world.gets(&mut two, NEW);
    let mut other = world.envoy("4", None);
    world.gets(&mut other, NEW);
    world.takes(&mut other);
    // It itself does not try it again, and people are told.
    let mut one = world.envoy("1", None);
    world.gets(&mut one, OLD);
    world.takes(&mut one);
    assert_eq!(world.held_back(), 1);
    world.dies(&two);
    world.waits(&mut three);
    let mut other = world.envoy("5", None);
    world.gets(&mut other, OLD);
    assert_eq!(world.held_back(), 2);
}

#[test]
fn beyond_that_nobody_is_sent_the_same_again_and_again() {
    let mut world = World::new();
    let mut has_old = world.envoy("old", Some(OLD));
    world.gets(&mut has_old, NEW);
    for number in 0..2 * MAX_REFUSALS {
        let mut envoy = world.envoy(&number.to_string(), None);
        world.gets(&mut envoy, OLD);
        assert_eq!(world.refuses(&mut envoy).as_deref(), Some(NEW));
        assert_eq!(world.refuses(&mut envoy), None);
        world.waits(&mut envoy);
    }
}

#[test]
fn one_that_refuses_even_what_it_has_is_left_alone() {
    let mut world = World::new();
    let mut one = world.envoy("1", Some(NEW));
    world.waits(&mut one);
    one.refused = Some(Rejection {
        version: OLD.into(),
        reason: "no".to_owned(),
    });
    world.gets(&mut one, NEW);
    assert_eq!(world.refuses(&mut one), None);
    assert_eq!(world.turn(&mut one), (None, None));
}

#[test]
fn a_connection_of_which_control_hears_late_that_it_broke_costs_nothing() {
    let mut world = World::new();
    let mut one = world.envoy("1", Some(OLD));
    world.gets(&mut one, NEW);
    let mut again = world.envoy("1", Some(OLD));
    world.waits(&mut again);
    world.dies(&one);
    assert_eq!(world.held_back(), 0);
    world.gets(&mut again, NEW);
    assert!(one.offers[0] < again.offers[0]);
    // One that was killed comes back without any.
    let mut fresh = world.envoy("1", None);
    world.gets(&mut fresh, OLD);
    world.takes(&mut fresh);
    world.dies(&again);
    assert_eq!(world.held_back(), 1);
    let lost = world.trials.lost();
    assert_eq!((&*lost[0].node, lost.len()), ("1", 1));
}

#[test]
fn connections_that_break_while_a_version_is_loaded_and_taken_cost_nothing() {
    let mut world = World::new();
    for _ in 0..20 {
        let mut one = world.envoy("1", Some(OLD));
        world.gets(&mut one, NEW);
        let mut back = world.envoy("1", Some(NEW));
        world.waits(&mut back);
        world.dies(&one);
        assert_eq!(world.held_back(), 0);
        world.dies(&back);
    }
}

#[test]
fn what_no_document_names_is_not_kept() {
    let mut world = World::new();
    for number in 0..100 {
        let mut envoy = world.envoy("1", Some(&format!("made up {number}")));
        world.turn(&mut envoy);
        world.dies(&envoy);
    }
    assert_eq!(world.trials.versions.len(), 2);
    assert!(world.trials.streams.is_empty());
}
