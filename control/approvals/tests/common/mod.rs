//! What the tests of the book share: calls, people, and a table that stands for the database.
#![allow(dead_code, reason = "not every test uses all of it")]

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use gatehold_approvals::{
    Applied, ApprovalId, Book, Call, Change, Command, Effect, Leg, Limits, Mechanism, Person,
    Requester, Saved, SavedChain, State, Verdict, Vote, Wait,
};
use gatehold_engine::Approval as Requirement;

/// What is written down.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    pub(crate) rows: BTreeMap<ApprovalId, Saved>,
    ended: BTreeMap<ApprovalId, u64>,
    pub(crate) definitions: HashMap<(String, String), [u8; 32]>,
}

impl Table {
    pub(crate) fn write(&mut self, change: Change) {
        match change {
            Change::Created { approval, .. } => {
                let saved = Saved {
                    approval: *approval,
                    chains: Vec::new(),
                    grant: None,
                };
                self.rows.insert(saved.approval.id.clone(), saved);
            }
            Change::Chain { approval, chain } => {
                let chains = &mut self.row(&approval).chains;
                chains.retain(|other| other.name != chain.name);
                chains.push(chain);
            }
            Change::ChainLeft { approval, name } => {
                let is_other = |chain: &SavedChain| chain.name != name;
                self.row(&approval).chains.retain(is_other);
            }
            Change::Mechanism {
                approval,
                mechanism,
            } => self.row(&approval).approval.mechanism = mechanism,
            Change::Adopted {
                approval,
                definition,
            } => self.row(&approval).approval.definition = Some(definition),
            Change::Voted {
                approval,
                vote,
                number,
            } => {
                let votes = &mut self.row(&approval).approval.votes;
                votes.truncate(number as usize);
                votes.push(vote);
            }
            Change::Moved {
                approval,
                state,
                reason,
                at_unix_millis,
            } => {
                if !state.is_open() {
                    self.ended.insert(approval.clone(), at_unix_millis);
                }
                let approval = &mut self.row(&approval).approval;
                approval.state = state;
                approval.ended_reason = reason;
                approval.decided_unix_millis.get_or_insert(at_unix_millis);
            }
            Change::Granted { approval, grant } => {
                let row = self.row(&approval);
                row.grant = Some(grant);
                row.approval.run = None;
            }
            Change::Ran { approval, run, .. } => self.row(&approval).approval.run = Some(run),
            Change::Defined {
                server,
                tool,
                digest,
                ..
            } => {
                self.definitions.insert((server, tool), digest);
            }
        }
    }

    fn row(&mut self, id: &ApprovalId) -> &mut Saved {
        self.rows.get_mut(id).unwrap()
    }

    pub(crate) fn book(&self, limits: Limits, now: u64) -> Book {
        let mut book = Book::new(limits.clone(), now);
        for ((server, tool), digest) in &self.definitions {
            book.take_up_definition(server, tool, *digest);
        }
        for saved in self.rows.values() {
            let ended = self.ended.get(&saved.approval.id);
            if ended.is_none_or(|ended| ended + limits.ended > now) {
                book.take_up(saved.clone(), now);
            }
        }
        book
    }
}

/// A book and the table that it writes.
pub(crate) struct World {
    pub(crate) book: Book,
    pub(crate) table: Table,
    pub(crate) now: u64,
    limits: Limits,
    made: u8,
}

impl World {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            book: Book::new(limits.clone(), 1_000_000),
            table: Table::default(),
            now: 1_000_000,
            limits,
            made: 0,
        }
    }

    pub(crate) fn apply(&mut self, command: Command) -> Applied {
        if let Some(lacking) = self.book.lacks(&command)
            && let Some(saved) = self.table.rows.get(lacking)
        {
            self.book.take_up(saved.clone(), self.now);
        }
        let applied = self.book.apply(command, self.now);
        for change in applied.changes.clone() {
            self.table.write(change);
        }
        applied
    }

    pub(crate) fn say(&mut self, command: Command) -> Vec<Effect> {
        self.apply(command).effects
    }

    /// The process is killed and started again.
    pub(crate) fn crash(&mut self) {
        self.book = self.table.book(self.limits.clone(), self.now);
    }

    pub(crate) fn state(&self, id: &ApprovalId) -> State {
        self.table.rows.get(id).unwrap().approval.state
    }

    pub(crate) fn wait(
        &mut self,
        waiter: &str,
        call: Call,
        mechanism: Mechanism,
        leg: Option<Leg>,
    ) -> Vec<Effect> {
        self.made += 1;
        let random = [self.made; 16];
        self.say(wait("filter", waiter, call, mechanism, leg, random))
    }
}

pub(crate) fn wait(
    sender: &str,
    waiter: &str,
    call: Call,
    mechanism: Mechanism,
    leg: Option<Leg>,
    random: [u8; 16],
) -> Command {
    Command::Wait(Box::new(Wait {
        sender: sender.into(),
        waiter: waiter.into(),
        call,
        mechanism,
        leg,
        body: Vec::new(),
        cancel_key: Arc::from(format!("key-{waiter}")),
        random,
    }))
}

pub(crate) fn requirement(roles: &[&str], users: &[&str], quorum: u32) -> Requirement {
    Requirement {
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        users: users.iter().map(|user| (*user).to_owned()).collect(),
        within_seconds: 900,
        quorum,
        ..Requirement::default()
    }
}

pub(crate) fn call(digest: u8, requirements: Vec<Requirement>) -> Call {
    Call {
        digest: [digest; 32],
        server: "crm".to_owned(),
        policy_version: "v1".to_owned(),
        method: "tools/call".to_owned(),
        target: "refund".to_owned(),
        arguments: "{}".to_owned(),
        requirements,
        requester: Requester {
            issuer: "https://idp".to_owned(),
            user: "ana".to_owned(),
            agent: "bot".to_owned(),
            roles: Vec::new(),
        },
        ..Call::default()
    }
}

pub(crate) fn person(user: &str, roles: &[&str]) -> Person {
    Person {
        issuer: "https://idp".to_owned(),
        user: user.to_owned(),
        name: String::new(),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
    }
}

pub(crate) fn vote(id: &ApprovalId, by: Person, verdict: Verdict, reason: &str) -> Command {
    Command::Vote {
        approval: id.clone(),
        vote: Vote {
            by,
            verdict,
            reason: reason.to_owned(),
            at_unix_millis: 0,
        },
    }
}
