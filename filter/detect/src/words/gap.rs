//! What stands between words: spaces, symbols, ends of sentences and fields.

use super::{Reader, Sink, Word};
use crate::flag::SYMBOLS;
use crate::hash::Hasher;

/// The state between two words, which one piece hands to the next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gap {
    /// Whether the next word begins something.
    pub(super) starts: bool,
    /// How far the next word is.
    pub(super) step: u8,
    /// The symbol right before the place, or 0.
    pub(super) before: u8,
    /// A run of symbols under way.
    symbols: Hasher,
    count: u32,
    start: usize,
    /// Whether a sentence may have ended: a stop was seen, and a space would settle it.
    stop: bool,
}

impl Gap {
    /// At the beginning of a text.
    pub(crate) fn begin() -> Self {
        Self {
            starts: true,
            step: 1,
            before: 0,
            symbols: Hasher::default(),
            count: 0,
            start: 0,
            stop: false,
        }
    }

    /// A word was told, before which the symbols were flushed.
    #[inline]
    pub(super) fn after_word(&mut self) {
        self.starts = false;
        self.step = 1;
        self.before = 0;
        self.stop = false;
    }
}

impl<S: Sink> Reader<'_, '_, S> {
    #[inline]
    pub(super) fn space(&mut self, byte: u8, at: usize) {
        self.close(0);
        self.flush_symbols(at);
        self.gap.before = 0;
        if byte == b'\n' || byte == b'\r' {
            self.gap.starts = true;
        }
        if self.gap.stop {
            self.gap.stop = false;
            self.gap.starts = true;
            self.gap.step = 2;
        }
    }

    /// A symbol that was read from `at..end`.
    pub(super) fn symbol(&mut self, byte: u8, at: usize, end: usize) {
        // An apostrophe inside a word is no letter and no end.
        if byte == b'\'' && self.open.is_some() {
            let next = self.byte(end);
            if next.is_some_and(|next| next.is_ascii_alphabetic()) {
                return;
            }
        }
        self.close(byte);
        match byte {
            b'.' | b'!' | b'?' => self.gap.stop = true,
            b',' | b'\'' | b'/' | b'-' | b'@' | b'=' | b'+' | b'$' | b'~' | b'^' => {}
            b'"' => {
                self.gap.starts = true;
                if self.gap.stop {
                    self.gap.stop = false;
                    self.gap.step = 2;
                }
            }
            _ => self.gap.starts = true,
        }
        if matches!(byte, b'"' | b'<' | b'[' | b'{' | b'\'' | b'`') {
            self.flush_symbols(at);
        }
        if !matches!(byte, b'"' | b',' | b'\'') {
            if self.gap.count == 0 {
                self.gap.start = at;
                self.gap.symbols = Hasher::default();
            }
            self.gap.symbols.push(byte);
            self.gap.count += 1;
        }
        if matches!(byte, b'>' | b']') {
            self.flush_symbols(end);
        }
        self.gap.before = byte;
    }

    #[inline]
    pub(super) fn flush_symbols(&mut self, end: usize) {
        if self.gap.count == 0 {
            return;
        }
        if self.gap.count >= 2 {
            let word = Word {
                hash: self.gap.symbols.finish(),
                start: self.gap.start,
                end,
                length: self.gap.count,
                flags: SYMBOLS,
                before: 0,
                after: 0,
                step: 0,
            };
            self.sink.word(self.text, &word);
        }
        self.gap.count = 0;
    }
}
