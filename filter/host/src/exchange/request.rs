//! The request's headers: which server, which caller, and what the upstream may see of them.

use std::rc::Rc;

use gatehold_mcp::{Era, RequestHeaders, protocol_of_headers, same_header, trace_id};
use gatehold_wire::setup::SetupProblem;

use crate::caller::Caller;
use crate::config::{HoldHeaders, Unmatched};
use crate::exchange::caller::{NO_KEYS, authenticate};
use crate::exchange::onlooker::Onlooker;
use crate::exchange::reply::{self, Refusal};
use crate::exchange::session::Session;
use crate::exchange::{EFFECT, NO_POLICY, Receiving, Verb, session, task};
use crate::hold::Place;
use crate::host::{Direction, Flow, HeaderPairs, Host, HostError, LocalReply};
use crate::paths;
use crate::record::Draft;
use crate::setup::TWO_COPIES;
use crate::snapshot::{Endpoint, Lookalike, Match, Snapshot};
use crate::worker::Worker;

/// What the headers of a request lead to.
#[derive(Debug)]
pub(super) enum Begun {
    /// No server's, and the configuration lets it pass; or this server's, which is in shadow mode.
    Ignored(Option<Rc<Endpoint>>),
    /// The metadata document.
    Metadata(LocalReply),
    /// A server's; its body decides.
    Receiving(Box<Receiving>),
}

/// A refusal, with the event when there is one that is not recorded yet.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) refusal: Refusal,
    pub(super) draft: Option<Box<Draft>>,
}

/// Request headers that never reach the upstream. The client's token is for this gateway only; encoded or
/// partial answers could not be read; the rest would have Envoy send a call twice or elsewhere.
const WITHHELD: [&str; 15] = [
    "authorization",
    "proxy-authorization",
    "dpop",
    "accept-encoding",
    "range",
    "x-envoy-retry-on",
    "x-envoy-retry-grpc-on",
    "x-envoy-max-retries",
    "x-envoy-hedge-on-per-try-timeout",
    "x-envoy-upstream-alt-stat-name",
    "x-envoy-upstream-rq-timeout-ms",
    "x-envoy-upstream-rq-per-try-timeout-ms",
    "x-envoy-upstream-rq-timeout-alt-response",
    "x-envoy-retriable-status-codes",
    "x-envoy-retriable-header-names",
];

/// Those by which a server takes a request for another one, perhaps one of a server that is enforced behind the same
/// upstream. They do not even go on in shadow mode.
const MISLEADING: [&str; 5] = [
    "x-original-url",
    "x-rewrite-url",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
];

/// Names with this prefix are the filter's own.
const OWN_PREFIX: &[u8] = b"x-gatehold-";

/// Reads the headers, finds the server and the caller.
pub(super) fn begin(
    worker: &Worker,
    snapshot: Option<&Snapshot>,
    host: &dyn Host,
) -> Result<Begun, Refused> {
    let alone = |refusal| Refused {
        refusal,
        draft: None,
    };
    let pairs = host
        .headers(Direction::Request)
        .map_err(|error| alone(error.into()))?;
    let Some(snapshot) = snapshot else {
        return Err(alone(Refusal::not_ready(NO_POLICY)));
    };
    let path = pairs.single(":path").and_then(paths::path);
    let authority = pairs.single(":authority").or_else(|| pairs.single("host"));
    let found = match (path, authority.and_then(paths::host)) {
        (Some(path), Some(host)) => snapshot.find(&host, path),
        _ => Match::None,
    };
    match found {
        // The server may have one of its own.
        Match::Metadata(endpoint) if endpoint.server.shadow => {
            lead_nowhere(host, &pairs).map_err(|error| alone(error.into()))?;
            Ok(Begun::Ignored(Some(endpoint)))
        }
        Match::Metadata(endpoint) => metadata(&pairs, &endpoint).map_err(alone),
        Match::Endpoint(endpoint) => {
            let shadow = endpoint.server.shadow;
            match worker.setup.refuses() {
                Some(reason) if !shadow => return Err(alone(Refusal::setup(reason))),
                _ => {}
            }
            let now = match host.now() {
                Err(error) if !shadow => return Err(alone(error.into())),
                now => now.unwrap_or_default(),
            };
            if shadow {
                lead_nowhere(host, &pairs).map_err(|error| alone(error.into()))?;
            }
            let mut draft = Draft::new(worker, now, &endpoint);
            let onlooker = Onlooker { host, copy: &[] };
            let host = if shadow { &onlooker } else { host };
            match receive(worker, host, &endpoint, &pairs, &mut draft) {
                Err(refusal) => Err(Refused {
                    refusal,
                    draft: Some(Box::new(draft)),
                }),
                Ok(received) => {
                    let Received {
                        caller,
                        verb,
                        session,
                    } = received;
                    Ok(Begun::Receiving(Box::new(Receiving {
                        endpoint,
                        caller,
                        headers: pairs,
                        verb,
                        session,
                        size: 0,
                        body_came: false,
                        draft,
                    })))
                }
            }
        }
        Match::None => match (worker.config.unmatched, path) {
            (Unmatched::Pass, Some(path)) => match snapshot.lookalike(path) {
                Lookalike::None => Ok(Begun::Ignored(None)),
                Lookalike::Shadow(endpoint) => {
                    lead_nowhere(host, &pairs).map_err(|error| alone(error.into()))?;
                    Ok(Begun::Ignored(Some(endpoint)))
                }
                Lookalike::Enforced => Err(alone(Refusal::unmatched())),
            },
            _ => Err(alone(Refusal::unmatched())),
        },
    }
}

