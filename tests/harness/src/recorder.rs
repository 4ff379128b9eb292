//! An upstream in this process that keeps every byte it receives, and answers by script.

use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::channel::{Channel, Sender};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::bootstrap;
use crate::error::HarnessError;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Received {
    /// `POST`, …
    pub verb: String,
    /// Path and query.
    pub path: String,
    /// Header lines in the order in which they came, names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body, as far as it came.
    pub body: Bytes,
    /// Trailer lines.
    pub trailers: Vec<(String, Vec<u8>)>,
    /// Whether the body came to its end.
    pub complete: bool,
}

impl Received {
    /// The first header of that name as text; empty if there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> String {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found
            .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
            .unwrap_or_default()
    }

    /// The body as JSON; `null` if it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The JSON-RPC method; empty if there is none.
    #[must_use]
    pub fn method(&self) -> String {
        self.json()
            .get("method")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    }
}

/// A step of an answer's body.
#[derive(Clone, Debug)]
pub enum Step {
    /// Sends these bytes.
    Send(Bytes),
    /// Waits until the test says so.
    Wait(Arc<Notify>),
    /// Breaks the connection off.
    Abort,
    /// Lets this write what comes next.
    Write(Writer),
}

/// Writes a part of an answer's body while the test runs; made by [`Step::writer`].
#[derive(Clone)]
pub struct Writer(Arc<dyn Fn(Pen) -> Written + Send + Sync>);

type Written = Pin<Box<dyn Future<Output = Option<Pen>> + Send>>;

impl std::fmt::Debug for Writer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Writer")
    }
}

impl Step {
    /// A step that is written by `write`. It gives the pen back, or nothing when the answer is over: because the
    /// client has gone, or the pen was dropped or broken.
    pub fn writer<W: Future<Output = Option<Pen>> + Send + 'static>(
        write: impl Fn(Pen) -> W + Send + Sync + 'static,
    ) -> Self {
        Self::Write(Writer(Arc::new(move |pen| Box::pin(write(pen)))))
    }
}

/// What a [`Step::writer`] writes with.
#[derive(Debug)]
pub struct Pen(Sender<Bytes, Broken>);

impl Pen {
    /// Sends these bytes; false when nobody takes them any more.
    pub async fn send(&mut self, bytes: impl Into<Bytes>) -> bool {
        self.0.send_data(bytes.into()).await.is_ok()
    }

    /// Breaks the connection off.
    pub fn abort(self) {
        self.0.abort(Broken);
    }
}

/// What the upstream answers.
#[derive(Clone, Debug)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    steps: Vec<Step>,
    delay: Duration,
    reset: bool,
}

impl Answer {
    /// A status and nothing else.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            steps: Vec::new(),
            delay: Duration::ZERO,
            reset: false,
        }
    }

    /// No answer: the connection is broken off.
    #[must_use]
    pub fn reset() -> Self {
        Self {
            reset: true,
            ..Self::status(500)
        }
    }

    /// One JSON message.
    #[must_use]
    pub fn json(message: &Value) -> Self {
        Self::bytes("application/json", message.to_string())
    }

    /// Any body of any type, with its length.
    #[must_use]
    pub fn bytes(content_type: &str, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        let length = body.len().to_string();
        Self::status(200)
            .header("content-type", content_type)
            .header("content-length", &length)
            .step(Step::Send(body))
    }

    /// An event stream; add its bytes with [`Answer::step`] and [`Answer::event`].
    #[must_use]
    pub fn events() -> Self {
        Self::status(200).header("content-type", "text/event-stream")
    }

    /// Adds one message to an event stream.
    #[must_use]
    pub fn event(self, message: &Value) -> Self {
        self.step(Step::Send(
            format!("event: message\ndata: {message}\n\n").into(),
        ))
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds a step.
    #[must_use]
    pub fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// Lets that much time pass before the answer begins.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Sets the status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }
}

type Script = Arc<dyn Fn(&Received) -> Answer + Send + Sync>;

