//! The scripted upstream: does what the arguments of a call ask for, and looks whether it should have got it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gatehold_harness::recorder::{Pen, mcp};
use gatehold_harness::{Answer, Received, Recorder, Step};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::tally::Tally;

/// Between two looks at what was received.
const EMPTY: Duration = Duration::from_millis(200);
/// What stands in every request that must not pass.
pub const FORBIDDEN: &str = "forbidden-";
/// Events of a stream that we open and the server ends.
const STANDING_EVENTS: u64 = 40;
const STANDING_PAUSE: Duration = Duration::from_millis(150);

/// What the upstream knows.
#[derive(Debug, Default)]
struct Known {
    sessions: Mutex<BTreeSet<String>>,
    next: AtomicU64,
}

/// The upstream in this process. Dropping it closes it.
#[derive(Debug)]
pub struct Upstream {
    recorder: Arc<Recorder>,
    surface: Recorder,
    emptying: JoinHandle<()>,
}

impl Upstream {
    /// Listens, and says on a port of its own (`GET /counts`) what it has counted, and how many answers are under way.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn start() -> anyhow::Result<Self> {
        let recorder = Arc::new(Recorder::start().await?);
        let surface = Recorder::start().await?;
        let (tally, known) = (Arc::new(Tally::default()), Arc::new(Known::default()));
        let (counted, open) = (Arc::clone(&tally), Arc::clone(&recorder));
        surface.answer(move |_| {
            let counts = counted.snapshot();
            Answer::json(&json!({ "counts": counts, "open": open.open_answers() }))
        });
        recorder.answer(move |request| {
            inspect(request, &known, &tally);
            answer(request, &known, &tally)
        });
        let received = Arc::clone(&recorder);
        let emptying = tokio::spawn(async move {
            loop {
                tokio::time::sleep(EMPTY).await;
                // What was received has been looked at; kept, it would fill this process.
                drop(received.take());
            }
        });
        Ok(Self {
            recorder,
            surface,
            emptying,
        })
    }

    /// Where MCP is spoken.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.recorder.port()
    }

    /// Where it says what it has counted.
    #[must_use]
    pub fn surface(&self) -> u16 {
        self.surface.port()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.emptying.abort();
    }
}

/// What must not arrive, and sessions that this server did not open.
fn inspect(request: &Received, known: &Known, tally: &Tally) {
    // The length of the body decides; what broke off was not whole when it was judged.
    let body = String::from_utf8_lossy(&request.body);
    if body.contains(FORBIDDEN) {
        let start: String = body.chars().take(300).collect();
        tally.violation(format!("a denied request reached the upstream: {start}"));
    }
    if request
        .headers
        .iter()
        .any(|(name, _)| name == "authorization")
    {
        tally.violation("a token reached the upstream");
    }
    let session = request.header("mcp-session-id");
    if !session.is_empty() && !sessions(known).contains(&session) {
        tally.violation(format!(
            "the upstream saw a session id that it never issued: `{session}`"
        ));
    }
}

fn answer(request: &Received, known: &Arc<Known>, tally: &Tally) -> Answer {
    match request.verb.as_str() {
        "GET" => return standing(&json!("stream")),
        "DELETE" => {
            sessions(known).remove(&request.header("mcp-session-id"));
            return Answer::status(200);
        }
        _ => {}
    }
    let message = request.json();
    if let Some(batch) = message.as_array() {
        let answers: Vec<Value> = batch.iter().filter_map(plain).collect();
        return Answer::json(&Value::Array(answers));
    }
    let result = message
        .get("id")
        .filter(|_| message.get("method").is_some());
    let (Some(id), method) = (result, request.method()) else {
        return Answer::status(202);
    };
    match method.as_str() {
        "initialize" => {
            let session = format!("s-{}", known.next.fetch_add(1, Ordering::Relaxed));
            sessions(known).insert(session.clone());
            mcp(request).header("mcp-session-id", &session)
        }
        "tools/call" => call(&message, tally),
        "subscriptions/listen" => standing(id),
        _ => mcp(request),
    }
}

