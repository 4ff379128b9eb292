//! JSON arrays of messages, which 2025-03-26 has and no later version.

use crate::json;
use crate::limits::Limits;
use crate::list::ListError;
use crate::message::{Id, Message, ParseError, ParseFault, message};
use crate::raw::{entries_of, text};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Most messages in one batch, of a client or of a server.
pub const MAX_BATCH: usize = 100;

/// Reads the body of a POST as a batch of 2025-03-26, each element as strictly as [`crate::parse`] reads a
/// body. The array counts as one level of nesting.
///
/// # Errors
///
/// Whatever makes a single message refused, in any element; and a batch that is empty or too long, has an
/// `initialize`, answers to the server beside its own messages, or the same id twice, since an answer to that
/// id could be meant for either. No error has an id: it refuses all of the messages.
pub fn parse_batch(body: &[u8], limits: &Limits) -> Result<Vec<Message>, ParseError> {
    read(body, limits).map_err(|fault| ParseError { fault, id: None })
}

fn read(body: &[u8], limits: &Limits) -> Result<Vec<Message>, ParseFault> {
    let json::Read { value, has_floats } = json::read(body, limits.depth)?;
    if has_floats && !json::integers_fit(body) {
        return Err(ParseFault::IntegerTooLarge);
    }
    let Value::Array(elements) = value else {
        return Err(ParseFault::NotABatch);
    };
    if elements.is_empty() {
        return Err(ParseFault::EmptyBatch);
    }
    if elements.len() > MAX_BATCH {
        return Err(ParseFault::BatchTooLong(MAX_BATCH));
    }
    let messages = elements
        .into_iter()
        .map(|element| match element {
            Value::Object(_) => message(element).map_err(|error| error.fault),
            _ => Err(ParseFault::NotAnObject),
        })
        .collect::<Result<Vec<_>, _>>()?;
    together(&messages)?;
    Ok(messages)
}

/// Whether these messages may stand in one batch.
fn together(messages: &[Message]) -> Result<(), ParseFault> {
    let is_response = |message: &Message| matches!(message, Message::Response(_));
    if messages.iter().any(is_response) && !messages.iter().all(is_response) {
        return Err(ParseFault::BatchMixed);
    }
    let mut ids = BTreeSet::new();
    for message in messages {
        let id = match message {
            Message::Request(request) if request.method == "initialize" => {
                return Err(ParseFault::BatchedInitialize);
            }
            Message::Request(request) => Some(&request.id),
            Message::Response(response) => response.id.as_ref(),
            Message::Notification(_) => None,
        };
        if let Some(id) = id
            && !ids.insert(Compared::of(id))
        {
            return Err(ParseFault::RepeatedId(shown(id)));
        }
    }
    Ok(())
}

/// An id as the coarsest parser tells it from another: in JavaScript integers are floats.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Compared<'a> {
    Float(u64),
    Text(&'a str),
}

impl<'a> Compared<'a> {
    fn of(id: &'a Id) -> Self {
        match id {
            Id::Integer(number) => Self::Float(number.as_f64().unwrap_or(0.0).to_bits()),
            Id::String(text) => Self::Text(text),
        }
    }
}

fn shown(id: &Id) -> String {
    match id {
        Id::Integer(number) => number.to_string(),
        Id::String(text) => json::excerpt(text),
    }
}

/// The messages of a server's batch as they stand in the text. What they are is not looked at: each is to be
/// judged as if it had come alone.
///
/// # Errors
///
/// What is no array, cannot be read in one way, or has more than [`MAX_BATCH`] elements.
pub fn split<'a>(message: &'a [u8], limits: &Limits) -> Result<Vec<&'a [u8]>, ListError> {
    json::check(message, limits.depth)?;
    let text = text(message)?;
    let most = u32::try_from(MAX_BATCH).unwrap_or(u32::MAX);
    match entries_of(text, most) {
        Ok(elements) => Ok(elements
            .into_iter()
            .map(|element| element.get().as_bytes())
            .collect()),
        Err(ListError::TooManyEntries(_)) => Err(ListError::BatchTooLong(MAX_BATCH)),
        Err(other) => Err(other),
    }
}

/// One batch of messages that are JSON texts already.
#[must_use]
pub fn join(elements: &[Cow<'_, [u8]>]) -> Vec<u8> {
    let mut out = Vec::with_capacity(elements.iter().map(|it| it.len() + 1).sum::<usize>() + 2);
    out.push(b'[');
    for (at, element) in elements.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(element);
    }
    out.push(b']');
    out
}
