//! `kind: Filter`: which version of the filter control gives to which Envoys.

use std::path::PathBuf;

use serde_json::{Map, Number, Value as Json};

use crate::fields::{self, Fields};
use crate::format;
use crate::names::{all_checked, checked, unknown, values};
use crate::problem::{At, Report};
use crate::yaml::{Kind, Node};

/// Most versions, and most groups. A version is megabytes that control keeps in memory.
const MAX_ENTRIES: usize = 32;

/// The `spec` of the filter.
#[derive(Debug)]
pub(crate) struct FilterSpec {
    /// Never empty; the names differ.
    pub(crate) versions: Vec<VersionSpec>,
    /// What the filter is configured with, a JSON object.
    pub(crate) configuration: String,
    pub(crate) hold_headers: bool,
    pub(crate) groups: Vec<GroupSpec>,
    pub(crate) default: String,
}

/// A version of the module.
#[derive(Debug)]
pub(crate) struct VersionSpec {
    pub(crate) name: At<String>,
    /// As it is written; a relative one begins at the document's folder.
    pub(crate) module: At<PathBuf>,
    pub(crate) sha256: At<[u8; 32]>,
}

/// Envoys that get a version of their own.
#[derive(Debug)]
pub(crate) struct GroupSpec {
    pub(crate) name: At<String>,
    /// Patterns of node ids; empty for any.
    pub(crate) ids: Vec<String>,
    /// Patterns of clusters; empty for any.
    pub(crate) clusters: Vec<String>,
    pub(crate) version: String,
}

/// Reads the `spec`; nothing when a required field is missing or wrong.
pub(crate) fn filter(spec: &Node, report: &mut Report) -> Option<FilterSpec> {
    let what = "the `spec` of the filter";
    let known = ["versions", "configuration", "groups", "default"];
    let fields = Fields::new(spec, what, &known, report)?;
    let help =
        "list the modules: `versions: [{ name: 0.1.0, module: gatehold-0.1.0.wasm, sha256: … }]`";
    let versions = fields.require("versions", what, help, report);
    let versions = versions.map(|node| entries(node, "`versions`", version, report));
    let help = "write what Envoy's configuration would say: `configuration: { control_cluster: gatehold_control }`";
    let configuration = fields.require("configuration", what, help, report);
    let configuration = configuration.and_then(|node| configuration_of(node, report));
    let groups = fields.get("groups");
    let groups = groups.map(|node| entries(node, "`groups`", group, report));
    let help = "name the version for Envoys of no group: `default: 0.1.0`";
    let default = fields.require("default", what, help, report);
    let default = default.and_then(|node| fields::text(node, "`default`", report));

    let (versions, groups) = (versions?, groups.unwrap_or_default());
    let names: Vec<&str> = versions.iter().map(|it| &*it.name.value).collect();
    differ(versions.iter().map(|it| &it.name), "versions", report);
    differ(groups.iter().map(|it| &it.0.name), "groups", report);
    let used = groups.iter().map(|(_, version)| version).chain(&default);
    // Without versions it has been said what is missing.
    for used in used.filter(|_| !names.is_empty()) {
        if !names.contains(&&*used.value) {
            unknown(used, "version", &names, report);
        }
    }
    let (configuration, hold_headers) = configuration?;
    Some(FilterSpec {
        configuration,
        hold_headers,
        groups: groups.into_iter().map(|(group, _)| group).collect(),
        default: default?.value,
        versions,
    })
}

/// The entries of a list that can be read.
fn entries<T>(
    node: &Node,
    what: &str,
    read: impl Fn(&Node, &mut Report) -> Option<T>,
    report: &mut Report,
) -> Vec<T> {
    let Kind::List(items) = &node.kind else {
        let message = format!("{what} must be a list, found {}", node.describe());
        let help = "begin each entry with `- `: `- name: …`";
        report.add(node.at, message, help.to_owned());
        return Vec::new();
    };
    if items.is_empty() || items.len() > MAX_ENTRIES {
        let message = format!("{what} has {} entries", items.len());
        let help = format!("write 1 to {MAX_ENTRIES}");
        report.add(node.at, message, help);
        return Vec::new();
    }
    items.iter().filter_map(|item| read(item, report)).collect()
}

fn version(node: &Node, report: &mut Report) -> Option<VersionSpec> {
    let what = "a version";
    let fields = Fields::new(node, what, &["name", "module", "sha256"], report)?;
    let name = name(&fields, what, report);
    let help = "name the file, which may stand beside the document: `module: gatehold-0.1.0.wasm`";
    let module = fields.require("module", what, help, report);
    let module = module.and_then(|node| fields::text(node, "`module`", report));
    let module = module.and_then(|text| checked(text, "path of a file", format::file, report));
    let help = "write what `sha256sum` says of the file";
    let sha256 = fields.require("sha256", what, help, report);
    let sha256 = sha256.and_then(|node| {
        let help = "write 64 lower-case hexadecimal digits, as `sha256sum` does";
        // Digits alone are a number elsewhere.
        let digest = |text: &str| format::sha256(text).ok_or_else(|| help.to_owned());
        let value = fields::scalar(node, "`sha256`", digest, report)?;
        Some(At { value, at: node.at })
    });
    let (name, module, sha256) = (name?, module?, sha256?);
    Some(VersionSpec {
        name,
        module: At {
            value: PathBuf::from(module.value),
            at: module.at,
        },
        sha256,
    })
}

