//! From the messages of filters to commands, and back.

use std::sync::Arc;

use gatehold_approvals::{
    ApprovalId, Call, Caller, Claim, Command, Definition, Effect, Leg, Mechanism, Outcome, Report,
    Requester, RunState, Say, TaskRequest, Wait, Why,
};
use gatehold_wire::{approval_from_wire, hold};
use hold::from_filter::Message as In;
use hold::to_filter::Message as Out;

/// What a message comes to.
pub(crate) enum Inbound {
    Command(Command),
    /// The message can't be meant; this is the answer.
    Answer(Out),
    Nothing,
}

/// The command that a message stands for. `random` names an approval that is made by it.
pub(crate) fn command(sender: &Arc<str>, message: In, random: [u8; 16]) -> Inbound {
    let command = match message {
        In::Hello(_) => return Inbound::Nothing,
        In::Wait(message) => match wait(sender, message, random) {
            Ok(wait) => Command::Wait(Box::new(wait)),
            Err(answer) => return Inbound::Answer(Out::Decided(answer)),
        },
        In::Claim(message) => {
            let digest = match message.digest.as_slice() {
                [] => None,
                // Another length is no digest, and none that was ever held.
                digest => Some(digest.try_into().unwrap_or_default()),
            };
            Command::Claim(Claim {
                sender: sender.clone(),
                waiter: message.waiter.into(),
                approval: ApprovalId::from_text(&message.approval),
                digest,
                policy_version: message.policy_version,
                server: message.server,
            })
        }
        In::Leave(message) => {
            let why = match message.why() {
                hold::leave::Why::LegEnded => Why::LegEnded,
                hold::leave::Why::Told => Why::Told,
                hold::leave::Why::Gone | hold::leave::Why::Unspecified => Why::Gone,
            };
            let waiter = message.waiter.into();
            Command::Leave { waiter, why }
        }
        In::Report(message) => {
            use hold::report::Progress;
            let state = match message.progress() {
                Progress::Forwarded => RunState::Forwarded,
                Progress::NotRun => RunState::NotRun,
                Progress::Answered => RunState::Answered,
                Progress::Lost => RunState::Lost,
                Progress::Unspecified => return Inbound::Nothing,
            };
            Command::Report(Report {
                waiter: message.waiter.into(),
                approval: ApprovalId::from_text(&message.approval),
                state,
                detail: crate::reason::one_line(&message.detail),
                result: message.result,
            })
        }
        In::Definition(message) => {
            let Ok(digest) = message.digest.as_slice().try_into() else {
                return Inbound::Nothing;
            };
            Command::Definition(Definition {
                server: message.server,
                tool: message.tool,
                digest,
                json: message.definition,
            })
        }
        In::Task(message) => Command::Task(TaskRequest {
            sender: sender.clone(),
            waiter: message.waiter.into(),
            approval: ApprovalId::from_text(&message.approval),
            cancel: message.cancel,
            caller: Caller {
                issuer: message.issuer,
                user: message.user,
                agent: message.agent,
            },
        }),
        In::Cancel(message) => Command::Cancel {
            cancel_key: message.cancel_key.into(),
        },
    };
    Inbound::Command(command)
}

fn wait(sender: &Arc<str>, message: hold::Wait, random: [u8; 16]) -> Result<Wait, hold::Decided> {
    let refused = |waiter: &str, reason: &str| hold::Decided {
        waiter: waiter.to_owned(),
        approval: String::new(),
        outcome: hold::Outcome::Refused.into(),
        reason: reason.to_owned(),
    };
    let mechanism = match message.mechanism() {
        hold::Mechanism::Request => Mechanism::Request,
        hold::Mechanism::Rounds => Mechanism::Rounds,
        hold::Mechanism::Task => Mechanism::Task,
        hold::Mechanism::Unspecified => {
            return Err(refused(
                &message.waiter,
                "it is not known how the client waits",
            ));
        }
    };
    let hold::Wait {
        waiter,
        call,
        mechanism: _,
        leg,
        body,
        cancel_key,
    } = message;
    if waiter.is_empty() {
        return Err(refused("", "a request that waits needs a name"));
    }
    let Some(call) = call else {
        return Err(refused(&waiter, "there is no call"));
    };
    let Ok(digest) = call.digest.as_slice().try_into() else {
        return Err(refused(
            &waiter,
            "the digest of the call is not 32 bytes long",
        ));
    };
    Ok(Wait {
        sender: sender.clone(),
        waiter: waiter.into(),
        call: Call {
            digest,
            server: call.server,
            policy_version: call.policy_version,
            method: call.method,
            target: call.target,
            arguments: call.arguments,
            rules: call.rules,
            requirements: call.requirements.iter().map(approval_from_wire).collect(),
            risks: call.risks,
            era: call.era,
            trace_id: call.trace_id,
            event_id: call.event_id,
            findings: gatehold_store::findings_from_wire(call.findings),
            requester: Requester {
                issuer: call.issuer,
                user: call.user,
                agent: call.agent,
                roles: call.roles,
            },
        },
        mechanism,
        leg: leg.map(|leg| Leg {
            approval: ApprovalId::from_text(&leg.approval),
            chain: leg.chain.into(),
            number: leg.number,
        }),
        body,
        cancel_key: cancel_key.into(),
        random,
    })
}

