//! Globs in which `*` stands for any run of characters and nothing else is special.

/// Whether the whole of `name` matches `pattern`. Linear in the length of `name`.
pub fn matches(pattern: &str, name: &str) -> bool {
    let Some((prefix, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let (middle, suffix) = rest.rsplit_once('*').unwrap_or(("", rest));
    let Some(mut name) = name
        .strip_prefix(prefix)
        .and_then(|name| name.strip_suffix(suffix))
    else {
        return false;
    };
    // The leftmost place is always a right one, since what follows is a `*`.
    for part in middle.split('*') {
        let Some((_, after)) = name.split_once(part) else {
            return false;
        };
        name = after;
    }
    true
}

/// Whether any of the patterns matches.
pub(crate) fn any_matches(patterns: &[String], name: &str) -> bool {
    patterns.iter().any(|pattern| matches(pattern, name))
}

/// How a pattern can be found without trying it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape<'a> {
    /// `*`
    Any,
    /// No `*` at all.
    Exact(&'a str),
    /// Starts with this; `true` when that is all there is to check.
    Prefix(&'a str, bool),
    /// Ends with this; `true` when that is all there is to check.
    Suffix(&'a str, bool),
    /// Starts and ends with `*` and has something between.
    Loose,
}

/// Sorts a pattern by its longer literal end.
pub(crate) fn shape(pattern: &str) -> Shape<'_> {
    let Some((prefix, rest)) = pattern.split_once('*') else {
        return Shape::Exact(pattern);
    };
    let suffix = rest.rsplit_once('*').map_or(rest, |(_, suffix)| suffix);
    let single = !rest.contains('*');
    match (prefix.len(), suffix.len()) {
        (0, 0) if pattern.bytes().all(|byte| byte == b'*') => Shape::Any,
        (0, 0) => Shape::Loose,
        (before, after) if before >= after => Shape::Prefix(prefix, single && after == 0),
        (before, _) => Shape::Suffix(suffix, single && before == 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_whole_names() {
        let check = |pattern: &str, name: &str, expected: bool| {
            assert_eq!(matches(pattern, name), expected, "{pattern} on {name}");
        };
        check("get_x", "get_x", true);
        check("get_x", "get_xy", false);
        check("", "", true);
        check("", "a", false);
        check("*", "", true);
        check("*", "anything\nat all", true);
        check("**", "a", true);
        check("get_*", "get_", true);
        check("get_*", "Get_x", false);
        check("*_admin", "x_admin", true);
        check("*_admin", "_admi", false);
        check("a*a", "a", false);
        check("a*a", "aa", true);
        check("a*b*c", "a-b-c", true);
        check("a*b*c", "a-c-b", false);
        check("a*bc*bc", "abcbc", true);
        check("a*bc*bc", "abc", false);
        check("*é*", "caffé!", true);
        check("?", "a", false);
        check("[a]", "a", false);
    }

    #[test]
    fn shapes_take_the_longer_end() {
        let check = |pattern: &str, expected: Shape<'_>| assert_eq!(shape(pattern), expected);
        check("x", Shape::Exact("x"));
        check("*", Shape::Any);
        check("***", Shape::Any);
        check("get_*", Shape::Prefix("get_", true));
        check("get_**", Shape::Prefix("get_", false));
        check("*_x", Shape::Suffix("_x", true));
        check("ab*c", Shape::Prefix("ab", false));
        check("a*bc", Shape::Suffix("bc", false));
        check("*a*", Shape::Loose);
    }
}
