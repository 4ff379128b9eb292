//! The verdict over a request, now that the whole of it is there.

use gatehold_mcp::batch::split;
use gatehold_mcp::reply::{batch_body, code};
use gatehold_mcp::{
    Message, Protocol, RequestHeaders, is_batch, parse, parse_batch, protocol, protocol_of_batch,
    protocol_of_headers, trace_id,
};

use crate::exchange::allowed::{Allowed, Asked, Standing};
use crate::exchange::decide::{Answer, Questioner};
use crate::exchange::reply::Refusal;
use crate::exchange::request::Refused;
use crate::exchange::session::EventIds;
use crate::exchange::{Receiving, Verb, mcp_limits, task};
use crate::host::{Direction, Host, HostError};
use crate::record::{Draft, Ending};
use crate::worker::Worker;

/// Decides.
///
/// # Errors
/// The refusal; nothing of the request may go on.
pub(super) fn judge(
    worker: &Worker,
    host: &dyn Host,
    mut receiving: Box<Receiving>,
) -> Result<Allowed, Refused> {
    let pairs = std::mem::take(&mut receiving.headers);
    let headers =
        RequestHeaders::from_pairs(pairs.iter()).map_err(|error| Refusal::rejected(&error, None));
    let judged = headers.and_then(|headers| match receiving.verb {
        Verb::Post => {
            let body = body(host, receiving.size)?;
            let one = !is_batch(&body);
            Ok((headers, one, body))
        }
        Verb::Get | Verb::Delete if receiving.size > 0 => Err(Refusal::unexpected_body()),
        Verb::Get | Verb::Delete => Ok((headers, true, Vec::new())),
    });
    match judged {
        Err(refusal) => Err(refused(refusal, receiving.draft)),
        Ok((headers, true, body)) => one(worker, host, *receiving, &headers, &body),
        Ok((headers, false, body)) => batch(worker, host, *receiving, &headers, &body),
    }
}

fn refused(refusal: Refusal, draft: Draft) -> Refused {
    Refused {
        refusal,
        draft: Some(Box::new(draft)),
    }
}

fn body(host: &dyn Host, size: usize) -> Result<Vec<u8>, HostError> {
    if size == 0 {
        return Ok(Vec::new());
    }
    let body = host.body(Direction::Request, size)?;
    if body.len() == size {
        Ok(body)
    } else {
        Err(HostError::Malformed {
            call: "get_buffer_bytes",
        })
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
    let judged = judged.and_then(|(protocol, mut asked, standing)| {
        if receiving.verb == Verb::Post
            && let Some(new) = task::open(&receiving.endpoint.server, &receiving.caller, body)
                .map_err(|_| Refusal::unknown_task(asked.id.as_ref()))?
        {
            task::replace(worker, host, body.len(), &new)?;
        }
        let slot = worker
            .reserve()
            .ok_or_else(|| Refusal::audit_full(asked.id.as_ref()))?;
        receiving.draft.pass(slot);
        asked.outcome = None;
        Ok((protocol, asked, standing))
    });
    let Receiving {
        endpoint,
        caller,
        session,
        draft,
        ..
    } = receiving;
    match judged {
        Err(refusal) => Err(refused(refusal, draft)),
        Ok((protocol, asked, standing)) => Ok(Allowed {
            endpoint,
            caller,
            version: protocol.version,
            asked: vec![Asked {
                draft: Some(draft),
                ..asked
            }],
            standing,
            event_ids: EventIds::of(session),
        }),
    }
}

type Verdict = (Protocol, Asked, Standing);

fn message(
    receiving: &mut Receiving,
    headers: &RequestHeaders<'_>,
    body: &[u8],
) -> Result<Verdict, Refusal> {
    let limits = mcp_limits(&receiving.endpoint);
    let message = parse(body, &limits).map_err(|error| Refusal::rejected(&error, None))?;
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
    };
    let answer = questioner.decide(&message, draft)?;
    let asked = Asked::new(message.id().cloned(), answer);
    let standing = match (answer, message) {
        (Answer::Subscription, Message::Request(request)) => Standing::Listen(Box::new(request)),
        _ => Standing::No,
    };
    Ok((protocol, asked, standing))
}

/// Says what is asked, as far as the envelope tells.
fn note(draft: &mut Draft, message: &Message, headers: &RequestHeaders<'_>) {
    let trace = trace_id(headers.traceparent, message.params());
    draft.message(message.method().unwrap_or_default(), message.id(), trace);
}

