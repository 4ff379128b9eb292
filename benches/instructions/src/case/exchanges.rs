//! Whole exchanges through the filter: request headers, body, verdict, response, end.

use gatehold_bench_micro::messages;
use gatehold_bench_micro::policies::{conditional_rules, mixed_rules, named_rules};
use gatehold_engine::{PolicySource, Rule};
use gatehold_hostsim::{Push, Sim, fixture};
use gatehold_wire::{policy_to_wire, push};

use crate::Work;

const AUDIT_OFF: &str = r#"{"control_cluster": "gatehold_control", "audit": "off"}"#;
const PATH: &str = "/crm/mcp";

/// What one exchange brings.
struct Traffic {
    token: String,
    session: Option<String>,
    modern: bool,
    request: Vec<u8>,
    /// Pieces of the answer; of events when there are several.
    response: Vec<Vec<u8>>,
    /// Whether the upstream gets it.
    passes: bool,
}

impl Traffic {
    /// A call of 2 KB with a session, and a short answer.
    fn usual(sim: &Sim) -> Self {
        Self {
            token: fixture::token(&["support"]),
            session: Some(session(sim)),
            modern: false,
            request: messages::call(2048),
            response: vec![messages::result(400)],
            passes: true,
        }
    }
}

/// All cases.
pub(crate) const NAMES: &[&str] = &[
    "call-0k5",
    "call-2k",
    "call-100k",
    "call-2k-modern",
    "call-2k-cold-token",
    "call-2k-condition",
    "call-2k-denied",
    "call-2k-audit-off",
    "call-2k-10-rules",
    "call-2k-10000-rules",
    "result-2k",
    "result-10k",
    "result-100k",
    "sse-100-events",
    "list-10",
    "list-500",
    "audit-flush-100",
    "push-10-rules",
    "push-10000-rules",
];

/// Prepares a case and warms it up.
pub(crate) fn prepare(name: &str) -> Work {
    assert!(NAMES.contains(&name), "`{name}` is no case; see `--list`");
    match name {
        "audit-flush-100" => return flush(),
        "push-10-rules" => return load(10),
        "push-10000-rules" => return load(10_000),
        _ => {}
    }
    let config = match name {
        "call-2k-audit-off" => AUDIT_OFF,
        _ => fixture::CONFIG,
    };
    let rules = match name {
        "call-2k-condition" => conditional_rules(),
        "call-2k-10-rules" => named_rules(10),
        "call-2k-10000-rules" => named_rules(10_000),
        _ => mixed_rules(),
    };
    let sim = worker(config, rules);
    let mut traffic = Traffic::usual(&sim);
    match name {
        "call-0k5" => traffic.request = messages::call(512),
        "call-100k" => traffic.request = messages::call(100 << 10),
        "call-2k-modern" => {
            traffic.modern = true;
            traffic.session = None;
            traffic.request = messages::modern_call(2048);
        }
        "call-2k-denied" => {
            traffic.passes = false;
            let text = String::from_utf8(messages::call(2048)).unwrap();
            traffic.request = text.replacen(messages::TOOL, "drop_all", 1).into_bytes();
        }
        "result-2k" | "result-10k" | "result-100k" => {
            let size = name.trim_start_matches("result-").trim_end_matches('k');
            traffic.request = messages::call(512);
            traffic.response = vec![messages::result(size.parse::<usize>().unwrap() << 10)];
        }
        "sse-100-events" => {
            traffic.request = messages::call(512);
            traffic.response = messages::events(100);
        }
        "list-10" => list(&mut traffic, 10),
        "list-500" => list(&mut traffic, 500),
        _ => {}
    }
    for _ in 0..crate::WARM_UP {
        exchange(&sim, &traffic);
        sim.events();
    }
    if name == "call-2k-cold-token" {
        traffic.token = fixture::token(&["support", "staff"]);
    }
    Box::new(move || exchange(&sim, &traffic))
}

fn list(traffic: &mut Traffic, tools: usize) {
    traffic.request = messages::list();
    traffic.response = vec![messages::tools(tools)];
}

