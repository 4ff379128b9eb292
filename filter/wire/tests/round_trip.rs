//! What is converted to the wire and back is what it was, and what is not well-formed is refused.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

use gatehold_engine::{
    Approval, BinaryOp, Comprehension, ComprehensionKind, Expr, Function, Literal, PolicySource,
    RiskAssignment, Rule, RuleEffect, Subjects, Targets, UnaryOp, Var,
};
use gatehold_wire::push::{self, expr::Form, literal::Value};
use gatehold_wire::{MAX_EXPR_DEPTH, audit, discovery, policy_from_wire, policy_to_wire};
use proptest::prelude::*;
use proptest::sample::select;
use prost::Message as _;

fn server(policy: &PolicySource) -> push::Server {
    let (rules, risks) = policy_to_wire(policy).unwrap();
    push::Server {
        name: policy.server.clone(),
        rules,
        risks,
        ..push::Server::default()
    }
}

fn literal() -> impl Strategy<Value = Literal> {
    let number = prop_oneof![
        any::<i64>().prop_map(serde_json::Number::from),
        any::<u64>().prop_map(serde_json::Number::from),
        any::<f64>().prop_filter_map("finite", serde_json::Number::from_f64),
    ];
    prop_oneof![
        Just(Literal::Null),
        any::<bool>().prop_map(Literal::Bool),
        number.prop_map(Literal::Number),
        ".{0,8}".prop_map(Literal::String),
    ]
}

fn expr() -> impl Strategy<Value = Expr> {
    use BinaryOp::*;
    let binary = select(vec![
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
    ]);
    let functions = select(vec![
        Function::Size,
        Function::StartsWith,
        Function::EndsWith,
        Function::Contains,
        Function::Matches,
        Function::LowerAscii,
        Function::UpperAscii,
        Function::Trim,
        Function::Int,
        Function::Double,
        Function::String,
        Function::Type,
    ]);
    let vars = select(vec![
        Var::Args,
        Var::User,
        Var::Agent,
        Var::Tool,
        Var::Resource,
        Var::Prompt,
        Var::Server,
        Var::Findings,
    ]);
    let kinds = select(vec![
        ComprehensionKind::All,
        ComprehensionKind::Exists,
        ComprehensionKind::ExistsOne,
        ComprehensionKind::Filter,
        ComprehensionKind::Map,
    ]);
    let leaf = prop_oneof![
        literal().prop_map(Expr::Literal),
        vars.prop_map(Expr::Var),
        any::<u32>().prop_map(Expr::Bound),
    ];
    leaf.prop_recursive(6, 48, 4, move |inner| {
        let boxed = inner.clone().prop_map(Box::new).boxed();
        let (a, b, c) = (boxed.clone(), boxed.clone(), boxed);
        let list = prop::collection::vec(inner.clone(), 0..4);
        let entries = prop::collection::vec((inner.clone(), inner.clone()), 0..3);
        let comprehension = (
            kinds.clone(),
            inner.clone(),
            inner.clone(),
            inner.clone(),
            any::<bool>(),
        );
        let comprehension = comprehension.prop_map(|(kind, range, p, t, both)| {
            let map = kind == ComprehensionKind::Map;
            let predicate = (!map || both).then_some(p);
            let transform = map.then_some(t);
            Comprehension {
                kind,
                range,
                predicate,
                transform,
            }
        });
        prop_oneof![
            (a.clone(), "[a-z]{0,4}").prop_map(|(a, field)| Expr::Select(a, field)),
            (a.clone(), "[a-z]{0,4}").prop_map(|(a, field)| Expr::Has(a, field)),
            (a.clone(), b.clone()).prop_map(|(a, b)| Expr::Index(a, b)),
            (select(vec![UnaryOp::Not, UnaryOp::Negate]), a.clone())
                .prop_map(|(op, a)| Expr::Unary(op, a)),
            (binary.clone(), a.clone(), b.clone()).prop_map(|(op, a, b)| Expr::Binary(op, a, b)),
            (a.clone(), b.clone()).prop_map(|(a, b)| Expr::And(a, b)),
            (a.clone(), b.clone()).prop_map(|(a, b)| Expr::Or(a, b)),
            (a, b, c).prop_map(|(a, b, c)| Expr::Conditional(a, b, c)),
            list.clone().prop_map(Expr::List),
            entries.prop_map(Expr::Map),
            (functions.clone(), list).prop_map(|(function, list)| Expr::Call(function, list)),
            comprehension.prop_map(|c| Expr::Comprehension(Box::new(c))),
        ]
    })
}

