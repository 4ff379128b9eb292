//! Text inside text: what a run of characters says once it is decoded.
//!
//! A view is made only where something asks for it (a long word, a row of short ones, a word that is one of ours
//! spelled backwards), of a bounded piece of text, within a budget for the whole message: time stays linear
//! whatever is sent.

mod blob;
mod row;
mod turned;

#[cfg(test)]
mod tests;

use std::ops::Range;

pub(crate) use blob::{BEFORE, MIN_BLOB, blob};
pub(crate) use row::{Row, row};
pub(crate) use turned::{Turn, turned};

/// Bytes that are decoded of one message, all views together.
pub(crate) const BUDGET: usize = 64 << 10;
/// Views inside views.
pub(crate) const DEPTH: u8 = 3;
/// Bytes of ASCII that come about by chance in one of a million.
const MUCH: usize = 15;
/// Encoded bytes that are decoded at once.
const PIECE: usize = 4096;

/// What a run says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct View {
    /// The run, in the text around it.
    pub(crate) span: Range<usize>,
    /// Decoded.
    pub(crate) text: Vec<u8>,
}

/// Whether bytes are text that somebody can read: letters and spaces for the most part, no control characters,
/// nothing that is no UTF-8 but a character that is cut at the end. Much ASCII without control characters is no
/// accident either, whatever it is.
fn is_readable(bytes: &[u8]) -> bool {
    let printed = |byte: &u8| matches!(byte, b' '..=b'~' | b'\n' | b'\r' | b'\t');
    if bytes.len() >= MUCH && bytes.iter().all(printed) {
        return true;
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => bytes
            .get(..error.valid_up_to())
            .and_then(|valid| std::str::from_utf8(valid).ok())
            .unwrap_or_default(),
        Err(_) => return false,
    };
    let mut letters = 0;
    let mut others = 0;
    for character in text.chars() {
        match character {
            'a'..='z' | 'A'..='Z' | ' ' => letters += 1,
            '\n' | '\r' | '\t' | '\u{80}'.. => {
                let letter = u32::from(character) > 0xFF || character.is_whitespace();
                letters += usize::from(letter);
                others += usize::from(!letter);
            }
            '\0'..=' ' | '\u{7f}' => return false,
            _ => others += 1,
        }
    }
    letters + others >= 4 && others * 3 <= letters
}
