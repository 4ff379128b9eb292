//! The reasons in a NACK.

use std::collections::BTreeMap;

use crate::text::{MAX_REASON, short};

/// Reads the message of a NACK: one line per refused resource, `<name>: <reason>`.
///
/// Gives the reason of each resource that was refused. The resources of the response that no line
/// names were accepted by the client. When no line names any, the whole response was refused, and the
/// message is everybody's reason. Reasons are cut where they are too long to be kept.
pub fn reasons<'a>(
    message: &str,
    offered: impl Iterator<Item = &'a str> + Clone,
) -> BTreeMap<String, String> {
    let mut reasons = BTreeMap::new();
    for line in message.lines() {
        let Some((name, reason)) = line.split_once(": ") else {
            continue;
        };
        if offered.clone().any(|offer| offer == name) {
            reasons.insert(name.to_owned(), short(reason, MAX_REASON));
        }
    }
    if reasons.is_empty() {
        reasons.extend(offered.map(|name| (name.to_owned(), short(message, MAX_REASON))));
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(message: &str, offered: &[&str], expected: &[(&str, &str)]) {
        let expected: BTreeMap<_, _> = expected
            .iter()
            .map(|(n, r)| (n.to_string(), r.to_string()))
            .collect();
        assert_eq!(
            reasons(message, offered.iter().copied()),
            expected,
            "{message:?}"
        );
    }

    #[test]
    fn lines_name_the_refused_resources() {
        check("a: bad glob", &["a", "b"], &[("a", "bad glob")]);
        check("a: x\nb: y: z", &["a", "b"], &[("a", "x"), ("b", "y: z")]);
        check("a: x\nsummary", &["a", "b"], &[("a", "x")]);
    }

    #[test]
    fn a_message_that_names_none_refuses_all() {
        check(
            "out of memory",
            &["a", "b"],
            &[("a", "out of memory"), ("b", "out of memory")],
        );
        check("c: not ours", &["a"], &[("a", "c: not ours")]);
        check("", &["a"], &[("a", "")]);
    }

    #[test]
    fn a_reason_is_as_long_as_is_kept() {
        let long = "x".repeat(MAX_REASON);
        check(&format!("{long}y"), &["a"], &[("a", &long)]);
        check(&format!("a: {long}y"), &["a", "b"], &[("a", &long)]);
    }
}
