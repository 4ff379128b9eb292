//! The hash by which words are looked up: one multiplication per byte, the same on every machine.

/// The hash of the bytes so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hash(u64);

impl Default for Hash {
    fn default() -> Self {
        Self::new()
    }
}

impl Hash {
    /// Of nothing.
    pub const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// Of a folded word.
    pub fn of(word: &[u8]) -> Self {
        let mut hash = Self::new();
        for byte in word {
            hash.push(*byte);
        }
        hash
    }

    /// Adds a byte.
    #[inline]
    pub fn push(&mut self, byte: u8) {
        self.0 = (self.0 ^ byte as u64).wrapping_mul(0x0000_0100_0000_01b3);
    }

    /// All of it, mixed: the low bits depend on every byte.
    #[inline]
    pub fn value(self) -> u64 {
        let mixed = self.0 ^ (self.0 >> 29);
        mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}
