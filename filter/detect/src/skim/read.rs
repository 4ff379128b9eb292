//! The loop over plain text.

use std::ops::Range;

use super::table::Info;
use super::{Skim, tool_bit};
use crate::flag::{CAMEL, DIGIT, LOWER, UNDERSCORE, UPPER};
use crate::hash::Hash;
use crate::pack::Tag;
use crate::secrets::Secrets;
use crate::shape;
use crate::views::{self, View};
use crate::words::{BLOCK, Masks, block, odd_bytes, word_length};

impl Skim<'_> {
    pub(super) fn read(&mut self, text: &[u8], secrets: &mut Secrets<'_>) {
        let mut at = 0;
        while at < text.len() {
            self.zones.pass(self.position, self.base + at);
            at = self.block(text, at, secrets);
        }
    }

    /// Reads most of the 64 bytes from `base`; gives where to go on.
    fn block(&mut self, text: &[u8], base: usize, secrets: &mut Secrets<'_>) -> usize {
        let rest = text.get(base..).unwrap_or_default();
        let mut padded = [b' '; BLOCK];
        let (block, length) = block(rest, &mut padded);
        let masks = Masks::of(block);
        let odd = odd_bytes(block);
        let mut events = (masks.word & !(masks.word << 1)) | odd;
        while events != 0 {
            let first = events.trailing_zeros() as usize;
            let bit = 1_u64 << first;
            events &= !bit;
            if odd & bit != 0 {
                let next = self.quick(text, base + first) - base;
                if next >= length {
                    return base + next;
                }
                events = events & (u64::MAX << next) | masks.word & (1 << next);
                continue;
            }
            let past = (!masks.word & (u64::MAX << first)).trailing_zeros() as usize;
            if past >= length {
                if first > 0 && length == BLOCK {
                    // It may go on in the next block.
                    return base + first;
                }
                let end = base + first + word_length(rest.get(first..).unwrap_or_default());
                let flags = flags(text.get(base + first..end).unwrap_or_default());
                self.word(text, base + first, end, flags, secrets);
                return end;
            }
            let word = masks.word & (u64::MAX << first) & !(u64::MAX << past);
            let flags = masks.flags(word);
            self.word(text, base + first, base + past, flags, secrets);
        }
        base + length
    }

    /// Reads what begins with an odd byte; gives where to go on. What text is full of is read here.
    #[inline(always)]
    fn quick(&mut self, text: &[u8], at: usize) -> usize {
        match text.get(at..at + 2) {
            Some([b'\\', b'n' | b'r' | b't' | b'"']) => at + 2,
            Some([b'=', b' ' | b'"' | b'=' | b'>' | b'\'' | b'a'..=b'z'])
            | Some(
                [
                    b'\'',
                    b' ' | b',' | b'.' | b':' | b';' | b'"' | b')' | b']' | b'}',
                ],
            ) => at + 1,
            _ => self.odd(text, at),
        }
    }

    #[inline(always)]
    fn word(
        &mut self,
        text: &[u8],
        start: usize,
        end: usize,
        flags: u8,
        secrets: &mut Secrets<'_>,
    ) {
        let length = end - start;
        self.word = start..end;
        if start >= self.told {
            self.advance(1);
        }
        if flags != LOWER || length == 1 {
            self.shaped(text, start, end, flags);
        } else {
            self.row.reset();
        }
        let (hash, last) = Hash::of_ascii(text, start, end);
        let next = text.get(end).copied().unwrap_or(0);
        if Secrets::may_look(last, next, flags) {
            secrets.look(text, start, end, flags);
        }
        if self.pack.lexicon.may_matter(hash)
            || matches!(next, b'`' | b'\'' | b'@')
            || start == self.mail
            || self.tool_bits & tool_bit(hash) != 0
        {
            self.known(text, start, end, flags, hash);
        }
    }

    /// A word that may be something.
    #[inline(never)]
    fn known(&mut self, text: &[u8], start: usize, end: usize, flags: u8, hash: Hash) {
        let pack = self.pack;
        let info = pack.skim.info_of(&pack.lexicon, hash);
        let before = start.checked_sub(1).and_then(|at| text.get(at)).copied();
        let before = before.unwrap_or(0);
        let after = text.get(end).copied().unwrap_or(0);
        if let Some(info) = info {
            self.word_of_ours(info, before, after, flags);
        }
        if matches!(after, b'`' | b'\'') && (before == after || is_loose(before)) {
            self.met(shape::QUOTED, flags);
        }
        if after == b'@' {
            self.mail = end + 1;
            self.met(shape::EMAIL, flags);
        }
        if start == self.mail {
            self.met(shape::EMAIL, flags);
        }
        if self.tools.contains(&hash) {
            self.met(shape::OTHER_TOOL, flags);
        }
    }

    /// A word that is of these classes.
    #[inline(always)]
    fn word_of_ours(&mut self, info: &Info, before: u8, after: u8, flags: u8) {
        let table = &self.pack.skim;
        for group in table.asks(info) {
            self.ask(group, flags);
        }
        let tags = table.tags(info);
        for tag in tags {
            if may_be(tag, before, after, flags) {
                self.completes(tag.class, flags);
            }
        }
        let now = self.position + 1;
        for class in table.marks(info) {
            if let Some(last) = self.last.get_mut(usize::from(*class)) {
                *last = now;
            }
        }
        for (cell, bits) in table.bits(info) {
            self.see(*cell, *bits);
        }
        for tag in tags {
            if may_be(tag, before, after, flags) {
                self.was(tag.class);
            }
        }
        if info.turned {
            self.closely();
        }
    }

    /// Something that is of one class.
    pub(super) fn met(&mut self, class: u16, flags: u8) {
        self.completes(class, flags);
        self.was(class);
    }

    /// A word that is not just of small letters.
    #[inline(never)]
    fn shaped(&mut self, text: &[u8], start: usize, end: usize, flags: u8) {
        self.shapes(end - start, flags);
        if start < self.told {
            return;
        }
        let mut budget = usize::MAX;
        if let Some(start) = self.row.push(start, end, flags & DIGIT != 0)
            && let Some(view) = views::row(text, start, &mut budget)
        {
            self.decoded(&view);
        }
        let coded = flags & (DIGIT | CAMEL) != 0;
        if coded && end - start >= views::MIN_BLOB as usize && start >= self.told {
            // A close reading may or may not look back behind what was told.
            let from = [self.told, 0];
            let beside = start - self.told < views::BEFORE;
            for from in from.into_iter().skip(usize::from(!beside)) {
                if let Some(view) = views::blob(text, from, start, &mut budget) {
                    self.decoded(&view);
                }
            }
        }
    }

    /// Something stands there that a close reading decodes.
    fn decoded(&mut self, view: &View) {
        self.told = self.told.max(view.span.end);
        self.row.reset();
        self.closely();
    }

    /// What a word is like that is not just of small letters.
    fn shapes(&mut self, length: usize, flags: u8) {
        let is = |flag: u8| flags & flag != 0;
        if is(UPPER) && !is(DIGIT) && length >= 3 {
            self.met(shape::SHOUT, flags);
        }
        if length >= 5 && ((is(UNDERSCORE) && is(LOWER)) || is(CAMEL)) {
            self.met(shape::IDENT, flags);
        }
        if is(DIGIT) && !is(LOWER | UPPER | CAMEL) && length >= 6 {
            self.met(shape::NUMBER, flags);
        }
    }

    /// An address stands there: its words are one for a close reading.
    pub(super) fn address(&mut self, at: usize, end: usize) {
        if at >= self.told {
            self.advance(1);
        }
        self.row.reset();
        self.told = self.told.max(end);
        self.met(shape::URL, 0);
        self.met(shape::URL_DATA, 0);
    }

    /// A word that reads as these letters.
    pub(super) fn folded(&mut self, text: &[u8], place: Range<usize>, letters: &mut [u8]) {
        let flags = flags(letters);
        self.shapes(letters.len(), flags);
        if letters.len() >= views::MIN_BLOB as usize && flags & (DIGIT | CAMEL) != 0 {
            self.closely();
        }
        letters.make_ascii_lowercase();
        self.known(text, place.start, place.end, flags, Hash::of(letters));
    }
}

/// Whether the word may be what the tag says.
#[inline(never)]
fn may_be(tag: &Tag, before: u8, after: u8, flags: u8) -> bool {
    tag.need & UPPER & !flags == 0
        && (tag.before == 0 || tag.before == before || is_loose(before))
        && (tag.after == 0 || tag.after == after || is_loose(after))
}

/// Whether the byte may stand for another one, before or after a word.
fn is_loose(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b';' | b'\\' | b'&' | b'%' | b'=' | 128..)
}

/// What the word is like.
fn flags(word: &[u8]) -> u8 {
    let mut flags = 0;
    for byte in word {
        match byte {
            b'a'..=b'z' => flags |= LOWER,
            b'A'..=b'Z' => flags |= if flags & LOWER != 0 { CAMEL } else { UPPER },
            b'0'..=b'9' => flags |= DIGIT,
            _ => flags |= UNDERSCORE,
        }
    }
    if flags & LOWER != 0 {
        flags &= !UPPER;
    }
    flags
}
