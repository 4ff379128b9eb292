//! Words that are read character by character, because something in them is not plain ASCII.

use super::{Reader, Sink, Word};
use crate::Folded;
use crate::flag::{CAMEL, DIGIT, DISGUISED, LOWER, START, UNDERSCORE, UPPER};
use crate::hash::Hasher;

/// Marks that a letter bears before the word counts as disguised.
const MANY_MARKS: u32 = 3;
/// Letters from which on a foreign word may be a Latin one in disguise.
const LONG: u32 = 4;

/// A word under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    /// As it is written.
    plain: Hasher,
    /// As it looks.
    looks: Hasher,
    pub(super) start: usize,
    pub(super) end: usize,
    length: u32,
    flags: u8,
    /// Letters of ASCII.
    latin: u32,
    /// Other letters, and those of them that look like Latin ones.
    foreign: u32,
    alike: u32,
    marks: u32,
    /// Whether it is spelled in the TAG block.
    tagged: bool,
}

impl Open {
    fn new(start: usize, tagged: bool) -> Self {
        Self {
            plain: Hasher::default(),
            looks: Hasher::default(),
            start,
            end: start,
            length: 0,
            flags: 0,
            latin: 0,
            foreign: 0,
            alike: 0,
            marks: 0,
            tagged,
        }
    }

    fn push(&mut self, byte: u8) {
        self.plain.push(byte);
        self.looks.push(byte);
    }
}

impl<S: Sink> Reader<'_, '_, S> {
    fn open(&mut self, at: usize) -> &mut Open {
        if self.open.is_none() {
            self.flush_symbols(at);
        }
        self.open.get_or_insert(Open::new(at, false))
    }

    /// A letter, digit or underscore that was read from `at..end`.
    pub(super) fn letter(&mut self, byte: u8, at: usize, end: usize, disguised: bool) {
        let flag = match byte {
            b'a'..=b'z' => LOWER,
            b'A'..=b'Z' => UPPER,
            b'0'..=b'9' => DIGIT,
            _ => UNDERSCORE,
        };
        let open = self.open(at);
        if flag == UPPER && open.flags & LOWER != 0 {
            open.flags |= CAMEL;
        }
        open.flags |= flag | if disguised { DISGUISED } else { 0 };
        open.push(byte.to_ascii_lowercase());
        open.latin += 1;
        open.length += 1;
        open.marks = 0;
        open.end = end;
    }

    /// Ends the word under way, if there is one; `after` is the symbol that ends it.
    #[inline]
    pub(super) fn close(&mut self, after: u8) {
        if let Some(open) = self.open.take() {
            self.closed(open, after);
        }
    }

    fn closed(&mut self, open: Open, after: u8) {
        let mut flags = open.flags;
        if flags & LOWER != 0 {
            flags &= !UPPER;
        }
        if self.gap.starts {
            flags |= START;
        }
        let mut hash = open.plain.finish();
        if open.foreign > 0 && open.alike == open.foreign {
            let looks = open.looks.finish();
            let mixed = open.latin > 0;
            let meant = || open.length >= LONG && !self.sink.knows(hash) && self.sink.knows(looks);
            if mixed || meant() {
                hash = looks;
                flags |= DISGUISED;
            }
        }
        let word = Word {
            hash,
            start: open.start,
            end: open.end,
            length: open.length,
            flags,
            before: self.gap.before,
            after,
            step: self.gap.step,
        };
        self.gap.after_word();
        self.sink.word(self.text, &word);
    }

