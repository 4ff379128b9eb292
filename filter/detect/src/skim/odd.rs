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
        match rest.first() {
            Some(b':') => {
                if rest.starts_with(b"://") {
                    self.address(at + 3 + escapes::address(rest.get(3..).unwrap_or_default()));
                }
                return at + 1;
            }
            Some(b'=') => {
                let broken = self.word.end == at && escapes::soft_break(rest).is_some();
                if broken || escapes::is_printable(rest) {
                    self.closely();
                }
                return at + 1;
            }
            _ => {}
        }
        let (seen, _, length) = self.seen(rest);
        let end = at + length;
        match seen {
            Seen::Sign => {}
            Seen::Letter => {
                self.escapes |= rest.first() == Some(&b'\\');
                self.closely();
                // Other scripts go on for long, and all of it is read closely.
                let same = rest.iter().skip(length).take_while(|byte| **byte >= 128);
                return end + same.count();
            }
            Seen::Accent => self.join(text, at),
            Seen::Apostrophe => {
                if self.word.end == at && goes_on(text, end) {
                    self.join(text, at);
                }
            }
            Seen::Invisible => {
                let run = escapes::hidden(rest, &self.pack.fold);
                let end = at + run.length.max(length);
                let after = text.get(end).copied().unwrap_or(b' ');
                let touches = self.word.end == at && (is_letter(after) || is_odd(after));
                if touches || run.characters >= HIDDEN {
                    self.closely();
                }
                return end;
            }
        }
        end
    }

    /// What the text begins with, and how long it is.
    fn seen(&self, rest: &[u8]) -> (Seen, Option<char>, usize) {
        let read = match rest.first() {
            Some(b'\\') => match escapes::backslashed(rest) {
                (Some(character), length) => Some((Some(character), length)),
                (None, length) => return (Seen::Sign, None, length),
            },
            Some(b'&') => escapes::entity(rest),
            Some(b'%') => escapes::percent(rest),
            Some(128..) => Some(escapes::utf8(rest)),
            Some(b'\'') => Some((Some('\''), 1)),
            _ => None,
        };
        let Some((character, length)) = read else {
            return (Seen::Sign, None, 1);
        };
        (
            character.map_or(Seen::Sign, |it| self.character(it)),
            character,
            length,
        )
    }

    fn character(&self, character: char) -> Seen {
        if character == '\'' {
            return Seen::Apostrophe;
        }
        if character.is_ascii() {
            let letter = character.is_ascii_alphanumeric() || character == '_';
            return if letter { Seen::Letter } else { Seen::Sign };
        }
        match self.pack.fold.get(character) {
            Folded::Separator => Seen::Sign,
            Folded::Invisible => Seen::Invisible,
            Folded::Text { plain: "'", .. } => Seen::Apostrophe,
            Folded::Text { plain, .. } => {
                let letters = plain.bytes().filter(|byte| is_letter(*byte)).count();
                match letters {
                    0 if plain.is_ascii() => Seen::Sign,
                    _ if letters == plain.len() && !is_styled(character) => Seen::Accent,
                    _ => Seen::Letter,
                }
            }
            _ => Seen::Letter,
        }
    }

    /// A word that is not in plain ASCII or goes on behind an apostrophe, at the first place where it is so.
    fn join(&mut self, text: &[u8], at: usize) {
        if at < self.joined {
            return;
        }
        let left = if self.word.end == at {
            self.word.start
        } else {
            at
        };
        let mut word = Folding::new();
        let mut end = left;
        // Words that are counted one by one here, but are one for a close reading.
        let mut counted = 0_u32;
        let mut within = false;
        while let Some(rest) = text.get(end..).filter(|rest| !rest.is_empty()) {
            if let Some(byte) = rest.first().filter(|byte| is_letter(**byte)) {
                word.push(*byte);
                counted += u32::from(!within);
                within = true;
                end += 1;
                continue;
            }
            within = false;
            let (seen, character, length) = self.seen(rest);
            match (seen, character.map(|it| self.pack.fold.get(it))) {
                (Seen::Accent, Some(Folded::Text { plain, .. })) => {
                    plain.bytes().for_each(|byte| word.push(byte));
                }
                (Seen::Apostrophe, _) if goes_on(text, end + length) => {}
                (Seen::Invisible, _) => {
                    self.closely();
                    break;
                }
                _ => {
                    if escapes::soft_break(rest).is_some() {
                        self.closely();
                    }
                    break;
                }
            }
            end += length;
        }
        self.joined = end;
        let counts = at >= self.address;
        if left == at && counts {
            self.advance(1);
        }
        if let Some(letters) = word.letters() {
            self.folded(text, left, end, letters);
        }
        if counts {
            let ahead = counted.saturating_sub(u32::from(left < at));
            self.position = self.position.saturating_sub(ahead);
        }
    }
}

/// Whether a word goes on behind an apostrophe that ends there.
fn goes_on(text: &[u8], end: usize) -> bool {
    text.get(end).is_some_and(u8::is_ascii_alphabetic)
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

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn is_odd(byte: u8) -> bool {
    matches!(byte, b'\\' | b'&' | b'%' | b'=' | b'\'' | 128..)
}
