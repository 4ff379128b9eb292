//! Promise: a new version of the filter rolls out group by group, and back, and no request notices.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "helpers of tests may panic"
)]

mod load;
mod site;

use std::collections::BTreeSet;
use std::sync::Arc;

use gatehold_e2e::*;
use gatehold_harness::recorder::mcp;
use gatehold_harness::wait::until;
use gatehold_harness::{Answer, Step};
use load::Load;
use serde_json::{Value, json};
use site::{OLD, PATIENCE, Site, in_force, new_version, until_in_force};
use tokio::sync::Notify;

/// Waits until so many more calls were answered, so that each step is under load for a while.
async fn calls_more(load: &Load, more: u64) {
    let wanted = load.calls() + more;
    until("calls go on", PATIENCE, async || match load.calls() {
        calls if calls >= wanted => Ok(()),
        calls => Err(calls.to_string()),
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_and_the_way_back_fail_no_request_and_leave_none_undecided() {
    let site = Site::start().await;
    until_in_force(&site.canary, "old").await;
    until_in_force(&site.rest, "old").await;

    // A call that is at the upstream while its filter is replaced.
    let goes_on = Arc::new(Notify::new());
    let waits = goes_on.clone();
    drop(site.harness.recorder.take());
    site.harness.recorder.answer(move |request| {
        if request.json()["params"]["arguments"]["order"] == "slow" {
            let answer = json!({ "jsonrpc": "2.0", "id": request.json()["id"],
                "result": { "content": [{ "type": "text", "text": "at last" }] } });
            return Answer::status(200)
                .header("content-type", "application/json")
                .step(Step::Wait(waits.clone()))
                .step(Step::Send(answer.to_string().into()));
        }
        mcp(request)
    });
    let slow = call("refund", &json!({ "order": "slow", "amount": 50 })).bearer(&site.token);
    let port = site.canary.gateway_port();
    let mut slow = Some(tokio::spawn(async move { slow.send(port).await }));
    until(
        "the slow call is at the upstream",
        PATIENCE,
        async || match site.harness.recorder.received().len() {
            0 => Err("it is not".to_owned()),
            _ => Ok(()),
        },
    )
    .await
    .unwrap();
    drop(site.harness.recorder.take());

    let ports = [site.canary.gateway_port(), site.rest.gateway_port()];
    let load = Load::start(&ports, &site.token);
    calls_more(&load, 200).await;
    for (canary, rest) in [
        ("new", "old"),
        ("new", "new"),
        ("old", "new"),
        ("old", "old"),
    ] {
        site.give(canary, rest);
        until_in_force(&site.rest, rest).await;
        let found = until("the canary has its version", PATIENCE, async || {
            let found = in_force(&site.canary).await;
            if found.starts_with(canary) {
                Ok(())
            } else {
                Err(found)
            }
        });
        found.await.unwrap();
        if let Some(slow) = slow.take() {
            calls_more(&load, 100).await;
            // It ends where it began, with the filter that is no longer in force for others.
            site.until_seen("edge-1", |node| {
                let versions = &node["versions"];
                versions[OLD].is_u64() && versions[new_version()].is_u64()
            })
            .await;
            goes_on.notify_waiters();
            let reply = slow.await.unwrap().unwrap();
            assert!(reply.text().contains("at last"), "{}", reply.text());
        }
        // The other group has kept what it had, and all filters say so themselves.
        assert!(in_force(&site.rest).await.starts_with(rest));
        for (node, given) in [("edge-1", canary), ("edge-2", rest)] {
            let version = if given == "new" {
                new_version()
            } else {
                OLD.to_owned()
            };
            let versions = json!({ version: 3 });
            site.until_seen(node, |node| {
                node["versions"] == versions && node["state"] == "current"
            })
            .await;
        }
        calls_more(&load, 200).await;
    }
    until_in_force(&site.canary, "old").await;
    let outcome = load.stop().await;
    outcome.all_were_decided(&site.harness.recorder);
    figure(&format!(
        "{} calls in {:.1} s through two Envoys while the filter was upgraded and rolled back, group by group: {} failed or undecided",
        outcome.calls,
        outcome.took.as_secs_f64(),
        outcome.wrong.values().sum::<u64>(),
    ));
    for envoy in [&site.canary, &site.rest] {
        assert_eq!(envoy.filter_failures().await.unwrap(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_envoy_refuses_goes_no_further() {
    let site = Site::start().await;
    let port = [site.canary.gateway_port(), site.rest.gateway_port()];
    until_in_force(&site.canary, "old").await;
    until_in_force(&site.rest, "old").await;
    drop(site.harness.recorder.take());
    let load = Load::start(&port, &site.token);
    // Both groups at once: it goes to one Envoy first, and then to nobody.
    site.give("broken", "broken");
    let nacks = until("an Envoy has refused it", PATIENCE, async || {
        match site.nacks().await {
            0 => Err("none has".to_owned()),
            nacks => Ok(nacks),
        }
    });
    nacks.await.unwrap();
    calls_more(&load, 100).await;
    assert_eq!(site.nacks().await, 1, "the other group was not spared");
    let log = site.harness.control.log();
    let refused = log.lines().find(|line| line.contains("refused a resource"));
    let refused = refused.expect("control says so");
    assert!(
        refused.contains("edge-") && refused.contains("Wasm"),
        "{refused}"
    );
    // Both go on with what they had, and whoever looks at the fleet sees why.
    // A connection to control may break while Envoy is busy with the module, and is opened again then.
    until("the fleet shows it", PATIENCE, async || {
        let fleet = site.fleet().await;
        is_shown_as_held_back(&fleet).ok_or(fleet.to_string())
    })
    .await
    .unwrap();
    // An Envoy that starts now gets what is known to run, and decides.
    let (fresh, _port) = site.fresh("edge-3", "edge").await;
    until_in_force(&fresh, "old").await;
    site.until_denied(&fresh).await;
    site.until_seen("edge-3", |node| {
        let held = node["given"]["held"].as_str().unwrap_or_default();
        node["state"] == "behind" && held.starts_with("old+")
    })
    .await;
    assert_eq!(site.nacks().await, 1, "it was given what is held back");
    // The way out is another version.
    site.give("new", "old");
    until_in_force(&site.canary, "new").await;
    site.give("new", "new");
    until_in_force(&site.rest, "new").await;
    until_in_force(&fresh, "new").await;
    // Where a module is missing everybody keeps what they have.
    site.give_without_a_module("old");
    until("control says so", PATIENCE, async || {
        let log = site.harness.control.log();
        let said = log.contains("a bad module") && log.contains("every Envoy keeps what it has");
        said.then_some(()).ok_or(log)
    })
    .await
    .unwrap();
    site.until_denied(&fresh).await;
    for envoy in [&site.canary, &site.rest, &fresh] {
        until_in_force(envoy, "new").await;
    }
    let fleet = site.fleet().await;
    let nodes = fleet["nodes"].as_array().unwrap().iter();
    let given = nodes.filter_map(|node| node["given"]["wanted"].as_str());
    let given: Vec<&str> = given.collect();
    assert!(
        given.len() == 3 && given.iter().all(|given| given.starts_with("new+")),
        "{fleet}"
    );
    let outcome = load.stop().await;
    outcome.all_were_decided(&site.harness.recorder);
}

/// Whether it says what is held back and why, and that both Envoys go on with the old one.
fn is_shown_as_held_back(fleet: &Value) -> Option<()> {
    let held_back = &fleet["heldBack"][0];
    let is_told = held_back["version"].as_str()?.starts_with("broken+")
        && held_back["reason"].as_str()?.contains("Wasm");
    let nodes = fleet["nodes"].as_array()?.iter();
    let of_groups = nodes.filter(|node| node["cluster"] == "canary" || node["cluster"] == "edge");
    let states: Option<BTreeSet<&str>> = of_groups
        .map(|node| {
            let held = node["given"]["held"].as_str()?;
            let is_old = node["versions"] == json!({ OLD: 3 }) && held.starts_with("old+");
            is_old.then(|| node["state"].as_str())?
        })
        .collect();
    (is_told && states? == BTreeSet::from(["behind", "refuses"])).then_some(())
}
