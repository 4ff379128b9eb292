//! Every host call fails once, in every scenario: nothing panics, nothing passes unjudged, and the worker
//! recovers.

use std::collections::BTreeSet;

use gatehold_hostsim::{Fault, Outcome, Sim, Status, fixture};
use serde_json::json;

/// A request that was made, and whether policy allows it.
struct Made {
    allowed: bool,
    body: Vec<u8>,
    outcome: Outcome,
}

type Scenario = fn(&Sim) -> Vec<Made>;

pub(crate) const GO_AHEAD: &str =
    r#"{"control_cluster": "gatehold_control", "hold_headers": false}"#;
pub(crate) const REFUSE: &str =
    r#"{"control_cluster": "gatehold_control", "audit_overflow": "refuse"}"#;
const LIST: [&str; 3] = ["get_user", "drop_all", "refund"];

fn begin(sim: &Sim) {
    sim.tick();
    sim.push(&fixture::resources());
}

fn make(sim: &Sim, allowed: bool, body: &[u8], headers: &[(&str, &str)], answer: &[u8]) -> Made {
    let token = fixture::token(&["support"]);
    let mut request = fixture::headers(&token);
    request.extend([("accept-encoding", "gzip"), ("x-gatehold-user", "root")]);
    let mut exchange = sim.exchange();
    let (left, right) = body.split_at(body.len() / 2);
    exchange.headers(&request, false).body(left, false);
    exchange.body(right, false).trailers(&[("x-sum", "1")]);
    exchange.response_headers(headers, false);
    for piece in answer.chunks(100) {
        exchange.response_body(piece, false);
    }
    exchange.response_body(b"", true);
    Made {
        allowed,
        body: body.to_vec(),
        outcome: exchange.finish(),
    }
}

fn denied(sim: &Sim) -> Made {
    let body = fixture::call("refund", json!({ "amount": 500 }));
    make(
        sim,
        false,
        &body,
        fixture::JSON,
        &fixture::result(json!({})),
    )
}

fn allowed(sim: &Sim) -> Made {
    let body = fixture::call("get_user", json!({ "id": 1 }));
    make(sim, true, &body, fixture::JSON, &fixture::result(json!({})))
}

fn list(sim: &Sim) -> Made {
    let body = fixture::rpc("tools/list", json!({}));
    let answer = fixture::tools(&LIST);
    let length = answer.len().to_string();
    let headers = [fixture::JSON, &[("content-length", &length)]].concat();
    make(sim, true, &body, &headers, &answer)
}

fn events(sim: &Sim) -> Made {
    let body = fixture::rpc("tools/list", json!({}));
    let answer = fixture::event(&fixture::tools(&LIST));
    let headers = [fixture::EVENTS, &[("www-authenticate", "Bearer")]].concat();
    make(sim, true, &body, &headers, &answer)
}

fn refused(sim: &Sim) -> Made {
    let mut exchange = sim.exchange();
    let body = fixture::call("get_user", json!({}));
    exchange.request(&fixture::headers("Bearer x"), &body);
    exchange.response(fixture::JSON, b"{}");
    Made {
        allowed: false,
        body,
        outcome: exchange.finish(),
    }
}

/// What must hold whatever failed.
fn check(sim: &Sim, made: &[Made], ahead: bool, how: &str) {
    for Made {
        allowed,
        body,
        outcome,
    } in made
    {
        if !allowed {
            assert!(
                outcome.upstream_body().is_empty(),
                "{how}: a denied body went on"
            );
            assert!(
                ahead || outcome.upstream.is_none(),
                "{how}: denied headers went on"
            );
        }
        let got = outcome.upstream_body();
        assert!(
            got.is_empty() || got == body,
            "{how}: half of a body went on"
        );
        assert!(!outcome.shows("drop_all"), "{how}: a hidden tool is shown");
    }
    sim.check();
}

/// What must hold once nothing fails any more.
fn check_recovery(sim: &Sim, made: &[Made], how: &str) {
    sim.set_faults(&[]);
    if sim.roots().is_empty() {
        assert!(sim.configure(fixture::CONFIG), "{how}");
    }
    sim.advance(12_000);
    sim.push(&fixture::resources());
    let after = allowed(sim);
    assert_eq!(
        after.outcome.status(),
        Some(200),
        "{how}: the worker does not recover"
    );
    assert_eq!(after.outcome.upstream_body(), after.body, "{how}");
    sim.tick();
    // A batch may have been sent on several streams.
    let mut told = BTreeSet::new();
    for event in sim.batches().into_iter().flat_map(|batch| batch.events) {
        if event.effect == "allow" {
            told.insert(event.id);
        }
    }
    let passed = made
        .iter()
        .filter(|it| !it.outcome.upstream_body().is_empty());
    let passed = passed.count() + 1;
    assert!(
        told.len() >= passed,
        "{how}: {passed} went on, {} events tell",
        told.len()
    );
    sim.check();
}

/// Statuses with which the SDK lets a call fail. Where it does not return all of them it ends the process
/// by itself, which the filter cannot prevent: a stream that is refused because of its arguments cannot
/// happen with the cluster names that the configuration takes.
pub(crate) fn statuses(call: &str) -> &'static [Status] {
    match call {
        "set_effective_context" => &[],
        "grpc_stream" => &[Status::ParseFailure, Status::InternalFailure],
        // These are told apart from a failure: there is no such thing.
        "get_buffer_bytes" | "get_property" | "get_shared_data" => {
            &[Status::NotFound, Status::BadArgument]
        }
        _ => &[Status::BadArgument],
    }
}

