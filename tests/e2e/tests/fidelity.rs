//! Promise: what is allowed passes unchanged, in both directions: bytes, ids, sessions, answers to the server.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

use gatehold_e2e::*;
use gatehold_harness::recorder::mcp;
use gatehold_harness::{Answer, Call, Harness, Received, Step, Version, message};
use serde_json::{Value, json};

const VERSIONS: [Version; 2] = [Version::Http1, Version::Http2];
/// The session id that the upstream issues, and the only one that it must ever see.
const ISSUED: &str = "up-4f1c9";

fn issuing(request: &Received) -> Answer {
    match request.method().as_str() {
        "initialize" => mcp(request).header("mcp-session-id", ISSUED),
        _ => mcp(request),
    }
}

/// Opens a session with an upstream that answers by [`issuing`]; what the client has to send as its id.
async fn session(harness: &Harness, token: &str) -> String {
    let params = json!({ "protocolVersion": message::LEGACY, "capabilities": {},
        "clientInfo": { "name": "test", "version": "1" } });
    let call = Call::post(CRM, message::request(1, "initialize", &params).to_string());
    let reply = harness.send(&call.bearer(token)).await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    let id = reply.header("mcp-session-id").to_owned();
    assert!(!id.is_empty(), "no session id came");
    drop(harness.recorder.take());
    id
}

fn legacy(body: impl Into<Vec<u8>>, token: &str, version: Version) -> Call {
    Call::post(CRM, body.into())
        .header("mcp-protocol-version", message::LEGACY)
        .bearer(token)
        .over(version)
}

#[tokio::test]
async fn an_allowed_request_reaches_the_server_byte_for_byte() {
    let mut harness = started(governed()).await;
    let token = alice(&harness);
    let bodies = [
        // Blanks, order, escapes, numbers and members that nobody knows are the client's business.
        " {\t\"params\" :\r\n{ \"arguments\":{\"b\":1.50,\"a\":[ ]} ,\"name\":\"echo\"},\"id\":1,\"method\":\"tools/call\",\"jsonrpc\":\"2.0\"}\n",
        r#"{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{"name":"\u0065cho","arguments":{"t":"caf\u00e9 \ud83d\ude00 délice\/"}}}"#,
        r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo","arguments":{"n":[1e2,-0.0,12345678901234567890]},"_meta":{"progressToken":"p"}},"x-own":null}"#,
    ];
    for version in VERSIONS {
        for body in bodies {
            for call in [
                legacy(body, &token, version),
                legacy(body, &token, version).in_pieces_of(5),
            ] {
                let reply = harness.send(&call).await.unwrap();
                assert_eq!(reply.status, 200, "{body}: {}", reply.text());
                let received = harness.recorder.take();
                assert_eq!(received.len(), 1, "{body}");
                assert_eq!(
                    String::from_utf8_lossy(&received[0].body),
                    body,
                    "{version:?}"
                );
            }
        }
    }
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn an_answer_reaches_the_client_byte_for_byte() {
    let harness = started(governed()).await;
    let token = alice(&harness);
    let bodies = [
        " { \"result\" : {\"structuredContent\":{\"b\":1.50,\"a\":[ ]},\"content\":[]},\r\n\"id\":1 , \"jsonrpc\":\"2.0\"}\n",
        r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"\u00e9\ud83d\ude00 é\/"}],"isError":false,"x":1e2}}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32050,"message":"own","data":{"z":null, "y":2}}}"#,
    ];
    for version in VERSIONS {
        for body in bodies {
            harness
                .recorder
                .answer(move |_| Answer::bytes("application/json", body));
            let call = message::request(1, "tools/call", &message::tool("echo", &json!({})));
            let call = legacy(call.to_string(), &token, version);
            let reply = harness.send(&call).await.unwrap();
            assert_eq!(reply.text(), body, "{version:?}");
        }
    }
}

