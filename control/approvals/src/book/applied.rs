//! What follows from a command.

use std::sync::Arc;

use crate::{Approval, ApprovalId, Mechanism, Person, Run, State, Vote, VoteRefused};

/// What follows from a command: `changes` and `events` are to be written down together, before anything else is
/// done.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    /// Rows to write.
    pub changes: Vec<Change>,
    /// For the audit log.
    pub events: Vec<Event>,
    /// Messages to filters.
    pub effects: Vec<Effect>,
    /// Approvals that look different now.
    pub news: Vec<(ApprovalId, State)>,
    /// What came of a vote.
    pub vote: Option<Result<(), VoteFailed>>,
    /// Milliseconds from the decision to the claim, of each claim that was granted.
    pub claimed_after_millis: Vec<u64>,
}

/// Why a vote was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoteFailed {
    /// There is no such approval.
    NotFound,
    /// It does not count.
    Refused(VoteRefused),
}

/// A row to write. Each may be written twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new approval, and the whole message when it is a task.
    Created {
        /// All of it, without votes.
        approval: Box<Approval>,
        /// The message; empty when it is no task.
        body: Vec<u8>,
    },
    /// A chain waits, or went on: it takes the place of the row with the same approval and name.
    Chain {
        /// What it waits for.
        approval: ApprovalId,
        /// The chain.
        chain: SavedChain,
    },
    /// A chain waits no longer: its row goes.
    ChainLeft {
        /// What it waited for.
        approval: ApprovalId,
        /// The chain's name.
        name: Arc<str>,
    },
    /// Somebody waits by other means than before.
    Mechanism {
        /// Of which approval.
        approval: ApprovalId,
        /// By which.
        mechanism: Mechanism,
    },
    /// It became known what the tool is.
    Adopted {
        /// Of which approval.
        approval: ApprovalId,
        /// SHA-256 of the tool's definition.
        definition: [u8; 32],
    },
    /// Somebody voted.
    Voted {
        /// On what.
        approval: ApprovalId,
        /// What.
        vote: Vote,
        /// How many votes there were before.
        number: u32,
    },
    /// The state changed.
    Moved {
        /// Of what.
        approval: ApprovalId,
        /// To what.
        state: State,
        /// Why, when it has ended.
        reason: String,
        /// When.
        at_unix_millis: u64,
    },
    /// A call may run; what was known of the run before is void.
    Granted {
        /// By what.
        approval: ApprovalId,
        /// To whom.
        grant: Grant,
    },
    /// What became of a call.
    Ran {
        /// By what it ran.
        approval: ApprovalId,
        /// What became of it.
        run: Run,
        /// The answer of a task.
        result: Option<Vec<u8>>,
    },
    /// What a tool is.
    Defined {
        /// The server's name.
        server: String,
        /// The tool's name.
        tool: String,
        /// SHA-256 of the definition.
        digest: [u8; 32],
        /// The definition.
        json: String,
        /// When it was seen.
        at_unix_millis: u64,
    },
}

/// A chain of requests that wait one after the other, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedChain {
    /// The waiter of its first request.
    pub name: Arc<str>,
    /// The waiter of its last request.
    pub waiter: Arc<str>,
    /// The number of its last request.
    pub number: u32,
    /// How its client waits.
    pub mechanism: Mechanism,
    /// The filter that held its last request.
    pub sender: Arc<str>,
    /// What cancels it; may be empty.
    pub cancel_key: Arc<str>,
}

/// A claim that was granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// To whom.
    pub waiter: Arc<str>,
    /// The chain that the waiter belongs to.
    pub chain: Arc<str>,
    /// The number of the waiter in it.
    pub number: u32,
    /// The filter that asked.
    pub sender: Arc<str>,
    /// When.
    pub at_unix_millis: u64,
}

/// What a book takes an approval up from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// The approval; its arguments are not looked at.
    pub approval: Approval,
    /// Its chains.
    pub chains: Vec<SavedChain>,
    /// The last grant.
    pub grant: Option<Grant>,
}

/// For the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub what: What,
    /// On which approval.
    pub approval: ApprovalId,
    /// Who did it: the caller, a voter, or nobody.
    pub by: Person,
    /// The agent, when the caller did it.
    pub agent: String,
    /// Server of the call.
    pub server: String,
    /// Target of the call.
    pub target: String,
    /// Policy that the call is held under.
    pub policy_version: String,
    /// Rules that asked for it, when it is new.
    pub rules: Vec<String>,
    /// Trace of the call, when it is new.
    pub trace_id: String,
    /// Why.
    pub reason: String,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum What {
    /// A call waits.
    Request,
    /// A person approved.
    Approve,
    /// A person denied.
    Deny,
    /// Time was over.
    Expire,
    /// The caller cancelled or left.
    Withdraw,
    /// Policy or tool changed.
    Supersede,
    /// The call was let through.
    Use,
}

impl What {
    /// Lower-case, as the audit log has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Approve => "approve",
            Self::Deny => "deny",
            Self::Expire => "expire",
            Self::Withdraw => "withdraw",
            Self::Supersede => "supersede",
            Self::Use => "use",
        }
    }
}

/// A message to a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// The filter.
    pub to: Arc<str>,
    /// The request that it is about.
    pub waiter: Arc<str>,
    /// What to say.
    pub say: Say,
}

/// What to say to a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Say {
    /// It waits.
    Pending {
        /// For what.
        approval: ApprovalId,
        /// Until when.
        expires_unix_millis: u64,
    },
    /// It waits no longer.
    Decided {
        /// By what; `None` when there is no approval.
        approval: Option<ApprovalId>,
        /// What came of it.
        outcome: Outcome,
        /// Why, for the agent.
        reason: String,
    },
    /// The call may run.
    Granted {
        /// By what.
        approval: ApprovalId,
        /// The call's digest when it is a task, whose stored message has to go along.
        task: Option<[u8; 32]>,
    },
    /// The call must not run.
    NotGranted {
        /// By what it was to run.
        approval: ApprovalId,
        /// Why not.
        outcome: Outcome,
        /// In words.
        reason: String,
    },
    /// How a task is; `None` when there is no such task.
    Task {
        /// Which.
        approval: ApprovalId,
        /// How it is.
        state: Option<TaskState>,
    },
    /// The client has cancelled.
    Cancelled,
}

/// What came of a request that waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It may be claimed.
    Approved,
    /// Somebody said no.
    Denied,
    /// Time was over.
    Expired,
    /// The caller cancelled or left.
    Withdrawn,
    /// Policy or tool changed.
    Superseded,
    /// Another request has run by the same approval.
    Used,
    /// The leg was taken, or belongs to another call.
    Replayed,
    /// It can't wait.
    Refused,
}

/// How a task is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskState {
    /// In the words of the protocol.
    pub status: TaskStatus,
    /// More about it.
    pub message: String,
    /// When it was made.
    pub created_unix_millis: u64,
    /// When it changed.
    pub updated_unix_millis: u64,
    /// How long it is kept, from when it was made.
    pub ttl_millis: u64,
    /// Whether it may be claimed and run now.
    pub claimable: bool,
    /// Whether a stored answer goes along.
    pub with_result: bool,
}

/// Status of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TaskStatus {
    /// It waits or runs.
    Working,
    /// It has a result.
    Completed,
    /// It has an error, or did not run.
    Failed,
    /// The caller ended it.
    Cancelled,
}

impl TaskStatus {
    /// In the words of the protocol.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Working => "working",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}
