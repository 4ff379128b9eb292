//! What the filter asks of its host, as traits, so that everything above the ABI runs natively.
//!
//! Every call returns a `Result`: a host that refuses a call must end in a refusal of the request,
//! never in a crash of the worker.

use thiserror::Error;

pub use crate::pairs::HeaderPairs;

/// A host call that did not succeed.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum HostError {
    /// The host answered with a status other than `Ok`.
    #[error("host call `{call}` failed with status {status}")]
    Status {
        /// Name of the call.
        call: &'static str,
        /// Status as the proxy-wasm ABI numbers it.
        status: u32,
    },
    /// The host's answer could not be read.
    #[error("host call `{call}` gave data that cannot be read")]
    Malformed {
        /// Name of the call.
        call: &'static str,
    },
}

/// Which half of an exchange a call is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Client to upstream.
    Request,
    /// Upstream to client.
    Response,
}

/// What a callback tells the host to do with what it brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Let it go on.
    Continue,
    /// Keep it, and everything after it, until a later callback says otherwise.
    Pause,
}

/// How important a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// For operators: configuration, connections.
    Info,
    /// Something is wrong outside.
    Warn,
    /// Something is wrong inside.
    Error,
    /// The worker is about to end.
    Critical,
}

/// A reply of the filter's own, sent instead of what the upstream would say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalReply {
    /// HTTP status.
    pub status: u32,
    /// Headers beside what Envoy adds.
    pub headers: Vec<(&'static str, String)>,
    /// Body; empty for none.
    pub body: Vec<u8>,
}

/// The host as one exchange sees it.
pub trait Host {
    /// Nanoseconds since the Unix epoch.
    fn now(&self) -> Result<u64, HostError>;
    /// All headers, in one call.
    fn headers(&self, direction: Direction) -> Result<HeaderPairs, HostError>;
    /// The trailers of the request, in the event that brings them.
    fn trailers(&self) -> Result<HeaderPairs, HostError>;
    /// Sets a header, replacing all of its values.
    fn set_header(&self, direction: Direction, name: &str, value: &str) -> Result<(), HostError>;
    /// Removes a header with all of its values; absent is not an error.
    fn remove_header(&self, direction: Direction, name: &str) -> Result<(), HostError>;
    /// The first `size` bytes of what is buffered.
    fn body(&self, direction: Direction, size: usize) -> Result<Vec<u8>, HostError>;
    /// Replaces what is buffered, all `size` bytes of it.
    fn replace_body(&self, direction: Direction, size: usize, new: &[u8]) -> Result<(), HostError>;
    /// Answers the client. At most once per exchange.
    fn reply(&self, reply: &LocalReply) -> Result<(), HostError>;
    /// Lets a paused half go on, outside of the event that paused it.
    fn resume(&self, direction: Direction) -> Result<(), HostError>;
    /// Ends the exchange abruptly; the last resort when nothing can be said any more.
    fn reset(&self) -> Result<(), HostError>;
    /// A value that all workers share; nothing when there is none.
    fn shared(&self, key: &str) -> Result<Option<Vec<u8>>, HostError>;
    /// Sets a value that all workers share.
    fn set_shared(&self, key: &str, value: &[u8]) -> Result<(), HostError>;
    /// Publishes a value in the filter state of the exchange, for the access log.
    fn publish(&self, key: &str, value: &[u8]) -> Result<(), HostError>;
    /// A property of the host, or what was published in the filter state of the exchange, by whichever filter of
    /// this kind; empty when there is none.
    fn property(&self, path: &[&str]) -> Result<Vec<u8>, HostError>;
    /// Adds to a counter, by the id that [`RootHost::define_counter`] gave.
    fn count(&self, metric: u32, by: u64);
    /// Writes a line to the host's log.
    fn log(&self, level: Level, message: &str);
}

/// All `size` bytes of what is buffered; without any, the host is not asked.
///
/// # Errors
/// The host's, and [`HostError::Malformed`] when it gives fewer or more: nothing may be judged by a part.
pub fn whole_body(
    host: &dyn Host,
    direction: Direction,
    size: usize,
) -> Result<Vec<u8>, HostError> {
    if size == 0 {
        return Ok(Vec::new());
    }
    let body = host.body(direction, size)?;
    if body.len() == size {
        Ok(body)
    } else {
        Err(HostError::Malformed {
            call: "get_buffer_bytes",
        })
    }
}

/// The host as the root context sees it.
pub trait RootHost: Host {
    /// The plugin's configuration.
    fn configuration(&self) -> Result<Vec<u8>, HostError>;
    /// Asks for a tick every so many milliseconds.
    fn set_tick(&self, milliseconds: u32) -> Result<(), HostError>;
    /// Defines a counter and gives its id.
    fn define_counter(&self, name: &str) -> Result<u32, HostError>;
    /// Defines a gauge and gives its id.
    fn define_gauge(&self, name: &str) -> Result<u32, HostError>;
    /// Sets a gauge.
    fn gauge(&self, metric: u32, value: u64);
    /// Opens a gRPC stream and gives its token.
    fn open_stream(&self, cluster: &str, service: &str, method: &str) -> Result<u32, HostError>;
    /// Sends one message on a stream.
    fn send(&self, stream: u32, message: &[u8]) -> Result<(), HostError>;
    /// Gives a stream up.
    fn cancel(&self, stream: u32) -> Result<(), HostError>;
    /// The message that the current callback brought.
    fn message(&self, size: usize) -> Result<Vec<u8>, HostError>;
    /// What the other side said, beside a number, when it closed the stream that the current callback is about.
    fn status_message(&self) -> Result<Vec<u8>, HostError>;
    /// Has the calls that follow in this event be about another context, by its number.
    fn enter(&self, context: u32) -> Result<(), HostError>;
    /// Tells the host that a root whose end was put off may go.
    fn done(&self) -> Result<(), HostError>;
}
