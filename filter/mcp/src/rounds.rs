//! `requestState` of multi-round requests (2026-07-28), so that a gateway can tie it to who it was given to and
//! carry its own beside the server's; and answers that stand for those of other requests.

use crate::list::ListError;
use crate::message::Id;
use crate::raw::{members, present, span, splice, text};
use serde_json::Value;
use serde_json::value::RawValue;

/// What a server that asks for input gave the client to send back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerState {
    /// It does not ask for input.
    NotAsked,
    /// It asks, and gave nothing.
    None,
    /// It asks, and gave this.
    Some(String),
}

/// Whether one message of a server asks for input, and its state. Also where `requestState` stands in a result that
/// is called otherwise, for clients that go by the member alone.
///
/// # Errors
///
/// A message in which a client could read another state than the one found here, or one that is no string.
pub fn state_of_answer(message: &[u8]) -> Result<ServerState, ListError> {
    if memchr::memmem::find(message, b"equest").is_none()
        && memchr::memmem::find(message, b"input_required").is_none()
        && memchr::memmem::find(message, b"\\u").is_none()
    {
        return Ok(ServerState::NotAsked);
    }
    let Some(result) = result_of(message)? else {
        return Ok(ServerState::NotAsked);
    };
    let [kind, state] = members(result.get(), ["resultType", "requestState"])?.map(present);
    let asks = kind.and_then(string).as_deref() == Some(INPUT_REQUIRED);
    match state {
        None if asks => Ok(ServerState::None),
        None => Ok(ServerState::NotAsked),
        Some(state) => {
            let text = string(state)
                .ok_or_else(|| ListError::Malformed("`requestState` is not a string".to_owned()))?;
            Ok(ServerState::Some(text))
        }
    }
}

/// The same message with another `requestState`, put in where there was none.
///
/// # Errors
///
/// Those of [`state_of_answer`].
pub fn with_state(message: &[u8], state: &str) -> Result<Vec<u8>, ListError> {
    let Some(result) = result_of(message)? else {
        return Err(ListError::Malformed("it has no result".to_owned()));
    };
    let [held] = members(result.get(), ["requestState"])?;
    let quoted = Value::from(state).to_string();
    let edit = match held {
        Some(held) => (span(message, held), quoted),
        None => {
            // Behind the opening brace; there is a member after it, `resultType`.
            let at = span(message, result).start + 1;
            (at..at, format!("\"requestState\":{quoted},"))
        }
    };
    Ok(splice(message, vec![edit]))
}

/// One request of a client, which [`crate::parse`] accepts, with another `params.requestState`, or without any.
///
/// # Errors
///
/// When it has none, or one that could be read otherwise.
pub fn replace_request_state(message: &[u8], state: Option<&str>) -> Result<Vec<u8>, ListError> {
    let [params] = members(text(message)?, ["params"])?.map(present);
    let object = params.filter(|params| params.get().starts_with('{'));
    let [held] = match object {
        Some(params) => members(params.get(), ["requestState"])?,
        None => [None],
    };
    let (Some(params), Some(held)) = (object, held) else {
        return Err(ListError::Malformed("it has no `requestState`".to_owned()));
    };
    let value = span(message, held);
    if let Some(state) = state {
        return Ok(splice(
            message,
            vec![(value, Value::from(state).to_string())],
        ));
    }
    let params = span(message, params);
    let from = start_of_member(message, params.start, value.start);
    let after = message.get(value.end..params.end).unwrap_or_default();
    let rest = after.iter().position(|byte| !byte.is_ascii_whitespace());
    let comma_behind = rest.filter(|at| after.get(*at) == Some(&b','));
    let edit = match comma_behind {
        Some(at) => from..value.end.saturating_add(at).saturating_add(1),
        None => comma_before(message, params.start, from)..value.end,
    };
    Ok(splice(message, vec![(edit, String::new())]))
}

