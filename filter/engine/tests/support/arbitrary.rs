//! Random JSON, conditions, policies and queries over a few short names, so that they meet.

use gatehold_engine::{
    Approval, BinaryOp, Comprehension, ComprehensionKind, Expr, Function, Literal, Principal,
    RiskAssignment, Rule, RuleEffect, Subjects, Target, Targets, UnaryOp, Var,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

/// JSON values, shallow.
pub(crate) fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        select(vec![
            json!(null),
            json!(true),
            json!(false),
            json!(0),
            json!(1),
            json!(-1),
            json!(1.0),
            json!(1.5),
            json!(i64::MAX),
            json!(i64::MIN),
            json!(u64::MAX),
            json!(1e300),
            json!(""),
            json!("a"),
            json!("b"),
            json!("é"),
        ]),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::Array),
            btree_map(name(), inner, 0..4).prop_map(|fields| fields.into_iter().collect()),
        ]
    })
}

/// Arguments of a call.
pub(crate) fn arguments() -> impl Strategy<Value = Map<String, Value>> {
    btree_map(name(), value(), 1..5).prop_map(|fields| fields.into_iter().collect())
}

fn name() -> impl Strategy<Value = String> {
    select(vec!["a", "b", "c"]).prop_map(str::to_owned)
}

/// Conditions: most are of the right types and depend on what is there; some are wild. Without arguments
/// if `args` is false.
pub(crate) fn condition(args: bool) -> impl Strategy<Value = Expr> {
    let operand = operand(args).boxed();
    let wild = wild(operand.clone()).boxed();
    let pair = (operand.clone(), operand.clone());
    let root = Expr::Var(if args { Var::Args } else { Var::User });
    let leaf = prop_oneof![
        1 => any::<bool>().prop_map(|bool| Expr::Literal(Literal::Bool(bool))),
        3 => name().prop_map(move |name| Expr::Has(Box::new(root.clone()), name)),
        3 => (comparison(), pair.clone())
            .prop_map(|(op, (left, right))| Expr::Binary(op, Box::new(left), Box::new(right))),
        1 => (operand.clone(), vec(operand, 0..3)).prop_map(|(item, items)| {
            Expr::Binary(BinaryOp::In, Box::new(item), Box::new(Expr::List(items)))
        }),
        1 => wild,
    ];
    leaf.prop_recursive(4, 16, 3, |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        let two = (boxed.clone(), boxed.clone());
        prop_oneof![
            3 => two.clone().prop_map(|(left, right)| Expr::And(left, right)),
            3 => two.prop_map(|(left, right)| Expr::Or(left, right)),
            1 => boxed.clone().prop_map(|operand| Expr::Unary(UnaryOp::Not, operand)),
            1 => (boxed.clone(), boxed.clone(), boxed)
                .prop_map(|(condition, then, otherwise)| Expr::Conditional(condition, then, otherwise)),
            3 => quantifier(inner),
        ]
    })
}

/// Scalars and paths.
fn operand(args: bool) -> impl Strategy<Value = Expr> {
    let literal = value().prop_filter_map("scalar", |value| {
        Some(Expr::Literal(match value {
            Value::Null => Literal::Null,
            Value::Bool(bool) => Literal::Bool(bool),
            Value::Number(number) => Literal::Number(number),
            Value::String(text) => Literal::String(text),
            Value::Array(_) | Value::Object(_) => return None,
        }))
    });
    let known = select(vec![
        "user.id",
        "user.roles",
        "agent.id",
        "tool.name",
        "tool.risk",
        "user.claims.a",
    ])
    .prop_map(super::path);
    let asked = name().prop_map(|name| Expr::Select(Box::new(Expr::Var(Var::Args)), name));
    let asked = if args {
        asked.boxed()
    } else {
        known.clone().boxed()
    };
    prop_oneof![3 => literal, 2 => known, 4 => asked]
}

fn comparison() -> impl Strategy<Value = BinaryOp> {
    use BinaryOp::*;
    select(vec![
        Equal,
        Equal,
        NotEqual,
        NotEqual,
        Less,
        LessOrEqual,
        Greater,
        GreaterOrEqual,
        In,
    ])
}

fn quantifier(inner: impl Strategy<Value = Expr> + Clone) -> impl Strategy<Value = Expr> {
    use ComprehensionKind::*;
    let kind = select(vec![All, Exists, ExistsOne]);
    let item = value().prop_map(super::lit).boxed();
    let range = vec(item.clone(), 0..4).prop_map(Expr::List);
    let body = (item, inner, any::<bool>()).prop_map(|(item, other, both)| {
        let same = super::eq(Expr::Bound(0), item);
        if both {
            super::and(same, other)
        } else {
            super::or(same, other)
        }
    });
    (kind, range, body).prop_map(|(kind, range, body)| super::each(kind, range, body))
}

/// Any tree at all.
fn wild(leaf: impl Strategy<Value = Expr> + 'static) -> impl Strategy<Value = Expr> {
    leaf.prop_recursive(3, 12, 3, |inner| {
        let boxed = inner.clone().prop_map(Box::new);
        let two = (boxed.clone(), boxed.clone());
        prop_oneof![
            3 => (binary(), boxed.clone(), boxed.clone())
                .prop_map(|(op, left, right)| Expr::Binary(op, left, right)),
            1 => boxed.clone().prop_map(|operand| Expr::Unary(UnaryOp::Negate, operand)),
            1 => (boxed.clone(), name()).prop_map(|(operand, name)| Expr::Select(operand, name)),
            1 => (boxed, name()).prop_map(|(operand, name)| Expr::Has(operand, name)),
            1 => two.prop_map(|(operand, index)| Expr::Index(operand, index)),
            1 => vec(inner.clone(), 0..3).prop_map(Expr::List),
            1 => vec((inner.clone(), inner.clone()), 0..3).prop_map(Expr::Map),
            2 => call(inner.clone()),
            2 => comprehension(inner),
        ]
    })
}

