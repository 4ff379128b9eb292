//! The body of our own form.

use std::time::{Duration, UNIX_EPOCH};

use gatehold_approvals::{Approval, Vote};
use gatehold_documents::WebhookEvent;
use serde_json::{Value, json};

/// Arguments that are longer are left out; the page of the approval has them.
const MAX_ARGUMENTS: usize = 16 * 1024;

/// The JSON body that tells of an event. `page` is the address of the approval for people.
#[must_use]
pub fn message(
    event: WebhookEvent,
    approval: &Approval,
    page: Option<&str>,
    now_unix_millis: u64,
) -> Value {
    let call = &approval.call;
    let arguments = (call.arguments.len() <= MAX_ARGUMENTS)
        .then(|| serde_json::from_str::<Value>(&call.arguments).ok())
        .flatten();
    let needs = call.requirements.iter().map(|requirement| {
        json!({
            "roles": requirement.roles,
            "users": requirement.users,
            "quorum": requirement.quorum.max(1),
        })
    });
    let votes = approval.votes.iter().map(|vote: &Vote| {
        json!({
            "user": vote.by.user,
            "verdict": vote.verdict.as_str(),
            "reason": vote.reason,
            "at": time(vote.at_unix_millis),
        })
    });
    json!({
        "type": format!("approval.{}", event.as_str()),
        "timestamp": time(now_unix_millis),
        // As the HTTP API shows it.
        "data": {
            "id": approval.id.as_str(),
            "url": page,
            "state": approval.state.as_str(),
            "endedReason": approval.ended_reason,
            "server": call.server,
            "method": call.method,
            "target": call.target,
            "arguments": arguments,
            "argumentsBytes": call.arguments.len(),
            "risks": call.risks,
            "rules": call.rules,
            "requester": {
                "issuer": call.requester.issuer,
                "user": call.requester.user,
                "agent": call.requester.agent,
                "roles": call.requester.roles,
            },
            "requirements": needs.collect::<Vec<_>>(),
            "votes": votes.collect::<Vec<_>>(),
            "createdAt": time(approval.created_unix_millis),
            "expiresAt": time(approval.expires_unix_millis),
            "decidedAt": approval.decided_unix_millis.map(time),
            "traceId": call.trace_id,
        },
    })
}

/// As RFC 3339 has it, in UTC.
pub(crate) fn time(unix_millis: u64) -> String {
    // The largest year of a date of four digits; later times do not come up.
    const LAST: u64 = 253_402_300_799_999;
    let since = Duration::from_millis(unix_millis.min(LAST));
    humantime::format_rfc3339_millis(UNIX_EPOCH + since).to_string()
}
