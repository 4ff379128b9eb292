//! Counters and gauges, defined once per root and bumped by id.
//!
//! Envoy shows them as `wasmcustom.<name>`; the label stands in the name, behind a dot, and is cut out by
//! the tag rules of the bootstrap.

use gatehold_wire::setup::SetupProblem;

use crate::detection::Observed;
use crate::host::{Host, HostError, RootHost};

/// Why a request was refused, coarsely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Refused {
    /// The path belongs to no server.
    Unmatched,
    /// Servers or keys have not arrived.
    NotReady,
    /// The origin of the page is not allowed.
    Origin,
    /// No token, or one that does not hold.
    Token,
    /// The session or the task is none of the caller's.
    Unbound,
    /// HTTP method.
    Method,
    /// Not a message that can be judged.
    Malformed,
    /// Larger than a limit.
    TooLarge,
    /// The principal may not know of it.
    Hidden,
    /// A rule denies it, or none allows it.
    Policy,
    /// Detection saw something in it, or in the definition of the tool.
    Detection,
    /// A person would have to approve it.
    Approval,
    /// The upstream's answer cannot be judged.
    Upstream,
    /// The audit queue is full.
    AuditFull,
    /// The filter is not set up right.
    Setup,
    /// The filter itself failed.
    Internal,
}

impl Refused {
    /// As metrics and events call it.
    pub fn name(self) -> &'static str {
        Self::ALL.get(self as usize).map_or("", |(_, name)| name)
    }

    const ALL: [(Self, &'static str); 16] = [
        (Self::Unmatched, "unmatched"),
        (Self::NotReady, "not_ready"),
        (Self::Origin, "origin"),
        (Self::Token, "token"),
        (Self::Unbound, "unbound"),
        (Self::Method, "method"),
        (Self::Malformed, "malformed"),
        (Self::TooLarge, "too_large"),
        (Self::Hidden, "hidden"),
        (Self::Policy, "policy"),
        (Self::Detection, "detection"),
        (Self::Approval, "approval"),
        (Self::Upstream, "upstream"),
        (Self::AuditFull, "audit_full"),
        (Self::Setup, "setup"),
        (Self::Internal, "internal"),
    ];
}

/// The other counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Counter {
    /// Requests that policy let through.
    Allowed,
    /// Requests that policy denied.
    Denied,
    /// Requests that policy wants approved.
    Held,
    /// Tokens whose signature was verified.
    TokensVerified,
    /// Tokens that were remembered.
    TokensRemembered,
    /// Resources put in force or removed.
    PushApplied,
    /// Resources that could not be used.
    PushRefused,
    /// Audit events queued.
    AuditQueued,
    /// Audit events that control has on disk.
    AuditAcknowledged,
    /// Audit events lost because the queue was full.
    AuditDropped,
    /// Results that detection flagged.
    SeenInResults,
    /// Definitions that it flagged.
    SeenInTools,
    /// Arguments that it flagged.
    SeenInArguments,
    /// Texts with secrets in them.
    SeenSecrets,
    /// Texts that only the shadow pack saw something in.
    SeenByShadow,
    /// Texts that it saw something in, and that were recorded.
    DetectionLogged,
    /// Texts of which what it saw was taken out.
    DetectionRedacted,
    /// Texts after which the next call needs approval.
    DetectionApprove,
    /// Texts that did not go on.
    DetectionBlocked,
    /// Bytes that it looked at.
    DetectionBytes,
    /// Requests in shadow mode that would have gone on.
    ShadowAllowed,
    /// Those that would have been refused.
    ShadowDenied,
    /// Those that would have waited for a person.
    ShadowHeld,
}