fn run(config: &str, faults: &[Fault], scenario: Scenario) -> Option<(Sim, Vec<Made>)> {
    let builder = Sim::builder(config).faults(faults);
    let ahead = config == GO_AHEAD;
    let builder = if ahead {
        builder.without_holding()
    } else {
        builder
    };
    let sim = builder.start()?;
    let made = scenario(&sim);
    check(&sim, &made, ahead, &format!("{faults:?}"));
    Some((sim, made))
}

/// Fails every call in turn; gives the number of runs.
fn chaos(config: &str, scenario: Scenario) -> usize {
    let (sim, made) = run(config, &[], scenario).unwrap();
    let calls = sim.calls();
    check_recovery(&sim, &made, "nothing failed");
    drop(sim);
    let mut runs = 0;
    for (call, count) in calls {
        // What happens at the start happens for all metrics alike.
        let step = if call == "define_metric" { 7 } else { 1 };
        for occurrence in (0..count).step_by(step) {
            for (lasting, status) in statuses(call)
                .iter()
                .flat_map(|it| [(false, it), (true, it)])
            {
                let fault = Fault {
                    call,
                    occurrence,
                    lasting,
                    status: *status,
                };
                runs += 1;
                if let Some((sim, made)) = run(config, &[fault], scenario) {
                    assert!(sim.struck(), "{fault:?}");
                    check_recovery(&sim, &made, &format!("{fault:?}"));
                }
            }
        }
    }
    runs
}

/// Fails every call in turn on a host that can neither answer nor reset; nothing unjudged may pass.
fn check_helpless(config: &str, scenario: Scenario) {
    let lasting = |call, occurrence| Fault {
        call,
        occurrence,
        lasting: true,
        status: Status::BadArgument,
    };
    let (sim, _) = run(config, &[], scenario).unwrap();
    let calls = sim.calls();
    drop(sim);
    for call in [
        "get_buffer_bytes",
        "set_buffer_bytes",
        "get_header_map_pairs",
        "remove_header_map_value",
        "replace_header_map_value",
        "get_current_time",
    ] {
        for occurrence in 0..calls.get(call).copied().unwrap_or_default() {
            let mute = [
                lasting("send_local_response", 0),
                lasting("close_stream", 0),
            ];
            for fault in [
                lasting(call, occurrence),
                Fault {
                    lasting: false,
                    ..lasting(call, occurrence)
                },
            ] {
                run(config, &[&mute[..], &[fault]].concat(), scenario);
            }
        }
    }
}

#[track_caller]
fn check_chaos(config: &str, scenario: Scenario, least: usize) {
    let runs = chaos(config, scenario);
    assert!(runs >= least, "{runs} runs only");
}

#[test]
fn a_denied_call() {
    check_chaos(
        fixture::CONFIG,
        |sim| {
            begin(sim);
            vec![denied(sim), refused(sim)]
        },
        100,
    );
}

#[test]
fn an_allowed_call() {
    check_chaos(
        fixture::CONFIG,
        |sim| {
            begin(sim);
            let made = vec![allowed(sim)];
            sim.tick();
            sim.acknowledge(1);
            made
        },
        100,
    );
}

#[test]
fn a_list() {
    check_chaos(
        fixture::CONFIG,
        |sim| {
            begin(sim);
            vec![list(sim)]
        },
        100,
    );
}

#[test]
fn a_list_as_events() {
    check_chaos(
        fixture::CONFIG,
        |sim| {
            begin(sim);
            vec![events(sim)]
        },
        100,
    );
}

#[test]
fn headers_that_go_ahead() {
    check_chaos(
        GO_AHEAD,
        |sim| {
            begin(sim);
            vec![denied(sim), list(sim)]
        },
        100,
    );
}

#[test]
fn a_queue_that_refuses() {
    check_chaos(
        REFUSE,
        |sim| {
            begin(sim);
            vec![allowed(sim), denied(sim)]
        },
        100,
    );
}

#[test]
fn a_restart() {
    check_chaos(
        fixture::CONFIG,
        |sim| {
            begin(sim);
            if !sim.try_reload() {
                return Vec::new();
            }
            vec![allowed(sim), denied(sim)]
        },
        100,
    );
}

#[test]
fn streams_that_are_lost() {
    check_chaos(
        fixture::CONFIG,
        |sim| {
            begin(sim);
            let mut made = vec![allowed(sim)];
            sim.tick();
            for stream in [sim.push_streams(), sim.audit_streams()].concat() {
                sim.close(stream, 14);
            }
            sim.advance(500);
            sim.push(&fixture::resources());
            made.push(denied(sim));
            made
        },
        100,
    );
}

#[test]
fn a_configuration_update() {
    check_chaos(
        fixture::CONFIG,
        |sim| {
            begin(sim);
            let mut made = vec![allowed(sim)];
            let old = sim.root();
            if sim.configure(fixture::CONFIG) {
                sim.retire(old);
            }
            made.push(denied(sim));
            sim.tick();
            made
        },
        100,
    );
}

#[test]
fn a_host_that_can_neither_answer_nor_reset() {
    for config in [fixture::CONFIG, GO_AHEAD] {
        check_helpless(config, |sim| {
            begin(sim);
            vec![denied(sim), refused(sim), list(sim), events(sim)]
        });
    }
}