/// Where the member begins whose value begins at `value`: before it stand its colon and its key, and blanks.
fn start_of_member(message: &[u8], least: usize, value: usize) -> usize {
    let before = message.get(least..value).unwrap_or_default();
    // The key's closing quote, then its opening one. The key is ASCII without escapes of quotes, since it was found
    // by its name, which has none.
    let close = before.iter().rposition(|byte| *byte == b'"').unwrap_or(0);
    let key = before.get(..close).unwrap_or_default();
    let open = key.iter().rposition(|byte| *byte == b'"').unwrap_or(0);
    least.saturating_add(open)
}

/// Where the comma before a member stands, or where the member begins when there is none.
fn comma_before(message: &[u8], least: usize, member: usize) -> usize {
    let before = message.get(least..member).unwrap_or_default();
    let last = before.iter().rposition(|byte| !byte.is_ascii_whitespace());
    match last {
        Some(at) if before.get(at) == Some(&b',') => least.saturating_add(at),
        _ => member,
    }
}

/// What one response says in the end, as it stands in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said<'a> {
    /// Its `result`.
    Result(&'a str),
    /// Its `error`.
    Error(&'a str),
}

/// What a response to the request `id` says; `None` for any other message.
///
/// # Errors
///
/// A message that could be read otherwise.
pub fn said<'a>(message: &'a [u8], id: &Id) -> Result<Option<Said<'a>>, ListError> {
    if !message.contains(&b'{') {
        return Ok(None);
    }
    let [own, method, result, error] =
        members(text(message)?, ["id", "method", "result", "error"])?.map(present);
    if method.is_some() || own.and_then(crate::answer::read_id).as_ref() != Some(id) {
        return Ok(None);
    }
    Ok(match (result, error) {
        (Some(result), None) => Some(Said::Result(result.get())),
        (None, Some(error)) => Some(Said::Error(error.get())),
        _ => None,
    })
}

/// One request with another id.
///
/// # Errors
///
/// When it has none that could be replaced.
pub fn with_id(message: &[u8], id: &Id) -> Result<Vec<u8>, ListError> {
    let [held] = members(text(message)?, ["id"])?;
    let held = held.ok_or_else(|| ListError::Malformed("it has no `id`".to_owned()))?;
    let id = serde_json::to_string(id)?;
    Ok(splice(message, vec![(span(message, held), id)]))
}

/// One modern request that says that its client can do nothing beside taking the answer: for a call that is made
/// when nobody is there any more who could be asked.
///
/// # Errors
///
/// A message that could be read otherwise.
pub fn without_capabilities(message: &[u8]) -> Result<Vec<u8>, ListError> {
    let inner = |outer: Option<&RawValue>| outer.is_some_and(|it| it.get().starts_with('{'));
    let [params] = members(text(message)?, ["params"])?.map(present);
    let Some(params) = params.filter(|it| inner(Some(it))) else {
        return Ok(message.to_vec());
    };
    let [meta] = members(params.get(), ["_meta"])?.map(present);
    let Some(meta) = meta.filter(|it| inner(Some(it))) else {
        return Ok(message.to_vec());
    };
    let [capabilities] = members(meta.get(), [CAPABILITIES])?;
    Ok(match capabilities {
        Some(held) => splice(message, vec![(span(message, held), "{}".to_owned())]),
        None => message.to_vec(),
    })
}

const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const INPUT_REQUIRED: &str = "input_required";

fn result_of(message: &[u8]) -> Result<Option<&RawValue>, ListError> {
    if !message.contains(&b'{') {
        return Ok(None);
    }
    let [result] = members(text(message)?, ["result"])?.map(present);
    Ok(result.filter(|result| result.get().starts_with('{')))
}

