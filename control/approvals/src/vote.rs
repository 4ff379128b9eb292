//! Who may vote, and what the votes come to.

use std::collections::HashSet;

use gatehold_engine::Approval as Requirement;

use crate::State;

/// Somebody who is signed in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// Who vouches for them: the `iss` of their token.
    pub issuer: String,
    /// The user, as policies name users.
    pub user: String,
    /// For people to read; may be empty.
    pub name: String,
    /// Roles they have at the time.
    pub roles: Vec<String>,
}

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The call may run.
    Approve,
    /// It must not.
    Deny,
}

impl Verdict {
    /// `approve` or `deny`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Deny => "deny",
        }
    }
}

/// What one person has said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vote {
    /// Who, with the roles they had then.
    pub by: Person,
    /// What.
    pub verdict: Verdict,
    /// Why; may be empty where no reason is required.
    pub reason: String,
    /// When.
    pub at_unix_millis: u64,
}

/// Why a vote does not count. The texts are for whoever voted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum VoteRefused {
    /// No requirement names them or a role of theirs.
    #[error("you are not an approver of this call")]
    NotAnApprover,
    /// They asked for the call themselves.
    #[error("you asked for this call yourself, so somebody else has to decide")]
    Requester,
    /// Policy wants to know why.
    #[error("policy requires a reason: say why")]
    ReasonRequired,
    /// They have said so before.
    #[error("you have approved this call before; others have to decide now")]
    AlreadyVoted,
    /// It is decided, or over.
    #[error("too late: this call is {0} already")]
    NotPending(State),
}

/// How far one requirement is from being met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Roles of which an approver needs one.
    pub roles: Vec<String>,
    /// Users who may approve whatever their roles.
    pub users: Vec<String>,
    /// Approvals that count so far.
    pub have: u32,
    /// Approvals that it takes.
    pub need: u32,
}

/// What people have said on one call, and what it takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ballot<'a> {
    pub(crate) state: State,
    /// Who asked.
    pub(crate) requester: &'a str,
    pub(crate) requirements: &'a [Requirement],
    pub(crate) votes: &'a [Vote],
}

impl<'a> Ballot<'a> {
    /// Whether that person may say no, whatever they have said before.
    pub(crate) fn may_deny(self, person: &Person) -> Result<(), VoteRefused> {
        if self.state != State::Pending {
            return Err(VoteRefused::NotPending(self.state));
        }
        let mut named = self
            .requirements
            .iter()
            .filter(|requirement| is_named(requirement, person))
            .peekable();
        if named.peek().is_none() {
            return Err(VoteRefused::NotAnApprover);
        }
        if !named.any(|requirement| self.is_free(requirement, person)) {
            return Err(VoteRefused::Requester);
        }
        Ok(())
    }

    /// Whether that person may say yes.
    pub(crate) fn may_approve(self, person: &Person) -> Result<(), VoteRefused> {
        self.may_deny(person)?;
        match self.votes.iter().any(|vote| vote.by.user == person.user) {
            true => Err(VoteRefused::AlreadyVoted),
            false => Ok(()),
        }
    }

    pub(crate) fn reason_required(self) -> bool {
        self.requirements
            .iter()
            .any(|requirement| requirement.reason_required)
    }

    pub(crate) fn may(self, vote: &Vote) -> Result<(), VoteRefused> {
        match vote.verdict {
            Verdict::Approve => self.may_approve(&vote.by)?,
            Verdict::Deny => self.may_deny(&vote.by)?,
        }
        match self.reason_required() && vote.reason.trim().is_empty() {
            true => Err(VoteRefused::ReasonRequired),
            false => Ok(()),
        }
    }

    /// Each requirement that is not met yet.
    pub(crate) fn missing(self) -> impl Iterator<Item = Missing> + 'a {
        self.requirements.iter().filter_map(move |requirement| {
            let (have, need) = (self.have(requirement), requirement.quorum.max(1));
            (have < need).then(|| Missing {
                roles: requirement.roles.clone(),
                users: requirement.users.clone(),
                have,
                need,
            })
        })
    }

    /// What nobody requires anything of is never approved: such a call should not have come here.
    pub(crate) fn is_met(self) -> bool {
        let met = |requirement: &Requirement| self.have(requirement) >= requirement.quorum.max(1);
        !self.requirements.is_empty() && self.requirements.iter().all(met)
    }

    /// People who have approved and count for this requirement. One user counts once, whoever vouches.
    fn have(self, requirement: &Requirement) -> u32 {
        let approvers: HashSet<&str> = self
            .votes
            .iter()
            .filter(|vote| vote.verdict == Verdict::Approve)
            .map(|vote| &vote.by)
            .filter(|person| is_named(requirement, person) && self.is_free(requirement, person))
            .map(|person| person.user.as_str())
            .collect();
        u32::try_from(approvers.len()).unwrap_or(u32::MAX)
    }

    /// Compared by user alone: that two issuers name the same user must not be a way around.
    fn is_free(self, requirement: &Requirement, person: &Person) -> bool {
        requirement.self_approval || person.user != self.requester
    }
}

/// Whether the requirement names the person, or a role of theirs.
fn is_named(requirement: &Requirement, person: &Person) -> bool {
    // Somebody without a name is nobody.
    !person.user.is_empty()
        && (requirement.users.contains(&person.user)
            || person
                .roles
                .iter()
                .any(|role| requirement.roles.contains(role)))
}
