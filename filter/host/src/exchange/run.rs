//! A call that runs because people have approved it, and what control is told of it.

use gatehold_mcp::list::ListError;
use gatehold_mcp::rounds::{Said, said};
use gatehold_mcp::{Id, Outcome, Value};
use gatehold_wire::hold::{Report, from_filter};

use crate::exchange::hold_reply::TaskAnswer;
use crate::hex::hex;
use crate::hold::{CLIENT_GONE, CallDigest, Event, HeldRound, Progress};
use crate::worker::Worker;

/// One run.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) approval: String,
    pub(super) waiter: String,
    pub(super) digest: CallDigest,
    pub(super) chain: String,
    /// Number of the round that comes next.
    pub(super) number: u32,
    /// When a client asked for the task that the call has become.
    pub(super) task: Option<TaskRun>,
}

/// A run whose answer is that of `tasks/get`.
#[derive(Debug)]
pub(super) struct TaskRun {
    /// Of the client's request.
    pub(super) id: Id,
    /// The task as the client has it.
    pub(super) task: String,
    pub(super) created_millis: u64,
    pub(super) now_millis: u64,
    pub(super) ttl_millis: u64,
    pub(super) poll_millis: u64,
    /// What the call came to: `completed` with its result, or `failed` with its error, as JSON.
    pub(super) result: Option<(&'static str, String)>,
}

impl Run {
    /// Whether answers have to be told as those of a task.
    pub(super) fn is_task(&self) -> bool {
        self.task.is_some()
    }

    /// What the client carries on with, when the upstream asks for input.
    pub(super) fn next_round(&self) -> Option<HeldRound> {
        // A task is given no input: its call was made without saying that the client can.
        if self.is_task() {
            return None;
        }
        Some(HeldRound {
            approval: self.approval.clone(),
            chain: self.chain.clone(),
            number: self.number,
            digest: hex(&self.digest),
            running: true,
            // That is settled: it runs.
            taint: String::new(),
        })
    }

    /// The answer of the call as that of the task; `None` for any other message.
    ///
    /// # Errors
    /// A message that could be read in two ways.
    pub(super) fn answer(&mut self, message: &[u8]) -> Result<Option<Vec<u8>>, ListError> {
        let Some(task) = &mut self.task else {
            return Ok(None);
        };
        let Some(said) = said(message, &task.id)? else {
            return Ok(None);
        };
        let (status, result) = match said {
            Said::Result(result) if result.len() > MAX_KEPT => ("failed", TOO_LARGE.to_owned()),
            Said::Result(result) if is_complete(result) => ("completed", result.to_owned()),
            Said::Result(_) => ("failed", ASKED_BACK.to_owned()),
            Said::Error(error) if error.len() > MAX_KEPT => ("failed", TOO_LARGE.to_owned()),
            Said::Error(error) => ("failed", error.to_owned()),
        };
        let answer = task.body(status, &result);
        task.result = Some((status, result));
        Ok(Some(answer))
    }

    /// Tells control what became of it.
    pub(super) fn report(self, worker: &Worker, progress: Progress, detail: &str) {
        let (detail, result) = match self.task.map(|task| task.result) {
            None => (detail, String::new()),
            Some(Some(("completed", result))) => (detail, result),
            // What control keeps is what the poll that ran it has told.
            Some(Some((_, error))) => ("error", error),
            Some(None) => ("error", NO_ANSWER.to_owned()),
        };
        let said = (progress, detail, result);
        report(worker, &self.waiter, &self.approval, said);
    }
}

impl TaskRun {
    fn body(&self, status: &str, result: &str) -> Vec<u8> {
        let answer = TaskAnswer {
            id: &self.id,
            task: &self.task,
            status,
            message: "",
            created_millis: self.created_millis,
            updated_millis: self.now_millis,
            ttl_millis: self.ttl_millis,
            poll_millis: self.poll_millis,
            result,
        };
        answer.body()
    }
}

/// Tells control how far a claim came.
pub(super) fn report(
    worker: &Worker,
    waiter: &str,
    approval: &str,
    (progress, detail, result): (Progress, &str, String),
) {
    let report = Report {
        waiter: waiter.to_owned(),
        approval: approval.to_owned(),
        progress: progress.into(),
        detail: detail.to_owned(),
        result: result.into_bytes(),
    };
    let message = from_filter::Message::Report(report);
    worker.holds.borrow_mut().notice(message);
}

/// Says that a request for which control has said something waits no longer: a claim that was granted to it did not
/// run.
pub fn no_longer_there(worker: &Worker, waiter: &str, event: &Event) {
    let has_run = worker.holds.borrow().has_run(waiter);
    if let Event::Claimed(claimed) = event
        && claimed.granted
        && !has_run
    {
        let said = (Progress::NotRun, CLIENT_GONE, String::new());
        report(worker, waiter, &claimed.approval, said);
    }
}

/// How the outcome of a call is called.
pub(super) fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Ok => "ok",
        Outcome::ToolError => "tool_error",
        Outcome::Error(_) => "error",
        Outcome::InputRequired => "input_required",
        Outcome::Task => "task",
        Outcome::Unknown => "unknown",
    }
}

/// What is said when a server answers a call of a task by asking for more, which it was told it cannot.
const ASKED_BACK: &str = r#"{"code":-31502,"message":"the server asked for input, which a call that waited as a task cannot give"}"#;

/// What is said when a server's answer is more than control keeps for a task.
const TOO_LARGE: &str =
    r#"{"code":-31413,"message":"the answer is larger than a task can keep; it is lost"}"#;
/// What is said when a server has answered nothing that could be read as an answer.
const NO_ANSWER: &str =
    r#"{"code":-31502,"message":"the server gave no answer that could be kept for the task"}"#;
/// Bytes of an answer that control keeps.
const MAX_KEPT: usize = 1 << 20;

fn is_complete(result: &str) -> bool {
    let Ok(Value::Object(result)) = serde_json::from_str(result) else {
        return false;
    };
    let kind = result.get("resultType");
    kind.is_none_or(|kind| kind == "complete")
}
