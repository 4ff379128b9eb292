//! Whatever happens in whatever order, and however often the process is killed: what may run is what people allowed.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../common/mod.rs"]
mod common;
mod steps;

use std::collections::{BTreeMap, BTreeSet};

use common::{World, call, person, requirement, vote, wait};
use gatehold_approvals::{
    ApprovalId, Caller, Change, Claim, Command, Definition, Effect, Leg, Limits, Mechanism, Report,
    RunState, Say, State, TaskRequest, Verdict, Why,
};
use gatehold_engine::Approval as Requirement;
use proptest::prelude::*;
use steps::{Step, step};

/// What each of the four calls requires.
fn requirements(call: u8) -> Vec<Requirement> {
    match call {
        0 => vec![requirement(&["lead"], &[], 0)],
        1 => vec![requirement(&["lead"], &["bob"], 2)],
        2 => vec![
            requirement(&["lead"], &[], 1),
            requirement(&[], &["bob", "cid"], 1),
        ],
        _ => vec![Requirement {
            self_approval: true,
            ..requirement(&["lead"], &[], 1)
        }],
    }
}

const PEOPLE: [(&str, &[&str]); 5] = [
    ("ana", &["lead"]), // who asks for every call
    ("bob", &[]),
    ("cid", &["lead"]),
    ("dee", &["lead", "clerk"]),
    ("eve", &["clerk"]),
];

/// A waiter as the filter knows it.
#[derive(Clone, Debug)]
struct Waiter {
    name: String,
    call: u8,
    chain: String,
    number: u32,
    approval: Option<ApprovalId>,
    version: String,
}

/// The world, and what was observed of it from outside.
struct Trial {
    world: World,
    waiters: Vec<Waiter>,
    /// Everything that was ever said, to say it again.
    said: Vec<Command>,
    /// Waiters that were told that they may run something, in order, by approval.
    granted: BTreeMap<ApprovalId, Vec<String>>,
    ended: BTreeMap<ApprovalId, State>,
    version: String,
    made: u8,
}

impl Trial {
    fn new() -> Self {
        let limits = Limits {
            open_per_caller: 6,
            ended: 30_000,
            ..Limits::default()
        };
        Self {
            world: World::new(limits),
            waiters: Vec::new(),
            said: Vec::new(),
            granted: BTreeMap::new(),
            ended: BTreeMap::new(),
            version: "v1".to_owned(),
            made: 0,
        }
    }

    fn say(&mut self, command: Command) {
        self.said.push(command.clone());
        self.say_again(command);
    }

    fn say_again(&mut self, command: Command) {
        let applied = self.world.apply(command);
        for change in &applied.changes {
            if let Change::Created { approval, .. } = change {
                let version = &approval.call.policy_version;
                assert_eq!(*version, self.version, "an old policy made an approval");
            }
        }
        for effect in applied.effects {
            self.hear(effect);
        }
        self.check();
    }

    fn hear(&mut self, effect: Effect) {
        let waiter = self
            .waiters
            .iter_mut()
            .find(|waiter| waiter.name == *effect.waiter);
        match effect.say {
            Say::Pending { approval, .. } => {
                assert_eq!(self.world.state(&approval), State::Pending);
                waiter.unwrap().approval = Some(approval);
            }
            Say::Decided {
                approval: Some(approval),
                ..
            } => {
                if let Some(waiter) = waiter {
                    waiter.approval = Some(approval);
                }
            }
            Say::Granted { approval, .. } => {
                let row = &self.world.table.rows[&approval];
                assert_eq!(row.approval.state, State::Used);
                let granted = self.granted.entry(approval).or_default();
                let name = effect.waiter.to_string();
                if !granted.contains(&name) {
                    granted.push(name);
                }
            }
            _ => {}
        }
    }

