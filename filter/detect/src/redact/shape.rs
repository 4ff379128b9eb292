//! Which form a string has that a schema or a client may insist on.

use std::ops::Range;

/// Members that hold base64 by the protocol.
const BINARY: [&[u8]; 2] = [b"data", b"blob"];

/// Words of the protocol, by member: clients refuse a message in which another one stands.
const WORDS: [(&[u8], &[&[u8]]); 5] = [
    (b"jsonrpc", &[b"2.0"]),
    (b"role", &[b"user", b"assistant"]),
    (
        b"type",
        &[
            b"text",
            b"image",
            b"audio",
            b"resource",
            b"resource_link",
            b"tool_use",
            b"tool_result",
            b"object",
            b"string",
            b"number",
            b"integer",
            b"boolean",
            b"array",
            b"null",
            b"ref/prompt",
            b"ref/resource",
        ],
    ),
    (
        b"status",
        &[
            b"working",
            b"input_required",
            b"completed",
            b"failed",
            b"cancelled",
        ],
    ),
    (b"resultType", &[b"complete", b"input_required", b"task"]),
];

/// Digits that make a secret: fewer are an amount, a date or a port.
const SECRET_DIGITS: usize = 9;

pub(super) enum Shape {
    /// A word of the protocol.
    Word,
    /// Base64, in a member that holds nothing else.
    Base64,
    /// Digits, and signs between them.
    Digits,
    Uuid,
    Email,
    /// A URI, whose scheme takes so many bytes.
    Uri {
        head: usize,
    },
    Text,
}

/// The form of what stands between the quotes, as the value of a key.
pub(super) fn of(content: &[u8], key: &[u8]) -> Shape {
    let is_word = |(name, words): &(&[u8], &[&[u8]])| *name == key && words.contains(&content);
    if WORDS.iter().any(is_word) {
        return Shape::Word;
    }
    if BINARY.contains(&key) && is_base64(content) {
        return Shape::Base64;
    }
    if !content
        .iter()
        .all(|byte| matches!(byte, b' '..=b'~') && *byte != b'\\')
    {
        return Shape::Text;
    }
    let has_digit = content.iter().any(u8::is_ascii_digit);
    if has_digit && !content.iter().any(u8::is_ascii_alphabetic) {
        return Shape::Digits;
    }
    if content.contains(&b' ') {
        return Shape::Text;
    }
    if is_uuid(content) {
        return Shape::Uuid;
    }
    if let Some(head) = scheme(content) {
        return Shape::Uri { head };
    }
    if is_email(content) {
        return Shape::Email;
    }
    Shape::Text
}

/// Whether a number, or a string without letters, is what the spans mean, rather than what one of them goes over.
pub(super) fn is_aimed_at(json: &[u8], range: &Range<usize>, found: &[Range<usize>]) -> bool {
    let within = |span: &Range<usize>| {
        // A span may take the quotes with it.
        span.start + 1 >= range.start && span.end <= range.end + 1
    };
    let bytes = json.get(range.clone()).unwrap_or_default();
    found.iter().any(within)
        || bytes.iter().filter(|byte| byte.is_ascii_digit()).count() >= SECRET_DIGITS
}

/// What of a mark can stand in a URI: letters and digits, with `-` between them.
pub(super) fn plain(mark: &str) -> String {
    let mut plain = String::new();
    for char in mark.chars() {
        if char.is_ascii_alphanumeric() {
            plain.push(char);
        } else if !plain.is_empty() && !plain.ends_with('-') {
            plain.push('-');
        }
    }
    plain.truncate(plain.trim_end_matches('-').len());
    if plain.is_empty() {
        plain.push('x');
    }
    plain
}

fn is_base64(content: &[u8]) -> bool {
    content.iter().all(|byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_' | b'\\')
    })
}

fn is_uuid(content: &[u8]) -> bool {
    content.len() == 36
        && content.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// The bytes that a scheme takes, with the slashes behind it.
fn scheme(content: &[u8]) -> Option<usize> {
    let colon = content.iter().position(|byte| *byte == b':')?;
    let name = content.get(..colon)?;
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    if name.len() < 2 || !name.first()?.is_ascii_alphabetic() || !name.iter().all(fits) {
        return None;
    }
    let rest = content.get(colon + 1..)?;
    let slashes = rest.iter().take_while(|byte| **byte == b'/').count().min(3);
    (rest.len() > slashes).then_some(colon + 1 + slashes)
}

fn is_email(content: &[u8]) -> bool {
    let mut parts = content.split(|byte| *byte == b'@');
    let (Some(local), Some(domain), None) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    !local.is_empty() && domain.contains(&b'.') && domain.iter().all(fits)
}
