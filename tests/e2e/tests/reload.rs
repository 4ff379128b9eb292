//! Promise: a worker VM that had to be replaced comes back with the last good policy, and lets nothing pass meanwhile.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

use std::time::Duration;

use gatehold_e2e::*;
use gatehold_harness::wait::until;
use serde_json::json;

const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_replaced_worker_is_warm_without_control() {
    let mut harness = started(governed().trapping().workers(2)).await;
    let token = alice(&harness);
    let large = call("refund", &large_refund()).bearer(&token);
    let small = call("refund", &small_refund()).bearer(&token);
    // Control is gone, so what a fresh VM knows it has from the other VMs of its Envoy.
    harness.control.kill().await.unwrap();
    for _ in 0..3 {
        let trap = small.clone().header("x-gatehold-trap", "1");
        let reply = harness.send(&trap).await;
        assert!(
            reply.is_err() || reply.unwrap().status == 503,
            "a request whose filter died went on"
        );
        // Envoy makes a new VM with the next request, at most once per second.
        until("every worker decides again", PATIENCE, async || {
            for _ in 0..40 {
                let reply = harness
                    .send(&large)
                    .await
                    .map_err(|error| error.to_string())?;
                let text = reply.text();
                if text.contains("no policy has arrived yet") {
                    panic!("a fresh worker was cold: {text}");
                }
                if reply.status != 200 {
                    return Err(format!("{}: {text}", reply.status));
                }
                assert_eq!(reply.json()["result"]["isError"], json!(true), "{text}");
            }
            Ok(())
        })
        .await
        .unwrap();
    }
    assert!(
        harness.recorder.received().is_empty(),
        "something reached the upstream"
    );
    assert_eq!(harness.send(&small).await.unwrap().status, 200);
    assert_eq!(harness.recorder.take().len(), 1);
    let stats = harness.envoy.stats().await.unwrap();
    let reloads: u64 = stats
        .iter()
        .filter(|(name, _)| name.contains("vm_reload_success"))
        .map(|(_, value)| value)
        .sum();
    assert!(
        reloads >= 3,
        "Envoy replaced only {reloads} VMs: the test proves nothing"
    );
}

#[tokio::test]
async fn the_filter_that_is_shipped_has_no_trap_door() {
    let tools = gatehold_harness::Tools::find().unwrap();
    let holds = |path| {
        let module = std::fs::read(path).unwrap();
        module
            .windows(15)
            .any(|window| window == b"x-gatehold-trap")
    };
    assert!(
        holds(&tools.trapping_wasm),
        "the search finds nothing where there is something"
    );
    assert!(!holds(&tools.wasm));
}
