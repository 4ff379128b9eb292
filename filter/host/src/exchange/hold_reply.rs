//! What a client is told of a call that waits for a person, or has waited.

use std::time::{Duration, UNIX_EPOCH};

use gatehold_mcp::reply::{code, error_body, result_body, tool_error_body};
use gatehold_mcp::{Era, Id, Map, Value};
use gatehold_wire::hold::Outcome;
use serde_json::json;

use crate::exchange::ask::{Ask, Subject};
use crate::exchange::reply::Refusal;
use crate::hold::Pending;
use crate::host::LocalReply;
use crate::metrics::Refused;

/// Our own member of `_meta`, and of the `data` of an error.
const META: &str = "gatehold.io/approval";

/// Milliseconds after which a client may look at one of our tasks again.
const POLL: u64 = 2_000;

/// A call that does not run now.
pub(super) struct Told<'a> {
    pub(super) ask: &'a Ask,
    pub(super) pending: Option<&'a Pending>,
}

impl Told<'_> {
    /// It waits on; the client is to make it again.
    pub(super) fn pending(&self) -> Refusal {
        let place = self.place();
        let text = format!(
            "Waiting for approval{place}. {} Once it is approved, make exactly the same call again: then it runs.",
            self.did_not_run()
        );
        self.refusal("pending", &text, "it waits for approval")
    }

    /// Control cannot be reached, so that nobody has been asked.
    pub(super) fn unavailable(&self) -> Refusal {
        let text = format!(
            "Needs approval, and nobody can be asked at the moment. {} Try again later.",
            self.did_not_run()
        );
        let reason = "it needs approval, and control cannot be reached";
        self.refusal("unavailable", &text, reason)
    }

    /// It was decided, and not in its favour.
    pub(super) fn decided(&self, outcome: Outcome, said: &str) -> Refusal {
        let (status, text) = match outcome {
            Outcome::Denied if said.is_empty() => ("denied", "Denied by an approver.".to_owned()),
            Outcome::Denied => ("denied", format!("Denied by an approver: {said}.")),
            Outcome::Expired => ("expired", "Nobody approved it in time.".to_owned()),
            Outcome::Withdrawn => ("withdrawn", "It was withdrawn.".to_owned()),
            Outcome::Superseded => (
                "superseded",
                "The policy or the tool has changed since approval was asked for; make the call again to ask anew."
                    .to_owned(),
            ),
            Outcome::Used => (
                "used",
                "An identical call that waited too has run under the same approval; make the call again to ask anew."
                    .to_owned(),
            ),
            Outcome::Replayed => (
                "replayed",
                "Its `requestState` was used already or belongs to another call; make the call again without it."
                    .to_owned(),
            ),
            Outcome::Refused if !said.is_empty() => ("refused", format!("Needs approval, but {said}.")),
            Outcome::Refused | Outcome::Unspecified | Outcome::Approved => {
                ("refused", "Needs approval, which it cannot wait for.".to_owned())
            }
        };
        let reason = match said {
            "" => format!("approval: {status}"),
            said => format!("approval: {status}: {said}"),
        };
        let text = format!("{text} {}", self.did_not_run());
        self.refusal(status, &text, &reason)
    }

    /// It was approved, and may not run after all.
    pub(super) fn changed(&self, reason: &str) -> Refusal {
        let text = format!("Approved, but not run: {reason}. {}", self.did_not_run());
        self.refusal("superseded", &text, &format!("approved, but {reason}"))
    }

    /// The client is to come back with this state.
    pub(super) fn come_back(&self, state: &str) -> LocalReply {
        let result = json!({
            "resultType": "input_required",
            "requestState": state,
            "_meta": { META: self.summary("pending") },
        });
        ok(result_body(&self.ask.id, &result))
    }

    /// The client has got a task.
    pub(super) fn task(&self, task: &str, now_millis: u64) -> LocalReply {
        let expires = self.pending.map_or(now_millis, |it| it.expires_unix_millis);
        let time = time(now_millis);
        let message = format!("Waiting for approval{}", self.place());
        let result = json!({
            "resultType": "task",
            "taskId": task,
            "status": "working",
            "statusMessage": message,
            "createdAt": time,
            "lastUpdatedAt": time,
            "ttlMs": expires.saturating_sub(now_millis).saturating_add(AFTERWARDS),
            "pollIntervalMs": POLL,
            "_meta": { META: self.summary("pending") },
        });
        ok(result_body(&self.ask.id, &result))
    }

    fn refusal(&self, status: &str, text: &str, reason: &str) -> Refusal {
        let mut meta = Map::new();
        meta.insert(META.to_owned(), self.summary(status));
        let Ask {
            id, era, subject, ..
        } = self.ask;
        match subject {
            Subject::Tool => {
                let body = tool_error_body(id, *era, text, meta);
                Refusal::new(Refused::Approval, 200, 0, reason.to_owned(), body)
            }
            Subject::Other => {
                let body = error_body(Some(id), code::DENIED, text, Some(Value::Object(meta)));
                Refusal::new(
                    Refused::Approval,
                    200,
                    code::DENIED,
                    reason.to_owned(),
                    body,
                )
            }
        }
    }

    fn did_not_run(&self) -> &'static str {
        match self.ask.subject {
            Subject::Tool => "The tool did not run.",
            Subject::Other => "Nothing was done.",
        }
    }

    fn place(&self) -> String {
        match self.pending {
            None => String::new(),
            Some(Pending { approval, url, .. }) if url.is_empty() => format!(" `{approval}`"),
            Some(Pending { approval, url, .. }) => format!(" `{approval}` ({url})"),
        }
    }

    fn summary(&self, status: &str) -> Value {
        let mut summary = json!({ "status": status, "rules": self.ask.decision.rules });
        if let (Some(pending), Some(members)) = (self.pending, summary.as_object_mut()) {
            members.insert("id".to_owned(), json!(pending.approval));
            if !pending.url.is_empty() {
                members.insert("url".to_owned(), json!(pending.url));
            }
            if pending.expires_unix_millis > 0 {
                members.insert(
                    "expiresAt".to_owned(),
                    json!(time(pending.expires_unix_millis)),
                );
            }
        }
        summary
    }
}