/// The events of a hundred calls are sent to control and acknowledged.
fn flush() -> Work {
    let sim = worker(fixture::CONFIG, mixed_rules());
    let traffic = Traffic::usual(&sim);
    let calls = |count| (0..count).for_each(|_| exchange(&sim, &traffic));
    for _ in 0..crate::WARM_UP {
        calls(100);
        assert_eq!(sim.events().len(), 100);
    }
    calls(100);
    Box::new(move || drop(sim.events()))
}

/// A worker takes a server with so many rules, beside which it has the same with one rule less.
fn load(rules: usize) -> Work {
    let sim = worker(fixture::CONFIG, named_rules(rules - 1));
    let push = Push::default().server("2", &server(named_rules(rules)));
    Box::new(move || drop(sim.push(&push)))
}

fn exchange(sim: &Sim, traffic: &Traffic) {
    let length = traffic.request.len().to_string();
    let session = traffic.session.as_deref();
    let headers = messages::headers(&traffic.token, &length, traffic.modern, session);
    let mut exchange = sim.exchange();
    exchange.request(&headers, &traffic.request);

    let length: usize = traffic.response.iter().map(Vec::len).sum();
    let length = length.to_string();
    let mut headers = vec![
        (":status", "200"),
        ("date", "Sun, 22 Nov 2026 20:00:00 GMT"),
        ("server", "upstream"),
        ("x-envoy-upstream-service-time", "3"),
    ];
    if traffic.response.len() > 1 {
        headers.push(("content-type", "text/event-stream"));
        headers.push(("cache-control", "no-cache"));
    } else {
        headers.push(("content-type", "application/json"));
        headers.push(("content-length", length.as_str()));
    }
    exchange.response_headers(&headers, false);
    for (number, piece) in traffic.response.iter().enumerate() {
        exchange.response_body(piece, number + 1 == traffic.response.len());
    }
    let outcome = exchange.finish();
    assert_eq!(outcome.status(), Some(200));
    assert_eq!(outcome.upstream.is_some(), traffic.passes);
    assert_eq!(outcome.replied, !traffic.passes);
}

fn worker(config: &str, rules: Vec<Rule>) -> Sim {
    let sim = Sim::new(config);
    sim.tick();
    let push = Push::default()
        .issuer("1", &fixture::issuer())
        .server("1", &server(rules));
    let replies = sim.push(&push);
    assert!(
        replies.iter().all(|reply| reply.error_detail.is_none()),
        "{replies:?}"
    );
    sim.tick();
    sim
}

/// A session of the caller's, as the filter has sealed it.
fn session(sim: &Sim) -> String {
    let token = fixture::token(&["support"]);
    let request = fixture::rpc(
        "initialize",
        serde_json::json!({
            "protocolVersion": messages::LEGACY, "capabilities": {},
            "clientInfo": {"name": "bench", "version": "1.0.0"},
        }),
    );
    let response = fixture::result(serde_json::json!({
        "protocolVersion": messages::LEGACY, "capabilities": {},
        "serverInfo": {"name": "crm", "version": "1.0.0"},
    }));
    let headers = [
        fixture::JSON,
        &[("mcp-session-id", "1868a90c-5f3c-4b1d-9c61-0a6c7e1f2d3b")],
    ];
    let mut exchange = sim.exchange();
    exchange.request(&fixture::headers(&token), &request);
    let outcome = exchange.response(&headers.concat(), &response).finish();
    sim.events();
    let session = outcome.answer().header("mcp-session-id");
    session.expect("a session is sealed").to_owned()
}

fn server(rules: Vec<Rule>) -> push::Server {
    let policy = PolicySource {
        server: "crm".into(),
        rules,
        risks: Vec::new(),
    };
    let (rules, risks) = policy_to_wire(&policy).unwrap();
    push::Server {
        rules,
        risks,
        limits: Some(push::Limits {
            request_bytes: 1 << 20,
            response_bytes: 1 << 20,
            event_bytes: 64 << 10,
            ..push::Limits::default()
        }),
        ..fixture::server("crm", PATH)
    }
}