fn binary() -> impl Strategy<Value = BinaryOp> {
    use BinaryOp::*;
    select(vec![
        Equal,
        NotEqual,
        Less,
        LessOrEqual,
        Greater,
        GreaterOrEqual,
        Add,
        Subtract,
        Multiply,
        Divide,
        Remainder,
        In,
    ])
}

fn call(inner: impl Strategy<Value = Expr> + Clone) -> impl Strategy<Value = Expr> {
    use Function::*;
    let one = select(vec![
        Size, LowerAscii, UpperAscii, Trim, Int, Double, String, Type,
    ]);
    let two = select(vec![StartsWith, EndsWith, Contains]);
    let pattern = select(vec!["a", "^a?$", "[0-9]+", "é|b"]);
    prop_oneof![
        (one, inner.clone()).prop_map(|(function, only)| Expr::Call(function, vec![only])),
        (two, inner.clone(), inner.clone())
            .prop_map(|(function, text, other)| Expr::Call(function, vec![text, other])),
        (inner, pattern).prop_map(|(text, pattern)| {
            let pattern = Expr::Literal(Literal::String(pattern.to_owned()));
            Expr::Call(Matches, vec![text, pattern])
        }),
    ]
}

fn comprehension(inner: impl Strategy<Value = Expr> + Clone) -> impl Strategy<Value = Expr> {
    use ComprehensionKind::*;
    let kind = select(vec![All, Exists, ExistsOne, Filter, Map]);
    // Mostly the element against something; seldom an element of a macro that may not be there.
    let body = prop_oneof![
        3 => (binary(), inner.clone()).prop_map(|(op, other)| {
            Expr::Binary(op, Box::new(Expr::Bound(0)), Box::new(other))
        }),
        1 => inner.clone(),
        1 => Just(Expr::Bound(1)),
    ];
    let range = prop_oneof![
        1 => inner.clone(),
        1 => vec(inner, 0..4).prop_map(Expr::List),
    ];
    (kind, range, body.clone(), option::of(body)).prop_map(|(kind, range, body, filter)| {
        let (predicate, transform) = match kind {
            Map => (filter, Some(body)),
            _ => (Some(body), None),
        };
        Expr::Comprehension(Box::new(Comprehension {
            kind,
            range,
            predicate,
            transform,
        }))
    })
}

/// Names of tools and the like.
pub(crate) fn target_name() -> impl Strategy<Value = String> {
    "[ab_]{0,4}"
}

/// The kind of a target, to be joined with a name.
pub(crate) fn target(kind: u8, name: &str) -> Target<'_> {
    match kind {
        0 => Target::Resource(name),
        1 => Target::Prompt(name),
        2 => Target::Method(name),
        _ => Target::Tool(name),
    }
}

fn patterns() -> impl Strategy<Value = Vec<String>> {
    vec("[ab_*]{1,4}", 0..3)
}

fn few(names: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    let some = vec(select(names).prop_map(str::to_owned), 1..3);
    option::weighted(0.3, some).prop_map(Option::unwrap_or_default)
}

fn classes() -> impl Strategy<Value = Vec<String>> {
    few(&["read", "write", "destructive"])
}

/// Risk assignments.
pub(crate) fn risks() -> impl Strategy<Value = Vec<RiskAssignment>> {
    let one =
        (patterns(), classes()).prop_map(|(tools, classes)| RiskAssignment { tools, classes });
    vec(one, 0..4)
}

/// Rules without conditions; their ids are to be made unique.
pub(crate) fn rule() -> impl Strategy<Value = Rule> {
    let effect = prop_oneof![
        3 => Just(RuleEffect::Allow),
        1 => Just(RuleEffect::Approve(Approval::default())),
        1 => Just(RuleEffect::Deny),
    ];
    let subjects = (
        few(&["u1", "u2"]),
        few(&["g1", "x"]),
        few(&["r1", "r2", "x"]),
        few(&["g1", "g2"]),
    )
        .prop_map(|(users, agents, roles, groups)| Subjects {
            users,
            agents,
            roles,
            groups,
        });
    let tools = prop_oneof![1 => Just(vec!["*".to_owned()]), 3 => patterns()];
    let targets = (tools, classes(), patterns(), patterns(), patterns()).prop_map(
        |(tools, risks, resources, prompts, methods)| Targets {
            tools,
            risks,
            resources,
            prompts,
            methods,
        },
    );
    (effect, subjects, targets).prop_map(|(effect, subjects, targets)| Rule {
        id: String::new(),
        effect,
        subjects,
        targets,
        when: None,
    })
}

/// Gives each rule its position as id.
pub(crate) fn numbered(mut rules: Vec<Rule>) -> Vec<Rule> {
    for (position, rule) in rules.iter_mut().enumerate() {
        rule.id = position.to_string();
    }
    rules
}

/// Who asks.
pub(crate) fn principal() -> impl Strategy<Value = Principal> {
    let user = select(vec!["u1", "u2", "u3"]).prop_map(str::to_owned);
    let agent = select(vec!["g1", "x", ""]).prop_map(str::to_owned);
    let roles = vec(
        select(vec!["r1", "r2", "r3", "x"]).prop_map(str::to_owned),
        0..3,
    );
    let groups = vec(select(vec!["g1", "g2", "x"]).prop_map(str::to_owned), 0..3);
    (user, agent, roles, groups, arguments()).prop_map(|(user, agent, roles, groups, claims)| {
        Principal {
            user,
            agent,
            roles,
            groups,
            claims,
        }
    })
}
