//! Requests that wait for a person.

use gatehold_hostsim::{Exchange, Outcome, Push, Sim, fixture};
use gatehold_wire::hold::{self, from_filter, leave, report, to_filter};
use serde_json::{Value, json};

/// A worker, and what it says of requests that wait.
pub(crate) struct Held {
    pub(crate) sim: Sim,
}

impl Held {
    pub(crate) fn new() -> Self {
        Self { sim: Sim::ready() }
    }

    /// What the filter says with the next tick; a stream that opens is opened first.
    pub(crate) fn said(&self) -> Vec<from_filter::Message> {
        self.sim.tick();
        self.sim.tick();
        let said = self.sim.holds().into_iter();
        said.filter(|it| !matches!(it, from_filter::Message::Hello(_)))
            .collect()
    }

    pub(crate) fn wait(&self) -> hold::Wait {
        match self.said().as_slice() {
            [from_filter::Message::Wait(wait)] => wait.clone(),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn pending(&self, waiter: &str) {
        self.sim.tell(to_filter::Message::Pending(hold::Pending {
            waiter: waiter.into(),
            approval: "a1".into(),
            url: "https://console.example.com/approvals/a1".into(),
            expires_unix_millis: (fixture::NOW + 900) * 1000,
        }));
    }

    pub(crate) fn decided(&self, waiter: &str, outcome: hold::Outcome, reason: &str) {
        self.sim.tell(to_filter::Message::Decided(hold::Decided {
            waiter: waiter.into(),
            approval: "a1".into(),
            outcome: outcome.into(),
            reason: reason.into(),
        }));
    }

    pub(crate) fn claim(&self) -> hold::Claim {
        match self.said().as_slice() {
            [from_filter::Message::Claim(claim)] => claim.clone(),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn claimed(&self, waiter: &str, granted: bool) {
        self.sim.tell(to_filter::Message::Claimed(hold::Claimed {
            waiter: waiter.into(),
            approval: "a1".into(),
            granted,
            outcome: match granted {
                true => hold::Outcome::Approved.into(),
                false => hold::Outcome::Used.into(),
            },
            ..hold::Claimed::default()
        }));
    }

    pub(crate) fn left(&self) -> leave::Why {
        match self.said().as_slice() {
            [from_filter::Message::Leave(leave)] => leave.why(),
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) fn refund(amount: u32) -> Vec<u8> {
    fixture::call("refund", json!({ "amount": amount, "note": "x" }))
}

pub(crate) fn modern(params: Value) -> Vec<u8> {
    let mut params = params;
    params["name"] = json!("refund");
    params["arguments"] = json!({ "amount": 5000 });
    params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
    if params["_meta"]["io.modelcontextprotocol/clientCapabilities"].is_null() {
        params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
    }
    fixture::rpc("tools/call", params)
}

pub(crate) fn send<'a>(sim: &'a Sim, body: &[u8], modern: Option<(&str, &str)>) -> Exchange<'a> {
    let token = fixture::token(&["support"]);
    let mut headers = fixture::headers(&token);
    if let Some((method, name)) = modern {
        headers.retain(|(name, _)| *name != "mcp-protocol-version");
        headers.push(("mcp-protocol-version", "2026-07-28"));
        headers.push(("mcp-method", method));
        headers.push(("mcp-name", name));
    }
    let mut exchange = sim.exchange();
    exchange.request(&headers, body);
    exchange
}

pub(crate) fn answer(outcome: &Outcome) -> Value {
    outcome.client.as_ref().unwrap().json()
}

#[test]
fn what_is_approved_runs_as_it_was_sent() {
    let held = Held::new();
    let mut exchange = send(&held.sim, &refund(5000), None);
    assert!(exchange.so_far().upstream.is_none());
    let wait = held.wait();
    let call = wait.call.clone().unwrap();
    assert_eq!(
        (call.target.as_str(), call.user.as_str()),
        ("refund", "ann")
    );
    assert_eq!(call.arguments, r#"{"amount":5000,"note":"x"}"#);
    assert_eq!(
        (call.rules, call.digest.len()),
        (vec!["p/large".to_owned()], 32)
    );
    held.pending(&wait.waiter);
    held.sim.advance(30_000);
    held.decided(&wait.waiter, hold::Outcome::Approved, "");
    assert!(
        exchange.settle().so_far().upstream.is_none(),
        "not before the claim"
    );
    let claim = held.claim();
    assert_eq!(
        (claim.waiter.as_str(), claim.policy_version.as_str()),
        (wait.waiter.as_str(), "1")
    );
    assert_eq!(claim.digest, call.digest);
    held.claimed(&wait.waiter, true);
    exchange.settle();
    let upstream = exchange.so_far().upstream.unwrap();
    assert_eq!(upstream.body, refund(5000));
    exchange.response(fixture::JSON, &fixture::result(json!({ "content": [] })));
    assert_eq!(exchange.finish().status(), Some(200));
    let reports: Vec<_> = held
        .said()
        .into_iter()
        .map(|said| match said {
            from_filter::Message::Report(report) => (report.progress(), report.detail),
            other => panic!("{other:?}"),
        })
        .collect();
    let expected = [
        (report::Progress::Forwarded, String::new()),
        (report::Progress::Answered, "ok".to_owned()),
    ];
    assert_eq!(reports, expected);
    let event = held.sim.events().pop().unwrap();
    assert_eq!(
        (event.effect.as_str(), event.approval.as_str()),
        ("allow", "a1")
    );
}

#[test]
fn what_is_not_approved_does_not_run() {
    for (outcome, text) in [
        (hold::Outcome::Denied, "Denied by an approver: no way."),
        (hold::Outcome::Expired, "in time"),
        (hold::Outcome::Withdrawn, "withdrawn"),
        (hold::Outcome::Superseded, "has changed"),
        (hold::Outcome::Used, "identical call"),
        (hold::Outcome::Refused, "no way"),
        (hold::Outcome::Unspecified, "cannot wait"),
    ] {
        let held = Held::new();
        let mut exchange = send(&held.sim, &refund(5000), None);
        let wait = held.wait();
        held.pending(&wait.waiter);
        held.decided(&wait.waiter, outcome, "no way");
        let outcome = exchange.finish();
        assert!(outcome.upstream.is_none());
        let result = &answer(&outcome)["result"];
        assert_eq!(result["isError"], true);
        let said = result["content"][0]["text"].as_str().unwrap();
        assert!(
            said.contains(text) && said.contains("did not run"),
            "{said}"
        );
    }
}

#[test]
fn a_claim_that_is_not_granted_does_not_run() {
    let held = Held::new();
    let mut exchange = send(&held.sim, &refund(5000), None);
    let wait = held.wait();
    held.decided(&wait.waiter, hold::Outcome::Approved, "");
    held.claim();
    held.claimed(&wait.waiter, false);
    let outcome = exchange.finish();
    assert!(outcome.upstream.is_none());
    assert!(answer(&outcome).to_string().contains("identical call"));
    assert_eq!(held.left(), leave::Why::Told);
}

#[test]
fn control_is_told_that_a_claim_without_an_answer_did_not_run() {
    for (leaves, why) in [(true, leave::Why::Gone), (false, leave::Why::Told)] {
        let held = Held::new();
        let mut exchange = send(&held.sim, &refund(5000), None);
        let wait = held.wait();
        held.decided(&wait.waiter, hold::Outcome::Approved, "");
        held.claim();
        if !leaves {
            held.sim.advance(9_000);
            let told = exchange.settle().so_far().client.as_ref().unwrap().json();
            assert_eq!(
                told["result"]["_meta"]["gatehold.io/approval"]["status"],
                "unavailable"
            );
        }
        assert!(exchange.finish().upstream.is_none());
        let said = held.said();
        let [
            from_filter::Message::Leave(leave),
            from_filter::Message::Report(report),
        ] = said.as_slice()
        else {
            panic!("{said:?}");
        };
        assert_eq!(leave.why(), why);
        assert_eq!(report.progress(), report::Progress::NotRun);
        assert_eq!(
            (&report.waiter, report.approval.as_str()),
            (&wait.waiter, "a1")
        );
        // An answer that comes later finds nobody.
        held.claimed(&wait.waiter, true);
        assert!(matches!(
            held.said().as_slice(),
            [from_filter::Message::Report(report)] if report.progress() == report::Progress::NotRun
        ));
    }
}

#[test]
fn a_grant_without_a_claim_is_checked_all_the_same() {
    let held = Held::new();
    let mut exchange = send(&held.sim, &refund(5000), None);
    let wait = held.wait();
    let changed = Push::default().server("2", &fixture::server("crm", "/crm/mcp"));
    held.sim.push(&changed);
    held.claimed(&wait.waiter, true);
    let outcome = exchange.finish();
    assert!(
        outcome.upstream.is_none(),
        "the policy has changed meanwhile"
    );
    assert!(
        answer(&outcome)
            .to_string()
            .contains("the policy has changed")
    );
    assert!(matches!(
        held.said().as_slice(),
        [from_filter::Message::Report(report)] if report.progress() == report::Progress::NotRun
    ));
}

#[test]
fn a_token_that_expires_while_its_call_waits_is_not_run_for() {
    let held = Held::new();
    let mut exchange = send(&held.sim, &refund(5000), None);
    let wait = held.wait();
    held.decided(&wait.waiter, hold::Outcome::Approved, "");
    held.claim();
    // Control answers so late that the clock has gone on; no tick has come in between.
    held.sim.set_clock(fixture::NOW + 4000);
    held.claimed(&wait.waiter, true);
    let outcome = exchange.finish();
    assert!(outcome.upstream.is_none());
    assert!(answer(&outcome).to_string().contains("token has expired"));
}

#[test]
fn a_client_that_went_away_is_not_run_for() {
    let held = Held::new();
    let mut exchange = send(&held.sim, &refund(5000), None);
    let wait = held.wait();
    held.pending(&wait.waiter);
    assert!(exchange.finish().upstream.is_none());
    assert_eq!(held.left(), leave::Why::Gone);
    held.decided(&wait.waiter, hold::Outcome::Approved, "");
    held.claimed(&wait.waiter, true);
    let said = held.said();
    let [from_filter::Message::Report(report)] = said.as_slice() else {
        panic!("{said:?}");
    };
    assert_eq!(report.progress(), report::Progress::NotRun);
}

#[test]
fn a_legacy_client_is_told_to_come_back() {
    let held = Held::new();
    let mut exchange = send(&held.sim, &refund(5000), None);
    let wait = held.wait();
    assert_eq!(wait.mechanism(), hold::Mechanism::Request);
    held.pending(&wait.waiter);
    held.sim.advance(44_000);
    assert!(exchange.settle().so_far().client.is_none());
    held.sim.advance(1_000);
    let outcome = exchange.finish();
    let result = &answer(&outcome)["result"];
    assert_eq!(result["isError"], true);
    let text = result["content"][0]["text"].as_str().unwrap();
    assert!(
        text.contains("`a1` (https://console.example.com/approvals/a1)"),
        "{text}"
    );
    assert!(text.contains("make exactly the same call again"), "{text}");
    assert_eq!(result["_meta"]["gatehold.io/approval"]["status"], "pending");
    assert_eq!(held.left(), leave::Why::Told);
}

#[test]
fn without_control_nobody_can_be_asked() {
    let held = Held::new();
    held.sim.set_control(gatehold_hostsim::Control::Down);
    let mut exchange = send(&held.sim, &refund(5000), None);
    held.sim.advance(46_000);
    let outcome = exchange.finish();
    assert!(outcome.upstream.is_none());
    assert!(answer(&outcome).to_string().contains("nobody can be asked"));
}

#[test]
fn after_a_lost_stream_all_that_is_open_is_said_again() {
    let held = Held::new();
    let mut first = send(&held.sim, &refund(5000), None);
    let wait = held.wait();
    held.decided(&wait.waiter, hold::Outcome::Approved, "");
    let claim = held.claim();
    for stream in held.sim.hold_streams() {
        held.sim.close(stream, 14);
    }
    held.sim.advance(5_000);
    let said = held.said_all();
    assert!(said.contains(&from_filter::Message::Wait(wait.clone())));
    assert!(said.contains(&from_filter::Message::Claim(claim)));
    held.claimed(&wait.waiter, true);
    assert!(first.settle().so_far().upstream.is_some());
}

impl Held {
    fn said_all(&self) -> Vec<from_filter::Message> {
        self.sim.holds()
    }
}

#[test]
fn a_modern_client_comes_back_by_itself() {
    let held = Held::new();
    let (method, name) = ("tools/call", "refund");
    let mut exchange = send(&held.sim, &modern(json!({})), Some((method, name)));
    let first = held.wait();
    assert_eq!(first.mechanism(), hold::Mechanism::Rounds);
    held.pending(&first.waiter);
    held.sim.advance(45_000);
    let outcome = exchange.finish();
    let result = &answer(&outcome)["result"];
    assert_eq!(result["resultType"], "input_required");
    assert_eq!(held.left(), leave::Why::LegEnded);

    let state = result["requestState"].clone();
    let again = modern(json!({ "requestState": state }));
    let mut exchange = send(&held.sim, &again, Some((method, name)));
    let second = held.wait();
    let leg = second.leg.clone().unwrap();
    assert_eq!((leg.approval.as_str(), leg.number), ("a1", 1));
    assert_eq!(leg.chain, first.waiter);
    held.decided(&second.waiter, hold::Outcome::Approved, "");
    held.claim();
    held.claimed(&second.waiter, true);
    let upstream = exchange.settle().so_far().upstream.unwrap();
    assert!(upstream.json()["params"].get("requestState").is_none());

    // The upstream asks for input in its turn: its state goes along in ours.
    let asks = json!({ "resultType": "input_required", "requestState": "upstream's" });
    exchange.response(fixture::JSON, &fixture::result(asks));
    let outcome = exchange.finish();
    let state = answer(&outcome)["result"]["requestState"].clone();
    assert_ne!(state, "upstream's");
    held.said();
    let again = modern(json!({ "requestState": state, "inputResponses": {} }));
    let mut exchange = send(&held.sim, &again, Some((method, name)));
    let third = held.wait();
    assert_eq!(third.leg.clone().unwrap().number, 2);
    held.decided(&third.waiter, hold::Outcome::Approved, "");
    held.claim();
    held.claimed(&third.waiter, true);
    let upstream = exchange.settle().so_far().upstream.unwrap();
    assert_eq!(upstream.json()["params"]["requestState"], "upstream's");
}

#[test]
fn a_state_belongs_to_one_call() {
    let held = Held::new();
    let name = ("tools/call", "refund");
    let mut exchange = send(&held.sim, &modern(json!({})), Some(name));
    let first = held.wait();
    held.pending(&first.waiter);
    held.sim.advance(45_000);
    let state = answer(&exchange.finish())["result"]["requestState"].clone();
    held.said();
    let mut other: Value =
        serde_json::from_slice(&modern(json!({ "requestState": state }))).unwrap();
    other["params"]["arguments"]["amount"] = json!(6000);
    let tampered = modern(json!({ "requestState": "x" }));
    for body in [other.to_string().into_bytes(), tampered] {
        let outcome = send(&held.sim, &body, Some(name)).finish();
        assert!(outcome.upstream.is_none());
        assert_eq!(answer(&outcome)["error"]["code"], -32602);
    }
}

#[test]
fn the_upstreams_state_is_for_the_caller_it_was_given_to() {
    let held = Held::new();
    let call = |state: Option<&Value>| {
        let mut params = json!({ "name": "get_a", "arguments": {}, "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        }});
        if let Some(state) = state {
            params["requestState"] = state.clone();
        }
        fixture::rpc("tools/call", params)
    };
    let name = Some(("tools/call", "get_a"));
    let mut exchange = send(&held.sim, &call(None), name);
    let asks = json!({ "resultType": "input_required", "requestState": "s" });
    exchange.response(fixture::JSON, &fixture::result(asks));
    let state = answer(&exchange.finish())["result"]["requestState"].clone();
    assert_ne!(state, "s");
    let outcome = send(&held.sim, &call(Some(&state)), name).finish();
    assert_eq!(
        outcome.upstream.unwrap().json()["params"]["requestState"],
        "s"
    );
    let outcome = send(&held.sim, &call(Some(&json!("s"))), name).finish();
    assert!(outcome.upstream.is_none());
}

#[test]
fn a_task_runs_with_the_poll_that_comes_after_the_approval() {
    let held = Held::new();
    let capabilities = json!({ "_meta": { "io.modelcontextprotocol/clientCapabilities":
        { "extensions": { "io.modelcontextprotocol/tasks": {} } } } });
    let mut exchange = send(
        &held.sim,
        &modern(capabilities.clone()),
        Some(("tools/call", "refund")),
    );
    let wait = held.wait();
    assert_eq!(wait.mechanism(), hold::Mechanism::Task);
    held.pending(&wait.waiter);
    let outcome = exchange.finish();
    let created = answer(&outcome)["result"].clone();
    assert_eq!(
        (&created["resultType"], &created["status"]),
        (&json!("task"), &json!("working"))
    );
    assert_eq!(held.left(), leave::Why::Told);

    let task = created["taskId"].as_str().unwrap().to_owned();
    let mut params = capabilities;
    params["taskId"] = json!(task);
    params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
    let poll = fixture::rpc("tasks/get", params);
    let state = |waiter: &str, claimable| {
        to_filter::Message::Task(hold::TaskState {
            waiter: waiter.into(),
            approval: "a1".into(),
            status: "working".into(),
            created_unix_millis: 1,
            ttl_millis: 60_000,
            poll_millis: 500,
            claimable,
            ..hold::TaskState::default()
        })
    };
    let asked = || match held.said().as_slice() {
        [from_filter::Message::Task(request)] => request.clone(),
        other => panic!("{other:?}"),
    };
    let mut exchange = send(&held.sim, &poll, Some(("tasks/get", &task)));
    let request = asked();
    assert_eq!(
        (request.approval.as_str(), request.user.as_str()),
        ("a1", "ann")
    );
    held.sim.tell(state(&request.waiter, false));
    let outcome = exchange.finish();
    assert!(outcome.upstream.is_none());
    assert_eq!(answer(&outcome)["result"]["status"], "working");
    held.said();

    let mut exchange = send(&held.sim, &poll, Some(("tasks/get", &task)));
    let request = asked();
    held.sim.tell(state(&request.waiter, true));
    let claim = held.claim();
    held.sim.tell(to_filter::Message::Claimed(hold::Claimed {
        waiter: claim.waiter,
        approval: "a1".into(),
        granted: true,
        body: wait.body.clone(),
        digest: wait.call.unwrap().digest,
        ..hold::Claimed::default()
    }));
    let upstream = exchange.settle().so_far().upstream.unwrap();
    assert_eq!(upstream.header("mcp-method"), Some("tools/call"));
    assert_eq!(upstream.header("mcp-name"), Some("refund"));
    assert_eq!(upstream.json()["method"], "tools/call");
    assert_eq!(
        upstream.json()["params"]["arguments"],
        json!({ "amount": 5000 })
    );
    let result = json!({ "resultType": "complete", "content": [] });
    exchange.response(fixture::JSON, &fixture::result(result.clone()));
    let outcome = exchange.finish();
    let got = &answer(&outcome)["result"];
    assert_eq!(
        (&got["status"], &got["result"]),
        (&json!("completed"), &result)
    );
    assert_eq!(got["taskId"], json!(task));
    let kept = held.said().into_iter().find_map(|said| match said {
        from_filter::Message::Report(report) if !report.result.is_empty() => Some(report.result),
        _ => None,
    });
    assert_eq!(
        serde_json::from_slice::<Value>(&kept.unwrap()).unwrap(),
        result
    );
}

#[test]
fn control_is_told_of_definitions_that_are_new() {
    let held = Held::new();
    let list = || {
        let mut exchange = send(&held.sim, &fixture::rpc("tools/list", json!({})), None);
        exchange.response(fixture::JSON, &fixture::tools(&["get_a", "refund"]));
        exchange.finish();
        held.said()
    };
    let told = list();
    let named: Vec<_> = told
        .iter()
        .map(|said| match said {
            from_filter::Message::Definition(it) => (it.tool.as_str(), it.digest.len()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(named, [("get_a", 32), ("refund", 32)]);
    assert_eq!(list(), []);
}

#[test]
fn a_batch_does_not_wait() {
    let held = Held::new();
    let token = fixture::token(&["support"]);
    let mut headers = fixture::headers(&token);
    headers.retain(|(name, _)| *name != "mcp-protocol-version");
    headers.push(("mcp-protocol-version", "2025-03-26"));
    let one: Value = serde_json::from_slice(&refund(5000)).unwrap();
    let batch = json!([one]).to_string();
    let outcome = held
        .sim
        .exchange()
        .request(&headers, batch.as_bytes())
        .finish();
    assert!(outcome.upstream.is_none());
    assert!(
        answer(&outcome)
            .to_string()
            .contains("cannot wait in a batch")
    );
}
