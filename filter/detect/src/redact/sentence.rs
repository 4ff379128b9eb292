//! How much around a find belongs to it.

use std::ops::Range;

/// How far a sentence is looked for on either side, in bytes.
const REACH: usize = 512;

/// The sentence around what was found in text or JSON: from the end of the sentence, line, tag or string before it to
/// the end of its own, at most 512 bytes on either side. What is redacted then reads as a whole, and no half of an
/// instruction stays.
pub fn sentence(text: &[u8], span: &Range<usize>) -> Range<usize> {
    let end = span.end.min(text.len());
    let start = span.start.min(end);
    let mut from = start;
    while from > 0 && start - from < REACH && !ends_before(text, from) {
        from -= 1;
    }
    // Blanks between two sentences belong to neither.
    while from < start && text.get(from) == Some(&b' ') {
        from += 1;
    }
    let mut to = end;
    while to < text.len() && to - end < REACH && !ends_before(text, to) && !ends_at(text, to) {
        to += 1;
    }
    from..to
}

/// Whether a sentence, line, tag or string has ended in front of this place.
fn ends_before(text: &[u8], at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).and_then(|at| text.get(at)).copied();
    match before(1) {
        Some(b'.' | b'!' | b'?') => {
            matches!(
                text.get(at),
                None | Some(b' ' | b'\n' | b'\r' | b'\t' | b'"' | b'\\' | b'<')
            )
        }
        Some(b'\n' | b'\r' | b'>') => true,
        Some(b'"') => ends_string(text, at - 1),
        // The escape of a line break.
        Some(b'n' | b'r' | b't') => before(2) == Some(b'\\'),
        _ => false,
    }
}

/// Whether a line, tag or string ends with what stands here.
fn ends_at(text: &[u8], at: usize) -> bool {
    match text.get(at) {
        Some(b'\n' | b'\r' | b'<') => true,
        Some(b'"') => ends_string(text, at),
        Some(b'\\') => {
            let rest = text.get(at..).unwrap_or_default();
            let escaped = rest.iter().find(|byte| **byte != b'\\');
            matches!(escaped, Some(b'n' | b'r' | b't'))
                || (escaped == Some(&b'"') && {
                    let slashes = rest.iter().take_while(|byte| **byte == b'\\').count();
                    ends_string(text, at + slashes)
                })
        }
        _ => false,
    }
}

/// Whether the quote at a place is one of JSON, rather than one in a text: it has no backslash, or what is around it
/// is structure, as with JSON in a string.
fn ends_string(text: &[u8], quote: usize) -> bool {
    let before = text.get(..quote).unwrap_or_default();
    let after = text.get(quote + 1..).unwrap_or_default();
    let outside = before
        .iter()
        .rposition(|byte| *byte != b'\\')
        .map_or(0, |at| at + 1);
    outside == quote
        || matches!(after.first(), Some(b',' | b':' | b'}' | b']'))
        || matches!(
            before.get(..outside).and_then(<[u8]>::last),
            Some(b',' | b':' | b'{' | b'[')
        )
}