    /// What has to hold at any time, by what is written and what was said.
    fn check(&mut self) {
        for (id, row) in &self.world.table.rows {
            let approval = &row.approval;
            if let Some(state) = self.ended.get(id) {
                assert_eq!(*state, approval.state, "what has ended changed");
            }
            if !approval.state.is_open() {
                self.ended.insert(id.clone(), approval.state);
            }
            if let Some(state) = self.world.book.state(id) {
                assert_eq!(state, approval.state, "the book is not what is written");
            }
            if matches!(approval.state, State::Approved | State::Used) {
                check_votes(approval.call.digest[0], &approval.votes);
            }
            assert_eq!(row.grant.is_some(), approval.state == State::Used);
        }
        for (approval, granted) in &self.granted {
            let chains: BTreeSet<&str> = granted
                .iter()
                .map(|name| {
                    let waiter = self.waiters.iter().find(|waiter| waiter.name == *name);
                    waiter.map_or(name.as_str(), |waiter| waiter.chain.as_str())
                })
                .collect();
            assert_eq!(chains.len(), 1, "{approval} ran for {granted:?}");
            let row = &self.world.table.rows[approval];
            let numbers = granted.iter().filter_map(|name| {
                let waiter = self.waiters.iter().find(|waiter| waiter.name == *name);
                waiter.map(|waiter| waiter.number)
            });
            let numbers: Vec<u32> = numbers.collect();
            assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
            if row.approval.mechanism == Mechanism::Task {
                assert_eq!(granted.len(), 1, "a task ran twice");
            }
        }
        let open = self.world.table.rows.values();
        let open = open.filter(|row| row.approval.state.is_open());
        let (mut pending, mut approved, mut waiting) = (0, 0, 0);
        for row in open {
            match row.approval.state {
                State::Pending => pending += 1,
                _ => approved += 1,
            }
            waiting += row.chains.len();
        }
        let counts = self.world.book.counts();
        assert_eq!(
            (counts.pending, counts.approved, counts.waiting),
            (pending, approved, waiting)
        );
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Wait {
                call: number,
                mechanism,
                filter,
                stale,
            } => {
                let mechanism = match mechanism {
                    0 => Mechanism::Request,
                    1 => Mechanism::Rounds,
                    _ => Mechanism::Task,
                };
                let name = format!("w{}", self.waiters.len());
                let version = match stale {
                    // Refused unless nobody has said what is in force.
                    true if self.version != "v1" => "v0".to_owned(),
                    _ => self.version.clone(),
                };
                self.waiters.push(Waiter {
                    name: name.clone(),
                    call: number,
                    chain: name.clone(),
                    number: 0,
                    approval: None,
                    version: version.clone(),
                });
                self.made += 1;
                let mut call = call(number, requirements(number));
                call.policy_version = version;
                let sender = format!("filter-{filter}");
                let random = [self.made; 16];
                self.say(wait(&sender, &name, call, mechanism, None, random));
            }
            Step::NextLeg {
                waiter,
                skip,
                again,
            } => {
                let Some(before) = self.pick(waiter) else {
                    return;
                };
                let Some(approval) = before.approval.clone() else {
                    return;
                };
                let number = match again {
                    true => before.number,
                    false => before.number + 1 + skip,
                };
                let name = format!("w{}", self.waiters.len());
                self.waiters.push(Waiter {
                    name: name.clone(),
                    number,
                    approval: None,
                    ..before.clone()
                });
                let leg = Leg {
                    approval,
                    chain: before.chain.as_str().into(),
                    number,
                };
                let mut call = call(before.call, requirements(before.call));
                call.policy_version = before.version;
                let command = wait(
                    "filter-0",
                    &name,
                    call,
                    Mechanism::Rounds,
                    Some(leg),
                    [0; 16],
                );
                self.say(command);
            }
            Step::Repeat { command } => {
                let Some(command) = pick(&self.said, command) else {
                    return;
                };
                // A policy or a definition is not said again once there is a newer one.
                match command {
                    Command::Policy(_) | Command::Definition(_) => {}
                    Command::Wait(mut wait) => {
                        // Control throws the dice, for each message that comes.
                        self.made += 1;
                        wait.random = [self.made; 16];
                        self.repeat(Command::Wait(wait));
                    }
                    command => self.repeat(command),
                }
            }
            Step::Claim { waiter, wrong } => {
                let Some(waiter) = self.pick(waiter) else {
                    return;
                };
                let Some(approval) = waiter.approval else {
                    return;
                };
                let mut claim = Claim {
                    sender: "filter-0".into(),
                    waiter: waiter.name.as_str().into(),
                    approval: approval.clone(),
                    digest: Some([waiter.call; 32]),
                    policy_version: waiter.version,
                    server: "crm".to_owned(),
                };
                match wrong {
                    0 => claim.digest = Some([99; 32]),
                    1 => claim.policy_version = "v9".to_owned(),
                    2 => claim.server = "erp".to_owned(),
                    3 => claim.digest = None,
                    _ => {}
                }
                let is_task =
                    self.world.table.rows[&approval].approval.mechanism == Mechanism::Task;
                let before = self.granted.clone();
                self.say(Command::Claim(claim));
                if wrong < 3 || wrong == 3 && !is_task {
                    assert_eq!(before, self.granted, "another call was let through");
                }
            }
            Step::Vote {
                approval,
                person: who,
                deny,
            } => {
                let Some(id) = self.approval(approval) else {
                    return;
                };
                let (user, roles) = PEOPLE[who % PEOPLE.len()];
                let verdict = match deny {
                    true => Verdict::Deny,
                    false => Verdict::Approve,
                };
                self.say(vote(&id, person(user, roles), verdict, "because"));
            }
            Step::Leave { waiter, why } => {
                if let Some(waiter) = self.pick(waiter) {
                    let why = match why {
                        0 => Why::LegEnded,
                        1 => Why::Told,
                        _ => Why::Gone,
                    };
                    let waiter = waiter.name.as_str().into();
                    self.say(Command::Leave { waiter, why });
                }
            }
            Step::Cancel { waiter } => {
                if let Some(waiter) = self.pick(waiter) {
                    let cancel_key = format!("key-{}", waiter.name).into();
                    self.say(Command::Cancel { cancel_key });
                }
            }
            Step::Task {
                approval,
                cancel,
                stranger,
            } => {
                let Some(approval) = self.approval(approval) else {
                    return;
                };
                let user = if stranger { "eve" } else { "ana" };
                let before = self.world.state(&approval);
                let asked = TaskRequest {
                    sender: "filter-1".into(),
                    waiter: "task".into(),
                    approval: approval.clone(),
                    cancel,
                    caller: Caller {
                        issuer: "https://idp".to_owned(),
                        user: user.to_owned(),
                        agent: "bot".to_owned(),
                    },
                };
                self.said.push(Command::Task(asked.clone()));
                let effects = self.world.say(Command::Task(asked));
                let told = effects.into_iter().find(|effect| &*effect.waiter == "task");
                let state = match told.unwrap().say {
                    Say::Task { state, .. } => state,
                    _ => None,
                };
                if stranger {
                    assert_eq!(state, None, "a stranger has learned of a task");
                }
                if state.is_some_and(|state| state.claimable) {
                    assert_eq!(before, State::Approved);
                }
                self.check();
            }
            Step::Report { waiter, state } => {
                let Some(waiter) = self.pick(waiter) else {
                    return;
                };
                if let Some(approval) = waiter.approval {
                    let state = match state {
                        0 => RunState::Forwarded,
                        1 => RunState::NotRun,
                        2 => RunState::Answered,
                        _ => RunState::Lost,
                    };
                    self.say(Command::Report(Report {
                        waiter: waiter.name.as_str().into(),
                        approval,
                        state,
                        detail: "ok".to_owned(),
                        result: Vec::new(),
                    }));
                }
            }
            Step::Define { digest } => {
                self.say(Command::Definition(Definition {
                    server: "crm".to_owned(),
                    tool: "refund".to_owned(),
                    digest: [digest; 32],
                    json: String::new(),
                }));
                let digests = self.world.table.rows.values();
                for row in digests.filter(|row| row.approval.state.is_open()) {
                    assert_eq!(row.approval.definition, Some([digest; 32]));
                }
            }
            Step::Policy { version } => {
                self.version = format!("v{version}");
                let versions = [("crm".to_owned(), self.version.clone())];
                self.say(Command::Policy(versions.into()));
                for row in self.world.table.rows.values() {
                    let is_in_force = row.approval.call.policy_version == self.version;
                    assert!(is_in_force || !row.approval.state.is_open());
                }
            }
            Step::Disconnect { filter } => {
                let sender = format!("filter-{filter}").into();
                self.say(Command::Gone { sender });
            }
            Step::Pass { seconds } => {
                self.world.now += seconds * 1000;
                self.say(Command::Tick);
                for row in self.world.table.rows.values() {
                    let is_over = row.approval.expires_unix_millis <= self.world.now;
                    assert!(!is_over || !row.approval.state.is_open());
                }
            }
            Step::Crash => self.crash(),
        }
    }

    /// Kills the process between any two commands. What is in force is told anew.
    fn crash(&mut self) {
        self.world.crash();
        let versions = [("crm".to_owned(), self.version.clone())];
        self.say_again(Command::Policy(versions.into()));
        self.check();
    }

    /// Says something again: what is granted stays granted, and nothing more is.
    fn repeat(&mut self, command: Command) {
        let waits_anew = matches!(&command, Command::Wait(_));
        let is_vote = matches!(&command, Command::Vote { .. });
        let before = self.world.table.clone();
        let granted = self.granted.clone();
        let is_known_claim = match &command {
            Command::Claim(claim) => granted
                .get(&claim.approval)
                .is_some_and(|granted| granted.contains(&claim.waiter.to_string())),
            _ => false,
        };
        self.say_again(command);
        if is_known_claim {
            assert_eq!(granted, self.granted);
        }
        // A request whose approval is forgotten asks anew; and a vote that was refused may count now.
        if !waits_anew && !is_vote {
            assert_eq!(before.rows.len(), self.world.table.rows.len());
        }
    }

    fn pick(&self, index: usize) -> Option<Waiter> {
        pick(&self.waiters, index)
    }

    fn approval(&self, index: usize) -> Option<ApprovalId> {
        let ids: Vec<ApprovalId> = self.world.table.rows.keys().cloned().collect();
        pick(&ids, index)
    }
}