fn string(part: &RawValue) -> Option<String> {
    serde_json::from_str(part.get()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_of_answers() {
        let check = |result: &str, expected: ServerState| {
            let message = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#);
            assert_eq!(
                state_of_answer(message.as_bytes()),
                Ok(expected),
                "{result}"
            );
        };
        check(r#"{"content":[]}"#, ServerState::NotAsked);
        check(
            r#"{"resultType":"input_required","inputRequests":{}}"#,
            ServerState::None,
        );
        check(
            r#"{"resultType":"input_required","requestState":"a"}"#,
            ServerState::Some("a".to_owned()),
        );
        check(
            r#"{"request\u0053tate":"a"}"#,
            ServerState::Some("a".to_owned()),
        );
    }

    #[test]
    fn ambiguous_states_are_refused() {
        for result in [
            r#"{"requestState":"a","requestState":"b"}"#,
            r#"{"requestState":"a","requeststate":"b"}"#,
            r#"{"requestState":1}"#,
        ] {
            let message = format!(r#"{{"id":1,"result":{result}}}"#);
            assert!(state_of_answer(message.as_bytes()).is_err(), "{result}");
        }
    }

    #[test]
    fn states_are_put_in() {
        let check = |result: &str, expected: &str| {
            let message = format!(r#"{{"id":1,"result":{result}}}"#);
            let new = with_state(message.as_bytes(), "x").unwrap();
            let expected = format!(r#"{{"id":1,"result":{expected}}}"#);
            assert_eq!(String::from_utf8(new).unwrap(), expected);
        };
        check(
            r#"{"resultType":"input_required"}"#,
            r#"{"requestState":"x","resultType":"input_required"}"#,
        );
        check(
            r#"{"a":1, "requestState": "y" }"#,
            r#"{"a":1, "requestState": "x" }"#,
        );
    }

    #[test]
    fn states_of_requests_are_replaced() {
        let check = |params: &str, state: Option<&str>, expected: &str| {
            let message = format!(r#"{{"id":1,"method":"tools/call","params":{params}}}"#);
            let new = replace_request_state(message.as_bytes(), state).unwrap();
            let expected = format!(r#"{{"id":1,"method":"tools/call","params":{expected}}}"#);
            assert_eq!(String::from_utf8(new).unwrap(), expected);
        };
        check(r#"{"requestState":"s"}"#, None, "{}");
        check(
            r#"{ "requestState" : "s" , "name":"t"}"#,
            None,
            r#"{  "name":"t"}"#,
        );
        check(
            r#"{"name":"t", "requestState":"s"}"#,
            None,
            r#"{"name":"t"}"#,
        );
        check(
            r#"{"a":{"requestState":"u"},"requestState":"s","b":1}"#,
            None,
            r#"{"a":{"requestState":"u"},"b":1}"#,
        );
        check(
            r#"{"requestState":"s","name":"t"}"#,
            Some("\""),
            r#"{"requestState":"\"","name":"t"}"#,
        );
        check(
            r#"{"requ\u0065stState":"s","name":"t"}"#,
            None,
            r#"{"name":"t"}"#,
        );
    }

    #[test]
    fn capabilities_are_taken_away() {
        let message = r#"{"id":1,"params":{"_meta":{"a":1,"io.modelcontextprotocol/clientCapabilities":{"x":{}}}}}"#;
        let expected = r#"{"id":1,"params":{"_meta":{"a":1,"io.modelcontextprotocol/clientCapabilities":{}}}}"#;
        let new = without_capabilities(message.as_bytes()).unwrap();
        assert_eq!(String::from_utf8(new).unwrap(), expected);
        let plain = br#"{"id":1}"#;
        assert_eq!(without_capabilities(plain).unwrap(), plain);
    }

    #[test]
    fn what_responses_say() {
        let check = |message: &str, expected: Option<Said<'_>>| {
            let id = Id::from_value(Value::from(7)).unwrap();
            assert_eq!(said(message.as_bytes(), &id), Ok(expected), "{message}");
        };
        check(
            r#"{"id":7,"result":{"a":1}}"#,
            Some(Said::Result(r#"{"a":1}"#)),
        );
        check(
            r#"{"id":7,"error":{"code":1}}"#,
            Some(Said::Error(r#"{"code":1}"#)),
        );
        check(r#"{"id":8,"result":{}}"#, None);
        check(r#"{"id":7,"method":"x"}"#, None);
    }
}
