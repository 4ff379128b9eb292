//! Promise: stock clients, without any plug-in, make calls that wait for a person, and go on when it has decided.
//!
//! `GATEHOLD_HOLD_DELAYS` (seconds, `5,40,120`) says after how long people decide; `make hold-clients` prints the table
//! of the README. Without it the delay is short.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

mod rmcp_client;
mod table;

use std::time::{Duration, Instant};

use gatehold_e2e::*;
use gatehold_harness::{Approver, Era, Harness, Sdk, Upstream};
use serde_json::{Value, json};

use rmcp_client::Rmcp;
use table::{Row, Seen};

/// Longer than any client waits for one answer.
const PATIENCE: Duration = Duration::from_secs(90);

/// A stock client, and how it is set.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Sdk(Sdk, Era),
    Rmcp(Rmcp),
}

const KINDS: [Kind; 9] = [
    Kind::Sdk(Sdk::TypeScript1, Era::Legacy),
    Kind::Sdk(Sdk::TypeScript2, Era::Legacy),
    Kind::Sdk(Sdk::TypeScript2, Era::Modern),
    Kind::Sdk(Sdk::Python1, Era::Legacy),
    Kind::Sdk(Sdk::Python2, Era::Legacy),
    Kind::Sdk(Sdk::Python2, Era::Modern),
    Kind::Rmcp(Rmcp::Legacy),
    Kind::Rmcp(Rmcp::Modern),
    Kind::Rmcp(Rmcp::Tasks),
];

impl Kind {
    fn title(self) -> (&'static str, &'static str) {
        match self {
            Self::Sdk(sdk, era) => {
                let sdk = match sdk {
                    Sdk::TypeScript1 => "TypeScript 1.x",
                    Sdk::TypeScript2 => "TypeScript 2.x",
                    Sdk::Python1 => "Python 1.x",
                    Sdk::Python2 => "Python 2.x",
                };
                (
                    sdk,
                    if era == Era::Modern {
                        "2026-07-28"
                    } else {
                        "2025-11-25"
                    },
                )
            }
            Self::Rmcp(rmcp) => ("rmcp", rmcp.title()),
        }
    }

    /// Makes one call and gives what its user gets: text, and whether it is an error.
    async fn call(
        self,
        harness: &Harness,
        token: &str,
        arguments: &Value,
    ) -> Result<Value, String> {
        match self {
            Self::Sdk(sdk, era) => {
                let client = harness.client(sdk, era, CRM, token).await;
                let mut client = client.map_err(|error| error.to_string())?;
                let step = json!({ "op": "callTool", "name": "refund", "arguments": arguments });
                let answer = client.step_within(&step, PATIENCE * 3).await;
                let answer = answer.map_err(|error| error.to_string())?;
                match answer["ok"] == json!(true) {
                    true => Ok(answer["result"].clone()),
                    false => Err(answer["error"]["message"].to_string()),
                }
            }
            Self::Rmcp(rmcp) => {
                let url = harness.url(CRM);
                let call = rmcp.call(&url, token, "refund", arguments);
                let answer = tokio::time::timeout(PATIENCE * 3, call).await;
                answer.map_err(|_| "no answer".to_owned())?
            }
        }
    }
}

fn text(result: &Value) -> String {
    let text = result["content"][0]["text"].as_str();
    text.unwrap_or_default().to_owned()
}

/// One client makes one call, and somebody approves it that long after it was seen to wait.
async fn one(
    harness: &Harness,
    carol: &Approver,
    kind: Kind,
    number: usize,
    delay: Duration,
) -> Seen {
    let order = format!("o-{}-{number}", delay.as_millis());
    let arguments = json!({ "order": order, "amount": 500 });
    let user = format!("user-{number}");
    let token = harness.token(&user, &["support"], CRM).unwrap();
    let expected = format!("refunded 500.00 for order {order}");
    let approved = async {
        let id = waiting_of(carol, &user).await;
        tokio::time::sleep(delay).await;
        let at = Instant::now();
        let reply = carol.approve(&id, "").await.unwrap();
        assert_eq!(reply.status, 200, "{kind:?}: {}", reply.text());
        (id, at)
    };
    let calls = async {
        let first = kind.call(harness, &token, &arguments).await;
        (first, Instant::now())
    };
    let ((id, approved_at), (first, answered_at)) = tokio::join!(approved, calls);
    let first = first.unwrap_or_else(|error| panic!("{kind:?} after {delay:?}: {error}"));
    let mut seen = Seen {
        mechanism: carol.show(&id).await.unwrap()["mechanism"]
            .as_str()
            .unwrap()
            .to_owned(),
        told: None,
        after: answered_at.saturating_duration_since(approved_at),
    };
    if first["isError"] == json!(true) {
        // It was told that the call is pending, and where; the same call made again goes through.
        let told = text(&first);
        assert!(told.contains(&id), "{kind:?} after {delay:?}: {told}");
        assert!(
            answered_at < approved_at,
            "{kind:?} after {delay:?}: {told}"
        );
        seen.told = Some(told);
        let again = kind.call(harness, &token, &arguments).await;
        let again =
            again.unwrap_or_else(|error| panic!("{kind:?} after {delay:?}, again: {error}"));
        assert_eq!(
            text(&again),
            expected,
            "{kind:?} after {delay:?}, again: {again}"
        );
    } else {
        assert_eq!(text(&first), expected, "{kind:?} after {delay:?}: {first}");
        assert!(
            answered_at > approved_at,
            "{kind:?} after {delay:?}: it did not wait"
        );
    }
    carol.wait_for_state(&id, "used", PATIENCE).await.unwrap();
    seen
}

/// The approval that this user waits for.
async fn waiting_of(carol: &Approver, user: &str) -> String {
    let what = format!("a call of {user} waits");
    let found = gatehold_harness::wait::until(&what, PATIENCE, async || {
        let pending = carol.pending().await.map_err(|error| error.to_string())?;
        let mine = pending
            .iter()
            .find(|approval| approval["requester"]["user"] == user);
        let mine = mine.ok_or_else(|| format!("{} others wait", pending.len()))?;
        Ok(mine["id"].as_str().unwrap().to_owned())
    });
    found.await.unwrap().0
}

#[tokio::test]
async fn stock_clients_make_calls_that_wait() {
    let given = std::env::var("GATEHOLD_HOLD_DELAYS").ok();
    let delays: Vec<Duration> = match &given {
        Some(seconds) => {
            let seconds = seconds.split(',');
            seconds
                .map(|seconds| Duration::from_secs(seconds.trim().parse().unwrap()))
                .collect()
        }
        None => vec![Duration::from_secs(3)],
    };
    let builder = holding().upstream(Upstream::Crm);
    // With short delays requests do not wait for long either, so that clients come back and ask again.
    let builder = match given {
        Some(_) => builder,
        None => builder.filter_config(&legs_of(1)),
    };
    let mut harness = started(builder).await;
    let carol = carol(&harness);
    let mut rows: Vec<Row> = KINDS
        .iter()
        .map(|kind| Row::new(&harness.tools.root, kind.title()))
        .collect();
    for delay in &delays {
        let calls = KINDS.iter().enumerate();
        let calls = calls.map(|(number, kind)| one(&harness, &carol, *kind, number, *delay));
        let seen = futures_util::future::join_all(calls).await;
        for (row, seen) in rows.iter_mut().zip(seen) {
            row.add(*delay, seen);
        }
    }
    figure(&format!(
        "calls that waited for a person, by stock clients\n\n{}",
        table::markdown(&rows, &delays)
    ));
    nothing_crashed(&mut harness).await;
}
