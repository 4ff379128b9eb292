//! One HTTP stream of the host: what of it the filter can reach, and what is held back.

use std::collections::BTreeMap;

use crate::outcome::Message;
use crate::pairs::Pairs;
use crate::world::Status;

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Request,
    Response,
}

/// What a pause in the headers callback holds back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Held {
    #[default]
    Nothing,
    /// The headers; body callbacks still come.
    Headers,
    /// Everything; no callback comes any more.
    All,
}

/// One stream.
#[derive(Debug, Default)]
pub(crate) struct Http {
    request: Half,
    response: Half,
    /// A local reply that is to be sent when the callback is over.
    pub(crate) reply: Option<(u32, Pairs, Vec<u8>)>,
    /// The filter has replied.
    pub(crate) replied: bool,
    /// The stream is to be reset when the callback is over.
    pub(crate) resetting: bool,
    /// The paused request is to go on when the callback is over.
    pub(crate) resuming: bool,
    pub(crate) reset: bool,
    /// No more of the request or the upstream's response comes.
    pub(crate) cut: bool,
    /// The client has its whole answer, past the filter.
    pub(crate) direct: bool,
    pub(crate) gone: bool,
    pub(crate) filter_state: BTreeMap<String, String>,
}

impl Http {
    pub(crate) fn side(&self, side: Side) -> &Half {
        match side {
            Side::Request => &self.request,
            Side::Response => &self.response,
        }
    }

    pub(crate) fn side_mut(&mut self, side: Side) -> &mut Half {
        match side {
            Side::Request => &mut self.request,
            Side::Response => &mut self.response,
        }
    }

    /// Whether more of a side can come.
    pub(crate) fn flows(&self, side: Side) -> bool {
        !self.reset && !self.direct && !self.gone && (side == Side::Response || !self.cut)
    }
}

/// One direction of a stream.
#[derive(Debug, Default)]
pub(crate) struct Half {
    /// Headers have come.
    pub(crate) started: bool,
    pub(crate) held: Held,
    headers: Pairs,
    /// The filter can reach the headers.
    headers_open: bool,
    trailers: Pairs,
    trailers_open: bool,
    buffer: Vec<u8>,
    /// The filter can reach the buffer.
    buffer_open: bool,
    /// The next piece joins what is buffered.
    buffering: bool,
    /// Bytes of the body that have come, whether or not the filter was told.
    received: usize,
    /// The last of it has come.
    complete: bool,
    /// What went on.
    pub(crate) out: Option<Message>,
}

impl Half {
    /// Whether all of it has come, and is held.
    pub(crate) fn is_complete(&self) -> bool {
        self.complete && self.out.is_none()
    }

    pub(crate) fn complete(&mut self) {
        self.complete = true;
    }

    /// What has come in bytes, with the headers as they are now.
    pub(crate) fn total_size(&self) -> usize {
        let headers = self.headers.iter();
        let headers: usize = headers.map(|(name, value)| name.len() + value.len()).sum();
        headers + self.received
    }

    pub(crate) fn begin(&mut self, headers: Pairs) {
        self.started = true;
        self.headers = headers;
        self.headers_open = true;
    }

    /// A piece of the body; gives the size that the filter is told.
    pub(crate) fn piece(&mut self, piece: &[u8]) -> usize {
        self.received += piece.len();
        if !self.buffering {
            self.buffer.clear();
        }
        self.buffer.extend_from_slice(piece);
        self.buffer_open = true;
        self.buffer.len()
    }

    pub(crate) fn end_with(&mut self, trailers: Pairs) -> usize {
        self.trailers = trailers;
        self.trailers_open = true;
        self.trailers.len()
    }

    /// The filter keeps the piece.
    pub(crate) fn keep(&mut self) -> usize {
        self.buffering = true;
        self.buffer.len()
    }

    /// The filter lets go on what there is.
    pub(crate) fn pass(&mut self, end: bool) {
        let headers = std::mem::take(&mut self.headers);
        let out = self.out.get_or_insert_with(|| Message {
            headers,
            ..Message::default()
        });
        let piece = std::mem::take(&mut self.buffer);
        if !piece.is_empty() {
            out.body.extend_from_slice(&piece);
            out.pieces.push(piece);
        }
        out.trailers.append(&mut self.trailers);
        out.ended |= end;
        self.held = Held::Nothing;
        self.buffering = false;
        self.buffer_open = false;
        self.headers_open = false;
        self.trailers_open = false;
    }

    /// The buffer as the filter can read it; what cannot be reached is empty.
    pub(crate) fn readable(&self) -> &[u8] {
        if self.buffer_open { &self.buffer } else { &[] }
    }

    /// Envoy takes a replacement from the start on or at the end, nothing in the middle.
    pub(crate) fn replace(&mut self, start: usize, size: usize, new: &[u8]) -> Result<(), Status> {
        if !self.buffer_open {
            return Err(Status::BadArgument);
        }
        if start == 0 && size == 0 {
            self.buffer.splice(..0, new.iter().copied());
        } else if start == 0 && size >= self.buffer.len() {
            self.buffer = new.to_vec();
        } else if start >= self.buffer.len() && start > 0 {
            self.buffer.extend_from_slice(new);
        } else {
            return Err(Status::BadArgument);
        }
        Ok(())
    }

    pub(crate) fn headers(&mut self) -> Option<&mut Pairs> {
        self.headers_open.then_some(&mut self.headers)
    }

    pub(crate) fn trailers(&mut self) -> Option<&mut Pairs> {
        self.trailers_open.then_some(&mut self.trailers)
    }

    /// What is held back, to look at.
    pub(crate) fn queue(&mut self, piece: &[u8]) {
        self.received += piece.len();
        self.buffer.extend_from_slice(piece);
    }
}
