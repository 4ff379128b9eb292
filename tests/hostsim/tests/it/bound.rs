//! What an approval is bound to, beside the arguments.

use gatehold_hostsim::{Push, fixture};
use gatehold_wire::hold::{self, from_filter, report};
use serde_json::{Value, json};

use crate::holds::{Held, answer, modern, refund, send};

#[test]
fn answers_that_nobody_has_seen_do_not_wait() {
    let held = Held::new();
    let body = modern(json!({ "inputResponses": { "x": { "action": "accept" } } }));
    let outcome = send(&held.sim, &body, Some(("tools/call", "refund"))).finish();
    assert!(outcome.upstream.is_none());
    assert_eq!(answer(&outcome)["error"]["code"], -32602);
}

#[test]
fn another_requirement_or_parameter_is_another_call() {
    let digest = |sim: &Held, body: &[u8], extra: Option<(&str, &str)>| {
        let token = fixture::token(&["support"]);
        let mut headers = fixture::headers(&token);
        headers.extend(extra);
        let mut exchange = sim.sim.exchange();
        exchange.request(&headers, body);
        let digest = sim.wait().call.unwrap().digest;
        drop(exchange);
        sim.said();
        digest
    };
    let held = Held::new();
    let plain = refund(5000);
    let first = digest(&held, &plain, None);
    assert_eq!(digest(&held, &plain, None), first);
    let mut other: Value = serde_json::from_slice(&plain).unwrap();
    other["params"]["extra"] = json!(1);
    assert_ne!(digest(&held, other.to_string().as_bytes(), None), first);
    assert_ne!(
        digest(&held, &plain, Some(("mcp-param-amount", "1"))),
        first
    );

    let mut server = fixture::server("crm", "/crm/mcp");
    for rule in &mut server.rules {
        if let Some(gatehold_wire::push::rule::Effect::Approve(approve)) = &mut rule.effect {
            approve.quorum = 2;
        }
    }
    held.sim.push(&Push::default().server("1", &server));
    assert_ne!(digest(&held, &plain, None), first);
}

#[test]
fn a_grant_that_comes_twice_is_no_news() {
    let held = Held::new();
    let mut exchange = send(&held.sim, &refund(5000), None);
    let wait = held.wait();
    held.decided(&wait.waiter, hold::Outcome::Approved, "");
    held.claim();
    held.claimed(&wait.waiter, true);
    held.claimed(&wait.waiter, true);
    assert!(exchange.settle().so_far().upstream.is_some());
    let said = held.said();
    let [from_filter::Message::Report(report)] = said.as_slice() else {
        panic!("{said:?}");
    };
    assert_eq!(report.progress(), report::Progress::Forwarded);
}

#[test]
fn a_root_that_goes_tells_who_waits_to_come_back() {
    let held = Held::new();
    let mut exchange = send(&held.sim, &refund(5000), None);
    let wait = held.wait();
    held.pending(&wait.waiter);
    let old = held.sim.root();
    assert!(held.sim.configure(fixture::CONFIG));
    assert!(!held.sim.retire(old), "it has a request that waits");
    held.sim.advance(6_000);
    let outcome = exchange.finish();
    assert!(outcome.upstream.is_none());
    assert!(
        answer(&outcome)
            .to_string()
            .contains("make exactly the same call again")
    );
}
