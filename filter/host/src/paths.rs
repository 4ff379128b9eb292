//! Hosts and paths of requests, as far as matching them to servers goes.

/// Escapes of escapes beyond this count as an attempt to hide something.
const MAX_ESCAPES: usize = 3;

/// The path of a request's `:path`, without its query; nothing when it is not text.
pub fn path(target: &[u8]) -> Option<&str> {
    let target = std::str::from_utf8(target).ok()?;
    target.split(['?', '#']).next()
}

/// The host of an `:authority`, in lower case and without its port.
pub fn host(authority: &[u8]) -> Option<String> {
    let authority = std::str::from_utf8(authority).ok()?;
    let host = match authority.rfind(']') {
        // An IPv6 address keeps its brackets; what follows can only be a port.
        Some(end) => authority.get(..=end)?,
        None => authority.split(':').next()?,
    };
    Some(host.trim_end_matches('.').to_ascii_lowercase())
}

/// What a lenient upstream might take a path for: escapes decoded, case folded, parameters, empty and
/// dot segments removed.
///
/// Two paths with the same canonical form are treated as one server's when strictness matters: what
/// looks like a governed path without being one never passes unjudged. Nothing when escapes are nested
/// deeper than any server would undo them.
pub fn canonical(path: &str) -> Option<String> {
    let bytes = unescaped(path)?;
    let text = String::from_utf8_lossy(&bytes).to_lowercase();
    let mut segments: Vec<&str> = Vec::new();
    for segment in text.split(['/', '\\']) {
        let segment = segment
            .split([';', '?', '#', '\0'])
            .next()
            .unwrap_or_default()
            .trim();
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    let mut canonical = String::with_capacity(text.len() + 1);
    for segment in segments {
        canonical.push('/');
        canonical.push_str(segment);
    }
    Some(canonical)
}

/// A text without its escapes, nested ones included. Nothing when they are nested too deep.
pub(crate) fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=MAX_ESCAPES {
        let decoded = decode(&bytes);
        if decoded.len() == bytes.len() {
            return Some(bytes);
        }
        bytes = decoded;
    }
    None
}

fn decode(bytes: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, tail)) = rest.split_first() {
        let escape = match tail {
            [high, low, ..] if *first == b'%' => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match escape {
            Some((high, low)) => {
                decoded.push((high << 4) | low);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                decoded.push(*first);
                rest = tail;
            }
        }
    }
    decoded
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hosts() {
        for (authority, expected) in [
            ("gw.example.com", "gw.example.com"),
            ("GW.example.com:8443", "gw.example.com"),
            ("gw.example.com.", "gw.example.com"),
            ("[::1]:80", "[::1]"),
            ("[::1]", "[::1]"),
            ("", ""),
        ] {
            assert_eq!(
                host(authority.as_bytes()).as_deref(),
                Some(expected),
                "{authority}"
            );
        }
        assert_eq!(host(b"\xff"), None);
    }

    #[test]
    fn lookalikes_share_a_form() {
        for path in [
            "/crm/mcp",
            "/crm/mcp/",
            "//crm//mcp",
            "/crm/./mcp",
            "/x/../crm/mcp",
            "/crm/%6dcp",
            "/crm/%256dcp",
            "/CRM/mcp",
            "/crm/mcp;v=1",
            "\\crm\\mcp",
            "/crm%2fmcp",
            "/crm/mcp%00",
            "/crm/mcp%20",
            "/../crm/mcp",
        ] {
            assert_eq!(canonical(path).as_deref(), Some("/crm/mcp"), "{path}");
        }
        for path in ["/crm/mcpx", "/crm", "/mcp", "/"] {
            assert_ne!(canonical(path).as_deref(), Some("/crm/mcp"), "{path}");
        }
        assert_eq!(canonical("/%25252525256d"), None);
    }

    #[test]
    fn queries_are_cut() {
        assert_eq!(path(b"/crm/mcp?x=/other"), Some("/crm/mcp"));
        assert_eq!(path(b"/crm/mcp#x"), Some("/crm/mcp"));
        assert_eq!(path(b"/\xff"), None);
    }

    proptest! {
        #[test]
        fn canonical_is_stable(path in "[/a-c%2fF.;\\\\]{0,40}") {
            if let Some(once) = canonical(&path) {
                prop_assert_eq!(canonical(&once), Some(once));
            }
        }
    }
}
