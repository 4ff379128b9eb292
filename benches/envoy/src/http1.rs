//! HTTP/1.1 as far as a load generator and its upstream need it: where a message ends, and what its head says.

use std::fmt;

/// Most headers that a message may have here.
const MAX_HEADERS: usize = 64;

/// A request header by which the upstream chooses its answer without reading the body.
pub const ANSWER_HEADER: &str = "x-bench-answer";

/// Which side of the exchange is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Requests: a message without a length has no body.
    Requests,
    /// Responses: every one must say how long it is.
    Responses,
}

/// What the head of a message said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Of a response; 0 for a request.
    pub status: u16,
    /// Of a request: POST, GET.
    pub method: String,
    /// [`ANSWER_HEADER`], if there was one.
    pub answer: Option<Vec<u8>>,
    /// `mcp-session-id`, if there was one.
    pub session: Option<String>,
}

/// What cannot be read as HTTP/1.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed(&'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "not HTTP/1.1: {}", self.0)
    }
}

impl std::error::Error for Malformed {}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Head,
    Sized(u64),
    ChunkSize(u64, bool),
    ChunkData(u64),
    ChunkEnd,
    /// Bytes of the current line of the trailers.
    Trailers(u64),
    Done,
}

/// Reads one message after the other from pieces of any size.
#[derive(Clone, Debug)]
pub struct Reader {
    side: Side,
    keep: bool,
    state: State,
    bytes: Vec<u8>,
    head: Head,
    body: Vec<u8>,
    length: u64,
}

impl Reader {
    /// For messages of `side`; with `keep` the body of every message is kept, else only that of requests without
    /// [`ANSWER_HEADER`].
    #[must_use]
    pub fn new(side: Side, keep: bool) -> Self {
        Self {
            side,
            keep,
            state: State::Head,
            bytes: Vec::new(),
            head: Head::default(),
            body: Vec::new(),
            length: 0,
        }
    }

    /// Takes bytes up to the end of the current message and says how many those were. [`Reader::is_done`] then says
    /// whether the message is whole.
    ///
    /// # Errors
    /// When they are no HTTP/1.1.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        let mut rest = bytes;
        while !rest.is_empty() && self.state != State::Done {
            let used = self.step(rest)?;
            rest = rest.get(used..).unwrap_or_default();
        }
        Ok(bytes.len().saturating_sub(rest.len()))
    }

    /// Whether a whole message has been read.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// The head of the message that was read.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The body of the message, as far as it is kept.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Bytes of the body, whether it is kept or not.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Begins the next message, whose body is kept if `keep` is set.
    pub fn next(&mut self, keep: bool) {
        self.keep = keep;
        self.state = State::Head;
        self.bytes.clear();
        self.body.clear();
        self.length = 0;
    }

    fn step(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        match self.state {
            State::Head => self.in_head(bytes),
            State::Sized(left) => {
                let used = self.take(bytes, left);
                self.state = match left.saturating_sub(as_u64(used)) {
                    0 => State::Done,
                    left => State::Sized(left),
                };
                Ok(used)
            }
            State::ChunkData(left) => {
                let used = self.take(bytes, left);
                self.state = match left.saturating_sub(as_u64(used)) {
                    0 => State::ChunkEnd,
                    left => State::ChunkData(left),
                };
                Ok(used)
            }
            _ => {
                let byte = bytes.first().copied().unwrap_or_default();
                self.state = self.in_line(byte)?;
                Ok(1)
            }
        }
    }

    /// One byte of what stands around the chunks.
    fn in_line(&self, byte: u8) -> Result<State, Malformed> {
        Ok(match (&self.state, byte) {
            (State::ChunkSize(0, _), b'\n') => State::Trailers(0),
            (State::ChunkSize(size, _), b'\n') => State::ChunkData(*size),
            (State::ChunkSize(size, _), b';') => State::ChunkSize(*size, true),
            (State::ChunkSize(size, true), _) | (State::ChunkSize(size, _), b'\r') => {
                State::ChunkSize(*size, true)
            }
            (State::ChunkSize(size, false), digit) => {
                let digit = char::from(digit)
                    .to_digit(16)
                    .ok_or(Malformed("the size of a chunk"))?;
                let size = size.checked_mul(16).map(|size| size | u64::from(digit));
                State::ChunkSize(size.ok_or(Malformed("a chunk that large"))?, false)
            }
            (State::ChunkEnd, b'\n') => State::ChunkSize(0, false),
            (State::ChunkEnd, b'\r') => State::ChunkEnd,
            (State::ChunkEnd, _) => return Err(Malformed("the end of a chunk")),
            (State::Trailers(0), b'\n') => State::Done,
            (State::Trailers(_), b'\n') => State::Trailers(0),
            (State::Trailers(count), b'\r') => State::Trailers(*count),
            (State::Trailers(count), _) => State::Trailers(count.saturating_add(1)),
            (State::Head | State::Sized(_) | State::ChunkData(_) | State::Done, _) => State::Done,
        })
    }

    fn take(&mut self, bytes: &[u8], left: u64) -> usize {
        let used = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if self.keep || (self.side == Side::Requests && self.head.answer.is_none()) {
            self.body
                .extend_from_slice(bytes.get(..used).unwrap_or_default());
        }
        self.length = self.length.saturating_add(as_u64(used));
        used
    }

    fn in_head(&mut self, bytes: &[u8]) -> Result<usize, Malformed> {
        // Most heads come in one piece and need not be put together.
        if self.bytes.is_empty()
            && let Some(used) = self.head_in(bytes)?
        {
            return Ok(used);
        }
        let before = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        let whole = std::mem::take(&mut self.bytes);
        match self.head_in(&whole)? {
            Some(used) => Ok(used.saturating_sub(before)),
            None => {
                self.bytes = whole;
                Ok(bytes.len())
            }
        }
    }

    /// Reads a head at the beginning of `bytes`, and says how long it is, unless it is not there as a whole.
    fn head_in(&mut self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let (parsed, status, method) = match self.side {
            Side::Requests => {
                let mut request = httparse::Request::new(&mut headers);
                let parsed = request
                    .parse(bytes)
                    .map_err(|_| Malformed("the head of a request"))?;
                (parsed, 0, request.method.unwrap_or_default().to_owned())
            }
            Side::Responses => {
                let mut response = httparse::Response::new(&mut headers);
                let parsed = response
                    .parse(bytes)
                    .map_err(|_| Malformed("the head of a response"))?;
                (parsed, response.code.unwrap_or_default(), String::new())
            }
        };
        let httparse::Status::Complete(used) = parsed else {
            return Ok(None);
        };
        let mut head = Head {
            status,
            method,
            ..Head::default()
        };
        let mut state = match self.side {
            Side::Requests => State::Done,
            Side::Responses if status == 202 || status == 204 || status == 304 => State::Done,
            Side::Responses => State::Head,
        };
        for header in headers.iter().take_while(|header| !header.name.is_empty()) {
            if header.name.eq_ignore_ascii_case("content-length") {
                let text = std::str::from_utf8(header.value).unwrap_or_default();
                let length = text.parse().map_err(|_| Malformed("a content-length"))?;
                state = match length {
                    0 => State::Done,
                    length => State::Sized(length),
                };
            } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
                state = State::ChunkSize(0, false);
            } else if header.name.eq_ignore_ascii_case(ANSWER_HEADER) {
                head.answer = Some(header.value.to_vec());
            } else if header.name.eq_ignore_ascii_case("mcp-session-id") {
                head.session = Some(String::from_utf8_lossy(header.value).into_owned());
            }
        }
        if state == State::Head {
            return Err(Malformed("a response without a length"));
        }
        self.head = head;
        self.state = state;
        Ok(Some(used))
    }
}

