//! Which of several members a server takes for the one that it wants.

use std::collections::HashMap;

use super::tree::Tree;

/// How a server finds a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pick {
    /// Of repeated keys the first counts, not the last.
    pub first: bool,
    /// Keys that it knows match in any case, as in Go's `encoding/json`.
    pub folded: bool,
}

/// All ways.
pub const PICKS: [Pick; 4] = [
    Pick {
        first: false,
        folded: false,
    },
    Pick {
        first: true,
        folded: false,
    },
    Pick {
        first: false,
        folded: true,
    },
    Pick {
        first: true,
        folded: true,
    },
];

impl Pick {
    /// The member of that name.
    pub fn member<'t>(self, object: &'t Tree, name: &str) -> Option<&'t Tree> {
        let matches = |key: &str| key == name || (self.folded && folds_to(key, name));
        let mut found = object
            .members()
            .iter()
            .filter(|(key, _)| matches(key))
            .map(|(_, member)| member);
        if self.first {
            found.next()
        } else {
            found.next_back()
        }
    }

    /// Whether two readings are the same. Case counts: these are maps to a server.
    pub fn same(self, theirs: &Tree, ours: &Tree) -> bool {
        match (theirs, ours) {
            (Tree::Array(theirs), Tree::Array(ours)) => {
                theirs.len() == ours.len()
                    && theirs
                        .iter()
                        .zip(ours)
                        .all(|(left, right)| self.same(left, right))
            }
            (Tree::Object(members), Tree::Object(expected)) => {
                // Ours has no key twice.
                let mut taken = HashMap::new();
                for (key, member) in members {
                    if self.first {
                        taken.entry(key).or_insert(member);
                    } else {
                        taken.insert(key, member);
                    }
                }
                taken.len() == expected.len()
                    && expected.iter().all(|(key, member)| {
                        taken.get(key).is_some_and(|found| self.same(found, member))
                    })
            }
            (Tree::Integer(_) | Tree::Double(_), _) => theirs.same_number(ours),
            _ => theirs == ours,
        }
    }
}

/// Go's simple folding, for names that are ASCII.
fn folds_to(key: &str, name: &str) -> bool {
    let fold = |c: char| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    };
    key.chars().map(fold).eq(name.chars().map(fold))
}
