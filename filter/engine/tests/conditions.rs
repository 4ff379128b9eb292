//! What conditions evaluate to.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail their test"
)]

mod support;

use gatehold_engine::{
    Arguments, BinaryOp::*, ComprehensionKind as Kind, Expr, Function, Query, RuleOutcome, Target,
    UnaryOp,
};
use serde_json::{Value, json};
use support::*;

fn outcome(condition: Expr, arguments: Arguments<'_>) -> String {
    let policy = policy(vec![when(allow("1", tools(&["*"])), condition)]);
    let principal = ann();
    let query = Query {
        principal: &principal,
        target: Target::Tool("refund"),
        arguments,
        findings: None,
    };
    let (decision, traces) = policy.explain(&query);
    match traces.into_iter().next().unwrap().outcome {
        RuleOutcome::Matched => {
            assert_eq!(decision.rules, ["1"]);
            "true".to_owned()
        }
        RuleOutcome::ConditionFalse => "false".to_owned(),
        RuleOutcome::ConditionUnknown => "unknown".to_owned(),
        RuleOutcome::ConditionError(message) => message,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn check(condition: Expr, args: &Value, expected: &str) {
    let known = object(args.clone());
    assert_eq!(outcome(condition, Arguments::Known(&known)), expected);
}

#[track_caller]
fn is(condition: Expr, expected: &str) {
    check(condition, &json!({}), expected);
}

#[track_caller]
fn unknown(condition: Expr, expected: &str) {
    assert_eq!(outcome(condition, Arguments::Unknown), expected);
}

fn t() -> Expr {
    lit(json!(true))
}
fn f() -> Expr {
    lit(json!(false))
}
fn u() -> Expr {
    path("args.x")
}
/// Fails whatever the arguments.
fn e() -> Expr {
    eq(bin(lit(json!(1)), Divide, lit(json!(0))), lit(json!(1)))
}
fn n(value: impl Into<Value>) -> Expr {
    lit(value.into())
}
fn not(operand: Expr) -> Expr {
    Expr::Unary(UnaryOp::Not, Box::new(operand))
}
fn x() -> Expr {
    Expr::Bound(0)
}

#[test]
fn and_or_absorb_from_both_sides() {
    let zero = "division by zero";
    for (left, right, both, either) in [
        (t as fn() -> Expr, t as fn() -> Expr, "true", "true"),
        (t, f, "false", "true"),
        (f, f, "false", "false"),
        (t, e, zero, "true"),
        (f, e, "false", zero),
        (t, u, "unknown", "true"),
        (f, u, "false", "unknown"),
        (u, u, "unknown", "unknown"),
        (u, e, "unknown", "unknown"),
        (e, e, zero, zero),
    ] {
        unknown(and(left(), right()), both);
        unknown(and(right(), left()), both);
        unknown(or(left(), right()), either);
        unknown(or(right(), left()), either);
    }
    is(and(n("a"), t()), "expected bool, found string");
    is(or(n(1), t()), "true");
}

#[test]
fn unknown_goes_through_strict_nodes() {
    unknown(u(), "unknown");
    unknown(not(u()), "unknown");
    unknown(has(path("args"), "x"), "unknown");
    unknown(has(path("args.x"), "y"), "unknown");
    unknown(bin(u(), Less, n(3)), "unknown");
    unknown(bin(n(3), In, u()), "unknown");
    unknown(eq(call(Function::Size, vec![u()]), n(1)), "unknown");
    unknown(eq(Expr::List(vec![u()]), Expr::List(vec![])), "unknown");
    unknown(
        Expr::Conditional(Box::new(u()), Box::new(t()), Box::new(t())),
        "unknown",
    );
    unknown(
        Expr::Conditional(Box::new(t()), Box::new(t()), Box::new(u())),
        "true",
    );
    unknown(each(Kind::All, u(), t()), "unknown");
    unknown(each(Kind::All, path("user.roles"), eq(x(), u())), "unknown");
    let staff = || eq(x(), n("staff"));
    unknown(
        each(Kind::Exists, path("user.roles"), or(staff(), u())),
        "true",
    );
    unknown(
        each(Kind::All, path("user.roles"), and(staff(), u())),
        "false",
    );
    unknown(eq(path("user.id"), n("ann")), "true");
    unknown(eq(path("tool.name"), n("refund")), "true");
}

#[test]
fn fields() {
    let args = json!({"a": {"b": [1, {"c": "d"}]}, "n": null});
    check(eq(path("args.n"), n(Value::Null)), &args, "true");
    check(has(path("args"), "n"), &args, "true");
    check(has(path("args"), "m"), &args, "false");
    check(
        has(path("args.m"), "x"),
        &args,
        "there is no field `m`: ask for it with `has` first",
    );
    check(
        has(path("args.n"), "x"),
        &args,
        "expected map, found null_type",
    );
    let at = |operand: Expr, index: Expr| Expr::Index(Box::new(operand), Box::new(index));
    check(eq(at(path("args.a.b"), n(0)), n(1)), &args, "true");
    check(
        eq(at(at(path("args.a.b"), n(1)), n("c")), n("d")),
        &args,
        "true",
    );
    check(eq(at(path("args.a.b"), n(1.0)), n(1)), &args, "false");
    for index in [n(2), n(-1), n(0.5), n(u64::MAX)] {
        check(
            eq(at(path("args.a.b"), index), n(1)),
            &args,
            "the index is outside the list: compare it with `size` first",
        );
    }
    check(
        eq(at(path("args.a"), n("z")), n(1)),
        &args,
        "there is no such key: ask for it with `in` first",
    );
    is(eq(path("user.claims.tenant"), n("t1")), "true");
    is(eq(path("agent.id"), n("helper")), "true");
    is(eq(path("server.name"), n("crm")), "true");
    is(eq(path("tool.risk"), Expr::List(vec![])), "true");
    is(has(path("resource"), "uri"), "false");
    is(
        eq(path("prompt.name"), n("x")),
        "there is no field `name`: ask for it with `has` first",
    );
}

#[test]
fn numbers() {
    let check_args = |op, left: Value, right: Value, expected: &str| {
        check(
            bin(path("args.l"), op, path("args.r")),
            &json!({"l": left, "r": right}),
            expected,
        );
    };
    check_args(LessOrEqual, json!(100), json!(100.0), "true");
    check_args(Equal, json!(100), json!(100.0), "true");
    // What a reader with doubles would round is not judged as another number than it may act on.
    let rounded =
        "an integer beyond 2^53 is not read the same by every server: send it as a string";
    for number in [
        json!(9_007_199_254_740_993_i64),
        json!(u64::MAX),
        json!(i64::MAX),
    ] {
        check_args(Greater, number.clone(), json!(1), rounded);
        check_args(Equal, json!(1), number, rounded);
    }
    check_args(
        Greater,
        json!(9_007_199_254_740_994_i64),
        json!(9_007_199_254_740_992.0),
        "true",
    );
    is(bin(n(-1), Less, lit(json!(u64::MAX))), "true");
    check_args(Equal, json!(1), json!("1"), "false");
    check_args(
        Less,
        json!(1),
        json!("1"),
        "`<` does not take int and string",
    );
    check_args(
        Less,
        json!(null),
        json!(1),
        "`<` does not take null_type and int",
    );
    check_args(Less, json!("a"), json!("b"), "true");
    check_args(GreaterOrEqual, json!(true), json!(false), "true");
    let sum = |op, left: Value, right: Value, result: Value, expected: &str| {
        is(eq(bin(lit(left), op, lit(right)), lit(result)), expected);
    };
    let overflow = "the result does not fit its type";
    sum(Add, json!(1), json!(2), json!(3), "true");
    sum(Add, json!(i64::MAX), json!(1), json!(0), overflow);
    sum(Add, json!(u64::MAX), json!(1), json!(0), overflow);
    sum(Subtract, json!(u64::MAX), json!(u64::MAX), json!(0), "true");
    sum(Multiply, json!(i64::MAX), json!(2), json!(0), overflow);
    sum(
        Multiply,
        json!(u64::MAX),
        json!(u64::MAX),
        json!(0),
        overflow,
    );
    sum(Divide, json!(7), json!(-2), json!(-3), "true");
    sum(Divide, json!(i64::MIN), json!(-1), json!(0), overflow);
    sum(Divide, json!(1.0), json!(0), json!(0), "division by zero");
    sum(Remainder, json!(-7), json!(2), json!(-1), "true");
    sum(Remainder, json!(7), json!(0), json!(0), "division by zero");
    sum(
        Remainder,
        json!(7.0),
        json!(2),
        json!(0),
        "`%` does not take double and int",
    );
    sum(Multiply, json!(5), json!(1.5), json!(7.5), "true");
    sum(
        Add,
        json!(9_007_199_254_740_993_i64),
        json!(1.0),
        json!(0),
        "an integer beyond 2^53 cannot be combined with a double without loss",
    );
    sum(Multiply, json!(1e300), json!(1e300), json!(0), overflow);
    let negated = |value: Value| Expr::Unary(UnaryOp::Negate, Box::new(lit(value)));
    is(eq(negated(json!(5)), n(-5)), "true");
    is(eq(negated(json!(i64::MIN)), n(0)), overflow);
}

#[test]
fn functions() {
    use Function::*;
    let one = |function, value: Value, expected: Value| {
        is(eq(call(function, vec![lit(value)]), lit(expected)), "true");
    };
    let fails = |function, value: Value, expected: &str| {
        is(eq(call(function, vec![lit(value)]), t()), expected);
    };
    let two = |function, text: &str, other: &str, expected: &str| {
        is(call(function, vec![n(text), n(other)]), expected);
    };
    one(Size, json!("é€"), json!(2));
    one(Size, json!([1, 2, 3]), json!(3));
    one(Size, json!({"a": 1}), json!(1));
    fails(Size, json!(1), "expected string, list or map, found int");
    one(LowerAscii, json!("ÀB"), json!("Àb"));
    one(UpperAscii, json!("ab"), json!("AB"));
    one(Trim, json!("\t a b\n"), json!("a b"));
    one(Int, json!("-12"), json!(-12));
    one(Int, json!(-1.9), json!(-1));
    fails(Int, json!("1.5"), "the text is no int");
    fails(Int, json!(1e19), "the result does not fit its type");
    fails(Int, json!(true), "expected number or string, found bool");
    one(Double, json!("1.5"), json!(1.5));
    fails(Double, json!("NaN"), "the text is no double");
    fails(Double, json!("inf"), "the text is no double");
    one(String, json!(1.5), json!("1.5"));
    one(String, json!(-3), json!("-3"));
    one(String, json!(true), json!("true"));
    fails(
        String,
        json!([]),
        "expected bool, number or string, found list",
    );
    one(Type, json!(null), json!("null_type"));
    one(Type, json!(u64::MAX), json!("uint"));
    one(Type, json!({}), json!("map"));
    two(StartsWith, "refund", "ref", "true");
    two(EndsWith, "refund", "ref", "false");
    two(Contains, "refund", "fun", "true");
    two(Matches, "a-17", "[0-9]+$", "true");
    two(Matches, "a-17", "^[0-9]+$", "false");
    is(
        call(StartsWith, vec![n(1), n("a")]),
        "expected string, found int",
    );
}

#[test]
fn lists_and_maps() {
    let list = |value: Value| lit(value);
    is(bin(n(2), In, list(json!([1, 2.0, "a"]))), "true");
    is(bin(n("b"), In, list(json!([1, "a"]))), "false");
    is(bin(n("a"), In, list(json!({"a": 1}))), "true");
    is(bin(n(1), In, list(json!({"a": 1}))), "false");
    is(bin(n("staff"), In, path("user.roles")), "true");
    is(
        bin(n("a"), In, n("abc")),
        "`in` does not take string and string",
    );
    is(
        eq(
            list(json!([1, [2, {"k": null}]])),
            list(json!([1.0, [2, {"k": null}]])),
        ),
        "true",
    );
    is(
        eq(list(json!({"a": 1, "b": 2})), list(json!({"b": 2, "a": 3}))),
        "false",
    );
    is(eq(list(json!([])), list(json!({}))), "false");
    is(
        eq(
            bin(list(json!([1])), Add, list(json!([2]))),
            list(json!([1, 2])),
        ),
        "true",
    );
    is(eq(bin(n("a"), Add, n("b")), n("ab")), "true");
    is(
        eq(bin(n("a"), Add, n(1)), n("a1")),
        "`+` does not take string and int",
    );
    let twice = Expr::Map(vec![(n(1), n(1)), (n(1.0), n(2))]);
    is(
        eq(twice, t()),
        "expected bool, int or string as a key, found double",
    );
    let twice = Expr::Map(vec![(n(1), n(1)), (n(1), n(2))]);
    is(eq(twice, t()), "a map has the same key twice");
    check(
        eq(path("args"), lit(json!({"a": [1, 2]}))),
        &json!({"a": [1, 2]}),
        "true",
    );
}

#[test]
fn macros() {
    let numbers = || lit(json!([1, 2, 3]));
    let big = || bin(x(), Greater, n(1));
    is(each(Kind::All, numbers(), big()), "false");
    is(each(Kind::Exists, numbers(), big()), "true");
    is(each(Kind::ExistsOne, numbers(), big()), "false");
    is(each(Kind::ExistsOne, numbers(), eq(x(), n(3))), "true");
    is(
        eq(each(Kind::Filter, numbers(), big()), lit(json!([2, 3]))),
        "true",
    );
    is(
        eq(
            each(Kind::Map, numbers(), bin(x(), Multiply, n(2))),
            lit(json!([2, 4, 6])),
        ),
        "true",
    );
    is(each(Kind::All, lit(json!([])), e()), "true");
    is(
        each(
            Kind::All,
            lit(json!([1, "a"])),
            eq(bin(x(), Add, n(1)), n(0)),
        ),
        "false",
    );
    is(
        each(
            Kind::Exists,
            lit(json!([1, "a"])),
            eq(bin(x(), Add, n(1)), n(0)),
        ),
        "`+` does not take string and int",
    );
    is(
        each(Kind::Exists, lit(json!({"k": 1})), eq(x(), n("k"))),
        "true",
    );
    is(
        each(Kind::All, n(1), t()),
        "expected list or map, found int",
    );
    let inner = each(Kind::Exists, lit(json!([2])), eq(x(), Expr::Bound(1)));
    is(each(Kind::Exists, numbers(), inner), "true");
    let args = json!({"to": ["a@corp", "b@corp"]});
    let inside = || call(Function::EndsWith, vec![x(), n("@corp")]);
    check(each(Kind::All, path("args.to"), inside()), &args, "true");
    check(
        each(Kind::All, path("args"), eq(x(), n("to"))),
        &args,
        "true",
    );
}

#[test]
fn an_evaluation_ends_within_its_steps() {
    let limit = "it takes more than 100000 steps";
    let many = json!({"l": vec![1; 2000], "s": "x".repeat(1_000_000)});
    let list = || path("args.l");
    let square = |body: Expr| each(Kind::All, list(), each(Kind::All, list(), body));
    check(square(t()), &many, limit);
    // What ran out is not absorbed by what would decide.
    check(or(square(t()), t()), &many, limit);
    check(and(square(t()), f()), &many, limit);
    let scan = call(Function::Contains, vec![path("args.s"), n("y")]);
    check(scan.clone(), &many, "false");
    check(each(Kind::All, list(), not(scan)), &many, limit);
    check(
        call(Function::Matches, vec![path("args.s"), n("(a|b|x)*y")]),
        &many,
        limit,
    );
    // Doubles a string at every level.
    let doubled = (0..40).fold(Expr::List(vec![path("args.s")]), |range, _| {
        each(Kind::Map, range, bin(x(), Add, x()))
    });
    check(eq(doubled, t()), &many, limit);
    // Without the arguments, it may be that it takes fewer.
    let claims = each(Kind::All, path("user.roles"), u());
    unknown(claims, "unknown");
}

#[test]
fn a_decision_ends_within_its_steps() {
    let many = json!({"l": vec![1; 300]});
    let list = || path("args.l");
    let costly = || each(Kind::All, list(), each(Kind::All, list(), t()));
    let mut rules: Vec<_> = (0..20)
        .map(|i| when(allow(&format!("{i}"), tools(&["x"])), costly()))
        .collect();
    rules.push(allow("free", tools(&["x"])));
    let some = rules.split_off(16);
    // 16 conditions of some 90,000 steps each are too many; 5 are not.
    for (rules, expected) in [
        (rules, "its conditions take more than 1000000 steps"),
        (some, "allowed by"),
    ] {
        for rules in [rules.clone(), rules.into_iter().rev().collect()] {
            let decision = decide(&policy(rules), &ann(), Target::Tool("x"), &many);
            assert!(decision.reason.starts_with(expected), "{}", decision.reason);
        }
    }
}
