//! Promise: event streams flow: each event passes when it is whole, as it is; who leaves is gone on both sides; and
//! what is over the limit ends the stream with words.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

use std::sync::Arc;
use std::time::Duration;

use gatehold_e2e::*;
use gatehold_harness::wait::until;
use gatehold_harness::{Answer, Call, Exchange, Harness, Step, Version, message};
use gatehold_soak::sse;
use serde_json::{Value, json};
use tokio::sync::Notify;

const VERSIONS: [Version; 2] = [Version::Http1, Version::Http2];
const PATIENCE: Duration = Duration::from_secs(20);

/// A GET stream outside of any session, which a server may offer too.
fn get() -> Call {
    Call::get(CRM)
        .header("accept", "text/event-stream")
        .header("mcp-protocol-version", message::LEGACY)
}

fn listen() -> Call {
    let wanted = json!({ "notifications": { "toolsListChanged": true } });
    message::modern(CRM, "subscriptions/listen", &wanted)
}

fn note(number: u64) -> Value {
    json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": { "level": "info", "data": number } })
}

fn result() -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "result": { "content": [], "resultType": "complete" } })
}

/// Everything that comes until the stream ends.
async fn rest(exchange: &mut Exchange) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(chunk) = exchange.chunk().await.unwrap() {
        bytes.extend_from_slice(&chunk);
    }
    bytes
}

#[tokio::test]
async fn an_event_passes_before_the_next_one_exists() {
    let mut harness = started(governed()).await;
    let token = alice(&harness);
    for call in [
        call("echo", &json!({})),
        legacy_call("echo", &json!({})),
        get(),
        listen(),
    ] {
        for version in VERSIONS {
            let read = Arc::new(Notify::new());
            let script = Arc::clone(&read);
            harness.recorder.answer(move |_| {
                let answer = (0..3).fold(Answer::events(), |answer, number| {
                    // Nothing more is sent until the client has what was.
                    let answer = answer.event(&note(number));
                    answer.step(Step::Wait(Arc::clone(&script)))
                });
                answer.event(&result())
            });
            let call = call.clone().bearer(&token).over(version);
            let mut exchange = harness_open(&harness, &call).await;
            for number in 0..3 {
                let event = exchange.event().await.unwrap().unwrap();
                assert!(event.contains(&note(number).to_string()), "{event}");
                read.notify_one();
            }
            let last = exchange.event().await.unwrap().unwrap();
            assert!(last.contains("\"result\""), "{last}");
            assert_eq!(exchange.event().await.unwrap(), None);
        }
    }
    nothing_crashed(&mut harness).await;
}

async fn harness_open(harness: &Harness, call: &Call) -> Exchange {
    let exchange = call.open(harness.port()).await.unwrap();
    assert_eq!(exchange.status(), 200);
    exchange
}

/// What servers say on a stream while they work: written oddly, because it is theirs.
const SAID: [&str; 8] = [
    r#"{ "jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p","progress":0.50 , "total":1} }"#,
    r#"{"jsonrpc":"2.0","id":0,"method":"sampling/createMessage","params":{"messages":[{"role":"user","content":{"type":"text","text":"caf\u00e9"}}],"maxTokens":1e2}}"#,
    r#"{"jsonrpc":"2.0","id":"e-1","method":"elicitation/create","params":{"message":"Wie heißen Sie?","requestedSchema":{"type":"object","properties":{"name":{"type":"string"}}}}}"#,
    r#"{"jsonrpc":"2.0","id":9007199254740993,"method":"roots/list"}"#,
    r#"{"jsonrpc":"2.0","id":-1,"method":"ping"}"#,
    r#"{"method":"notifications/message","jsonrpc":"2.0","params":{"level":"debug","data":{"a":[1.0,null]}}}"#,
    r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#,
    r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"crm://public/a"}}"#,
];

/// What came, with the ids of events as the server gave them: a client of the legacy era gets each with a tag of
/// 22 characters and a dot before it, which it sends back.
fn opened(came: &[u8]) -> String {
    let came = String::from_utf8_lossy(came);
    let mut pieces = came.split("id: ");
    let mut opened = pieces.next().unwrap().to_owned();
    for piece in pieces {
        opened.push_str("id: ");
        opened.push_str(match piece.split_at_checked(23) {
            Some((tag, id)) if tag.ends_with('.') => id,
            _ => piece,
        });
    }
    opened
}

