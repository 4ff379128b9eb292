//! What can happen.

use std::collections::HashMap;
use std::sync::Arc;

use crate::{ApprovalId, Call, Mechanism, RunState, Vote};

/// What can happen to a [`Book`](crate::Book). Every command may come any number of times.
#[derive(Clone, Debug)]
pub enum Command {
    /// A filter has connected.
    Back {
        /// Which.
        sender: Arc<str>,
    },
    /// A filter is not connected any more.
    Gone {
        /// Which.
        sender: Arc<str>,
    },
    /// A request waits.
    Wait(Box<Wait>),
    /// A call would run now.
    Claim(Claim),
    /// A request waits no longer.
    Leave {
        /// Which.
        waiter: Arc<str>,
        /// Why.
        why: Why,
    },
    /// What became of a call that was let through.
    Report(Report),
    /// What a tool is.
    Definition(Definition),
    /// A client asks for a task.
    Task(TaskRequest),
    /// A client cancels a request of its session.
    Cancel {
        /// The key of the request's [`Wait`].
        cancel_key: Arc<str>,
    },
    /// Somebody votes.
    Vote {
        /// On what.
        approval: ApprovalId,
        /// What they say. Its time is not looked at.
        vote: Vote,
    },
    /// Policies that are in force: versions by server.
    Policy(HashMap<String, String>),
    /// Time has passed.
    Tick,
}

/// A request waits.
#[derive(Clone, Debug)]
pub struct Wait {
    /// The filter that holds it.
    pub sender: Arc<str>,
    /// Names this request, and no other ever.
    pub waiter: Arc<str>,
    /// What would happen.
    pub call: Call,
    /// How its client waits.
    pub mechanism: Mechanism,
    /// Where it goes on; `None` for the first request of a call.
    pub leg: Option<Leg>,
    /// The whole message; only of tasks.
    pub body: Vec<u8>,
    /// What cancels it; may be empty.
    pub cancel_key: Arc<str>,
    /// For the name of a new approval.
    pub random: [u8; 16],
}

/// Where a call in several rounds goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    /// What it waits for.
    pub approval: ApprovalId,
    /// The waiter of the first leg.
    pub chain: Arc<str>,
    /// From 1.
    pub number: u32,
}

/// A call would run now.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The filter that would let it through.
    pub sender: Arc<str>,
    /// Of the request that waits, or of the one that asked for the task.
    pub waiter: Arc<str>,
    /// By what.
    pub approval: ApprovalId,
    /// Computed anew; `None` for tasks.
    pub digest: Option<[u8; 32]>,
    /// In force at the filter.
    pub policy_version: String,
    /// The server's name.
    pub server: String,
}

/// Why a request waits no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Its client comes back by itself within seconds.
    LegEnded,
    /// Its client was told, and may make the same call again.
    Told,
    /// Its client went away.
    Gone,
}

/// What became of a call that was let through.
#[derive(Clone, Debug)]
pub struct Report {
    /// Whose claim was granted.
    pub waiter: Arc<str>,
    /// By what.
    pub approval: ApprovalId,
    /// How far it came.
    pub state: RunState,
    /// More about that.
    pub detail: String,
    /// The answer of a task.
    pub result: Vec<u8>,
}

/// What a tool is.
#[derive(Clone, Debug)]
pub struct Definition {
    /// The server's name.
    pub server: String,
    /// The tool's name.
    pub tool: String,
    /// SHA-256 of the canonical definition.
    pub digest: [u8; 32],
    /// The canonical definition; may be empty when it is large.
    pub json: String,
}

/// A client asks for a task.
#[derive(Clone, Debug)]
pub struct TaskRequest {
    /// The filter that asks.
    pub sender: Arc<str>,
    /// Names this question.
    pub waiter: Arc<str>,
    /// Which task.
    pub approval: ApprovalId,
    /// Whether to end it.
    pub cancel: bool,
    /// Who asks.
    pub caller: Caller,
}

/// Who a call is made for, and by which agent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Caller {
    /// The token's issuer.
    pub issuer: String,
    /// The user.
    pub user: String,
    /// The agent.
    pub agent: String,
}
