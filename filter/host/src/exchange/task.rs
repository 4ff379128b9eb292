//! Tasks: whose they are. Their ids are sealed as those of sessions are.

use gatehold_identity::Bound;
use gatehold_mcp::{Era, RequestHeaders, header_value, tasks};

use crate::config::HoldHeaders;
use crate::exchange::caller::Caller;
use crate::exchange::reply::Refusal;
use crate::host::{Direction, Host, HostError};
use crate::server::Server;
use crate::worker::Worker;

/// Opens the task that `Mcp-Name` repeats, while the headers are here for certain. The body decides about
/// it later, and must have the same (Tasks extension, "Routing Headers").
///
/// # Errors
/// When it is none of the caller's.
pub(super) fn open_name(
    host: &dyn Host,
    server: &Server,
    caller: &Caller,
    headers: &RequestHeaders<'_>,
    era: Era,
) -> Result<(), Refusal> {
    let is_task = headers
        .method
        .is_some_and(|method| method.starts_with(b"tasks/"));
    if !is_task || era == Era::Legacy {
        return Ok(());
    }
    let name = headers
        .decoded_name()
        .map_err(|error| Refusal::rejected(&error, None))?;
    let Some(sealed) = name else { return Ok(()) };
    let task = server
        .binding
        .open(Bound::Task, &caller.identity, &sealed)
        .ok_or_else(|| Refusal::unknown_task(None))?;
    host.set_header(Direction::Request, "mcp-name", &header_value(task))?;
    Ok(())
}

/// A message of the client with its tasks' ids as the server knows them; nothing when it names none.
///
/// # Errors
/// A task that is none of the caller's.
pub(super) fn open(
    server: &Server,
    caller: &Caller,
    message: &[u8],
) -> Result<Option<Vec<u8>>, tasks::Unknown> {
    let mut open = |sealed: &str| {
        let task = server.binding.open(Bound::Task, &caller.identity, sealed)?;
        Some(task.to_owned())
    };
    tasks::open(message, &mut open)
}

/// Sends another body than came.
///
/// # Errors
/// The host's.
pub(super) fn replace(
    worker: &Worker,
    host: &dyn Host,
    size: usize,
    new: &[u8],
) -> Result<(), HostError> {
    host.replace_body(Direction::Request, size, new)?;
    match worker.config.hold_headers {
        HoldHeaders::Hold => {
            let length = new.len().to_string();
            host.set_header(Direction::Request, "content-length", &length)
        }
        HoldHeaders::GoAhead => Ok(()),
    }
}
