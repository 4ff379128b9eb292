//! The `Authorization` header.

use crate::MAX_TOKEN_BYTES;

/// Why an `Authorization` header gives no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum BearerError {
    /// Another scheme, or none.
    #[error("the `Authorization` header does not use the `Bearer` scheme")]
    OtherScheme,
    /// No token, several, or characters that no token has.
    #[error("the `Authorization` header does not hold exactly one bearer token")]
    Malformed,
    /// Longer than [`MAX_TOKEN_BYTES`].
    #[error("the token is longer than 16 KiB")]
    TooLarge,
}

/// The token of an `Authorization` header (`Bearer b64token`, RFC 6750 section 2.1).
///
/// The scheme is case-insensitive, blanks around the value are ignored. A list of credentials, which
/// HTTP would fold with a comma, is refused: which of them counts would be a matter of taste.
pub fn bearer(authorization: &[u8]) -> Result<&str, BearerError> {
    let value = authorization.trim_ascii();
    let Some((scheme, rest)) = value.split_at_checked("bearer".len()) else {
        return Err(BearerError::OtherScheme);
    };
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return Err(BearerError::OtherScheme);
    }
    match rest.first() {
        None => return Err(BearerError::Malformed),
        Some(b' ') => {}
        Some(_) => return Err(BearerError::OtherScheme),
    }
    let token = rest.trim_ascii_start();
    if token.len() > MAX_TOKEN_BYTES {
        return Err(BearerError::TooLarge);
    }
    // All of them, without a stop at the first that is wrong: that way, several are looked at at once.
    let strange = |found: bool, byte: &u8| found | !is_token_byte(*byte);
    if token.is_empty() || token.iter().fold(false, strange) {
        return Err(BearerError::Malformed);
    }
    // OK because only ASCII is left; the error cannot happen.
    std::str::from_utf8(token).map_err(|_| BearerError::Malformed)
}

/// `b64token`, where `=` may only stand at the end; a misplaced one fails as base64 later.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() | matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(header: &str, expected: Result<&str, BearerError>) {
        assert_eq!(bearer(header.as_bytes()), expected, "{header:?}");
    }

    #[test]
    fn one_token_in_any_spelling_of_the_scheme() {
        check("Bearer a.b.c", Ok("a.b.c"));
        check("bearer a.b.c", Ok("a.b.c"));
        check("BEARER   a-_~+/==", Ok("a-_~+/=="));
        check(" Bearer a ", Ok("a"));
    }

    #[test]
    fn other_schemes() {
        for header in [
            "",
            "Basic dXNlcjpwYXNz",
            "DPoP a.b.c",
            "Bearera.b.c",
            "a.b.c",
            "Bear",
        ] {
            check(header, Err(BearerError::OtherScheme));
        }
    }

    #[test]
    fn not_exactly_one_token() {
        for header in [
            "Bearer",
            "Bearer ",
            "Bearer a b",
            "Bearer a, Bearer b",
            "Bearer a,b",
            "Bearer \"a\"",
            "Bearer a\u{e9}",
            "Bearer a\0",
        ] {
            check(header, Err(BearerError::Malformed));
        }
        assert_eq!(bearer(b"Bearer \xff"), Err(BearerError::Malformed));
    }

    #[test]
    fn the_limit_is_exact() {
        let token = "a".repeat(MAX_TOKEN_BYTES);
        check(&format!("Bearer {token}"), Ok(&token));
        check(&format!("Bearer {token}a"), Err(BearerError::TooLarge));
    }

    proptest! {
        #[test]
        fn never_panics(header in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = bearer(&header);
        }
    }
}
