//! What was seen in definitions before, so that each is looked at once and not with every list.

use std::collections::HashMap;
use std::hash::Hasher as _;
use std::rc::Rc;

use siphasher::sip128::{Hasher128 as _, SipHasher24};

use crate::detection::detectors::Seen;

/// Most definitions that one worker remembers.
const MAX_DEFINITIONS: usize = 10_000;
/// Bytes that they may take.
const MAX_BYTES: usize = 2 << 20;
/// Bytes that one takes beside what was seen in it.
const OVERHEAD: usize = 64;
/// Secrets of one definition that are remembered: nobody tells more.
const MAX_SECRETS: usize = 8;

/// What was seen, by a keyed hash of everything that was looked at.
#[derive(Debug)]
pub struct Verdicts {
    key: [u64; 2],
    /// Nothing was seen in most.
    known: HashMap<u128, Option<Rc<Seen>>>,
    /// Roughly what they take.
    bytes: usize,
}

impl Verdicts {
    /// Remembers nothing. The key is random, so that nobody can make a definition that is taken for another one.
    pub fn new(key: [u64; 2]) -> Self {
        Self {
            key,
            known: HashMap::new(),
            bytes: 0,
        }
    }

    /// What is seen in the definition that `parts` are all of: remembered, or looked at now.
    pub fn of(&mut self, parts: &[&[u8]], look: impl FnOnce() -> Seen) -> Option<Rc<Seen>> {
        let hash = self.hash(parts.iter().copied());
        if let Some(known) = self.known.get(&hash) {
            return known.clone();
        }
        let mut seen = look();
        for verdict in std::iter::once(&mut seen.verdict).chain(&mut seen.shadow) {
            verdict.secrets.truncate(MAX_SECRETS);
            verdict.secrets.shrink_to_fit();
        }
        let seen = (!seen.is_nothing()).then(|| Rc::new(seen));
        let size = OVERHEAD.saturating_add(seen.as_deref().map_or(0, size));
        if self.known.len() >= MAX_DEFINITIONS || self.bytes.saturating_add(size) > MAX_BYTES {
            self.known.clear();
            self.bytes = 0;
        }
        self.bytes = self.bytes.saturating_add(size);
        self.known.insert(hash, seen.clone());
        seen
    }

    /// One part for all of these texts.
    pub fn digest<'t>(&self, texts: impl IntoIterator<Item = &'t str>) -> [u8; 16] {
        let texts = texts.into_iter().map(str::as_bytes);
        self.hash(texts).to_le_bytes()
    }

    fn hash<'t>(&self, parts: impl Iterator<Item = &'t [u8]>) -> u128 {
        let [first, second] = self.key;
        let mut hasher = SipHasher24::new_with_keys(first, second);
        for part in parts {
            hasher.write_u64(part.len() as u64);
            hasher.write(part);
        }
        hasher.finish128().as_u128()
    }
}

/// Roughly the bytes that it takes.
fn size(seen: &Seen) -> usize {
    let verdicts = std::iter::once(&seen.verdict).chain(&seen.shadow);
    let texts = verdicts.map(|verdict| {
        let findings = verdict.findings.iter().map(|it| {
            let texts = it.feature.len().saturating_add(it.excerpt.len());
            texts.saturating_add(size_of_val(it))
        });
        let secrets = verdict.secrets.iter();
        let secrets = secrets.map(|it| it.pattern.len().saturating_add(size_of_val(it)));
        findings.chain(secrets).sum::<usize>()
    });
    texts.sum::<usize>().saturating_add(size_of::<Seen>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatehold_detect::{Secret, Verdict};

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

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut verdicts = Verdicts::new([1, 2]);
        for at in 0..20_000_u32 {
            let secret = Secret {
                pattern: "card".into(),
                personal: true,
                span: 0..1,
            };
            let verdict = Verdict {
                secrets: vec![secret; 100],
                ..Verdict::default()
            };
            let look = || Seen {
                verdict,
                shadow: None,
            };
            let seen = verdicts.of(&[&at.to_le_bytes()], look).unwrap();
            assert_eq!(seen.verdict.secrets.len(), MAX_SECRETS);
            assert!(verdicts.bytes <= MAX_BYTES && verdicts.known.len() <= MAX_DEFINITIONS);
        }
    }

    #[test]
    fn names_that_read_alike_together_differ() {
        let verdicts = Verdicts::new([1, 2]);
        let digest = |names: &[&str]| verdicts.digest(names.iter().copied());
        assert_eq!(digest(&["a", "b"]), digest(&["a", "b"]));
        assert_ne!(digest(&["a", "b"]), digest(&["a\nb"]));
        assert_ne!(digest(&["a", "b"]), digest(&["ab"]));
    }
}
