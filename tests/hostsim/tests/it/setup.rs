//! Set-ups that are wrong: each is said once, counted, told to control, and never passes what was not judged.

use gatehold_hostsim::{Control, Exchange, Sim, fixture};
use serde_json::json;

const AHEAD: &str = r#"{"control_cluster": "gatehold_control", "hold_headers": false}"#;

fn lines(sim: &Sim, words: &str) -> usize {
    sim.logs()
        .iter()
        .filter(|line| line.contains(words))
        .count()
}

fn problems(sim: &Sim, name: &str) -> u64 {
    sim.metric(&format!("gatehold_problems.problem={name}"))
}

/// The words that the filter has told on its push streams and that say what is wrong.
fn told(sim: &Sim) -> Vec<String> {
    let mut told = Vec::new();
    for token in sim.push_streams() {
        for request in sim.requests(token) {
            let words = request.node.map(|node| node.client_features);
            told.extend(words.into_iter().flatten());
        }
    }
    told.retain(|word| word.starts_with("problem/"));
    told
}

fn ready(builder: gatehold_hostsim::Builder) -> Sim {
    let sim = builder.start().expect("the filter takes its configuration");
    sim.tick();
    sim.push(&fixture::resources());
    sim
}

fn called<'a>(sim: &'a Sim, token: &str) -> Exchange<'a> {
    let mut exchange = sim.exchange();
    let body = fixture::call("get_user", json!({}));
    exchange.request(&fixture::headers(token), &body);
    exchange
}

#[test]
fn a_missing_flag_is_found_by_what_came_and_was_not_told() {
    let sim = ready(Sim::builder(fixture::CONFIG).without_holding());
    let token = fixture::token(&["support"]);
    for _ in 0..2 {
        let mut exchange = called(&sim, &token);
        sim.advance(1_000);
        let outcome = exchange.finish();
        assert_eq!(outcome.status(), Some(500));
        assert!(outcome.upstream.is_none(), "nothing went on");
    }
    sim.tick();
    assert_eq!(
        lines(&sim, "`allow_on_headers_stop_iteration` is not set"),
        1
    );
    assert_eq!(problems(&sim, "headers_not_held"), 1);
    assert_eq!(sim.metric("gatehold_refusals.reason=setup"), 2);
    assert_eq!(told(&sim), ["problem/headers_not_held"]);
    sim.check();
}

#[test]
fn who_sends_slowly_is_waited_for() {
    let sim = Sim::ready();
    let token = fixture::token(&["support"]);
    let body = fixture::call("get_user", json!({}));
    let mut exchange = sim.exchange();
    exchange.headers(&fixture::headers(&token), false);
    sim.advance(60_000);
    exchange.body(&body[..5], false);
    sim.advance(60_000);
    exchange.body(&body[5..], true);
    exchange.response(fixture::JSON, &fixture::result(json!({})));
    assert_eq!(exchange.finish().status(), Some(200));
    assert_eq!(lines(&sim, "not set up right"), 0);
    sim.check();
}

#[test]
fn a_second_copy_refuses_what_the_first_has_judged() {
    for config in [fixture::CONFIG, AHEAD] {
        let sim = Sim::ready_with(config);
        for _ in 0..2 {
            let mut exchange = sim.exchange();
            exchange.published("gatehold.effect", "allow");
            let mut headers = fixture::headers("");
            headers.retain(|(name, _)| *name != "authorization");
            exchange.request(&headers, &fixture::call("get_user", json!({})));
            assert_eq!(exchange.finish().status(), Some(500));
        }
        sim.tick();
        assert_eq!(lines(&sim, "two copies"), 1, "{config}");
        assert_eq!(problems(&sim, "two_copies"), 1);
        assert_eq!(told(&sim), ["problem/two_copies"]);
        sim.check();
    }
}

#[test]
fn two_roots_of_an_update_are_not_two_copies() {
    let sim = Sim::ready();
    assert!(sim.configure(fixture::CONFIG));
    sim.tick();
    let token = fixture::token(&["support"]);
    let mut exchange = called(&sim, &token);
    exchange.response(fixture::JSON, &fixture::result(json!({})));
    assert_eq!(exchange.finish().status(), Some(200));
    let without = called(&sim, "").finish();
    assert_eq!(without.status(), Some(401));
    assert_eq!(problems(&sim, "two_copies"), 0);
}

