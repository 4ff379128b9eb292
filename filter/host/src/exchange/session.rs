//! Sessions (up to 2025-11-25): whose they are.
//!
//! A session is no identity. What a client gets as `Mcp-Session-Id` is the server's own, sealed for this
//! caller; what comes back is opened, and the server sees what it gave out.

use gatehold_identity::Bound;
use gatehold_mcp::sse::Event;
use gatehold_mcp::{Era, RequestHeaders};

use crate::caller::Caller;
use crate::exchange::allowed::Allowed;
use crate::exchange::reply::Refusal;
use crate::host::{Direction, HeaderPairs, Host, HostError};
use crate::server::Server;

pub(super) const HEADER: &str = "mcp-session-id";
pub(super) const LAST_EVENT_ID: &str = "last-event-id";

/// Whether a request belongs to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Session {
    /// To none.
    None,
    /// To one of the caller's.
    Bound,
}

/// Opens the session id of a request, so that the upstream gets its own.
///
/// # Errors
/// 404 when it is not the caller's: the client begins a new one then (2025-11-25, "Session Management").
pub(super) fn open(
    host: &dyn Host,
    server: &Server,
    caller: &Caller,
    headers: &RequestHeaders<'_>,
    era: Era,
) -> Result<Session, Refusal> {
    let Some(sealed) = headers.session_id else {
        return Ok(Session::None);
    };
    if era == Era::Modern {
        // There are no sessions; a server of both eras must not find one.
        host.remove_header(Direction::Request, HEADER)?;
        return Ok(Session::None);
    }
    let opened = std::str::from_utf8(sealed)
        .ok()
        .and_then(|sealed| caller.open_session(server, sealed));
    let id = match opened {
        Some(id) => id,
        // Not sealed, as all that are given out in shadow mode.
        None if server.shadow => return Ok(Session::Bound),
        None => return Err(Refusal::session()),
    };
    host.set_header(Direction::Request, HEADER, id)?;
    Ok(Session::Bound)
}

/// Opens the id of the event after which a stream is to go on. A session does not stand for it: many a
/// server keeps the events of all sessions in one place, and looks at the id alone.
///
/// # Errors
/// When it is not one that the caller has got.
pub(super) fn open_event(
    host: &dyn Host,
    server: &Server,
    caller: &Caller,
    headers: &RequestHeaders<'_>,
) -> Result<(), Refusal> {
    let Some(sealed) = headers.last_event_id else {
        return Ok(());
    };
    let opened = std::str::from_utf8(sealed).ok().and_then(|sealed| {
        let binding = &server.binding;
        binding.open(Bound::Event, &caller.identity, sealed)
    });
    match opened {
        Some(id) => Ok(host.set_header(Direction::Request, LAST_EVENT_ID, id)?),
        None if server.shadow => Ok(()),
        None => Err(Refusal::event()),
    }
}

/// Seals the session id of an answer.
///
/// # Errors
/// The host's. An id that nobody could send back is taken away.
pub(super) fn seal(
    host: &dyn Host,
    server: &Server,
    caller: &Caller,
    era: Era,
    headers: &HeaderPairs,
) -> Result<(), HostError> {
    if headers.values(HEADER).next().is_none() {
        return Ok(());
    }
    let id = headers
        .single(HEADER)
        .filter(|id| era == Era::Legacy && !id.is_empty() && id.iter().all(u8::is_ascii_graphic))
        .and_then(|id| std::str::from_utf8(id).ok());
    match id {
        Some(id) => {
            let sealed = server.binding.seal(Bound::Session, &caller.identity, id);
            host.set_header(Direction::Response, HEADER, &sealed)
        }
        None => host.remove_header(Direction::Response, HEADER),
    }
}

impl Allowed {
    /// An event with its id as this caller may have it.
    pub(super) fn seal_id(&self, event: Event) -> Event {
        if self.era() == Era::Modern {
            // Streams are not resumed there.
            return event;
        }
        let make = || {
            let binding = &self.endpoint.server.binding;
            binding.sealer(Bound::Event, &self.caller.identity)
        };
        event.with_ids(&mut |id| self.events.get_or_init(make).seal(id))
    }
}
