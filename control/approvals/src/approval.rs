//! An approval as people see it.

use gatehold_engine::Approval as Requirement;

use crate::vote::Ballot;
use crate::{ApprovalId, Finding, Missing, Person, State, Vote, VoteRefused};

/// Who asks for a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requester {
    /// The token's issuer.
    pub issuer: String,
    /// The user.
    pub user: String,
    /// The agent that acts for the user.
    pub agent: String,
    /// The user's roles.
    pub roles: Vec<String>,
}

/// What would happen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// SHA-256 over caller, server, method, target and arguments.
    pub digest: [u8; 32],
    /// The server's name.
    pub server: String,
    /// Version of the server's policy that asked for approval.
    pub policy_version: String,
    /// JSON-RPC method.
    pub method: String,
    /// Tool, prompt or resource; empty when the method has none.
    pub target: String,
    /// Canonical JSON of the arguments, whole; empty when there are none.
    pub arguments: String,
    /// Rules that asked for approval.
    pub rules: Vec<String>,
    /// What they require. All of it must be met.
    pub requirements: Vec<Requirement>,
    /// Risk classes of the tool.
    pub risks: Vec<String>,
    /// `legacy` or `modern`.
    pub era: String,
    /// Trace id, 32 hex digits; may be empty.
    pub trace_id: String,
    /// Id of the audit event of the request.
    pub event_id: String,
    /// What detection saw in the arguments, and what it saw before, where that is why the call waits.
    pub findings: Vec<Finding>,
    /// Who asks.
    pub requester: Requester,
}

/// How the client waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// The request stays open; when that takes too long, the client makes the same call again.
    Request,
    /// Rounds of a multi-round request: the client comes back by itself.
    Rounds,
    /// A task that the client polls.
    Task,
}

impl Mechanism {
    /// Lower-case, as it is stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Rounds => "rounds",
            Self::Task => "task",
        }
    }

    /// The mechanism with that lower-case name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Request, Self::Rounds, Self::Task]
            .into_iter()
            .find(|mechanism| mechanism.as_str() == name)
    }
}

/// What became of the call after it was let through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// How far it came.
    pub state: RunState,
    /// Why it did not run, or its outcome in the words of audit events.
    pub detail: String,
    /// When that was reported.
    pub at_unix_millis: u64,
}

/// How far a call came that was let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunState {
    /// It went to the upstream.
    Forwarded,
    /// It did not, after all.
    NotRun,
    /// The upstream answered.
    Answered,
    /// It went to the upstream, and no answer came.
    Lost,
}

impl RunState {
    /// Lower-case, as it is stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Forwarded => "forwarded",
            Self::NotRun => "not_run",
            Self::Answered => "answered",
            Self::Lost => "lost",
        }
    }

    /// The state with that lower-case name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Forwarded, Self::NotRun, Self::Answered, Self::Lost]
            .into_iter()
            .find(|state| state.as_str() == name)
    }
}

/// A call that waits for people, or did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// Its name.
    pub id: ApprovalId,
    /// What it has come to.
    pub state: State,
    /// What would happen.
    pub call: Call,
    /// SHA-256 of the tool's definition that it was asked under; `None` when no definition was known.
    pub definition: Option<[u8; 32]>,
    /// When it was asked.
    pub created_unix_millis: u64,
    /// When it is over, unless it was used before.
    pub expires_unix_millis: u64,
    /// When it stopped to be pending.
    pub decided_unix_millis: Option<u64>,
    /// What people have said, oldest first.
    pub votes: Vec<Vote>,
    /// How the client waits.
    pub mechanism: Mechanism,
    /// Clients that wait at this moment.
    pub waiting: u32,
    /// Why it ended, for people and agents; empty while it is open.
    pub ended_reason: String,
    /// What became of the call after it was let through, as far as it is known.
    pub run: Option<Run>,
}

impl Approval {
    /// Whether this person may approve now (and so also deny).
    ///
    /// # Errors
    /// Why not, in words for them.
    pub fn may_vote(&self, person: &Person) -> Result<(), VoteRefused> {
        self.ballot().may_approve(person)
    }

    /// Whether this person may deny now: who has approved before may still do that while others have to decide.
    ///
    /// # Errors
    /// Why not, in words for them.
    pub fn may_deny(&self, person: &Person) -> Result<(), VoteRefused> {
        self.ballot().may_deny(person)
    }

    /// Whether a vote has to say why.
    #[must_use]
    pub fn reason_required(&self) -> bool {
        self.ballot().reason_required()
    }

    /// Each requirement that is not met yet.
    #[must_use]
    pub fn missing(&self) -> Vec<Missing> {
        self.ballot().missing().collect()
    }

    fn ballot(&self) -> Ballot<'_> {
        Ballot {
            state: self.state,
            requester: &self.call.requester.user,
            requirements: &self.call.requirements,
            votes: &self.votes,
        }
    }
}
