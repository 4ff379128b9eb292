//! One approval, as the book knows it.

use std::sync::Arc;

use gatehold_engine::Approval as Requirement;

use super::applied::{Grant, Outcome, SavedChain};
use super::command::Caller;
use super::rules;
use crate::vote::Ballot;
use crate::{ApprovalId, Mechanism, Run, State, Vote};

/// One approval: only what decides, so that many can be open at once.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) state: State,
    pub(crate) mechanism: Mechanism,
    pub(crate) digest: [u8; 32],
    pub(crate) policy_version: Arc<str>,
    pub(crate) server: Arc<str>,
    pub(crate) target: Arc<str>,
    /// Whether the target is a tool, and so has a definition.
    pub(crate) is_tool: bool,
    pub(crate) definition: Option<[u8; 32]>,
    pub(crate) caller: Arc<Caller>,
    /// Empty when it has ended.
    pub(crate) requirements: Vec<Requirement>,
    /// Empty when it has ended.
    pub(crate) votes: Vec<Vote>,
    pub(crate) created: u64,
    pub(crate) expires: u64,
    pub(crate) decided: Option<u64>,
    /// What the last approver wrote, or why it ended.
    pub(crate) reason: String,
    pub(crate) chains: Vec<Chain>,
    pub(crate) grant: Option<Grant>,
    pub(crate) run: Option<Run>,
}

/// Requests of one client that wait one after the other; most often there is only one.
#[derive(Debug)]
pub(crate) struct Chain {
    pub(crate) name: Arc<str>,
    pub(crate) waiter: Arc<str>,
    pub(crate) number: u32,
    pub(crate) mechanism: Mechanism,
    pub(crate) sender: Arc<str>,
    pub(crate) cancel_key: Arc<str>,
    pub(crate) presence: Presence,
}

/// Whether somebody would hear an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    Here,
    /// Between two legs, or the filter has to connect again: if nobody is back then, they are gone.
    Away(u64),
}

/// What makes two calls the same question. Tasks are apart, because they run without a client.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) digest: [u8; 32],
    pub(crate) policy_version: Arc<str>,
    pub(crate) is_task: bool,
}

impl Entry {
    pub(crate) fn key(&self) -> Key {
        Key {
            digest: self.digest,
            policy_version: self.policy_version.clone(),
            is_task: self.mechanism == Mechanism::Task,
        }
    }

    pub(crate) fn ballot(&self) -> Ballot<'_> {
        Ballot {
            state: self.state,
            requester: &self.caller.user,
            requirements: &self.requirements,
            votes: &self.votes,
        }
    }

    pub(crate) fn chain(&self, name: &str) -> Option<&Chain> {
        self.chains.iter().find(|chain| &*chain.name == name)
    }

    pub(crate) fn chain_mut(&mut self, name: &str) -> Option<&mut Chain> {
        self.chains.iter_mut().find(|chain| &*chain.name == name)
    }

    /// Whether this chain is the one that the call was let through for.
    pub(crate) fn is_granted_to(&self, chain: &str) -> bool {
        self.grant
            .as_ref()
            .is_some_and(|grant| &*grant.chain == chain)
    }

    /// What goes with the outcome, for the agent.
    pub(crate) fn reason_of(&self, outcome: Outcome) -> String {
        match (outcome, self.state) {
            (Outcome::Used, _) => rules::USED.to_owned(),
            (Outcome::Approved, State::Used) => String::new(),
            _ => self.reason.clone(),
        }
    }

    /// What a request of that chain with that number is told, and why; `None` while people have to decide.
    pub(crate) fn outcome(&self, chain: &str, waiter: &str, number: u32) -> Option<Outcome> {
        Some(match self.state {
            State::Pending => return None,
            State::Approved => Outcome::Approved,
            State::Used => match &self.grant {
                Some(grant)
                    if &*grant.chain == chain
                        && (&*grant.waiter == waiter || grant.number < number) =>
                {
                    Outcome::Approved
                }
                _ => Outcome::Used,
            },
            State::Denied => Outcome::Denied,
            State::Expired => Outcome::Expired,
            State::Withdrawn => Outcome::Withdrawn,
            State::Superseded => Outcome::Superseded,
        })
    }
}

impl Chain {
    pub(crate) fn saved(&self) -> SavedChain {
        SavedChain {
            name: self.name.clone(),
            waiter: self.waiter.clone(),
            number: self.number,
            mechanism: self.mechanism,
            sender: self.sender.clone(),
            cancel_key: self.cancel_key.clone(),
        }
    }
}

/// Where a waiter belongs.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) approval: ApprovalId,
    pub(crate) chain: Arc<str>,
}
