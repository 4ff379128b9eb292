//! What is remembered, and for how long.

use gatehold_identity::{Identity, TokenMemory};
use proptest::prelude::*;

const KEY: [u64; 2] = [1, 2];

fn identity(user: &str, expires_at: u64) -> Identity {
    Identity {
        issuer: "corp".to_owned(),
        user: user.to_owned(),
        agent: String::new(),
        roles: vec![],
        groups: vec![],
        scopes: vec![],
        claims: serde_json::Map::new(),
        expires_at,
    }
}

#[test]
fn by_token_and_scope_until_it_expires() {
    let mut memory = TokenMemory::new(10, 1 << 20, KEY);
    assert!(memory.get("t", "crm", 0).is_none());
    memory.insert("t", "crm", identity("alice", 100));
    assert_eq!(memory.get("t", "crm", 99).unwrap().user, "alice");
    assert!(memory.get("t", "erp", 99).is_none());
    assert!(memory.get("T", "crm", 99).is_none());
    assert!(memory.get("mt", "cr", 99).is_none());
    assert!(memory.get("t", "crm", 100).is_none());
    assert!((memory.is_empty(), memory.bytes()) == (true, 0));
}

#[test]
fn a_second_insert_replaces() {
    let mut memory = TokenMemory::new(10, 1 << 20, KEY);
    memory.insert("t", "crm", identity("alice", 100));
    let bytes = memory.bytes();
    memory.insert("t", "crm", identity("carol", 100));
    assert_eq!((memory.len(), memory.bytes()), (1, bytes));
    assert_eq!(memory.get("t", "crm", 0).unwrap().user, "carol");
    memory.clear();
    assert!(memory.get("t", "crm", 0).is_none());
    assert_eq!((memory.len(), memory.bytes()), (0, 0));
}

#[test]
fn expired_tokens_are_swept_out() {
    let mut memory = TokenMemory::new(1000, 1 << 20, KEY);
    assert!(memory.get("t", "", 0).is_none());
    for index in 0..100 {
        memory.insert(&format!("t{index}"), "", identity("short", 50));
        memory.insert(&format!("u{index}"), "", identity("long", 500));
    }
    let bytes = memory.bytes();
    // Whichever token is asked for, once a minute.
    assert!(memory.get("other", "", 59).is_none());
    assert_eq!(memory.len(), 200);
    assert!(memory.get("other", "", 60).is_none());
    assert_eq!(memory.len(), 100);
    assert!(memory.bytes() < bytes && memory.bytes() > 0);
    assert!(memory.get("u7", "", 61).is_some());
    assert!(memory.get("u7", "", 500).is_none());
    assert_eq!((memory.len(), memory.bytes()), (0, 0));
}

#[test]
fn what_is_in_use_stays() {
    let mut memory = TokenMemory::new(8, 1 << 20, KEY);
    memory.insert("busy", "", identity("busy", 100));
    for index in 0..100 {
        memory.insert(&format!("t{index}"), "", identity("other", 100));
        assert!(memory.get("busy", "", 0).is_some(), "{index}");
        assert!(memory.len() <= 8);
    }
    assert!(memory.get("t0", "", 0).is_none());
    assert!(memory.get("t99", "", 0).is_some());
}

#[test]
fn what_is_too_large_is_not_remembered() {
    let mut memory = TokenMemory::new(10, 10_000, KEY);
    let large = identity(&"x".repeat(10_000), 100);
    assert_eq!(memory.insert("t", "", large.clone()).user, large.user);
    assert!(memory.is_empty());
    let mut memory = TokenMemory::new(0, 0, KEY);
    memory.insert("t", "", identity("alice", 100));
    assert!(memory.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_bounds_hold_and_nothing_is_mixed_up(
        steps in proptest::collection::vec((any::<bool>(), 0_u8..20, 0_usize..400, 0_u64..10), 0..200),
        max_entries in 0_usize..12,
        max_bytes in 0_usize..8_000,
    ) {
        let mut memory = TokenMemory::new(max_entries, max_bytes, KEY);
        for (insert, token, size, time) in steps {
            let token = format!("{token}");
            if insert {
                memory.insert(&token, "", identity(&format!("{token} {}", "x".repeat(size)), time));
            } else if let Some(found) = memory.get(&token, "", time) {
                prop_assert_eq!(found.user.split(' ').next(), Some(token.as_str()));
                prop_assert!(time < found.expires_at);
            }
            prop_assert!(memory.len() <= max_entries);
            prop_assert!(memory.bytes() <= max_bytes);
        }
        memory.clear();
        prop_assert_eq!(memory.bytes(), 0);
    }
}
