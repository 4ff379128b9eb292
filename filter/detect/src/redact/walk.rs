//! Goes over a JSON text, and names its keys, strings and numbers in order.

use std::ops::Range;

/// How deep arrays and objects may be nested.
const DEPTH: usize = 256;

/// A key, a string or a number.
pub(super) struct Token {
    pub(super) what: What,
    /// Its bytes, without quotes.
    pub(super) range: Range<usize>,
    /// The bytes of the key of which it is the value, also within arrays; empty when there is none.
    pub(super) key: Range<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum What {
    Key,
    String,
    Number,
}

/// Calls `visit` for each, in order. Nothing when the text is no JSON; then some may have been visited.
pub(super) fn walk(json: &[u8], visit: &mut impl FnMut(Token)) -> Option<()> {
    let mut at = 0;
    let mut key = 0..0;
    // For each object that is open the key of the member at hand, for each array that of the array itself.
    let mut open: Vec<(bool, Range<usize>)> = Vec::new();
    'value: loop {
        at = blanks(json, at);
        let first = *json.get(at)?;
        match first {
            b'{' | b'[' => {
                if open.len() >= DEPTH {
                    return None;
                }
                let object = first == b'{';
                at = blanks(json, at + 1);
                if json.get(at) != Some(if object { &b'}' } else { &b']' }) {
                    open.push((object, key.clone()));
                    if object {
                        (key, at) = member(json, at, visit)?;
                    }
                    continue 'value;
                }
                at += 1;
            }
            b'"' => {
                let range = string(json, at)?;
                at = range.end + 1;
                let key = key.clone();
                visit(Token {
                    what: What::String,
                    range,
                    key,
                });
            }
            b'-' | b'0'..=b'9' => {
                let range = at..number(json, at)?;
                at = range.end;
                let key = key.clone();
                visit(Token {
                    what: What::Number,
                    range,
                    key,
                });
            }
            _ => at = literal(json, at)?,
        }
        // A value has ended: what follows belongs to what it stands in.
        loop {
            at = blanks(json, at);
            let Some((object, outer)) = open.last() else {
                return (at == json.len()).then_some(());
            };
            match (json.get(at)?, object) {
                (b',', true) => {
                    (key, at) = member(json, blanks(json, at + 1), visit)?;
                    continue 'value;
                }
                (b',', false) => {
                    at += 1;
                    key = outer.clone();
                    continue 'value;
                }
                (b'}', true) | (b']', false) => {
                    at += 1;
                    open.pop();
                }
                _ => return None,
            }
        }
    }
}

/// The key that begins here, and the place of its value.
fn member(json: &[u8], at: usize, visit: &mut impl FnMut(Token)) -> Option<(Range<usize>, usize)> {
    let range = string(json, at)?;
    let colon = blanks(json, range.end + 1);
    if json.get(colon) != Some(&b':') {
        return None;
    }
    visit(Token {
        what: What::Key,
        range: range.clone(),
        key: 0..0,
    });
    Some((range, colon + 1))
}

fn blanks(json: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = json.get(at) {
        at += 1;
    }
    at
}

/// What stands between the quotes of the string that begins here.
fn string(json: &[u8], quote: usize) -> Option<Range<usize>> {
    if json.get(quote) != Some(&b'"') {
        return None;
    }
    let start = quote + 1;
    let mut at = start;
    loop {
        match *json.get(at)? {
            b'"' => return Some(start..at),
            b'\\' => match json.get(at + 1)? {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => at += 2,
                b'u' if json.get(at + 2..at + 6)?.iter().all(u8::is_ascii_hexdigit) => at += 6,
                _ => return None,
            },
            0..0x20 => return None,
            _ => at += 1,
        }
    }
}

/// The end of the number that begins here.
fn number(json: &[u8], start: usize) -> Option<usize> {
    let mut at = start + usize::from(json.get(start) == Some(&b'-'));
    let whole = at;
    at = digits(json, at)?;
    if json.get(whole) == Some(&b'0') && at > whole + 1 {
        return None;
    }
    if json.get(at) == Some(&b'.') {
        at = digits(json, at + 1)?;
    }
    if let Some(b'e' | b'E') = json.get(at) {
        at += 1;
        at += usize::from(matches!(json.get(at), Some(b'+' | b'-')));
        at = digits(json, at)?;
    }
    Some(at)
}

fn digits(json: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    while json.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    (at > start).then_some(at)
}

fn literal(json: &[u8], at: usize) -> Option<usize> {
    let rest = json.get(at..)?;
    [&b"true"[..], b"false", b"null"]
        .into_iter()
        .find(|word| rest.starts_with(word))
        .map(|word| at + word.len())
}
