//! The documents that a proposal is put beside: what it must not undo.

use std::collections::{BTreeMap, BTreeSet};

use gatehold_engine::{
    Arguments, Effect, PolicyError, PolicySource, Principal, Query, Rule, RuleEffect, ServerPolicy,
    Subjects, Target,
};
use serde_json::Map;

use crate::{Kind, Need};

/// The policies that are there.
#[derive(Debug, Default)]
pub struct Existing {
    /// Names of documents.
    names: BTreeSet<String>,
    servers: BTreeMap<String, Conditional>,
}

/// Rules of one server that allow on a condition, each as if its condition held.
#[derive(Debug)]
struct Conditional {
    /// For whom they are; events do not tell groups, which count as if they fitted.
    known: ServerPolicy,
    /// As if roles fitted too.
    any_roles: ServerPolicy,
    /// As if they were for everybody.
    anybody: ServerPolicy,
    /// Of those, the ones that are about resources, as if about all of them.
    any_resource: ServerPolicy,
}

impl Existing {
    /// Adds all that is in force for one server.
    ///
    /// # Errors
    /// When the engine does not take it.
    pub fn add(&mut self, policy: &PolicySource) -> Result<(), PolicyError> {
        let names = policy.rules.iter().filter_map(|it| it.id.split_once('/'));
        self.names.extend(names.map(|(name, _)| name.to_owned()));
        let conditional = Conditional {
            known: always(policy, |rule| rule.subjects.groups.clear())?,
            any_roles: always(policy, |rule| {
                rule.subjects.groups.clear();
                rule.subjects.roles.clear();
            })?,
            anybody: always(policy, |rule| rule.subjects = Subjects::default())?,
            any_resource: always(policy, |rule| {
                rule.subjects = Subjects::default();
                for pattern in &mut rule.targets.resources {
                    "*".clone_into(pattern);
                }
            })?,
        };
        self.servers.insert(policy.server.clone(), conditional);
        Ok(())
    }

    /// Names that documents of the proposal cannot have.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        self.names.clone()
    }

    pub(crate) fn knows(&self, server: &str) -> bool {
        self.servers.contains_key(server)
    }

    /// Whether a rule allows it to this principal on a condition. Without roles nobody knows which ones it has.
    pub(crate) fn limits(
        &self,
        server: &str,
        (user, agent): (&str, &str),
        roles: Option<&BTreeSet<String>>,
        need: &Need,
    ) -> bool {
        let Some(conditional) = self.servers.get(server) else {
            return false;
        };
        let policy = match roles {
            Some(_) => &conditional.known,
            None => &conditional.any_roles,
        };
        let roles = roles.into_iter().flatten().cloned().collect();
        allows(policy, (user, agent), roles, need) || conditional.limits_other_spelling(need)
    }

    /// Whether a rule allows it to anybody on a condition.
    pub(crate) fn limits_somebody(&self, server: &str, need: &Need) -> bool {
        self.servers.get(server).is_some_and(|conditional| {
            allows(&conditional.anybody, ("", ""), Vec::new(), need)
                || conditional.limits_other_spelling(need)
        })
    }
}

impl Conditional {
    /// A resource that can be written in several ways may be one that a rule names in another way.
    fn limits_other_spelling(&self, need: &Need) -> bool {
        need.kind == Kind::Resource
            && !is_plain_uri(&need.name)
            && allows(&self.any_resource, ("", ""), Vec::new(), need)
    }
}

/// The rules that allow on a condition, without it, and changed.
fn always(policy: &PolicySource, change: fn(&mut Rule)) -> Result<ServerPolicy, PolicyError> {
    let limited = |rule: &&Rule| rule.effect == RuleEffect::Allow && rule.when.is_some();
    let rules = policy.rules.iter().filter(limited).cloned();
    let rules = rules.map(|mut rule| {
        rule.when = None;
        change(&mut rule);
        rule
    });
    ServerPolicy::new(PolicySource {
        server: policy.server.clone(),
        rules: rules.collect(),
        risks: policy.risks.clone(),
    })
}

fn allows(
    policy: &ServerPolicy,
    (user, agent): (&str, &str),
    roles: Vec<String>,
    need: &Need,
) -> bool {
    let principal = Principal {
        user: user.to_owned(),
        agent: agent.to_owned(),
        roles,
        groups: Vec::new(),
        claims: Map::new(),
    };
    let target = match need.kind {
        Kind::Tool => Target::Tool(&need.name),
        Kind::Resource => Target::Resource(&need.name),
        Kind::Prompt => Target::Prompt(&need.name),
        Kind::Method => Target::Method(&need.name),
    };
    let query = Query {
        principal: &principal,
        target,
        arguments: Arguments::Unknown,
        findings: None,
    };
    policy.decide(&query).effect == Effect::Allow
}

/// Whether a URI is written in the one way that it has: no escapes, nothing in upper case before its path, no repeated
/// slashes.
fn is_plain_uri(uri: &str) -> bool {
    let (scheme, rest) = uri.split_once(':').unwrap_or_default();
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let upper = |text: &str| text.chars().any(char::is_uppercase);
    !uri.contains('%')
        && !upper(scheme)
        && !upper(host)
        && !path.starts_with('/')
        && !path.contains("//")
}
