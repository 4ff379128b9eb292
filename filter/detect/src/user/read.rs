//! Text as users' rules see it: escapes undone, characters folded, letters in their own case.

use crate::fold::{Fold, Folded};

/// Reads a piece that begins at byte `base` of the input, and hands on each byte of the text with the place that it
/// comes from.
pub(super) fn read(piece: &[u8], base: usize, fold: &Fold, mut push: impl FnMut(u8, usize)) {
    let mut at = 0;
    while let Some(byte) = piece.get(at) {
        let place = base + at;
        match byte {
            b'\\' => {
                let (character, end) = escape(piece, at);
                each(character, fold, |byte| push(byte, place));
                at = end;
            }
            0..128 => {
                push(*byte, place);
                at += 1;
            }
            _ => {
                let (character, length) = decode(piece.get(at..).unwrap_or_default());
                if let Some(character) = character {
                    each(character, fold, |byte| push(byte, place));
                }
                at += length;
            }
        }
    }
}

/// The bytes of a character as it reads.
fn each(character: char, fold: &Fold, mut push: impl FnMut(u8)) {
    if character.is_ascii() {
        return push(character as u8);
    }
    let mut buffer = [0; 4];
    let text = match fold.get(character) {
        Folded::Letter | Folded::Ideograph => &*character.encode_utf8(&mut buffer),
        Folded::Separator => " ",
        Folded::Invisible | Folded::Mark => "",
        Folded::Tag(byte) => return push(byte),
        Folded::Text { plain, .. } => plain,
    };
    text.bytes().for_each(push);
}

/// Reads an escape, of JSON or of JSON in a string of JSON; gives where to go on.
fn escape(piece: &[u8], at: usize) -> (char, usize) {
    let rest = piece.get(at..).unwrap_or_default();
    let slashes = rest.iter().take_while(|byte| **byte == b'\\').count();
    let after = at + slashes;
    match piece.get(after) {
        Some(b'n' | b'r') => ('\n', after + 1),
        Some(b't') => ('\t', after + 1),
        Some(mark @ (b'"' | b'/')) => (char::from(*mark), after + 1),
        Some(b'u') => match hex(piece, after + 1) {
            Some(high @ 0xd800..0xdc00) => {
                let low = after + 5;
                let more = piece.get(low..).unwrap_or_default();
                let slashes = more.iter().take_while(|byte| **byte == b'\\').count();
                match (piece.get(low + slashes), hex(piece, low + slashes + 1)) {
                    (Some(b'u'), Some(second @ 0xdc00..0xe000)) => {
                        let code = 0x10000 + ((high - 0xd800) << 10) + (second - 0xdc00);
                        (char::from_u32(code).unwrap_or(' '), low + slashes + 5)
                    }
                    _ => (' ', low),
                }
            }
            Some(code) => (char::from_u32(code).unwrap_or(' '), after + 5),
            None => ('\\', after),
        },
        _ => ('\\', after),
    }
}

fn hex(piece: &[u8], at: usize) -> Option<u32> {
    let digits = piece.get(at..at + 4)?;
    digits.iter().try_fold(0, |value, digit| {
        Some(value * 16 + char::from(*digit).to_digit(16)?)
    })
}

/// The first character and its bytes; one that begins none is left out.
fn decode(bytes: &[u8]) -> (Option<char>, usize) {
    let length = match bytes.first() {
        Some(0xf0..) => 4,
        Some(0xe0..) => 3,
        _ => 2,
    };
    match bytes.get(..length).map(std::str::from_utf8) {
        Some(Ok(text)) => (text.chars().next(), length),
        _ => (None, 1),
    }
}
