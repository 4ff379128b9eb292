//! Cuts a stream into events, however it arrives.

use super::event::{Event, is_blank, is_comment};
use std::collections::VecDeque;

/// Cuts a stream of server-sent events into pieces as soon as each is complete. Where it cuts does not
/// depend on the chunks; the pieces concatenated are the stream.
///
/// A piece ends with an empty line, or with a comment that stands alone, so that keep-alives without an
/// empty line pass at once and do not add up.
#[derive(Debug)]
pub struct Framer {
    max_event_bytes: usize,
    buffer: Vec<u8>,
    /// Where in `buffer` the next piece to hand out starts.
    start: usize,
    /// Ends of the complete pieces in `buffer` that were not handed out.
    ends: VecDeque<usize>,
    /// Where the unfinished piece, its unfinished line, and the search for that line's end start.
    piece: usize,
    line: usize,
    searched: usize,
    /// What is known of the unfinished piece.
    has_field: bool,
    lone_cr: bool,
    first_line: bool,
    first_piece: bool,
    /// The last piece ended with a CR, so a line feed right after it is still that line's end.
    skip_line_feed: bool,
    failed: bool,
}

/// An event is larger than allowed. What was complete before it can still be taken; the stream cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an event of the stream is larger than {limit} bytes; raise the limit `eventBytes` of the server"
)]
pub struct TooLarge {
    /// The limit in bytes.
    pub limit: usize,
}

/// What a stream ends with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tail {
    /// Nothing.
    Empty,
    /// A last piece that only the end of the stream completed (an empty line ended by a lone CR).
    Complete(Event),
    /// A piece without its empty line. The standard has clients discard it, but some read it.
    Cut(Event),
}

impl Framer {
    /// For one stream, with the most bytes that one piece may have.
    #[must_use]
    pub fn new(max_event_bytes: usize) -> Self {
        Self {
            max_event_bytes,
            buffer: Vec::new(),
            start: 0,
            ends: VecDeque::new(),
            piece: 0,
            line: 0,
            searched: 0,
            has_field: false,
            lone_cr: false,
            first_line: true,
            first_piece: true,
            skip_line_feed: false,
            failed: false,
        }
    }

    /// Takes the next bytes. After each push, take what [`Framer::next_event`] has.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), TooLarge> {
        if self.failed {
            return Err(self.too_large());
        }
        self.compact();
        self.buffer.extend_from_slice(chunk);
        while self.step(false) {
            if self.failed {
                return Err(self.too_large());
            }
        }
        if self.buffer.len().saturating_sub(self.piece) > self.max_event_bytes {
            return Err(self.too_large());
        }
        Ok(())
    }

    /// The next complete piece.
    pub fn next_event(&mut self) -> Option<Event> {
        let end = self.ends.pop_front()?;
        Some(self.take(end))
    }

    /// What is left when the stream has ended. Take the complete pieces first.
    #[must_use]
    pub fn finish(mut self) -> Tail {
        // A CR at the very end waits for a line feed that will not come.
        while !self.failed && self.step(true) {}
        if let Some(end) = self.ends.pop_front() {
            return Tail::Complete(self.take(end));
        }
        match self.buffer.len() {
            end if end > self.start => Tail::Cut(self.take(end)),
            _ => Tail::Empty,
        }
    }

    fn take(&mut self, end: usize) -> Event {
        let raw = self
            .buffer
            .get(self.start..end)
            .unwrap_or_default()
            .to_vec();
        self.start = end;
        Event::new(raw, std::mem::take(&mut self.first_piece))
    }

    /// Reads one line, if there is a whole one.
    fn step(&mut self, at_end: bool) -> bool {
        if self.skip_line_feed {
            match self.buffer.get(self.line) {
                None => return false,
                Some(b'\n') => self.line += 1,
                Some(_) => {}
            }
            self.skip_line_feed = false;
            self.searched = self.line;
        }
        let unread = self.buffer.get(self.searched..).unwrap_or_default();
        let Some(found) = memchr::memchr2(b'\r', b'\n', unread) else {
            self.searched = self.buffer.len();
            return false;
        };
        let at = self.searched + found;
        self.searched = at;
        let text = self.buffer.get(self.line..at).unwrap_or_default();
        let blank = is_blank(text, self.first_line);
        let comment = is_comment(text, self.first_line);
        let cr = self.buffer.get(at) == Some(&b'\r');
        let next = self.buffer.get(at + 1);
        let mut end = at + 1;
        let mut lone_cr = false;
        if cr {
            match next {
                // A stream that ends its lines with lone CRs is not made to wait for its next byte.
                _ if blank && self.lone_cr => self.skip_line_feed = true,
                Some(b'\n') => end += 1,
                Some(_) => lone_cr = true,
                None if at_end => lone_cr = true,
                None => return false,
            }
        }
        self.first_line = false;
        self.line = end;
        self.searched = end;
        self.lone_cr = lone_cr;
        if blank || (comment && !self.has_field) {
            self.cut(end);
        } else {
            self.has_field = true;
        }
        true
    }

    fn cut(&mut self, end: usize) {
        if end - self.piece > self.max_event_bytes {
            self.failed = true;
            return;
        }
        self.ends.push_back(end);
        self.piece = end;
        self.has_field = false;
        self.lone_cr = false;
    }

    /// Gives back the room of the pieces that were handed out. Called once per push, it moves at most one
    /// unfinished piece when all complete ones were taken.
    fn compact(&mut self) {
        let gone = std::mem::take(&mut self.start);
        if gone == 0 {
            return;
        }
        self.buffer.drain(..gone);
        for end in &mut self.ends {
            *end -= gone;
        }
        self.piece -= gone;
        self.line -= gone;
        self.searched -= gone;
    }

    fn too_large(&mut self) -> TooLarge {
        self.failed = true;
        TooLarge {
            limit: self.max_event_bytes,
        }
    }
}
