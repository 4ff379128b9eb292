//! One connection, of a client or of the upstream.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;

use crate::http1::{Reader, Side};

/// Who we are on a connection.
#[derive(Clone, Copy, Debug)]
pub(super) enum Role {
    /// The upstream.
    Upstream,
    /// A client.
    Client {
        /// Where it is connected to.
        port: u16,
        /// When the request under way was to be sent.
        due: Option<Instant>,
    },
}

/// A connection with what is on its way in both directions.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    pub(super) reader: Reader,
    pub(super) role: Role,
    /// Whether `epoll` is asked to say when more can be written.
    pub(super) watched: bool,
    out: Option<Arc<[u8]>>,
    written: usize,
}

/// What a piece of input came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// A whole message; the reader has it.
    Message,
    /// Nothing whole yet.
    Partial,
    /// The other side has closed.
    Closed,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, role: Role) -> anyhow::Result<Self> {
        stream
            .set_nonblocking(true)
            .context("could not set up a connection")?;
        stream
            .set_nodelay(true)
            .context("could not set up a connection")?;
        let side = match role {
            Role::Upstream => Side::Requests,
            Role::Client { .. } => Side::Responses,
        };
        Ok(Self {
            stream,
            reader: Reader::new(side, false),
            role,
            watched: false,
            out: None,
            written: 0,
        })
    }

    /// Begins to send `message`; whether all of it went out.
    pub(super) fn send(&mut self, message: Arc<[u8]>) -> anyhow::Result<bool> {
        self.out = Some(message);
        self.written = 0;
        self.flush()
    }

    /// Sends on; whether all went out.
    pub(super) fn flush(&mut self) -> anyhow::Result<bool> {
        while let Some(message) = &self.out {
            let rest = message.get(self.written..).unwrap_or_default();
            if rest.is_empty() {
                self.out = None;
                break;
            }
            match self.stream.write(rest) {
                Ok(count) => self.written = self.written.saturating_add(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("a connection broke while sending"),
            }
        }
        Ok(true)
    }

    /// Reads once. What comes after a message is not read: neither side sends ahead.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> anyhow::Result<Input> {
        let count = match self.stream.read(buffer) {
            Ok(0) => return Ok(Input::Closed),
            Ok(count) => count,
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                return Ok(Input::Partial);
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(Input::Closed),
            Err(error) => return Err(error).context("a connection broke while reading"),
        };
        let bytes = buffer.get(..count).unwrap_or_default();
        let used = self.reader.feed(bytes)?;
        anyhow::ensure!(used == count, "a peer sent more than one message at once");
        Ok(if self.reader.is_done() {
            Input::Message
        } else {
            Input::Partial
        })
    }
}
