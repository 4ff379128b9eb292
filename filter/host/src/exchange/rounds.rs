//! Multi-round requests (2026-07-28): what a client carries from one round to the next is sealed for it, be it the
//! upstream's or our own.

use gatehold_identity::Identity;
use gatehold_mcp::list::ListError;
use gatehold_mcp::reply::code;
use gatehold_mcp::rounds::{ServerState, state_of_answer, with_state};
use gatehold_mcp::{Id, Notification, Request, RequestHeaders, Value};
use gatehold_wire::hold::{Cancel, from_filter};

use crate::caller::Caller;
use crate::exchange::ask::IN_ROUNDS;
use crate::exchange::reply::Refusal;
use crate::exchange::run::Run;
use crate::hex::hex;
use crate::hold::{RoundState, call_digest};
use crate::metrics::Refused;
use crate::server::Server;
use crate::worker::Worker;

/// Seconds for which a client may carry on with a request in which the upstream asks for input.
const STATE_SECONDS: u64 = 86_400;

/// A request that may take several rounds.
#[derive(Debug)]
pub(super) struct Rounds {
    method: String,
    target: String,
    expires: u64,
}

impl Rounds {
    /// Of a request that may; `now` in seconds.
    pub(super) fn of(request: &Request, now: u64) -> Option<Box<Self>> {
        let target = target(request)?;
        Some(Box::new(Self {
            method: request.method.clone(),
            target: target.to_owned(),
            expires: now.saturating_add(STATE_SECONDS),
        }))
    }

    /// An answer that asks for input, with its state sealed; `None` for any other.
    ///
    /// # Errors
    /// An answer whose state could be read in two ways.
    pub(super) fn seal(
        &self,
        server: &Server,
        caller: &Caller,
        run: Option<&Run>,
        message: &[u8],
    ) -> Result<Option<Vec<u8>>, ListError> {
        let upstream = match state_of_answer(message)? {
            ServerState::NotAsked => return Ok(None),
            ServerState::None => None,
            ServerState::Some(state) => Some(state),
        };
        let hold = run.and_then(Run::next_round);
        if upstream.is_none() && hold.is_none() {
            return Ok(None);
        }
        let state = RoundState {
            method: self.method.clone(),
            target: self.target.clone(),
            expires: self.expires,
            upstream,
            hold,
        };
        let sealed = state.seal(&server.binding, &caller.identity);
        with_state(message, &sealed).map(Some)
    }
}

/// What the client carried over from the round before; `None` in the first one.
///
/// # Errors
/// A state that was not given to this caller for this method and target, or too long ago.
pub(super) fn open(
    server: &Server,
    caller: &Caller,
    request: &Request,
    now: u64,
) -> Result<Option<RoundState>, Refusal> {
    let state = request
        .params
        .as_ref()
        .and_then(|it| it.get("requestState"));
    let (Some(state), Some(target)) = (state, target(request)) else {
        return Ok(None);
    };
    let opened = state
        .as_str()
        .and_then(|sealed| RoundState::open(&server.binding, &caller.identity, sealed))
        .filter(|open| {
            open.method == request.method && open.target == target && now < open.expires
        });
    match opened {
        Some(state) => Ok(Some(state)),
        None => Err(foreign(&request.id)),
    }
}

/// The answer to a state that does not belong to its request.
pub(super) fn foreign(id: &Id) -> Refusal {
    let reason = "`requestState` was not given to this caller for this call, or has expired; make the call without it";
    let mut refusal = Refusal::unknown_task(Some(id));
    reason.clone_into(&mut refusal.reason);
    refusal.reply.body =
        gatehold_mcp::reply::error_body(Some(id), code::INVALID_PARAMS, reason, None);
    refusal.class = Refused::Unbound;
    refusal
}

/// Tells control that a client cancels a request that may be waiting, in whichever worker.
pub(super) fn cancel(
    worker: &Worker,
    server: &Server,
    caller: &Caller,
    headers: &RequestHeaders<'_>,
    notification: &Notification,
) {
    let id = notification
        .params
        .as_ref()
        .and_then(|it| it.get("requestId"));
    let id = id.cloned().and_then(Id::from_value);
    if let (true, Some(id), Some(session)) = (server.approves, id, headers.session_id) {
        let cancel_key = cancel_key(&caller.identity, server, session, &id);
        let cancel = from_filter::Message::Cancel(Cancel { cancel_key });
        worker.holds.borrow_mut().notice(cancel);
    }
}

/// What a request within a session is cancelled by.
pub(super) fn cancel_key(caller: &Identity, server: &Server, session: &[u8], id: &Id) -> String {
    let id = match id {
        Id::Integer(number) => number.to_string(),
        Id::String(text) => Value::from(text.as_str()).to_string(),
    };
    let parts = [server.name.as_bytes(), session, id.as_bytes()];
    hex(&call_digest(caller, parts))
}

fn target(request: &Request) -> Option<&str> {
    if !IN_ROUNDS.contains(&request.method.as_str()) {
        return None;
    }
    let params = request.params.as_ref()?;
    let key = if request.method == "resources/read" {
        "uri"
    } else {
        "name"
    };
    params.get(key)?.as_str()
}
