//! What a worker knows of tools' definitions, so that it tells control only what is new.

use std::collections::HashMap;
use std::hash::Hasher as _;

use siphasher::sip128::{Hasher128 as _, SipHasher24};

/// Most definitions that one worker remembers; beyond it tells them again, which control takes as often as it comes.
const MAX_TOOLS: usize = 100_000;

/// Definitions by server and tool, as a keyed hash of their text.
#[derive(Debug)]
pub struct KnownTools {
    key: [u64; 2],
    known: HashMap<u128, u128>,
}

impl KnownTools {
    /// Knows nothing. The key is random, so that nobody can make a definition that is taken for another one.
    pub fn new(key: [u64; 2]) -> Self {
        Self {
            key,
            known: HashMap::new(),
        }
    }

    /// Whether this text is not what was known of the tool. It is known from now on.
    pub fn is_news(&mut self, server: &str, tool: &str, text: &str) -> bool {
        let (name, text) = (self.hash(&[server, tool]), self.hash(&[text]));
        if self.known.get(&name) == Some(&text) {
            return false;
        }
        if self.known.len() >= MAX_TOOLS {
            self.known.clear();
        }
        self.known.insert(name, text);
        true
    }

    /// Control may have lost what it was told: everything is news again.
    pub fn forget(&mut self) {
        self.known.clear();
    }

    fn hash(&self, parts: &[&str]) -> u128 {
        let [first, second] = self.key;
        let mut hasher = SipHasher24::new_with_keys(first, second);
        for part in parts {
            hasher.write_u64(part.len() as u64);
            hasher.write(part.as_bytes());
        }
        hasher.finish128().as_u128()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_news_are_told() {
        let mut known = KnownTools::new([1, 2]);
        assert!(known.is_news("crm", "refund", "a"));
        assert!(!known.is_news("crm", "refund", "a"));
        assert!(known.is_news("crm", "refund", "b"));
        assert!(known.is_news("erp", "refund", "b"));
        known.forget();
        assert!(known.is_news("crm", "refund", "b"));
    }
}
