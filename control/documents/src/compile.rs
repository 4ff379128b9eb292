//! From typed documents to one compiled policy per server: references, conflicts, specialization.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gatehold_engine::{PolicySource, ServerPolicy};

use crate::documents::{
    ConsoleDocument, DetectorsDocument, Documents, FilterDocument, FilterVersion, IssuerDocument,
    NodeGroup, ServerDocument, Shadow, SignIn, WebhookDocument,
};
use crate::filter::FilterSpec;
use crate::gates;
use crate::names::{DocumentKind, unknown};
use crate::policy::RuleSpec;
use crate::problem::{Location, Position, Report, locate};
use crate::risks::CLASSES;
use crate::server::ServerSpec;
use crate::set::{Entry, Set};
use crate::specialize::{Policies, Specialized, glob_matches, no_server};
use crate::suggest::excerpt;

/// What a later set may share with this one.
#[derive(Debug, Default)]
pub(crate) struct Compiled {
    policies: Policies,
    servers: HashMap<String, Server>,
}

/// A server, and all that it was compiled from.
#[derive(Debug)]
struct Server {
    spec: Arc<ServerSpec>,
    at: Position,
    policies: Vec<Arc<Specialized>>,
    document: Arc<ServerDocument>,
    /// Whether the engine takes it.
    is_checked: bool,
}

/// Checks what the documents say of each other, and compiles them. Of `compiled` is taken what has not changed.
pub(crate) fn compile(
    mut set: Set,
    files: &[PathBuf],
    compiled: &mut Compiled,
    report: &mut Report,
) -> Documents {
    unique(&mut set.servers, DocumentKind::Server, files, report);
    unique(&mut set.issuers, DocumentKind::Issuer, files, report);
    unique(&mut set.policies, DocumentKind::Policy, files, report);
    unique(&mut set.consoles, DocumentKind::Console, files, report);
    unique(&mut set.webhooks, DocumentKind::Webhook, files, report);
    unique(&mut set.detectors, DocumentKind::Detectors, files, report);
    unique(&mut set.filters, DocumentKind::Filter, files, report);
    issuers(&set, report);
    only_one(&set.consoles, DocumentKind::Console, files, report);
    only_one(&set.detectors, DocumentKind::Detectors, files, report);
    only_one(&set.filters, DocumentKind::Filter, files, report);
    gates::console(&set, report);
    gates::audiences(&set, report);
    endpoints(&set.servers, report);
    classes(&set, report);
    let policies = set.policies.len();
    let webhooks = webhooks(&set, files, report);
    let (specialized, rules) = compiled.policies.specialize(&set, files, report);
    let mut before = std::mem::take(&mut compiled.servers);
    let mut servers = Vec::with_capacity(set.servers.len());
    for entry in set.servers {
        let Some(spec) = entry.spec else { continue };
        let name = entry.name.value;
        let policies = specialized.get(&*name).cloned().unwrap_or_default();
        let same = before.remove(&name).filter(|server| {
            let pairs = server.policies.iter().zip(&policies);
            Arc::ptr_eq(&server.spec, &spec)
                && server.at == entry.at
                && server.policies.len() == policies.len()
                && pairs
                    .into_iter()
                    .all(|(one, other)| Arc::ptr_eq(one, other))
        });
        let server = same.unwrap_or_else(|| {
            let location = locate(entry.at, files);
            Server {
                document: Arc::new(document(&name, location, &spec, &policies)),
                spec,
                at: entry.at,
                policies,
                is_checked: false,
            }
        });
        servers.push(server.document.clone());
        compiled.servers.insert(name, server);
    }
    // Whatever the engine refuses must be refused here, not in every filter.
    if report.is_empty() {
        for server in compiled
            .servers
            .values_mut()
            .filter(|server| !server.is_checked)
        {
            let document = &server.document;
            match ServerPolicy::new(document.policy.clone()) {
                Ok(_) => server.is_checked = true,
                Err(error) => {
                    let message = format!("the policy of server `{}`: {error}", document.name);
                    report.add(server.at, message, None);
                }
            }
        }
    }
    let issuers = set.issuers.into_iter().filter_map(|entry| {
        let spec = entry.spec?;
        Some(IssuerDocument {
            name: entry.name.value,
            location: locate(entry.at, files),
            issuer: spec.issuer.value.clone(),
            keys: spec.keys.clone(),
            refresh_seconds: spec.refresh_seconds,
            algorithms: spec.algorithms.clone(),
            clock_skew_seconds: spec.clock_skew_seconds,
            claims: spec.claims.clone(),
        })
    });
    let console = set.consoles.into_iter().find_map(|entry| {
        let spec = entry.spec?;
        Some(ConsoleDocument {
            name: entry.name.value,
            location: locate(entry.at, files),
            url: spec.url.clone(),
            sign_in: SignIn {
                issuer: spec.issuer.value.clone(),
                client_id: spec.client_id.clone(),
                client_secret_file: spec.client_secret_file.clone(),
                scopes: spec.scopes.clone(),
            },
            api_audiences: spec.api_audiences.clone(),
            idle_seconds: spec.idle_seconds,
            longest_seconds: spec.longest_seconds,
        })
    });
    let detectors = set.detectors.into_iter().find_map(|entry| {
        let spec = entry.spec?;
        Some(DetectorsDocument {
            name: entry.name.value,
            location: locate(entry.at, files),
            pack: spec.pack.clone(),
            rules: spec.rules.clone(),
            on: spec.on.clone(),
            off: spec.off.clone(),
            allow: spec.allow.clone(),
            shadow: spec.shadow.as_ref().map(|shadow| Shadow {
                pack: shadow.pack.clone(),
                rules: shadow.rules.clone(),
            }),
        })
    });
    let filter = set.filters.into_iter().find_map(|entry| {
        let spec = entry.spec?;
        Some(rollout(entry.name.value, entry.at, &spec, files))
    });
    Documents {
        servers,
        issuers: issuers.collect(),
        console: console.map(Arc::new),
        webhooks,
        detectors: detectors.map(Arc::new),
        filter: filter.map(Arc::new),
        rules,
        policies,
    }
}

