//! What is asked of the engine, and what it answers.

use std::fmt;

use serde_json::{Map, Value};

use crate::{Approval, FindingsSource, Principal};

/// One question: may this principal do this?
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// Who asks.
    pub principal: &'a Principal,
    /// For what.
    pub target: Target<'a>,
    /// With which arguments.
    pub arguments: Arguments<'a>,
    /// What detection sees in the arguments. Without, conditions over findings fail, so that they deny or do
    /// not allow; while the arguments are unknown nobody asks it.
    pub findings: Option<&'a dyn FindingsSource>,
}

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// A tool, by name.
    Tool(&'a str),
    /// A resource, by URI.
    Resource(&'a str),
    /// A prompt, by name.
    Prompt(&'a str),
    /// A method that is about none of these.
    Method(&'a str),
}

/// The arguments of a call, as far as they are known.
#[derive(Clone, Copy, Debug)]
pub enum Arguments<'a> {
    /// A call: these and no others.
    Known(&'a Map<String, Value>),
    /// A call: those that will be built when a condition asks for them, and no others.
    Later(&'a dyn Later),
    /// A list: nothing is known yet, every condition over them is true, false or unknown.
    Unknown,
}

/// Arguments that are only built if a condition asks for them.
pub trait Later: fmt::Debug {
    /// The arguments; `None` when they cannot be built, so that every condition over them fails.
    fn arguments(&self) -> Option<&Map<String, Value>>;
}

/// The engine's answer: effect, reasons and errors always come together.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// What follows.
    pub effect: Effect,
    /// Ids of the rules that decided, in the order of the policy.
    pub rules: Vec<String>,
    /// Why, in one sentence for a person (`no rule allows tool `x``, `denied by rule `a/1``).
    pub reason: String,
    /// Rules whose condition failed to evaluate. A failed `allow` never allows; a failed `deny` or
    /// `approve` denies.
    pub errors: Vec<RuleError>,
    /// What the effect rests on.
    pub ground: Ground,
}

/// What a decision rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// The rules that it names.
    Rules,
    /// No rule matches, so that it is denied by default.
    NoRule,
    /// The conditions took more steps than are allowed, so that it is denied.
    Limit,
    /// The rules that it names allow it, but detection saw something earlier that a person has to know.
    Detection,
}

impl Decision {
    /// Whether something stands against it, rather than nothing speaking for it. For what needs no rule to
    /// be allowed.
    #[must_use]
    pub fn forbids(&self) -> bool {
        self.effect != Effect::Allow && self.ground != Ground::NoRule
    }

    /// The same with one approval more, for what detection saw before the call: what was allowed waits, what
    /// waits needs this approval too, and what is denied stays denied. `seen` says what it was, for a person:
    /// "a result of tool `fetch` looked like an attack".
    #[must_use]
    pub fn and_approval(mut self, approval: &Approval, seen: &str) -> Self {
        match &mut self.effect {
            Effect::Deny => {}
            Effect::Hold(approvals) => {
                approvals.push(approval.clone());
                self.reason = format!("{}, and because {seen}", self.reason);
            }
            effect @ Effect::Allow => {
                *effect = Effect::Hold(vec![approval.clone()]);
                self.ground = Ground::Detection;
                self.reason = format!("approval required because {seen}");
            }
        }
        self
    }
}

/// What follows from a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Go ahead.
    Allow,
    /// Wait for a person; the requirements of all matching `approve` rules.
    Hold(Vec<Approval>),
    /// Refuse.
    Deny,
}

/// A condition that could not be evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    /// Id of the rule.
    pub rule: String,
    /// What went wrong, for the policy's author.
    pub message: String,
}

/// How one rule fared for one query, for `explain`.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleTrace {
    /// Id of the rule.
    pub rule: String,
    /// What came of it.
    pub outcome: RuleOutcome,
}

/// Where a rule stopped, or that it matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleOutcome {
    /// Subjects do not match.
    OtherSubject,
    /// Targets do not match.
    OtherTarget,
    /// The condition is false.
    ConditionFalse,
    /// The condition depends on arguments that are not known yet.
    ConditionUnknown,
    /// The condition failed.
    ConditionError(String),
    /// The rule applies.
    Matched,
}
