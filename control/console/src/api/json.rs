//! An approval as JSON. The command line reads what is written here.

use gatehold_approvals::{Approval, Finding, Mechanism, Missing, Person, Requester, Run, Vote};
use gatehold_engine::Approval as Requirement;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::view::{Moment, hex, outcome};

/// A page of approvals.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListJson {
    /// Newest first.
    pub approvals: Vec<ApprovalJson>,
    /// What to give as `before` for the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// An approval.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalJson {
    /// Its name.
    pub id: String,
    /// Its page.
    pub url: String,
    /// `pending`, `approved`, `used`, `denied`, `expired`, `withdrawn` or `superseded`.
    pub state: String,
    /// What became of it, in a sentence.
    pub outcome: String,
    /// Why it ended, if it has.
    pub ended_reason: String,
    /// The server's name.
    pub server: String,
    /// JSON-RPC method.
    pub method: String,
    /// Tool, prompt or resource.
    pub target: String,
    /// The arguments as they would be sent; absent when there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Box<RawValue>>,
    /// SHA-256 of the call, hexadecimal: what a vote is about.
    pub digest: String,
    /// Risk classes of the tool.
    pub risks: Vec<String>,
    /// Who asks.
    pub requester: RequesterJson,
    /// Rules that asked for approval.
    pub rules: Vec<String>,
    /// What they require; all of it.
    pub requirements: Vec<RequirementJson>,
    /// What of it is not met yet.
    pub missing: Vec<MissingJson>,
    /// What people have said, oldest first.
    pub votes: Vec<VoteJson>,
    /// Whether you may approve it now.
    pub may_approve: bool,
    /// Whether you may deny it now.
    pub may_deny: bool,
    /// `request`, `rounds` or `task`.
    pub mechanism: String,
    /// Clients that wait at this moment.
    pub waiting: u32,
    /// When it was asked (RFC 3339).
    pub created_at: String,
    /// When it is over.
    pub expires_at: String,
    /// When it stopped to be pending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<String>,
    /// What became of the call after it was let through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunJson>,
    /// Version of the server's policy.
    pub policy_version: String,
    /// SHA-256 of the tool's definition, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition_digest: Option<String>,
    /// `legacy` or `modern`.
    pub era: String,
    /// Trace id; may be empty.
    pub trace_id: String,
    /// Audit event of the request.
    pub event_id: String,
    /// What detection saw in the arguments, and what it saw before, where that is why the call waits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<FindingJson>,
}

/// One text in which detection saw something.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FindingJson {
    /// `argument`, `result` or `tool`.
    pub kind: String,
    /// Name of the definition, or of the tool whose result it was; may be empty.
    pub subject: String,
    /// How much it looks like an attack, 0 to 1, in steps of 0.001.
    pub score: f64,
    /// Whether that is enough to act on.
    pub flagged: bool,
    /// What was seen, the weightiest first; `secret:` before the names of secrets.
    pub features: Vec<String>,
    /// First byte of the weightiest one in the message as it came.
    pub start: u64,
    /// The byte after its last.
    pub end: u64,
    /// What stands there, decoded and folded. Whoever attacks wrote it.
    pub excerpt: String,
    /// Whether only detectors that are being tried saw it.
    pub shadow: bool,
}

/// Who asks for a call.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequesterJson {
    /// Who vouches for the user.
    pub issuer: String,
    /// The user.
    pub user: String,
    /// The agent.
    pub agent: String,
    /// The user's roles.
    pub roles: Vec<String>,
}

/// What one rule requires.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequirementJson {
    /// Roles of which an approver needs one.
    pub roles: Vec<String>,
    /// Users who may approve whatever their roles.
    pub users: Vec<String>,
    /// How many must agree.
    pub quorum: u32,
    /// Whether a reason is required.
    pub reason_required: bool,
    /// Whether the requester may approve.
    pub requester_may_approve: bool,
}

/// A requirement that is not met.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MissingJson {
    /// Roles of which an approver needs one.
    pub roles: Vec<String>,
    /// Users who may approve whatever their roles.
    pub users: Vec<String>,
    /// Approvals that count so far.
    pub have: u32,
    /// Approvals that it takes.
    pub need: u32,
}

