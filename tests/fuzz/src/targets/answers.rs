//! One message of a server, judged as the adapter judges it.

use std::borrow::Cow;

use gatehold_mcp::{
    Answer, Era, Limits, ListKind, Plain, Version, answer, batch, is_batch, list, plain,
    resource_updated, tasks,
};

use crate::read::{PARSERS, PICKS, Pick, Tree};

/// The input is a message of a server: a JSON answer or the data of an event.
pub fn answers(data: &[u8]) {
    sealed(data);
    told_at_once(data);
    let _ = resource_updated(data);
    for version in [
        Version::V2025_03_26,
        Version::V2025_11_25,
        Version::V2026_07_28,
    ] {
        let era = version.era();
        if let Some(passed) = judge(data, version, |_| false) {
            empty(&passed, era);
        }
        let keep = |name: &str| name.starts_with('v');
        if let Some(passed) = judge(data, version, keep) {
            named(&passed, era);
            let again = judge(&passed, version, keep);
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

/// Where one pass is said to be enough, the others find nothing more.
fn told_at_once(message: &[u8]) {
    let Some(Plain { id, outcome }) = plain(message) else {
        return;
    };
    let told = Answer {
        id: Some(id),
        outcome,
        lists: Vec::new(),
    };
    assert_eq!(answer(message), Ok(told));
    assert_eq!(resource_updated(message), Ok(None));
    assert_eq!(tasks::seal(message, &mut |_| SEAL.to_owned()), Ok(None));
}

/// What of the message goes on to the client; nothing when it is refused.
fn judge(message: &[u8], version: Version, keep: impl Fn(&str) -> bool) -> Option<Vec<u8>> {
    if version != Version::V2025_03_26 || !is_batch(message) {
        return judge_one(message, version.era(), keep);
    }
    let elements = batch::split(message, &Limits::default()).ok()?;
    let elements: Option<Vec<_>> = elements
        .into_iter()
        .map(|element| judge_one(element, version.era(), &keep).map(Cow::Owned))
        .collect();
    Some(batch::join(&elements?))
}

fn judge_one(message: &[u8], era: Era, keep: impl Fn(&str) -> bool) -> Option<Vec<u8>> {
    let mut message = message.to_vec();
    for kind in answer(&message).ok()?.lists {
        let filtered = list::filter(kind, &message, era, &Limits::default(), &keep).ok()?;
        message = filtered.body.unwrap_or(message);
    }
    Some(message)
}

/// Whoever reads what goes on finds only ids of tasks that were sealed.
fn sealed(message: &[u8]) {
    let seal = |message: &[u8]| tasks::seal(message, &mut |id| format!("{SEAL}{id}"));
    // The adapter asks this first, and refuses what it cannot read.
    let (Ok(_), Ok(changed)) = (answer(message), seal(message)) else {
        return;
    };
    let passed = changed.as_deref().unwrap_or(message);
    each_message(passed, |reader, pick, message| {
        // Ids that are no strings cannot be named by a client.
        for id in task_ids(message, pick).into_iter().filter_map(Tree::text) {
            assert!(
                id.starts_with(SEAL),
                "{reader} {pick:?} shows a client the task `{id}`"
            );
        }
    });
}

const SEAL: &str = "sealed.";

/// The ids of the server's tasks in its message.
fn task_ids(message: &Tree, pick: Pick) -> Vec<&Tree> {
    let mut ids = Vec::new();
    if let Some(result) = pick.member(message, "result") {
        ids.extend(pick.member(result, "taskId"));
        ids.extend(
            pick.member(result, "task")
                .and_then(|task| pick.member(task, "taskId")),
        );
        let tasks = pick.member(result, "tasks").map_or(&[][..], Tree::entries);
        ids.extend(tasks.iter().filter_map(|task| pick.member(task, "taskId")));
        ids.extend(related(result, pick));
    }
    if let Some(params) = pick.member(message, "params") {
        let method = pick.member(message, "method").and_then(Tree::text);
        if method.is_some_and(|method| method.starts_with("notifications/tasks")) {
            ids.extend(pick.member(params, "taskId"));
        }
        ids.extend(related(params, pick));
    }
    ids
}

fn related(of: &Tree, pick: Pick) -> Option<&Tree> {
    let exact = Pick {
        folded: false,
        ..pick
    };
    let related = exact.member(
        pick.member(of, "_meta")?,
        "io.modelcontextprotocol/related-task",
    )?;
    pick.member(related, "taskId")
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

/// Every list that some client may find in a message.
fn each_list(message: &[u8], mut check: impl FnMut(&str, Pick, ListKind, &[Tree])) {
    each_message(message, |reader, pick, message| {
        let Some(result) = pick.member(message, "result") else {
            return;
        };
        for kind in ListKind::ALL {
            if let Some(list) = pick.member(result, kind.entries_key()) {
                check(reader, pick, kind, list.entries());
            }
        }
    });
}

/// Every message that some client may find in what goes on, in a batch too.
fn each_message(message: &[u8], mut check: impl FnMut(&str, Pick, &Tree)) {
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
                check(parser.name, pick, message);
            }
        }
    }
}
