//! The loop over plain text.

use super::masks::{BLOCK, Masks};
use super::{Reader, Sink, Word};
use crate::flag::{CAMEL, DIGIT, LOWER, START, UNDERSCORE, UPPER};
use crate::hash::{Hash, Hasher};

/// Small letters from large ones, in eight bytes; digits stay, underscores do not.
const SMALL: u64 = 0x2020_2020_2020_2020;

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
        let (masks, length) = match rest.first_chunk::<BLOCK>() {
            Some(block) => (Masks::of(block), BLOCK),
            None => {
                let mut block = [b' '; BLOCK];
                block
                    .iter_mut()
                    .zip(rest)
                    .for_each(|(place, byte)| *place = *byte);
                (Masks::of(&block), rest.len())
            }
        };
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
            at = match byte {
                0..=b' ' | 127 => {
                    self.space(byte, at);
                    at + 1
                }
                b'\\' | b'&' | b'%' | b'=' | 128.. => self.odd(byte, at),
                _ => {
                    self.symbol(byte, at, at + 1);
                    at + 1
                }
            };
        }
        at
    }

    /// A word within the block.
    #[inline]
    fn plain(&mut self, base: usize, first: usize, past: usize, masks: &Masks) {
        let (start, end) = (base + first, base + past);
        let after = match self.byte(end) {
            None | Some(0..=b' ' | 127) => 0,
            Some(b'\\') => match self.byte(end + 1) {
                Some(b'n' | b'r' | b't') => 0,
                Some(b'"') => b'"',
                _ => return self.letters(start, end),
            },
            Some(b'\'')
                if self
                    .byte(end + 1)
                    .is_some_and(|next| next.is_ascii_alphabetic()) =>
            {
                return self.letters(start, end);
            }
            Some(b'&' | b'%' | 128..) => return self.letters(start, end),
            Some(b'=')
                if self
                    .byte(end + 1)
                    .is_some_and(|next| next <= b'F' || next == b'\\') =>
            {
                return self.letters(start, end);
            }
            Some(symbol) => symbol,
        };
        if self.open.is_some() {
            return self.letters(start, end);
        }
        let word = masks.word & (u64::MAX << first) & !(u64::MAX << past);
        let (upper, lower) = (masks.upper & word, masks.lower & word);
        let mut flags = 0;
        if lower != 0 {
            flags |= LOWER;
            if upper > (lower & lower.wrapping_neg()) {
                flags |= CAMEL;
            }
        } else if upper != 0 {
            flags |= UPPER;
        }
        let digits = masks.digit & word;
        if digits != 0 {
            flags |= DIGIT;
        }
        let hash = if upper | lower | digits == word {
            self.hash(start, end)
        } else {
            flags |= UNDERSCORE;
            self.hash_of_name(start, end)
        };
        self.emit(start, end, hash, flags, after);
    }

    /// A word that fills a block and more.
    fn long(&mut self, start: usize) -> usize {
        let length = self
            .rest(start)
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_')
            .count();
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
        self.sink.word(self.text, &word);
    }

    /// The hash of a word of letters and digits.
    #[inline]
    fn hash(&self, start: usize, end: usize) -> Hash {
        let length = end - start;
        if length <= 8 {
            return Hash::of_short(
                (self.eight(start) | SMALL) & low_bytes(length),
                length as u64,
            );
        }
        let mut hasher = Hasher::default();
        let mut at = start;
        while end - at >= 8 {
            hasher.push_eight(self.eight(at) | SMALL);
            at += 8;
        }
        if at < end {
            let left = end - at;
            hasher.push_last((self.eight(at) | SMALL) & low_bytes(left), left as u64);
        }
        hasher.finish()
    }

    fn hash_of_name(&self, start: usize, end: usize) -> Hash {
        let mut hasher = Hasher::default();
        for byte in self.text.get(start..end).unwrap_or_default() {
            hasher.push(byte.to_ascii_lowercase());
        }
        hasher.finish()
    }

    /// Eight bytes from there on, zeros after the end.
    #[inline]
    fn eight(&self, at: usize) -> u64 {
        let rest = self.text.get(at..).unwrap_or_default();
        match rest.first_chunk::<8>() {
            Some(bytes) => u64::from_le_bytes(*bytes),
            None => rest
                .iter()
                .rev()
                .fold(0, |value, byte| value << 8 | u64::from(*byte)),
        }
    }
}

/// A mask of so many bytes, at most eight.
#[inline]
fn low_bytes(count: usize) -> u64 {
    u64::MAX >> (64 - 8 * count.clamp(1, 8))
}
