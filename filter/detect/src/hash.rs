//! The hash by which words are looked up: eight bytes at a time, the same on every machine.

const FIRST: u64 = 0x9e37_79b9_7f4a_7c15;
const SECOND: u64 = 0xd6e8_feb8_6659_fd93;

/// The hash of a folded word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hash(u64);

impl Hash {
    /// Of a folded word.
    pub fn of(word: &[u8]) -> Self {
        let mut hasher = Hasher::default();
        for byte in word {
            hasher.push(*byte);
        }
        hasher.finish()
    }

    /// Of at most eight bytes, the first of them the lowest, the others zero.
    #[inline]
    pub(crate) fn of_short(bytes: u64, length: u64) -> Self {
        Self(finish(absorb(FIRST, bytes), length))
    }

    /// Of at most sixteen bytes, the first of them the lowest, the others zero.
    #[inline]
    pub(crate) fn of_sixteen(bytes: u128, length: u32) -> Self {
        let state = absorb(FIRST, (bytes & u128::from(u64::MAX)) as u64);
        let state = if length > 8 {
            absorb(state, (bytes >> 64) as u64)
        } else {
            state
        };
        Self(finish(state, u64::from(length)))
    }

    /// All of it; every bit depends on every byte.
    #[inline]
    pub(crate) fn value(self) -> u64 {
        self.0
    }
}

/// A hash under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hasher {
    state: u64,
    chunk: u64,
    length: u64,
}

impl Default for Hasher {
    fn default() -> Self {
        Self {
            state: FIRST,
            chunk: 0,
            length: 0,
        }
    }
}

impl Hasher {
    /// Adds a byte.
    #[inline]
    pub(crate) fn push(&mut self, byte: u8) {
        self.chunk |= u64::from(byte) << (8 * (self.length % 8));
        self.length += 1;
        if self.length.is_multiple_of(8) {
            self.state = absorb(self.state, self.chunk);
            self.chunk = 0;
        }
    }

    /// Adds eight bytes, after a number of bytes that eight divides.
    #[inline]
    pub(crate) fn push_eight(&mut self, bytes: u64) {
        self.state = absorb(self.state, bytes);
        self.length += 8;
    }

    /// Adds fewer than eight bytes at the end, the rest of `bytes` being zero.
    #[inline]
    pub(crate) fn push_last(&mut self, bytes: u64, count: u64) {
        self.chunk = bytes;
        self.length += count;
    }

    /// The hash of everything that was added.
    #[inline]
    pub(crate) fn finish(self) -> Hash {
        let state = if self.length.is_multiple_of(8) && self.length > 0 {
            self.state
        } else {
            absorb(self.state, self.chunk)
        };
        Hash(finish(state, self.length))
    }
}

#[inline]
fn absorb(state: u64, chunk: u64) -> u64 {
    let mixed = (state ^ chunk).wrapping_mul(SECOND);
    mixed ^ (mixed >> 32)
}

#[inline]
fn finish(state: u64, length: u64) -> u64 {
    let mixed = (state ^ length).wrapping_mul(FIRST);
    mixed ^ (mixed >> 29)
}

#[cfg(test)]
mod tests {
    use super::Hash;

    #[test]
    fn short_words_have_the_same_hash_however_it_is_made() {
        let word = b"abcdefghijklmnop";
        for length in 1..=word.len() {
            let mut bytes = [0; 16];
            bytes[..length].copy_from_slice(&word[..length]);
            let bytes = u128::from_le_bytes(bytes);
            assert_eq!(
                Hash::of_sixteen(bytes, length as u32),
                Hash::of(&word[..length])
            );
            if length <= 8 {
                assert_eq!(
                    Hash::of_short(bytes as u64, length as u64),
                    Hash::of(&word[..length])
                );
            }
        }
    }
}