#[tokio::test]
async fn ids_keep_their_type_and_every_digit() {
    let harness = started(governed()).await;
    let token = alice(&harness);
    // The upstream sends the id back as it is written, and so must refusals.
    harness.recorder.answer(|request| {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let id = body.split_once("\"id\":").unwrap().1;
        let id = id.split_once(",\"method\"").unwrap().0;
        Answer::bytes(
            "application/json",
            format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":[]}}}}"#),
        )
    });
    let ids = [
        "0",
        "7",
        "-7",
        "9007199254740993",
        "9223372036854775807",
        "-9223372036854775808",
        r#""7""#,
        r#""a-b/c é""#,
        r#""""#,
    ];
    for version in VERSIONS {
        for id in ids {
            for (tool, arguments) in [("echo", "{}"), ("refund", r#"{"amount":500}"#)] {
                let body = format!(
                    r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}","arguments":{arguments}}}}}"#
                );
                let reply = harness.send(&legacy(body, &token, version)).await.unwrap();
                let text = reply.text();
                assert_eq!(reply.status, 200, "{id} {tool}: {text}");
                assert!(
                    text.contains(&format!("\"id\":{id}")),
                    "{id} {tool}: {text}"
                );
            }
        }
    }
    let received = harness.recorder.take();
    assert_eq!(received.len(), ids.len() * VERSIONS.len());
}

#[tokio::test]
async fn what_a_client_says_to_the_server_passes_byte_for_byte_in_its_session() {
    let mut harness = started(governed()).await;
    let token = alice(&harness);
    harness.recorder.answer(issuing);
    let id = session(&harness, &token).await;
    let bodies = [
        // Answers to sampling, elicitation, roots and ping; refusals of them.
        r#"{ "jsonrpc":"2.0","id":11,"result":{"role":"assistant","content":{"type":"text","text":"caf\u00e9"},"model":"m","stopReason":"endTurn"}}"#,
        r#"{"jsonrpc":"2.0", "id":"e-1","result":{"action":"accept","content":{"name":"Ada","age":36.0}}}"#,
        r#"{"jsonrpc":"2.0","id":"r-1","result":{"roots":[{"uri":"file:///home/ada","name":"home"}]}}"#,
        r#"{"jsonrpc":"2.0","id":0,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":12,"error":{"code":-1,"message":"User rejected sampling request"}}"#,
        // What expects no answer.
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"r-9","reason":"too slow"}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p", "progress":0.50,"total":1}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}"#,
    ];
    for version in VERSIONS {
        for body in bodies {
            let call = legacy(body, &token, version).header("mcp-session-id", &id);
            let reply = harness.send(&call).await.unwrap();
            assert_eq!(reply.status, 202, "{body}: {}", reply.text());
            let received = harness.recorder.take();
            assert_eq!(received.len(), 1, "{body}");
            assert_eq!(String::from_utf8_lossy(&received[0].body), body);
            assert_eq!(received[0].header("mcp-session-id"), ISSUED, "{body}");
            assert_eq!(received[0].header("content-type"), "application/json");
        }
    }
    nothing_crashed(&mut harness).await;
}

/// The id that a client gets with an event is its own: it can go on after it, and nobody else can.
#[tokio::test]
async fn a_stream_is_resumed_where_its_client_says_and_by_nobody_else() {
    let harness = started(governed()).await;
    let token = alice(&harness);
    let mallory = harness.token("mallory", &["support"], CRM).unwrap();
    for event in ["42", "stream-1_0017", "a b=c;d,\"e\"", "=?base64?eA==?="] {
        harness.recorder.answer(move |request| {
            let event = format!("id: {event}\ndata:\n\n");
            match request.verb.as_str() {
                "GET" => Answer::events().step(Step::Send(event.into())),
                _ => issuing(request),
            }
        });
        let own = session(&harness, &token).await;
        let foreign = session(&harness, &mallory).await;
        for version in VERSIONS {
            let get = |token: &str, session: &str| {
                Call::get(CRM)
                    .header("accept", "text/event-stream")
                    .header("mcp-protocol-version", message::LEGACY)
                    .header("mcp-session-id", session)
                    .bearer(token)
                    .over(version)
            };
            let first = harness.send(&get(&token, &own)).await.unwrap().text();
            let id = first.lines().find_map(|line| line.strip_prefix("id: "));
            let id = id.expect("an id").to_owned();
            let _ = harness.recorder.take();
            let again = get(&token, &own).header("last-event-id", &id);
            let reply = harness.send(&again).await.unwrap();
            assert_eq!(reply.status, 200, "{event}: {}", reply.text());
            let received = harness.recorder.take();
            assert_eq!(received.len(), 1, "{event}");
            assert_eq!(received[0].header("last-event-id"), event);
            assert_eq!(received[0].header("mcp-session-id"), ISSUED);
            assert_eq!(received[0].header("accept"), "text/event-stream");

            for (token, session, id) in [(&mallory, &foreign, id.as_str()), (&token, &own, event)] {
                let call = get(token, session).header("last-event-id", id);
                let reply = harness.send(&call).await.unwrap();
                assert_eq!(reply.status, 404, "{event}: {}", reply.text());
            }
            assert!(harness.recorder.take().is_empty(), "{event}");
        }
    }
}

