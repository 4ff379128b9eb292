//! The verdict over a request, now that the whole of it is there.

use std::cell::OnceCell;
use std::rc::Rc;

use gatehold_mcp::rounds::replace_request_state;
use gatehold_mcp::tasks::names_tasks;
use gatehold_mcp::{
    Era, ListKind, Message, Protocol, RequestHeaders, Version, is_batch, parse_deferred, protocol,
    protocol_of_headers, trace_id,
};

use crate::arguments::Unbuilt;
use crate::detection::taint::Taint;
use crate::exchange::allowed::{Allowed, Asked, Standing};
use crate::exchange::ask::{Ask, repeats_arguments};
use crate::exchange::batch::batch;
use crate::exchange::decide::{Answer, CANCELLED, Grant, Questioner, Stop};
use crate::exchange::onlooker::spare;
use crate::exchange::polling::{self, Poll};
use crate::exchange::reply::Refusal;
use crate::exchange::request::Refused;
use crate::exchange::rounds::{self, Rounds};
use crate::exchange::session::Session;
use crate::exchange::watch::{About, Watch};
use crate::exchange::watched::Watched;
use crate::exchange::{NO_DETECTORS, Receiving, Verb, mcp_limits, task};
use crate::hold::{HeldRound, RoundState};
use crate::host::{Direction, HeaderPairs, Host, whole_body};
use crate::record::Draft;
use crate::worker::{Slot, Worker};

/// What becomes of a request that is not refused.
#[derive(Debug)]
pub(super) enum Judged {
    /// It goes on.
    Passes(Allowed),
    /// It waits for a person; this is to be told to control.
    Waits(Box<Receiving>, Box<Ask>, Option<HeldRound>),
    /// It is about a task of our own.
    Polls(Box<Receiving>, Poll),
}

/// Decides. `grant` is what has been approved, when the request has waited.
///
/// # Errors
/// The refusal; nothing of the request may go on.
pub(super) fn judge(
    worker: &Rc<Worker>,
    host: &dyn Host,
    mut receiving: Receiving,
    grant: Option<&Grant>,
) -> Result<Judged, Refused> {
    if let Err(refusal) = check_detectors(&receiving) {
        return Err(refused(refusal, receiving.draft));
    }
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
        Ok(body) if is_batch(&body) => {
            batch(worker, host, receiving, &headers, &body).map(Judged::Passes)
        }
        Ok(body) => {
            let judged = one(worker, host, receiving, (&headers, &pairs), &body, grant)?;
            Ok(match judged {
                // It is judged again when it is approved.
                Judged::Waits(mut receiving, ask, round) => {
                    receiving.headers = pairs;
                    Judged::Waits(receiving, ask, round)
                }
                Judged::Polls(mut receiving, poll) => {
                    receiving.headers = pairs;
                    Judged::Polls(receiving, poll)
                }
                passes => passes,
            })
        }
    }
}

/// Without what is looked for nothing may pass where something depends on what is seen.
fn check_detectors(receiving: &Receiving) -> Result<(), Refusal> {
    let endpoint = &receiving.endpoint;
    let server = &endpoint.server;
    let lacks = endpoint.detectors.is_none() && server.detection.acts() && !server.shadow;
    match receiving.verb {
        Verb::Post | Verb::Get if lacks => Err(Refusal::not_ready(NO_DETECTORS)),
        Verb::Post | Verb::Get | Verb::Delete => Ok(()),
    }
}

