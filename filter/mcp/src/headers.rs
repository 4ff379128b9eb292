//! The headers that matter, read once from the raw pairs.

use crate::header_value::decoded;
use crate::json::excerpt;
use crate::rejection::Rejection;
use crate::reply::code;
use crate::version::Version;
use serde_json::{Value, json};
use std::borrow::Cow;

/// What the headers of one HTTP request say, blanks around the values removed. Each deciding header is there
/// at most once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestHeaders<'a> {
    /// `:method`, for example `POST`.
    pub verb: Option<&'a [u8]>,
    /// `:path`, with the query.
    pub path: Option<&'a [u8]>,
    /// `:authority`, or `host`.
    pub authority: Option<&'a [u8]>,
    /// `authorization`.
    pub authorization: Option<&'a [u8]>,
    /// `origin`.
    pub origin: Option<&'a [u8]>,
    /// `content-type`.
    pub content_type: Option<&'a [u8]>,
    /// `content-encoding`.
    pub content_encoding: Option<&'a [u8]>,
    /// `mcp-protocol-version`.
    pub protocol_version: Option<&'a [u8]>,
    /// `mcp-method`.
    pub method: Option<&'a [u8]>,
    /// `mcp-name`, still encoded.
    pub name: Option<&'a [u8]>,
    /// `mcp-session-id`.
    pub session_id: Option<&'a [u8]>,
    /// `last-event-id`.
    pub last_event_id: Option<&'a [u8]>,
    /// `traceparent`; none when it is repeated, since it decides nothing.
    pub traceparent: Option<&'a [u8]>,
}

/// What is wrong with the headers, alone or compared with the body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// A header that decides something came more than once.
    #[error("the header `{0}` appears more than once; send it once")]
    Repeated(Cow<'static, str>),
    /// The name of a deciding header with underscores, which CGI and WSGI servers take for hyphens.
    #[error("the header `{0}` is spelled with underscores; spell it with hyphens")]
    Underscored(&'static str),
    /// More headers that mirror arguments than are looked at.
    #[error("more than {0} headers start with `mcp-param-`; send fewer")]
    TooManyParams(usize),
    /// A required header is absent.
    #[error("the header `{0}` is required; send it with the value from the body")]
    Missing(&'static str),
    /// Header and body disagree.
    #[error("the header `{header}` does not match the body; it must equal {field}")]
    Mismatch {
        /// Which header.
        header: &'static str,
        /// What it mirrors.
        field: &'static str,
    },
    /// Not visible ASCII, badly encoded, or too long.
    #[error("the header `{0}` has a value that cannot be read: {1}")]
    Unreadable(Cow<'static, str>, &'static str),
    /// A version this gateway cannot judge.
    #[error(
        "protocol version `{requested}` is not supported; use one of the versions in `data.supported`"
    )]
    UnsupportedVersion {
        /// What was asked for, cut.
        requested: String,
        /// The versions that may be asked for in this way.
        supported: &'static [Version],
    },
    /// A modern request without its metadata.
    #[error("`params._meta` lacks {0}, which every request of this protocol version carries")]
    MissingMeta(&'static str),
    /// Modern clients do not answer servers.
    #[error("this protocol version has no responses from clients; send requests only")]
    ResponseNotAllowed,
    /// A batch under another version than 2025-03-26.
    #[error(
        "batches exist only in protocol version 2025-03-26; send each message in its own request"
    )]
    BatchNotAllowed,
    /// The body is not JSON in UTF-8, by its headers.
    #[error("the body must be `application/json` in UTF-8 without content encoding, not {0}")]
    Media(&'static str),
}

impl Rejection for HeaderError {
    fn status(&self) -> u16 {
        match self {
            Self::Media(_) => 415,
            _ => 400,
        }
    }

    fn code(&self) -> i64 {
        match self {
            Self::Repeated(name) if !name.starts_with("mcp-") => code::INVALID_REQUEST,
            Self::Underscored(name) if !name.starts_with("mcp-") => code::INVALID_REQUEST,
            Self::Repeated(_)
            | Self::Underscored(_)
            | Self::TooManyParams(_)
            | Self::Missing(_)
            | Self::Mismatch { .. }
            | Self::Unreadable(..) => code::HEADER_MISMATCH,
            Self::UnsupportedVersion { .. } => code::UNSUPPORTED_PROTOCOL_VERSION,
            Self::MissingMeta(_) => code::INVALID_PARAMS,
            Self::ResponseNotAllowed | Self::BatchNotAllowed | Self::Media(_) => {
                code::INVALID_REQUEST
            }
        }
    }

    fn data(&self) -> Option<Value> {
        match self {
            Self::UnsupportedVersion {
                requested,
                supported,
            } => Some(json!({
                "supported": supported.iter().map(|version| version.as_str()).collect::<Vec<_>>(),
                "requested": requested,
            })),
            _ => None,
        }
    }
}