#[tokio::test]
async fn progress_and_requests_of_the_server_pass_byte_for_byte() {
    let mut harness = started(governed()).await;
    let token = alice(&harness);
    let said: Vec<u8> = SAID
        .iter()
        .enumerate()
        .map(|(number, said)| format!("id: {number}\nevent: message\ndata: {said}\n\n"))
        .collect::<String>()
        .into_bytes();
    let sent = said.clone();
    harness
        .recorder
        .answer(move |_| Answer::events().step(Step::Send(sent.clone().into())));
    for call in [legacy_call("echo", &json!({})), get()] {
        for version in VERSIONS {
            let call = call.clone().bearer(&token).over(version);
            let mut exchange = harness_open(&harness, &call).await;
            let came = rest(&mut exchange).await;
            assert_eq!(opened(&came), String::from_utf8_lossy(&said));
        }
    }
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn every_framing_passes_byte_for_byte_however_it_is_cut() {
    let mut harness = started(governed()).await;
    let token = alice(&harness);
    let pong = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"data":"é"}}"#;
    let streams = [
        // Keep-alives, with and without an empty line, and a reconnection time.
        format!(": hello\n\n: \n:\nretry: 1500\n\ndata: {pong}\n\n: bye\n\n"),
        // A priming event: an id and no data.
        format!("id: 1_0\ndata:\n\nid: 1_1\nevent: message\ndata: {pong}\n\nid: 1_2\ndata: \n\n"),
        format!("id: 1\r\nevent: message\r\ndata: {pong}\r\n\r\n: x\r\n\r\n"),
        format!("id: 1\revent: message\rdata: {pong}\r\r: x\r\rdata:{pong}\r\r"),
        format!("data: {pong}\r\n\ndata: {pong}\n\r\ndata:{pong}\r\n\r\n"),
        // One message over several lines, among fields that nobody knows.
        "data: {\"jsonrpc\":\"2.0\",\ndata:   \"method\":\"notifications/x\"\ndata: }\nx-own: 1\nid\n\n".to_owned(),
        format!("\u{feff}data: {pong}\n\n\n\n\ndata: {pong}\n\n"),
        format!("event: other\ndata: {pong}\n\n"),
    ];
    for stream in streams {
        for size in [usize::MAX, 7, 1] {
            let bytes = stream.clone().into_bytes();
            harness.recorder.answer(move |_| {
                let pieces = bytes.chunks(size.min(bytes.len()));
                pieces.fold(Answer::events(), |answer, piece| {
                    answer.step(Step::Send(piece.to_vec().into()))
                })
            });
            for call in [
                call("echo", &json!({})),
                legacy_call("echo", &json!({})),
                get(),
            ] {
                for version in VERSIONS {
                    let call = call.clone().bearer(&token).over(version);
                    let mut exchange = harness_open(&harness, &call).await;
                    let came = rest(&mut exchange).await;
                    assert_eq!(opened(&came), stream, "in pieces of {size}, {version:?}");
                }
            }
        }
    }
    nothing_crashed(&mut harness).await;
}

async fn open_answers(harness: &Harness, wanted: usize) {
    until(
        "the server sees who is there",
        PATIENCE,
        async || match harness.recorder.open_answers() {
            open if open == wanted => Ok(()),
            open => Err(format!("{open} answers are open, not {wanted}")),
        },
    )
    .await
    .unwrap();
}

