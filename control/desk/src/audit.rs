//! What the audit log is told of approvals.

use gatehold_approvals::{Event, What};
use gatehold_store::AuditEvent;

use crate::DeskError;

/// An audit event about an approval, at that time.
pub(crate) fn event(event: Event, now_millis: u64) -> Result<AuditEvent, DeskError> {
    let Event {
        what,
        approval,
        by,
        agent,
        server,
        target,
        policy_version,
        rules,
        trace_id,
        reason,
    } = event;
    let effect = match what {
        What::Request => "hold",
        What::Approve | What::Use => "allow",
        What::Deny | What::Expire | What::Withdraw | What::Supersede => "deny",
    };
    let id = u128::from_be_bytes(crate::connection::random()?);
    Ok(AuditEvent {
        id: format!("{id:032x}"),
        time_unix_nanos: now_millis.saturating_mul(1_000_000),
        server,
        method: format!("approvals/{}", what.as_str()),
        target,
        user: by.user,
        agent,
        roles: by.roles,
        issuer: by.issuer,
        effect: effect.to_owned(),
        rules,
        reason,
        outcome: "ok".to_owned(),
        trace_id,
        request_id: approval.to_string(),
        policy_version,
        approval: approval.to_string(),
        ..AuditEvent::default()
    })
}
