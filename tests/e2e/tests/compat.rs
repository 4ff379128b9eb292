//! Promise: a filter works with control of the release before it and after it: what one of them does not know weakens
//! no decision.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

use std::path::{Path, PathBuf};

use gatehold_e2e::*;
use gatehold_harness::{Harness, message};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

/// The filter of 0.1.0; see `tests/compat/README.md`.
const OLD_SHA256: &str = "a3242d56315eb73ec4159b447ff9072a09908cade6cceba001dedc372df86e30";
/// Names a control of 0.1.0: `make compat` builds it from the history.
#[cfg(feature = "old-control")]
const OLD_CONTROL: &str = "GATEHOLD_OLD_CONTROL";

/// Unpacks the filter of 0.1.0.
fn old_filter(folder: &TempDir) -> PathBuf {
    let packed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../compat/filter-0.1.0.wasm.gz");
    let packed = std::fs::read(packed).unwrap();
    // Ten bytes of header without a name, and eight of trailer.
    let deflated = &packed[10..packed.len() - 8];
    let module = miniz_oxide::inflate::decompress_to_vec_with_limit(deflated, 4 << 20).unwrap();
    let digest: String = Sha256::digest(&module)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(digest, OLD_SHA256);
    let path = folder.path().join("filter.wasm");
    std::fs::write(&path, module).unwrap();
    path
}

/// Allowed, denied and held calls, and a list: as what reaches the upstream, and what a person has to say to it.
async fn decides_right(mut harness: Harness) {
    let token = alice(&harness);
    for small in [
        call("refund", &small_refund()),
        legacy_call("refund", &small_refund()),
    ] {
        let reply = harness.send(&small.bearer(&token)).await.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
        let received = harness.recorder.take();
        assert_eq!(received.len(), 1);
        assert_eq!(received[0].json()["params"]["arguments"], small_refund());
        assert_eq!(received[0].header("authorization"), "");
    }
    for denied in [
        call("delete_customer", &json!({ "id": "c-1" })),
        message::modern(CRM, "admin/reset", &json!({})),
    ] {
        let reply = harness.send(&denied.clone().bearer(&token)).await.unwrap();
        assert!(reply.json().get("error").is_some(), "{}", reply.text());
        assert_eq!(harness.send(&denied).await.unwrap().status, 401);
        assert!(harness.recorder.take().is_empty());
    }
    // Held, approved by a person, and run once.
    let carol = carol(&harness);
    let large = legacy_call("refund", &large_refund()).bearer(&token);
    let waiting = harness.send(&large);
    let deciding = async {
        let id = carol.wait_for_pending(1).await.unwrap().remove(0);
        assert!(harness.recorder.received().is_empty(), "it waits");
        carol.approve(&id, "seen").await.unwrap();
    };
    let (reply, ()) = tokio::join!(waiting, deciding);
    assert_eq!(reply.unwrap().status, 200);
    let received = harness.recorder.take();
    assert_eq!(received.len(), 1, "it runs once");
    assert_eq!(received[0].json()["params"]["arguments"], large_refund());
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn the_filter_of_0_1_decides_right_under_this_control() {
    let folder = TempDir::new().unwrap();
    let harness = started(holding().wasm(old_filter(&folder))).await;
    decides_right(harness).await;
}

#[cfg(feature = "old-control")]
#[tokio::test]
async fn this_filter_decides_right_under_the_control_of_0_1() {
    let program = std::env::var_os(OLD_CONTROL).expect("`make compat` names it");
    decides_right(started(holding().control_program(program)).await).await;
}
