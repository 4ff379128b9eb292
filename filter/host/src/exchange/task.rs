//! Tasks: whose they are. Their ids are sealed as those of sessions are.

use gatehold_identity::Bound;
use gatehold_mcp::{Era, RequestHeaders, header_value, tasks};

use crate::caller::Caller;
use crate::config::HoldHeaders;
use crate::host::{Direction, Host, HostError};
use crate::server::Server;
use crate::worker::Worker;

/// Opens the task that `Mcp-Name` repeats, while the headers are here for certain (Tasks extension, "Routing
/// Headers"). Refuses nothing: the header must be what the body has, and that is opened or refused.
///
/// # Errors
/// The host's.
pub(super) fn open_name(
    host: &dyn Host,
    server: &Server,
    caller: &Caller,
    headers: &RequestHeaders<'_>,
    era: Era,
) -> Result<(), HostError> {
    let is_task = headers
        .method
        .is_some_and(|method| method.starts_with(b"tasks/"));
    if !is_task || era == Era::Legacy || server.shadow {
        return Ok(());
    }
    let Ok(Some(sealed)) = headers.decoded_name() else {
        return Ok(());
    };
    let binding = &server.binding;
    match binding.open(Bound::Task, &caller.identity, &sealed) {
        Some(task) => host.set_header(Direction::Request, "mcp-name", &header_value(task)),
        None => Ok(()),
    }
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
