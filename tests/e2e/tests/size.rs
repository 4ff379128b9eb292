//! Promise: the filter is small, and so is what each further worker needs of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

use std::fs;

use gatehold_e2e::*;
use gatehold_harness::Harness;

const MODULE_BYTES: u64 = 2_000_000;
/// What a worker more may cost, VM, thread and connections of Envoy included; well above what it does.
const WORKER_KILOBYTES: u64 = 32 * 1024;

async fn resident_kilobytes(workers: u32) -> u64 {
    let harness = started(governed().workers(workers)).await;
    let token = alice(&harness);
    let denied = call("refund", &large_refund()).bearer(&token);
    harness
        .on_all_workers(&denied, std::time::Duration::from_secs(30), |reply| {
            reply.status == 200
        })
        .await
        .unwrap();
    resident(&harness)
}

fn resident(harness: &Harness) -> u64 {
    let id = harness.envoy.id().expect("Envoy has a process id");
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_module_and_its_memory_per_worker_are_small() {
    let tools = gatehold_harness::Tools::find().unwrap();
    let module = fs::metadata(&tools.wasm).unwrap().len();
    let (one, five) = (resident_kilobytes(1).await, resident_kilobytes(5).await);
    let each = five.saturating_sub(one) / 4;
    figure(&format!(
        "gatehold.wasm: {module} bytes; Envoy with 1 worker: {one} KiB, with 5: {five} KiB, each further worker: {each} KiB"
    ));
    assert!(module < MODULE_BYTES, "{module} bytes");
    assert!(each < WORKER_KILOBYTES, "{each} KiB per worker");
}
