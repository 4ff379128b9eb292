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

    /// Of a word in plain ASCII, whose capitals are read as small letters; and its last three letters, or fewer.
    #[inline(always)]
    pub(crate) fn of_ascii(text: &[u8], start: usize, end: usize) -> (Self, u32) {
        let length = end.wrapping_sub(start);
        if length <= 8 {
            let bytes = small(eight(text, start)) & low_bytes(length);
            let last = bytes >> (8 * length.saturating_sub(3));
            return (
                Self::of_short(bytes, length as u64),
                last as u32 & 0xFF_FFFF,
            );
        }
        let last = small(eight(text, end - 3)) & 0xFF_FFFF;
        (Self::of_long(text, start, end), last as u32)
    }

    #[inline(never)]
    fn of_long(text: &[u8], start: usize, end: usize) -> Self {
        let mut hasher = Hasher::default();
        let mut at = start;
        while end - at >= 8 {
            hasher.push_eight(small(eight(text, at)));
            at += 8;
        }
        if at < end {
            let left = end - at;
            hasher.push_last(small(eight(text, at)) & low_bytes(left), left as u64);
        }
        hasher.finish()
    }

    /// The hash of this value.
    pub(crate) fn of_value(value: u64) -> Self {
        Self(value)
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

/// Capitals of eight letters, digits and underscores as small letters.
#[inline(always)]
fn small(bytes: u64) -> u64 {
    let low = bytes | 0x2020_2020_2020_2020;
    // Underscores have become the only bytes of seven ones.
    let lines = (low & 0x7F7F_7F7F_7F7F_7F7F).wrapping_add(0x0101_0101_0101_0101);
    low & !((lines & 0x8080_8080_8080_8080) >> 2)
}

/// Eight bytes from there on, zeros after the end.
#[inline(always)]
fn eight(text: &[u8], at: usize) -> u64 {
    let rest = text.get(at..).unwrap_or_default();
    match rest.first_chunk::<8>() {
        Some(bytes) => u64::from_le_bytes(*bytes),
        None => last(rest),
    }
}

#[inline(never)]
fn last(rest: &[u8]) -> u64 {
    rest.iter()
        .rev()
        .fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// A mask of so many bytes, at most eight.
#[inline(always)]
fn low_bytes(count: usize) -> u64 {
    u64::MAX >> (64 - 8 * count.clamp(1, 8))
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
