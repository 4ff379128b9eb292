//! Identifiers and the callers they belong to.

use gatehold_identity::{Binding, Bound, Identity};
use proptest::prelude::*;
use serde_json::Map;

fn caller(issuer: &str, user: &str, agent: &str) -> Identity {
    Identity {
        issuer: issuer.into(),
        user: user.into(),
        agent: agent.into(),
        roles: vec!["support".into()],
        groups: Vec::new(),
        scopes: Vec::new(),
        claims: Map::new(),
        expires_at: 0,
    }
}

fn binding() -> Binding {
    Binding::new(&[7; 32], "crm")
}

#[test]
fn only_the_same_caller_opens_it() {
    let ann = caller("corp", "ann", "agent-1");
    let sealed = binding().seal(Bound::Session, &ann, "0193-abc");
    assert!(sealed.ends_with(".0193-abc"), "{sealed}");
    assert_eq!(
        binding().open(Bound::Session, &ann, &sealed),
        Some("0193-abc")
    );
    let mut promoted = ann.clone();
    promoted.roles.push("lead".into());
    promoted.expires_at = 9;
    assert!(binding().open(Bound::Session, &promoted, &sealed).is_some());

    for other in [
        caller("corp", "bob", "agent-1"),
        caller("corp", "ann", "agent-2"),
        caller("corp", "ann", ""),
        caller("else", "ann", "agent-1"),
        // The same letters, cut elsewhere.
        caller("corp", "anna", "gent-1"),
        caller("cor", "pann", "agent-1"),
    ] {
        let opened = binding().open(Bound::Session, &other, &sealed);
        assert_eq!(opened, None, "{other:?}");
    }
    assert_eq!(binding().open(Bound::Task, &ann, &sealed), None);
    let elsewhere = [
        Binding::new(&[7; 32], "wiki"),
        Binding::new(&[8; 32], "crm"),
    ];
    for binding in elsewhere {
        assert_eq!(binding.open(Bound::Session, &ann, &sealed), None);
    }
}

#[test]
fn what_was_not_sealed_is_not_opened() {
    let ann = caller("corp", "ann", "agent-1");
    let sealed = binding().seal(Bound::Session, &ann, "s");
    let (tag, _) = sealed.split_once('.').unwrap();
    for text in [
        "",
        ".",
        "s",
        ".s",
        "0193-abc",
        tag,
        &format!("{tag}.t"),
        &format!("{tag}s"),
        &format!("{}.s", tag.split_at(21).0),
        &format!("{tag}=.s"),
        &format!(" {tag}.s"),
        &format!("{}é.s", tag.split_at(20).0),
        &"é".repeat(40),
    ] {
        let opened = binding().open(Bound::Session, &ann, text);
        assert_eq!(opened, None, "{text}");
    }
}

#[test]
fn a_key_is_not_shown() {
    assert_eq!(format!("{:?}", binding()), "Binding(..)");
}

/// The value was computed with another implementation, Python's `hmac`.
#[test]
fn tags_are_hmac_sha256() {
    let ann = caller("corp", "ann", "agent-1");
    let sealed = binding().seal(Bound::Session, &ann, "0193-abc");
    assert_eq!(sealed, "e_m7r-rYxWejJ-Ta3KcCFA.0193-abc");
}

proptest! {
    #[test]
    fn any_identifier_comes_back(identifier in "\\PC{0,40}", user in "\\PC{1,12}", agent in "\\PC{0,12}") {
        let caller = caller("corp", &user, &agent);
        for kind in [Bound::Session, Bound::Task, Bound::Event] {
            let sealed = binding().seal(kind, &caller, &identifier);
            prop_assert_eq!(binding().open(kind, &caller, &sealed), Some(identifier.as_str()));
        }
    }

    #[test]
    fn anything_else_does_not_open(text in "\\PC{0,60}") {
        let ann = caller("corp", "ann", "agent-1");
        prop_assert_eq!(binding().open(Bound::Session, &ann, &text), None);
    }
}
