//! What may be written as something else: what reads as letters is read closely.

use super::Skim;
use crate::words::escapes::{self, HIDDEN};
use crate::words::{MAX_WORD, is_styled, is_word};
use crate::{Folded, shape};

/// What stands there.
enum Seen {
    /// A letter or digit, or what may be part of a word.
    Letter,
    /// A Latin letter with an accent.
    Accent,
    /// What stands inside words without ending them.
    Apostrophe,
    /// A sign that quotes words.
    Quote,
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
                    self.address(
                        at,
                        at + 3 + escapes::address(rest.get(3..).unwrap_or_default()),
                    );
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
        let (seen, character, length) = self.seen(rest);
        let end = at + length;
        // Secrets have signs too, which `\u002d` spells.
        let spelled = character.is_some_and(|it| it.is_ascii_graphic() && !"\"'/".contains(it));
        self.escapes |= spelled && rest.first() == Some(&b'\\');
        match seen {
            Seen::Sign => {}
            Seen::Quote => self.quoted(at),
            Seen::Letter => {
                self.closely();
                // Other scripts go on for long, and all of it is read closely.
                let same = rest.iter().skip(length).take_while(|byte| **byte >= 128);
                return end + same.count();
            }
            Seen::Accent => self.join(text, at),
            Seen::Apostrophe => {
                if self.word.end == at && goes_on(text, end) {
                    self.join(text, at);
                } else {
                    self.quoted(at);
                }
            }
            Seen::Invisible => {
                let run = escapes::hidden(rest, &self.pack.fold);
                let end = at + run.length.max(length);
                let after = text.get(end).copied().unwrap_or(b' ');
                let touches = self.word.end == at && (is_word(after) || is_odd(after));
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
            // Bytes that are no text are left out of words.
            character.map_or(Seen::Invisible, |it| self.character(it)),
            character,
            length,
        )
    }

    /// A sign that quotes, behind a word: it may have been quoted.
    fn quoted(&mut self, at: usize) {
        if self.word.end == at || self.joined == at {
            self.met(shape::QUOTED, 0);
        }
    }

    fn character(&self, character: char) -> Seen {
        match character {
            '\'' => return Seen::Apostrophe,
            '`' => return Seen::Quote,
            _ => {}
        }
        if character.is_ascii() {
            let letter = character.is_ascii_alphanumeric() || character == '_';
            return if letter { Seen::Letter } else { Seen::Sign };
        }
        match self.pack.fold.get(character) {
            Folded::Separator => Seen::Sign,
            Folded::Invisible => Seen::Invisible,
            Folded::Text { plain: "'", .. } => Seen::Apostrophe,
            Folded::Text { plain: "`", .. } => Seen::Quote,
            Folded::Text { plain, .. } => {
                let letters = plain.bytes().filter(|byte| is_word(*byte)).count();
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
        while let Some(rest) = text.get(end..).filter(|rest| !rest.is_empty()) {
            if let Some(byte) = rest.first().filter(|byte| is_word(**byte)) {
                word.push(*byte);
                end += 1;
                continue;
            }
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
        self.row.reset();
        // What is before the place was counted, and what is behind it will not be.
        if left == at && at >= self.told {
            self.advance(1);
        }
        self.told = self.told.max(end);
        match word.letters() {
            Some(letters) => self.folded(text, left..end, letters),
            None => self.closely(),
        }
    }
}

/// Whether a word goes on behind an apostrophe that ends there.
fn goes_on(text: &[u8], end: usize) -> bool {
    text.get(end).is_some_and(u8::is_ascii_alphabetic)
}

/// A word without accents and apostrophes, as far as words are looked at.
struct Folding {
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

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.letters.get_mut(self.count) {
            *place = byte;
        }
        self.count += 1;
    }

    /// Nothing for a word that is too long.
    fn letters(&mut self) -> Option<&mut [u8]> {
        self.letters.get_mut(..self.count)
    }
}

fn is_odd(byte: u8) -> bool {
    matches!(byte, b'\\' | b'&' | b'%' | b'=' | b'\'' | 128..)
}