    /// One character, wherever it came from; `escaped` when it was written in a form that hides it.
    pub(super) fn put(&mut self, character: char, at: usize, end: usize, escaped: bool) {
        if let Ok(byte) = u8::try_from(character)
            && byte.is_ascii()
        {
            self.ascii(byte, at, end, escaped);
            return;
        }
        let fold = self.fold;
        match fold.get(character) {
            Folded::Letter => {
                let mut buffer = [0; 4];
                let letter = &*character.encode_utf8(&mut buffer);
                self.foreign(letter, "", at, end);
            }
            Folded::Ideograph => self.ideograph(character, at, end),
            Folded::Separator => {
                self.close(0);
                self.gap.starts = true;
            }
            Folded::Invisible => self.invisible(character, at, end),
            Folded::Mark => {
                if let Some(open) = &mut self.open {
                    open.marks += 1;
                    open.end = end;
                    if open.marks >= MANY_MARKS {
                        open.flags |= DISGUISED;
                    }
                }
            }
            Folded::Tag(byte) => self.tag(byte, at, end),
            Folded::Text { plain, confusable } if !plain.is_ascii() => {
                match plain.chars().next().map(|first| (first, fold.get(first))) {
                    Some((first, Folded::Ideograph)) => self.ideograph(first, at, end),
                    _ => self.foreign(plain, confusable, at, end),
                }
            }
            Folded::Text { plain, .. } => {
                let styled = is_styled(character);
                for byte in plain.bytes() {
                    self.ascii(byte, at, end, styled);
                }
            }
        }
    }

    fn ascii(&mut self, byte: u8, at: usize, end: usize, disguised: bool) {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => self.letter(byte, at, end, disguised),
            0..=b' ' | 127 => self.space(byte, at),
            _ => self.symbol(byte, at, end),
        }
    }

    /// A letter of another script, as it is spelled and as it looks.
    fn foreign(&mut self, plain: &str, looks: &str, at: usize, end: usize) {
        let open = self.open(at);
        plain.bytes().for_each(|byte| open.plain.push(byte));
        let looked = if looks.is_empty() { plain } else { looks };
        looked.bytes().for_each(|byte| open.looks.push(byte));
        open.flags |= LOWER;
        open.foreign += 1;
        open.alike += u32::from(!looks.is_empty());
        open.length += 1;
        open.marks = 0;
        open.end = end;
    }

    /// A character that nobody sees. Between letters it is a disguise, and a run of them is told by itself.
    fn invisible(&mut self, character: char, at: usize, end: usize) {
        if let Some(open) = &mut self.open {
            // Soft hyphens are usual in words; what joins letters in other scripts has no work among Latin ones.
            if open.latin > 0 && !matches!(character, '\u{AD}' | '\u{FE0F}') {
                let next = self.text.get(end).copied();
                if next.is_some_and(|next| next.is_ascii_alphanumeric()) {
                    open.flags |= DISGUISED;
                }
            }
        }
        self.unseen(at);
    }

    /// An ASCII character of the TAG block.
    fn tag(&mut self, byte: u8, at: usize, end: usize) {
        self.unseen(at);
        if self.flag {
            return;
        }
        if self.open.is_some_and(|open| !open.tagged) {
            self.close(0);
        }
        if self.open.is_none() && (byte.is_ascii_alphanumeric() || byte == b'_') {
            self.flush_symbols(at);
            self.open = Some(Open::new(at, true));
        }
        self.ascii(byte, at, end, true);
    }

    /// Looks at the run of invisible characters that begins here, if it was not looked at yet.
    fn unseen(&mut self, at: usize) {
        if at < self.hidden.end {
            return;
        }
        let before = self.text.get(..at).unwrap_or_default();
        let run = super::escapes::hidden(self.rest(at), self.fold);
        self.hidden = at..at + run.length;
        self.flag = before.ends_with("🏴".as_bytes());
        if run.characters >= super::escapes::HIDDEN && !self.flag {
            self.sink.hidden(self.hidden.clone(), &run.carried);
        }
    }
}

/// Whether the character is a letter in another dress: full width, mathematical, in a circle, a small capital.
pub(crate) fn is_styled(character: char) -> bool {
    matches!(
        u32::from(character),
        0x1D00..=0x1DBF | 0x2070..=0x209F | 0x2100..=0x214F | 0x2460..=0x24FF | 0xA700..=0xA7FF
            | 0xFF01..=0xFFEF | 0x1_0780..=0x1_07BF | 0x1_D400..=0x1_D7FF | 0x1_F130..=0x1_F1FF
    )
}