fn rollout(name: String, at: Position, spec: &FilterSpec, files: &[PathBuf]) -> FilterDocument {
    let location = locate(at, files);
    let folder = location.file.parent().map(Path::to_owned);
    let folder = folder.unwrap_or_default();
    let versions = spec.versions.iter().map(|version| FilterVersion {
        name: version.name.value.clone(),
        module: folder.join(&version.module.value),
        module_at: locate(version.module.at, files),
        sha256: version.sha256.value,
        sha256_at: locate(version.sha256.at, files),
    });
    let groups = spec.groups.iter().map(|group| NodeGroup {
        name: group.name.value.clone(),
        ids: group.ids.clone(),
        clusters: group.clusters.clone(),
        version: group.version.clone(),
    });
    FilterDocument {
        name,
        location,
        versions: versions.collect(),
        configuration: spec.configuration.clone(),
        hold_headers: spec.hold_headers,
        groups: groups.collect(),
        default: spec.default.clone(),
    }
}

fn document(
    name: &str,
    location: Location,
    spec: &ServerSpec,
    policies: &[Arc<Specialized>],
) -> ServerDocument {
    let issuers = spec.issuers.iter().map(|issuer| issuer.value.clone());
    ServerDocument {
        name: name.to_owned(),
        location,
        hosts: spec.hosts.clone(),
        path: spec.path.value.clone(),
        resource: spec.resource.clone(),
        audiences: spec.audiences.clone(),
        issuers: issuers.collect(),
        scopes: spec.scopes.clone(),
        allowed_origins: spec.allowed_origins.clone(),
        limits: spec.limits,
        enforce: spec.enforce,
        audit_arguments: spec.audit_arguments,
        detection: spec.detection.clone(),
        policy: PolicySource {
            server: name.to_owned(),
            rules: policies
                .iter()
                .flat_map(|policy| policy.rules(name))
                .collect(),
            risks: spec.risks.clone(),
        },
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

/// There is one place to sign in, and one pack that all filters look with.
fn only_one<T>(entries: &[Entry<T>], kind: DocumentKind, files: &[PathBuf], report: &mut Report) {
    let mut entries = entries.iter();
    let Some(first) = entries.next() else { return };
    for other in entries {
        let kind = kind.name();
        let message = format!("there is another {kind}, and there can be only one");
        let at = locate(first.name.at, files);
        report.add(
            other.name.at,
            message,
            format!("keep one of them; the other is at {at}"),
        );
    }
}

fn webhooks(set: &Set, files: &[PathBuf], report: &mut Report) -> Vec<Arc<WebhookDocument>> {
    let names: Vec<&str> = set.servers.iter().map(|entry| &*entry.name.value).collect();
    let webhooks = set.webhooks.iter().filter_map(|entry| {
        let spec = entry.spec.as_ref()?;
        for pattern in &spec.servers {
            if !names.iter().any(|name| glob_matches(&pattern.value, name)) {
                no_server(pattern, &names, report);
            }
        }
        let servers = spec.servers.iter().map(|pattern| pattern.value.clone());
        let servers: Vec<_> = servers.collect();
        Some(Arc::new(WebhookDocument {
            name: entry.name.value.clone(),
            location: locate(entry.at, files),
            url: spec.url.clone(),
            secret_file: spec.secret_file.clone(),
            format: spec.format,
            events: spec.events.clone(),
            servers: if servers.is_empty() {
                vec!["*".to_owned()]
            } else {
                servers
            },
        }))
    });
    webhooks.collect()
}

/// Issuers exist, and no two are the same.
fn issuers(set: &Set, report: &mut Report) {
    let known: Vec<&str> = set
        .issuers
        .iter()
        .map(|entry| entry.name.value.as_str())
        .collect();
    let servers = set.servers.iter().filter_map(|entry| entry.spec.as_ref());
    let consoles = set.consoles.iter().filter_map(|entry| entry.spec.as_ref());
    let of_consoles = consoles.map(|spec| &spec.issuer);
    for issuer in servers.flat_map(|spec| &spec.issuers).chain(of_consoles) {
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