/// A call's plan stands in its arguments: `answer` is `json` or `sse`, `events` and `pause` (ms) shape a stream,
/// `delay` (ms) comes before the answer, `reset` says where to break off, `size` fills the answer.
fn call(message: &Value, tally: &Tally) -> Answer {
    let of = |name: &str| message.pointer(&format!("/params/arguments/{name}"));
    let number = |name: &str| of(name).and_then(Value::as_u64).unwrap_or_default();
    let text = |name: &str| of(name).and_then(Value::as_str).unwrap_or_default();
    let delay = Duration::from_millis(number("delay"));
    let whole = plain(message).unwrap_or_default();
    let reset = text("reset");
    if !reset.is_empty() {
        tally.disturbed("resets by the upstream");
    }
    let answer = match (reset, text("answer")) {
        ("before", _) => Answer::reset(),
        ("json", _) => {
            let body = whole.to_string();
            let half = body.len() / 2;
            Answer::status(200)
                .header("content-type", "application/json")
                .header("content-length", &body.len().to_string())
                .step(Step::Send(body.into_bytes().drain(..half).collect()))
                .step(Step::Abort)
        }
        (_, "sse") => stream(
            message,
            whole,
            number("events"),
            number("pause"),
            reset == "sse",
        ),
        _ => Answer::json(&whole),
    };
    answer.after(delay)
}

/// The answer to one call: its marker, and as many bytes more as it asks for.
fn plain(message: &Value) -> Option<Value> {
    let id = message.get("id")?;
    let arguments = message.pointer("/params/arguments");
    let of = |name: &str| arguments.and_then(|arguments| arguments.get(name));
    let marker = of("marker").and_then(Value::as_str).unwrap_or_default();
    let size = of("size").and_then(Value::as_u64).unwrap_or_default();
    let fill = "x".repeat(usize::try_from(size).unwrap_or_default());
    Some(json!({ "jsonrpc": "2.0", "id": id, "result": {
        "content": [{ "type": "text", "text": format!("ran {marker} {fill}") }], "resultType": "complete",
    } }))
}

fn stream(message: &Value, whole: Value, events: u64, pause: u64, reset: bool) -> Answer {
    let marker = message.pointer("/params/arguments/marker").cloned();
    let marker = marker.unwrap_or_default();
    Answer::events().step(Step::writer(move |mut pen| {
        let (marker, whole) = (marker.clone(), whole.clone());
        async move {
            for number in 0..events {
                if reset && number == events / 2 {
                    pen.abort();
                    return None;
                }
                if pause > 0 {
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                }
                let progress = json!({ "jsonrpc": "2.0", "method": "notifications/progress",
                    "params": { "progressToken": marker, "progress": number } });
                pen = said(pen, number, &progress).await?;
            }
            said(pen, events, &whole).await
        }
    }))
}

/// A stream of the server's own messages: an acknowledgement, then news now and then.
fn standing(id: &Value) -> Answer {
    let meta = json!({ "io.modelcontextprotocol/subscriptionId": id });
    Answer::events().step(Step::writer(move |mut pen| {
        let meta = meta.clone();
        async move {
            let first = json!({ "jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged",
                "params": { "notifications": {}, "_meta": meta } });
            pen = said(pen, 0, &first).await?;
            for number in 1..STANDING_EVENTS {
                tokio::time::sleep(STANDING_PAUSE).await;
                if number % 5 == 0 && !pen.send(": keep-alive\n\n").await {
                    return None;
                }
                let news = json!({ "jsonrpc": "2.0", "method": "notifications/tools/list_changed",
                    "params": { "_meta": meta } });
                pen = said(pen, number, &news).await?;
            }
            Some(pen)
        }
    }))
}

async fn said(mut pen: Pen, number: u64, message: &Value) -> Option<Pen> {
    let event = format!("id: {number}\nevent: message\ndata: {message}\n\n");
    pen.send(event).await.then_some(pen)
}

fn sessions(known: &Known) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
    known
        .sessions
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}
