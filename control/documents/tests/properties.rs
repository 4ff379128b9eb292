//! No text makes loading panic, and compiled conditions mean what CEL says they mean.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;

use cel::Context;
use cel::parser::PrattParser;
use gatehold_documents::{Documents, Problems, load};
use gatehold_engine::{Arguments, Effect, Principal, Query, ServerPolicy, Target};
use proptest::prelude::*;
use serde_json::{Value, json};

fn load_one(text: &str) -> Result<Documents, Problems> {
    load(&[(PathBuf::from("a.yaml"), text.to_owned())])
}

fn with_condition(when: &str) -> String {
    let when = serde_json::to_string(when).unwrap();
    format!(
        "apiVersion: gatehold.io/v1
kind: Issuer
metadata: {{ name: corp }}
spec: {{ issuer: https://idp.example.com }}
---
apiVersion: gatehold.io/v1
kind: Server
metadata: {{ name: crm }}
spec: {{ path: /crm, resource: https://gw.example.com/crm, issuers: [corp] }}
---
apiVersion: gatehold.io/v1
kind: Policy
metadata: {{ name: p }}
spec: {{ rules: [{{ allow: {{ server: crm, tools: x, when: {when} }} }}] }}
"
    )
}

/// Pieces of documents, so that random texts get past the first check.
fn piece() -> impl Strategy<Value = String> {
    let pieces = [
        "apiVersion: gatehold.io/v1\n",
        "kind: Server\n",
        "kind: Policy\n",
        "kind: Issuer\n",
        "metadata: { name: a }\n",
        "spec:\n",
        "  rules:\n",
        "    - allow: ",
        "{ server: \"*\", tools: x",
        ", when: ",
        "args.x == ",
        "'",
        "\"",
        "}\n",
        "---\n",
        "  ",
        "- ",
        ": ",
        "&a ",
        "*a",
        "[",
        "]",
        "{",
        "}",
        "|\n",
        ">\n",
        "\t",
        "é",
        "\u{feff}",
        "!x ",
        "? ",
        "# c\n",
        "  path: /a\n",
        "  resource: http://a/\n",
        "  issuers: [a]\n",
        "  issuer: http://a\n",
        "  jwks: { keys: [{}] }\n",
        "\\u12",
    ];
    proptest::sample::select(pieces.to_vec()).prop_map(str::to_owned)
}

fn cel_piece() -> impl Strategy<Value = String> {
    let pieces = [
        "args",
        ".x",
        "user.id",
        "tool.name",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "'a'",
        "\"",
        "1",
        "1.5",
        "-",
        "!",
        "&&",
        "||",
        "==",
        "<",
        "in",
        "?",
        ":",
        ",",
        "+",
        "%",
        " ",
        ".all(",
        "x,",
        ".map(",
        "has(",
        "size(",
        ".matches(",
        "'('",
        "type(",
        "null",
        "true",
        "u",
        "é",
        "b'",
        "r'",
        "@",
        "`",
        "//",
        "\n",
        "0x",
        "e9",
        "$",
    ];
    proptest::sample::select(pieces.to_vec()).prop_map(str::to_owned)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(text in "\\PC{0,200}", pieces in prop::collection::vec(piece(), 0..40)) {
        let _ = load_one(&text);
        let _ = load_one(&pieces.concat());
    }

    #[test]
    fn no_condition_panics(pieces in prop::collection::vec(cel_piece(), 0..25)) {
        let _ = load_one(&with_condition(&pieces.concat()));
    }

    #[test]
    fn problems_point_into_the_file(pieces in prop::collection::vec(piece(), 0..40)) {
        let text = pieces.concat();
        if let Err(problems) = load_one(&text) {
            prop_assert!(!problems.list.is_empty());
            for problem in &problems.list {
                let lines = text.lines().count() + 1;
                let line = problem.location.line as usize;
                prop_assert!(line <= lines, "{problem}");
            }
        }
    }

    #[test]
    fn conditions_mean_what_cel_says(condition in boolean(), args in arguments()) {
        let documents = load_one(&with_condition(&condition)).map_err(|problems| {
            TestCaseError::fail(format!("{condition}\n{problems}"))
        })?;
        let policy = ServerPolicy::new(documents.servers[0].policy.clone()).unwrap();
        let principal = Principal::default();
        let decision = policy.decide(&Query {
            principal: &principal,
            target: Target::Tool("x"),
            arguments: Arguments::Known(args.as_object().unwrap()),
            findings: None,
        });
        let allowed = decision.effect == Effect::Allow;
        let mut context = Context::default();
        context.add_variable_from_value("args", cel_value(&args));
        let ast = PrattParser::new().parse(&condition).unwrap();
        match cel::Value::resolve(&ast, &context) {
            Ok(cel::Value::Bool(expected)) => {
                prop_assert!(decision.errors.is_empty(), "{condition} on {args}: {:?}", decision.errors);
                prop_assert_eq!(allowed, expected, "{} on {}", condition, args);
            }
            Ok(other) => prop_assert!(false, "{condition} on {args}: {other:?}"),
            Err(error) => {
                prop_assert!(!allowed && !decision.errors.is_empty(), "{condition} on {args}: {error}");
            }
        }
    }
}

/// The value as the engine sees it: whole numbers are `int`.
fn cel_value(json: &Value) -> cel::Value {
    match json {
        Value::Null => cel::Value::Null,
        Value::Bool(bool) => (*bool).into(),
        Value::Number(number) => match number.as_i64() {
            Some(int) => int.into(),
            None => number.as_f64().unwrap().into(),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => items.iter().map(cel_value).collect::<Vec<_>>().into(),
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(key, value)| (key.clone(), cel_value(value)));
            fields.collect::<std::collections::HashMap<_, _>>().into()
        }
    }
}

/// Values of the variables that generated conditions use: integers, doubles, strings, lists of both.
fn arguments() -> impl Strategy<Value = Value> {
    let text = || proptest::sample::select(vec!["", "a", "ab", "ba", "b"]);
    let numbers = prop::collection::vec(-3_i64..4, 0..4);
    let texts = prop::collection::vec(text(), 0..3);
    let values = (
        -3_i64..4,
        -3_i64..4,
        -6_i64..7,
        text(),
        text(),
        any::<bool>(),
        numbers,
        texts,
    );
    values.prop_map(|(i, j, d, s, t, b, l, m)| {
        json!({ "i": i, "j": j, "d": d as f64 / 2.0, "s": s, "t": t, "b": b, "l": l, "m": m })
    })
}

fn integer() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("args.i".to_owned()),
        Just("args.j".to_owned()),
        Just("args.missing".to_owned()),
        Just("size(args.s)".to_owned()),
        Just("args.l.size()".to_owned()),
        Just("args.l[1]".to_owned()),
        (-3_i64..4).prop_map(|number| number.to_string()),
    ];
    leaf.prop_recursive(2, 4, 2, |inner| {
        let operator = proptest::sample::select(vec!["+", "-", "*", "/", "%"]);
        prop_oneof![
            (inner.clone(), operator, inner.clone())
                .prop_map(|(left, op, right)| format!("({left} {op} {right})")),
            (boolean_leaf(), inner.clone(), inner)
                .prop_map(|(c, a, b)| format!("({c} ? {a} : {b})")),
        ]
    })
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("args.s".to_owned()),
        Just("args.t".to_owned()),
        Just("(args.s + args.t)".to_owned()),
        Just("args.m[0]".to_owned()),
        Just("'ab'".to_owned()),
        Just("string(args.i)".to_owned()),
    ]
}

