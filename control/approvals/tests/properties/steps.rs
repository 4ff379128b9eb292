//! What can happen in a test, and how often.

use proptest::prelude::*;

/// What a test does next; numbers pick something that exists.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Wait {
        call: u8,
        mechanism: u8,
        filter: u8,
        stale: bool,
    },
    NextLeg {
        waiter: usize,
        skip: u32,
        again: bool,
    },
    Repeat {
        command: usize,
    },
    Claim {
        waiter: usize,
        wrong: u8,
    },
    Vote {
        approval: usize,
        person: usize,
        deny: bool,
    },
    Leave {
        waiter: usize,
        why: u8,
    },
    Cancel {
        waiter: usize,
    },
    Task {
        approval: usize,
        cancel: bool,
        stranger: bool,
    },
    Report {
        waiter: usize,
        state: u8,
    },
    Define {
        digest: u8,
    },
    Policy {
        version: u8,
    },
    Disconnect {
        filter: u8,
    },
    Pass {
        seconds: u64,
    },
    Crash,
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let any = any::<usize>;
    prop_oneof![
        6 => (0..4u8, 0..3u8, 0..2u8, prop::bool::weighted(0.05))
            .prop_map(|(call, mechanism, filter, stale)| Step::Wait { call, mechanism, filter, stale }),
        3 => (any(), 0..2u32, prop::bool::weighted(0.2))
            .prop_map(|(waiter, skip, again)| Step::NextLeg { waiter, skip, again }),
        4 => any().prop_map(|command| Step::Repeat { command }),
        6 => (any(), 0..8u8).prop_map(|(waiter, wrong)| Step::Claim { waiter, wrong }),
        8 => (any(), any(), prop::bool::weighted(0.1))
            .prop_map(|(approval, person, deny)| Step::Vote { approval, person, deny }),
        2 => (any(), 0..3u8).prop_map(|(waiter, why)| Step::Leave { waiter, why }),
        1 => any().prop_map(|waiter| Step::Cancel { waiter }),
        2 => (any(), prop::bool::weighted(0.2), prop::bool::weighted(0.2))
            .prop_map(|(approval, cancel, stranger)| Step::Task { approval, cancel, stranger }),
        2 => (any(), 0..4u8).prop_map(|(waiter, state)| Step::Report { waiter, state }),
        1 => (0..3u8).prop_map(|digest| Step::Define { digest }),
        1 => (1..3u8).prop_map(|version| Step::Policy { version }),
        1 => (0..2u8).prop_map(|filter| Step::Disconnect { filter }),
        2 => prop_oneof![1..20u64, 50..70u64, 500..1000u64]
            .prop_map(|seconds| Step::Pass { seconds }),
        1 => Just(Step::Crash),
    ]
}
