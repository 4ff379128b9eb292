//! What was seen in definitions before, so that each is looked at once and not with every list.

use std::collections::HashMap;
use std::hash::Hasher as _;
use std::rc::Rc;

use siphasher::sip128::{Hasher128 as _, SipHasher24};

use crate::detection::detectors::Seen;

/// Most definitions that one worker remembers.
const MAX_DEFINITIONS: usize = 10_000;

/// What was seen, by a keyed hash of everything that was looked at.
#[derive(Debug)]
pub struct Verdicts {
    key: [u64; 2],
    /// Nothing was seen in most.
    known: HashMap<u128, Option<Rc<Seen>>>,
}

impl Verdicts {
    /// Remembers nothing. The key is random, so that nobody can make a definition that is taken for another one.
    pub fn new(key: [u64; 2]) -> Self {
        Self {
            key,
            known: HashMap::new(),
        }
    }

    /// What is seen in the definition that `parts` are all of: remembered, or looked at now.
    pub fn of(&mut self, parts: &[&[u8]], look: impl FnOnce() -> Seen) -> Option<Rc<Seen>> {
        let [first, second] = self.key;
        let mut hasher = SipHasher24::new_with_keys(first, second);
        for part in parts {
            hasher.write_u64(part.len() as u64);
            hasher.write(part);
        }
        let hash = hasher.finish128().as_u128();
        if let Some(known) = self.known.get(&hash) {
            return known.clone();
        }
        let seen = look();
        let seen = (!seen.is_nothing()).then(|| Rc::new(seen));
        if self.known.len() >= MAX_DEFINITIONS {
            self.known.clear();
        }
        self.known.insert(hash, seen.clone());
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatehold_detect::Verdict;

    #[test]
    fn each_is_looked_at_once() {
        let mut verdicts = Verdicts::new([1, 2]);
        let mut looked = 0;
        let mut check = |parts: &[&[u8]], flagged: bool| {
            let seen = verdicts.of(parts, || {
                looked += 1;
                Seen {
                    verdict: Verdict {
                        flagged,
                        ..Verdict::default()
                    },
                    shadow: None,
                }
            });
            (seen.is_some(), looked)
        };
        assert_eq!(check(&[b"v1", b"a"], true), (true, 1));
        assert_eq!(check(&[b"v1", b"a"], false), (true, 1));
        assert_eq!(check(&[b"v1", b"b"], false), (false, 2));
        assert_eq!(check(&[b"v1", b"b"], true), (false, 2));
        assert_eq!(check(&[b"v2", b"b"], true), (true, 3));
        assert_eq!(check(&[b"v", b"2b"], true), (true, 4));
    }
}
