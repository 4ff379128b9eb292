//! Promise: a server in shadow mode (`enforce: false`) is as if there were no filter, and all that would have been
//! refused is known; the policy that `gatehold suggest` makes of it allows what was seen, and nothing else.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

mod demo;
mod unnoticed;

use std::time::Duration;

use gatehold_harness::Harness;
use gatehold_harness::wait::until;
use serde_json::Value;

/// How long a change and an event may take on a busy machine.
const SOON: Duration = Duration::from_secs(30);

/// The events of shadow mode, once all that are waited for are there.
async fn events(harness: &Harness, are_there: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let (events, _) = until("the events of shadow mode", SOON, async || {
        let events = harness.control.audit().await;
        let mut events = events.map_err(|error| error.to_string())?;
        events.retain(|event| event["enforced"] == Value::Bool(false));
        match are_there(&events) {
            true => Ok(events),
            false => Err(format!("{} so far", events.len())),
        }
    })
    .await
    .unwrap();
    events
}
