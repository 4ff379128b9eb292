//! Where a message says something, beside what the protocol says.

use crate::list::ListError;
use crate::raw::{members, present, span, text};
use serde::de::IgnoredAny;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::ops::Range;

/// Members of the parameters of a request that say something: what a tool or a prompt is given, what is to be
/// completed, which resource is read, what a server's questions are answered by, and what is said beside.
const PARAMETERS: [&str; 5] = ["arguments", "argument", "uri", "inputResponses", META];
const META: &str = "_meta";
const STATE: &str = "requestState";
/// Members that say nothing: what is called, and what was sealed for the client.
const SILENT: [&str; 2] = ["name", STATE];

/// Members of `_meta` that are the protocol's own.
const SILENT_META: [&str; 6] = [
    "progressToken",
    "traceparent",
    "tracestate",
    "io.modelcontextprotocol/protocolVersion",
    "io.modelcontextprotocol/logLevel",
    "io.modelcontextprotocol/clientCapabilities",
];
/// Bytes of the value of one of these.
const MAX_TOKEN: usize = 256;

/// Where a client's message says something, as one range of its bytes: the parameter that does, all of them when
/// several do, or none, or one that is not known, or what a response answers; the whole of a message that could be
/// read in two ways. Nothing for one that says nothing.
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
    let all = span(message, params);
    if !params.get().starts_with('{') {
        return Ok(Some(all));
    }
    let parts = members(params.get(), PARAMETERS)?.map(present);
    let keys: HashMap<String, IgnoredAny> = serde_json::from_str(params.get())?;
    let is_known = |key: &String| PARAMETERS.iter().chain(&SILENT).any(|known| known == key);
    if !keys.keys().all(is_known) {
        return Ok(Some(all));
    }
    let mut speaking = Vec::new();
    for (name, part) in PARAMETERS.into_iter().zip(parts) {
        let Some(part) = part else {
            continue;
        };
        if name != META || !is_silent(&serde_json::from_str(part.get())?) {
            speaking.push(part);
        }
    }
    // Several are not JSON without what is around them, and nothing could be taken out of that.
    Ok(Some(match speaking.as_slice() {
        [one] => span(message, one),
        _ => all,
    }))
}

/// Whether a call says nothing beside its arguments.
#[must_use]
pub fn says_arguments_alone(params: &Map<String, Value>) -> bool {
    params.iter().all(|(key, value)| match key.as_str() {
        "name" | "arguments" => true,
        META => is_silent(value),
        _ => false,
    })
}

fn is_silent(meta: &Value) -> bool {
    let is_token = |value: &Value| match value {
        Value::Number(_) => true,
        Value::Object(members) => members.is_empty(),
        // Sentences have blanks.
        Value::String(text) => {
            text.len() <= MAX_TOKEN && text.bytes().all(|byte| byte.is_ascii_graphic())
        }
        _ => false,
    };
    meta.as_object().is_some_and(|meta| {
        let mut members = meta.iter();
        members.all(|(key, value)| SILENT_META.contains(&key.as_str()) && is_token(value))
    })
}

/// Where the text of `requestState` stands in a request, without its quotes.
#[must_use]
pub fn state_place(message: &[u8]) -> Option<Range<usize>> {
    let [params] = members(text(message).ok()?, ["params"]).ok()?;
    let [state] = members(params?.get(), [STATE]).ok()?;
    let state = state.filter(|state| state.get().starts_with('"'))?;
    let Range { start, end } = span(message, state);
    Some(start.saturating_add(1)..end.saturating_sub(1))
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
