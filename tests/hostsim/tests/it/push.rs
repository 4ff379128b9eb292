//! Resources on their way from control.

use gatehold_hostsim::{Push, Sim, Status, fixture};
use gatehold_wire::{DETECTORS_TYPE_URL, ISSUER_TYPE_URL, SERVER_TYPE_URL};
use serde_json::json;

fn status(sim: &Sim, path: &str) -> Option<u16> {
    let token = fixture::token(&["support"]);
    let mut headers = fixture::headers(&token);
    headers.retain(|(name, _)| *name != ":path");
    headers.push((":path", path));
    let mut exchange = sim.exchange();
    exchange.request(&headers, &fixture::call("get_user", json!({})));
    exchange.response(fixture::JSON, &fixture::result(json!({})));
    exchange.finish().status()
}

#[test]
fn subscribes_to_all_types_and_acknowledges() {
    let sim = Sim::new(fixture::CONFIG);
    sim.tick();
    let stream = sim.push_streams()[0];
    let requests = sim.requests(stream);
    let types: Vec<_> = requests.iter().map(|it| it.type_url.as_str()).collect();
    assert_eq!(
        types,
        [ISSUER_TYPE_URL, DETECTORS_TYPE_URL, SERVER_TYPE_URL]
    );
    for request in &requests {
        assert_eq!(request.resource_names_subscribe, ["*"]);
        assert!(request.initial_resource_versions.is_empty());
    }
    assert_eq!(requests[0].node.as_ref().unwrap().id, "node-1");

    let replies = sim.push(&fixture::resources());
    let nonces: Vec<_> = replies
        .iter()
        .map(|it| it.response_nonce.as_str())
        .collect();
    assert_eq!(nonces, ["issuers", "servers"]);
    assert!(replies.iter().all(|reply| reply.error_detail.is_none()));
    assert_eq!(sim.metric("gatehold_push.result=applied"), 2);
}

#[test]
fn a_bad_resource_is_refused_alone() {
    let sim = Sim::ready();
    let mut broken = fixture::server("crm", "/crm/mcp");
    broken.audiences.clear();
    let replies = sim.push(
        &Push::default()
            .server("2", &broken)
            .server("2", &fixture::server("hr", "/hr/mcp"))
            .raw_server("junk", "2", vec![0xff; 9])
            .raw_server("other", "2", Vec::new()),
    );
    let error = replies[0].error_detail.as_ref().unwrap();
    assert_eq!(error.code, 3);
    for name in ["`crm`", "`junk`", "`other`"] {
        assert!(error.message.contains(name), "{}", error.message);
    }
    assert!(!error.message.contains("`hr`"), "{}", error.message);
    assert_eq!(
        status(&sim, "/crm/mcp"),
        Some(200),
        "the old one is in force"
    );
    assert_eq!(
        status(&sim, "/hr/mcp"),
        Some(401),
        "the good one too; the token is crm's"
    );
    assert_eq!(sim.metric("gatehold_push.result=refused"), 3);
}

#[test]
fn a_new_stream_says_what_is_held() {
    let sim = Sim::ready();
    let old = sim.push_streams()[0];
    sim.close(old, 14);
    sim.advance(1_000);
    let new = sim.push_streams()[0];
    assert_ne!(new, old);
    let requests = sim.requests(new);
    assert_eq!(requests[0].initial_resource_versions["corp"], "1");
    assert_eq!(requests[2].initial_resource_versions["crm"], "1");
    assert!(requests[0].node.is_some());
    assert_eq!(
        status(&sim, "/crm/mcp"),
        Some(200),
        "what was in force stays"
    );
}

#[test]
fn a_restarted_worker_says_what_it_found() {
    let sim = Sim::ready();
    sim.reload();
    sim.tick();
    let requests = sim.requests(sim.push_streams()[0]);
    assert_eq!(requests[0].initial_resource_versions["corp"], "1");
    assert_eq!(requests[2].initial_resource_versions["crm"], "1");
}

#[test]
fn what_cannot_be_read_costs_the_stream_only() {
    let sim = Sim::ready();
    let stream = sim.push_streams()[0];
    sim.receive(stream, &[0xff; 40]);
    assert!(sim.push_streams().is_empty());
    assert_eq!(status(&sim, "/crm/mcp"), Some(200));
    sim.advance(1_000);
    assert_eq!(sim.push_streams().len(), 1);
}

#[test]
fn late_messages_of_a_closed_stream_change_nothing() {
    let sim = Sim::ready();
    let stream = sim.push_streams()[0];
    let audit = sim.audit_streams()[0];
    sim.close(stream, 14);
    sim.close(audit, 14);
    sim.receive(stream, b"");
    sim.receive(audit, b"\xff");
    sim.close(stream, 0);
    assert_eq!(status(&sim, "/crm/mcp"), Some(200));
    sim.check();
}

#[test]
fn a_stream_that_cannot_be_written_is_opened_anew() {
    let sim = Sim::ready();
    let old = sim.push_streams()[0];
    sim.fail_next("grpc_send", Status::NotFound);
    sim.push(&Push::default().server("2", &fixture::server("hr", "/hr/mcp")));
    assert!(sim.struck());
    assert_eq!(status(&sim, "/hr/mcp"), Some(401), "applied all the same");
    sim.advance(1_000);
    assert_ne!(sim.push_streams(), [old]);
}

#[test]
fn an_exchange_keeps_what_it_began_with() {
    let sim = Sim::ready();
    let token = fixture::token(&["support"]);
    let mut exchange = sim.exchange();
    exchange.headers(&fixture::headers(&token), false);
    sim.push(&Push::default().remove_server("crm"));
    exchange.body(&fixture::call("get_user", json!({})), true);
    exchange.response(fixture::JSON, &fixture::result(json!({})));
    assert_eq!(exchange.finish().status(), Some(200));
    assert_eq!(status(&sim, "/crm/mcp"), Some(404));
}

#[test]
fn keys_that_are_rotated_out_count_no_more() {
    let sim = Sim::ready();
    assert_eq!(status(&sim, "/crm/mcp"), Some(200));
    let mut issuer = fixture::issuer();
    issuer.jwks = r#"{"keys": []}"#.into();
    sim.push(&Push::default().issuer("2", &issuer));
    assert_eq!(status(&sim, "/crm/mcp"), Some(503));
    sim.push(&fixture::resources());
    assert_eq!(status(&sim, "/crm/mcp"), Some(200));
}
