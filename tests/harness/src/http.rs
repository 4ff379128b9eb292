//! HTTP exchanges as a test wants them: version, pieces of the body and trailers chosen by hand.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::error::HarnessError;

/// How long an answer may take to begin, or to go on.
const PATIENCE: Duration = Duration::from_secs(60);

/// The version that the client speaks; HTTP/2 is without TLS, by prior knowledge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2.
    Http2,
}

/// A request. Each goes over a connection of its own, so that it may land on any worker.
#[derive(Clone, Debug)]
pub struct Call {
    method: Method,
    path: String,
    headers: HeaderMap,
    pieces: Vec<Bytes>,
    trailers: HeaderMap,
    version: Version,
    unfinished: bool,
}

impl Call {
    /// A request without a body.
    #[must_use]
    pub fn new(method: Method, path: &str) -> Self {
        Self {
            method,
            path: path.to_owned(),
            headers: HeaderMap::new(),
            pieces: Vec::new(),
            trailers: HeaderMap::new(),
            version: Version::default(),
            unfinished: false,
        }
    }

    /// `GET`.
    #[must_use]
    pub fn get(path: &str) -> Self {
        Self::new(Method::GET, path)
    }

    /// `DELETE`, which ends a session.
    #[must_use]
    pub fn delete(path: &str) -> Self {
        Self::new(Method::DELETE, path)
    }

    /// `POST` of `body` with the headers that every MCP client sends.
    #[must_use]
    pub fn post(path: &str, body: impl Into<Bytes>) -> Self {
        let call = Self::new(Method::POST, path).body(body);
        call.header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
    }

    /// Adds a header; one that is no legal header is left out.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        add(&mut self.headers, name, value.as_ref());
        self
    }

    /// Takes every header of that name away.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    /// Adds the token.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// The body in one piece: with a length, when there are no trailers.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.pieces = vec![body.into()];
        self
    }

    /// Cuts the body into pieces of at most `size` bytes, sent one after the other, without a length.
    #[must_use]
    pub fn in_pieces_of(mut self, size: usize) -> Self {
        let whole: Bytes = self.pieces.concat().into();
        self.pieces = whole
            .chunks(size.max(1))
            .map(Bytes::copy_from_slice)
            .collect();
        // An empty last piece keeps a body of one piece from being sent with a length.
        self.pieces.push(Bytes::new());
        self
    }

    /// Ends the body with a trailer.
    #[must_use]
    pub fn trailer(mut self, name: &str, value: &str) -> Self {
        add(&mut self.trailers, name, value.as_bytes());
        self
    }

    /// Leaves the body without its end: after the pieces nothing comes any more, as from a client that hangs.
    #[must_use]
    pub fn unfinished(mut self) -> Self {
        self.unfinished = true;
        self
    }

    /// Sends it to another path.
    #[must_use]
    pub fn at(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// Sends it over HTTP/2.
    #[must_use]
    pub fn http2(mut self) -> Self {
        self.version = Version::Http2;
        self
    }

    /// Sends it over that version.
    #[must_use]
    pub fn over(mut self, version: Version) -> Self {
        self.version = version;
        self
    }

    /// Sends it to a port of this machine and waits for the whole answer.
    ///
    /// # Errors
    /// When the connection cannot be made or breaks off.
    pub async fn send(&self, port: u16) -> Result<Reply, HarnessError> {
        self.open(port).await?.whole().await
    }

    /// Sends it and waits for the headers of the answer only.
    ///
    /// # Errors
    /// When the connection cannot be made or breaks off.
    pub async fn open(&self, port: u16) -> Result<Exchange, HarnessError> {
        let stream = TcpStream::connect(("127.0.0.1", port))
            .await
            .map_err(HarnessError::io("connect"))?;
        stream
            .set_nodelay(true)
            .map_err(HarnessError::io("connect"))?;
        let authority = format!("127.0.0.1:{port}");
        let uri = match self.version {
            Version::Http1 => self.path.clone(),
            Version::Http2 => format!("http://{authority}{}", self.path),
        };
        let mut request = Request::builder().method(self.method.clone()).uri(uri);
        if let Some(headers) = request.headers_mut() {
            headers.clone_from(&self.headers);
            if self.version == Version::Http1 && !headers.contains_key("host") {
                add(headers, "host", authority.as_bytes());
            }
            let whole = self.pieces.len() <= 1 && self.trailers.is_empty() && !self.unfinished;
            if whole && !headers.contains_key("content-length") {
                let size: usize = self.pieces.iter().map(Bytes::len).sum();
                if size > 0 || self.method == Method::POST {
                    add(headers, "content-length", size.to_string().as_bytes());
                }
            }
            let names: Vec<&str> = self.trailers.keys().map(HeaderName::as_str).collect();
            if !names.is_empty() {
                // HTTP/1.1 sends only those trailers that were announced.
                add(headers, "trailer", names.join(", ").as_bytes());
            }
        }
        let request = request.body(self.frames()).map_err(http_error)?;
        let answer = async {
            match self.version {
                Version::Http1 => {
                    let connected =
                        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
                    let (mut sender, connection) = connected.map_err(http_error)?;
                    let connection = tokio::spawn(async move { drop(connection.await) });
                    Ok((
                        sender.send_request(request).await.map_err(http_error)?,
                        connection,
                    ))
                }
                Version::Http2 => {
                    let io = TokioIo::new(stream);
                    let connected =
                        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await;
                    let (mut sender, connection) = connected.map_err(http_error)?;
                    let connection = tokio::spawn(async move { drop(connection.await) });
                    Ok((
                        sender.send_request(request).await.map_err(http_error)?,
                        connection,
                    ))
                }
            }
        };
        let (response, connection) = patiently("the answer begins", answer).await?;
        Ok(Exchange {
            response,
            connection,
            buffer: Vec::new(),
        })
    }

    fn frames(&self) -> UnsyncBoxBody<Bytes, Infallible> {
        let data = self
            .pieces
            .clone()
            .into_iter()
            .filter(|piece| !piece.is_empty())
            .map(Frame::data);
        let trailers = (!self.trailers.is_empty()).then(|| Frame::trailers(self.trailers.clone()));
        let frames = stream::iter(data.chain(trailers).map(Ok)).then(|frame| async {
            // Lets the connection send what it has, so that pieces travel apart.
            tokio::task::yield_now().await;
            frame
        });
        if self.unfinished {
            return StreamBody::new(frames.chain(stream::pending())).boxed_unsync();
        }
        StreamBody::new(frames).boxed_unsync()
    }
}