/// What somebody has said.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VoteJson {
    /// The user.
    pub user: String,
    /// `approve` or `deny`.
    pub verdict: String,
    /// Why.
    pub reason: String,
    /// When (RFC 3339).
    pub at: String,
}

/// What became of a call.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunJson {
    /// `forwarded`, `not_run`, `answered` or `lost`.
    pub state: String,
    /// Why it did not run, or its outcome.
    pub detail: String,
    /// When that was reported (RFC 3339).
    pub at: String,
}

impl ApprovalJson {
    pub(super) fn new(approval: &Approval, person: &Person, url: &str, now_millis: u64) -> Self {
        let outcome = outcome(approval, now_millis);
        let (may_approve, may_deny) = (approval.may_vote(person), approval.may_deny(person));
        let missing = approval.missing();
        let Approval {
            id,
            state,
            call,
            definition,
            created_unix_millis,
            expires_unix_millis,
            decided_unix_millis,
            votes,
            mechanism,
            waiting,
            ended_reason,
            run,
        } = approval.clone();
        Self {
            url: format!("{url}/approvals/{id}"),
            id: id.to_string(),
            state: state.as_str().to_owned(),
            outcome,
            ended_reason,
            arguments: RawValue::from_string(call.arguments).ok(),
            digest: hex(&call.digest),
            server: call.server,
            method: call.method,
            target: call.target,
            risks: call.risks,
            requester: requester(call.requester),
            rules: call.rules,
            requirements: call.requirements.into_iter().map(requirement).collect(),
            missing: missing.into_iter().map(lacks).collect(),
            votes: votes.iter().map(vote).collect(),
            may_approve: may_approve.is_ok(),
            may_deny: may_deny.is_ok(),
            mechanism: Mechanism::as_str(mechanism).to_owned(),
            waiting,
            created_at: Moment::new(created_unix_millis).iso,
            expires_at: Moment::new(expires_unix_millis).iso,
            decided_at: decided_unix_millis.map(|at| Moment::new(at).iso),
            run: run.map(ran),
            policy_version: call.policy_version,
            definition_digest: definition.map(|digest| hex(&digest)),
            era: call.era,
            trace_id: call.trace_id,
            event_id: call.event_id,
            findings: call.findings.into_iter().map(FindingJson::from).collect(),
        }
    }
}

impl From<Finding> for FindingJson {
    fn from(finding: Finding) -> Self {
        let Finding {
            kind,
            subject,
            score,
            flagged,
            features,
            start,
            end,
            excerpt,
            shadow,
        } = finding;
        Self {
            kind,
            subject,
            score: f64::from(score) / 1000.0,
            flagged,
            features,
            start,
            end,
            excerpt,
            shadow,
        }
    }
}

impl From<FindingJson> for Finding {
    fn from(finding: FindingJson) -> Self {
        let FindingJson {
            kind,
            subject,
            score,
            flagged,
            features,
            start,
            end,
            excerpt,
            shadow,
        } = finding;
        Self {
            kind,
            subject,
            score: Self::thousandths(score),
            flagged,
            features,
            start,
            end,
            excerpt,
            shadow,
        }
    }
}

fn requester(
    Requester {
        issuer,
        user,
        agent,
        roles,
    }: Requester,
) -> RequesterJson {
    RequesterJson {
        issuer,
        user,
        agent,
        roles,
    }
}

fn requirement(requirement: Requirement) -> RequirementJson {
    RequirementJson {
        roles: requirement.roles,
        users: requirement.users,
        quorum: requirement.quorum.max(1),
        reason_required: requirement.reason_required,
        requester_may_approve: requirement.self_approval,
    }
}

fn lacks(
    Missing {
        roles,
        users,
        have,
        need,
    }: Missing,
) -> MissingJson {
    MissingJson {
        roles,
        users,
        have,
        need,
    }
}

fn vote(vote: &Vote) -> VoteJson {
    VoteJson {
        user: vote.by.user.clone(),
        verdict: vote.verdict.as_str().to_owned(),
        reason: vote.reason.clone(),
        at: Moment::new(vote.at_unix_millis).iso,
    }
}

fn ran(run: Run) -> RunJson {
    RunJson {
        state: run.state.as_str().to_owned(),
        detail: run.detail,
        at: Moment::new(run.at_unix_millis).iso,
    }
}