fn boolean_leaf() -> impl Strategy<Value = String> {
    let order = || proptest::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]);
    let function = proptest::sample::select(vec!["startsWith", "endsWith", "contains"]);
    prop_oneof![
        Just("args.b".to_owned()),
        Just("true".to_owned()),
        Just("has(args.i)".to_owned()),
        Just("has(args.missing)".to_owned()),
        Just("args.i in args.l".to_owned()),
        Just("args.s in args.m".to_owned()),
        Just("args.s.matches('^a+b?$')".to_owned()),
        (text(), order(), text()).prop_map(|(left, op, right)| format!("{left} {op} {right}")),
        (order(), -3_i64..4).prop_map(|(op, right)| format!("args.d {op} {right}.5")),
        (text(), function, text())
            .prop_map(|(left, name, right)| format!("{left}.{name}({right})")),
    ]
}

fn boolean() -> impl Strategy<Value = String> {
    let order = || proptest::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]);
    let numbers = (integer(), order(), integer())
        .prop_map(|(left, op, right)| format!("{left} {op} {right}"));
    let quantifier = (
        proptest::sample::select(vec!["all", "exists", "exists_one"]),
        order(),
        integer(),
    )
        .prop_map(|(name, op, right)| format!("args.l.{name}(v, v {op} {right})"));
    let collected = proptest::sample::select(vec![
        "args.l.filter(v, v > args.i) == args.l.map(v, v > args.i, v)",
        "args.l.map(v, v * 2).exists(w, w == args.j)",
        "args.m.all(v, args.m.exists(w, w == v && v != args.s))",
        "args.m.exists(v, args.l.all(w, string(w) != v))",
    ])
    .prop_map(str::to_owned);
    let leaf = prop_oneof![boolean_leaf(), numbers, quantifier, collected];
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left} && {right})")),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left} || {right})")),
            inner.clone().prop_map(|operand| format!("!({operand})")),
            (inner.clone(), inner.clone(), inner)
                .prop_map(|(c, a, b)| format!("({c} ? {a} : {b})")),
        ]
    })
}