/// The stream of the server's own messages, and the end of a session.
fn bodiless(receiving: &mut Receiving, headers: &RequestHeaders<'_>) -> Result<Verdict, Refusal> {
    let protocol = protocol_of_headers(headers).map_err(|error| Refusal::rejected(&error, None))?;
    receiving.draft.era(protocol.era);
    receiving
        .draft
        .permitted(&receiving.endpoint.server.version);
    let (answer, standing) = match receiving.verb {
        Verb::Get => (Answer::Subscription, Standing::Stream),
        Verb::Delete | Verb::Post => (Answer::Plain, Standing::No),
    };
    Ok((protocol, Asked::new(None, answer), standing))
}

/// Several messages at once (2025-03-26): each is decided, and all go on or none.
fn batch(
    worker: &Worker,
    host: &dyn Host,
    receiving: Receiving,
    headers: &RequestHeaders<'_>,
    body: &[u8],
) -> Result<Allowed, Refused> {
    let Receiving {
        endpoint,
        caller,
        session,
        mut draft,
        ..
    } = receiving;
    let read = parse_batch(body, &mcp_limits(&endpoint))
        .map_err(|error| Refusal::rejected(&error, None))
        .and_then(|messages| {
            let protocol = protocol_of_batch(headers, &messages)
                .map_err(|error| Refusal::rejected(&error, None))?;
            // Tasks came with 2025-11-25, which has no batches.
            let elements = split(body, &mcp_limits(&endpoint)).map_err(|_| Refusal::internal())?;
            let no_task =
                |element: &[u8]| matches!(task::open(&endpoint.server, &caller, element), Ok(None));
            if elements.into_iter().all(no_task) {
                Ok((protocol, messages))
            } else {
                Err(Refusal::unknown_task(None))
            }
        });
    let (protocol, messages) = match read {
        Ok(read) => read,
        Err(refusal) => {
            draft.message("batch", None, trace_id(headers.traceparent, None));
            return Err(refused(refusal, draft));
        }
    };
    let questioner = Questioner {
        server: &endpoint.server,
        principal: &caller.principal,
        session,
        era: protocol.era,
    };
    let started = draft.started();
    let mut first = Some(draft);
    let mut judged = Vec::with_capacity(messages.len());
    for message in &messages {
        let mut draft = first.take().unwrap_or_else(|| {
            let mut draft = Draft::new(worker.random.id(), started, &endpoint.server.name);
            draft.identify(&caller.identity);
            draft
        });
        note(&mut draft, message, headers);
        draft.era(protocol.era);
        let verdict = questioner.decide(message, &mut draft).and_then(|answer| {
            let slot = worker
                .reserve()
                .ok_or_else(|| Refusal::audit_full(message.id()))?;
            draft.pass(slot);
            Ok(answer)
        });
        judged.push((message, draft, verdict));
    }
    if judged.iter().any(|(_, _, verdict)| verdict.is_err()) {
        return Err(none_of(worker, host, judged));
    }
    let asked = judged.into_iter().map(|(message, draft, verdict)| Asked {
        draft: Some(draft),
        ..Asked::new(message.id().cloned(), verdict.unwrap_or(Answer::Plain))
    });
    Ok(Allowed {
        version: protocol.version,
        asked: asked.collect(),
        standing: Standing::No,
        event_ids: EventIds::of(session),
        endpoint,
        caller,
    })
}

/// Refuses a batch of which at least one message is refused. Every request of it gets an answer.
fn none_of(
    worker: &Worker,
    host: &dyn Host,
    judged: Vec<(&Message, Draft, Result<Answer, Refusal>)>,
) -> Refused {
    let mut bodies = Vec::with_capacity(judged.len());
    let mut first = None;
    for (message, mut draft, verdict) in judged {
        draft.stay();
        let refusal = match verdict {
            Err(refusal) => {
                first.get_or_insert((refusal.class, refusal.code, refusal.reason.clone()));
                refusal
            }
            Ok(_) => Refusal::beside_refused(message.id()),
        };
        draft.refused(&refusal.reason);
        let ending = Ending::Refused {
            code: refusal.code,
            status: 200,
        };
        draft.finish(worker, host, ending);
        if message.id().is_some() {
            bodies.push(refusal.reply.body);
        }
    }
    let (class, code, reason) = first.unwrap_or((
        crate::metrics::Refused::Internal,
        code::INTERNAL_ERROR,
        String::new(),
    ));
    let body = (!bodies.is_empty()).then(|| batch_body(&bodies));
    Refused {
        refusal: Refusal::batch(class, code, reason, body),
        draft: None,
    }
}

impl Asked {
    fn new(id: Option<gatehold_mcp::Id>, answer: Answer) -> Self {
        Self {
            id,
            answer,
            outcome: None,
            draft: None,
        }
    }
}
