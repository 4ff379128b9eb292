//! Finds the rules that speak of a query without looking at the others.
//!
//! First by target: each distinct pattern has a bucket. Then, within the bucket, by subject: each rule
//! stands under the entries of its rarest subject list, or under everyone. What the index does not
//! check is marked on the rule and checked afterwards.

mod build;
mod patterns;
mod risks;

pub(crate) use risks::RiskIndex;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::policy::{Rule, Subjects};
use crate::scope::Scope;
use crate::{Principal, Target};
use patterns::Patterns;

/// Numbers of rules, ascending, that is in the order of the policy.
pub(crate) type RuleNumbers = SmallVec<[u32; 16]>;
type Buckets = SmallVec<[u32; 8]>;

/// Which rules of one policy may speak of a query.
#[derive(Debug, Default)]
pub(crate) struct Index {
    tools: Patterns,
    resources: Patterns,
    prompts: Patterns,
    methods: Patterns,
    /// Buckets of the rules for any tool of a risk class, by the class's number.
    classes: FxHashMap<u32, u32>,
    subjects: SubjectNumbers,
    buckets: Vec<Bucket>,
    /// Rules of one subject in one bucket.
    by_subject: FxHashMap<(u32, u32), Span>,
    /// What the spans point into.
    rules: Vec<u32>,
    /// What is left to check, by rule.
    checks: Vec<Check>,
}

/// The rules of one pattern.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    everyone: Span,
    /// Whether there are entries by subject too.
    by_subject: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Span {
    start: u32,
    length: u32,
}

/// What the index has not checked already.
#[derive(Clone, Copy, Debug, Default)]
struct Check {
    subjects: bool,
    risks: bool,
}

/// Numbers of all subjects that some rule names.
#[derive(Debug, Default)]
struct SubjectNumbers {
    users: FxHashMap<String, u32>,
    agents: FxHashMap<String, u32>,
    groups: FxHashMap<String, u32>,
    roles: FxHashMap<String, u32>,
    count: u32,
}

impl Index {
    /// The rules whose subjects and targets match the query, without repetition.
    pub(crate) fn matching(&self, rules: &[Rule], scope: &Scope<'_>) -> RuleNumbers {
        let buckets = self.buckets_of(scope);
        let mut found = RuleNumbers::new();
        let mut subjects: Option<SmallVec<[u32; 16]>> = None;
        let principal = scope.query.principal;
        for number in buckets {
            let Some(bucket) = self.buckets.get(number as usize) else {
                continue;
            };
            self.collect(bucket.everyone, rules, scope, &mut found);
            if !bucket.by_subject {
                continue;
            }
            for subject in subjects.get_or_insert_with(|| self.subjects.of(principal)) {
                if let Some(span) = self.by_subject.get(&(number, *subject)) {
                    self.collect(*span, rules, scope, &mut found);
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    fn buckets_of(&self, scope: &Scope<'_>) -> Buckets {
        let mut buckets = Buckets::new();
        match scope.query.target {
            Target::Tool(name) => {
                self.tools.find(name, |bucket| buckets.push(bucket));
                if !self.classes.is_empty() {
                    let classes = scope.classes().iter();
                    buckets.extend(classes.filter_map(|class| self.classes.get(class).copied()));
                }
            }
            Target::Resource(uri) => self.resources.find(uri, |bucket| buckets.push(bucket)),
            Target::Prompt(name) => self.prompts.find(name, |bucket| buckets.push(bucket)),
            Target::Method(name) => self.methods.find(name, |bucket| buckets.push(bucket)),
        }
        buckets
    }

    fn collect(&self, span: Span, rules: &[Rule], scope: &Scope<'_>, found: &mut RuleNumbers) {
        let start = span.start as usize;
        let end = start.saturating_add(span.length as usize);
        for number in self.rules.get(start..end).unwrap_or_default() {
            if self.check(*number, rules, scope) {
                found.push(*number);
            }
        }
    }

    fn check(&self, number: u32, rules: &[Rule], scope: &Scope<'_>) -> bool {
        let check = self
            .checks
            .get(number as usize)
            .copied()
            .unwrap_or_default();
        if !check.subjects && !check.risks {
            return true;
        }
        rules.get(number as usize).is_some_and(|rule| {
            (!check.subjects || speaks_of(&rule.subjects, scope.query.principal))
                && (!check.risks || covers(rule, scope))
        })
    }
}

impl SubjectNumbers {
    /// Numbers of what the principal is, as far as rules name it.
    fn of(&self, principal: &Principal) -> SmallVec<[u32; 16]> {
        let Principal {
            user,
            agent,
            roles,
            groups,
            ..
        } = principal;
        let user = self.users.get(user).into_iter();
        let agent = self.agents.get(agent).into_iter();
        let groups = groups.iter().filter_map(|group| self.groups.get(group));
        let roles = roles.iter().filter_map(|role| self.roles.get(role));
        user.chain(agent)
            .chain(groups)
            .chain(roles)
            .copied()
            .collect()
    }
}

/// Whether the rule's subjects match: any entry of each list that is not empty.
pub(crate) fn speaks_of(subjects: &Subjects, principal: &Principal) -> bool {
    let one = |names: &[String], name: &String| names.is_empty() || names.contains(name);
    let any = |names: &[String], held: &[String]| {
        names.is_empty() || names.iter().any(|name| held.contains(name))
    };
    one(&subjects.users, &principal.user)
        && one(&subjects.agents, &principal.agent)
        && any(&subjects.roles, &principal.roles)
        && any(&subjects.groups, &principal.groups)
}

/// Whether the rule's targets match.
pub(crate) fn covers(rule: &Rule, scope: &Scope<'_>) -> bool {
    use crate::glob::any_matches;
    let targets = &rule.targets;
    match scope.query.target {
        Target::Tool(name) => {
            any_matches(&targets.tools, name)
                && (targets.risks.is_empty() || scope.has_class_of(&targets.risks))
        }
        Target::Resource(uri) => any_matches(&targets.resources, uri),
        Target::Prompt(name) => any_matches(&targets.prompts, name),
        Target::Method(name) => any_matches(&targets.methods, name),
    }
}
