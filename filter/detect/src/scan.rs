//! One message, read once.

use crate::{Kind, Pack, Verdict};

/// What is known beside the text.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context<'a> {
    /// Names of the other tools of the same server or list: a definition that speaks of one is suspicious.
    pub tools: &'a [String],
    /// The arguments that the text answers: an address that stands in it is no news.
    pub request: &'a [u8],
}

/// A scan under way.
#[derive(Debug)]
pub struct Scan<'p> {
    pack: &'p Pack,
    kind: Kind,
}

impl<'p> Scan<'p> {
    /// Begins a scan.
    pub fn new(pack: &'p Pack, kind: Kind, _context: Context<'_>) -> Self {
        Self { pack, kind }
    }

    /// Reads a piece: plain text or JSON as it is on the wire, escapes and all. Words may be split between
    /// pieces. Text that is not UTF-8 is read as far as it goes.
    pub fn feed(&mut self, _piece: &[u8]) {}

    /// The verdict over all pieces.
    pub fn finish(self) -> Verdict {
        let _ = (self.pack, self.kind);
        Verdict::default()
    }
}

/// Scans a message that is there whole.
pub fn scan(pack: &Pack, kind: Kind, context: Context<'_>, text: &[u8]) -> Verdict {
    let mut scan = Scan::new(pack, kind, context);
    scan.feed(text);
    scan.finish()
}
