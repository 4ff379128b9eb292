//! Takes what was found out of a message that stays what it was.

mod base64;
mod edits;
mod sentence;
mod shape;
mod text;
mod walk;

pub use edits::merged;
use std::ops::Range;

use edits::{Edits, Spans};

pub use sentence::sentence;

/// How many levels of JSON in a string of JSON are read as such; deeper ones are text.
const LEVELS: u32 = 4;

/// A JSON text in which the given byte ranges, as far as they lie in values, are replaced. Spans may overlap,
/// come in any order, begin and end anywhere. All else stays byte for byte: structure, keys, other values.
///
/// - In a string `mark` takes their place, or as many `*` where it would make the string longer, so that no string
///   outgrows a `maxLength`. Escapes and characters are replaced whole. JSON in a string stays JSON, four levels deep.
/// - A number becomes `0`.
/// - A string without letters (a card, a phone number) keeps its form, with `0` for its digits; so does a UUID.
/// - A URI stays one, and an e-mail address becomes another one. What a member `data` or `blob` holds in base64
///   becomes the mark in base64.
/// - Of a span that goes over several values, words of the protocol (`"type":"text"`, `"role":"user"`) and texts
///   without letters that are too short for a secret stay.
///
/// Types never change, and nothing is added or taken away, so that a result is valid against an output schema as
/// before, unless that restricts a string that was found by `enum`, `const` or a narrow `pattern`.
///
/// Nothing when it cannot be done, so that the caller has to withhold the message: the text is no JSON (or nested
/// deeper than 256), or a span lies in keys alone.
pub fn redact(json: &[u8], spans: &[Range<usize>], mark: &str) -> Option<Vec<u8>> {
    std::str::from_utf8(json).ok()?;
    let spans = Spans::new(spans, json.len());
    edits(json, &spans, mark, LEVELS).map(|edits| edits.apply(json))
}

/// What has to be replaced in a JSON text.
fn edits(json: &[u8], spans: &Spans, mark: &str, levels: u32) -> Option<Edits> {
    let mut edits = Edits::default();
    let mut hits = vec![Hit::default(); spans.len()];
    let mut next = 0;
    walk::walk(json, &mut |token| {
        let (first, found) = spans.within(&token.range, &mut next);
        if found.is_empty() {
            return;
        }
        let is_key = token.what == walk::What::Key;
        for hit in hits.iter_mut().skip(first).take(found.len()) {
            hit.key |= is_key;
            hit.value |= !is_key;
        }
        match token.what {
            walk::What::Key => {}
            walk::What::Number => {
                if shape::is_aimed_at(json, &token.range, found) {
                    edits.push(token.range, "0".to_owned());
                }
            }
            walk::What::String => text::string(json, &token, found, mark, levels, &mut edits),
        }
    })?;
    hits.iter()
        .all(|hit| hit.value || !hit.key)
        .then_some(edits)
}

/// Where a span lies.
#[derive(Clone, Default)]
struct Hit {
    key: bool,
    value: bool,
}
