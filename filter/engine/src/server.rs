//! The policy of one server, ready to decide.

use rustc_hash::FxHashSet;

use crate::check::check;
use crate::decide::Tally;
use crate::eval::{Failure, Outcome, evaluate};
use crate::index::{Index, RiskIndex, covers, speaks_of};
use crate::policy::{Rule, RuleEffect};
use crate::regexes::Regexes;
use crate::scope::Scope;
use crate::text::Texts;
use crate::{
    Arguments, Decision, Expr, MAX_CONDITION_STEPS, MAX_DECISION_STEPS, PolicyError, PolicySource,
    Principal, Query, RuleOutcome, RuleTrace, Target,
};

/// Most rules of one server; each may take about a thousand entries of the index.
const MAX_RULES: usize = 1_000_000;
/// Most bytes of all names in the rules of one server.
const MAX_TEXT: usize = 1 << 30;

/// The risk class of tools that change nothing.
const READ: &str = "read";

/// All rules of one server, checked and indexed. Immutable; share it behind an `Rc` or `Arc`.
#[derive(Debug)]
pub struct ServerPolicy {
    server: String,
    ids: Texts,
    /// Without their ids.
    rules: Vec<Rule>,
    risks: RiskIndex,
    index: Index,
    regexes: Regexes,
}

impl ServerPolicy {
    /// Checks and indexes a policy.
    ///
    /// # Errors
    ///
    /// Refuses the whole policy when one of its rules could not be decided with; the error names the rule.
    pub fn new(source: PolicySource) -> Result<Self, PolicyError> {
        let PolicySource {
            server,
            mut rules,
            risks,
        } = source;
        if rules.len() > MAX_RULES || rules.iter().map(text_length).sum::<usize>() > MAX_TEXT {
            return Err(PolicyError::TooLarge { server });
        }
        let regexes = check_rules(&rules)?;
        let mut ids = Texts::default();
        for rule in &mut rules {
            ids.push(&std::mem::take(&mut rule.id));
        }
        let mut risks = RiskIndex::new(&risks);
        let index = Index::new(&rules, &mut risks);
        Ok(Self {
            server,
            ids,
            rules,
            risks,
            index,
            regexes,
        })
    }

    /// Name of the server.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Decides. Denies unless a rule allows; `deny` beats `approve` beats `allow`, whatever their order.
    ///
    /// With [`Arguments::Unknown`] the effect is the most permissive one that some arguments could get,
    /// so it is `Deny` only if the call is denied whatever its arguments.
    pub fn decide(&self, query: &Query<'_>) -> Decision {
        let scope = Scope::new(&self.server, &self.risks, query);
        self.tally(&scope, |_| false)
            .decision(&self.ids, &self.rules, query.target)
    }

    /// Whether some rule wants a person to approve.
    pub fn has_approvals(&self) -> bool {
        let approves = |rule: &Rule| matches!(rule.effect, RuleEffect::Approve(_));
        self.rules.iter().any(approves)
    }

    /// Risk classes of a tool, in the order of the documents.
    pub fn risks(&self, tool: &str) -> Vec<String> {
        let names = self.risks.names();
        let classes = self.risks.classes(tool);
        let named = classes
            .iter()
            .filter_map(|class| names.get(*class as usize));
        named.cloned().collect()
    }

    /// Whether the tool does nothing but read: its only risk class is `read`. One without classes may do
    /// anything.
    pub fn only_reads(&self, tool: &str) -> bool {
        let names = self.risks.names();
        let classes = self.risks.classes(tool);
        let reads = |class: &u32| names.get(*class as usize).is_some_and(|name| name == READ);
        !classes.is_empty() && classes.iter().all(reads)
    }

    /// Whether a list may show the target to the principal: unless it is denied for all arguments.
    ///
    /// The same as [`Self::decide`] with [`Arguments::Unknown`] and an effect other than `Deny`, for less.
    pub fn visible(&self, principal: &Principal, target: Target<'_>) -> bool {
        let query = Query {
            principal,
            target,
            arguments: Arguments::Unknown,
            findings: None,
        };
        let scope = Scope::new(&self.server, &self.risks, &query);
        self.tally(&scope, Tally::denied).permits()
    }

