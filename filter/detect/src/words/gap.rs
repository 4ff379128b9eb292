//! What stands between words: spaces, symbols, ends of sentences and fields.

use super::marks::{COUNTS, ENDS, ENDS_BEFORE, STARTS, STOP, marks};
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

    /// Somewhere in a text.
    pub(crate) fn within() -> Self {
        Self {
            starts: false,
            ..Self::begin()
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
        self.mark(byte, at, end);
    }

    /// A symbol while no word is under way.
    #[inline]
    pub(super) fn mark(&mut self, byte: u8, at: usize, end: usize) {
        let marks = marks(byte);
        if marks & ENDS_BEFORE != 0 {
            self.flush_symbols(at);
        }
        let gap = &mut self.gap;
        gap.stop |= marks & STOP != 0;
        gap.starts |= marks & STARTS != 0;
        if byte == b'"' && gap.stop {
            gap.stop = false;
            gap.step = 2;
        }
        gap.before = byte;
        if marks & COUNTS != 0 {
            if gap.count == 0 {
                gap.start = at;
                gap.symbols = Hasher::default();
            }
            gap.symbols.push(byte);
            gap.count += 1;
            if marks & ENDS != 0 {
                self.flush_symbols(end);
            }
        }
    }

    #[inline]
    pub(super) fn flush_symbols(&mut self, end: usize) {
        if self.gap.count >= 2 {
            self.tell_symbols(end);
        }
        self.gap.count = 0;
    }

    fn tell_symbols(&mut self, end: usize) {
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
}
