//! Cuts text into words as a model reads them: whatever their case, script, escapes and invisible characters.
//!
//! Words in plain ASCII, which is nearly all there is, are told from masks over blocks of 64 bytes (`read`);
//! everything else goes character by character (`slow`, `escapes`).

pub(crate) mod escapes;
mod gap;
mod marks;
mod masks;
mod read;
mod slow;
#[cfg(test)]
mod tests;
mod unspaced;

use std::ops::Range;

pub(crate) use gap::Gap;
pub(crate) use masks::{BLOCK, Masks, block, is_word, odd_bytes, word_length};
use slow::Open;
pub(crate) use slow::is_styled;
use unspaced::Unspaced;

use crate::Fold;
use crate::hash::Hash;

/// Most bytes of a word that are looked at; longer ones are shapes, not words.
pub(crate) const MAX_WORD: u32 = 40;

/// One word, or a run of symbols.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Word {
    /// Hash of its folded form.
    pub(crate) hash: Hash,
    /// Bytes of the text it was read from.
    pub(crate) start: usize,
    /// End of these.
    pub(crate) end: usize,
    /// Characters.
    pub(crate) length: u32,
    /// What it is like, see [`flag`](crate::flag).
    pub(crate) flags: u8,
    /// The symbol right before it, or 0.
    pub(crate) before: u8,
    /// The symbol right after it, or 0.
    pub(crate) after: u8,
    /// How far it is from the word before: 1, more after the end of a sentence or field.
    pub(crate) step: u8,
}

/// Takes the words.
pub(crate) trait Sink {
    /// The next word or run of symbols, whose bytes are those of `text`.
    fn word(&mut self, text: &[u8], word: &Word);

    /// Takes the word if it means nothing and looks like nothing, or else leaves it to [`Sink::word`]. Most words are
    /// like that, so it has to be cheap.
    #[inline]
    fn passes(&mut self, _text: &[u8], _word: &Word) -> bool {
        false
    }

    /// A run of characters that nobody sees; `carried` is what they spell, if they spell something.
    fn hidden(&mut self, run: Range<usize>, carried: &[u8]);

    /// Whether the word means something.
    fn knows(&self, hash: Hash) -> bool;
}

/// Reads the words of `text` in `range`, which begins and ends between words; gives the state at its end. What
/// stands around the range is for the sink to look at.
pub(crate) fn words<S: Sink>(
    text: &[u8],
    range: Range<usize>,
    gap: Gap,
    fold: &Fold,
    sink: &mut S,
) -> Gap {
    let mut reader = Reader {
        text,
        end: range.end.min(text.len()),
        fold,
        sink,
        gap,
        open: None,
        unspaced: Unspaced::default(),
        hidden: 0..0,
        flag: false,
        printable: 0,
    };
    reader.read(range.start);
    reader.gap
}

struct Reader<'t, 's, S> {
    text: &'t [u8],
    /// Nothing is read from here on.
    end: usize,
    fold: &'t Fold,
    sink: &'s mut S,
    gap: Gap,
    /// A word that is read character by character.
    open: Option<Open>,
    unspaced: Unspaced,
    /// The run of invisible characters that was looked at last.
    hidden: Range<usize>,
    /// Whether that run is part of a flag, as some flags are spelled in the TAG block.
    flag: bool,
    /// Up to here the text is in quoted-printable.
    printable: usize,
}

impl<'t, S> Reader<'t, '_, S> {
    /// Bytes from there on, as far as they are read.
    fn rest(&self, at: usize) -> &'t [u8] {
        self.text.get(at..self.end).unwrap_or_default()
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.rest(at).first().copied()
    }
}
