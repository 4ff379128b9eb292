//! What becomes of a string.

use std::ops::Range;

use super::edits::{Edits, Spans};
use super::shape::{self, Shape};
use super::walk::Token;
use super::{base64, edits};

/// Replaces what was found in a string, of which `found` is not empty.
pub(super) fn string(
    json: &[u8],
    token: &Token,
    found: &[Range<usize>],
    mark: &str,
    levels: u32,
    out: &mut Edits,
) {
    let content = json.get(token.range.clone()).unwrap_or_default();
    if levels > 0
        && looks_like_json(content)
        && let Some(inner) = nested(content, token.range.start, found, mark, levels - 1)
    {
        for (range, text) in inner.into_iter() {
            out.push(range, text);
        }
        return;
    }
    let key = json.get(token.key.clone()).unwrap_or_default();
    match shape::of(content, key) {
        Shape::Word | Shape::Digits if !shape::is_aimed_at(json, &token.range, found) => {}
        Shape::Base64 => out.push(token.range.clone(), base64::encode(mark.as_bytes())),
        Shape::Digits => masked(json, token, found, u8::is_ascii_digit, out),
        Shape::Uuid => masked(json, token, found, u8::is_ascii_hexdigit, out),
        Shape::Email => out.push(token.range.clone(), "redacted@example.com".to_owned()),
        Shape::Uri { head } => {
            let from = token.range.start + head;
            let mark = shape::plain(mark);
            each(json, token, found, |range, count| {
                let range = range.start.max(from)..range.end;
                if !range.is_empty() {
                    out.push(range, fitting(&mark, count, 'x'));
                }
            });
        }
        Shape::Word | Shape::Text => each(json, token, found, |range, count| {
            let mut text = String::new();
            escape(&fitting(mark, count, '*'), &mut text);
            out.push(range, text);
        }),
    }
}

/// The mark, or where there is no room for it, a row of `filler`.
fn fitting(mark: &str, room: usize, filler: char) -> String {
    if mark.chars().count() <= room {
        mark.to_owned()
    } else {
        std::iter::repeat_n(filler, room).collect()
    }
}

/// Each range that was found, widened to whole characters and escapes, with the number of characters in it.
fn each(
    json: &[u8],
    token: &Token,
    found: &[Range<usize>],
    mut then: impl FnMut(Range<usize>, usize),
) {
    let mut next = found.iter().peekable();
    let mut at = token.range.start;
    let mut run: Option<(Range<usize>, usize)> = None;
    while at < token.range.end {
        let end = at + unit(json.get(at..token.range.end).unwrap_or_default()).length;
        while next.next_if(|span| span.end <= at).is_some() {}
        if next.peek().is_some_and(|span| span.start < end) {
            let (range, count) = run.get_or_insert((at..at, 0));
            range.end = end;
            *count += 1;
        } else if let Some((range, count)) = run.take() {
            then(range, count);
        }
        at = end;
    }
    if let Some((range, count)) = run {
        then(range, count);
    }
}

/// Puts `0` for every byte of a kind in what was found; the string has no escapes.
fn masked(
    json: &[u8],
    token: &Token,
    found: &[Range<usize>],
    kind: impl Fn(&u8) -> bool,
    out: &mut Edits,
) {
    each(json, token, found, |range, _| {
        let bytes = json.get(range.clone()).unwrap_or_default();
        let text = bytes
            .iter()
            .map(|byte| if kind(byte) { '0' } else { char::from(*byte) })
            .collect();
        out.push(range, text);
    });
}

fn looks_like_json(content: &[u8]) -> bool {
    let mut rest = content;
    while !rest.is_empty() {
        let unit = unit(rest);
        match unit.char {
            ' ' | '\n' | '\r' | '\t' => rest = rest.get(unit.length..).unwrap_or_default(),
            char => return matches!(char, '{' | '[' | '"'),
        }
    }
    false
}

/// The edits of a string that holds JSON itself, in terms of the outer text.
fn nested(
    content: &[u8],
    start: usize,
    found: &[Range<usize>],
    mark: &str,
    levels: u32,
) -> Option<Edits> {
    let mut text = String::with_capacity(content.len());
    // For each byte of the decoded text where it comes from, and where its unit ends.
    let mut from: Vec<usize> = Vec::with_capacity(content.len() + 1);
    let mut spans = Vec::new();
    let mut next = found.iter().peekable();
    let mut at = 0;
    while at < content.len() {
        let unit = unit(content.get(at..)?);
        let begin = text.len();
        text.push(unit.char);
        from.resize(text.len(), start + at);
        at += unit.length;
        while next
            .next_if(|span| span.end <= start + at - unit.length)
            .is_some()
        {}
        if next.peek().is_some_and(|span| span.start < start + at) {
            spans.push(begin..text.len());
        }
    }
    from.push(start + content.len());
    let spans = Spans::new(&spans, text.len());
    let inner = edits(text.as_bytes(), &spans, mark, levels)?;
    let mut outer = Edits::default();
    for (range, replacement) in inner.into_iter() {
        let mut escaped = String::new();
        escape(&replacement, &mut escaped);
        outer.push(*from.get(range.start)?..*from.get(range.end)?, escaped);
    }
    Some(outer)
}

/// One character of a string as it is written.
struct Unit {
    char: char,
    /// Bytes that it takes, at least one.
    length: usize,
}

/// The first character of what stands in a string; the text is valid and not empty.
fn unit(text: &[u8]) -> Unit {
    let simple = |char| Unit { char, length: 2 };
    match text {
        [b'\\', b'u', ..] => {
            let high = hex(text);
            if let Some(high @ 0xd800..0xdc00) = high
                && let Some(rest @ [b'\\', b'u', ..]) = text.get(6..)
                && let Some(low @ 0xdc00..0xe000) = hex(rest)
                && let Some(char) =
                    char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))
            {
                return Unit { char, length: 12 };
            }
            let char = high
                .and_then(char::from_u32)
                .unwrap_or(char::REPLACEMENT_CHARACTER);
            Unit { char, length: 6 }
        }
        [b'\\', b'n', ..] => simple('\n'),
        [b'\\', b'r', ..] => simple('\r'),
        [b'\\', b't', ..] => simple('\t'),
        [b'\\', b'b', ..] => simple('\u{8}'),
        [b'\\', b'f', ..] => simple('\u{c}'),
        [b'\\', other, ..] => simple(char::from(*other)),
        _ => {
            let length = match text.first() {
                Some(0xf0..) => 4,
                Some(0xe0..) => 3,
                Some(0xc0..) => 2,
                _ => 1,
            };
            let char = text
                .get(..length)
                .and_then(|bytes| std::str::from_utf8(bytes).ok())
                .and_then(|text| text.chars().next())
                .unwrap_or(char::REPLACEMENT_CHARACTER);
            Unit { char, length }
        }
    }
}

/// The number of an escape `\uXXXX`.
fn hex(escape: &[u8]) -> Option<u32> {
    let digits = std::str::from_utf8(escape.get(2..6)?).ok()?;
    u32::from_str_radix(digits, 16).ok()
}

/// Writes text as it stands in a string of JSON.
fn escape(text: &str, out: &mut String) {
    for char in text.chars() {
        match char {
            '"' | '\\' => out.extend(['\\', char]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..'\u{20}' => out.push_str(&format!("\\u{:04x}", u32::from(char))),
            _ => out.push(char),
        }
    }
}
