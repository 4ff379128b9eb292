//! URIs of resources, as far as one resource may have several spellings.
//!
//! Policy compares URIs byte by byte, servers do not: `file:///public/../secret`, `file:///%73ecret` and
//! `FILE:////secret` may all be the file that a rule calls `file:///secret`.

use std::borrow::Cow;

use crate::paths;

/// The plain spelling of a URI: escapes undone, scheme and host in lower case, repeated slashes and
/// backslashes as one slash. It is for comparing only, what it names may be something else.
///
/// Nothing when the path has dot segments, which no server needs to have in a name, or when escapes are
/// nested deeper than any server would undo them.
pub fn plain(uri: &str) -> Option<Cow<'_, str>> {
    if is_plain(uri) {
        return Some(Cow::Borrowed(uri));
    }
    let (before, query) = match uri.find(['?', '#']) {
        Some(at) => uri.split_at_checked(at)?,
        None => (uri, ""),
    };
    let before = text(before)?.replace('\\', "/");
    let (scheme, rest) = before.split_once(':').unwrap_or(("", &before));
    let (slashes, rest) = match rest.strip_prefix("//") {
        Some(rest) => ("//", rest),
        None => ("", rest),
    };
    let (authority, path) = match rest.find('/') {
        Some(at) if slashes == "//" => rest.split_at_checked(at)?,
        _ if slashes == "//" => (rest, ""),
        _ => ("", rest),
    };
    // Custom schemes have their first segment where others have a host.
    let segments = || std::iter::once(authority).chain(path.split('/'));
    if segments().any(|segment| matches!(segment, "." | "..")) {
        return None;
    }
    let mut plain = String::with_capacity(uri.len());
    if before.contains(':') {
        plain.push_str(&scheme.to_ascii_lowercase());
        plain.push(':');
    }
    plain.push_str(slashes);
    plain.push_str(&authority.to_ascii_lowercase());
    let mut last = None;
    for c in path.chars() {
        if c != '/' || last != Some('/') {
            plain.push(c);
        }
        last = Some(c);
    }
    plain.push_str(&text(query)?);
    Some(Cow::Owned(plain))
}

/// Whether there is nothing to do; false for some where there is not.
fn is_plain(uri: &str) -> bool {
    let slashes = match uri.split_once("://") {
        Some((scheme, rest)) => scheme.contains('/') || rest.contains("//"),
        None => uri.contains("//"),
    };
    !slashes
        && !uri.contains("/.")
        && !uri.contains(":.")
        && !uri.starts_with('.')
        && !uri
            .bytes()
            .any(|byte| matches!(byte, b'%' | b'\\') || byte.is_ascii_uppercase())
}

fn text(escaped: &str) -> Option<String> {
    let bytes = paths::unescaped(escaped)?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spellings() {
        for (uri, expected) in [
            ("docs://a/b", "docs://a/b"),
            ("file:///secret/x", "file:///secret/x"),
            ("file:///%73ecret/x", "file:///secret/x"),
            ("file:///%2573ecret/x", "file:///secret/x"),
            ("file:///secret%2Fx", "file:///secret/x"),
            ("FILE:////secret//x", "file:///secret/x"),
            ("file:\\\\\\secret\\x", "file:///secret/x"),
            (
                "https://EXAMPLE.com/A?b=C/../d",
                "https://example.com/A?b=C/../d",
            ),
            ("urn:A:b", "urn:A:b"),
            ("x:a/b", "x:a/b"),
            ("x:a//b", "x:a/b"),
            ("a//b", "a/b"),
            ("file:///a/.hidden/..b", "file:///a/.hidden/..b"),
            ("notes://a%20b", "notes://a b"),
            ("x://a%ff", "x://a\u{fffd}"),
            ("db://{table}/{Row}", "db://{table}/{Row}"),
            ("a", "a"),
            ("", ""),
        ] {
            assert_eq!(plain(uri).as_deref(), Some(expected), "{uri}");
        }
    }

    #[test]
    fn dot_segments_have_no_spelling() {
        for uri in [
            "file:///public/../secret",
            "file:///public/..",
            "file:///./secret",
            "file:///public/%2e%2E/secret",
            "file:///public%2f..%2fsecret",
            "file:///public\\..\\secret",
            "file:///public/%252e%252e/secret",
            "notes://../x",
            "notes:../x",
            "../x",
            "x://a%25252525252561",
        ] {
            assert_eq!(plain(uri), None, "{uri}");
        }
    }

    proptest! {
        #[test]
        fn plain_is_stable(uri in "[a-cA-C%2fF./\\\\:?]{0,30}") {
            if let Some(once) = plain(&uri) {
                let twice = plain(&once);
                prop_assert_eq!(twice.as_deref(), Some(once.as_ref()));
            }
        }

        #[test]
        fn plain_never_panics(uri in any::<String>()) {
            let _ = plain(&uri);
        }
    }
}
