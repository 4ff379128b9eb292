//! Which rules of a policy reach which server.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use gatehold_engine::Rule;

use crate::policy::PolicySpec;
use crate::problem::{At, Location, Report, locate};
use crate::rules::Rules;
use crate::set::Set;
use crate::suggest::{closest, excerpt, list};

/// Policies by name, with the servers that each reaches.
#[derive(Debug, Default)]
pub(crate) struct Policies {
    known: HashMap<String, Arc<Specialized>>,
}

/// A policy, with the servers that it reaches.
#[derive(Debug)]
pub(crate) struct Specialized {
    name: String,
    spec: Arc<PolicySpec>,
    /// Positions of the rules that reach a server, in order, by its name.
    reached: BTreeMap<String, Vec<usize>>,
    locations: Arc<BTreeMap<String, Location>>,
}

impl Specialized {
    /// The rules that reach this server.
    pub(crate) fn rules(&self, server: &str) -> impl Iterator<Item = Rule> {
        let reaching = self.reached.get(server).into_iter().flatten();
        let rules = reaching.filter_map(|position| self.spec.rules.get(*position));
        rules.map(|rule| Rule {
            id: id(&self.name, &rule.label),
            effect: rule.effect.clone(),
            subjects: self.spec.subjects.clone(),
            targets: rule.targets.clone(),
            when: rule.when.clone(),
        })
    }
}

/// The policies that reach a server, by its name.
pub(crate) type Reaching = HashMap<String, Vec<Arc<Specialized>>>;

impl Policies {
    /// The policies that reach each server, and where each rule is written. A policy that has not changed and
    /// reaches the same servers is the same as the last time.
    pub(crate) fn specialize(
        &mut self,
        set: &Set,
        files: &[PathBuf],
        report: &mut Report,
    ) -> (Reaching, Rules) {
        let names = set.servers.iter().map(|entry| entry.name.value.as_str());
        let mut servers = Servers {
            names: names.collect(),
            matching: HashMap::new(),
        };
        let mut before = std::mem::take(&mut self.known);
        let (mut reaching, mut rules) = (Reaching::new(), Rules::default());
        for entry in &set.policies {
            let Some(spec) = &entry.spec else { continue };
            let name = &entry.name.value;
            let reached = servers.reached(spec, report);
            let same = before.remove(name).filter(|before| {
                // The places in it are the same too: they are part of what was read.
                Arc::ptr_eq(&before.spec, spec) && before.reached == reached
            });
            let policy = same.unwrap_or_else(|| {
                let rules = spec.rules.iter();
                let locations = rules.map(|rule| (id(name, &rule.label), locate(rule.at, files)));
                Arc::new(Specialized {
                    name: name.clone(),
                    spec: spec.clone(),
                    reached,
                    locations: Arc::new(locations.collect()),
                })
            });
            for server in policy.reached.keys() {
                let policies = reaching.entry(server.clone()).or_default();
                policies.push(policy.clone());
            }
            rules.insert(name.clone(), policy.locations.clone());
            self.known.insert(name.clone(), policy);
        }
        (reaching, rules)
    }
}

fn id(policy: &str, label: &str) -> String {
    format!("{policy}/{label}")
}

/// The servers of a set.
struct Servers<'a> {
    /// Sorted.
    names: Vec<&'a str>,
    /// What a pattern matches, as far as it was asked for.
    matching: HashMap<String, Vec<&'a str>>,
}

impl<'a> Servers<'a> {
    fn reached(&mut self, spec: &PolicySpec, report: &mut Report) -> BTreeMap<String, Vec<usize>> {
        let mut reached = BTreeMap::<String, Vec<usize>>::new();
        for (position, rule) in spec.rules.iter().enumerate() {
            for pattern in &rule.servers {
                let matching = self.matching(&pattern.value);
                if matching.is_empty() {
                    no_server(pattern, &self.names, report);
                    continue;
                }
                for name in matching {
                    let positions = match reached.get_mut(*name) {
                        Some(positions) => positions,
                        None => reached.entry((*name).to_owned()).or_default(),
                    };
                    // Two patterns of a rule may match the same server.
                    if positions.last() != Some(&position) {
                        positions.push(position);
                    }
                }
            }
        }
        reached
    }

    fn matching(&mut self, pattern: &str) -> &[&'a str] {
        if !self.matching.contains_key(pattern) {
            let matching = if pattern.contains('*') {
                let names = self.names.iter().copied();
                names.filter(|name| glob_matches(pattern, name)).collect()
            } else {
                let found = self.names.binary_search(&pattern).ok();
                let found = found.and_then(|index| self.names.get(index));
                found.into_iter().copied().collect()
            };
            self.matching.insert(pattern.to_owned(), matching);
        }
        self.matching.get(pattern).map_or(&[], Vec::as_slice)
    }
}

pub(crate) fn no_server(pattern: &At<String>, names: &[&str], report: &mut Report) {
    let written = excerpt(&pattern.value);
    let help = match closest(&pattern.value, names.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None if names.is_empty() => "add a Server document".to_owned(),
        None => format!("the servers are {}", list(names.iter().copied())),
    };
    report.add(pattern.at, format!("no server matches `{written}`"), help);
}

/// Whether the whole name matches; `*` stands for any run of characters.
pub(crate) fn glob_matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else {
            return false;
        };
        rest = after;
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_whole_names() {
        let check = |pattern: &str, name: &str, expected: bool| {
            assert_eq!(glob_matches(pattern, name), expected, "{pattern} on {name}");
        };
        check("crm", "crm", true);
        check("crm", "crm2", false);
        check("*", "crm", true);
        check("crm-*", "crm-eu", true);
        check("crm-*", "crm", false);
        check("*-eu", "crm-eu", true);
        check("a*a", "a", false);
        check("a*b*c", "a-b-c", true);
        check("a*b*c", "a-c-b", false);
        check("**", "", true);
    }
}
