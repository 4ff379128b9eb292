//! From the messages of the audit stream.

use crate::finding::findings_from_wire;
use crate::{AuditBatch, AuditEvent, Hash};
use gatehold_mcp::canonical_text;
use gatehold_wire::audit;
use sha2::{Digest as _, Sha256};

impl From<audit::Event> for AuditEvent {
    fn from(event: audit::Event) -> Self {
        // What has come whole is neither put into form nor digested in the data path.
        let arguments = match event.arguments_raw {
            true => canonical_text(&event.arguments).unwrap_or(event.arguments),
            false => event.arguments,
        };
        let whole = !arguments.is_empty() && !event.arguments_cut;
        let arguments_digest = match event.arguments_digest.is_empty() && whole {
            true => Hash(Sha256::digest(arguments.as_bytes()).into()).to_string(),
            false => event.arguments_digest,
        };
        Self {
            id: event.id,
            time_unix_nanos: event.time_unix_nanos,
            server: event.server,
            era: event.era,
            method: event.method,
            target: event.target,
            user: event.user,
            agent: event.agent,
            roles: event.roles,
            issuer: event.issuer,
            arguments_digest,
            arguments,
            arguments_cut: event.arguments_cut,
            effect: event.effect,
            rules: event.rules,
            reason: event.reason,
            errors: event.errors,
            outcome: event.outcome,
            error_code: event.error_code,
            duration_micros: event.duration_micros,
            trace_id: event.trace_id,
            request_id: event.request_id,
            policy_version: event.policy_version,
            hidden: event.hidden,
            shown: event.shown,
            status: event.status,
            approval: event.approval,
            findings: findings_from_wire(event.findings),
            findings_omitted: event.findings_omitted,
            detection: event.detection,
            refusal: event.refusal,
            shadow: event.shadow,
        }
    }
}

impl From<audit::AppendRequest> for AuditBatch {
    fn from(request: audit::AppendRequest) -> Self {
        Self {
            sender: request.sender,
            node: request.node,
            batch: request.batch,
            dropped: request.dropped,
            events: request.events.into_iter().map(AuditEvent::from).collect(),
        }
    }
}