#[tokio::test]
async fn a_session_ends_when_its_client_says_so() {
    let harness = started(governed()).await;
    let token = alice(&harness);
    harness
        .recorder
        .answer(|request| match request.verb.as_str() {
            "DELETE" => Answer::status(204),
            _ => issuing(request),
        });
    for version in VERSIONS {
        let id = session(&harness, &token).await;
        let call = Call::delete(CRM)
            .header("mcp-protocol-version", message::LEGACY)
            .header("mcp-session-id", &id)
            .bearer(&token)
            .over(version);
        assert_eq!(harness.send(&call).await.unwrap().status, 204);
        let received = harness.recorder.take();
        assert_eq!(received.len(), 1);
        assert_eq!(received[0].verb, "DELETE");
        assert_eq!(received[0].header("mcp-session-id"), ISSUED);
    }
}

#[tokio::test]
async fn an_answer_in_a_coding_that_was_not_asked_for_is_refused_and_none_of_it_passes() {
    let mut harness = started(governed()).await;
    let token = alice(&harness);
    // Plain under a false name too: a client that undoes no coding would read it.
    let secret =
        r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"s3cret-7"}]}}"#;
    let gzip: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03s3cret-7";
    let cases: [(&str, &[u8]); 7] = [
        ("gzip", gzip),
        ("gzip", secret.as_bytes()),
        ("br", secret.as_bytes()),
        ("x-own", secret.as_bytes()),
        ("identity, gzip", secret.as_bytes()),
        ("GZIP", gzip),
        ("", secret.as_bytes()),
    ];
    for (coding, body) in cases {
        for media in ["application/json", "text/event-stream"] {
            harness.recorder.answer(move |_| {
                let body = match media {
                    "text/event-stream" => [b"data: ", body, b"\n\n"].concat(),
                    _ => body.to_vec(),
                };
                Answer::bytes(media, body).header("content-encoding", coding)
            });
            for version in VERSIONS {
                for call in [
                    call("echo", &json!({})),
                    legacy_call("echo", &json!({})),
                    message::legacy(CRM, "tools/list", &json!({})),
                ] {
                    let call = call.bearer(&token).over(version);
                    let call = call.header("accept-encoding", "gzip, br");
                    let reply = harness.send(&call).await.unwrap();
                    let text = reply.text();
                    assert!(!text.contains("s3cret-7"), "{coding} {media}: {text}");
                    assert_eq!(reply.status, 502, "{coding} {media}: {text}");
                    let answer: Value = reply.json();
                    let said = answer["error"]["message"].as_str().unwrap_or_default();
                    assert!(said.contains("content encoding"), "{coding}: {text}");
                    assert!(reply.headers.get("content-encoding").is_none());
                }
            }
        }
    }
    let asked: Vec<String> = harness
        .recorder
        .take()
        .iter()
        .map(|request| request.header("accept-encoding"))
        .filter(|asked| !asked.is_empty())
        .collect();
    assert!(asked.is_empty(), "the server was asked for {asked:?}");
    nothing_crashed(&mut harness).await;
}
