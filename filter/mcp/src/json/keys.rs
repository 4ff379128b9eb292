//! Keys that some parsers take for other keys.
//!
//! Go's `encoding/json` matches the fields of a struct without regard to case, so a server written in Go
//! reads `"Method"` as `"method"`, and of both the last one. Such input has two readings.

use std::borrow::Cow;

/// The first key that is one of `known` to a parser that ignores case, but is not spelled like it.
pub(crate) fn confusable<'k, K: AsRef<str> + ?Sized + 'k>(
    keys: impl IntoIterator<Item = &'k K>,
    known: &[&str],
) -> Option<&'k str> {
    keys.into_iter().map(K::as_ref).find(|key| {
        if key.is_ascii() {
            return known
                .iter()
                .any(|known| known != key && known.eq_ignore_ascii_case(key));
        }
        let folded = fold(key);
        known.iter().any(|known| fold(known) == folded)
    })
}

/// Like [`confusable`], for servers that also take `snake_case` for `camelCase`, or `meta` for `_meta`: models in
/// Python often have both names. What is known is ASCII.
pub(crate) fn lookalike<'k, K: AsRef<str> + ?Sized + 'k>(
    keys: impl IntoIterator<Item = &'k K>,
    known: &[&str],
) -> Option<&'k str> {
    let plain = |byte: &u8| *byte != b'_';
    keys.into_iter().map(K::as_ref).find(|key| {
        let folded = fold(key);
        known.iter().any(|known| {
            let lower = known.bytes().map(|byte| byte.to_ascii_lowercase());
            known != key && lower.filter(plain).eq(folded.bytes().filter(plain))
        })
    })
}

/// The first key that a parser which ignores case takes for another one of the same object. The keys
/// themselves must all differ.
pub(crate) fn folded_duplicate<'k>(keys: impl Iterator<Item = &'k str> + Clone) -> Option<&'k str> {
    if keys.clone().all(is_folded) {
        return None;
    }
    let mut folded: Vec<(Cow<'k, str>, &'k str)> = keys.map(|key| (fold(key), key)).collect();
    folded.sort_unstable();
    folded.windows(2).find_map(|pair| match pair {
        [(left, _), (right, key)] if left == right => Some(*key),
        _ => None,
    })
}

/// Case folding that joins at least what Go's simple folding joins: the long s and the Kelvin sign included.
fn fold(key: &str) -> Cow<'_, str> {
    if key
        .bytes()
        .all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase())
    {
        return Cow::Borrowed(key);
    }
    if key.is_ascii() {
        return Cow::Owned(key.to_ascii_lowercase());
    }
    Cow::Owned(
        key.chars()
            .flat_map(char::to_uppercase)
            .flat_map(char::to_lowercase)
            .collect(),
    )
}

/// Whether folding changes nothing; false for some where it does not.
fn is_folded(key: &str) -> bool {
    key.bytes()
        .all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicates_after_folding() {
        let check = |keys: &[&str], expected: Option<&str>| {
            assert_eq!(folded_duplicate(keys.iter().copied()), expected, "{keys:?}");
        };
        check(&[], None);
        check(&["a"], None);
        check(&["a", "b", "ab"], None);
        check(&["name", "Name"], Some("name"));
        check(&["task", "tas\u{212a}"], Some("tas\u{212a}"));
        check(&["params", "param\u{17f}"], Some("param\u{17f}"));
        check(&["größe", "GRÖSSE"], Some("größe"));
        check(&["taskId", "task_id"], None);
    }

    #[test]
    fn confusables() {
        let check = |keys: &[&str], expected: Option<&str>| {
            let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
            assert_eq!(
                confusable(&keys, &["method", "params", "taskId"]),
                expected,
                "{keys:?}"
            );
        };
        check(&["method", "params", "taskId", "other", "METHODS"], None);
        check(&["Method"], Some("Method"));
        check(&["param\u{17f}"], Some("param\u{17f}"));
        check(&["taskid"], Some("taskid"));
    }

    #[test]
    fn lookalikes() {
        let check = |key: &str, expected: bool| {
            let found = lookalike([key], &["_meta", "taskId", "uri"]);
            assert_eq!(found.is_some(), expected, "{key}");
        };
        check("_meta", false);
        check("taskId", false);
        check("uris", false);
        check("x_uri", false);
        check("meta", true);
        check("Meta", true);
        check("__meta", true);
        check("task_id", true);
        check("tas\u{212a}_ID", true);
        check("uri_", true);
    }
}
