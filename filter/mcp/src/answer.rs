//! What one message of a server is, read without building it.

use crate::list::ListError;
use crate::message::{Id, is_batch};
use crate::operation::ListKind;
use crate::raw::{members, present, text};
use serde::Deserialize;
use serde_json::value::RawValue;

/// One message of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The id of the request that it answers; requests and notifications of the server give none.
    pub id: Option<Id>,
    /// How it ends that request.
    pub outcome: Outcome,
    /// The lists it looks like, whatever it answers. Usually there is none.
    ///
    /// The id does not tell what was asked for: streams replay answers to requests of other streams, and a
    /// server that gets the same id twice may answer one request on the stream of the other.
    pub lists: Vec<ListKind>,
}

/// How one response ends a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A complete result.
    Ok,
    /// A complete result that says that the tool failed.
    ToolError,
    /// A JSON-RPC error with its code.
    Error(i64),
    /// The server asks back (2026-07-28).
    InputRequired,
    /// A task was started.
    Task,
    /// Not a response, or one that cannot be told.
    Unknown,
}

/// Reads one message of a server. What holds no object at all (an empty body, plain text) is no answer.
///
/// # Errors
///
/// A batch, and what is no unambiguous object: some client might read a list in it.
pub fn answer(message: &[u8]) -> Result<Answer, ListError> {
    if is_batch(message) {
        return Err(ListError::Batch);
    }
    let mut answer = Answer {
        id: None,
        outcome: Outcome::Unknown,
        lists: Vec::new(),
    };
    if !message.contains(&b'{') {
        return Ok(answer);
    }
    let envelope = members(text(message)?, ["id", "method", "result", "error"])?;
    // To many clients a member that is null is absent.
    let [id, method, result, error] = envelope.map(present);
    let mut outcome = Outcome::Unknown;
    if let Some(result) = result.filter(|result| result.get().starts_with('{')) {
        let members = Members::of(result)?;
        answer.lists = members.lists();
        outcome = members.outcome();
    }
    if method.is_none() {
        answer.id = id.and_then(read_id);
        answer.outcome = match (result, error) {
            (Some(_), None) => outcome,
            (None, Some(error)) => serde_json::from_str::<ErrorMembers>(error.get())
                .map_or(Outcome::Unknown, |error| Outcome::Error(error.code)),
            _ => Outcome::Unknown,
        };
    }
    Ok(answer)
}

pub(crate) fn read_id(id: &RawValue) -> Option<Id> {
    if id.get().starts_with(['{', '[']) {
        return None;
    }
    serde_json::from_str(id.get()).ok().and_then(Id::from_value)
}

/// What counts of a result, nulls left out.
struct Members<'a> {
    result_type: Option<&'a RawValue>,
    is_error: Option<&'a RawValue>,
    task: Option<&'a RawValue>,
    content: Option<&'a RawValue>,
    entries: [Option<&'a RawValue>; 4],
}

impl<'a> Members<'a> {
    fn of(result: &'a RawValue) -> Result<Self, ListError> {
        let [tools, prompts, resources, templates] = ListKind::ALL.map(ListKind::entries_key);
        let names = [
            "resultType",
            "isError",
            "task",
            "content",
            tools,
            prompts,
            resources,
            templates,
        ];
        let [result_type, is_error, task, content, entries @ ..] =
            members(result.get(), names)?.map(present);
        Ok(Self {
            result_type,
            is_error,
            task,
            content,
            entries,
        })
    }

    fn lists(&self) -> Vec<ListKind> {
        let is_array = |part: &Option<&RawValue>| part.is_some_and(|it| it.get().starts_with('['));
        let kinds = ListKind::ALL.into_iter().zip(&self.entries);
        kinds
            .filter(|(_, part)| is_array(part))
            .map(|(kind, _)| kind)
            .collect()
    }

    fn outcome(&self) -> Outcome {
        let kind = match self
            .result_type
            .map(|kind| serde_json::from_str::<String>(kind.get()))
        {
            None => "complete".to_owned(),
            Some(Ok(kind)) => kind,
            Some(Err(_)) => return Outcome::Unknown,
        };
        match (kind.as_str(), self.is_error.map(RawValue::get)) {
            ("input_required", _) => Outcome::InputRequired,
            ("task", _) => Outcome::Task,
            ("complete", Some("true")) => Outcome::ToolError,
            // 2025-11-25 nests the task where a result would have its content.
            ("complete", None) if self.task.is_some() && self.content.is_none() => Outcome::Task,
            ("complete", None | Some("false")) => Outcome::Ok,
            _ => Outcome::Unknown,
        }
    }
}

#[derive(Deserialize)]
struct ErrorMembers {
    code: i64,
}
