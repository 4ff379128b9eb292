//! Finds the rules that speak of a query without looking at the others.
//!
//! First by target: each distinct pattern has a bucket. Then, within the bucket, by subject: each rule
//! stands under the entries of its rarest subject list, or under everyone. What the index does not
//! check is marked on the rule and checked afterwards.

mod build;
mod patterns;
mod risks;
mod row;

pub(crate) use risks::RiskIndex;
pub(crate) use row::{Kind, Match};

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::policy::{Rule, Subjects};
use crate::scope::Scope;
use crate::text::TextMap;
use crate::{Principal, Target};
use patterns::Patterns;
use row::Row;

/// Rules that match a query, in the order of the policy.
pub(crate) type Matches = SmallVec<[Match; 16]>;

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
    row: Row,
}

/// Numbers of all subjects that some rule names.
#[derive(Debug, Default)]
struct SubjectNumbers {
    users: TextMap<u32>,
    agents: TextMap<u32>,
    groups: TextMap<u32>,
    roles: TextMap<u32>,
    count: u32,
}

impl Index {
    /// The rules whose subjects and targets match the query, without repetition.
    pub(crate) fn matching(&self, rules: &[Rule], scope: &Scope<'_>) -> Matches {
        let principal = scope.query.principal;
        let mut found = Matches::new();
        let mut subjects: Option<SmallVec<[u32; 16]>> = None;
        let mut collect = |candidate: Match| {
            if check(candidate, rules, scope) {
                found.push(candidate);
            }
        };
        self.buckets_of(scope, |start| {
            let Some(bucket) = self.row.bucket(start) else {
                return;
            };
            bucket.everyone().for_each(&mut collect);
            if bucket.has_subjects() {
                let subjects = subjects.get_or_insert_with(|| self.subjects.of(principal));
                bucket.of_subjects(subjects, &mut collect);
            }
        });
        found.sort_unstable();
        found.dedup();
        found
    }

    fn buckets_of(&self, scope: &Scope<'_>, mut found: impl FnMut(u32)) {
        match scope.query.target {
            Target::Tool(name) => {
                self.tools.find(name, &mut found);
                if !self.classes.is_empty() {
                    let classes = scope.classes().iter();
                    classes
                        .filter_map(|class| self.classes.get(class).copied())
                        .for_each(found);
                }
            }
            Target::Resource(uri) => self.resources.find(uri, found),
            Target::Prompt(name) => self.prompts.find(name, found),
            Target::Method(name) => self.methods.find(name, found),
        }
    }
}

/// Checks what the index has not.
fn check(candidate: Match, rules: &[Rule], scope: &Scope<'_>) -> bool {
    if !candidate.subjects() && !candidate.risks() {
        return true;
    }
    let is_tool = matches!(scope.query.target, Target::Tool(_));
    rules.get(candidate.number() as usize).is_some_and(|rule| {
        (!candidate.subjects() || speaks_of(&rule.subjects, scope.query.principal))
            && (!candidate.risks() || !is_tool || scope.has_class_of(&rule.targets.risks))
    })
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
        let user = self.users.get(user.as_bytes()).into_iter();
        let agent = self.agents.get(agent.as_bytes()).into_iter();
        let groups = groups
            .iter()
            .filter_map(|group| self.groups.get(group.as_bytes()));
        let roles = roles
            .iter()
            .filter_map(|role| self.roles.get(role.as_bytes()));
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
