//! From the outcomes of the matching rules to a decision.

use smallvec::SmallVec;

use crate::eval::{Failure, Outcome};
use crate::index::RuleNumbers;
use crate::policy::{Rule, RuleEffect};
use crate::{Decision, Effect, MAX_DECISION_STEPS, RuleError, Target};

/// Most rules that a reason names.
const MAX_NAMED: usize = 3;
/// Most bytes of a target that a reason repeats.
const MAX_TARGET: usize = 200;

/// The matching rules by what they ask for. Deny beats approve beats allow, whatever their order.
#[derive(Debug, Default)]
pub(crate) struct Tally<'a> {
    denies: RuleNumbers,
    approves: RuleNumbers,
    allows: RuleNumbers,
    /// Rules that apply for some arguments only; empty when the arguments are known.
    may_approve: RuleNumbers,
    may_allow: RuleNumbers,
    failed: SmallVec<[(u32, Failure<'a>); 2]>,
    /// Set when a failing rule denies.
    failed_closed: bool,
    /// Set when the conditions together took too many steps.
    exhausted: bool,
}

impl<'a> Tally<'a> {
    pub(crate) fn record(&mut self, number: u32, effect: &RuleEffect, outcome: Outcome<'a>) {
        match (outcome, effect) {
            (Outcome::False, _) | (Outcome::Unknown, RuleEffect::Deny) => {}
            (Outcome::True, RuleEffect::Deny) => self.denies.push(number),
            (Outcome::True, RuleEffect::Approve(_)) => self.approves.push(number),
            (Outcome::True, RuleEffect::Allow) => self.allows.push(number),
            (Outcome::Unknown, RuleEffect::Approve(_)) => self.may_approve.push(number),
            (Outcome::Unknown, RuleEffect::Allow) => self.may_allow.push(number),
            (Outcome::Failed(failure), effect) => {
                self.failed.push((number, failure));
                self.failed_closed |= *effect != RuleEffect::Allow;
            }
        }
    }

    pub(crate) fn exhaust(&mut self) {
        self.exhausted = true;
    }

    /// Whether nothing that may yet be recorded can change the effect.
    pub(crate) fn denied(&self) -> bool {
        self.exhausted || self.failed_closed || !self.denies.is_empty()
    }

    /// Whether the effect is other than `Deny`, for some arguments at least.
    pub(crate) fn permits(&self) -> bool {
        let permitting = [
            &self.approves,
            &self.allows,
            &self.may_approve,
            &self.may_allow,
        ];
        !self.denied() && permitting.iter().any(|numbers| !numbers.is_empty())
    }

    pub(crate) fn decision(self, rules: &[Rule], target: Target<'_>) -> Decision {
        let errors = self.failed.iter().filter_map(|(number, failure)| {
            let rule = rules.get(*number as usize)?;
            Some(RuleError {
                rule: rule.id.clone(),
                message: failure.to_string(),
            })
        });
        let errors: Vec<RuleError> = errors.collect();
        let (effect, numbers, reason) = if self.exhausted {
            let reason = format!("its conditions take more than {MAX_DECISION_STEPS} steps");
            (Effect::Deny, RuleNumbers::new(), reason)
        } else if self.denied() {
            self.denial(rules)
        } else if !self.approves.is_empty() {
            hold(self.approves, rules)
        } else if !self.allows.is_empty() || !self.may_allow.is_empty() {
            let numbers = merge(self.allows, &self.may_allow);
            let reason = format!("allowed by {}", names(&numbers, rules));
            (Effect::Allow, numbers, reason)
        } else if !self.may_approve.is_empty() {
            hold(self.may_approve, rules)
        } else {
            (
                Effect::Deny,
                RuleNumbers::new(),
                nothing_allows(&errors, target),
            )
        };
        Decision {
            effect,
            rules: ids(&numbers, rules),
            reason,
            errors,
        }
    }

    fn denial(self, rules: &[Rule]) -> (Effect, RuleNumbers, String) {
        let closing = self.failed.iter().filter(|(number, _)| {
            rules
                .get(*number as usize)
                .is_some_and(|rule| rule.effect != RuleEffect::Allow)
        });
        let failed: RuleNumbers = closing.clone().map(|(number, _)| *number).collect();
        let reason = match closing.clone().next() {
            Some((_, failure)) if self.denies.is_empty() => {
                format!(
                    "{} could not be evaluated: {failure}",
                    names(&failed, rules)
                )
            }
            _ => format!("denied by {}", names(&self.denies, rules)),
        };
        (Effect::Deny, merge(self.denies, &failed), reason)
    }
}

fn hold(numbers: RuleNumbers, rules: &[Rule]) -> (Effect, RuleNumbers, String) {
    let approvals =
        numbers
            .iter()
            .filter_map(|number| match &rules.get(*number as usize)?.effect {
                RuleEffect::Approve(approval) => Some(approval.clone()),
                RuleEffect::Allow | RuleEffect::Deny => None,
            });
    let effect = Effect::Hold(approvals.collect());
    let reason = format!("approval required by {}", names(&numbers, rules));
    (effect, numbers, reason)
}

fn nothing_allows(errors: &[RuleError], target: Target<'_>) -> String {
    let (kind, name) = match target {
        Target::Tool(name) => ("tool", name),
        Target::Resource(uri) => ("resource", uri),
        Target::Prompt(name) => ("prompt", name),
        Target::Method(name) => ("method", name),
    };
    let cut = name
        .get(..name.floor_char_boundary(MAX_TARGET))
        .unwrap_or_default();
    let dots = if cut.len() < name.len() { "…" } else { "" };
    match errors {
        [] => format!("no rule allows {kind} `{cut}{dots}`"),
        [error, ..] => format!(
            "no rule allows {kind} `{cut}{dots}`, and rule `{}` could not be evaluated: {}",
            error.rule, error.message
        ),
    }
}

fn merge(mut numbers: RuleNumbers, others: &[u32]) -> RuleNumbers {
    if !others.is_empty() {
        numbers.extend_from_slice(others);
        numbers.sort_unstable();
    }
    numbers
}

fn ids(numbers: &[u32], rules: &[Rule]) -> Vec<String> {
    numbers
        .iter()
        .filter_map(|number| Some(rules.get(*number as usize)?.id.clone()))
        .collect()
}

/// "rule `a`", "rules `a`, `b`", "rules `a`, `b`, `c` and 4 more".
fn names(numbers: &[u32], rules: &[Rule]) -> String {
    let mut text = String::from(if numbers.len() == 1 {
        "rule "
    } else {
        "rules "
    });
    let named = numbers
        .iter()
        .take(MAX_NAMED)
        .filter_map(|number| rules.get(*number as usize));
    for (position, rule) in named.enumerate() {
        if position > 0 {
            text.push_str(", ");
        }
        text.push('`');
        text.push_str(&rule.id);
        text.push('`');
    }
    match numbers.len().saturating_sub(MAX_NAMED) {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}
