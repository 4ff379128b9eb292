//! Which version a request speaks, and whether headers and body tell the same.

use crate::header_value::{decoded, visible};
use crate::headers::{HeaderError, RequestHeaders};
use crate::json::excerpt;
use crate::message::{META_CAPABILITIES, META_VERSION, Message};
use crate::version::{Era, Protocol, Version};
use serde_json::{Map, Value};

const VERSION_MISMATCH: HeaderError = HeaderError::Mismatch {
    header: "mcp-protocol-version",
    field: "`params._meta[\"io.modelcontextprotocol/protocolVersion\"]`",
};

/// The protocol of a POST. Refuses whatever headers and body do not agree about, on both eras, and on the
/// modern one also what is required and absent (2026-07-28, streamable HTTP, "Request metadata").
pub fn protocol(headers: &RequestHeaders<'_>, message: &Message) -> Result<Protocol, HeaderError> {
    let stated = headers.protocol_version.map(version_header).transpose()?;
    let version = match (stated, meta_version(message)?) {
        (Some(header), Some(body)) if header != body => {
            return Err(VERSION_MISMATCH);
        }
        // Only a modern request names its version in the body.
        (Some(header), Some(_)) => known(header, &Version::MODERN)?,
        (Some(header), None) => supported(header)?,
        (None, Some(body)) => {
            // A version nobody knows is the better news than the absent header.
            known(body, &Version::MODERN)?;
            return Err(HeaderError::Missing("mcp-protocol-version"));
        }
        (None, None) => Version::V2025_03_26,
    };
    let protocol = Protocol::from(version);
    if protocol.era == Era::Modern {
        modern_body(message)?;
    }
    method_header(headers, message, protocol.era)?;
    name_header(headers, message, protocol.era)?;
    Ok(protocol)
}

/// The protocol of a POST with a batch: always 2025-03-26. Refuses what says or shows that it is of another
/// version, and the headers that mirror one message.
pub fn protocol_of_batch(
    headers: &RequestHeaders<'_>,
    batch: &[Message],
) -> Result<Protocol, HeaderError> {
    let only = Version::V2025_03_26;
    let stated = headers.protocol_version.map(version_header).transpose()?;
    if let Some(header) = stated
        && supported(header)? != only
    {
        return Err(HeaderError::BatchNotAllowed);
    }
    for message in batch {
        match (meta_version(message)?, stated) {
            (None, _) => {}
            (Some(body), _) if body == only.as_str() => {}
            (Some(_), Some(_)) => return Err(VERSION_MISMATCH),
            (Some(body), None) => {
                supported(body)?;
                return Err(HeaderError::BatchNotAllowed);
            }
        }
    }
    let mirrors = [
        ("mcp-method", headers.method.is_some()),
        ("mcp-name", headers.name.is_some()),
    ];
    match mirrors.into_iter().find(|(_, present)| *present) {
        Some((header, _)) => Err(HeaderError::Mismatch {
            header,
            field: "one message, and this body has several",
        }),
        None => Ok(only.into()),
    }
}

/// The protocol of a request without body (GET, DELETE).
pub fn protocol_of_headers(headers: &RequestHeaders<'_>) -> Result<Protocol, HeaderError> {
    match headers.protocol_version {
        None => Ok(Version::V2025_03_26.into()),
        Some(value) => Ok(supported(version_header(value)?)?.into()),
    }
}

fn version_header(value: &[u8]) -> Result<&str, HeaderError> {
    visible("mcp-protocol-version", value)
}

fn supported(version: &str) -> Result<Version, HeaderError> {
    known(version, &Version::ALL)
}

/// The version, or the refusal that offers those that may be asked for instead.
fn known(version: &str, offered: &'static [Version]) -> Result<Version, HeaderError> {
    Version::parse(version).ok_or_else(|| HeaderError::UnsupportedVersion {
        requested: excerpt(version),
        supported: offered,
    })
}

fn meta_version(message: &Message) -> Result<Option<&str>, HeaderError> {
    match meta(message).and_then(|meta| meta.get(META_VERSION)) {
        None => Ok(None),
        Some(Value::String(version)) => Ok(Some(version)),
        Some(_) => Err(HeaderError::MissingMeta(
            "a string as `io.modelcontextprotocol/protocolVersion`",
        )),
    }
}

fn meta(message: &Message) -> Option<&Map<String, Value>> {
    message.params()?.get("_meta")?.as_object()
}

fn modern_body(message: &Message) -> Result<(), HeaderError> {
    match message {
        Message::Response(_) => Err(HeaderError::ResponseNotAllowed),
        Message::Notification(_) => Ok(()),
        Message::Request(_) => {
            let meta = meta(message);
            if meta.is_none_or(|meta| !meta.contains_key(META_VERSION)) {
                return Err(HeaderError::MissingMeta(
                    "`io.modelcontextprotocol/protocolVersion`",
                ));
            }
            let capabilities = meta.and_then(|meta| meta.get(META_CAPABILITIES));
            if !capabilities.is_some_and(Value::is_object) {
                return Err(HeaderError::MissingMeta(
                    "the object `io.modelcontextprotocol/clientCapabilities`",
                ));
            }
            Ok(())
        }
    }
}

fn method_header(
    headers: &RequestHeaders<'_>,
    message: &Message,
    era: Era,
) -> Result<(), HeaderError> {
    match headers.method {
        Some(value) => {
            let value = visible("mcp-method", value)?;
            if message.method() != Some(value) {
                return Err(HeaderError::Mismatch {
                    header: "mcp-method",
                    field: "`method`",
                });
            }
            Ok(())
        }
        None if era == Era::Modern && matches!(message, Message::Request(_)) => {
            Err(HeaderError::Missing("mcp-method"))
        }
        None => Ok(()),
    }
}

fn name_header(
    headers: &RequestHeaders<'_>,
    message: &Message,
    era: Era,
) -> Result<(), HeaderError> {
    let field = match message.method() {
        Some("tools/call" | "prompts/get") => "name",
        Some("resources/read") => "uri",
        Some("tasks/get" | "tasks/update" | "tasks/cancel") => "taskId",
        // Nothing to mirror: servers ignore it.
        _ => return Ok(()),
    };
    let body = message.params().and_then(|params| params.get(field));
    match (headers.name, body) {
        (Some(value), body) => {
            if body.and_then(Value::as_str) != Some(decoded("mcp-name", value)?.as_ref()) {
                let field = match field {
                    "name" => "`params.name`",
                    "uri" => "`params.uri`",
                    _ => "`params.taskId`",
                };
                return Err(HeaderError::Mismatch {
                    header: "mcp-name",
                    field,
                });
            }
            Ok(())
        }
        (None, Some(_)) if era == Era::Modern => Err(HeaderError::Missing("mcp-name")),
        // Without the parameter it is the parameters that are wrong.
        (None, _) => Ok(()),
    }
}
