//! The verdict over a request, now that the whole of it is there.

use std::cell::OnceCell;

use gatehold_mcp::tasks::names_tasks;
use gatehold_mcp::{
    Message, Protocol, RequestHeaders, is_batch, parse_deferred, protocol, protocol_of_headers,
    trace_id,
};

use crate::arguments::Unbuilt;
use crate::exchange::allowed::{Allowed, Asked, Standing};
use crate::exchange::batch::batch;
use crate::exchange::decide::{Answer, Questioner};
use crate::exchange::reply::Refusal;
use crate::exchange::request::Refused;
use crate::exchange::{Receiving, Verb, mcp_limits, task};
use crate::host::{Direction, Host, whole_body};
use crate::record::Draft;
use crate::worker::Worker;

/// Decides.
///
/// # Errors
/// The refusal; nothing of the request may go on.
pub(super) fn judge(
    worker: &Worker,
    host: &dyn Host,
    mut receiving: Receiving,
) -> Result<Allowed, Refused> {
    let pairs = std::mem::take(&mut receiving.headers);
    let headers = match RequestHeaders::from_pairs(pairs.iter()) {
        Ok(headers) => headers,
        Err(error) => return Err(refused(Refusal::rejected(&error, None), receiving.draft)),
    };
    let body = match (receiving.verb, receiving.size) {
        (Verb::Get | Verb::Delete, 1..) => Err(Refusal::unexpected_body()),
        (_, size) => whole_body(host, Direction::Request, size).map_err(Refusal::from),
    };
    match body {
        Err(refusal) => Err(refused(refusal, receiving.draft)),
        Ok(body) if is_batch(&body) => batch(worker, host, receiving, &headers, &body),
        Ok(body) => one(worker, host, receiving, &headers, &body),
    }
}

pub(super) fn refused(refusal: Refusal, draft: Draft) -> Refused {
    Refused {
        refusal,
        draft: Some(Box::new(draft)),
    }
}

/// One message, or a request without any.
fn one(
    worker: &Worker,
    host: &dyn Host,
    mut receiving: Receiving,
    headers: &RequestHeaders<'_>,
    body: &[u8],
) -> Result<Allowed, Refused> {
    let judged = match receiving.verb {
        Verb::Post => message(&mut receiving, headers, body),
        Verb::Get | Verb::Delete => bodiless(&mut receiving, headers),
    };
    let judged = judged.and_then(|verdict| {
        let asked = &verdict.asked;
        if verdict.names_tasks
            && let Some(new) = task::open(&receiving.endpoint.server, &receiving.caller, body)
                .map_err(|_| Refusal::unknown_task(asked.id.as_ref()))?
        {
            task::replace(worker, host, body.len(), &new)?;
        }
        let slot = worker
            .reserve()
            .ok_or_else(|| Refusal::audit_full(asked.id.as_ref()))?;
        receiving.draft.pass(slot);
        Ok(verdict)
    });
    let Receiving {
        endpoint,
        caller,
        draft,
        ..
    } = receiving;
    match judged {
        Err(refusal) => Err(refused(refusal, draft)),
        Ok(verdict) => Ok(Allowed {
            endpoint,
            caller,
            version: verdict.protocol.version,
            asked: vec![Asked {
                draft: Some(draft),
                ..verdict.asked
            }],
            standing: verdict.standing,
            events: OnceCell::new(),
        }),
    }
}

/// What was decided to pass.
struct Verdict {
    protocol: Protocol,
    asked: Asked,
    standing: Standing,
    names_tasks: bool,
}

fn message(
    receiving: &mut Receiving,
    headers: &RequestHeaders<'_>,
    body: &[u8],
) -> Result<Verdict, Refusal> {
    let limits = mcp_limits(&receiving.endpoint);
    let (message, arguments) =
        parse_deferred(body, &limits).map_err(|error| Refusal::rejected(&error, None))?;
    let arguments = arguments.map(Unbuilt);
    note(&mut receiving.draft, &message, headers);
    let protocol =
        protocol(headers, &message).map_err(|error| Refusal::rejected(&error, message.id()))?;
    receiving.draft.era(protocol.era);
    let Receiving {
        endpoint,
        caller,
        session,
        draft,
        ..
    } = receiving;
    let questioner = Questioner {
        server: &endpoint.server,
        principal: &caller.principal,
        session: *session,
        era: protocol.era,
        arguments: arguments.as_ref(),
    };
    let answer = questioner.decide(&message, draft)?;
    Ok(Verdict {
        protocol,
        asked: Asked::new(message.id().cloned(), answer),
        names_tasks: names_tasks(&message),
        standing: match (answer, message) {
            (Answer::Subscription, Message::Request(request)) => {
                Standing::Listen(Box::new(request))
            }
            _ => Standing::No,
        },
    })
}

/// Says what is asked, as far as the envelope tells.
pub(super) fn note(draft: &mut Draft, message: &Message, headers: &RequestHeaders<'_>) {
    let trace = trace_id(headers.traceparent, message.params());
    draft.message(message.method().unwrap_or_default(), message.id(), trace);
}

/// The stream of the server's own messages, and the end of a session.
fn bodiless(receiving: &mut Receiving, headers: &RequestHeaders<'_>) -> Result<Verdict, Refusal> {
    let protocol = protocol_of_headers(headers).map_err(|error| Refusal::rejected(&error, None))?;
    receiving.draft.era(protocol.era);
    receiving.draft.permitted();
    let (answer, standing) = match receiving.verb {
        Verb::Get => (Answer::Subscription, Standing::Stream),
        Verb::Delete | Verb::Post => (Answer::Plain, Standing::No),
    };
    Ok(Verdict {
        protocol,
        asked: Asked::new(None, answer),
        standing,
        names_tasks: false,
    })
}

impl Asked {
    pub(super) fn new(id: Option<gatehold_mcp::Id>, answer: Answer) -> Self {
        Self {
            id,
            answer,
            outcome: None,
            draft: None,
        }
    }
}
