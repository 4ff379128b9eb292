//! From the outcomes of the matching rules to a decision.

use smallvec::SmallVec;

use crate::eval::{Failure, Outcome};
use crate::index::{Kind, Match, Matches};
use crate::policy::{Rule, RuleEffect};
use crate::text::Texts;
use crate::{Decision, Effect, Ground, MAX_DECISION_STEPS, RuleError, Target};

/// Most rules that a reason names.
const MAX_NAMED: usize = 3;
/// Most bytes of a target that a reason repeats.
const MAX_TARGET: usize = 200;

/// The matching rules by what they ask for. Deny beats approve beats allow, whatever their order.
#[derive(Debug, Default)]
pub(crate) struct Tally<'a> {
    denies: Matches,
    approves: Matches,
    allows: Matches,
    /// Rules that apply for some arguments only; empty when the arguments are known.
    may_approve: Matches,
    may_allow: Matches,
    /// Rules that would permit if their condition held.
    missed: Matches,
    failed: SmallVec<[(Match, Failure<'a>); 2]>,
    /// Set when a failing rule denies.
    failed_closed: bool,
    /// Set when the conditions together took too many steps.
    exhausted: bool,
}

impl<'a> Tally<'a> {
    pub(crate) fn record(&mut self, rule: Match, outcome: Outcome<'a>) {
        match (outcome, rule.kind()) {
            (Outcome::False | Outcome::Unknown, Kind::Deny) => {}
            (Outcome::False, Kind::Approve | Kind::Allow) => self.missed.push(rule),
            (Outcome::True, Kind::Deny) => self.denies.push(rule),
            (Outcome::True, Kind::Approve) => self.approves.push(rule),
            (Outcome::True, Kind::Allow) => self.allows.push(rule),
            (Outcome::Unknown, Kind::Approve) => self.may_approve.push(rule),
            (Outcome::Unknown, Kind::Allow) => self.may_allow.push(rule),
            (Outcome::Failed(failure), kind) => {
                self.failed.push((rule, failure));
                self.failed_closed |= kind != Kind::Allow;
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

    /// `rules` are asked for the details of an approval only.
    pub(crate) fn decision(self, ids: &Texts, rules: &[Rule], target: Target<'_>) -> Decision {
        let errors = self.failed.iter().map(|(rule, failure)| RuleError {
            rule: ids.get(rule.number()).to_owned(),
            message: failure.to_string(),
        });
        let errors: Vec<RuleError> = errors.collect();
        let mut ground = Ground::Rules;
        let (effect, matches, reason) = if self.exhausted {
            ground = Ground::Limit;
            let reason = format!("its conditions take more than {MAX_DECISION_STEPS} steps");
            (Effect::Deny, Matches::new(), reason)
        } else if self.denied() {
            self.denial(ids)
        } else if !self.approves.is_empty() {
            hold(self.approves, ids, rules)
        } else if !self.allows.is_empty() || !self.may_allow.is_empty() {
            let matches = merge(self.allows, &self.may_allow);
            let reason = naming("allowed by ", &matches, ids);
            (Effect::Allow, matches, reason)
        } else if !self.may_approve.is_empty() {
            hold(self.may_approve, ids, rules)
        } else {
            ground = Ground::NoRule;
            (
                Effect::Deny,
                Matches::new(),
                nothing_allows(&errors, &self.missed, ids, target),
            )
        };
        let rules = matches
            .iter()
            .map(|rule| ids.get(rule.number()).to_owned())
            .collect();
        Decision {
            effect,
            rules,
            reason,
            errors,
            ground,
        }
    }

    fn denial(self, ids: &Texts) -> (Effect, Matches, String) {
        let closing = self
            .failed
            .iter()
            .filter(|(rule, _)| rule.kind() != Kind::Allow);
        let failed: Matches = closing.clone().map(|(rule, _)| *rule).collect();
        let reason = match closing.clone().next() {
            Some((_, failure)) if self.denies.is_empty() => {
                format!(
                    "{} could not be evaluated: {failure}",
                    naming("", &failed, ids)
                )
            }
            _ => naming("denied by ", &self.denies, ids),
        };
        (Effect::Deny, merge(self.denies, &failed), reason)
    }
}

fn hold(matches: Matches, ids: &Texts, rules: &[Rule]) -> (Effect, Matches, String) {
    let approvals =
        matches
            .iter()
            .filter_map(|rule| match &rules.get(rule.number() as usize)?.effect {
                RuleEffect::Approve(approval) => Some(approval.clone()),
                RuleEffect::Allow | RuleEffect::Deny => None,
            });
    let effect = Effect::Hold(approvals.collect());
    let reason = naming("approval required by ", &matches, ids);
    (effect, matches, reason)
}

fn nothing_allows(
    errors: &[RuleError],
    missed: &[Match],
    ids: &Texts,
    target: Target<'_>,
) -> String {
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
        [] if missed.is_empty() => format!("no rule allows {kind} `{cut}{dots}`"),
        [] => format!(
            "no rule allows {kind} `{cut}{dots}` like this: the condition of {} does not hold",
            naming("", missed, ids)
        ),
        [error, ..] => format!(
            "no rule allows {kind} `{cut}{dots}`, and rule `{}` could not be evaluated: {}",
            error.rule, error.message
        ),
    }
}

fn merge(mut matches: Matches, others: &[Match]) -> Matches {
    if !others.is_empty() {
        matches.extend_from_slice(others);
        matches.sort_unstable();
    }
    matches
}

/// "denied by rule `a`", "denied by rules `a`, `b`", "denied by rules `a`, `b`, `c` and 4 more".
fn naming(what: &str, matches: &[Match], ids: &Texts) -> String {
    let mut text = String::with_capacity(64);
    text.push_str(what);
    text.push_str(if matches.len() == 1 {
        "rule "
    } else {
        "rules "
    });
    for (position, rule) in matches.iter().take(MAX_NAMED).enumerate() {
        if position > 0 {
            text.push_str(", ");
        }
        text.push('`');
        text.push_str(ids.get(rule.number()));
        text.push('`');
    }
    match matches.len().saturating_sub(MAX_NAMED) {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}