fn as_u64(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nMcp-Session-Id: a.b\r\n\r\n\
        5\r\nhello\r\n1;x=y\r\n \r\n5\r\nworld\r\n0\r\nx-trailer: 1\r\n\r\n";

    fn read(side: Side, text: &str, piece: usize) -> (Reader, usize) {
        let mut reader = Reader::new(side, true);
        let mut used = 0;
        for bytes in text.as_bytes().chunks(piece) {
            used += reader.feed(bytes).unwrap();
            if reader.is_done() {
                break;
            }
        }
        (reader, used)
    }

    #[test]
    fn messages_end_where_they_say_however_they_are_cut() {
        let sized = "POST /crm/mcp HTTP/1.1\r\nhost: x\r\nX-Bench-Answer: ok\r\ncontent-length: 4\r\n\r\nabcd";
        let get = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
        let accepted = "HTTP/1.1 202 Accepted\r\n\r\n";
        for (side, text, body) in [
            (Side::Requests, sized, "abcd"),
            (Side::Requests, get, ""),
            (Side::Responses, CHUNKED, "hello world"),
            (Side::Responses, accepted, ""),
        ] {
            for piece in [1, 2, 3, 7, 30, 1000] {
                let (reader, used) = read(side, &format!("{text}GET"), piece);
                assert!(reader.is_done(), "{text} in pieces of {piece}");
                assert_eq!(reader.body(), body.as_bytes(), "{text}");
                assert_eq!(reader.length(), body.len() as u64, "{text}");
                assert_eq!(used, text.len(), "{text} in pieces of {piece}");
            }
        }
        let (reader, _) = read(Side::Requests, sized, 5);
        assert_eq!(reader.head().answer.as_deref(), Some(b"ok".as_slice()));
        let (reader, _) = read(Side::Responses, CHUNKED, 5);
        assert_eq!(reader.head().status, 200);
        assert_eq!(reader.head().session.as_deref(), Some("a.b"));
    }

    #[test]
    fn one_message_follows_the_other() {
        let mut reader = Reader::new(Side::Responses, false);
        let text = "HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nxy";
        for _ in 0..2 {
            assert_eq!(reader.feed(text.as_bytes()), Ok(text.len()));
            assert!(reader.is_done() && reader.head().status == 404);
            assert_eq!((reader.body(), reader.length()), (b"".as_slice(), 2));
            reader.next(false);
        }
    }

    #[test]
    fn what_is_no_http_is_an_error() {
        for (side, text) in [
            (Side::Responses, "HTTP/1.1 200 OK\r\n\r\n"),
            (
                Side::Responses,
                "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
            ),
            (
                Side::Responses,
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nz",
            ),
            (Side::Requests, "\0\0\0\0"),
        ] {
            let mut reader = Reader::new(side, false);
            assert!(reader.feed(text.as_bytes()).is_err(), "{text}");
        }
    }
}
