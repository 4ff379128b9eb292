//! Task ids in messages, so that a gateway can tie them to who they were given to.
//!
//! Only ids of the server's tasks are touched. A client may have tasks too (2025-11-25): those that it names
//! in its own answers and notifications, and that a server's `tasks/…` requests ask for, are its own.

use crate::json::excerpt;
use crate::list::ListError;
use crate::message::{META_RELATED_TASK, Message, is_batch};
use crate::raw::{entries_of, members, present, span, splice, text};
use crate::rejection::Rejection;
use crate::reply::code;
use serde_json::Value;
use serde_json::value::RawValue;
use std::ops::Range;

/// A task that the caller has not been given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown task `{task}`")]
pub struct Unknown {
    /// The start of what it was called.
    pub task: String,
}

impl Rejection for Unknown {
    fn status(&self) -> u16 {
        400
    }

    fn code(&self) -> i64 {
        code::INVALID_PARAMS
    }
}

/// Most entries of a list of tasks that are looked at.
const MAX_TASKS: u32 = 10_000;

/// One message of a server with each id of its tasks replaced by what `seal` makes of it, all other bytes as
/// they were; `None` when there is no such id.
///
/// Looked at are `taskId`, `task.taskId` and `tasks[].taskId` of a result, `params.taskId` of
/// `notifications/tasks…`, the tasks of an acknowledged subscription, and the related task in the `_meta` of results and parameters. Ids that are no
/// strings stay: no request can name them.
///
/// # Errors
///
/// A batch, and a message in which a client could read another id than the one found here.
pub fn seal(
    message: &[u8],
    seal: &mut dyn FnMut(&str) -> String,
) -> Result<Option<Vec<u8>>, ListError> {
    if is_batch(message) {
        return Err(ListError::Batch);
    }
    if !may_have_id(message) || !message.contains(&b'{') {
        return Ok(None);
    }
    let [method, params, result] =
        members(text(message)?, ["method", "params", "result"])?.map(present);
    let mut found = Vec::new();
    if let Some(result) = result.and_then(object) {
        let [id, task, tasks, meta] =
            members(result.get(), ["taskId", "task", "tasks", "_meta"])?.map(present);
        found.extend(id);
        found.extend(id_of(task)?);
        if let Some(tasks) = tasks.filter(|tasks| tasks.get().starts_with('[')) {
            for task in entries_of(tasks.get(), MAX_TASKS)? {
                found.extend(id_of(Some(task))?);
            }
        }
        found.extend(related(meta)?);
    }
    if let Some(params) = params.and_then(object) {
        let [id, notifications, meta] =
            members(params.get(), ["taskId", "notifications", "_meta"])?.map(present);
        let method = method.and_then(string).unwrap_or_default();
        if method.starts_with("notifications/tasks") {
            found.extend(id);
        }
        if method == "notifications/subscriptions/acknowledged" {
            found.extend(subscribed(notifications)?);
        }
        found.extend(related(meta)?);
    }
    let mut edits = Vec::new();
    for id in found {
        if let Some(text) = string(id) {
            edits.push((span(message, id), quoted(&seal(&text))));
        }
    }
    Ok(changed(message, edits))
}

/// One message of a client, which [`crate::parse`] accepts, with each id of the server's tasks replaced by what
/// `open` makes of it, all other bytes as they were; `None` when there is no such id. An element of a batch is
/// a message too.
///
/// Looked at are `params.taskId` of `tasks/…`, `params.notifications.taskIds` of `subscriptions/listen`, and
/// the related task in the `_meta` of parameters and results.
///
/// # Errors
///
/// An id that `open` refuses (but for the related task of a result or a notification, which may be the
/// client's own and stays then), one that is no string, and a key that a server could take for that of an id.
pub fn open(
    message: &[u8],
    open: &mut dyn FnMut(&str) -> Option<String>,
) -> Result<Option<Vec<u8>>, Unknown> {
    let Ids { asked, answered } = ids_of_client(message)?;
    let mut edits = Vec::new();
    for id in asked {
        let text = string(id).ok_or_else(|| unknown(id.get()))?;
        let opened = open(&text).ok_or_else(|| unknown(&text))?;
        edits.push((span(message, id), quoted(&opened)));
    }
    for id in answered {
        if let Some(opened) = string(id).and_then(|text| open(&text)) {
            edits.push((span(message, id), quoted(&opened)));
        }
    }
    Ok(changed(message, edits))
}