fn names() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[a-z*]{0,3}", 0..3)
}

fn rule() -> impl Strategy<Value = Rule> {
    let flags = any::<(bool, bool)>();
    let approval = (names(), names(), any::<u64>(), any::<u32>(), flags);
    let approval = approval.prop_map(|(roles, users, within_seconds, quorum, flags)| Approval {
        roles,
        users,
        within_seconds,
        quorum,
        reason_required: flags.0,
        self_approval: flags.1,
    });
    let effect = prop_oneof![
        Just(RuleEffect::Allow),
        approval.prop_map(RuleEffect::Approve),
        Just(RuleEffect::Deny),
    ];
    let subjects = (names(), names(), names(), names());
    let subjects = subjects.prop_map(|(users, agents, roles, groups)| Subjects {
        users,
        agents,
        roles,
        groups,
    });
    let targets = (names(), names(), names(), names(), names());
    let targets = targets.prop_map(|(tools, risks, resources, prompts, methods)| Targets {
        tools,
        risks,
        resources,
        prompts,
        methods,
    });
    let parts = (
        "[a-z]{1,3}/[0-9]",
        effect,
        subjects,
        targets,
        prop::option::of(expr()),
    );
    parts.prop_map(|(id, effect, subjects, targets, when)| Rule {
        id,
        effect,
        subjects,
        targets,
        when,
    })
}