#[test]
fn an_envoy_that_is_too_old_lets_nothing_through() {
    let version = |builder: gatehold_hostsim::Builder, minor: u64| {
        let parts = [("major_number", 1), ("minor_number", minor), ("patch", 3)];
        parts.into_iter().fold(builder, |builder, (field, value)| {
            let path = ["xds", "node", "user_agent_build_version", "version", field];
            builder.property(&path, &value.to_le_bytes())
        })
    };
    for (config, minor, status) in [
        (fixture::CONFIG, 34, 500),
        (fixture::CONFIG, 35, 200),
        (AHEAD, 34, 200),
        (AHEAD, 32, 500),
    ] {
        let sim = ready(version(Sim::builder(config), minor));
        let token = fixture::token(&["support"]);
        let mut exchange = called(&sim, &token);
        if status == 200 {
            exchange.response(fixture::JSON, &fixture::result(json!({})));
        }
        assert_eq!(exchange.finish().status(), Some(status), "{config} {minor}");
        let wrong = u64::from(status == 500);
        assert_eq!(problems(&sim, "envoy_too_old"), wrong);
        assert_eq!(lines(&sim, "upgrade Envoy") as u64, wrong);
        assert_eq!(
            lines(&sim, &format!("this Envoy is 1.{minor}.3")) as u64,
            wrong
        );
        sim.check();
    }
}

#[test]
fn control_that_is_away_is_said_once_for_each_cause() {
    let sim = Sim::builder(fixture::CONFIG)
        .control(Control::Down)
        .start()
        .unwrap();
    sim.advance(30_000);
    assert_eq!(
        lines(
            &sim,
            "in cluster `gatehold_control` ended with gRPC status 14"
        ),
        1
    );
    assert_eq!(
        lines(&sim, "has said nothing for 5 seconds (gRPC status 14"),
        1
    );
    assert_eq!(problems(&sim, "control_unreachable"), 1);
    assert_eq!(sim.metric("gatehold_control_contact_seconds"), 0);
    sim.set_control(Control::Up);
    sim.advance(10_000);
    assert_eq!(
        lines(&sim, "control in cluster `gatehold_control` answers"),
        1
    );
    let contact = sim.metric("gatehold_control_contact_seconds");
    assert!(contact >= fixture::NOW + 30, "{contact}");
    // Away again, which counts again; control is not told what it cannot have known.
    sim.set_control(Control::Down);
    for token in sim.push_streams() {
        sim.close_saying(token, 14, "connection\ntermination");
    }
    sim.advance(10_000);
    assert_eq!(lines(&sim, "gRPC status 14: connectiontermination"), 1);
    assert_eq!(problems(&sim, "control_unreachable"), 2);
    assert_eq!(told(&sim), Vec::<String>::new());
}

#[test]
fn control_that_takes_a_stream_and_says_nothing_is_there() {
    let sim = Sim::new(fixture::CONFIG);
    sim.advance(60_000);
    assert_eq!(problems(&sim, "control_unreachable"), 0);
    let mute = Sim::builder(fixture::CONFIG)
        .control(Control::Mute)
        .start()
        .unwrap();
    mute.advance(60_000);
    assert_eq!(
        lines(&mute, "has said nothing for 5 seconds (no answer)"),
        1
    );
    assert_eq!(problems(&mute, "control_unreachable"), 1);
}

#[test]
fn what_control_says_when_it_refuses_is_in_the_log() {
    let sim = Sim::ready();
    let words =
        "filter 0.2.0 speaks protocol 2, and control 0.4.0 speaks 3 to 5; upgrade the filter";
    for _ in 0..3 {
        for token in sim.push_streams() {
            sim.close_saying(token, 9, words);
        }
        sim.set_control(Control::Mute);
        sim.advance(10_000);
    }
    assert_eq!(
        lines(&sim, words),
        2,
        "and once as the cause of the silence"
    );
    assert_eq!(problems(&sim, "control_refuses"), 1);
    let token = fixture::token(&["support"]);
    let mut exchange = called(&sim, &token);
    exchange.response(fixture::JSON, &fixture::result(json!({})));
    assert_eq!(
        exchange.finish().status(),
        Some(200),
        "what is in force stays so"
    );
}

#[test]
fn a_server_that_requires_what_is_not_known_is_refused() {
    let sim = Sim::ready();
    let mut server = fixture::server("crm", "/crm/mcp");
    server.requires = vec!["teleport".to_owned()];
    let push = gatehold_hostsim::Push::default().server("9", &server);
    let replies = sim.push(&push);
    let error = replies[0].error_detail.as_ref().expect("a NACK");
    assert!(error.message.contains("requires `teleport`"), "{error:?}");
    assert!(error.message.contains("upgrade the filter"), "{error:?}");
}