/// Keeps room for the event. In shadow mode none is taken from those that others' requests wait for.
fn reserve(worker: &Worker, receiving: &Receiving) -> Option<Slot> {
    match receiving.endpoint.server.shadow {
        true => Some(Slot::Unneeded),
        false => worker.reserve(),
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
    worker: &Rc<Worker>,
    host: &dyn Host,
    mut receiving: Receiving,
    (headers, pairs): (&RequestHeaders<'_>, &HeaderPairs),
    body: &[u8],
    grant: Option<&Grant>,
) -> Result<Judged, Refused> {
    let mut round = None;
    let judged = match receiving.verb {
        Verb::Post => message(
            (worker, host),
            &mut receiving,
            (headers, pairs),
            body,
            (grant, &mut round),
        ),
        Verb::Get | Verb::Delete => bodiless(worker, &mut receiving, headers).map_err(Stop::from),
    };
    let judged = match judged {
        Ok(Verdict {
            poll: Some(poll), ..
        }) => return Ok(Judged::Polls(Box::new(receiving), poll)),
        Err(Stop::Held(ask)) => {
            let is_first = round.is_none();
            let held = round.and_then(|round| round.hold);
            // Answers to the upstream are for a call that runs already; people have not seen them.
            let belongs = match &held {
                Some(held) => held.is_of(&ask.digest) && (held.running || !ask.has_answers),
                None => is_first && !ask.has_answers,
            };
            if !belongs {
                return Err(refused(rounds::foreign(&ask.id), receiving.draft));
            }
            return Ok(Judged::Waits(Box::new(receiving), ask, held));
        }
        Err(Stop::Refused(refusal)) => Err(refusal),
        Ok(verdict) => Ok(verdict),
    };
    let judged = judged.and_then(|mut verdict| {
        let asked = &verdict.asked;
        let mut new = verdict.redacted.take();
        if verdict.names_tasks {
            let held = new.as_deref().unwrap_or(body);
            let opened = task::open(&receiving.endpoint.server, &receiving.caller, held)
                .map_err(|_| Refusal::unknown_task(asked.id.as_ref()))?;
            new = opened.or(new);
        }
        if let Some(round) = &round {
            let held = new.as_deref().unwrap_or(body);
            let replaced = replace_request_state(held, round.upstream.as_deref());
            new = Some(replaced.map_err(|_| Refusal::internal())?);
        }
        if let Some(new) = new {
            task::replace(worker, host, body.len(), &new)?;
        }
        let slot =
            reserve(worker, &receiving).ok_or_else(|| Refusal::audit_full(asked.id.as_ref()))?;
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
        Ok(verdict) => Ok(Judged::Passes(Allowed {
            rounds: verdict.rounds,
            run: None,
            watched: (endpoint.server.approves
                && verdict.asked.answer == Answer::List(ListKind::Tools))
            .then(|| Rc::clone(worker)),
            endpoint,
            caller,
            version: verdict.protocol.version,
            asked: vec![Asked {
                draft: Some(draft),
                ..verdict.asked
            }],
            standing: verdict.standing,
            events: OnceCell::new(),
            watch: verdict.watch,
            settles: verdict.settles,
        })),
    }
}

/// What was decided to pass.
struct Verdict {
    protocol: Protocol,
    asked: Asked,
    standing: Standing,
    names_tasks: bool,
    rounds: Option<Box<Rounds>>,
    poll: Option<Poll>,
    /// The body without its secrets.
    redacted: Option<Vec<u8>>,
    /// What is forgotten when it runs, because people have approved it.
    settles: Option<Box<Taint>>,
    watch: Box<Watch>,
}

fn message(
    (worker, host): (&Rc<Worker>, &dyn Host),
    receiving: &mut Receiving,
    (headers, pairs): (&RequestHeaders<'_>, &HeaderPairs),
    body: &[u8],
    (grant, round): (Option<&Grant>, &mut Option<RoundState>),
) -> Result<Verdict, Stop> {
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
    let watched = Watched::new(
        (worker, host),
        (endpoint, caller),
        (protocol.era, &message),
        body,
        arguments.as_ref(),
    );
    let questioner = Questioner {
        server: &endpoint.server,
        caller,
        session: *session,
        era: protocol.era,
        arguments: arguments.as_ref(),
        grant,
        headers: Some(pairs),
        watched: Some(&watched),
    };
    let shadow = endpoint.server.shadow;
    if let (Message::Request(request), Era::Modern, false) = (&message, protocol.era, shadow) {
        let now = draft.started() / 1_000_000_000;
        *round = rounds::open(&endpoint.server, caller, request, now)?;
    }
    let decided = questioner.decide(&message, draft);
    match grant {
        None => watched.report(draft),
        // It was told when it began to wait; the draft has the arguments anew.
        Some(_) => watched.hush(draft),
    }
    let answer = match decided {
        Err(stop) if shadow => spare(stop, &message, protocol.era, draft),
        decided => decided?,
    };
    let redacted = match watched.redacted(repeats_arguments(pairs)) {
        Ok(redacted) => redacted.map(|it| it.body).filter(|_| !shadow),
        Err(seen) => {
            draft.refuse_or_spare(Refusal::unredacted(message.id(), &seen))?;
            None
        }
    };
    watched.keep().map_err(Refusal::from)?;
    let settles = watched.settled().map(Box::new);
    let watch = Watch::new(worker, watched.text());
    let poll = match &message {
        _ if shadow => None,
        Message::Request(request) => polling::poll(&endpoint.server, caller, request),
        Message::Notification(notification)
            if notification.method == CANCELLED && *session == Session::Bound =>
        {
            rounds::cancel(worker, &endpoint.server, caller, headers, notification);
            None
        }
        Message::Notification(_) | Message::Response(_) => None,
    };
    Ok(Verdict {
        rounds: match (&message, protocol.version) {
            (Message::Request(request), Version::V2026_07_28) if !shadow => {
                Rounds::of(request, draft.started() / 1_000_000_000)
            }
            _ => None,
        },
        poll,
        protocol,
        asked: Asked::new(message.id().cloned(), answer, About::of(&message)),
        names_tasks: names_tasks(&message) && !shadow,
        redacted,
        settles,
        watch,
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
fn bodiless(
    worker: &Rc<Worker>,
    receiving: &mut Receiving,
    headers: &RequestHeaders<'_>,
) -> Result<Verdict, Refusal> {
    let protocol = protocol_of_headers(headers).map_err(|error| Refusal::rejected(&error, None))?;
    receiving.draft.era(protocol.era);
    receiving.draft.permitted();
    let (answer, standing) = match receiving.verb {
        Verb::Get => (Answer::Subscription, Standing::Stream),
        Verb::Delete | Verb::Post => (Answer::Plain, Standing::No),
    };
    Ok(Verdict {
        protocol,
        asked: Asked::new(None, answer, About::default()),
        standing,
        names_tasks: false,
        rounds: None,
        poll: None,
        redacted: None,
        settles: None,
        watch: Watch::new(worker, b""),
    })
}

impl Asked {
    pub(super) fn new(id: Option<gatehold_mcp::Id>, answer: Answer, about: About) -> Self {
        Self {
            id,
            answer,
            about,
            outcome: None,
            draft: None,
        }
    }
}
