//! What a response says that it is.

use crate::headers::trim;

/// The media type of a response, as far as it is known how every client reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// One JSON text in UTF-8.
    Json,
    /// A stream of server-sent events, always in UTF-8.
    Events,
    /// Plain text in a charset that leaves ASCII as it is.
    Text,
    /// Anything else: also what clients might read differently, such as two types or another charset.
    Other,
}

/// The media of a `content-type` of a response.
///
/// Stock clients look for a media type at the start of the value or anywhere in it, so that a second one, also
/// in a parameter, makes it [`Media::Other`].
#[must_use]
pub fn response_media(content_type: &[u8]) -> Media {
    let mut parts = content_type.split(|&byte| byte == b';').map(trim);
    let is = |part: &[u8], media: &str| part.eq_ignore_ascii_case(media.as_bytes());
    let media = match parts.next() {
        Some(media) if is(media, "application/json") => Media::Json,
        Some(media) if is(media, "text/event-stream") => Media::Events,
        Some(media) if is(media, "text/plain") => Media::Text,
        _ => return Media::Other,
    };
    let mut charsets = 0_u32;
    for parameter in parts {
        if parameter.iter().any(|byte| matches!(byte, b'/' | b',')) {
            return Media::Other;
        }
        // Whatever starts like it is one: `charset*=`, or blanks before the `=`.
        if parameter
            .get(..CHARSET.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(CHARSET))
        {
            charsets = charsets.saturating_add(1);
            if charsets > 1 || !charset_fits(media, parameter) {
                return Media::Other;
            }
        }
    }
    media
}

const CHARSET: &[u8] = b"charset";

fn charset_fits(media: Media, parameter: &[u8]) -> bool {
    let value = match parameter.get(CHARSET.len()..) {
        Some([b'=', b'"', value @ .., b'"'] | [b'=', value @ ..]) => value,
        _ => return false,
    };
    let is = |known: &&str| value.eq_ignore_ascii_case(known.as_bytes());
    ["utf-8", "utf8"].iter().any(is)
        || (media == Media::Text && ["us-ascii", "iso-8859-1"].iter().any(is))
}
