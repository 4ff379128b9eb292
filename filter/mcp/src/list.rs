//! Lists without what a principal may not see, byte for byte the same otherwise.

use crate::json::{self, Fault};
use crate::limits::Limits;
use crate::message::is_batch;
use crate::operation::ListKind;
use crate::rejection::Rejection;
use crate::reply::code;
use crate::version::Era;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;
use std::ops::Range;

/// A filtered response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filtered {
    /// The new message, or `None` when the received bytes can go as they are.
    pub body: Option<Vec<u8>>,
    /// How many entries are left.
    pub shown: usize,
    /// How many were taken out, entries without a readable name included.
    pub hidden: usize,
}

/// Why a response cannot be filtered; nothing of it may pass then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// Not one JSON-RPC message, or not one of a list.
    #[error("the server's list is malformed: {0}; report it to the server's owner")]
    Malformed(String),
    /// A JSON array of messages. Nothing here reads inside.
    #[error(
        "the server's message is a batch, which was not asked for; report it to the server's owner"
    )]
    Batch,
    /// A key that a client could read otherwise.
    #[error("the server's list has the ambiguous key `{0}`; report it to the server's owner")]
    Ambiguous(String),
    /// Nested too deep.
    #[error(
        "the server's list is nested deeper than {0} levels; raise the limit `depth` of the server"
    )]
    TooDeep(u32),
    /// Too long a page.
    #[error(
        "the server's list has more than {0} entries in one page; raise the limit `listEntries`"
    )]
    TooManyEntries(u32),
}

impl Rejection for ListError {
    fn status(&self) -> u16 {
        502
    }

    fn code(&self) -> i64 {
        match self {
            Self::TooManyEntries(_) | Self::TooDeep(_) => code::TOO_LARGE,
            Self::Malformed(_) | Self::Batch | Self::Ambiguous(_) => code::INTERNAL_ERROR,
        }
    }
}

/// Takes the entries that `keep` refuses out of one JSON-RPC response. `keep` gets the tool's or prompt's
/// name, or the resource's URI or template. Entries that stay keep their bytes and order, and so does
/// everything else, save `cacheScope`: what is filtered for one principal becomes `"private"`. Errors, and
/// messages that are no list, pass unchanged.
pub fn filter(
    kind: ListKind,
    message: &[u8],
    era: Era,
    limits: &Limits,
    mut keep: impl FnMut(&str) -> bool,
) -> Result<Filtered, ListError> {
    if is_batch(message) {
        return Err(ListError::Batch);
    }
    json::check(message, limits.depth)?;
    let nothing = Filtered {
        body: None,
        shown: 0,
        hidden: 0,
    };
    let Some(result) = result_of(message)? else {
        return Ok(nothing);
    };
    let [array, scope] = members(result.get(), [kind.entries_key(), "cacheScope"])?;
    let Some(array) = array else {
        return Ok(nothing);
    };
    let entries = entries_of(array, limits.list_entries)?;

    let mut kept = Vec::with_capacity(entries.len());
    for entry in &entries {
        if identity(entry, kind)?.is_some_and(|name| keep(&name)) {
            kept.push(entry.get());
        }
    }
    let (shown, hidden) = (kept.len(), entries.len() - kept.len());
    let mut edits = Vec::new();
    if hidden > 0 {
        edits.push((span(message, array), format!("[{}]", kept.join(","))));
    }
    match scope {
        Some(scope) if scope.get() == PRIVATE => {}
        Some(scope) => edits.push((span(message, scope), PRIVATE.to_owned())),
        None if era == Era::Modern => {
            // Behind the opening brace; there is a member after it, the entries.
            let at = span(message, result).start + 1;
            edits.push((at..at, format!("\"cacheScope\":{PRIVATE},")));
        }
        None => {}
    }
    Ok(Filtered {
        body: (!edits.is_empty()).then(|| splice(message, edits)),
        shown,
        hidden,
    })
}

const PRIVATE: &str = "\"private\"";

/// The result of a response; `None` for an error, a request or a notification.
fn result_of(message: &[u8]) -> Result<Option<&RawValue>, ListError> {
    match envelope(message)? {
        [Some(result), None, None] if result.get().starts_with('{') => Ok(Some(result)),
        [None, _, _] => Ok(None),
        _ => Err(ListError::Malformed(
            "it is not a JSON-RPC response".to_owned(),
        )),
    }
}