fn policy() -> impl Strategy<Value = PolicySource> {
    let risk = (names(), names()).prop_map(|(tools, classes)| RiskAssignment { tools, classes });
    let lists = (
        prop::collection::vec(rule(), 0..4),
        prop::collection::vec(risk, 0..3),
    );
    ("[a-z]{0,4}", lists).prop_map(|(server, (rules, risks))| PolicySource {
        server,
        rules,
        risks,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn policies_round_trip(policy in policy()) {
        let bytes = server(&policy).encode_to_vec();
        let decoded = push::Server::decode(bytes.as_slice()).unwrap();
        prop_assert_eq!(policy_from_wire(&decoded).unwrap(), policy);
    }

    #[test]
    fn damaged_policies_give_a_value_or_an_error(
        policy in policy(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = server(&policy).encode_to_vec();
        prop_assume!(!bytes.is_empty());
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(decoded) = push::Server::decode(bytes.as_slice()) {
            let _ = policy_from_wire(&decoded);
        }
    }

    #[test]
    fn any_bytes_give_a_value_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        if let Ok(server) = push::Server::decode(bytes.as_slice()) {
            let _ = policy_from_wire(&server);
        }
        if let Ok(issuer) = push::Issuer::decode(bytes.as_slice()) {
            let _ = gatehold_wire::issuer_from_wire(&issuer);
        }
        let _ = audit::AppendResponse::decode(bytes.as_slice());
        let _ = discovery::DeltaDiscoveryResponse::decode(bytes.as_slice());
    }
}

fn with_condition(when: Expr) -> PolicySource {
    let rule = Rule {
        id: "p/1".to_owned(),
        effect: RuleEffect::Deny,
        subjects: Subjects::default(),
        targets: Targets::default(),
        when: Some(when),
    };
    PolicySource {
        server: "crm".to_owned(),
        rules: vec![rule],
        risks: vec![],
    }
}

fn nested(depth: u32) -> Expr {
    let leaf = Expr::Literal(Literal::Bool(true));
    (1..depth).fold(leaf, |inner, _| Expr::Unary(UnaryOp::Not, Box::new(inner)))
}

#[test]
fn the_depth_is_bounded_on_both_sides() {
    let deepest = with_condition(nested(MAX_EXPR_DEPTH));
    let bytes = server(&deepest).encode_to_vec();
    let decoded = push::Server::decode(bytes.as_slice()).unwrap();
    assert_eq!(policy_from_wire(&decoded).unwrap(), deepest);

    let error = policy_to_wire(&with_condition(nested(MAX_EXPR_DEPTH + 1))).unwrap_err();
    let expected = "rule `p/1`, field `when`: nested more than 48 deep; split the condition";
    assert_eq!(error.to_string(), expected);

    let mut deeper = server(&deepest);
    let call = push::Call {
        name: "!".to_owned(),
        arguments: vec![deeper.rules[0].when.take().unwrap()],
    };
    deeper.rules[0].when = Some(push::Expr {
        form: Some(Form::Operator(call)),
    });
    assert_eq!(policy_from_wire(&deeper).unwrap_err().to_string(), expected);
}

#[track_caller]
fn refused(change: impl FnOnce(&mut push::Rule), expected: &str) {
    let mut server = server(&with_condition(nested(1)));
    change(&mut server.rules[0]);
    assert_eq!(policy_from_wire(&server).unwrap_err().to_string(), expected);
}

#[test]
fn rules_that_lack_a_part() {
    refused(
        |rule| rule.id.clear(),
        "rule `#1`, field `id`: missing or empty",
    );
    refused(
        |rule| rule.effect = None,
        "rule `p/1`, field `effect`: missing or empty",
    );
    refused(
        |rule| rule.subjects = None,
        "rule `p/1`, field `subjects`: missing or empty",
    );
    refused(
        |rule| rule.targets = None,
        "rule `p/1`, field `targets`: missing or empty",
    );
}

#[test]
fn conditions_that_are_not_well_formed() {
    let leaf = || push::Expr {
        form: Some(Form::Bound(0)),
    };
    let call = |name: &str, count| push::Call {
        name: name.to_owned(),
        arguments: vec![leaf(); count],
    };
    let comprehension = |kind: &str, predicate: Option<_>, transform: Option<_>| {
        Form::Comprehension(Box::new(push::Comprehension {
            kind: kind.to_owned(),
            range: Some(Box::new(leaf())),
            predicate: predicate.map(Box::new),
            transform: transform.map(Box::new),
        }))
    };
    let literal = |value| Form::Literal(push::Literal { value });
    let select = || {
        Box::new(push::Select {
            operand: None,
            field: "x".to_owned(),
        })
    };
    let newer = "control may be newer than the filter";
    for (form, expected) in [
        (None, "`expression` lacks a part".to_owned()),
        (Some(literal(None)), "`literal` lacks a part".to_owned()),
        (
            Some(literal(Some(Value::Number(f64::NAN)))),
            "a number that is not finite".to_owned(),
        ),
        (
            Some(Form::Var(0)),
            format!("unknown variable number 0; {newer}"),
        ),
        (
            Some(Form::Var(99)),
            format!("unknown variable number 99; {newer}"),
        ),
        (
            Some(Form::Select(select())),
            "`select` lacks a part".to_owned(),
        ),
        (Some(Form::Has(select())), "`has` lacks a part".to_owned()),
        (
            Some(Form::Call(call("sqrt", 1))),
            format!("unknown function `sqrt`; {newer}"),
        ),
        (
            Some(Form::Operator(call("**", 2))),
            format!("unknown operator `**`; {newer}"),
        ),
        (
            Some(Form::Operator(call("!", 0))),
            "operator `!` with 0 operands".to_owned(),
        ),
        (
            Some(Form::Operator(call("&&", 3))),
            "operator `&&` with 3 operands".to_owned(),
        ),
        (
            Some(Form::Operator(call("==", 1))),
            "operator `==` with 1 operands".to_owned(),
        ),
        (
            Some(Form::Operator(call("?:", 2))),
            "operator `?:` with 2 operands".to_owned(),
        ),
        (
            Some(Form::Map(push::ExprList {
                items: vec![leaf(); 3],
            })),
            "a map literal whose last key has no value".to_owned(),
        ),
        (
            Some(comprehension("fold", None, None)),
            format!("unknown macro `fold`; {newer}"),
        ),
        (
            Some(comprehension("all", None, None)),
            "`all` lacks a part".to_owned(),
        ),
        (
            Some(comprehension("map", Some(leaf()), None)),
            "`map` lacks a part".to_owned(),
        ),
        (
            Some(comprehension("exists", Some(leaf()), Some(leaf()))),
            "`exists` has a part too many".to_owned(),
        ),
    ] {
        let expected = format!("rule `p/1`, field `when`: {expected}");
        refused(|rule| rule.when = Some(push::Expr { form }), &expected);
    }
}
