//! `kind: Policy`.

use std::collections::HashSet;

use gatehold_engine::{Approval, RuleEffect, Subjects, Targets};

use crate::condition::{self, Kinds};
use crate::fields::{self, Fields};
use crate::format;
use crate::gates;
use crate::names::{all_checked, checked, values};
use crate::problem::{At, Position, Report};
use crate::yaml::{Kind, Node};

/// Longest time for which a call may wait for a person.
const MAX_HOLD: u64 = 30 * 86_400;
/// Most people who can be asked to agree.
const MAX_QUORUM: u32 = 100;
/// How long a call waits when its rule does not say.
const DEFAULT_HOLD: u64 = 15 * 60;

/// The `spec` of a policy.
#[derive(Debug)]
pub(crate) struct PolicySpec {
    pub(crate) subjects: Subjects,
    pub(crate) rules: Vec<RuleSpec>,
}

/// One rule, before it is known which servers it reaches.
#[derive(Debug)]
pub(crate) struct RuleSpec {
    /// Its name, or its position from 1.
    pub(crate) label: String,
    pub(crate) at: Position,
    pub(crate) effect: RuleEffect,
    pub(crate) servers: Vec<At<String>>,
    pub(crate) targets: Targets,
    pub(crate) risks: Vec<At<String>>,
    pub(crate) when: Option<gatehold_engine::Expr>,
}

/// Reads the `spec`, and compiles the conditions. `file` is the text that the nodes come from.
pub(crate) fn policy(spec: &Node, file: &str, report: &mut Report) -> Option<PolicySpec> {
    let what = "a policy's `spec`";
    let fields = Fields::new(spec, what, &["subjects", "rules"], report)?;
    let subjects = fields
        .get("subjects")
        .and_then(|node| subjects(node, report))
        .unwrap_or_default();
    let help = "write a list of `allow`, `approve` and `deny` rules";
    let rules = fields.require("rules", what, help, report)?;
    let Kind::List(items) = &rules.kind else {
        let message = format!("`rules` must be a list, found {}", rules.describe());
        report.add(rules.at, message, "begin each rule with `- `".to_owned());
        return None;
    };
    if items.is_empty() {
        report.add(
            rules.at,
            "`rules` is an empty list",
            "add a rule, or remove the document".to_owned(),
        );
    }
    let mut names = HashSet::new();
    let mut compiled = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let position = index.saturating_add(1).to_string();
        let Some(rule) = rule(item, position, &subjects, file, report) else {
            continue;
        };
        if !names.insert(rule.label.clone()) {
            let message = format!("two rules of this policy are named `{}`", rule.label);
            report.add(rule.at, message, "rename one of them".to_owned());
        }
        compiled.push(rule);
    }
    Some(PolicySpec {
        subjects,
        rules: compiled,
    })
}

fn subjects(node: &Node, report: &mut Report) -> Option<Subjects> {
    let known = ["roles", "users", "agents", "groups"];
    let before = report.len();
    let fields = Fields::new(node, "`subjects`", &known, report)?;
    let mut entries = |name: &str, what: &str| {
        let texts = fields
            .get(name)
            .map(|node| fields::texts(node, &format!("`{name}`"), report));
        values(all_checked(
            texts.unwrap_or_default(),
            what,
            format::exact,
            report,
        ))
    };
    let subjects = Subjects {
        users: entries("users", "user"),
        agents: entries("agents", "agent"),
        roles: entries("roles", "role"),
        groups: entries("groups", "group"),
    };
    // An empty frame reads like nobody, but would mean everybody.
    if subjects == Subjects::default() && report.len() == before {
        let help = "name roles, users, agents or groups; to mean everyone, remove `subjects`";
        report.add(node.at, "`subjects` names nobody", help.to_owned());
    }
    Some(subjects)
}

/// What a rule does.
#[derive(Clone, Copy, PartialEq)]
enum Verb {
    Allow,
    Approve,
    Deny,
}

