//! Promise: a set-up that is wrong is seen within seconds, in Envoy's log, in a metric and in control. Nothing passes
//! that was not judged, and nothing hangs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

use std::time::{Duration, Instant};

use gatehold_e2e::*;
use gatehold_harness::{Harness, Version, message, wait::until};
use gatehold_proto::discovery::aggregated_discovery_service_server::{
    AggregatedDiscoveryService, AggregatedDiscoveryServiceServer,
};
use gatehold_wire::discovery::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};
use gatehold_wire::setup::{PROTOCOL, PROTOCOL_WORD};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_stream::Pending;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, Streaming};

const PATIENCE: Duration = Duration::from_secs(20);
/// Within which a request is answered, whatever is wrong.
const SECONDS: Duration = Duration::from_secs(10);

const HOLDS: &str = "allow_on_headers_stop_iteration: true";
const ROUTER: &str = "                  - name: envoy.filters.http.router\n";

/// A second copy of the filter behind the first, as another plugin of the mesh would bring it.
fn second(hold_headers: bool) -> String {
    format!(
        r#"                  - name: second
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
                      config:
                        name: second
                        root_id: second
                        vm_config:
                          vm_id: second
                          runtime: envoy.wasm.runtime.v8
                          code: {{ local: {{ filename: "@wasm@" }} }}
                        configuration:
                          "@type": type.googleapis.com/google.protobuf.StringValue
                          value: '{{"control_cluster": "gatehold_control", "hold_headers": {hold_headers}}}'
                        allow_on_headers_stop_iteration: true
                        failure_policy: FAIL_RELOAD
{ROUTER}"#
    )
}

/// Waits until the lines of Envoy's log with these words are as many, and control has said these.
async fn is_seen(
    harness: &Harness,
    lines: std::ops::RangeInclusive<usize>,
    words: &str,
    problem: &str,
) {
    let stat = format!("wasmcustom.gatehold_problems.problem={problem}");
    until("the problem is seen in Envoy", PATIENCE, async || {
        let log = harness.envoy.log();
        // The access log has the reason of each refusal too.
        let says = |line: &&str| line.contains("wasm log") && line.contains(words);
        let seen = log.lines().filter(says).count();
        let stats = harness
            .envoy
            .stats()
            .await
            .map_err(|error| error.to_string())?;
        let counted: u64 = stats
            .iter()
            .filter(|(name, _)| name.contains("gatehold_problems") && name.contains(problem))
            .map(|(_, value)| value)
            .sum();
        if lines.contains(&seen) && counted == seen as u64 {
            Ok(())
        } else {
            Err(format!("{seen} lines, `{stat}` {counted}"))
        }
    })
    .await
    .unwrap();
}