struct Shared {
    /// With the number of each, because a test may take some out while others are under way.
    received: Mutex<Vec<(u64, Received)>>,
    next: AtomicU64,
    script: Mutex<Script>,
    /// Answers whose body is under way.
    open: AtomicUsize,
}

/// The upstream. Dropping it closes it.
pub struct Recorder {
    port: u16,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Recorder")
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl Recorder {
    /// Listens on a free port and answers like a small MCP server: see [`mcp`].
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn start() -> Result<Self, HarnessError> {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await;
        let listener = listener.map_err(HarnessError::io("listen"))?;
        let port = listener
            .local_addr()
            .map_err(HarnessError::io("listen"))?
            .port();
        let script: Script = Arc::new(mcp);
        let shared = Arc::new(Shared {
            received: Mutex::default(),
            next: AtomicU64::default(),
            script: Mutex::new(script),
            open: AtomicUsize::default(),
        });
        let server = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self {
            port,
            shared,
            server,
        })
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Answers by `script` from now on.
    pub fn answer(&self, script: impl Fn(&Received) -> Answer + Send + Sync + 'static) {
        *lock(&self.shared.script) = Arc::new(script);
    }

    /// Everything that has arrived so far, in the order in which its headers came. A request whose body is under way
    /// or broke off is there too: nothing that arrives is missed. Only where headers go ahead of the verdict those do
    /// not count of which nothing else came: [`Recorder::take_all`] has them.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        lock(&self.shared.received)
            .iter()
            .map(|(_, request)| request.clone())
            .filter(counts)
            .collect()
    }

    /// Answers that have begun and not ended: neither came to their end nor were given up by who asked.
    #[must_use]
    pub fn open_answers(&self) -> usize {
        self.shared.open.load(Ordering::Relaxed)
    }

    /// What has arrived since the last call, as [`Recorder::received`] counts it.
    #[must_use]
    pub fn take(&self) -> Vec<Received> {
        self.take_all().into_iter().filter(counts).collect()
    }

    /// What has arrived since the last call, headers that went ahead included.
    #[must_use]
    pub fn take_all(&self) -> Vec<Received> {
        lock(&self.shared.received)
            .drain(..)
            .map(|(_, request)| request)
            .collect()
    }
}

