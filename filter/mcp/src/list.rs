//! Lists without what a principal may not see, byte for byte the same otherwise.

use crate::json::{self, Fault};
use crate::limits::Limits;
use crate::message::is_batch;
use crate::operation::ListKind;
use crate::raw::{entries_of, members, present, span, splice, text};
use crate::rejection::Rejection;
use crate::reply::code;
use crate::version::Era;
use serde_json::value::RawValue;

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

/// Why a message of a server cannot be judged; nothing of it may pass then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// Not one JSON-RPC message, or not one of the kind that it should be.
    #[error("the server's answer is malformed: {0}; report it to the server's owner")]
    Malformed(String),
    /// A JSON array of messages where one message is read; [`crate::batch::split`] takes it apart.
    #[error(
        "the server's message is a batch, which only 2025-03-26 has; report it to the server's owner"
    )]
    Batch,
    /// More than [`crate::MAX_BATCH`] messages in one array.
    #[error("the server's batch has more than {0} messages; report it to the server's owner")]
    BatchTooLong(usize),
    /// A key that a client could read otherwise.
    #[error("the server's answer has the ambiguous key `{0}`; report it to the server's owner")]
    Ambiguous(String),
    /// Nested too deep.
    #[error(
        "the server's answer is nested deeper than {0} levels; raise the limit `depth` of the server"
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
            Self::TooManyEntries(_) | Self::TooDeep(_) | Self::BatchTooLong(_) => code::TOO_LARGE,
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
    // Faster, and stricter; what it does not take is looked at once more.
    if !json::is_usual(message, limits.depth) {
        json::check(message, limits.depth)?;
    }
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
    let entries = entries_of(array.get(), limits.list_entries)?;

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

/// The entries of a list, by name, as they stand in a response that [`filter`] accepts; nothing for any other
/// message, and nothing of entries without a name.
pub fn entries<'a>(
    kind: ListKind,
    message: &'a [u8],
    limits: &Limits,
) -> Result<Vec<(String, &'a str)>, ListError> {
    let Some(result) = result_of(message)? else {
        return Ok(Vec::new());
    };
    let [Some(array)] = members(result.get(), [kind.entries_key()])? else {
        return Ok(Vec::new());
    };
    let mut named = Vec::new();
    for entry in entries_of(array.get(), limits.list_entries)? {
        if let Some(name) = identity(entry, kind)? {
            named.push((name, entry.get()));
        }
    }
    Ok(named)
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

/// What `keep` is asked about; `None` when the entry has no such string.
fn identity(entry: &RawValue, kind: ListKind) -> Result<Option<String>, ListError> {
    if !entry.get().starts_with('{') {
        return Ok(None);
    }
    let [name] = members(entry.get(), [kind.identity_key()])?;
    Ok(name.and_then(|name| serde_json::from_str(name.get()).ok()))
}

impl From<Fault> for ListError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Syntax(detail) => Self::Malformed(detail),
            Fault::Duplicate(key) | Fault::Confusable(key) => Self::Ambiguous(key),
            Fault::Prototype => Self::Ambiguous(json::PROTOTYPE.to_owned()),
            Fault::Depth(limit) => Self::TooDeep(limit),
        }
    }
}

impl From<serde_json::Error> for ListError {
    fn from(error: serde_json::Error) -> Self {
        Self::Malformed(error.to_string())
    }
}