/// An answer that has begun. Dropping it closes the connection, as a client that goes away does.
#[derive(Debug)]
pub struct Exchange {
    response: Response<Incoming>,
    connection: JoinHandle<()>,
    buffer: Vec<u8>,
}

impl Exchange {
    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// The next bytes of the body, `None` at its end.
    ///
    /// # Errors
    /// When it breaks off, or nothing comes for a minute.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, HarnessError> {
        loop {
            let frame = async { Ok(self.response.body_mut().frame().await) };
            match patiently("the answer goes on", frame).await? {
                None => return Ok(None),
                Some(frame) => {
                    if let Ok(data) = frame.map_err(http_error)?.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    /// The next server-sent event, as it stands with the blank line that ends it; `None` at the end.
    ///
    /// # Errors
    /// As [`Exchange::chunk`].
    pub async fn event(&mut self) -> Result<Option<String>, HarnessError> {
        loop {
            let end = self.buffer.windows(2).position(|pair| pair == b"\n\n");
            if let Some(end) = end {
                let event: Vec<u8> = self.buffer.drain(..end + 2).collect();
                return Ok(Some(String::from_utf8_lossy(&event).into_owned()));
            }
            match self.chunk().await? {
                Some(chunk) => self.buffer.extend_from_slice(&chunk),
                None => return Ok(None),
            }
        }
    }

    /// Waits for the rest.
    ///
    /// # Errors
    /// When it breaks off.
    pub async fn whole(mut self) -> Result<Reply, HarnessError> {
        let mut body = std::mem::take(&mut self.buffer);
        let mut trailers = HeaderMap::new();
        loop {
            let frame = async { Ok(self.response.body_mut().frame().await) };
            let Some(frame) = patiently("the answer ends", frame).await? else {
                break;
            };
            match frame.map_err(http_error)?.into_data() {
                Ok(data) => body.extend_from_slice(&data),
                Err(frame) => trailers.extend(frame.into_trailers().unwrap_or_default()),
            }
        }
        let headers = std::mem::take(self.response.headers_mut());
        Ok(Reply {
            status: self.response.status(),
            headers,
            body: body.into(),
            trailers,
        })
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The trailers.
    pub trailers: HeaderMap,
}

impl Reply {
    /// A header as text, empty if it is absent.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; of an event stream, the last message in it. `null` if there is none.
    #[must_use]
    pub fn json(&self) -> Value {
        if self.header("content-type").starts_with("text/event-stream") {
            return self.messages().pop().unwrap_or_default();
        }
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The JSON messages of an event stream, in order.
    #[must_use]
    pub fn messages(&self) -> Vec<Value> {
        let text = self.text();
        text.lines()
            .filter_map(|line| serde_json::from_str(line.strip_prefix("data:")?).ok())
            .collect()
    }
}

/// Sends bytes as they are and returns what comes back until the peer closes, or nothing comes for `patience`.
///
/// # Errors
/// When the connection cannot be made.
pub async fn raw(port: u16, bytes: &[u8], patience: Duration) -> Result<Vec<u8>, HarnessError> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))
        .await
        .map_err(HarnessError::io("connect"))?;
    // The peer may answer and close before it has read everything.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(Ok(size)) = tokio::time::timeout(patience, stream.read(&mut buffer)).await {
        match buffer.get(..size) {
            Some(read) if size > 0 => answer.extend_from_slice(read),
            _ => break,
        }
    }
    Ok(answer)
}

async fn patiently<T>(
    what: &str,
    work: impl Future<Output = Result<T, HarnessError>>,
) -> Result<T, HarnessError> {
    let late = |_| HarnessError::Deadline {
        what: what.to_owned(),
        seconds: PATIENCE.as_secs_f64(),
    };
    tokio::time::timeout(PATIENCE, work).await.map_err(late)?
}

fn add(headers: &mut HeaderMap, name: &str, value: &[u8]) {
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_bytes(value)) {
        headers.append(name, value);
    }
}

fn http_error(error: impl std::error::Error) -> HarnessError {
    let source = error
        .source()
        .map(|source| format!(": {source}"))
        .unwrap_or_default();
    HarnessError::Http(format!("{error}{source}"))
}
