//! The loop over plain text.

use super::marks::{LOOK, ODD, SPACE, marks};
use super::masks::{BLOCK, Masks, block, word_length};
use super::{Reader, Sink, Word};
use crate::flag::START;
use crate::hash::Hash;

impl<S: Sink> Reader<'_, '_, S> {
    pub(super) fn read(&mut self, from: usize) {
        let mut at = from;
        while at < self.end {
            at = self.block(at);
        }
        self.close(0);
        self.flush_symbols(self.end);
    }

    /// Reads most of the 64 bytes from `base`; gives where to go on.
    fn block(&mut self, base: usize) -> usize {
        let rest = self.rest(base);
        let mut padded = [b' '; BLOCK];
        let (block, length) = block(rest, &mut padded);
        let masks = Masks::of(block);
        let mut place = 0;
        while place < length {
            let ahead = u64::MAX << place;
            let next = ((masks.word & ahead).trailing_zeros() as usize).min(length);
            if next > place {
                // One space is what stands between most words.
                if next == place + 1 && self.text.get(base + place) == Some(&b' ') {
                    self.space(b' ', base + place);
                    place = next;
                    if next == length {
                        break;
                    }
                } else {
                    place = self.between(base + place, base + next) - base;
                    if place != next || next == length {
                        continue;
                    }
                }
            }
            let past = (!masks.word & (u64::MAX << next)).trailing_zeros() as usize;
            if past >= length {
                // It may go on in the next block.
                return if next > 0 && length == BLOCK {
                    base + next
                } else {
                    self.long(base + next)
                };
            }
            self.plain(base, next, past, &masks);
            place = past;
        }
        base + place
    }

    /// Reads spaces, symbols and whatever begins with an odd byte; gives where to go on, which is `end` unless
    /// something went beyond.
    #[inline]
    pub(super) fn between(&mut self, start: usize, end: usize) -> usize {
        let mut at = start;
        while at < end {
            let Some(byte) = self.text.get(at).copied() else {
                break;
            };
            let marks = marks(byte);
            at = if marks & SPACE != 0 {
                self.space(byte, at);
                at + 1
            } else if marks & ODD != 0 {
                self.escape(byte, at)
            } else if self.open.is_none() {
                self.mark(byte, at, at + 1);
                at + 1
            } else {
                self.symbol(byte, at, at + 1);
                at + 1
            };
        }
        at
    }

    /// What begins with an odd byte; gives where to go on. The escapes that JSON is full of are read here.
    #[inline]
    fn escape(&mut self, byte: u8, at: usize) -> usize {
        if byte == b'\\' {
            match self.byte(at + 1) {
                Some(b'n' | b'r') => self.space(b'\n', at),
                Some(b't') => self.space(b' ', at),
                Some(b'"') => self.symbol(b'"', at, at + 2),
                _ => return self.odd(byte, at),
            }
            return at + 2;
        }
        self.odd(byte, at)
    }

    /// The symbol that ends the word before it, 0 for a space; nothing if the word may go on behind it.
    fn ends(&self, symbol: u8, at: usize) -> Option<u8> {
        let next = self.byte(at + 1);
        match symbol {
            b'\\' => match next {
                Some(b'n' | b'r' | b't') => Some(0),
                Some(b'"') => Some(b'"'),
                _ => None,
            },
            b'\'' => next
                .is_none_or(|next| !next.is_ascii_alphabetic())
                .then_some(symbol),
            b'=' => next
                .is_none_or(|next| next > b'F' && next != b'\\')
                .then_some(symbol),
            _ => None,
        }
    }

    /// A word within the block.
    #[inline]
    fn plain(&mut self, base: usize, first: usize, past: usize, masks: &Masks) {
        let (start, end) = (base + first, base + past);
        let next = self.byte(end).unwrap_or(0);
        let marks = marks(next);
        let after = if marks & SPACE != 0 {
            0
        } else if marks & LOOK == 0 {
            next
        } else if let Some(symbol) = self.ends(next, end) {
            symbol
        } else {
            return self.letters(start, end);
        };
        if self.open.is_some() {
            return self.letters(start, end);
        }
        let word = masks.word & (u64::MAX << first) & !(u64::MAX << past);
        let flags = masks.flags(word);
        let (hash, _) = Hash::of_ascii(self.text, start, end);
        self.emit(start, end, hash, flags, after);
    }

    /// A word that fills a block and more.
    fn long(&mut self, start: usize) -> usize {
        let length = word_length(self.rest(start));
        self.letters(start, start + length);
        start + length
    }

    /// The word character by character, to be closed by what follows.
    fn letters(&mut self, start: usize, end: usize) {
        let letters = self.text.get(start..end).unwrap_or_default();
        for (at, byte) in (start..).zip(letters) {
            self.letter(*byte, at, at + 1, false);
        }
    }

    #[inline]
    pub(super) fn emit(&mut self, start: usize, end: usize, hash: Hash, flags: u8, after: u8) {
        self.flush_symbols(start);
        let start_flag = if self.gap.starts { START } else { 0 };
        let word = Word {
            hash,
            start,
            end,
            length: u32::try_from(end - start).unwrap_or(u32::MAX),
            flags: flags | start_flag,
            before: self.gap.before,
            after,
            step: self.gap.step,
        };
        self.gap.after_word();
        if !self.sink.passes(self.text, &word) {
            self.sink.word(self.text, &word);
        }
    }
}
