//! What time brings about, and what is refused.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{World, call, person, requirement, vote};
use gatehold_approvals::{
    ApprovalId, Caller, Claim, Command, Effect, Leg, Limits, Mechanism, Outcome, Say, State,
    TaskRequest, TaskStatus, Verdict, Why,
};

const SECOND: u64 = 1000;

fn lead() -> Vec<gatehold_engine::Approval> {
    vec![requirement(&["lead"], &[], 1)]
}

/// A world in which one call waits.
fn waiting(mechanism: Mechanism) -> (World, ApprovalId) {
    let mut world = World::new(Limits {
        open_per_caller: 3,
        ..Limits::default()
    });
    world.wait("w0", call(1, lead()), mechanism, None);
    let id = world.table.rows.keys().next().unwrap().clone();
    (world, id)
}

fn pass(world: &mut World, millis: u64) -> Vec<Effect> {
    world.now += millis;
    world.say(Command::Tick)
}

fn outcome(effects: &[Effect]) -> Option<Outcome> {
    match &effects.last()?.say {
        Say::Decided { outcome, .. } => Some(*outcome),
        _ => None,
    }
}

fn leave(world: &mut World, waiter: &str, why: Why) {
    let waiter = waiter.into();
    world.say(Command::Leave { waiter, why });
}

#[test]
fn what_nobody_decides_or_uses_expires() {
    let (mut world, id) = waiting(Mechanism::Request);
    assert_eq!(world.book.next_due(), Some(world.now + 900 * SECOND));
    assert_eq!(pass(&mut world, 900 * SECOND - 1), []);
    assert_eq!(outcome(&pass(&mut world, 1)), Some(Outcome::Expired));
    assert_eq!(world.state(&id), State::Expired);

    let (mut world, id) = waiting(Mechanism::Request);
    world.say(vote(&id, person("bob", &["lead"]), Verdict::Approve, ""));
    pass(&mut world, 900 * SECOND);
    assert_eq!(world.state(&id), State::Expired);
}

#[test]
fn rounds_that_nobody_goes_on_with_are_withdrawn() {
    for is_killed in [false, true] {
        let (mut world, id) = waiting(Mechanism::Rounds);
        leave(&mut world, "w0", Why::LegEnded);
        if is_killed {
            world.crash();
        }
        pass(&mut world, 60 * SECOND - 1);
        assert_eq!(world.state(&id), State::Pending);
        pass(&mut world, 1);
        assert_eq!(world.state(&id), State::Withdrawn, "killed: {is_killed}");
        let leg = Leg {
            approval: id,
            chain: "w0".into(),
            number: 1,
        };
        let late = world.wait("w1", call(1, lead()), Mechanism::Rounds, Some(leg));
        assert_eq!(outcome(&late), Some(Outcome::Withdrawn));
    }
    // Not while somebody else waits for it, or may come back by making the call again.
    let (mut world, id) = waiting(Mechanism::Rounds);
    world.wait("w1", call(1, lead()), Mechanism::Request, None);
    leave(&mut world, "w0", Why::Gone);
    leave(&mut world, "w1", Why::Told);
    world.crash();
    pass(&mut world, 120 * SECOND);
    assert_eq!(world.state(&id), State::Pending);
    assert_eq!(world.book.waiting(&id), 0);
    world.say(vote(&id, person("bob", &["lead"]), Verdict::Approve, ""));
    let again = world.wait("w2", call(1, lead()), Mechanism::Request, None);
    assert_eq!(outcome(&again), Some(Outcome::Approved));
}

#[test]
fn a_filter_has_a_minute_to_connect_again() {
    let (mut world, id) = waiting(Mechanism::Rounds);
    let sender: std::sync::Arc<str> = "filter".into();
    world.say(Command::Back {
        sender: sender.clone(),
    });
    world.say(Command::Gone {
        sender: sender.clone(),
    });
    pass(&mut world, 59 * SECOND);
    world.say(Command::Back { sender });
    world.wait("w0", call(1, lead()), Mechanism::Rounds, None);
    pass(&mut world, 59 * SECOND);
    assert_eq!(world.state(&id), State::Pending);
}

#[test]
fn what_cannot_wait_is_refused() {
    let check = |change: fn(&mut gatehold_approvals::Call), expected: Option<Outcome>| {
        let (mut world, _) = waiting(Mechanism::Request);
        let mut call = call(2, lead());
        change(&mut call);
        let effects = world.wait("w1", call, Mechanism::Request, None);
        assert_eq!(outcome(&effects), expected);
    };
    let refused = Some(Outcome::Refused);
    check(|_| {}, None);
    check(|call| call.requirements.clear(), refused);
    check(|call| call.arguments = "x".repeat((256 << 10) + 1), refused);
    // A waiter stands for one call.
    let (mut world, _) = waiting(Mechanism::Request);
    let other = world.wait("w0", call(2, lead()), Mechanism::Request, None);
    assert_eq!(outcome(&other), refused);
    // Three may be open.
    for (digest, expected) in [(2, None), (3, None), (4, refused), (1, None)] {
        let waiter = format!("w{digest}-of-many");
        let effects = world.wait(&waiter, call(digest, lead()), Mechanism::Request, None);
        assert_eq!(outcome(&effects), expected, "call {digest}");
    }
}

#[test]
fn a_task_whose_gateway_went_away_is_lost() {
    let (mut world, id) = waiting(Mechanism::Task);
    world.say(vote(&id, person("bob", &["lead"]), Verdict::Approve, ""));
    let sender: std::sync::Arc<str> = "runner".into();
    let back = |sender: &std::sync::Arc<str>| Command::Back {
        sender: sender.clone(),
    };
    world.say(back(&sender));
    world.say(Command::Claim(Claim {
        sender: sender.clone(),
        waiter: "runs".into(),
        approval: id.clone(),
        digest: None,
        policy_version: "v1".to_owned(),
        server: "crm".to_owned(),
    }));
    let status = |world: &mut World| {
        let effects = world.say(Command::Task(TaskRequest {
            sender: "filter".into(),
            waiter: "asks".into(),
            approval: id.clone(),
            cancel: false,
            caller: Caller {
                issuer: "https://idp".to_owned(),
                user: "ana".to_owned(),
                agent: "bot".to_owned(),
            },
        }));
        match effects.into_iter().next_back().map(|effect| effect.say) {
            Some(Say::Task { state, .. }) => state.map(|state| state.status),
            _ => None,
        }
    };
    pass(&mut world, 300 * SECOND);
    assert_eq!(status(&mut world), Some(TaskStatus::Working));
    world.say(Command::Gone { sender });
    pass(&mut world, 59 * SECOND);
    assert_eq!(status(&mut world), Some(TaskStatus::Working));
    pass(&mut world, SECOND);
    assert_eq!(status(&mut world), Some(TaskStatus::Failed));
    // It can be asked for until an hour after it would have expired.
    pass(&mut world, 4300 * SECOND);
    assert_eq!(status(&mut world), None);
}
