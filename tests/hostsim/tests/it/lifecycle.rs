//! Start, configuration updates, restart.

use gatehold_hostsim::{Control, Fault, Sim, Status, fixture};
use serde_json::json;

const PUSH: &str = "gatehold_control: envoy.service.discovery.v3.AggregatedDiscoveryService/\
                    DeltaAggregatedResources";
const AUDIT: &str = "gatehold_control: gatehold.audit.v1.Audit/Append";

fn status(sim: &Sim) -> Option<u16> {
    let token = fixture::token(&["support"]);
    let body = fixture::call("get_user", json!({}));
    let mut exchange = sim.exchange();
    exchange.request(&fixture::headers(&token), &body);
    exchange.response(fixture::JSON, &fixture::result(json!({})));
    exchange.finish().status()
}

#[test]
fn a_canary_calls_nobody() {
    let sim = Sim::new(fixture::CONFIG);
    assert_eq!(sim.streams(), []);
    let root = sim.root();
    assert!(sim.retire(root), "nothing holds it back");
    assert!(sim.roots().is_empty());
}

#[test]
fn the_first_tick_opens_both_streams() {
    let sim = Sim::new(fixture::CONFIG);
    sim.tick();
    let targets: Vec<_> = sim.streams().into_iter().map(|it| it.target).collect();
    assert_eq!(targets, [PUSH, AUDIT]);
    sim.advance(10_000);
    assert_eq!(sim.streams().len(), 2, "streams that are open stay");
}

#[test]
fn without_audit_there_is_one_stream() {
    let sim = Sim::ready_with(r#"{"control_cluster": "gatehold_control", "audit": "off"}"#);
    assert_eq!(sim.streams().len(), 1);
    assert_eq!(status(&sim), Some(200));
    assert_eq!(sim.batches(), []);
    assert!(sim.retire(sim.root()));
}

#[test]
fn a_wrong_configuration_is_refused() {
    for config in [
        "",
        "{}",
        r#"{"control_cluster": "c", "x": 1}"#,
        "\u{feff}{}",
    ] {
        assert!(Sim::builder(config).start().is_none(), "{config}");
    }
    let sim = Sim::ready();
    let root = sim.root();
    assert!(!sim.configure("[]"));
    assert_eq!((sim.root(), status(&sim)), (root, Some(200)));
}

#[test]
fn before_the_first_push_nothing_passes() {
    let sim = Sim::new(fixture::CONFIG);
    assert_eq!(status(&sim), Some(503));
    sim.tick();
    assert_eq!(status(&sim), Some(503));
    sim.push(&fixture::resources());
    assert_eq!(status(&sim), Some(200));
}

#[test]
fn an_update_makes_a_second_root_beside_the_first() {
    let sim = Sim::ready();
    let old = sim.root();
    let token = fixture::token(&["support"]);
    let mut pending = sim.exchange();
    pending.headers(&fixture::headers(&token), false);

    assert!(sim.configure(fixture::CONFIG));
    assert_ne!(sim.root(), old);
    assert_eq!(sim.roots().len(), 2);
    assert_eq!(status(&sim), Some(200), "warm from the shared data");
    assert!(!sim.retire(old), "a request is open");

    pending.body(&fixture::call("get_user", json!({})), true);
    pending.response(fixture::JSON, &fixture::result(json!({})));
    assert_eq!(pending.finish().status(), Some(200));
    sim.tick();
    let batches = sim.batches();
    assert_eq!(batches.len(), 2, "each root has its own sender");
    assert_ne!(batches[0].sender, batches[1].sender);
    sim.tick();
    assert_eq!(
        sim.roots().len(),
        2,
        "the old one waits for its acknowledgement"
    );
    sim.acknowledge(1);
    sim.tick();
    assert_eq!(sim.roots(), [sim.root()]);
    assert_eq!(status(&sim), Some(200));
}

#[test]
fn a_root_that_is_to_go_does_not_wait_for_ever() {
    let sim = Sim::builder(fixture::CONFIG)
        .control(Control::Down)
        .start()
        .unwrap();
    status(&sim);
    let mut open = sim.exchange();
    let old = sim.root();
    assert!(sim.configure(fixture::CONFIG));
    assert!(!sim.retire(old));
    sim.advance(6_000);
    assert_eq!(sim.roots(), [sim.root()]);
    open.request(&fixture::headers(""), b"{}");
    assert_eq!(open.finish().status(), Some(503));
}

#[test]
fn a_restarted_worker_is_warm() {
    let sim = Sim::ready();
    assert_eq!(sim.shared_keys().len(), 3);
    sim.set_control(Control::Down);
    sim.reload();
    assert_eq!(status(&sim), Some(200));
    sim.advance(20_000);
    assert_eq!(
        status(&sim),
        Some(200),
        "control being away changes nothing"
    );
    assert_eq!(sim.metric("gatehold_servers"), 1);
}

#[test]
fn a_restart_after_a_removal_does_not_bring_it_back() {
    let sim = Sim::ready();
    sim.push(&gatehold_hostsim::Push::default().remove_server("crm"));
    assert_eq!(status(&sim), Some(404));
    sim.set_control(Control::Down);
    sim.reload();
    assert_eq!(status(&sim), Some(404));
}

#[test]
fn damaged_shared_data_is_no_snapshot() {
    let sim = Sim::ready();
    sim.spoil_shared(b"{");
    sim.set_control(Control::Missing);
    sim.reload();
    assert_eq!(status(&sim), Some(503));
}

#[test]
fn streams_come_back_with_growing_pauses() {
    let sim = Sim::builder(fixture::CONFIG)
        .control(Control::Down)
        .start()
        .unwrap();
    sim.advance(60_000);
    let opened = sim.streams().len();
    assert!((20..60).contains(&opened), "{opened} attempts in a minute");
    assert!(sim.streams().iter().all(|stream| !stream.open));
    sim.set_control(Control::Up);
    sim.advance(10_000);
    assert_eq!(
        (sim.push_streams().len(), sim.audit_streams().len()),
        (1, 1)
    );
}

#[test]
fn a_cluster_that_is_missing_is_no_reason_to_fail() {
    let sim = Sim::builder(fixture::CONFIG)
        .control(Control::Missing)
        .start()
        .unwrap();
    sim.advance(10_000);
    assert_eq!(sim.streams(), []);
    assert!(
        sim.logs()
            .iter()
            .any(|line| line.contains("cannot reach control"))
    );
    sim.set_control(Control::Up);
    sim.advance(10_000);
    sim.push(&fixture::resources());
    assert_eq!(status(&sim), Some(200));
}

#[test]
fn a_root_without_its_metrics_does_not_start() {
    let fault = Fault {
        call: "define_metric",
        occurrence: 3,
        lasting: false,
        status: Status::InternalFailure,
    };
    assert!(
        Sim::builder(fixture::CONFIG)
            .faults(&[fault])
            .start()
            .is_none()
    );
}
