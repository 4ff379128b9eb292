//! Promise: nobody is served without a good token, and a client that has none learns where to get one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

use gatehold_e2e::*;
use gatehold_harness::tokens::{Algorithm, Claims, ISSUER, now};
use gatehold_harness::{Call, Harness};
use serde_json::json;

fn good(harness: &Harness) -> Claims {
    Claims::new("alice", &["support"], &harness.url(CRM))
}

#[tokio::test]
async fn every_algorithm_is_verified_in_the_filter() {
    let mut harness = started(governed()).await;
    for algorithm in Algorithm::ALL {
        let token = harness
            .keys
            .sign(algorithm, &good(&harness).json())
            .unwrap();
        // Twice: the second is remembered.
        for _ in 0..2 {
            let reply = harness
                .send(&call("refund", &small_refund()).bearer(&token))
                .await
                .unwrap();
            assert_eq!(reply.status, 200, "{algorithm:?}: {}", reply.text());
            assert_eq!(harness.recorder.take().len(), 1, "{algorithm:?}");
        }
        // One character in the middle of the signature.
        let mut forged = token.into_bytes();
        let middle = forged.len() - 20;
        forged[middle] = if forged[middle] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).unwrap();
        let reply = harness
            .send(&call("refund", &small_refund()).bearer(&forged))
            .await
            .unwrap();
        assert_eq!(reply.status, 401, "{algorithm:?}");
    }
    assert!(harness.recorder.received().is_empty());
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn a_bad_token_gets_the_challenge_and_nothing_else() {
    let mut harness = started(governed()).await;
    let sign = |claims: Claims| harness.keys.sign(Algorithm::Es256, &claims.json()).unwrap();
    let bad = [
        ("nothing", None),
        ("no token", Some("Bearer".to_owned())),
        (
            "another scheme",
            Some(format!("Basic {}", sign(good(&harness)))),
        ),
        ("garbage", Some("Bearer a.b.c".to_owned())),
        (
            "expired",
            Some(format!(
                "Bearer {}",
                sign(good(&harness).with("exp", now() - 3600))
            )),
        ),
        (
            "not yet",
            Some(format!(
                "Bearer {}",
                sign(good(&harness).with("nbf", now() + 3600))
            )),
        ),
        (
            "another audience",
            Some(format!(
                "Bearer {}",
                sign(good(&harness).with("aud", "https://other"))
            )),
        ),
        (
            "another issuer",
            Some(format!(
                "Bearer {}",
                sign(good(&harness).with("iss", "https://other"))
            )),
        ),
        (
            "no subject",
            Some(format!(
                "Bearer {}",
                sign(good(&harness).with("sub", json!(null)))
            )),
        ),
    ];
    for (what, authorization) in bad {
        let mut request = call("refund", &small_refund());
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let reply = harness.send(&request).await.unwrap();
        assert_eq!(reply.status, 401, "{what}: {}", reply.text());
        let challenge = reply.header("www-authenticate");
        let metadata = harness.url("/.well-known/oauth-protected-resource/crm/mcp");
        assert!(
            challenge.starts_with("Bearer ")
                && challenge.contains(&format!("resource_metadata=\"{metadata}\""))
                && challenge.contains("scope=\"mcp\""),
            "{what}: {challenge}"
        );
        // Credentials of another scheme are no token at all (RFC 6750, section 3.1).
        assert_eq!(
            challenge.contains("invalid_token"),
            what != "nothing" && what != "another scheme",
            "{what}: {challenge}"
        );
    }
    assert!(harness.recorder.received().is_empty());
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn the_filter_answers_the_metadata_document() {
    let harness = started(governed()).await;
    let path = "/.well-known/oauth-protected-resource/crm/mcp";
    let reply = harness.send(&Call::get(path)).await.unwrap();
    assert_eq!(reply.status, 200);
    let document = reply.json();
    assert_eq!(document["resource"], harness.url(CRM));
    assert_eq!(document["authorization_servers"], json!([ISSUER]));
    assert_eq!(document["scopes_supported"], json!(["mcp"]));
    assert!(harness.recorder.received().is_empty());
}

#[tokio::test]
async fn what_is_no_servers_path_is_nobodys() {
    let mut harness = started(governed()).await;
    let token = alice(&harness);
    for path in [
        "/",
        "/crm",
        "/crm/mcp/",
        "/crm/mcp/x",
        "/CRM/mcp",
        "/other/mcp",
        "/crm/mcp%2f",
        "/crm%2fmcp",
        "/everything/mcp",
    ] {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }).to_string();
        let reply = harness
            .send(&Call::post(path, body).bearer(&token))
            .await
            .unwrap();
        assert!(
            matches!(reply.status.as_u16(), 400 | 404),
            "{path}: {} {}",
            reply.status,
            reply.text()
        );
    }
    // Other spellings of the same path are the same server, by whoever reads them.
    for path in ["/crm//mcp", "/crm/./mcp", "/x/../crm/mcp", "/crm/mcp?x=1"] {
        let denied = call("refund", &large_refund()).bearer(&token);
        let reply = denied.at(path).send(harness.port()).await.unwrap();
        assert_ne!(
            reply.json()["result"]["content"][0]["text"],
            "ran \"refund\"",
            "{path}"
        );
    }
    assert!(harness.recorder.received().is_empty());
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn a_page_of_another_origin_may_not_call() {
    let harness = started(governed()).await;
    let token = alice(&harness);
    let request = call("get_customer", &json!({})).bearer(&token);
    let evil = harness
        .send(&request.clone().header("origin", "https://evil.example"))
        .await
        .unwrap();
    assert_eq!(evil.status, 403);
    assert!(harness.recorder.received().is_empty());
    let own = format!("http://127.0.0.1:{}", harness.port());
    assert_eq!(
        harness
            .send(&request.header("origin", own))
            .await
            .unwrap()
            .status,
        200
    );
}
