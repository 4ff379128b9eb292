//! What may be written as something else: what reads as letters is read closely.

use super::Skim;
use crate::Folded;
use crate::words::escapes::{self, HIDDEN};
use crate::words::{MAX_WORD, is_styled};

/// What stands there.
enum Seen {
    /// A letter or digit, or what may be part of a word.
    Letter,
    /// A Latin letter with an accent.
    Accent,
    /// What stands inside words without ending them.
    Apostrophe,
    /// A character that nobody sees.
    Invisible,
    /// What separates words.
    Sign,
}

impl Skim<'_> {
    /// Reads what begins with an odd byte; gives where to go on.
    #[inline(never)]
    pub(super) fn odd(&mut self, text: &[u8], at: usize) -> usize {
        let rest = text.get(at..).unwrap_or_default();
        let (seen, length) = match rest.first() {
            Some(b'\'') => (Seen::Apostrophe, 1),
            Some(b':') => {
                if rest.starts_with(b"://") {
                    self.address(at + 3 + escapes::address(rest.get(3..).unwrap_or_default()));
                }
                return at + 1;
            }
            Some(b'=') => {
                let inside = at.checked_sub(1).and_then(|at| text.get(at));
                let inside = inside.is_some_and(|byte| is_letter(*byte));
                if escapes::is_printable(rest) || (inside && escapes::soft_break(rest).is_some()) {
                    self.closely();
                }
                return at + 1;
            }
            Some(b'\\') => self.backslash(rest),
            Some(b'&') => self.character(escapes::entity(rest)),
            Some(b'%') => self.character(escapes::percent(rest)),
            _ => self.character(Some(escapes::utf8(rest))),
        };
        let end = at + length;
        match seen {
            Seen::Sign => {}
            Seen::Letter => {
                self.escapes |= rest.first() == Some(&b'\\');
                self.closely();
            }
            Seen::Accent if rest.first().is_some_and(|byte| *byte >= 128) => {
                self.accented(text, at);
            }
            Seen::Accent => self.closely(),
            Seen::Apostrophe => self.apostrophe(text, at, end),
            Seen::Invisible => {
                let run = escapes::hidden(rest, &self.pack.fold);
                let after = text
                    .get(at + run.length.max(length))
                    .copied()
                    .unwrap_or(b' ');
                let before = at.checked_sub(1).and_then(|at| text.get(at)).copied();
                let before = before.unwrap_or(b' ');
                let touches = is_letter(before) && (is_letter(after) || is_odd(after));
                if touches || run.characters >= HIDDEN {
                    self.closely();
                }
                return at + run.length.max(length);
            }
        }
        end
    }

    fn backslash(&mut self, rest: &[u8]) -> (Seen, usize) {
        let (read, length) = escapes::backslashed(rest);
        match read {
            Some(character) => self.character(Some((Some(character), length))),
            None => (Seen::Sign, length),
        }
    }

    fn character(&self, read: Option<(Option<char>, usize)>) -> (Seen, usize) {
        let Some((character, length)) = read else {
            return (Seen::Sign, 1);
        };
        let seen = match character {
            None => Seen::Sign,
            Some('\'') => Seen::Apostrophe,
            Some(character) if character.is_ascii() => ascii(character),
            Some(character) => match self.pack.fold.get(character) {
                Folded::Separator => Seen::Sign,
                Folded::Invisible => Seen::Invisible,
                Folded::Text { plain: "'", .. } => Seen::Apostrophe,
                Folded::Text { plain, .. }
                    if plain.bytes().all(|it| it.is_ascii() && !is_letter(it)) =>
                {
                    Seen::Sign
                }
                Folded::Text { plain, .. }
                    if plain.bytes().all(is_letter) && !is_styled(character) =>
                {
                    Seen::Accent
                }
                _ => Seen::Letter,
            },
        };
        (seen, length)
    }

    /// Letters around an apostrophe are one word.
    fn apostrophe(&mut self, text: &[u8], at: usize, end: usize) {
        let before = text.get(..at).unwrap_or_default();
        let letters = before.iter().rev().take_while(|byte| is_letter(**byte));
        let left = at - letters.take(64).count();
        let rest = text.get(end..).unwrap_or_default();
        let right = rest.iter().take_while(|byte| is_letter(**byte)).take(64);
        let right = end + right.count();
        if left == at || right == end {
            // It may stand beside what reads as a letter.
            let beside =
                |byte: Option<&u8>| byte.is_some_and(|byte| *byte >= 128 || *byte == b'\'');
            if (left < at && beside(rest.first())) || (right > end && beside(before.last())) {
                self.more(text, left, right);
            }
            return;
        }
        let mut word = Folding::new();
        let parts = [text.get(left..at), text.get(end..right)];
        parts
            .into_iter()
            .flatten()
            .flatten()
            .for_each(|byte| word.push(*byte));
        if let Some(letters) = word.letters() {
            self.folded(text, left, right, letters);
        }
        // The letters behind it will count as a word of their own.
        if end >= self.address {
            self.position = self.position.saturating_sub(1);
        }
        self.more(text, left, right);
    }

    /// Whether the word goes on behind what was seen of it.
    fn more(&mut self, text: &[u8], left: usize, right: usize) {
        let before = left.checked_sub(1).and_then(|at| text.get(at)).copied();
        let after = text.get(right).copied();
        let goes_on = |byte: Option<u8>| byte.is_some_and(|byte| byte == b'\'' || byte >= 128);
        if goes_on(before) || goes_on(after) {
            self.closely();
        }
    }

    /// A word with accents, at the first of them.
    fn accented(&mut self, text: &[u8], at: usize) {
        if at < self.accented {
            return;
        }
        let before = text.get(..at).unwrap_or_default();
        let prefix = before.iter().rev().take_while(|byte| is_letter(**byte));
        let left = at - prefix.take(MAX_WORD as usize).count();
        let mut word = Folding::new();
        let mut end = left;
        // Words that are counted one by one here, but are one for a close reading.
        let mut counted = 0;
        let mut within = false;
        while let Some(byte) = text.get(end).copied() {
            if is_letter(byte) {
                word.push(byte);
                counted += u32::from(!within);
                within = true;
                end += 1;
                continue;
            }
            let (Seen::Accent, length) =
                self.character(Some(escapes::utf8(text.get(end..).unwrap_or_default())))
            else {
                break;
            };
            let (character, _) = escapes::utf8(text.get(end..).unwrap_or_default());
            if let Some(Folded::Text { plain, .. }) = character.map(|it| self.pack.fold.get(it)) {
                plain.bytes().for_each(|byte| word.push(byte));
            }
            within = false;
            end += length;
        }
        self.accented = end;
        let next = text.get(end).copied().unwrap_or(b' ');
        let apostrophe = |byte: u8| byte == b'\'' || byte >= 128;
        let begins = text.get(left).copied().is_some_and(|byte| byte < 128);
        let last = left.checked_sub(1).and_then(|at| text.get(at)).copied();
        if is_odd(next) || (begins && last.is_some_and(apostrophe)) {
            self.closely();
        }
        if left == at && at >= self.address {
            self.advance(1);
        }
        if let Some(letters) = word.letters() {
            self.folded(text, left, end, letters);
        }
        let ahead = counted - u32::from(left < at);
        if at >= self.address {
            self.position = self.position.saturating_sub(ahead);
        }
    }
}

/// A word as it is folded, as far as words are looked at.
pub(super) struct Folding {
    letters: [u8; MAX_WORD as usize],
    count: usize,
}

impl Folding {
    fn new() -> Self {
        Self {
            letters: [0; MAX_WORD as usize],
            count: 0,
        }
    }

    pub(super) fn push(&mut self, byte: u8) {
        if let Some(place) = self.letters.get_mut(self.count) {
            *place = byte.to_ascii_lowercase();
        }
        self.count += 1;
    }

    /// Nothing for a word that is too long.
    pub(super) fn letters(&self) -> Option<&[u8]> {
        self.letters.get(..self.count)
    }
}

fn ascii(character: char) -> Seen {
    if character.is_ascii_alphanumeric() || character == '_' {
        Seen::Letter
    } else {
        Seen::Sign
    }
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn is_odd(byte: u8) -> bool {
    matches!(byte, b'\\' | b'&' | b'%' | b'=' | b'\'' | 128..)
}