/// What is stored of a task, where a message needs it.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    pub(crate) body: Vec<u8>,
    pub(crate) result: Vec<u8>,
}

/// Whether the message needs what is stored of a task, and of which.
pub(crate) fn needs(say: &Say) -> Option<&ApprovalId> {
    match say {
        Say::Granted {
            approval,
            task: Some(_),
        } => Some(approval),
        Say::Task {
            approval,
            state: Some(state),
        } if state.with_result => Some(approval),
        _ => None,
    }
}

/// The message that says it. `console` is where browsers reach the console.
pub(crate) fn message(effect: Effect, stored: Stored, console: Option<&str>) -> hold::ToFilter {
    /// How often clients should ask for a task.
    const POLL_MILLIS: u64 = 5_000;
    let Effect { to: _, waiter, say } = effect;
    let waiter = waiter.to_string();
    let message = match say {
        Say::Pending {
            approval,
            expires_unix_millis,
        } => Out::Pending(hold::Pending {
            waiter,
            url: console
                .map(|console| format!("{console}/approvals/{approval}"))
                .unwrap_or_default(),
            approval: approval.to_string(),
            expires_unix_millis,
        }),
        Say::Decided {
            approval,
            outcome,
            reason,
        } => Out::Decided(hold::Decided {
            waiter,
            approval: approval.map(|id| id.to_string()).unwrap_or_default(),
            outcome: wire_outcome(outcome).into(),
            reason,
        }),
        Say::Granted { approval, task } => Out::Claimed(hold::Claimed {
            waiter,
            approval: approval.to_string(),
            granted: true,
            outcome: hold::Outcome::Approved.into(),
            reason: String::new(),
            digest: task.map(|digest| digest.to_vec()).unwrap_or_default(),
            body: match task {
                Some(_) => stored.body,
                None => Vec::new(),
            },
        }),
        Say::NotGranted {
            approval,
            outcome,
            reason,
        } => Out::Claimed(hold::Claimed {
            waiter,
            approval: approval.to_string(),
            granted: false,
            outcome: wire_outcome(outcome).into(),
            reason,
            ..hold::Claimed::default()
        }),
        Say::Task {
            approval,
            state: None,
        } => Out::Task(hold::TaskState {
            waiter,
            approval: approval.to_string(),
            ..hold::TaskState::default()
        }),
        Say::Task {
            approval,
            state: Some(state),
        } => Out::Task(hold::TaskState {
            waiter,
            approval: approval.to_string(),
            status: state.status.as_str().to_owned(),
            message: state.message,
            created_unix_millis: state.created_unix_millis,
            updated_unix_millis: state.updated_unix_millis,
            ttl_millis: state.ttl_millis,
            poll_millis: POLL_MILLIS,
            result: match state.with_result {
                true => stored.result,
                false => Vec::new(),
            },
            claimable: state.claimable,
        }),
        Say::Cancelled => Out::Cancelled(hold::Cancelled { waiter }),
    };
    hold::ToFilter {
        message: Some(message),
    }
}

fn wire_outcome(outcome: Outcome) -> hold::Outcome {
    match outcome {
        Outcome::Approved => hold::Outcome::Approved,
        Outcome::Denied => hold::Outcome::Denied,
        Outcome::Expired => hold::Outcome::Expired,
        Outcome::Withdrawn => hold::Outcome::Withdrawn,
        Outcome::Superseded => hold::Outcome::Superseded,
        Outcome::Used => hold::Outcome::Used,
        Outcome::Replayed => hold::Outcome::Replayed,
        Outcome::Refused => hold::Outcome::Refused,
    }
}
