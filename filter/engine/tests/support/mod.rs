//! Builders shared by the tests of the engine.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a builder that cannot build fails its test"
)]

#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod arbitrary;

use gatehold_engine::{
    Approval, Arguments, BinaryOp, Comprehension, ComprehensionKind, Decision, Expr, Function,
    Later, Literal, PolicySource, Principal, Query, Rule, RuleEffect, ServerPolicy, Subjects,
    Target, Targets, Var,
};
use serde_json::{Map, Value, json};

pub(crate) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        other => panic!("{other} is no object"),
    }
}

pub(crate) fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// A literal, list or map of the JSON's value.
pub(crate) fn lit(value: Value) -> Expr {
    match value {
        Value::Null => Expr::Literal(Literal::Null),
        Value::Bool(bool) => Expr::Literal(Literal::Bool(bool)),
        Value::Number(number) => Expr::Literal(Literal::Number(number)),
        Value::String(text) => Expr::Literal(Literal::String(text)),
        Value::Array(items) => Expr::List(items.into_iter().map(lit).collect()),
        Value::Object(fields) => Expr::Map(
            fields
                .into_iter()
                .map(|(key, value)| (lit(json!(key)), lit(value)))
                .collect(),
        ),
    }
}

/// A path from a root variable: `args.a.b`.
pub(crate) fn path(path: &str) -> Expr {
    let mut names = path.split('.');
    let root = match names.next() {
        Some("args") => Var::Args,
        Some("user") => Var::User,
        Some("agent") => Var::Agent,
        Some("tool") => Var::Tool,
        Some("resource") => Var::Resource,
        Some("prompt") => Var::Prompt,
        Some("server") => Var::Server,
        Some("findings") => Var::Findings,
        other => panic!("{other:?} is no variable"),
    };
    names.fold(Expr::Var(root), |operand, name| {
        Expr::Select(Box::new(operand), name.to_owned())
    })
}

pub(crate) fn has(operand: Expr, field: &str) -> Expr {
    Expr::Has(Box::new(operand), field.to_owned())
}

pub(crate) fn bin(left: Expr, op: BinaryOp, right: Expr) -> Expr {
    Expr::Binary(op, Box::new(left), Box::new(right))
}

pub(crate) fn eq(left: Expr, right: Expr) -> Expr {
    bin(left, BinaryOp::Equal, right)
}

pub(crate) fn and(left: Expr, right: Expr) -> Expr {
    Expr::And(Box::new(left), Box::new(right))
}

pub(crate) fn or(left: Expr, right: Expr) -> Expr {
    Expr::Or(Box::new(left), Box::new(right))
}

pub(crate) fn call(function: Function, arguments: Vec<Expr>) -> Expr {
    Expr::Call(function, arguments)
}

pub(crate) fn each(kind: ComprehensionKind, range: Expr, body: Expr) -> Expr {
    let (predicate, transform) = match kind {
        ComprehensionKind::Map => (None, Some(body)),
        _ => (Some(body), None),
    };
    Expr::Comprehension(Box::new(Comprehension {
        kind,
        range,
        predicate,
        transform,
    }))
}

pub(crate) fn allow(id: &str, targets: Targets) -> Rule {
    rule(id, RuleEffect::Allow, targets)
}

pub(crate) fn deny(id: &str, targets: Targets) -> Rule {
    rule(id, RuleEffect::Deny, targets)
}

pub(crate) fn approve(id: &str, targets: Targets) -> Rule {
    let approval = Approval {
        roles: strings(&["lead"]),
        users: vec![],
        within_seconds: 900,
        ..Approval::default()
    };
    rule(id, RuleEffect::Approve(approval), targets)
}

fn rule(id: &str, effect: RuleEffect, targets: Targets) -> Rule {
    Rule {
        id: id.to_owned(),
        effect,
        subjects: Subjects::default(),
        targets,
        when: None,
    }
}

pub(crate) fn when(mut rule: Rule, condition: Expr) -> Rule {
    rule.when = Some(condition);
    rule
}

pub(crate) fn roles(mut rule: Rule, names: &[&str]) -> Rule {
    rule.subjects.roles = strings(names);
    rule
}

pub(crate) fn tools(patterns: &[&str]) -> Targets {
    Targets {
        tools: strings(patterns),
        ..Targets::default()
    }
}

pub(crate) fn policy(rules: Vec<Rule>) -> ServerPolicy {
    ServerPolicy::new(source(rules)).unwrap()
}

pub(crate) fn source(rules: Vec<Rule>) -> PolicySource {
    PolicySource {
        server: "crm".to_owned(),
        rules,
        risks: vec![],
    }
}

/// Ann of support, through the agent `helper`.
pub(crate) fn ann() -> Principal {
    Principal {
        user: "ann".to_owned(),
        agent: "helper".to_owned(),
        roles: strings(&["support", "staff"]),
        groups: strings(&["emea"]),
        claims: object(json!({"tenant": "t1", "level": 3})),
    }
}

pub(crate) fn decide(
    policy: &ServerPolicy,
    principal: &Principal,
    target: Target<'_>,
    args: &Value,
) -> Decision {
    let known = object(args.clone());
    let decide = |arguments| {
        policy.decide(&Query {
            principal,
            target,
            arguments,
            findings: None,
        })
    };
    let decision = decide(Arguments::Known(&known));
    assert_eq!(
        decision,
        decide(Arguments::Later(&Built(Some(known.clone()))))
    );
    decision
}

/// Arguments for whoever asks; nothing stands for some that cannot be built.
#[derive(Debug)]
pub(crate) struct Built(pub(crate) Option<Map<String, Value>>);

impl Later for Built {
    fn arguments(&self) -> Option<&Map<String, Value>> {
        self.0.as_ref()
    }
}
