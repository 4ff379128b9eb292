//! The request's way to its verdict.

use std::rc::Rc;

use gatehold_engine::Principal;
use gatehold_identity::{BearerError, Identity, TokenError};
use gatehold_mcp::{Era, Id, Message, RequestHeaders, protocol, protocol_of_headers, trace_id};

use crate::config::{HoldHeaders, Unmatched};
use crate::exchange::decide::{Answer, decide};
use crate::exchange::reply::{self, Refusal};
use crate::exchange::{NO_POLICY, Receiving, Verb, mcp_limits};
use crate::host::{Direction, Flow, HeaderPairs, Host, HostError, LocalReply};
use crate::metrics::Counter;
use crate::paths;
use crate::record::Draft;
use crate::snapshot::{Endpoint, Match, Snapshot};
use crate::worker::Worker;

/// What the headers of a request lead to.
#[derive(Debug)]
pub(super) enum Begun {
    /// No server's, and the configuration lets it pass.
    Ignored,
    /// The metadata document.
    Metadata(LocalReply),
    /// A server's; its body decides.
    Receiving(Box<Receiving>),
}

/// A refusal, with the event when a server was found.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) refusal: Refusal,
    pub(super) draft: Option<Box<Draft>>,
}

/// What was allowed.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) era: Era,
    pub(super) id: Option<Id>,
    pub(super) answer: Answer,
}

/// Request headers that never reach the upstream. The client's token is for this gateway only; encoded or
/// partial answers could not be read; the rest would have Envoy send a call twice or elsewhere, or the server
/// take it for one to another path or with another method.
const WITHHELD: [&str; 20] = [
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
        Match::Metadata(endpoint) => metadata(&pairs, &endpoint).map_err(alone),
        Match::Endpoint(endpoint) => {
            let now = host.now().map_err(|error| alone(error.into()))?;
            let mut draft = Draft::new(worker.random.id(), now, &endpoint.server.name);
            match receive(worker, host, endpoint, &pairs, &mut draft) {
                Err(refusal) => Err(Refused {
                    refusal,
                    draft: Some(Box::new(draft)),
                }),
                Ok((endpoint, principal, verb)) => Ok(Begun::Receiving(Box::new(Receiving {
                    endpoint,
                    principal,
                    headers: pairs,
                    verb,
                    size: 0,
                    draft,
                }))),
            }
        }
        Match::None => match (worker.config.unmatched, path) {
            (Unmatched::Pass, Some(path)) if !snapshot.is_lookalike(path) => Ok(Begun::Ignored),
            _ => Err(alone(Refusal::unmatched())),
        },
    }
}