/// `result`, `error` and `method` of one message. To many clients a member that is null is absent.
fn envelope(message: &[u8]) -> Result<[Option<&RawValue>; 3], ListError> {
    let found = members(text(message)?, ["result", "error", "method"])?;
    Ok(found.map(present))
}

/// A message as text.
pub(crate) fn text(message: &[u8]) -> Result<&str, ListError> {
    std::str::from_utf8(message).map_err(|error| ListError::Malformed(error.to_string()))
}

/// A member unless it is null.
pub(crate) fn present(member: Option<&RawValue>) -> Option<&RawValue> {
    member.filter(|member| member.get() != "null")
}

/// The members of an object that have one of `names`, as they stand in the text. A member that comes twice, or
/// whose name only differs in case, is an error: a client might take it for the other.
pub(crate) fn members<'a, const N: usize>(
    object: &'a str,
    names: [&str; N],
) -> Result<[Option<&'a RawValue>; N], ListError> {
    struct Pick<'n, const N: usize>([&'n str; N]);

    impl<'de, const N: usize> Visitor<'de> for Pick<'_, N> {
        type Value = ([Option<&'de RawValue>; N], Option<String>);

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut picked = [None; N];
            let mut ambiguous = None;
            while let Some(key) = map.next_key_seed(json::Key)? {
                let at = self.0.iter().position(|name| *name == key);
                if let Some(slot) = at.and_then(|at| picked.get_mut(at)) {
                    if slot.replace(map.next_value()?).is_some() {
                        ambiguous = Some(json::excerpt(&key));
                    }
                } else {
                    map.next_value::<IgnoredAny>()?;
                    if json::confusable([key.as_ref()], &self.0).is_some() {
                        ambiguous = Some(json::excerpt(&key));
                    }
                }
            }
            Ok((picked, ambiguous))
        }
    }

    let mut deserializer = serde_json::Deserializer::from_str(object);
    let found = deserializer.deserialize_map(Pick(names))?;
    deserializer.end()?;
    match found {
        (_, Some(key)) => Err(ListError::Ambiguous(key)),
        (picked, None) => Ok(picked),
    }
}

/// The entries of an array, as they stand in the text.
fn entries_of(array: &RawValue, limit: u32) -> Result<Vec<&RawValue>, ListError> {
    struct Entries(usize);

    impl<'de> Visitor<'de> for Entries {
        /// `None`: too many.
        type Value = Option<Vec<&'de RawValue>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array of entries")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut entries = Vec::new();
            let mut count = 0_usize;
            while let Some(entry) = seq.next_element::<&RawValue>()? {
                count += 1;
                if count <= self.0 {
                    entries.push(entry);
                }
            }
            Ok((count <= self.0).then_some(entries))
        }
    }

    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut deserializer = serde_json::Deserializer::from_str(array.get());
    deserializer
        .deserialize_seq(Entries(most))?
        .ok_or(ListError::TooManyEntries(limit))
}

/// What `keep` is asked about; `None` when the entry has no such string.
fn identity(entry: &RawValue, kind: ListKind) -> Result<Option<String>, ListError> {
    if !entry.get().starts_with('{') {
        return Ok(None);
    }
    let [name] = members(entry.get(), [kind.identity_key()])?;
    Ok(name.and_then(|name| serde_json::from_str(name.get()).ok()))
}

/// Where a part that was borrowed from `message` stands in it.
fn span(message: &[u8], part: &RawValue) -> Range<usize> {
    let start = part
        .get()
        .as_ptr()
        .addr()
        .saturating_sub(message.as_ptr().addr());
    start..start.saturating_add(part.get().len())
}

fn splice(message: &[u8], mut edits: Vec<(Range<usize>, String)>) -> Vec<u8> {
    edits.sort_by_key(|(range, _)| range.start);
    let mut out = Vec::with_capacity(message.len());
    let mut from = 0;
    for (range, text) in edits {
        out.extend_from_slice(message.get(from..range.start).unwrap_or_default());
        out.extend_from_slice(text.as_bytes());
        from = range.end;
    }
    out.extend_from_slice(message.get(from..).unwrap_or_default());
    out
}

impl From<Fault> for ListError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Syntax(detail) => Self::Malformed(detail),
            Fault::Duplicate(key) | Fault::Confusable(key) => Self::Ambiguous(key),
            Fault::Depth(limit) => Self::TooDeep(limit),
        }
    }
}

impl From<serde_json::Error> for ListError {
    fn from(error: serde_json::Error) -> Self {
        Self::Malformed(error.to_string())
    }
}