/// Whether more came of it than headers that went ahead.
fn counts(request: &Received) -> bool {
    request.complete || !request.body.is_empty() || !bootstrap::headers_go_ahead()
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// The standing script: `initialize`, `server/discover`, lists of a few things, calls that say what ran, 202 for
/// notifications. It is no MCP server to rely on, only enough of one to be spoken to by hand.
#[must_use]
pub fn mcp(request: &Received) -> Answer {
    let message = request.json();
    let params = message.get("params").cloned().unwrap_or_default();
    let Some(id) = message
        .get("id")
        .filter(|_| message.get("method").is_some())
    else {
        return Answer::status(if request.verb == "POST" { 202 } else { 405 });
    };
    let named = |key: &str| params.get(key).cloned().unwrap_or_default();
    let names = |list: &[&str], key: &str| {
        list.iter()
            .map(|name| json!({ "name": name, key: {} }))
            .collect::<Vec<_>>()
    };
    let result = match request.method().as_str() {
        "initialize" => json!({
            "protocolVersion": named("protocolVersion"), "capabilities": { "tools": {}, "resources": {}, "prompts": {} },
            "serverInfo": { "name": "recorder", "version": "1" },
        }),
        "tools/list" => {
            json!({ "tools": names(&["echo", "get_customer", "refund", "delete_customer"], "inputSchema") })
        }
        "prompts/list" => json!({ "prompts": names(&["reply", "internal"], "_meta") }),
        "resources/list" => json!({ "resources": [
            { "uri": "crm://public/a", "name": "a" }, { "uri": "crm://internal/b", "name": "b" },
        ] }),
        "tools/call" => {
            json!({ "content": [{ "type": "text", "text": format!("ran {}", named("name").as_str().unwrap_or_default()) }] })
        }
        "resources/read" => json!({ "contents": [{ "uri": named("uri"), "text": "read" }] }),
        "prompts/get" => json!({ "messages": [] }),
        "completion/complete" => json!({ "completion": { "values": [] } }),
        _ => json!({}),
    };
    let modern = params
        .pointer("/_meta/io.modelcontextprotocol~1protocolVersion")
        .is_some();
    let result = if modern {
        with_modern_fields(result)
    } else {
        result
    };
    Answer::json(&json!({ "jsonrpc": "2.0", "id": id, "result": result }))
}

fn with_modern_fields(mut result: Value) -> Value {
    if let Some(result) = result.as_object_mut() {
        result.insert("resultType".to_owned(), json!("complete"));
        result.insert("ttlMs".to_owned(), json!(60000));
        result.insert("cacheScope".to_owned(), json!("public"));
    }
    result
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(|request| serve(request, Arc::clone(&shared)));
            // How a connection ends is seen in what was received.
            let _ = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn serve(
    incoming: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<Tracked>, Broken> {
    let (head, mut body) = incoming.into_parts();
    let number = shared.next.fetch_add(1, Ordering::Relaxed);
    let mut request = Received {
        verb: head.method.to_string(),
        path: head
            .uri
            .path_and_query()
            .map(ToString::to_string)
            .unwrap_or_default(),
        headers: pairs(&head.headers),
        body: Bytes::new(),
        trailers: Vec::new(),
        complete: false,
    };
    lock(&shared.received).push((number, request.clone()));
    let mut kept = Vec::new();
    let mut trailers = HeaderMap::new();
    let mut complete = true;
    while let Some(frame) = body.frame().await {
        match frame.map(hyper::body::Frame::into_data) {
            Ok(Ok(data)) => kept.extend_from_slice(&data),
            Ok(Err(frame)) => trailers.extend(frame.into_trailers().unwrap_or_default()),
            Err(_) => complete = false,
        }
    }
    request.body = kept.into();
    request.trailers = pairs(&trailers);
    request.complete = complete;
    if let Some((_, place)) = lock(&shared.received)
        .iter_mut()
        .find(|(other, _)| *other == number)
    {
        place.clone_from(&request);
    }
    let script = Arc::clone(&lock(&shared.script));
    let answer = script(&request);
    let tracked = Open::new(shared);
    if !answer.delay.is_zero() {
        tokio::time::sleep(answer.delay).await;
    }
    if answer.reset {
        return Err(Broken);
    }
    Ok(respond(answer, tracked))
}

/// Counts an answer for as long as it lives.
struct Open(Arc<Shared>);

impl Open {
    fn new(shared: Arc<Shared>) -> Self {
        shared.open.fetch_add(1, Ordering::Relaxed);
        Self(shared)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A body that is counted while it is under way.
struct Tracked {
    body: Channel<Bytes, Broken>,
    _open: Open,
}

impl Body for Tracked {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Why a body ends early: the script wants it.
#[derive(Debug, thiserror::Error)]
#[error("broken off by the script")]
pub struct Broken;

fn respond(answer: Answer, open: Open) -> Response<Tracked> {
    let (sender, body) = Channel::new(8);
    let mut response = Response::new(Tracked { body, _open: open });
    *response.status_mut() = hyper::StatusCode::from_u16(answer.status).unwrap_or_default();
    for (name, value) in &answer.headers {
        if let (Ok(name), Ok(value)) = (
            HeaderName::try_from(name.as_str()),
            HeaderValue::try_from(value.as_str()),
        ) {
            response.headers_mut().append(name, value);
        }
    }
    tokio::spawn(play(answer.steps, sender));
    response
}

async fn play(steps: Vec<Step>, sender: Sender<Bytes, Broken>) {
    let mut pen = Pen(sender);
    for step in steps {
        match step {
            Step::Send(bytes) => {
                if !pen.send(bytes).await {
                    return;
                }
            }
            Step::Wait(until) => until.notified().await,
            Step::Abort => return pen.abort(),
            Step::Write(writer) => match writer.0(pen).await {
                Some(given_back) => pen = given_back,
                None => return,
            },
        }
    }
}

fn pairs(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
        .collect()
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A script that panicked has failed its test already.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