/// What the headers do while the body is awaited.
pub(super) fn headers_flow(worker: &Worker) -> Flow {
    match worker.config.hold_headers {
        HoldHeaders::Hold => Flow::Pause,
        HoldHeaders::GoAhead => Flow::Continue,
    }
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

fn receive(
    worker: &Worker,
    host: &dyn Host,
    endpoint: Rc<Endpoint>,
    pairs: &HeaderPairs,
    draft: &mut Draft,
) -> Result<(Rc<Endpoint>, Principal, Verb), Refusal> {
    let server = &endpoint.server;
    let headers = RequestHeaders::from_pairs(pairs.iter())
        .map_err(|error| Refusal::rejected(&error, None))?;
    if headers
        .origin
        .is_some_and(|origin| !server.allows_origin(origin))
    {
        return Err(Refusal::origin());
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
    let principal = authenticate(worker, host, &endpoint, &headers, draft)?;
    if verb == Verb::Post {
        headers
            .check_post()
            .map_err(|error| Refusal::rejected(&error, None))?;
    }
    withhold(host, pairs)?;
    Ok((endpoint, principal, verb))
}

const NO_KEYS: &str = "no keys of this server's token issuers have arrived yet";

fn authenticate(
    worker: &Worker,
    host: &dyn Host,
    endpoint: &Endpoint,
    headers: &RequestHeaders<'_>,
    draft: &mut Draft,
) -> Result<Principal, Refusal> {
    let server = &endpoint.server;
    let token = match headers.authorization.map(gatehold_identity::bearer) {
        None | Some(Err(BearerError::OtherScheme)) => return Err(Refusal::token(server, None)),
        Some(Err(error)) => return Err(Refusal::token(server, Some(&error.to_string()))),
        Some(Ok(token)) => token,
    };
    let now = draft.started() / 1_000_000_000;
    let scope = &endpoint.token_scope;
    let mut tokens = worker.tokens.borrow_mut();
    let identity = match tokens.get(token, scope, now) {
        Some(identity) => {
            worker.metrics.add(host, Counter::TokensRemembered, 1);
            identity
        }
        None => {
            let issuers: Vec<_> = endpoint
                .issuers
                .iter()
                .map(|versioned| &versioned.issuer)
                .collect();
            if issuers.is_empty() {
                return Err(Refusal::not_ready(NO_KEYS));
            }
            let identity = gatehold_identity::verify(token, &issuers, &server.audiences, now)
                .map_err(|error| match error {
                    TokenError::NoKeys => Refusal::not_ready(NO_KEYS),
                    error => Refusal::token(server, Some(&error.to_string())),
                })?;
            worker.metrics.add(host, Counter::TokensVerified, 1);
            tokens.insert(token, scope, identity)
        }
    };
    draft.identify(&identity);
    Ok(principal(&identity))
}

fn principal(identity: &Identity) -> Principal {
    Principal {
        user: identity.user.clone(),
        agent: identity.agent.clone(),
        roles: identity.roles.clone(),
        groups: identity.groups.clone(),
        claims: identity.claims.clone(),
    }
}

/// Removes what the upstream must not get. Done while the headers are here for certain, whatever the body
/// will say.
fn withhold(host: &dyn Host, pairs: &HeaderPairs) -> Result<(), HostError> {
    let mut removed: Vec<&str> = Vec::new();
    for (name, _) in pairs.iter() {
        let known = WITHHELD
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
        let own = name
            .get(..OWN_PREFIX.len())
            .is_some_and(|prefix| prefix.eq_ignore_ascii_case(OWN_PREFIX));
        if !known && !own {
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

/// Decides, now that the whole body is there.
pub(super) fn judge(
    worker: &Worker,
    host: &dyn Host,
    receiving: &mut Receiving,
) -> Result<Verdict, Refusal> {
    let pairs = std::mem::take(&mut receiving.headers);
    let headers = RequestHeaders::from_pairs(pairs.iter())
        .map_err(|error| Refusal::rejected(&error, None))?;
    let verdict = match receiving.verb {
        Verb::Post => judge_message(host, receiving, &headers)?,
        Verb::Get | Verb::Delete => judge_bodiless(receiving, &headers)?,
    };
    let slot = worker
        .reserve()
        .ok_or_else(|| Refusal::audit_full(verdict.id.as_ref()))?;
    receiving.draft.pass(slot);
    Ok(verdict)
}

fn judge_message(
    host: &dyn Host,
    receiving: &mut Receiving,
    headers: &RequestHeaders<'_>,
) -> Result<Verdict, Refusal> {
    let Receiving {
        endpoint,
        principal,
        size,
        draft,
        ..
    } = receiving;
    let server = &endpoint.server;
    let body = if *size == 0 {
        Vec::new()
    } else {
        host.body(Direction::Request, *size)?
    };
    if body.len() != *size {
        return Err(HostError::Malformed {
            call: "get_buffer_bytes",
        }
        .into());
    }
    let message = gatehold_mcp::parse(&body, &mcp_limits(endpoint))
        .map_err(|error| Refusal::rejected(&error, None))?;
    let id = match &message {
        Message::Request(request) => Some(&request.id),
        Message::Notification(_) | Message::Response(_) => None,
    };
    let trace = trace_id(headers.traceparent, message.params());
    draft.message(message.method().unwrap_or_default(), id, trace);
    let protocol = protocol(headers, &message).map_err(|error| Refusal::rejected(&error, id))?;
    draft.era(protocol.era);
    let answer = match &message {
        Message::Request(request) => decide(server, principal, request, protocol.era, draft)?,
        Message::Notification(_) | Message::Response(_) => {
            draft.permitted(&server.version);
            Answer::Plain
        }
    };
    Ok(Verdict {
        era: protocol.era,
        id: id.cloned(),
        answer,
    })
}

/// The stream of the server's own messages, and the end of a session: both need the token only.
fn judge_bodiless(
    receiving: &mut Receiving,
    headers: &RequestHeaders<'_>,
) -> Result<Verdict, Refusal> {
    let Receiving {
        endpoint,
        verb,
        size,
        draft,
        ..
    } = receiving;
    if *size > 0 {
        return Err(Refusal::unexpected_body());
    }
    let (method, answer) = match verb {
        Verb::Get => ("GET", Answer::Subscription),
        Verb::Delete | Verb::Post => ("DELETE", Answer::Plain),
    };
    draft.message(method, None, trace_id(headers.traceparent, None));
    let protocol = protocol_of_headers(headers).map_err(|error| Refusal::rejected(&error, None))?;
    draft.era(protocol.era);
    draft.permitted(&endpoint.server.version);
    Ok(Verdict {
        era: protocol.era,
        id: None,
        answer,
    })
}
