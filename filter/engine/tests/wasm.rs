//! The core decisions again, as wasm32.
#![cfg(target_arch = "wasm32")]

mod support;

use gatehold_engine::{BinaryOp, Effect, Function, ServerPolicy, Target};
use serde_json::json;
use support::*;
use wasm_bindgen_test::wasm_bindgen_test;

#[wasm_bindgen_test]
fn an_empty_policy_denies() {
    assert_eq!(
        decide(&policy(vec![]), &ann(), Target::Tool("x"), &json!({})).effect,
        Effect::Deny
    );
}

#[wasm_bindgen_test]
fn refunds_are_allowed_held_hidden() {
    let amount = || path("args.amount");
    let rules = vec![
        allow("a/1", tools(&["get_*", "search_*"])),
        when(
            allow("a/2", tools(&["refund"])),
            bin(amount(), BinaryOp::LessOrEqual, lit(json!(100.0))),
        ),
        when(
            approve("a/3", tools(&["refund"])),
            bin(amount(), BinaryOp::Greater, lit(json!(100.0))),
        ),
        deny("a/4", tools(&["*_secret"])),
    ];
    let policy = ServerPolicy::new(source(rules)).unwrap();
    let check = |tool: &str, args: serde_json::Value, reason: &str| {
        assert_eq!(
            decide(&policy, &ann(), Target::Tool(tool), &args).reason,
            reason
        );
    };
    check("get_x", json!({}), "allowed by rule `a/1`");
    check("get_secret", json!({}), "denied by rule `a/4`");
    check("refund", json!({"amount": 100}), "allowed by rule `a/2`");
    check(
        "refund",
        json!({"amount": 100.5}),
        "approval required by rule `a/3`",
    );
    check("drop", json!({}), "no rule allows tool `drop`");
    for (tool, shown) in [("refund", true), ("get_secret", false), ("drop", false)] {
        assert_eq!(policy.visible(&ann(), Target::Tool(tool)), shown, "{tool}");
    }
    let decision = decide(&policy, &ann(), Target::Tool("refund"), &json!({}));
    assert_eq!((decision.effect, decision.errors.len()), (Effect::Deny, 2));
}

#[wasm_bindgen_test]
fn patterns_and_deep_conditions_work() {
    let number = call(
        Function::Matches,
        vec![path("args.id"), lit(json!("^[A-Z]{2}-[0-9]+$"))],
    );
    let deep = (0..95).fold(number, |inner, _| and(lit(json!(true)), inner));
    let policy = policy(vec![when(allow("1", tools(&["x"])), deep)]);
    let effect = |id: &str| decide(&policy, &ann(), Target::Tool("x"), &json!({"id": id})).effect;
    assert_eq!(effect("AB-17"), Effect::Allow);
    assert_eq!(effect("AB-17x"), Effect::Deny);
}