/// Milliseconds for which a task is still answered for after its approval has expired.
const AFTERWARDS: u64 = 3_600_000;

/// What `tasks/get` answers.
pub(super) struct TaskAnswer<'a> {
    pub(super) id: &'a Id,
    /// The task's id as the client has it.
    pub(super) task: &'a str,
    pub(super) status: &'a str,
    pub(super) message: &'a str,
    pub(super) created_millis: u64,
    pub(super) updated_millis: u64,
    pub(super) ttl_millis: u64,
    pub(super) poll_millis: u64,
    /// JSON of `result` when completed, of `error` when failed.
    pub(super) result: &'a str,
}

impl TaskAnswer<'_> {
    pub(super) fn body(&self) -> Vec<u8> {
        let mut result = json!({
            "resultType": "complete",
            "taskId": self.task,
            "status": self.status,
            "createdAt": time(self.created_millis),
            "lastUpdatedAt": time(self.updated_millis),
            "ttlMs": self.ttl_millis,
            "pollIntervalMs": self.poll_millis,
        });
        let member = match self.status {
            "completed" => Some("result"),
            "failed" => Some("error"),
            _ => None,
        };
        if let Some(members) = result.as_object_mut() {
            if !self.message.is_empty() {
                members.insert("statusMessage".to_owned(), json!(self.message));
            }
            let value = serde_json::from_str::<Value>(self.result).ok();
            // A task that has failed has an error, also when it failed before there was an answer.
            let value = value.or_else(|| {
                let failed = self.status == "failed";
                failed.then(|| json!({ "code": code::DENIED, "message": self.message }))
            });
            if let (Some(member), Some(value)) = (member, value) {
                members.insert(member.to_owned(), value);
            }
        }
        result_body(self.id, &result)
    }
}

/// What `tasks/update` and `tasks/cancel` answer.
pub(super) fn acknowledged(id: &Id) -> LocalReply {
    ok(result_body(id, &json!({ "resultType": "complete" })))
}

pub(super) fn ok(body: Vec<u8>) -> LocalReply {
    LocalReply {
        status: 200,
        headers: vec![("content-type", "application/json".to_owned())],
        body,
    }
}

fn time(unix_millis: u64) -> String {
    // Formatting fails only beyond the year 9999.
    let most = 253_402_300_799_000;
    let since = Duration::from_millis(unix_millis.min(most));
    humantime::format_rfc3339_millis(UNIX_EPOCH + since).to_string()
}

/// A call whose approval cannot be waited for where it stands.
pub(super) fn cannot_wait(ask: &Ask, why: &str) -> Refusal {
    let told = Told { ask, pending: None };
    told.decided(Outcome::Refused, why)
}

impl Ask {
    /// Whether the result needs the members of the modern era.
    pub(super) fn is_modern(&self) -> bool {
        self.era == Era::Modern
    }
}
