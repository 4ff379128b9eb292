//! From typed documents to one compiled policy per server: references, conflicts, specialization.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;

use gatehold_engine::{PolicySource, Rule, ServerPolicy};

use crate::documents::{Documents, IssuerDocument, ServerDocument};
use crate::issuer::IssuerSpec;
use crate::names::{DocumentKind, unknown};
use crate::policy::{PolicySpec, RuleSpec};
use crate::problem::{At, Position, Report, locate};
use crate::server::ServerSpec;
use crate::suggest::{closest, excerpt, list};

/// Risk classes that have a meaning without being given to any tool.
const CLASSES: [&str; 5] = ["read", "write", "destructive", "external", "financial"];

/// A typed document; `spec` is absent when it has problems, which then are reported already.
pub(crate) struct Entry<T> {
    pub(crate) name: At<String>,
    pub(crate) at: Position,
    pub(crate) spec: Option<T>,
}

/// All typed documents of a set.
#[derive(Default)]
pub(crate) struct Set {
    pub(crate) servers: Vec<Entry<ServerSpec>>,
    pub(crate) issuers: Vec<Entry<IssuerSpec>>,
    pub(crate) policies: Vec<Entry<PolicySpec>>,
}

/// Checks what the documents say of each other, and compiles them.
pub(crate) fn compile(mut set: Set, files: &[PathBuf], report: &mut Report) -> Documents {
    unique(&mut set.servers, DocumentKind::Server, files, report);
    unique(&mut set.issuers, DocumentKind::Issuer, files, report);
    unique(&mut set.policies, DocumentKind::Policy, files, report);
    issuers(&set, report);
    endpoints(&set.servers, report);
    classes(&set, report);
    let policies = set.policies.len();
    let (mut rules, locations) = specialize(&set, files, report);
    let servers = set.servers.into_iter().filter_map(|entry| {
        let spec = entry.spec?;
        let name = entry.name.value;
        let policy = PolicySource {
            server: name.clone(),
            rules: rules.remove(&name).unwrap_or_default(),
            risks: spec.risks,
        };
        // Whatever the engine refuses must be refused here, not in every filter.
        if report.is_empty()
            && let Err(error) = ServerPolicy::new(policy.clone())
        {
            report.add(
                entry.at,
                format!("the policy of server `{name}`: {error}"),
                None,
            );
        }
        Some(ServerDocument {
            name,
            location: locate(entry.at, files),
            hosts: spec.hosts,
            path: spec.path.value,
            resource: spec.resource,
            audiences: spec.audiences,
            issuers: spec
                .issuers
                .into_iter()
                .map(|issuer| issuer.value)
                .collect(),
            scopes: spec.scopes,
            allowed_origins: spec.allowed_origins,
            limits: spec.limits,
            audit_arguments: spec.audit_arguments,
            policy,
        })
    });
    let servers = servers.collect();
    let issuers = set.issuers.into_iter().filter_map(|entry| {
        let spec = entry.spec?;
        Some(IssuerDocument {
            name: entry.name.value,
            location: locate(entry.at, files),
            issuer: spec.issuer.value,
            keys: spec.keys,
            refresh_seconds: spec.refresh_seconds,
            algorithms: spec.algorithms,
            clock_skew_seconds: spec.clock_skew_seconds,
            claims: spec.claims,
        })
    });
    Documents {
        servers,
        issuers: issuers.collect(),
        rules: locations,
        policies,
    }
}

/// Sorts by name, and reports names that occur twice.
fn unique<T>(
    entries: &mut Vec<Entry<T>>,
    kind: DocumentKind,
    files: &[PathBuf],
    report: &mut Report,
) {
    entries.sort_by(|left, right| {
        (&left.name.value, left.name.at).cmp(&(&right.name.value, right.name.at))
    });
    entries.dedup_by(|later, first| {
        let same = later.name.value == first.name.value;
        if same {
            let message = format!("there is another {} `{}`", kind.name(), first.name.value);
            let other = locate(first.name.at, files);
            report.add(
                later.name.at,
                message,
                format!("rename one of them; the other is at {other}"),
            );
        }
        same
    });
}

/// Issuers exist, and no two are the same.
fn issuers(set: &Set, report: &mut Report) {
    let known: Vec<&str> = set
        .issuers
        .iter()
        .map(|entry| entry.name.value.as_str())
        .collect();
    let servers = set.servers.iter().filter_map(|entry| entry.spec.as_ref());
    for issuer in servers.flat_map(|spec| &spec.issuers) {
        if !known.contains(&issuer.value.as_str()) {
            unknown(issuer, "Issuer", &known, report);
        }
    }
    let mut seen: HashMap<&str, &str> = HashMap::new();
    for entry in &set.issuers {
        let Some(spec) = &entry.spec else { continue };
        if let Some(other) = seen.insert(&spec.issuer.value, &entry.name.value) {
            let message = format!("Issuer `{other}` has the same `issuer`");
            report.add(spec.issuer.at, message, "keep one of them".to_owned());
        }
    }
}

