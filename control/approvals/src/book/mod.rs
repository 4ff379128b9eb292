//! The state machine: which approvals there are, who waits for them, and who may run what.

mod applied;
mod claim;
mod command;
mod end;
mod entry;
mod limits;
mod memory;
mod rules;
mod task;
mod vote;
mod wait;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

pub use applied::{
    Applied, Change, Effect, Event, Grant, Outcome, Saved, SavedChain, Say, TaskState, TaskStatus,
    VoteFailed, What,
};
pub use command::{Caller, Claim, Command, Definition, Leg, Report, TaskRequest, Wait, Why};
pub use limits::{Limits, TASK_KEPT_MILLIS};

use crate::{ApprovalId, Person, State};
use entry::{Entry, Key, Place};

/// All approvals that are open, and those that ended lately.
///
/// [`apply`](Self::apply) changes the book at once and says what to write down. Who can't write it down must drop the
/// book and make a new one of what is written. An approval that ended is forgotten after a while; a command that names
/// one needs it taken up again before, see [`lacks`](Self::lacks).
#[derive(Debug)]
pub struct Book {
    limits: Limits,
    /// The latest time that was seen: it never goes back.
    now: u64,
    opened: u64,
    entries: HashMap<ApprovalId, Entry>,
    /// Open approvals by what they ask.
    open: HashMap<Key, ApprovalId>,
    open_of: HashMap<Arc<Caller>, usize>,
    /// The last waiter of each chain.
    waiters: HashMap<Arc<str>, Place>,
    cancel_keys: HashMap<Arc<str>, Place>,
    /// Filters that are connected.
    connected: HashSet<Arc<str>>,
    /// Filters that are not, for a while.
    gone: HashMap<Arc<str>, u64>,
    /// When to look at an open approval again. May hold times that do not matter any more.
    due: BTreeSet<(u64, ApprovalId)>,
    /// When to forget those that ended.
    ended: BTreeSet<(u64, ApprovalId)>,
    policies: Option<HashMap<String, String>>,
    /// Digests of the tools' definitions, by server and tool.
    definitions: HashMap<Arc<str>, HashMap<Arc<str>, [u8; 32]>>,
    counts: Counts,
}

/// How much is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Approvals that people have to decide on.
    pub pending: usize,
    /// Approvals that were approved and may be used.
    pub approved: usize,
    /// Clients that wait for either.
    pub waiting: usize,
}

impl Book {
    /// An empty book, opened at that time.
    #[must_use]
    pub fn new(limits: Limits, now: u64) -> Self {
        Self {
            limits,
            now,
            opened: now,
            entries: HashMap::new(),
            open: HashMap::new(),
            open_of: HashMap::new(),
            waiters: HashMap::new(),
            cancel_keys: HashMap::new(),
            connected: HashSet::new(),
            gone: HashMap::new(),
            due: BTreeSet::new(),
            ended: BTreeSet::new(),
            policies: None,
            definitions: HashMap::new(),
            counts: Counts::default(),
        }
    }

    /// Does what the command says, after what time brings about by itself.
    pub fn apply(&mut self, command: Command, now: u64) -> Applied {
        self.now = self.now.max(now);
        let mut done = Applied::default();
        self.pass_time(&mut done);
        match command {
            Command::Back { sender } => {
                self.gone.remove(&sender);
                self.connected.insert(sender);
            }
            Command::Gone { sender } => self.sender_gone(&sender),
            Command::Wait(wait) => self.wait(*wait, &mut done),
            Command::Claim(claim) => self.claim(claim, &mut done),
            Command::Leave { waiter, why } => self.leave(&waiter, why, &mut done),
            Command::Report(report) => self.report(report, &mut done),
            Command::Definition(definition) => self.define(definition, &mut done),
            Command::Task(request) => self.task(request, &mut done),
            Command::Cancel { cancel_key } => self.cancel(&cancel_key, &mut done),
            Command::Vote { approval, vote } => {
                done.vote = Some(self.vote(&approval, vote, &mut done));
            }
            Command::Policy(versions) => self.policy(versions, &mut done),
            Command::Tick => {}
        }
        done
    }

    /// When something happens by itself next: then a [`Command::Tick`] is due.
    #[must_use]
    pub fn next_due(&self) -> Option<u64> {
        let first = |times: &BTreeSet<(u64, ApprovalId)>| times.first().map(|(time, _)| *time);
        first(&self.due).into_iter().chain(first(&self.ended)).min()
    }

    /// How much is open.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Clients that wait for this approval.
    #[must_use]
    pub fn waiting(&self, approval: &str) -> u32 {
        let entry = self.entries.get(approval);
        let waiting = entry.filter(|entry| entry.state.is_open());
        waiting.map_or(0, |entry| {
            u32::try_from(entry.chains.len()).unwrap_or(u32::MAX)
        })
    }

    /// The state of an approval that is open or ended lately.
    #[must_use]
    pub fn state(&self, approval: &str) -> Option<State> {
        self.entries.get(approval).map(|entry| entry.state)
    }

    fn event(&self, approval: &ApprovalId, what: What, reason: &str) -> Option<Event> {
        let entry = self.entries.get(approval)?;
        let by_caller = matches!(what, What::Request | What::Withdraw | What::Use);
        let (by, agent) = match by_caller {
            true => (
                Person {
                    issuer: entry.caller.issuer.clone(),
                    user: entry.caller.user.clone(),
                    ..Person::default()
                },
                entry.caller.agent.clone(),
            ),
            false => Default::default(),
        };
        Some(Event {
            what,
            approval: approval.clone(),
            by,
            agent,
            server: entry.server.to_string(),
            target: entry.target.to_string(),
            policy_version: entry.policy_version.to_string(),
            rules: Vec::new(),
            trace_id: String::new(),
            reason: reason.to_owned(),
        })
    }
}
