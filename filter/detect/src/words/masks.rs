//! What the bytes of a block are, one bit each.

mod sixteen;

use sixteen::sixteen;

/// Bytes of a block.
pub(super) const BLOCK: usize = 64;

/// One bit for each byte of a block, the first the lowest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Masks {
    /// Letters, digits and underscores.
    pub(super) word: u64,
    pub(super) upper: u64,
    pub(super) lower: u64,
    pub(super) digit: u64,
}

impl Masks {
    /// Of a block.
    #[inline]
    pub(super) fn of(block: &[u8; BLOCK]) -> Self {
        let mut masks = Self::default();
        let (quarters, _) = block.as_chunks::<16>();
        for (nth, quarter) in quarters.iter().enumerate() {
            let of = sixteen(quarter);
            let place = 16 * nth;
            masks.word |= u64::from(of.word) << place;
            masks.upper |= u64::from(of.upper) << place;
            masks.lower |= u64::from(of.lower) << place;
            masks.digit |= u64::from(of.digit) << place;
        }
        masks
    }
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, Masks};

    fn one_by_one(block: &[u8; BLOCK]) -> Masks {
        let mask = |fits: fn(&u8) -> bool| {
            let bits = block.iter().enumerate();
            bits.fold(0, |mask, (place, byte)| {
                mask | u64::from(fits(byte)) << place
            })
        };
        Masks {
            word: mask(|byte| byte.is_ascii_alphanumeric() || *byte == b'_'),
            upper: mask(u8::is_ascii_uppercase),
            lower: mask(u8::is_ascii_lowercase),
            digit: mask(u8::is_ascii_digit),
        }
    }

    #[test]
    fn every_byte_at_every_place() {
        for first in 0..=u8::MAX {
            for stride in [0_u8, 1, 7, 101] {
                let mut block = [0; BLOCK];
                for (nth, byte) in (0..).zip(&mut block) {
                    *byte = first.wrapping_add(stride.wrapping_mul(nth));
                }
                assert_eq!(Masks::of(&block), one_by_one(&block), "{block:?}");
            }
        }
    }
}
