//! Which filters control works with.

use gatehold_wire::discovery::Node;
use gatehold_wire::setup::{FIRST_PROTOCOL, PROTOCOL, protocol};

/// The protocol of the filter that says this of itself.
///
/// # Errors
/// When it is none that this control speaks; the text names both versions and what to upgrade.
pub fn agree(node: &Node) -> Result<u32, String> {
    let ours = env!("CARGO_PKG_VERSION");
    let theirs = match node.user_agent_version.as_str() {
        "" => "of an unknown version",
        version => version,
    };
    let (least, most) = (PROTOCOL - 1, PROTOCOL + 1);
    let Some(protocol) = protocol(&node.client_features) else {
        return Err(format!(
            "filter {theirs} says no protocol that control {ours} can read; use a filter of the same release as control"
        ));
    };
    let upgrade = if protocol < least {
        "the filter"
    } else if protocol > most {
        "control"
    } else {
        return Ok(protocol);
    };
    Err(format!(
        "filter {theirs} speaks protocol {protocol}, and control {ours} speaks {least} to {most}; upgrade {upgrade}"
    ))
}

/// Whether the filter refuses what requires more than it knows. Earlier ones pass over it.
pub(crate) fn refuses_by_itself(protocol: u32) -> bool {
    protocol > FIRST_PROTOCOL
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_before_and_the_one_after_are_let_in() {
        let check = |version: &str, features: &[&str], expected: Result<u32, &str>| {
            let node = Node {
                user_agent_version: version.to_owned(),
                client_features: features.iter().map(|&word| word.to_owned()).collect(),
                ..Node::default()
            };
            match (agree(&node), expected) {
                (Ok(protocol), Ok(expected)) => assert_eq!(protocol, expected),
                (Err(text), Err(words)) => {
                    assert!(text.contains(words), "{text}");
                    assert!(text.contains(env!("CARGO_PKG_VERSION")), "{text}");
                }
                other => panic!("{features:?}: {other:?}"),
            }
        };
        check("", &[], Ok(1));
        check("0.2.0", &["headers/held", "protocol/2"], Ok(2));
        check("0.3.0", &["protocol/3"], Ok(3));
        check(
            "0.4.1",
            &["protocol/4"],
            Err("filter 0.4.1 speaks protocol 4"),
        );
        check(
            "0.4.1",
            &["protocol/4"],
            Err("speaks 1 to 3; upgrade control"),
        );
        check("0.0.9", &["protocol/0"], Err("upgrade the filter"));
        check(
            "",
            &["protocol/two"],
            Err("filter of an unknown version says no protocol"),
        );
    }
}