/// A group, and its version with its place.
fn group(node: &Node, report: &mut Report) -> Option<(GroupSpec, At<String>)> {
    let what = "a group";
    let fields = Fields::new(node, what, &["name", "nodes", "version"], report)?;
    let name = name(&fields, what, report);
    let help =
        "say whose Envoys: `nodes: { cluster: edge-canary }`, or `id` with patterns of node ids";
    let nodes = fields.require("nodes", what, help, report);
    let nodes = nodes.and_then(|node| {
        let fields = Fields::new(node, "`nodes`", &["id", "cluster"], report)?;
        let mut patterns = |field: &str| {
            let texts = fields.get(field);
            let texts = texts.map(|node| fields::some_texts(node, &format!("`{field}`"), report));
            let texts = texts.unwrap_or_default();
            values(all_checked(texts, "pattern", format::glob, report))
        };
        let (ids, clusters) = (patterns("id"), patterns("cluster"));
        if fields.get("id").is_none() && fields.get("cluster").is_none() {
            let message = "`nodes` says neither `id` nor `cluster`";
            report.add(node.at, message, help.to_owned());
        }
        Some((ids, clusters))
    });
    let help = "name one of the versions: `version: 0.2.0`";
    let version = fields.require("version", what, help, report);
    let version = version.and_then(|node| fields::text(node, "`version`", report));
    let (name, (ids, clusters), version) = (name?, nodes?, version?);
    let group = GroupSpec {
        name,
        ids,
        clusters,
        version: version.value.clone(),
    };
    Some((group, version))
}

fn name(fields: &Fields<'_>, what: &str, report: &mut Report) -> Option<At<String>> {
    let name = fields.require("name", what, "write `name: …`", report)?;
    let text = fields::text(name, "`name`", report)?;
    checked(text, "name", format::name, report)
}

fn differ<'a>(names: impl Iterator<Item = &'a At<String>>, what: &str, report: &mut Report) {
    let mut seen = std::collections::HashSet::new();
    for name in names {
        if !seen.insert(&*name.value) {
            let message = format!("two {what} are named `{}`", name.value);
            report.add(name.at, message, "rename one of them".to_owned());
        }
    }
}

/// The filter's configuration as it takes it, and whether it holds headers. What the filter would refuse is refused
/// here, where it says so before any Envoy has it.
fn configuration_of(node: &Node, report: &mut Report) -> Option<(String, bool)> {
    let what = "`configuration`";
    let known = [
        "control_cluster",
        "audit",
        "audit_overflow",
        "unmatched",
        "hold_headers",
        "hold_seconds",
    ];
    let fields = Fields::new(node, what, &known, report)?;
    let before = report.len();
    let mut json = Map::new();
    let help = "name Envoy's cluster for control: `control_cluster: gatehold_control`";
    let cluster = fields.require("control_cluster", what, help, report);
    let cluster = cluster.and_then(|node| fields::text(node, "`control_cluster`", report));
    let cluster = cluster.and_then(|text| checked(text, "cluster", format::cluster, report));
    json.extend(cluster.map(|text| ("control_cluster".to_owned(), Json::String(text.value))));
    for (name, known) in [
        ("audit", ["on", "off"]),
        ("audit_overflow", ["drop", "refuse"]),
        ("unmatched", ["deny", "pass"]),
    ] {
        let known = known.map(|word| (word, word));
        let word = fields.get(name);
        let word = word.and_then(|node| fields::one_of(node, &format!("`{name}`"), &known, report));
        json.extend(word.map(|word| (name.to_owned(), Json::String(word.to_owned()))));
    }
    let known = [("true", true), ("false", false)];
    let holds = fields.get("hold_headers");
    let holds = holds.and_then(|node| fields::one_of(node, "`hold_headers`", &known, report));
    let holds = holds.unwrap_or(true);
    json.insert("hold_headers".to_owned(), Json::Bool(holds));
    let seconds = fields.get("hold_seconds");
    let seconds = seconds.and_then(|node| fields::number(node, "`hold_seconds`", 1, 55, report));
    let seconds = seconds.map(|seconds: u64| Json::Number(Number::from(seconds)));
    json.extend(seconds.map(|seconds| ("hold_seconds".to_owned(), seconds)));
    (report.len() == before).then(|| (Json::Object(json).to_string(), holds))
}
