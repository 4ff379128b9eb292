//! Promise: under mixed traffic, with clients that leave, servers that break off, a control that is killed and a
//! policy that changes, nothing passes that must not, nothing hangs, and no worker VM fails.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

use std::time::Duration;

use gatehold_e2e::*;
use gatehold_soak::{Options, soak};

#[tokio::test(flavor = "multi_thread")]
async fn a_short_run_of_everything_at_once_holds() {
    let options = Options {
        length: Duration::from_secs(20),
        rate: 25.0,
        seed: 20_261_122,
        workers: 2,
    };
    let report = soak(&options).await.unwrap();
    let problems = report.problems();
    if !problems.is_empty() {
        figure(&report.markdown());
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
