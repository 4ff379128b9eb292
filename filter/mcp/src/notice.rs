//! Notifications, in both directions.

use crate::list::ListError;
use crate::message::is_batch;
use crate::raw::{members, present, text};
use crate::version::Era;

/// What a client's notification is to policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Belongs to the protocol itself and asks for nothing: no rule of its own.
    Lifecycle,
    /// Anything else: judged by its method.
    Other,
}

/// What a client's notification is. The core of 2026-07-28 has none over HTTP: there a request is canceled by
/// closing its stream.
#[must_use]
pub fn notice(method: &str, era: Era) -> Notice {
    match (era, method) {
        (
            Era::Legacy,
            "notifications/initialized"
            | "notifications/cancelled"
            | "notifications/progress"
            | "notifications/roots/list_changed",
        ) => Notice::Lifecycle,
        _ => Notice::Other,
    }
}

/// The resource that one message of a server tells to have changed: `params.uri` of
/// `notifications/resources/updated`, `None` for any other message.
///
/// # Errors
///
/// A batch, what is no unambiguous object, and such a notification without a readable `uri`: its reader might
/// find one.
pub fn resource_updated(message: &[u8]) -> Result<Option<String>, ListError> {
    if is_batch(message) {
        return Err(ListError::Batch);
    }
    // Any character may be escaped in a JSON string.
    let plain = memchr::memmem::find(message, b"resources/updated").is_none();
    if plain && memchr::memchr(b'\\', message).is_none() || !message.contains(&b'{') {
        return Ok(None);
    }
    let [method, params] = members(text(message)?, ["method", "params"])?.map(present);
    let method: Option<String> = method.and_then(|method| serde_json::from_str(method.get()).ok());
    if method.as_deref() != Some("notifications/resources/updated") {
        return Ok(None);
    }
    let malformed = || ListError::Malformed("`params.uri` must be a string".to_owned());
    let params = params.ok_or_else(malformed)?;
    let [uri] = members(params.get(), ["uri"])?;
    let uri = uri.ok_or_else(malformed)?;
    serde_json::from_str(uri.get())
        .map(Some)
        .map_err(|_| malformed())
}
