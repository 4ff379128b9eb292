//! Randomness of the host: identifiers, which are unique across workers and no secrets, and numbers that are
//! secrets as long as nobody is told.

use std::cell::Cell;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use crate::hex::hex;

/// A source of identifiers, seeded by the host's randomness.
///
/// Context ids repeat in every worker, so nothing may be derived from them.
#[derive(Debug)]
pub struct Random {
    seeds: [RandomState; 2],
    counter: Cell<u64>,
}

impl Random {
    /// A new source; two of them never share a seed.
    #[expect(
        clippy::new_without_default,
        reason = "a random default would surprise"
    )]
    pub fn new() -> Self {
        Self {
            seeds: [RandomState::new(), RandomState::new()],
            counter: Cell::new(0),
        }
    }

    /// 64 random bits.
    pub fn number(&self) -> u64 {
        let [number, _] = self.pair();
        number
    }

    /// 16 random bytes in hex.
    pub fn id(&self) -> String {
        let [high, low] = self.pair();
        hex(&((u128::from(high) << 64) | u128::from(low)).to_be_bytes())
    }

    /// 128 random bits.
    pub fn pair(&self) -> [u64; 2] {
        let count = self.counter.get();
        self.counter.set(count.wrapping_add(1));
        // SipHash of a counter under random keys.
        self.seeds.each_ref().map(|seed| {
            let mut hasher = seed.build_hasher();
            hasher.write_u64(count);
            hasher.finish()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ() {
        let (one, two) = (Random::new(), Random::new());
        let ids = [one.id(), one.id(), two.id(), two.id()];
        for (at, id) in ids.iter().enumerate() {
            assert_eq!(id.len(), 32);
            assert!(!ids[..at].contains(id));
        }
    }
}