    /// Decides, and tells how every rule of the policy fared, in the order of the policy.
    pub fn explain(&self, query: &Query<'_>) -> (Decision, Vec<RuleTrace>) {
        let scope = Scope::new(&self.server, &self.risks, query);
        let traces = (0..).zip(&self.rules).map(|(number, rule)| RuleTrace {
            rule: self.ids.get(number).to_owned(),
            outcome: self.trace(rule, &scope),
        });
        (self.decide(query), traces.collect())
    }

    /// Evaluates the matching rules until there are no more or `enough` says so.
    fn tally<'a>(&'a self, scope: &'a Scope<'a>, enough: impl Fn(&Tally<'a>) -> bool) -> Tally<'a> {
        let mut tally = Tally::default();
        // What is unknown leaves nothing to an attacker to make it costly.
        let known = !matches!(scope.query.arguments, Arguments::Unknown);
        let mut left = if known {
            MAX_DECISION_STEPS
        } else {
            usize::MAX
        };
        for rule in self.index.matching(&self.rules, scope) {
            let (outcome, steps) = if rule.conditional() {
                let condition = self
                    .rules
                    .get(rule.number() as usize)
                    .and_then(|r| r.when.as_ref());
                self.condition(condition, scope, MAX_CONDITION_STEPS.min(left))
            } else {
                (Outcome::True, 0)
            };
            // The decision as a whole is out of steps. Which rule met the end depends on their order, so
            // the effect must not depend on what that rule asks for.
            if left < MAX_CONDITION_STEPS && outcome == Outcome::Failed(Failure::TooManySteps) {
                tally.exhaust();
                break;
            }
            left = left.saturating_sub(steps);
            tally.record(rule, outcome);
            if enough(&tally) {
                break;
            }
        }
        tally
    }

    fn condition<'a>(
        &'a self,
        condition: Option<&'a Expr>,
        scope: &'a Scope<'a>,
        steps: usize,
    ) -> (Outcome<'a>, usize) {
        match condition {
            None => (Outcome::True, 0),
            Some(condition) => evaluate(condition, scope, &self.regexes, steps),
        }
    }

    /// Looks at the rule itself rather than the index.
    fn trace(&self, rule: &Rule, scope: &Scope<'_>) -> RuleOutcome {
        if !speaks_of(&rule.subjects, scope.query.principal) {
            return RuleOutcome::OtherSubject;
        }
        if !covers(rule, scope) {
            return RuleOutcome::OtherTarget;
        }
        match self
            .condition(rule.when.as_ref(), scope, MAX_CONDITION_STEPS)
            .0
        {
            Outcome::True => RuleOutcome::Matched,
            Outcome::False => RuleOutcome::ConditionFalse,
            Outcome::Unknown => RuleOutcome::ConditionUnknown,
            Outcome::Failed(failure) => RuleOutcome::ConditionError(failure.to_string()),
        }
    }
}

fn check_rules(rules: &[Rule]) -> Result<Regexes, PolicyError> {
    let mut regexes = Regexes::default();
    let mut ids = FxHashSet::default();
    for rule in rules {
        if !ids.insert(rule.id.as_str()) {
            return Err(PolicyError::DuplicateRule {
                rule: rule.id.clone(),
            });
        }
        let subjects = &rule.subjects;
        let lists = [
            &subjects.users,
            &subjects.agents,
            &subjects.roles,
            &subjects.groups,
        ];
        if lists.into_iter().flatten().any(String::is_empty) {
            return Err(PolicyError::EmptySubject {
                rule: rule.id.clone(),
            });
        }
        if let Some(condition) = &rule.when {
            check(&rule.id, condition, &mut regexes)?;
        }
    }
    Ok(regexes)
}

/// Bytes of all names and patterns of a rule.
fn text_length(rule: &Rule) -> usize {
    let Rule {
        id,
        subjects,
        targets,
        ..
    } = rule;
    let subjects = [
        &subjects.users,
        &subjects.agents,
        &subjects.roles,
        &subjects.groups,
    ];
    let targets = [
        &targets.tools,
        &targets.resources,
        &targets.prompts,
        &targets.methods,
    ];
    let names = subjects.into_iter().chain(targets).flatten();
    names.chain([id]).map(String::len).sum()
}
