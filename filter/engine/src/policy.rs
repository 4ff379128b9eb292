//! The policy IR: what control compiles the documents of one server into.
//!
//! These types are plain data. They are converted by hand to and from the wire (`filter/wire`) and
//! indexed by [`crate::ServerPolicy`] before anything is decided with them.

use crate::Expr;

/// All rules that concern one server, before they are indexed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PolicySource {
    /// Name of the server (`metadata.name` of its document).
    pub server: String,
    /// Rules of all policies that reach this server. Their order never matters for a decision.
    pub rules: Vec<Rule>,
    /// Risk classes of the server's tools.
    pub risks: Vec<RiskAssignment>,
}

/// One rule of one policy, specialised to one server.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Unique within the server: `<policy>/<position or name>`, for example `support/2`.
    pub id: String,
    /// What follows when the rule matches.
    pub effect: RuleEffect,
    /// Whom it speaks of.
    pub subjects: Subjects,
    /// What it speaks of.
    pub targets: Targets,
    /// The condition. Absent means always.
    pub when: Option<Expr>,
}

/// What a matching rule asks for. `Deny` beats `Approve` beats `Allow`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleEffect {
    /// The call may go ahead.
    Allow,
    /// The call waits for a person.
    Approve(Approval),
    /// The call is refused.
    Deny,
}

/// Who may approve a held call, and within which time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Approval {
    /// Roles of which an approver needs one.
    pub roles: Vec<String>,
    /// Users who may approve whatever their roles.
    pub users: Vec<String>,
    /// Seconds until the hold expires.
    pub within_seconds: u64,
    /// How many approvers must agree; 0 means one.
    pub quorum: u32,
    /// Whether an approver has to say why.
    pub reason_required: bool,
    /// Whether the user who asks may approve too.
    pub self_approval: bool,
}

/// Whom a rule speaks of. An empty list does not restrict; the lists that are not empty must all match
/// (any entry of each).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subjects {
    /// Users, by their identifier.
    pub users: Vec<String>,
    /// Agents, by their client id.
    pub agents: Vec<String>,
    /// Roles.
    pub roles: Vec<String>,
    /// Groups.
    pub groups: Vec<String>,
}

/// What a rule speaks of: any of the patterns of any of the kinds.
///
/// Patterns are globs in which `*` stands for any run of characters and nothing else is special.
/// A rule without any pattern matches nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Targets {
    /// Patterns of tool names.
    pub tools: Vec<String>,
    /// When not empty, tools must also have one of these risk classes.
    pub risks: Vec<String>,
    /// Patterns of resource URIs.
    pub resources: Vec<String>,
    /// Patterns of prompt names.
    pub prompts: Vec<String>,
    /// Patterns of methods that are none of the above.
    pub methods: Vec<String>,
}

/// Gives risk classes to tools.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RiskAssignment {
    /// Patterns of tool names.
    pub tools: Vec<String>,
    /// Classes (`read`, `write`, `destructive`, `external`, `financial`, or one's own).
    pub classes: Vec<String>,
}