fn pick<T: Clone>(items: &[T], index: usize) -> Option<T> {
    let last = items.len().checked_sub(1)?;
    // The newer, the likelier.
    let back = (index % 64).min(index / 64 % (last + 1).min(8));
    items.get(last - back.min(last)).cloned()
}

/// Independent of how the book counts: distinct people, each eligible, for each requirement.
fn check_votes(call: u8, votes: &[gatehold_approvals::Vote]) {
    assert!(votes.iter().all(|vote| vote.verdict == Verdict::Approve));
    for requirement in requirements(call) {
        let approvers: BTreeSet<&str> = votes
            .iter()
            .filter(|vote| {
                let by = &vote.by;
                let named = requirement.users.contains(&by.user)
                    || by.roles.iter().any(|role| requirement.roles.contains(role));
                named && (by.user != "ana" || requirement.self_approval)
            })
            .map(|vote| vote.by.user.as_str())
            .collect();
        let need = requirement.quorum.max(1) as usize;
        assert!(approvers.len() >= need, "{votes:?} for {requirement:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_runs_is_what_people_allowed(steps in prop::collection::vec(step(), 1..120)) {
        let mut trial = Trial::new();
        for step in steps {
            trial.step(step);
        }
    }

    /// A book that was rebuilt from what is written decides the same as the one that lived on, once the filters that
    /// wait have said so again.
    #[test]
    fn a_book_rebuilt_goes_on_as_before(
        before in prop::collection::vec(step(), 1..80),
        after in prop::collection::vec(step(), 1..40),
    ) {
        let (mut lived, mut rebuilt) = (Trial::new(), Trial::new());
        for step in before {
            lived.step(step.clone());
            rebuilt.step(step);
        }
        rebuilt.crash();
        // A filter that has connected anew says all that waits again; to the one that lived on that is nothing new.
        for trial in [&mut lived, &mut rebuilt] {
            let waits: Vec<Command> = trial
                .said
                .iter()
                .filter(|command| matches!(command, Command::Wait(wait)
                    if trial.world.table.rows.values().any(|row| {
                        row.approval.state.is_open() && row.chains.iter().any(|chain| chain.waiter == wait.waiter)
                    })))
                .cloned()
                .collect();
            for command in waits {
                trial.say_again(command);
            }
        }
        prop_assert_eq!(lived.world.book.counts(), rebuilt.world.book.counts());
        for step in after {
            // What has ended lately is remembered by the one and not by the other, so that a request that is said again
            // long after is told its end by the one, and asks anew at the other.
            if matches!(step, Step::Crash | Step::Repeat { .. }) {
                continue;
            }
            lived.step(step.clone());
            rebuilt.step(step);
            let states = |trial: &Trial| -> Vec<(ApprovalId, State)> {
                let rows = trial.world.table.rows.iter();
                rows.map(|(id, row)| (id.clone(), row.approval.state)).collect()
            };
            prop_assert_eq!(states(&lived), states(&rebuilt));
            prop_assert_eq!(&lived.granted, &rebuilt.granted);
        }
    }
}