/// Waits until control has logged and counted the problem.
async fn is_told(harness: &Harness, problem: &str) {
    until("control knows", PATIENCE, async || {
        let log = harness.control.log();
        let counted = harness
            .control
            .metric("gatehold_problems_total", problem)
            .await;
        let counted = counted.map_err(|error| error.to_string())?;
        if counted > 0.0 && log.contains(problem) && log.contains("gatehold-local") {
            Ok(())
        } else {
            Err(format!("{counted}: {log}"))
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_missing_flag_is_named_and_nothing_hangs() {
    let builder = governed().edit(HOLDS, "allow_on_headers_stop_iteration: false");
    let mut harness = builder.without_waiting().start().await.unwrap();
    let token = alice(&harness);
    // Allowed and denied alike; in one piece and in several.
    for call in [
        call("refund", &small_refund()),
        call("refund", &large_refund()),
    ] {
        let call = call.bearer(&token);
        for call in [
            call.clone(),
            call.clone().in_pieces_of(9),
            call.clone().over(Version::Http2),
            call.clone().over(Version::Http2).trailer("x-end", "1"),
        ] {
            let begin = Instant::now();
            let reply = until("there is a policy", PATIENCE, async || {
                let reply = harness
                    .send(&call)
                    .await
                    .map_err(|error| error.to_string())?;
                if reply.status == 503 {
                    Err(reply.text())
                } else {
                    Ok(reply)
                }
            })
            .await
            .unwrap()
            .0;
            assert!(begin.elapsed() < SECONDS, "{:?}", begin.elapsed());
            assert_eq!(reply.status, 500, "{}", reply.text());
            let error = &reply.json()["error"];
            let text = error["message"].as_str().unwrap();
            assert!(text.contains("allow_on_headers_stop_iteration"), "{text}");
        }
    }
    assert!(harness.recorder.take().is_empty());
    // Once for each worker that has met it.
    is_seen(
        &harness,
        1..=2,
        "allow_on_headers_stop_iteration` is not set",
        "headers_not_held",
    )
    .await;
    is_told(&harness, "headers_not_held").await;
    assert!(
        harness
            .envoy
            .stat("wasmcustom.gatehold_refusals.reason=setup")
            .await
            .unwrap()
            >= 8
    );
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn a_slow_client_is_not_taken_for_a_missing_flag() {
    let mut harness = started(governed()).await;
    let token = alice(&harness);
    // Headers and part of the body, and nothing more, for longer than the filter waits before it looks.
    let call = call("refund", &small_refund()).bearer(&token);
    let waiting = call.clone().in_pieces_of(20).unfinished();
    let waited = tokio::time::timeout(Duration::from_secs(3), harness.send(&waiting)).await;
    assert!(waited.is_err(), "{waited:?}");
    let reply = harness.send(&call).await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(!harness.envoy.log().contains("not set up right"));
    nothing_crashed(&mut harness).await;
}

/// The reverse: headers that go ahead need no flag, and it does no harm.
#[tokio::test]
async fn a_flag_that_is_not_needed_changes_nothing() {
    let ahead = r#"{"control_cluster": "gatehold_control", "hold_headers": false}"#;
    for flag in ["true", "false"] {
        let flag = format!("allow_on_headers_stop_iteration: {flag}");
        let builder = governed().filter_config(ahead).edit(HOLDS, &flag);
        let mut harness = started(builder).await;
        let token = alice(&harness);
        let reply = harness
            .send(&call("refund", &small_refund()).bearer(&token))
            .await
            .unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert!(harness.recorder.take()[0].complete);
        let reply = harness
            .send(&call("refund", &large_refund()).bearer(&token))
            .await
            .unwrap();
        assert_eq!(reply.json()["result"]["isError"], true, "{}", reply.text());
        assert!(
            harness
                .recorder
                .take()
                .iter()
                .all(|request| request.body.is_empty())
        );
        nothing_crashed(&mut harness).await;
    }
}

#[tokio::test]
async fn two_copies_on_one_path_are_named() {
    for hold_headers in [true, false] {
        let config = json!({ "control_cluster": "gatehold_control", "hold_headers": hold_headers });
        let builder = governed()
            .filter_config(&config.to_string())
            .edit(ROUTER, &second(hold_headers));
        let mut harness = builder.without_waiting().start().await.unwrap();
        let token = alice(&harness);
        for call in [
            call("refund", &small_refund()),
            legacy_call("refund", &small_refund()),
            message::modern(CRM, "tools/list", &json!({})),
        ] {
            let call = call.bearer(&token);
            until("the second copy speaks", PATIENCE, async || {
                let reply = harness
                    .send(&call)
                    .await
                    .map_err(|error| error.to_string())?;
                let text = reply.text();
                // Where headers went ahead, the first copy lets an early error have its status and nothing else.
                let named = text.contains("two copies") || (!hold_headers && text.is_empty());
                if reply.status == 500 && named {
                    Ok(())
                } else {
                    Err(format!("{}: {text}", reply.status))
                }
            })
            .await
            .unwrap();
        }
        // A client cannot pretend that there is a second one.
        let denied = call("refund", &small_refund()).header("x-gatehold-effect", "allow");
        let reply = harness.send(&denied).await.unwrap();
        assert_eq!(reply.status, 401, "{}", reply.text());
        assert!(
            harness
                .recorder
                .take()
                .iter()
                .all(|request| request.body.is_empty())
        );
        is_seen(
            &harness,
            1..=2,
            "two copies of it are on this path",
            "two_copies",
        )
        .await;
        is_told(&harness, "two_copies").await;
        nothing_crashed(&mut harness).await;
    }
}

#[tokio::test]
async fn control_that_cannot_be_reached_is_named_and_its_return_too() {
    // Nobody listens there.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let harness = governed().control_at(port).start().await.unwrap();
    let token = alice(&harness);
    let reply = harness
        .send(&call("refund", &small_refund()).bearer(&token))
        .await
        .unwrap();
    assert_eq!(reply.status, 503, "{}", reply.text());
    let line = "push stream to control in cluster `gatehold_control` ended with gRPC status 14";
    until("the cause is in the log", PATIENCE, async || {
        let log = harness.envoy.log();
        if log.contains(line) { Ok(()) } else { Err(log) }
    })
    .await
    .unwrap();
    // Once for each VM: two workers and the main thread.
    is_seen(
        &harness,
        3..=3,
        "has said nothing for 5 seconds",
        "control_unreachable",
    )
    .await;
    assert_eq!(
        harness
            .envoy
            .stat("wasmcustom.gatehold_control_contact_seconds")
            .await
            .unwrap(),
        0
    );
    // Attempts go on, and each says the same: said once.
    let said = harness
        .envoy
        .log()
        .lines()
        .filter(|it| it.contains(line))
        .count();
    assert!(said <= 3, "{said} lines");
    assert!(harness.recorder.take().is_empty());
}

#[tokio::test]
async fn control_that_goes_away_is_named_while_policy_stays_in_force() {
    let mut harness = started(governed()).await;
    let token = alice(&harness);
    harness.control.kill().await.unwrap();
    is_seen(
        &harness,
        3..=3,
        "has said nothing for 5 seconds",
        "control_unreachable",
    )
    .await;
    let large = call("refund", &large_refund()).bearer(&token);
    let reply = harness.send(&large).await.unwrap();
    assert_eq!(reply.json()["result"]["isError"], true, "{}", reply.text());
    assert!(harness.recorder.take().is_empty());
    let contact = harness
        .envoy
        .stat("wasmcustom.gatehold_control_contact_seconds")
        .await
        .unwrap();
    let before = harness.envoy.log().matches("` answers").count();
    harness.control.restart().await.unwrap();
    until(
        "the workers say that control is back",
        PATIENCE,
        async || {
            let back = harness.envoy.log().matches("` answers").count() - before;
            let now = harness
                .envoy
                .stat("wasmcustom.gatehold_control_contact_seconds")
                .await;
            let now = now.map_err(|error| error.to_string())?;
            if back == 3 && now > contact {
                Ok(())
            } else {
                Err(format!("{back} of 3, {contact}, {now}"))
            }
        },
    )
    .await
    .unwrap();
    nothing_crashed(&mut harness).await;
}

/// Control as it is towards filters of another time: what it says to the filter of today is what it would say to one
/// that is far ahead.
struct OfAnotherTime;

#[tonic::async_trait]
impl AggregatedDiscoveryService for OfAnotherTime {
    type DeltaAggregatedResourcesStream = Pending<Result<DeltaDiscoveryResponse, Status>>;

    async fn delta_aggregated_resources(
        &self,
        request: Request<Streaming<DeltaDiscoveryRequest>>,
    ) -> Result<Response<Self::DeltaAggregatedResourcesStream>, Status> {
        let asked = request.into_inner().message().await?.expect("a request");
        let mut node = asked.node.expect("who asks");
        let said = format!("{PROTOCOL_WORD}{PROTOCOL}");
        let word = node.client_features.iter_mut().find(|word| **word == said);
        *word.expect("the filter says what it speaks") = format!("{PROTOCOL_WORD}{}", PROTOCOL + 9);
        let refused = gatehold_push::agree(&node).expect_err("it is too far ahead");
        Err(Status::failed_precondition(refused))
    }
}

#[tokio::test]
async fn control_of_another_time_is_named_with_both_versions() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let service = AggregatedDiscoveryServiceServer::new(OfAnotherTime);
    let server = tonic::transport::Server::builder().add_service(service);
    let server = tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    let harness = governed().control_at(port).start().await.unwrap();
    let token = alice(&harness);
    let begun = Instant::now();
    let reply = harness
        .send(&call("refund", &small_refund()).bearer(&token))
        .await
        .unwrap();
    assert_eq!(reply.status, 503, "{}", reply.text());
    assert!(begun.elapsed() < SECONDS, "{:?}", begun.elapsed());
    let words = "`gatehold_control` ended with gRPC status 9: filter ";
    is_seen(&harness, 3..=3, words, "control_refuses").await;
    let log = harness.envoy.log();
    let line = log.lines().find(|line| line.contains(words)).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let (theirs, least, most) = (PROTOCOL + 9, PROTOCOL - 1, PROTOCOL + 1);
    let said = format!(
        "{version} speaks protocol {theirs}, and control {version} speaks {least} to {most}; upgrade control"
    );
    assert!(line.ends_with(&said), "`{said}` in {line}");
    assert!(harness.recorder.take().is_empty());
    server.abort();
}
