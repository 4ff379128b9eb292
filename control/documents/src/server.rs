//! `kind: Server`.

use gatehold_engine::RiskAssignment;

use crate::detection;
use crate::documents::{AuditArguments, Detection, Limits};
use crate::fields::{self, Fields};
use crate::format;
use crate::names::{all_checked, checked, values};
use crate::problem::{At, Position, Report};
use crate::yaml::{Kind, Node};

/// Largest body that a filter may be told to hold.
const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// The `spec` of a server.
#[derive(Debug)]
pub(crate) struct ServerSpec {
    pub(crate) hosts: Vec<String>,
    pub(crate) path: At<String>,
    pub(crate) resource: String,
    pub(crate) audiences: Vec<String>,
    pub(crate) issuers: Vec<At<String>>,
    pub(crate) scopes: Vec<String>,
    pub(crate) allowed_origins: Vec<String>,
    pub(crate) risks: Vec<RiskAssignment>,
    pub(crate) limits: Limits,
    pub(crate) audit_arguments: AuditArguments,
    pub(crate) enforce: bool,
    pub(crate) detection: Detection,
    /// Where `detection` asks for approval.
    pub(crate) detection_asks: Option<Position>,
}

/// Reads the `spec`; nothing when a required field is missing or wrong.
pub(crate) fn server(spec: &Node, report: &mut Report) -> Option<ServerSpec> {
    let known = [
        "path",
        "hosts",
        "resource",
        "audiences",
        "issuers",
        "scopes",
        "allowedOrigins",
        "risk",
        "limits",
        "audit",
        "detection",
        "enforce",
    ];
    let what = "a server's `spec`";
    let fields = Fields::new(spec, what, &known, report)?;
    let help = "write the path of the endpoint, such as `path: /crm/mcp`";
    let path = fields.require("path", what, help, report);
    let path = path.and_then(|node| one(node, "path", format::path, report));
    let help = "write the URL that clients use, such as `resource: https://gw.example.com/crm/mcp`";
    let resource = fields.require("resource", what, help, report);
    let resource = resource.and_then(|node| one(node, "resource", format::url, report));
    let help = "name the Issuer documents whose tokens are accepted: `issuers: [corp]`";
    let issuers = fields.require("issuers", what, help, report);
    let issuers = issuers.map(|node| fields::some_texts(node, "`issuers`", report));

    let mut list = |name: &str, what: &str, check: fn(&str) -> Result<String, String>| {
        let texts = fields.get(name).map(|node| match name {
            "audiences" | "hosts" => fields::some_texts(node, &format!("`{name}`"), report),
            _ => fields::texts(node, &format!("`{name}`"), report),
        });
        texts.map(|texts| values(all_checked(texts, what, check, report)))
    };
    let hosts = list("hosts", "host", format::host).unwrap_or_default();
    let audiences = list("audiences", "audience", format::exact);
    let scopes = list("scopes", "scope", format::scope).unwrap_or_default();
    let allowed_origins = list("allowedOrigins", "origin", format::origin).unwrap_or_default();
    let risks = fields.get("risk").map(|node| risks(node, report));
    let limits = fields.get("limits").and_then(|node| limits(node, report));
    let audit_arguments = fields.get("audit").and_then(|node| audit(node, report));

    let enforce = fields.get("enforce");
    let enforce = enforce.and_then(|node| enforcement(node, report));
    let detection = fields.get("detection");
    let detection = detection.and_then(|node| detection::detection(node, report));
    let (detection, detection_asks) = detection.unwrap_or_default();

    let resource = resource?.value;
    Some(ServerSpec {
        hosts,
        path: path?,
        audiences: audiences.unwrap_or_else(|| vec![resource.clone()]),
        resource,
        issuers: issuers?,
        scopes,
        allowed_origins,
        risks: risks.unwrap_or_default(),
        limits: limits.unwrap_or_default(),
        audit_arguments: audit_arguments.unwrap_or_default(),
        enforce: enforce.unwrap_or(true),
        detection,
        detection_asks,
    })
}

fn one(
    node: &Node,
    what: &str,
    check: fn(&str) -> Result<String, String>,
    report: &mut Report,
) -> Option<At<String>> {
    let text = fields::text(node, &format!("`{what}`"), report)?;
    checked(text, what, check, report)
}

/// `class: [globs of tools]`, sorted by class.
fn risks(node: &Node, report: &mut Report) -> Vec<RiskAssignment> {
    let Kind::Map(entries) = &node.kind else {
        let message = format!("`risk` must be a mapping, found {}", node.describe());
        let help = "write classes with their tools: `risk: { destructive: [\"delete_*\"] }`";
        report.add(node.at, message, help.to_owned());
        return Vec::new();
    };
    let mut risks = Vec::with_capacity(entries.len());
    for (key, tools) in entries {
        let class = At {
            value: key.text.clone(),
            at: key.at,
        };
        let class = checked(class, "risk class", format::label, report);
        let tools = fields::some_texts(tools, "the tools of a risk class", report);
        let tools = values(all_checked(tools, "pattern", format::glob, report));
        if let Some(class) = class {
            risks.push(RiskAssignment {
                tools,
                classes: vec![class.value],
            });
        }
    }
    risks.sort_by(|left, right| left.classes.cmp(&right.classes));
    risks
}

fn limits(node: &Node, report: &mut Report) -> Option<Limits> {
    let known = [
        "requestBytes",
        "responseBytes",
        "eventBytes",
        "depth",
        "listEntries",
    ];
    let fields = Fields::new(node, "`limits`", &known, report)?;
    let mut bytes = |name: &str| {
        let node = fields.get(name)?;
        let read = |text: &str| format::size(text, MAX_BYTES);
        fields::scalar(node, &format!("`{name}`"), read, report)
    };
    let (request_bytes, response_bytes, event_bytes) = (
        bytes("requestBytes"),
        bytes("responseBytes"),
        bytes("eventBytes"),
    );
    let mut number = |name: &str, most: u32| {
        let node = fields.get(name)?;
        fields::number(node, &format!("`{name}`"), 1, most, report)
    };
    Some(Limits {
        request_bytes,
        response_bytes,
        event_bytes,
        depth: number("depth", 128),
        list_entries: number("listEntries", 1_000_000),
    })
}

fn enforcement(node: &Node, report: &mut Report) -> Option<bool> {
    let known = [("true", true), ("false", false)];
    fields::one_of(node, "`enforce`", &known, report)
}

fn audit(node: &Node, report: &mut Report) -> Option<AuditArguments> {
    let fields = Fields::new(node, "`audit`", &["arguments"], report)?;
    let known = [
        ("full", AuditArguments::Full),
        ("digest", AuditArguments::Digest),
    ];
    fields::one_of(fields.get("arguments")?, "`arguments`", &known, report)
}