#[tokio::test]
async fn when_the_client_goes_the_server_is_let_go() {
    let mut harness = started(governed()).await;
    let token = alice(&harness);
    let never = Arc::new(Notify::new());
    let script = Arc::clone(&never);
    harness.recorder.answer(move |_| {
        let answer = Answer::events().event(&note(0));
        answer.step(Step::Wait(Arc::clone(&script)))
    });
    let calls = [
        call("echo", &json!({})),
        legacy_call("echo", &json!({})),
        get(),
        listen(),
    ];
    for call in &calls {
        for version in VERSIONS {
            let call = call.clone().bearer(&token).over(version);
            let mut exchange = harness_open(&harness, &call).await;
            exchange.event().await.unwrap().unwrap();
            open_answers(&harness, 1).await;
            drop(exchange);
            open_answers(&harness, 0).await;
        }
    }
    // The same before the answer has begun.
    harness
        .recorder
        .answer(|_| Answer::json(&result()).after(Duration::from_secs(3600)));
    for call in &calls {
        for version in VERSIONS {
            let call = call.clone().bearer(&token).over(version);
            let port = harness.port();
            let waiting = tokio::spawn(async move { call.send(port).await.map(drop) });
            open_answers(&harness, 1).await;
            waiting.abort();
            open_answers(&harness, 0).await;
        }
    }
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn when_the_server_breaks_off_the_client_learns_it() {
    let mut harness = started(governed()).await;
    let token = alice(&harness);
    for call in [call("echo", &json!({})), legacy_call("echo", &json!({}))] {
        for version in VERSIONS {
            let call = call.clone().bearer(&token).over(version);
            harness.recorder.answer(|_| Answer::reset());
            let reply = harness.send(&call).await.unwrap();
            assert_eq!(reply.status, 503, "{}", reply.text());
            // Half of a JSON answer is no answer, and none of it passes.
            harness.recorder.answer(|_| {
                Answer::status(200)
                    .header("content-type", "application/json")
                    .header("content-length", "1000")
                    .step(Step::Send("{\"jsonrpc\":\"2.0\",\"id\":1,".into()))
                    .step(Step::Abort)
            });
            match harness.send(&call).await {
                Ok(reply) => assert!(
                    reply.status.is_server_error() && !reply.text().contains("\"id\":1,"),
                    "{} {}",
                    reply.status,
                    reply.text()
                ),
                Err(error) => assert!(error.to_string().contains("http"), "{error}"),
            }
            // Of a stream, what was whole has passed; its end is missing, and the client sees that.
            let read = Arc::new(Notify::new());
            let script = Arc::clone(&read);
            harness.recorder.answer(move |_| {
                Answer::events()
                    .event(&note(0))
                    .step(Step::Send("data: {\"cut".into()))
                    .step(Step::Wait(Arc::clone(&script)))
                    .step(Step::Abort)
            });
            let mut exchange = harness_open(&harness, &call).await;
            let first = exchange.event().await.unwrap().unwrap();
            assert!(first.contains("\"data\":0"), "{first}");
            read.notify_one();
            assert!(
                exchange.event().await.is_err(),
                "the stream ended as if it were whole"
            );
        }
    }
    nothing_crashed(&mut harness).await;
}

#[tokio::test]
async fn an_event_over_the_limit_ends_the_stream_and_none_of_it_passes() {
    let limited = format!("{SERVER}  limits: {{ eventBytes: 2000 }}\n");
    let builder = Harness::builder()
        .document("server.yaml", &limited)
        .document("policy.yaml", POLICY);
    let mut harness = started(builder).await;
    let token = alice(&harness);
    for size in [usize::MAX, 500] {
        for end in ["\n\n", ""] {
            harness.recorder.answer(move |_| {
                let message = json!({ "jsonrpc": "2.0", "id": 1, "result": { "content": [
                    { "type": "text", "text": "s3cret".repeat(500) } ] } });
                let large = format!("event: message\ndata: {message}{end}").into_bytes();
                let answer = Answer::events().event(&note(0));
                let answer = large
                    .chunks(size.min(large.len()))
                    .fold(answer, |answer, piece| {
                        answer.step(Step::Send(piece.to_vec().into()))
                    });
                answer.event(&note(1))
            });
            for call in [
                call("echo", &json!({})),
                legacy_call("echo", &json!({})),
                get(),
                listen(),
            ] {
                for version in VERSIONS {
                    let call = call.clone().bearer(&token).over(version);
                    let mut exchange = harness_open(&harness, &call).await;
                    let mut came = Vec::new();
                    // The stream may end well or be reset: the words are there before.
                    while let Ok(Some(chunk)) = exchange.chunk().await {
                        came.extend_from_slice(&chunk);
                    }
                    let came = String::from_utf8(came).unwrap();
                    let events: Vec<&str> = came.split_terminator("\n\n").collect();
                    assert_eq!(events.len(), 2, "{version:?} {came}");
                    assert!(events[0].contains("\"data\":0"), "{came}");
                    assert!(!came.contains("s3cret"), "{came}");
                    let error = events[1]
                        .lines()
                        .find_map(|line| line.strip_prefix("data: "));
                    let error: Value = serde_json::from_str(error.unwrap()).unwrap();
                    let said = error["error"]["message"].as_str().unwrap();
                    assert!(said.contains("eventBytes"), "{came}");
                }
            }
        }
    }
    nothing_crashed(&mut harness).await;
}

/// What a stream of 10,000 events may leave in Envoy: far above what it does, far below the events themselves times
/// the number of copies that a mistake would keep.
const STREAM_MEGABYTES: f64 = 48.0;

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_events_arrive_in_order_unchanged_and_are_not_kept() {
    let mut harness = started(governed()).await;
    let delays = sse::compare(&harness, 10_000).await.unwrap();
    figure(&format!(
        "delay of events, from the server's sending to the client:\n{}",
        sse::table(&delays)
    ));
    for stream in &delays {
        let [before, peak, _] = stream.envoy;
        assert_eq!(stream.events, 10_000, "{}", stream.name);
        assert!(peak - before < STREAM_MEGABYTES, "{stream:?}");
    }
    nothing_crashed(&mut harness).await;
}