/// Whether nothing that is decided of a request is enforced.
pub(super) fn is_shadow(begun: &Result<Begun, Refused>) -> bool {
    match begun {
        Ok(Begun::Receiving(receiving)) => receiving.endpoint.server.shadow,
        Err(refused) => refused.draft.as_ref().is_some_and(|it| it.is_shadow()),
        Ok(Begun::Ignored(_) | Begun::Metadata(_)) => false,
    }
}

/// The server that lets a request through since it is not enforced.
pub(super) fn spared_by(begun: &Result<Begun, Refused>) -> Option<Rc<Endpoint>> {
    let endpoint = match begun {
        Ok(Begun::Receiving(receiving)) => Some(&receiving.endpoint),
        Ok(Begun::Ignored(endpoint)) => endpoint.as_ref(),
        Err(refused) => refused.draft.as_ref().map(|draft| draft.endpoint()),
        Ok(Begun::Metadata(_)) => None,
    };
    endpoint.filter(|it| it.server.shadow).map(Rc::clone)
}

/// What the headers do while the body is awaited.
pub(super) fn headers_flow(worker: &Worker, host: &dyn Host, place: &Place) -> Flow {
    match worker.config.hold_headers {
        HoldHeaders::Hold => {
            worker.setup.watch(place.clone());
            Flow::Pause
        }
        HoldHeaders::GoAhead => {
            // For a second copy of the filter, which sees the headers before there is a verdict.
            let _ = host.publish(EFFECT, b"pending");
            Flow::Continue
        }
    }
}

/// Whether a copy of the filter before this one has judged the request; notes it.
#[cold]
#[inline(never)]
pub(super) fn is_behind_a_copy(worker: &Worker, host: &dyn Host) -> bool {
    let has_judged = host.property(&[EFFECT]).is_ok_and(|it| !it.is_empty());
    if has_judged {
        let (metrics, problem) = (&worker.metrics, SetupProblem::TwoCopies);
        worker.setup.notice(host, metrics, problem, TWO_COPIES);
    }
    has_judged
}

fn metadata(pairs: &HeaderPairs, endpoint: &Endpoint) -> Result<Begun, Refusal> {
    match pairs.single(":method") {
        Some(b"GET" | b"HEAD") => {}
        _ => return Err(Refusal::method("GET, HEAD")),
    }
    if endpoint.issuers.is_empty() {
        return Err(Refusal::not_ready(NO_KEYS));
    }
    let issuers = endpoint
        .issuers
        .iter()
        .map(|versioned| versioned.issuer.issuer.as_str());
    Ok(Begun::Metadata(reply::metadata(&endpoint.server, issuers)))
}

/// What the headers tell by themselves.
struct Received {
    caller: Rc<Caller>,
    verb: Verb,
    session: Session,
}

