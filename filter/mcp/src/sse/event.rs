//! One event as it came, and what a client reads in it.

use std::borrow::Cow;

/// A piece of a stream: an event with its terminator, or what stands between events (comments, empty lines).
/// The pieces of a stream concatenated are the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    raw: Vec<u8>,
    first: bool,
}

const BOM: &[u8] = b"\xef\xbb\xbf";

impl Event {
    pub(super) fn new(raw: Vec<u8>, first: bool) -> Self {
        Self { raw, first }
    }

    /// The bytes as they came, terminator included.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// The bytes as they came, without a copy.
    #[must_use]
    pub fn into_raw(self) -> Vec<u8> {
        self.raw
    }

    /// The joined `data`: `None` when there is no such line, empty for a priming event. Not checked for
    /// UTF-8.
    #[must_use]
    pub fn data(&self) -> Option<Cow<'_, [u8]>> {
        let mut data = self.fields(b"data");
        let first = data.next()?;
        let Some(second) = data.next() else {
            return Some(Cow::Borrowed(first));
        };
        let mut joined = first.to_vec();
        for part in std::iter::once(second).chain(data) {
            joined.push(b'\n');
            joined.extend_from_slice(part);
        }
        Some(Cow::Owned(joined))
    }

    /// The last `event`: the type, `message` when there is none.
    #[must_use]
    pub fn kind(&self) -> Option<&[u8]> {
        self.fields(b"event").last()
    }

    /// The last `id`, which a client sends back as `Last-Event-ID`.
    #[must_use]
    pub fn id(&self) -> Option<&[u8]> {
        self.fields(b"id").last()
    }

    /// The event with other data and everything else (id, type, retry, comments, line ends) as it came. An
    /// event without data gets none.
    #[must_use]
    pub fn with_data(&self, data: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.raw.len().saturating_add(data.len()));
        out.extend_from_slice(self.bom());
        let mut replaced = false;
        for (line, end) in self.lines() {
            if field(line).0 != b"data" {
                // Where a line between them is gone, a CR and a line feed would become one line end.
                if out.ends_with(b"\r") && line.is_empty() && end == b"\n" {
                    out.push(b'\n');
                }
                out.extend_from_slice(line);
                out.extend_from_slice(end);
            } else if !replaced {
                replaced = true;
                // Only an event that was cut off ends without one.
                let end = if end.is_empty() { b"\n" } else { end };
                for (part, _) in Lines(data) {
                    out.extend_from_slice(b"data: ");
                    out.extend_from_slice(part);
                    out.extend_from_slice(end);
                }
                if data.is_empty() {
                    out.extend_from_slice(b"data:");
                    out.extend_from_slice(end);
                }
            }
        }
        out
    }

    /// The event with each `id` replaced by what `rename` makes of it, everything else as it came. An empty
    /// one, which makes clients forget the last, stays; one that is not UTF-8 becomes empty.
    #[must_use]
    pub fn with_ids(self, rename: &mut dyn FnMut(&str) -> String) -> Self {
        if self.fields(b"id").all(<[u8]>::is_empty) {
            return self;
        }
        let mut raw = self.bom().to_vec();
        for (line, end) in self.lines() {
            match field(line) {
                (b"id", id) if !id.is_empty() => {
                    raw.extend_from_slice(b"id: ");
                    if let Ok(id) = std::str::from_utf8(id) {
                        raw.extend_from_slice(rename(id).as_bytes());
                    }
                }
                _ => raw.extend_from_slice(line),
            }
            raw.extend_from_slice(end);
        }
        Self {
            raw,
            first: self.first,
        }
    }

    fn bom(&self) -> &[u8] {
        if self.first && self.raw.starts_with(BOM) {
            BOM
        } else {
            b""
        }
    }

    fn lines(&self) -> Lines<'_> {
        Lines(self.raw.get(self.bom().len()..).unwrap_or_default())
    }

    fn fields<'e>(&'e self, name: &'static [u8]) -> impl Iterator<Item = &'e [u8]> {
        self.lines()
            .map(|(line, _)| field(line))
            .filter(move |f| f.0 == name)
            .map(|f| f.1)
    }
}

/// Name and value of a line; a comment has an empty name, and so has an empty line.
fn field(line: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b':', line).and_then(|at| line.split_at_checked(at)) {
        None => (line, b""),
        Some((name, rest)) => {
            let value = rest.get(1..).unwrap_or_default();
            (name, value.strip_prefix(b" ").unwrap_or(value))
        }
    }
}

/// Lines with their ends: LF, CR, CRLF, or nothing at the end of the text.
struct Lines<'a>(&'a [u8]);

impl<'a> Iterator for Lines<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let at = memchr::memchr2(b'\r', b'\n', self.0).unwrap_or(self.0.len());
        let (line, rest) = self.0.split_at_checked(at)?;
        let end = if rest.starts_with(b"\r\n") {
            2
        } else {
            rest.len().min(1)
        };
        let (end, rest) = rest.split_at_checked(end)?;
        self.0 = rest;
        Some((line, end))
    }
}

pub(super) fn is_comment(line: &[u8], first: bool) -> bool {
    let line = if first {
        line.strip_prefix(BOM).unwrap_or(line)
    } else {
        line
    };
    line.starts_with(b":")
}

pub(super) fn is_blank(line: &[u8], first: bool) -> bool {
    line.is_empty() || (first && line == BOM)
}