impl Counter {
    const ALL: [(Self, &'static str); 23] = [
        (Self::Allowed, "gatehold_decisions.effect=allow"),
        (Self::Denied, "gatehold_decisions.effect=deny"),
        (Self::Held, "gatehold_decisions.effect=hold"),
        (Self::TokensVerified, "gatehold_tokens.source=verified"),
        (Self::TokensRemembered, "gatehold_tokens.source=remembered"),
        (Self::PushApplied, "gatehold_push.result=applied"),
        (Self::PushRefused, "gatehold_push.result=refused"),
        (Self::AuditQueued, "gatehold_audit_events.state=queued"),
        (
            Self::AuditAcknowledged,
            "gatehold_audit_events.state=acknowledged",
        ),
        (Self::AuditDropped, "gatehold_audit_events.state=dropped"),
        (Self::SeenInResults, "gatehold_findings.kind=result"),
        (Self::SeenInTools, "gatehold_findings.kind=tool"),
        (Self::SeenInArguments, "gatehold_findings.kind=argument"),
        (Self::SeenSecrets, "gatehold_findings.kind=secret"),
        (Self::SeenByShadow, "gatehold_findings.kind=shadow"),
        (Self::DetectionLogged, "gatehold_detection.action=log"),
        (Self::DetectionRedacted, "gatehold_detection.action=redact"),
        (Self::DetectionApprove, "gatehold_detection.action=approve"),
        (Self::DetectionBlocked, "gatehold_detection.action=block"),
        (Self::DetectionBytes, "gatehold_detection_bytes"),
        (Self::ShadowAllowed, "gatehold_shadow.effect=allow"),
        (Self::ShadowDenied, "gatehold_shadow.effect=deny"),
        (Self::ShadowHeld, "gatehold_shadow.effect=hold"),
    ];
}

/// Ids of all metrics of one root.
#[derive(Debug, Default)]
pub struct Metrics {
    counters: Vec<(Counter, u32)>,
    refusals: Vec<(Refused, u32)>,
    problems: Vec<u32>,
    servers: u32,
    contact: u32,
}

impl Metrics {
    /// Defines them.
    ///
    /// # Errors
    /// When the host refuses one.
    pub fn define(host: &dyn RootHost) -> Result<Self, HostError> {
        let mut metrics = Self::default();
        for (counter, name) in Counter::ALL {
            metrics.counters.push((counter, host.define_counter(name)?));
        }
        for (reason, name) in Refused::ALL {
            let name = format!("gatehold_refusals.reason={name}");
            metrics.refusals.push((reason, host.define_counter(&name)?));
        }
        for problem in SetupProblem::ALL {
            let name = format!("gatehold_problems.problem={}", problem.name());
            metrics.problems.push(host.define_counter(&name)?);
        }
        metrics.servers = host.define_gauge("gatehold_servers")?;
        metrics.contact = host.define_gauge("gatehold_control_contact_seconds")?;
        Ok(metrics)
    }

    /// Adds to a counter.
    pub fn add(&self, host: &dyn Host, counter: Counter, by: usize) {
        if by == 0 {
            return;
        }
        if let Some((_, id)) = self.counters.get(counter as usize) {
            host.count(*id, u64::try_from(by).unwrap_or(u64::MAX));
        }
    }

    /// Counts what detection saw, and what was done about it.
    pub fn observed(&self, host: &dyn Host, seen: &Observed) {
        let [results, tools, arguments] = seen.flagged;
        let [logged, redacted, approve, blocked] = seen.actions;
        for (counter, by) in [
            (Counter::SeenInResults, results),
            (Counter::SeenInTools, tools),
            (Counter::SeenInArguments, arguments),
            (Counter::SeenSecrets, seen.secrets),
            (Counter::SeenByShadow, seen.shadow),
            (Counter::DetectionLogged, logged),
            (Counter::DetectionRedacted, redacted),
            (Counter::DetectionApprove, approve),
            (Counter::DetectionBlocked, blocked),
            (Counter::DetectionBytes, seen.bytes),
        ] {
            self.add(host, counter, by);
        }
    }

    /// Counts a refusal.
    pub fn refused(&self, host: &dyn Host, reason: Refused) {
        if let Some((_, id)) = self.refusals.get(reason as usize) {
            host.count(*id, 1);
        }
    }

    /// Counts a problem of the set-up.
    pub fn problem(&self, host: &dyn Host, problem: SetupProblem) {
        if let Some(id) = self.problems.get(problem as usize) {
            host.count(*id, 1);
        }
    }

    /// Says when a worker was last in contact with control, in nanoseconds since the Unix epoch; the gauge has seconds.
    pub fn contact(&self, host: &dyn RootHost, now: u64) {
        host.gauge(self.contact, now / 1_000_000_000);
    }

    /// Says how many servers are in force.
    pub fn servers(&self, host: &dyn RootHost, servers: usize) {
        host.gauge(self.servers, u64::try_from(servers).unwrap_or(u64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_in_the_order_of_the_enums() {
        assert!(
            Counter::ALL
                .iter()
                .enumerate()
                .all(|(at, (counter, _))| *counter as usize == at)
        );
        assert!(
            Refused::ALL
                .iter()
                .enumerate()
                .all(|(at, (reason, _))| *reason as usize == at)
        );
    }
}
