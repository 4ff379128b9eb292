//! Text in which every letter was moved: by thirteen places, or to the other end.

use super::View;

/// How it was turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// rot13.
    Letters,
    /// Written backwards.
    Around,
}

/// Bytes before and after the word that are turned with it.
const BEFORE: usize = 256;
const AFTER: usize = 1024;

/// The text around the word at `start`, turned back; nothing before `from` is part of it.
pub(crate) fn turned(
    text: &[u8],
    from: usize,
    start: usize,
    turn: Turn,
    budget: &mut usize,
) -> Option<View> {
    let from = from.max(start.saturating_sub(BEFORE));
    let end = text.len().min(start + AFTER);
    let before = text.get(from..start)?;
    let from = before
        .iter()
        .rposition(|byte| ends(*byte))
        .map_or(from, |at| from + at + 1);
    let after = text.get(start..end)?;
    let end = after
        .iter()
        .position(|byte| ends(*byte))
        .map_or(end, |at| start + at);
    let piece = text.get(from..end)?;
    *budget = budget.saturating_sub(piece.len());
    let text = match turn {
        Turn::Letters => piece.iter().map(|byte| rotated(*byte)).collect(),
        Turn::Around => String::from_utf8_lossy(piece)
            .chars()
            .rev()
            .collect::<String>()
            .into_bytes(),
    };
    Some(View {
        span: from..end,
        text,
    })
}

fn ends(byte: u8) -> bool {
    matches!(byte, b'"' | b'\n' | b'\\' | b'<' | b'>')
}

fn rotated(byte: u8) -> u8 {
    match byte {
        b'a'..=b'm' | b'A'..=b'M' => byte + 13,
        b'n'..=b'z' | b'N'..=b'Z' => byte - 13,
        _ => byte,
    }
}
