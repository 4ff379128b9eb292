//! Events on their way to control.

use gatehold_hostsim::{Control, Outcome, Push, Sim, Status, fixture};
use gatehold_wire::audit::AppendRequest;
use serde_json::{Value, json};

fn call(sim: &Sim, tool: &str, arguments: Value) -> Outcome {
    let token = fixture::token(&["support"]);
    let mut exchange = sim.exchange();
    exchange.request(&fixture::headers(&token), &fixture::call(tool, arguments));
    exchange.response(fixture::JSON, &fixture::result(json!({ "content": [] })));
    exchange.finish()
}

fn get(sim: &Sim) -> Outcome {
    call(sim, "get_user", json!({ "id": 1 }))
}

fn numbers(batches: &[AppendRequest]) -> Vec<u64> {
    batches.iter().map(|batch| batch.batch).collect()
}

#[test]
fn one_batch_per_tick() {
    let sim = Sim::ready();
    get(&sim);
    call(&sim, "drop_all", json!({}));
    call(&sim, "refund", json!({ "amount": 9999 }));
    assert_eq!(sim.batches(), [], "nothing leaves before the tick");
    sim.tick();
    let batches = sim.batches();
    assert_eq!(numbers(&batches), [1]);
    assert_eq!(
        (batches[0].node.as_str(), batches[0].dropped),
        ("node-1", 0)
    );
    assert_eq!(batches[0].sender.len(), 32);
    let told: Vec<_> = batches[0]
        .events
        .iter()
        .map(|it| {
            (
                it.target.as_str(),
                it.effect.as_str(),
                it.outcome.as_str(),
                it.status,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("get_user", "allow", "ok", 0),
            ("drop_all", "deny", "denied", 200),
            // Its client went away while it waited.
            ("refund", "hold", "aborted", 0),
        ]
    );
    let event = &batches[0].events[0];
    assert_eq!(
        (event.user.as_str(), event.agent.as_str()),
        ("ann", "agent-1")
    );
    assert_eq!(
        (event.rules.as_slice(), event.policy_version.as_str()),
        (&["p/get".to_owned()][..], "1")
    );
    assert_eq!(
        (event.arguments.as_str(), event.request_id.as_str()),
        (r#"{"id":1}"#, "7")
    );

    get(&sim);
    sim.tick();
    assert_eq!(numbers(&sim.batches()), [2]);
    assert_eq!(sim.metric("gatehold_audit_events.state=acknowledged"), 0);
    sim.acknowledge(2);
    assert_eq!(sim.metric("gatehold_audit_events.state=acknowledged"), 4);
    sim.advance(1_000);
    assert_eq!(sim.batches(), []);
}

#[test]
fn what_is_not_acknowledged_is_sent_again_as_it_was() {
    let sim = Sim::ready();
    for _ in 0..3 {
        get(&sim);
        sim.tick();
    }
    let sent = sim.batches();
    assert_eq!(numbers(&sent), [1, 2, 3]);
    sim.acknowledge(1);
    sim.close(sim.audit_streams()[0], 14);
    get(&sim);
    sim.advance(1_000);
    let again = sim.batches();
    assert_eq!(again[..2], sent[1..]);
    assert_eq!(numbers(&again), [2, 3, 4]);
    sim.acknowledge(4);
    assert_eq!(sim.metric("gatehold_audit_events.state=acknowledged"), 4);
    assert!(sim.retire(sim.root()));
}

#[test]
fn events_wait_while_control_is_away() {
    let sim = Sim::ready();
    sim.set_control(Control::Down);
    sim.close(sim.audit_streams()[0], 14);
    for _ in 0..5 {
        assert_eq!(get(&sim).status(), Some(200));
        sim.advance(1_000);
    }
    assert_eq!(sim.metric("gatehold_audit_events.state=acknowledged"), 0);
    sim.batches();
    sim.set_control(Control::Up);
    sim.advance(6_000);
    let events: Vec<_> = sim.batches().into_iter().flat_map(|it| it.events).collect();
    assert_eq!(events.len(), 5);
}

#[test]
fn no_more_batches_than_the_window() {
    let sim = Sim::ready();
    for _ in 0..20 {
        get(&sim);
        sim.tick();
    }
    assert_eq!(numbers(&sim.batches()), (1..=16).collect::<Vec<_>>());
    sim.acknowledge(10);
    let more = sim.batches();
    assert_eq!(numbers(&more), [17], "what waited goes together");
    assert_eq!(more[0].events.len(), 4);
}

#[test]
fn an_acknowledgement_that_cannot_be_read_costs_the_stream() {
    let sim = Sim::ready();
    get(&sim);
    sim.tick();
    let sent = sim.batches();
    sim.receive(sim.audit_streams()[0], b"\xff\xff");
    assert!(sim.audit_streams().is_empty());
    sim.advance(1_000);
    assert_eq!(sim.batches(), sent);
}

/// Calls with large arguments until an event finds no room; gives their number.
fn fill(sim: &Sim) -> usize {
    let mut server = fixture::server("crm", "/crm/mcp");
    server.limits.as_mut().unwrap().request_bytes = 64 << 10;
    sim.push(&Push::default().server("2", &server));
    sim.set_control(Control::Down);
    sim.close(sim.audit_streams()[0], 14);
    let text = "x".repeat(16 << 10);
    let dropped = || sim.metric("gatehold_audit_events.state=dropped");
    for count in 0..1_100 {
        let outcome = call(sim, "get_user", json!({ "text": text }));
        if dropped() > 0 || outcome.status() != Some(200) {
            return count;
        }
    }
    panic!("the queue has no bound");
}

#[test]
fn a_full_queue_drops_and_tells() {
    let sim = Sim::ready();
    let held = fill(&sim);
    assert!(held > 900, "{held} events of 16 KiB");
    let outcome = call(&sim, "get_user", json!({ "text": "x".repeat(16 << 10) }));
    assert_eq!(outcome.status(), Some(200), "the call goes on");
    sim.set_control(Control::Up);
    sim.advance(6_000);
    let batches = sim.batches();
    assert_eq!(batches.iter().map(|batch| batch.dropped).sum::<u64>(), 2);
    assert_eq!(batches[0].dropped, 2, "told with the first batch");
}

#[test]
fn a_full_queue_refuses_when_told() {
    let config = r#"{"control_cluster": "gatehold_control", "audit_overflow": "refuse"}"#;
    let sim = Sim::ready_with(config);
    fill(&sim);
    // Small events may still fit; then none does.
    let refused = (0..500)
        .map(|_| get(&sim))
        .find(|it| it.status() != Some(200));
    let outcome = refused.expect("the queue is full");
    assert_eq!(
        (outcome.status(), outcome.upstream.as_ref()),
        (Some(503), None)
    );
    assert_eq!(outcome.answer().json()["error"]["code"], -31503);
    assert_eq!(outcome.answer().json()["id"], 7);

    sim.set_control(Control::Up);
    sim.advance(6_000);
    let last = sim.batches().last().unwrap().batch;
    sim.acknowledge(last);
    assert_eq!(get(&sim).status(), Some(200));
}

#[test]
fn a_call_that_ran_is_recorded_as_allowed() {
    let sim = Sim::ready();
    let token = fixture::token(&["support"]);
    let mut exchange = sim.exchange();
    exchange.request(
        &fixture::headers(&token),
        &fixture::call("get_user", json!({})),
    );
    sim.fail_next("get_buffer_bytes", Status::InternalFailure);
    exchange.response(fixture::JSON, &fixture::result(json!({})));
    let outcome = exchange.finish();
    assert!(outcome.upstream.is_some());
    let event = sim.events().pop().unwrap();
    assert_eq!(
        (event.effect.as_str(), event.outcome.as_str()),
        ("allow", "error")
    );
    assert_eq!(outcome.filter_state["gatehold.effect"], "allow");
}