fn receive(
    worker: &Worker,
    host: &dyn Host,
    endpoint: &Endpoint,
    pairs: &HeaderPairs,
    draft: &mut Draft,
) -> Result<Received, Refusal> {
    let server = &endpoint.server;
    let headers = RequestHeaders::from_pairs(pairs.iter())
        .map_err(|error| Refusal::rejected(&error, None))?;
    if headers
        .origin
        .is_some_and(|origin| !server.allows_origin(origin))
    {
        draft.refuse_or_spare(Refusal::origin())?;
    }
    let verb = match headers.verb {
        Some(b"POST") => Verb::Post,
        Some(b"GET") => Verb::Get,
        Some(b"DELETE") => Verb::Delete,
        _ => return Err(Refusal::method("POST, GET, DELETE")),
    };
    // After an upgrade there would be no messages to judge. HTTP/2 asks for it by `:protocol`.
    if ["upgrade", ":protocol"]
        .iter()
        .any(|name| pairs.values(name).next().is_some())
    {
        return Err(Refusal::upgrade());
    }
    let caller = authenticate(worker, host, endpoint, &headers, draft)?;
    match verb {
        Verb::Post => headers
            .check_post()
            .map_err(|error| Refusal::rejected(&error, None))?,
        Verb::Get => draft.message("GET", None, trace_id(headers.traceparent, None)),
        Verb::Delete => draft.message("DELETE", None, trace_id(headers.traceparent, None)),
    }
    // A POST says its version in the body too: where the two differ it is refused then.
    let era = match (verb, protocol_of_headers(&headers)) {
        (_, Ok(protocol)) => protocol.era,
        (Verb::Post, Err(_)) => Era::Legacy,
        (Verb::Get | Verb::Delete, Err(error)) => return Err(Refusal::rejected(&error, None)),
    };
    if era == Era::Modern && verb != Verb::Post {
        return Err(Refusal::method("POST"));
    }
    withhold(worker, host, pairs)?;
    let session = session::open(host, server, &caller, &headers, era)?;
    if verb == Verb::Get {
        session::open_event(host, server, &caller, &headers)?;
    } else if headers.last_event_id.is_some() {
        // It has a meaning there to nobody but a server of its own kind.
        host.remove_header(Direction::Request, "last-event-id")?;
    }
    task::open_name(host, server, &caller, &headers, era)?;
    Ok(Received {
        caller,
        verb,
        session,
    })
}

/// Removes what the upstream must not get. Done while the headers are here for certain, whatever the body
/// will say.
fn withhold(worker: &Worker, host: &dyn Host, pairs: &HeaderPairs) -> Result<(), HostError> {
    // Once the headers have gone ahead, the body can only be given its own length by giving none.
    let goes_ahead = worker.config.hold_headers == HoldHeaders::GoAhead;
    let is_removed = |name: &[u8]| {
        is_withheld(name) || goes_ahead && name.eq_ignore_ascii_case(b"content-length")
    };
    remove(host, pairs, &is_removed)
}

/// Removes from a request in shadow mode what might have it taken for one to an enforced server.
#[cold]
fn lead_nowhere(host: &dyn Host, pairs: &HeaderPairs) -> Result<(), HostError> {
    remove(host, pairs, &is_misleading)
}

fn remove(
    host: &dyn Host,
    pairs: &HeaderPairs,
    is_removed: &dyn Fn(&[u8]) -> bool,
) -> Result<(), HostError> {
    let mut removed: Vec<&str> = Vec::new();
    for (name, _) in pairs.iter() {
        if !is_removed(name) {
            continue;
        }
        // Names are ASCII in HTTP; what is not cannot be one of ours.
        if let Ok(name) = std::str::from_utf8(name)
            && !removed.contains(&name)
        {
            host.remove_header(Direction::Request, name)?;
            removed.push(name);
        }
    }
    Ok(())
}

fn is_withheld(name: &[u8]) -> bool {
    is_one_of(name, &WITHHELD) || is_misleading(name)
}

fn is_misleading(name: &[u8]) -> bool {
    is_one_of(name, &MISLEADING) || starts_with(name, OWN_PREFIX)
}

fn is_one_of(name: &[u8], known: &[&str]) -> bool {
    known
        .iter()
        .any(|known| same_header(name, known.as_bytes()))
}

fn starts_with(name: &[u8], prefix: &[u8]) -> bool {
    name.get(..prefix.len())
        .is_some_and(|start| same_header(start, prefix))
}

/// Refuses trailers that some server might take for headers: what decides was read before the body, and
/// what is withheld must not come in behind it (RFC 9110, section 6.5.1).
pub(super) fn check_trailers(host: &dyn Host) -> Result<(), Refusal> {
    let trailers = host.trailers()?;
    let decides = |name: &[u8]| {
        is_withheld(name)
            || name.starts_with(b":")
            || starts_with(name, b"mcp-")
            || is_one_of(name, &DECIDING)
    };
    match trailers.iter().find(|(name, _)| decides(name)) {
        Some((name, _)) => Err(Refusal::trailer(&String::from_utf8_lossy(name))),
        None => Ok(()),
    }
}

/// Headers that say what a message is; none of them may come after it.
const DECIDING: [&str; 8] = [
    "host",
    "origin",
    "cookie",
    "content-type",
    "content-encoding",
    "content-length",
    "transfer-encoding",
    "last-event-id",
];
