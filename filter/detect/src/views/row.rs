//! Rows of short words: letters with spaces between them, and characters as numbers.

use super::{PIECE, View, is_readable};

/// Short words in a row after which it is looked at.
const ENOUGH: u32 = 6;
/// Characters between two of them.
const APART: usize = 4;

/// Counts short words in a row, as they are told.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Row {
    start: usize,
    end: usize,
    count: u32,
}

impl Row {
    /// The next word. Whether a row is to be looked at now, from which place on.
    #[inline]
    pub(crate) fn push(&mut self, start: usize, end: usize, digits: bool) -> Option<usize> {
        let length = end - start;
        if length > 1 && !(digits && (length <= 4 || length == 8)) {
            self.count = 0;
            return None;
        }
        if self.count == 0 || start.saturating_sub(self.end) > APART {
            *self = Self {
                start,
                end,
                count: 1,
            };
            return None;
        }
        self.end = end;
        self.count += 1;
        // At six, and seldom again after that: a table of numbers is a long row.
        (self.count.is_multiple_of(ENOUGH) && (self.count / ENOUGH).is_power_of_two())
            .then_some(self.start)
    }

    /// A new text begins.
    pub(crate) fn reset(&mut self) {
        self.count = 0;
    }
}

/// How the words of a row are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Letters,
    Hex,
    Decimal,
    Binary,
}

/// What the row that begins at `start` says. Letters that stand in one row without a wider gap between words come
/// without spaces.
pub(crate) fn row(text: &[u8], start: usize, budget: &mut usize) -> Option<View> {
    let rest = text.get(start..)?;
    let rest = rest.get(..PIECE.min(rest.len()))?;
    [
        Reading::Binary,
        Reading::Hex,
        Reading::Decimal,
        Reading::Letters,
    ]
    .into_iter()
    .find_map(|reading| {
        let (text, length) = decode(rest, reading);
        let enough = if reading == Reading::Letters { 10 } else { 6 };
        (text.len() >= enough && is_readable(&text)).then_some((text, length))
    })
    .map(|(text, length)| {
        *budget = budget.saturating_sub(text.len());
        View {
            span: start..start + length,
            text,
        }
    })
}

fn decode(text: &[u8], reading: Reading) -> (Vec<u8>, usize) {
    let mut decoded = Vec::new();
    let (mut at, mut end) = (0, 0);
    let mut usual = 0;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let word: Vec<u8> = rest
            .iter()
            .take(9)
            .take_while(|it| it.is_ascii_alphanumeric())
            .copied()
            .collect();
        let Some(byte) = value(&word, reading) else {
            break;
        };
        let apart = at - end;
        if reading == Reading::Letters && !decoded.is_empty() {
            if usual == 0 {
                usual = apart;
            } else if apart > usual {
                decoded.push(b' ');
            }
        }
        decoded.push(byte);
        at += word.len();
        end = at;
        at += separator(text.get(at..).unwrap_or_default());
        if at == end || at - end > 2 * APART {
            break;
        }
    }
    (decoded, end)
}

/// The length of what stands between two words, up to a bit more than may.
fn separator(rest: &[u8]) -> usize {
    let mut length = 0;
    while length <= 2 * APART {
        match rest.get(length..).unwrap_or_default() {
            [b'\\', b'n' | b'r' | b't' | b'x' | b'u', ..] => length += 2,
            [b'0', b'x', ..] if length > 0 => length += 2,
            [byte, ..] if !byte.is_ascii_alphanumeric() && *byte < 128 => length += 1,
            _ => break,
        }
    }
    length
}

fn value(word: &[u8], reading: Reading) -> Option<u8> {
    let text = std::str::from_utf8(word).ok()?;
    let byte = match reading {
        Reading::Letters => return Some(*word.first()?).filter(|_| word.len() == 1),
        Reading::Hex => u8::from_str_radix(text.strip_prefix("0x").unwrap_or(text), 16)
            .ok()
            .filter(|_| word.len() == 2 || word.len() == 4)?,
        Reading::Decimal => text.parse().ok().filter(|_| word.len() >= 2)?,
        Reading::Binary => u8::from_str_radix(text, 2)
            .ok()
            .filter(|_| word.len() == 8)?,
    };
    (byte.is_ascii_graphic() || byte.is_ascii_whitespace()).then_some(byte)
}
