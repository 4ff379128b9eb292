//! Where a message says something, beside what the protocol says.

use crate::list::ListError;
use crate::raw::{members, present, span, text};
use serde_json::Value;
use std::ops::Range;

/// Members of the parameters of a request that say something: what a tool or a prompt is given, what is to be
/// completed, which resource is read, what a server's questions are answered by.
const PARAMETERS: [&str; 4] = ["arguments", "argument", "uri", "inputResponses"];

/// Where a client's message says something, as one range of its bytes: from the first to the last of the
/// parameters that do, all of them for a method that has none of these, or what a response answers; the whole of a
/// message that could be read in two ways. Nothing for one that says nothing.
#[must_use]
pub fn spoken(message: &[u8]) -> Option<Range<usize>> {
    parts(message).unwrap_or(Some(0..message.len()))
}

fn parts(message: &[u8]) -> Result<Option<Range<usize>>, ListError> {
    let names = ["params", "result", "error"];
    let [params, result, error] = members(text(message)?, names)?.map(present);
    let Some(params) = params else {
        return Ok(result.or(error).map(|answer| span(message, answer)));
    };
    let parts = match params.get().starts_with('{') {
        true => members(params.get(), PARAMETERS)?.map(present),
        false => [None; 4],
    };
    let places = parts.into_iter().flatten().map(|part| span(message, part));
    let hull = places.reduce(|one, other| one.start.min(other.start)..one.end.max(other.end));
    Ok(Some(hull.unwrap_or_else(|| span(message, params))))
}

/// Bytes of a message that are looked at by [`said`].
const MAX_SAID: usize = 16 << 10;

/// The texts of a server's notification or request, one after another without what is around them, so that a text that
/// is cut over several can be read as one. Empty for a long message, and for one that is not read in one way.
#[must_use]
pub fn said(message: &[u8]) -> String {
    let mut said = String::new();
    if message.len() > MAX_SAID {
        return said;
    }
    let names = ["params", "result", "error"];
    let Ok(found) = text(message).and_then(|text| members(text, names)) else {
        return said;
    };
    for part in found.into_iter().flatten() {
        if let Ok(value) = serde_json::from_str(part.get()) {
            collect(&value, &mut said);
        }
    }
    said
}

/// The depth is that which `serde_json` reads.
fn collect(value: &Value, said: &mut String) {
    match value {
        Value::String(text) => {
            if !said.is_empty() {
                said.push(' ');
            }
            said.push_str(text);
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, said)),
        Value::Object(members) => members.values().for_each(|member| collect(member, said)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