fn rule(
    node: &Node,
    position: String,
    subjects: &Subjects,
    file: &str,
    report: &mut Report,
) -> Option<RuleSpec> {
    let verbs = [
        ("allow", Verb::Allow),
        ("approve", Verb::Approve),
        ("deny", Verb::Deny),
    ];
    let fields = Fields::new(
        node,
        "a rule",
        &["allow", "approve", "deny", "name"],
        report,
    )?;
    let name = fields
        .get("name")
        .and_then(|node| fields::text(node, "`name`", report));
    let name = name.and_then(|name| checked(name, "rule name", format::label, report));
    let mut given = verbs
        .iter()
        .filter_map(|(name, verb)| Some((*verb, fields.get(name)?)));
    let (Some((verb, body)), None) = (given.next(), given.next()) else {
        let help = "write one rule per entry: `- allow: { server: crm, tools: [\"get_*\"] }`";
        report.add(
            node.at,
            "a rule needs exactly one of `allow`, `approve` and `deny`",
            help.to_owned(),
        );
        return None;
    };
    let mut known = vec![
        "server",
        "tools",
        "resources",
        "prompts",
        "methods",
        "risk",
        "when",
    ];
    if verb == Verb::Approve {
        known.extend(["by", "within", "reason", "requester"]);
    }
    let what = match verb {
        Verb::Allow => "`allow`",
        Verb::Approve => "`approve`",
        Verb::Deny => "`deny`",
    };
    let fields = Fields::new(body, what, &known, report)?;
    let help = "name a server or a pattern of servers; `server: \"*\"` means all";
    let servers = fields.require("server", what, help, report);
    let servers = servers
        .map(|node| patterns(node, "`server`", report))
        .unwrap_or_default();
    let risks = fields
        .get("risk")
        .map(|node| fields::some_texts(node, "`risk`", report));
    let risks = all_checked(
        risks.unwrap_or_default(),
        "risk class",
        format::label,
        report,
    );
    let targets = targets(&fields, what, &risks, report);
    let effect = match verb {
        Verb::Allow => RuleEffect::Allow,
        Verb::Deny => RuleEffect::Deny,
        Verb::Approve => RuleEffect::Approve(approval(&fields, what, subjects, report)),
    };
    let kinds = Kinds {
        tools: ["tools", "risk"]
            .iter()
            .any(|name| fields.get(name).is_some()),
        resources: fields.get("resources").is_some(),
        prompts: fields.get("prompts").is_some(),
    };
    let when = fields
        .get("when")
        .and_then(|node| condition::compile(node, file, kinds, report));
    Some(RuleSpec {
        label: name.map_or(position, |name| name.value),
        at: node.at,
        effect,
        servers,
        targets,
        risks,
        when,
    })
}

fn patterns(node: &Node, what: &str, report: &mut Report) -> Vec<At<String>> {
    let texts = fields::some_texts(node, what, report);
    all_checked(texts, "pattern", format::glob, report)
}

fn targets(fields: &Fields<'_>, what: &str, risks: &[At<String>], report: &mut Report) -> Targets {
    let selectors = ["tools", "resources", "prompts", "methods", "risk"];
    if selectors.iter().all(|name| fields.get(name).is_none()) {
        let help = "add `tools`, `resources`, `prompts`, `methods` or `risk`; `tools: [\"*\"]` means all tools";
        report.add(
            fields.at,
            format!("{what} does not say what it is about"),
            help.to_owned(),
        );
    }
    let mut list = |name: &str| {
        let node = fields.get(name);
        let patterns = node.map(|node| patterns(node, &format!("`{name}`"), report));
        patterns.map(values)
    };
    let tools = list("tools");
    Targets {
        // A risk class alone speaks of all tools that have it.
        tools: match tools {
            None if !risks.is_empty() => vec!["*".to_owned()],
            tools => tools.unwrap_or_default(),
        },
        risks: risks.iter().map(|risk| risk.value.clone()).collect(),
        resources: list("resources").unwrap_or_default(),
        prompts: list("prompts").unwrap_or_default(),
        methods: list("methods").unwrap_or_default(),
    }
}

/// Who approves and in which time: `by`, `within`, `reason` and `requester` of `what`, for calls of `subjects`.
pub(crate) fn approval(
    fields: &Fields<'_>,
    what: &str,
    subjects: &Subjects,
    report: &mut Report,
) -> Approval {
    let within = fields.get("within").and_then(|node| {
        let read = |text: &str| format::duration(text, 1, MAX_HOLD);
        fields::scalar(node, "`within`", read, report)
    });
    let mut choice = |name: &str, yes: &str, no: &str| {
        let known = [(yes, true), (no, false)];
        let node = fields.get(name)?;
        fields::one_of(node, &format!("`{name}`"), &known, report)
    };
    let reason = choice("reason", "required", "optional");
    let requester = choice("requester", "may-approve", "may-not-approve");
    let mut approval = Approval {
        within_seconds: within.unwrap_or(DEFAULT_HOLD),
        reason_required: reason.unwrap_or_default(),
        self_approval: requester.unwrap_or_default(),
        ..Approval::default()
    };
    let help = "say who may approve: `by: { roles: [finance-lead] }`";
    let Some(by) = fields.require("by", what, help, report) else {
        return approval;
    };
    let Some(by_fields) = Fields::new(by, "`by`", &["roles", "users", "quorum"], report) else {
        return approval;
    };
    let mut entries = |name: &str, what: &str| {
        let node = by_fields.get(name);
        let texts = node.map(|node| fields::texts(node, &format!("`{name}`"), report));
        values(all_checked(
            texts.unwrap_or_default(),
            what,
            format::exact,
            report,
        ))
    };
    approval.roles = entries("roles", "role");
    approval.users = entries("users", "user");
    if approval.roles.is_empty() && approval.users.is_empty() {
        report.add(by.at, "`by` names nobody", help.to_owned());
    }
    let quorum = by_fields.get("quorum");
    let quorum = quorum.and_then(|node| fields::number(node, "`quorum`", 1, MAX_QUORUM, report));
    approval.quorum = quorum.unwrap_or(1);
    gates::answerable(&approval, subjects, by.at, report);
    approval
}
