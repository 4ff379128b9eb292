//! Why a call is allowed, held or refused, rule by rule, by the same engine that decides in the filters.

use std::fmt;

use gatehold_engine::{
    Arguments, Decision, Effect, FindingsSource, PolicyError, Principal, Query, RuleEffect,
    RuleOutcome, ServerPolicy, Target,
};
use serde_json::{Map, Value};

use crate::suggest::{excerpt, instead_of};
use crate::summary::count;
use crate::{Documents, Location};

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Name of the server.
    pub server: &'a str,
    /// Who would call.
    pub principal: &'a Principal,
    /// What would be called.
    pub target: Target<'a>,
    /// With which arguments; nothing asks as a list does, before any are known.
    pub arguments: Option<&'a Map<String, Value>>,
    /// What detection sees in them, for conditions over `findings`; nothing fails those.
    pub findings: Option<&'a dyn FindingsSource>,
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuestionError {
    /// There is no such server.
    #[error("there is no server `{server}`: {help}")]
    UnknownServer {
        /// What was asked for.
        server: String,
        /// What to ask for instead.
        help: String,
    },
    /// The policy does not compile, which loading should have found.
    #[error("the policy of server `{server}`: {error}")]
    Policy {
        /// Name of the server.
        server: String,
        /// What is wrong with its policy.
        error: PolicyError,
    },
}

/// The answer, for programs in its fields and for people as text.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// The question in words.
    pub question: String,
    /// What the filter would decide; without arguments, the most that it could grant.
    pub decision: Decision,
    /// Whether the decision can turn out otherwise, once the arguments are known.
    pub undecided: bool,
    /// Whether the server is enforced; else all of this is recorded, and everything passes.
    pub enforced: bool,
    /// Whether lists show the target to this principal.
    pub visible: bool,
    /// All rules that speak of the target, in the order of the policy.
    pub rules: Vec<RuleReport>,
    /// Number of rules of the server that speak of other targets.
    pub other_rules: usize,
}

/// How one rule fared.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleReport {
    /// Id of the rule.
    pub id: String,
    /// `allow`, `approve` or `deny`.
    pub effect: &'static str,
    /// Where it stopped, or that it matched.
    pub outcome: RuleOutcome,
    /// Where it is written.
    pub location: Option<Location>,
}

/// Answers a question.
///
/// # Errors
///
/// When there is no such server.
pub fn explain(
    documents: &Documents,
    question: &Question<'_>,
) -> Result<Explanation, QuestionError> {
    let Some(server) = documents.server(question.server) else {
        let names: Vec<_> = documents
            .servers
            .iter()
            .map(|server| server.name.as_str())
            .collect();
        let help = match names.is_empty() {
            true => "there are no servers at all".to_owned(),
            false => instead_of(question.server, &names),
        };
        let server = excerpt(question.server);
        return Err(QuestionError::UnknownServer { server, help });
    };
    let policy =
        ServerPolicy::new(server.policy.clone()).map_err(|error| QuestionError::Policy {
            server: server.name.clone(),
            error,
        })?;
    let query = Query {
        principal: question.principal,
        target: question.target,
        arguments: question
            .arguments
            .map_or(Arguments::Unknown, Arguments::Known),
        findings: question.findings,
    };
    let (decision, traces) = policy.explain(&query);
    let effects = server
        .policy
        .rules
        .iter()
        .map(|rule| (rule.id.as_str(), effect(&rule.effect)));
    let effects: std::collections::HashMap<_, _> = effects.collect();
    let all = server.policy.rules.len();
    let traces = traces
        .into_iter()
        .filter(|trace| trace.outcome != RuleOutcome::OtherTarget);
    let rules = traces.map(|trace| RuleReport {
        effect: effects
            .get(trace.rule.as_str())
            .copied()
            .unwrap_or_default(),
        location: documents.rules.get(&trace.rule).cloned(),
        id: trace.rule,
        outcome: trace.outcome,
    });
    let rules: Vec<RuleReport> = rules.collect();
    let unknown = |rule: &RuleReport| rule.outcome == RuleOutcome::ConditionUnknown;
    let undecided = decision.effect != Effect::Deny && rules.iter().any(unknown);
    Ok(Explanation {
        question: words(question),
        enforced: server.enforce,
        visible: policy.visible(question.principal, question.target),
        decision,
        undecided,
        other_rules: all.saturating_sub(rules.len()),
        rules,
    })
}

fn effect(effect: &RuleEffect) -> &'static str {
    match effect {
        RuleEffect::Allow => "allow",
        RuleEffect::Approve(_) => "approve",
        RuleEffect::Deny => "deny",
    }
}

fn words(question: &Question<'_>) -> String {
    let (kind, name) = match question.target {
        Target::Tool(name) => ("tool", name),
        Target::Resource(uri) => ("resource", uri),
        Target::Prompt(name) => ("prompt", name),
        Target::Method(name) => ("method", name),
    };
    let principal = question.principal;
    let mut who = format!("user `{}`", excerpt(&principal.user));
    if !principal.agent.is_empty() {
        who.push_str(&format!(" through agent `{}`", excerpt(&principal.agent)));
    }
    for (what, names) in [("roles", &principal.roles), ("groups", &principal.groups)] {
        if !names.is_empty() {
            who.push_str(&format!(", {what} {}", names.join(", ")));
        }
    }
    format!(
        "{kind} `{}` of server `{}` for {who}",
        excerpt(name),
        question.server
    )
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let effect = match self.decision.effect {
            Effect::Allow => "allow",
            Effect::Hold(_) => "hold",
            Effect::Deny => "deny",
        };
        if self.undecided {
            writeln!(f, "depends on the arguments: {}", self.question)?;
        } else {
            writeln!(f, "{effect}: {}", self.question)?;
            writeln!(f, "  because {}", self.decision.reason)?;
        }
        let shown = if self.visible { "shown" } else { "hidden" };
        writeln!(f, "  {shown} in lists")?;
        if !self.enforced {
            writeln!(
                f,
                "  not enforced (`enforce: false`): it is recorded, and passes"
            )?;
        }
        for error in &self.decision.errors {
            writeln!(f, "  rule `{}` failed: {}", error.rule, error.message)?;
        }
        for rule in &self.rules {
            write!(
                f,
                "  {:<7} {}: {}",
                rule.effect,
                rule.id,
                outcome(&rule.outcome)
            )?;
            match &rule.location {
                Some(location) => writeln!(f, " ({location})")?,
                None => writeln!(f)?,
            }
        }
        match self.other_rules {
            0 => Ok(()),
            others => writeln!(
                f,
                "  {} about other targets",
                count(others, "rule", "rules")
            ),
        }
    }
}

fn outcome(outcome: &RuleOutcome) -> String {
    match outcome {
        RuleOutcome::OtherSubject => "is about other subjects".to_owned(),
        RuleOutcome::OtherTarget => "is about other targets".to_owned(),
        RuleOutcome::ConditionFalse => "its condition is false".to_owned(),
        RuleOutcome::ConditionUnknown => "its condition depends on the arguments".to_owned(),
        RuleOutcome::ConditionError(message) => format!("its condition fails: {message}"),
        RuleOutcome::Matched => "matches".to_owned(),
    }
}