/// No request can belong to two servers.
fn endpoints(servers: &[Entry<ServerSpec>], report: &mut Report) {
    #[derive(Default)]
    struct Taken<'a> {
        /// The server on any host.
        any: Option<&'a str>,
        hosts: BTreeMap<&'a str, &'a str>,
    }
    let mut paths: HashMap<&str, Taken<'_>> = HashMap::new();
    for entry in servers {
        let Some(spec) = &entry.spec else { continue };
        let name = entry.name.value.as_str();
        let taken = paths.entry(&spec.path.value).or_default();
        let hosts = || spec.hosts.iter().map(String::as_str);
        let other = match taken.any {
            Some(other) => Some(other),
            None if spec.hosts.is_empty() => taken.hosts.values().next().copied(),
            None => hosts().find_map(|host| taken.hosts.get(host).copied()),
        };
        if let Some(other) = other {
            let path = excerpt(&spec.path.value);
            let message = format!("server `{other}` answers on `{path}` too");
            let help = "give them different paths, or different `hosts` to both";
            report.add(spec.path.at, message, help.to_owned());
        }
        if spec.hosts.is_empty() {
            taken.any = Some(name);
        }
        taken.hosts.extend(hosts().map(|host| (host, name)));
    }
}

/// Rules only speak of risk classes that some tool can have: a misspelled class in a `deny` would deny nothing.
fn classes(set: &Set, report: &mut Report) {
    let servers = set.servers.iter().filter_map(|entry| entry.spec.as_ref());
    let given = servers.flat_map(|spec| spec.risks.iter().flat_map(|risk| &risk.classes));
    let known: HashSet<&str> = given.map(String::as_str).chain(CLASSES).collect();
    for class in rules(set).flat_map(|(_, rule)| &rule.risks) {
        if !known.contains(class.value.as_str()) {
            let mut names: Vec<_> = known.iter().copied().collect();
            names.sort_unstable();
            unknown(class, "risk class", &names, report);
        }
    }
}

fn rules(set: &Set) -> impl Iterator<Item = (&str, &RuleSpec)> {
    set.policies.iter().flat_map(|entry| {
        let rules = entry.spec.iter().flat_map(|spec| &spec.rules);
        rules.map(|rule| (entry.name.value.as_str(), rule))
    })
}

type Compiled = (
    HashMap<String, Vec<Rule>>,
    BTreeMap<String, crate::Location>,
);

/// The rules of each server, and where each rule is written.
fn specialize(set: &Set, files: &[PathBuf], report: &mut Report) -> Compiled {
    let names: Vec<&str> = set
        .servers
        .iter()
        .map(|entry| entry.name.value.as_str())
        .collect();
    let mut compiled: Compiled = Default::default();
    for entry in &set.policies {
        let Some(spec) = &entry.spec else { continue };
        for rule in &spec.rules {
            let id = format!("{}/{}", entry.name.value, rule.label);
            let mut reached = vec![false; names.len()];
            for pattern in &rule.servers {
                let mut matched = false;
                for (name, reached) in names.iter().zip(&mut reached) {
                    if glob_matches(&pattern.value, name) {
                        (matched, *reached) = (true, true);
                    }
                }
                if !matched {
                    no_server(pattern, &names, report);
                }
            }
            let reached = names.iter().zip(reached).filter(|(_, reached)| *reached);
            for (name, _) in reached {
                compiled
                    .0
                    .entry((*name).to_owned())
                    .or_default()
                    .push(Rule {
                        id: id.clone(),
                        effect: rule.effect.clone(),
                        subjects: spec.subjects.clone(),
                        targets: rule.targets.clone(),
                        when: rule.when.clone(),
                    });
            }
            compiled.1.insert(id, locate(rule.at, files));
        }
    }
    compiled
}

fn no_server(pattern: &At<String>, names: &[&str], report: &mut Report) {
    let written = excerpt(&pattern.value);
    let help = match closest(&pattern.value, names.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None if names.is_empty() => "add a Server document".to_owned(),
        None => format!("the servers are {}", list(names.iter().copied())),
    };
    report.add(pattern.at, format!("no server matches `{written}`"), help);
}

/// Whether the whole name matches; `*` stands for any run of characters.
fn glob_matches(pattern: &str, name: &str) -> bool {
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
