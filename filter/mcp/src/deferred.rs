//! Calls whose arguments are only built if somebody asks for them.

use crate::json;
use crate::limits::Limits;
use crate::message::{Message, ParseError, parse};
use serde_json::{Map, Value};
use std::cell::OnceCell;

/// The arguments of a call as they stand in its text, which was read strictly; never an empty object.
#[derive(Debug)]
pub struct Deferred<'a> {
    text: &'a str,
    built: OnceCell<Option<Map<String, Value>>>,
}

impl<'a> Deferred<'a> {
    /// As the client wrote them.
    #[must_use]
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// Built, the first time that somebody asks. `None` cannot be, since the text was read, and whoever gets it
    /// must not go on.
    #[must_use]
    pub fn get(&self) -> Option<&Map<String, Value>> {
        let build = || match json::read(self.text.as_bytes(), Limits::MAX_DEPTH) {
            Ok(json::Read {
                value: Value::Object(map),
                ..
            }) => Some(map),
            _ => None,
        };
        self.built.get_or_init(build).as_ref()
    }
}

/// Reads the body of a POST exactly as [`parse`] does, but leaves the arguments of `tools/call` and `prompts/get`
/// unbuilt where that saves work. With [`Deferred`] arguments, the message has an empty object in their place.
///
/// # Errors
///
/// Those of [`parse`].
pub fn parse_deferred<'a>(
    body: &'a [u8],
    limits: &Limits,
) -> Result<(Message, Option<Deferred<'a>>), ParseError> {
    match deferred(body, limits) {
        Some((message, arguments)) => Ok((message, Some(arguments))),
        // Also what is wrong: it is read once more, and found out.
        None => Ok((parse(body, limits)?, None)),
    }
}

/// Arguments of fewer bytes are as quickly built.
const WORTH_IT: usize = 128;

fn deferred<'a>(body: &'a [u8], limits: &Limits) -> Option<(Message, Deferred<'a>)> {
    if body.len() < WORTH_IT {
        return None;
    }
    let place = json::arguments(body, limits.depth).filter(|it| it.len() >= WORTH_IT)?;
    let (before, rest) = body.split_at_checked(place.start)?;
    let (text, after) = rest.split_at_checked(place.len())?;
    let text = std::str::from_utf8(text).ok()?;
    // Blanks between braces are all that may make it this long and empty.
    if text
        .bytes()
        .all(|byte| !byte.is_ascii_graphic() || matches!(byte, b'{' | b'}'))
    {
        return None;
    }
    let message = parse(&[before, b"{}", after].concat(), limits).ok()?;
    if !matches!(&message, Message::Request(call) if CALLS.contains(&call.method.as_str())) {
        return None;
    }
    let arguments = Deferred {
        text,
        built: OnceCell::new(),
    };
    Some((message, arguments))
}

/// Methods whose arguments only policy and events look at.
const CALLS: [&str; 2] = ["tools/call", "prompts/get"];
