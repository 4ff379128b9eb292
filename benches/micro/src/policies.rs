//! Policies to decide by.

use gatehold_engine::{
    BinaryOp, Expr, Literal, PolicySource, Rule, RuleEffect, ServerPolicy, Subjects, Targets, Var,
};

use crate::messages::TOOL;

/// Rules for one tool each, of which the last is [`TOOL`].
#[must_use]
pub fn named_rules(count: usize) -> Vec<Rule> {
    let tool = |number| match number {
        last if last + 1 == count => TOOL.to_owned(),
        number => format!("area{number}_get_record"),
    };
    let allow = |number| rule(format!("p/{number}"), RuleEffect::Allow, tool(number));
    (0..count).map(allow).collect()
}

/// One rule that allows by a prefix, one that denies.
#[must_use]
pub fn mixed_rules() -> Vec<Rule> {
    vec![
        rule("p/get".to_owned(), RuleEffect::Allow, "get_*".to_owned()),
        rule("p/drop".to_owned(), RuleEffect::Deny, "drop_*".to_owned()),
    ]
}

/// The same, where the call is allowed under the condition `args.amount <= 100`.
#[must_use]
pub fn conditional_rules() -> Vec<Rule> {
    let amount = Expr::Select(Box::new(Expr::Var(Var::Args)), "amount".to_owned());
    let hundred = Expr::Literal(Literal::Number(100.into()));
    let small = Expr::Binary(BinaryOp::LessOrEqual, Box::new(amount), Box::new(hundred));
    let conditional = |rule: Rule| Rule {
        when: (rule.effect == RuleEffect::Allow).then(|| small.clone()),
        ..rule
    };
    mixed_rules().into_iter().map(conditional).collect()
}

/// [`named_rules`], compiled.
#[must_use]
pub fn named(count: usize) -> ServerPolicy {
    compile(named_rules(count))
}

/// [`mixed_rules`], compiled.
#[must_use]
pub fn mixed() -> ServerPolicy {
    compile(mixed_rules())
}

fn compile(rules: Vec<Rule>) -> ServerPolicy {
    let source = PolicySource {
        server: "crm".to_owned(),
        rules,
        risks: Vec::new(),
    };
    ServerPolicy::new(source).expect("the rules are good")
}

fn rule(id: String, effect: RuleEffect, tool: String) -> Rule {
    Rule {
        id,
        effect,
        subjects: Subjects {
            roles: vec!["support".to_owned()],
            ..Subjects::default()
        },
        targets: Targets {
            tools: vec![tool],
            ..Targets::default()
        },
        when: None,
    }
}
