//! Values of headers that mirror the body (2026-07-28, streamable HTTP, "Request metadata").

use crate::headers::HeaderError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::borrow::Cow;

/// Longest header value that is looked at; it bounds the decoding.
const MAX_VALUE: usize = 8192;

const OPEN: &str = "=?base64?";
const CLOSE: &str = "?=";

/// A text as the value of a header that mirrors it: as it is when it is visible ASCII with blanks only inside
/// and does not look encoded, else in base64 between its marks.
#[must_use]
pub fn header_value(text: &str) -> Cow<'_, str> {
    let visible = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let cut = text.starts_with(' ') || text.ends_with(' ');
    let looks_encoded = text.starts_with(OPEN) && text.ends_with(CLOSE);
    if visible && !cut && !looks_encoded {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(format!("{OPEN}{}{CLOSE}", STANDARD.encode(text)))
    }
}

/// A header value as text: visible ASCII and inner blanks only. `name` is for the error.
pub(crate) fn visible<'v>(name: &str, value: &'v [u8]) -> Result<&'v str, HeaderError> {
    if value.len() > MAX_VALUE {
        return Err(unreadable(name, "it is longer than 8192 bytes"));
    }
    if !value
        .iter()
        .all(|&byte| matches!(byte, b' '..=b'~' | b'\t'))
    {
        return Err(unreadable(name, "it is not visible ASCII"));
    }
    std::str::from_utf8(value).map_err(|_| unreadable(name, "it is not UTF-8"))
}

/// A header value with `=?base64?…?=` undone. `name` is for the error.
pub(crate) fn decoded<'v>(name: &str, value: &'v [u8]) -> Result<Cow<'v, str>, HeaderError> {
    let text = visible(name, value)?;
    let Some(encoded) = text
        .strip_prefix(OPEN)
        .and_then(|rest| rest.strip_suffix(CLOSE))
    else {
        return Ok(Cow::Borrowed(text));
    };
    let bytes = STANDARD
        .decode(encoded)
        .map_err(|_| unreadable(name, "its base64 is not valid"))?;
    let text =
        String::from_utf8(bytes).map_err(|_| unreadable(name, "its base64 does not hold UTF-8"))?;
    Ok(Cow::Owned(text))
}

fn unreadable(name: &str, problem: &'static str) -> HeaderError {
    HeaderError::Unreadable(name.to_owned().into(), problem)
}