/// Whether [`open`] has anything to look at in the text of a message that was read strictly. A response may
/// always have.
#[must_use]
pub fn names_tasks(message: &Message) -> bool {
    let (Some(method), Some(params)) = (message.method(), message.params()) else {
        return matches!(message, Message::Response(_));
    };
    let related = || {
        let meta = params.get("_meta").and_then(Value::as_object);
        meta.is_some_and(|meta| meta.contains_key(META_RELATED_TASK))
    };
    method.starts_with("tasks/") || method == "subscriptions/listen" || related()
}

/// The ids of tasks that a client names.
#[derive(Default)]
struct Ids<'a> {
    /// In what it asks for: tasks of the server.
    asked: Vec<&'a RawValue>,
    /// In what it answers or tells: tasks of the server, or its own.
    answered: Vec<&'a RawValue>,
}

fn ids_of_client(message: &[u8]) -> Result<Ids<'_>, ListError> {
    let [id, method, params, result] =
        members(text(message)?, ["id", "method", "params", "result"])?.map(present);
    let mut found = Ids::default();
    if let Some(params) = params.and_then(object) {
        let [task, notifications, meta] =
            members(params.get(), ["taskId", "notifications", "_meta"])?.map(present);
        let method = method.and_then(string).unwrap_or_default();
        if method.starts_with("tasks/") {
            found.asked.extend(task);
        }
        if method == "subscriptions/listen" {
            found.asked.extend(subscribed(notifications)?);
        }
        match id {
            Some(_) => found.asked.extend(related(meta)?),
            None => found.answered.extend(related(meta)?),
        }
    }
    if let Some(result) = result.and_then(object) {
        let [meta] = members(result.get(), ["_meta"])?.map(present);
        found.answered.extend(related(meta)?);
    }
    Ok(found)
}

/// The tasks of a subscription.
fn subscribed(notifications: Option<&RawValue>) -> Result<Vec<&RawValue>, ListError> {
    let Some(notifications) = notifications.and_then(object) else {
        return Ok(Vec::new());
    };
    let [ids] = members(notifications.get(), ["taskIds"])?.map(present);
    match ids {
        Some(ids) => entries_of(ids.get(), MAX_TASKS),
        None => Ok(Vec::new()),
    }
}

/// Whether a client may find a key that is `taskId` to it, by a look that costs little. Some ignore case, as
/// [`members`] does; of all escapes only `\u` stands for a letter.
pub(crate) fn may_have_id(message: &[u8]) -> bool {
    const KEY: &[u8] = b"taskId";
    let spelled = |at: usize| {
        let from = at.checked_sub(3)?;
        message.get(from..from.checked_add(KEY.len())?)
    };
    let foldings = ["\\u", "\u{17f}", "\u{212a}"];
    memchr::memchr2_iter(b'k', b'K', message)
        .filter_map(spelled)
        .any(|key| key.eq_ignore_ascii_case(KEY))
        || foldings
            .iter()
            .any(|text| memchr::memmem::find(message, text.as_bytes()).is_some())
}

/// The id in a related task of `_meta`.
fn related(meta: Option<&RawValue>) -> Result<Option<&RawValue>, ListError> {
    let Some(meta) = meta.and_then(object) else {
        return Ok(None);
    };
    let [related] = members(meta.get(), [META_RELATED_TASK])?;
    id_of(related)
}

/// `taskId` of an object; what is no object has none.
fn id_of(task: Option<&RawValue>) -> Result<Option<&RawValue>, ListError> {
    let Some(task) = task.and_then(object) else {
        return Ok(None);
    };
    let [id] = members(task.get(), ["taskId"])?;
    Ok(present(id))
}

fn object(part: &RawValue) -> Option<&RawValue> {
    part.get().starts_with('{').then_some(part)
}

fn string(part: &RawValue) -> Option<String> {
    serde_json::from_str(part.get()).ok()
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn changed(message: &[u8], edits: Vec<(Range<usize>, String)>) -> Option<Vec<u8>> {
    (!edits.is_empty()).then(|| splice(message, edits))
}

fn unknown(task: &str) -> Unknown {
    Unknown {
        task: excerpt(task),
    }
}

impl From<ListError> for Unknown {
    fn from(error: ListError) -> Self {
        match error {
            ListError::Ambiguous(key) => unknown(&key),
            other => unknown(&other.to_string()),
        }
    }
}