impl<'a> RequestHeaders<'a> {
    /// Reads the pairs of a request, names in any case. A header that decides something and comes twice is
    /// an error, because Envoy, this filter and the server might each take another one; so is one of its names
    /// with underscores.
    ///
    /// Of the headers that mirror arguments (`mcp-param-…`), which only the server can compare with the body,
    /// each must be there once and readable.
    pub fn from_pairs(
        pairs: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
    ) -> Result<Self, HeaderError> {
        let mut headers = Self::default();
        let mut traces = 0_u32;
        let mut params: Vec<&[u8]> = Vec::new();
        for (name, value) in pairs {
            let value = trim(value);
            if is_param(name) {
                param(name, value, &mut params)?;
                continue;
            }
            let Some(known) = known(name)? else { continue };
            if known == "traceparent" {
                traces = traces.saturating_add(1);
                headers.traceparent = (traces == 1).then_some(value);
            } else if let Some(slot) = headers.slot(known)
                && let Some(earlier) = slot.replace(value)
                // HTTP/2 allows `host` beside `:authority`, as long as they agree.
                && (known != ":authority" || earlier != value)
            {
                return Err(HeaderError::Repeated(known.into()));
            }
        }
        Ok(headers)
    }

    /// Refuses a POST whose body a server could decode otherwise than this crate does: by a charset (some
    /// servers honor `utf-7`) or a content encoding.
    pub fn check_post(&self) -> Result<(), HeaderError> {
        match self.content_encoding {
            None => {}
            Some(encoding) if encoding.eq_ignore_ascii_case(b"identity") => {}
            Some(_) => return Err(HeaderError::Media("an encoded one")),
        }
        let Some(value) = self.content_type else {
            return Err(HeaderError::Media("one without `content-type`"));
        };
        let mut parts = value.split(|&byte| byte == b';').map(trim);
        if !parts
            .next()
            .is_some_and(|media| media.eq_ignore_ascii_case(b"application/json"))
        {
            return Err(HeaderError::Media("another media type"));
        }
        let mut utf8 = false;
        for parameter in parts.filter(|parameter| !parameter.is_empty()) {
            let known = [&b"charset=utf-8"[..], b"charset=\"utf-8\"", b"charset=utf8"];
            if !known
                .iter()
                .any(|known| parameter.eq_ignore_ascii_case(known))
                || utf8
            {
                return Err(HeaderError::Media("one with other parameters"));
            }
            utf8 = true;
        }
        Ok(())
    }

    /// What `mcp-name` says, its encoding undone.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn decoded_name(&self) -> Result<Option<Cow<'a, str>>, HeaderError> {
        self.name.map(|name| decoded("mcp-name", name)).transpose()
    }

    fn slot(&mut self, name: &str) -> Option<&mut Option<&'a [u8]>> {
        Some(match name {
            ":method" => &mut self.verb,
            ":path" => &mut self.path,
            ":authority" => &mut self.authority,
            "authorization" => &mut self.authorization,
            "origin" => &mut self.origin,
            "content-type" => &mut self.content_type,
            "content-encoding" => &mut self.content_encoding,
            "mcp-protocol-version" => &mut self.protocol_version,
            "mcp-method" => &mut self.method,
            "mcp-name" => &mut self.name,
            "mcp-session-id" => &mut self.session_id,
            "last-event-id" => &mut self.last_event_id,
            _ => return None,
        })
    }
}

const KNOWN: [&str; 14] = [
    ":method",
    ":path",
    ":authority",
    "host",
    "authorization",
    "origin",
    "content-type",
    "content-encoding",
    "mcp-protocol-version",
    "mcp-method",
    "mcp-name",
    "mcp-session-id",
    "last-event-id",
    "traceparent",
];

/// The name as this module spells it, if it is one of [`KNOWN`].
fn known(name: &[u8]) -> Result<Option<&'static str>, HeaderError> {
    let Some(known) = KNOWN
        .into_iter()
        .find(|known| same_header(name, known.as_bytes()))
    else {
        return Ok(None);
    };
    match known {
        _ if name.contains(&b'_') => Err(HeaderError::Underscored(known)),
        "host" => Ok(Some(":authority")),
        known => Ok(Some(known)),
    }
}

/// Whether a server may take both for the same header name: CGI has neither case nor hyphens.
#[must_use]
pub fn same_header(left: &[u8], right: &[u8]) -> bool {
    let fold = |byte: &u8| match byte {
        b'_' => b'-',
        other => other.to_ascii_lowercase(),
    };
    left.len() == right.len() && (left == right || left.iter().map(fold).eq(right.iter().map(fold)))
}

/// Start of the names of headers that mirror arguments.
const PARAM: &[u8] = b"mcp-param-";

/// Most of them that are looked at.
const MAX_PARAMS: usize = 64;

fn is_param(name: &[u8]) -> bool {
    name.get(..PARAM.len())
        .is_some_and(|start| same_header(start, PARAM))
}

fn param<'a>(name: &'a [u8], value: &[u8], seen: &mut Vec<&'a [u8]>) -> Result<(), HeaderError> {
    if seen.len() == MAX_PARAMS {
        return Err(HeaderError::TooManyParams(MAX_PARAMS));
    }
    let rest = String::from_utf8_lossy(name.get(PARAM.len()..).unwrap_or_default());
    let shown = format!("mcp-param-{}", excerpt(&rest));
    if seen.iter().any(|earlier| same_header(earlier, name)) {
        return Err(HeaderError::Repeated(shown.into()));
    }
    seen.push(name);
    decoded(&shown, value).map(drop)
}

/// Without optional whitespace around it (RFC 9110, 5.5).
pub(crate) fn trim(value: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = value
        .iter()
        .position(|byte| !blank(byte))
        .unwrap_or(value.len());
    let end = value
        .iter()
        .rposition(|byte| !blank(byte))
        .map_or(start, |last| last + 1);
    value.get(start..end).unwrap_or_default()
}
