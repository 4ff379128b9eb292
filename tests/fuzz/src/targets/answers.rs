//! One message of a server, judged as the adapter judges it.

use gatehold_mcp::{Era, Limits, ListKind, answer, list};

use crate::read::{PARSERS, PICKS, Pick, Tree};

/// The input is a message of a server: a JSON answer or the data of an event.
pub fn answers(data: &[u8]) {
    for era in [Era::Legacy, Era::Modern] {
        if let Some(passed) = judge(data, era, |_| false) {
            empty(&passed, era);
        }
        let keep = |name: &str| name.starts_with('v');
        if let Some(passed) = judge(data, era, keep) {
            named(&passed, era);
            let again = judge(&passed, era, keep);
            assert_eq!(
                again.as_deref(),
                Some(passed.as_slice()),
                "judged twice, {era:?}"
            );
        }
        // Whatever it answers, each list can be asked for.
        for kind in ListKind::ALL {
            let _ = list::filter(kind, data, era, &Limits::default(), |_| true);
        }
    }
}

/// What of the message goes on to the client; nothing when it is refused.
fn judge(message: &[u8], era: Era, keep: impl Fn(&str) -> bool) -> Option<Vec<u8>> {
    let mut message = message.to_vec();
    for kind in answer(&message).ok()?.lists {
        let filtered = list::filter(kind, &message, era, &Limits::default(), &keep).ok()?;
        message = filtered.body.unwrap_or(message);
    }
    Some(message)
}

/// No reader finds an entry where all were hidden.
fn empty(message: &[u8], era: Era) {
    each_list(message, |reader, pick, kind, entries| {
        assert_eq!(
            entries,
            [],
            "{reader} {pick:?} shows a client {kind:?}, {era:?}"
        );
    });
}

/// No reader finds an entry with a name that was to be hidden, or without one.
fn named(message: &[u8], era: Era) {
    each_list(message, |reader, pick, kind, entries| {
        for entry in entries {
            let name = pick.member(entry, kind.identity_key()).and_then(Tree::text);
            assert!(
                name.is_some_and(|name| name.starts_with('v')),
                "{reader} {pick:?} shows a client `{name:?}` of {kind:?}, {era:?}"
            );
        }
    });
}

/// Every list that some client may find in a message, in a batch too.
fn each_list(message: &[u8], mut check: impl FnMut(&str, Pick, ListKind, &[Tree])) {
    for parser in PARSERS {
        let Some(tree) = (parser.read)(message) else {
            continue;
        };
        let single = std::slice::from_ref(&tree);
        let messages = if tree.entries().is_empty() {
            single
        } else {
            tree.entries()
        };
        for message in messages {
            for pick in PICKS {
                let Some(result) = pick.member(message, "result") else {
                    continue;
                };
                for kind in ListKind::ALL {
                    if let Some(list) = pick.member(result, kind.entries_key()) {
                        check(parser.name, pick, kind, list.entries());
                    }
                }
            }
        }
    }
}
