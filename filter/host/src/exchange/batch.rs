//! Several messages at once (2025-03-26): each is decided, and all go on or none.

use std::cell::OnceCell;
use std::rc::Rc;

use gatehold_mcp::batch::split;
use gatehold_mcp::reply::{batch_body, code};
use gatehold_mcp::{Message, RequestHeaders, parse_batch, protocol_of_batch, trace_id};

use crate::exchange::allowed::{Allowed, Asked, Standing};
use crate::exchange::decide::{Answer, Questioner, Stop};
use crate::exchange::judge::{note, refused};
use crate::exchange::onlooker::spare;
use crate::exchange::reply::Refusal;
use crate::exchange::request::Refused;
use crate::exchange::watch::{About, Watch};
use crate::exchange::watched::Watched;
use crate::exchange::{Receiving, mcp_limits, task};
use crate::host::Host;
use crate::metrics;
use crate::record::{Draft, Ending};
use crate::worker::{Slot, Worker};

/// Decides each message of a batch.
///
/// # Errors
/// The refusal of all of them, if one is refused.
pub(super) fn batch(
    worker: &Rc<Worker>,
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
            if elements.iter().copied().all(no_task) {
                Ok((protocol, messages, elements))
            } else {
                Err(Refusal::unknown_task(None))
            }
        });
    let (protocol, messages, elements) = match read {
        Ok(read) => read,
        Err(refusal) => {
            draft.message("batch", None, trace_id(headers.traceparent, None));
            return Err(refused(refusal, draft));
        }
    };
    let started = draft.started();
    let mut first = Some(draft);
    let mut judged = Vec::with_capacity(messages.len());
    let shadow = endpoint.server.shadow;
    for (message, element) in messages.iter().zip(elements) {
        let watched = Watched::new(
            (worker, host),
            (&endpoint, &caller),
            (protocol.era, message),
            element,
            None,
        );
        let questioner = Questioner {
            server: &endpoint.server,
            caller: &caller,
            session,
            era: protocol.era,
            arguments: None,
            grant: None,
            headers: None,
            watched: Some(&watched),
        };
        let mut draft = first.take().unwrap_or_else(|| {
            let mut draft = Draft::new(worker, started, &endpoint);
            draft.identify(&caller);
            draft
        });
        note(&mut draft, message, headers);
        draft.era(protocol.era);
        let verdict = questioner.decide(message, &mut draft);
        watched.report(&mut draft);
        if shadow {
            let answer =
                verdict.unwrap_or_else(|stop| spare(stop, message, protocol.era, &mut draft));
            draft.pass(Slot::Unneeded);
            judged.push((message, draft, Ok(answer)));
            continue;
        }
        let verdict = verdict.map_err(Stop::refusal).and_then(|answer| {
            if answer == Answer::Subscription {
                return Err(Refusal::standing_in_batch(message.id()));
            }
            // What is taken out of one would leave the others as they are; it can be sent alone.
            if let Ok(Some(_)) | Err(_) = watched.redacted(false) {
                let why = "secrets that are taken out of single messages only; send it alone";
                return Err(Refusal::unredacted(message.id(), why));
            }
            watched.keep()?;
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
        ..Asked::new(
            message.id().cloned(),
            verdict.unwrap_or(Answer::Plain),
            About::of(message),
        )
    });
    Ok(Allowed {
        version: protocol.version,
        asked: asked.collect(),
        standing: Standing::No,
        events: OnceCell::new(),
        rounds: None,
        run: None,
        watched: None,
        watch: Watch::new(worker, b""),
        settles: None,
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
        draft.refused(refusal.class, &refusal.reason);
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
        metrics::Refused::Internal,
        code::INTERNAL_ERROR,
        String::new(),
    ));
    let body = (!bodies.is_empty()).then(|| batch_body(&bodies));
    Refused {
        refusal: Refusal::batch(class, code, reason, body),
        draft: None,
    }
}
