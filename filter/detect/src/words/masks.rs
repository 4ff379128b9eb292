//! What the bytes of a block are, one bit each.

mod sixteen;

use sixteen::{odd, sixteen};

use crate::flag::{CAMEL, DIGIT, LOWER, UNDERSCORE, UPPER};

/// Bytes of a block.
pub(crate) const BLOCK: usize = 64;

/// One bit for each byte of a block, the first the lowest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Masks {
    /// Letters, digits and underscores.
    pub(crate) word: u64,
    pub(crate) upper: u64,
    pub(crate) lower: u64,
    pub(crate) digit: u64,
}

impl Masks {
    /// Of a block.
    #[inline]
    pub(crate) fn of(block: &[u8; BLOCK]) -> Self {
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

impl Masks {
    /// What a word in plain ASCII is like, whose bytes are these.
    #[inline(always)]
    pub(crate) fn flags(&self, word: u64) -> u8 {
        let lower = self.lower & word;
        if lower == word {
            return LOWER;
        }
        let (upper, digit) = (self.upper & word, self.digit & word);
        let mut flags = 0;
        if lower != 0 {
            flags |= LOWER;
            if upper > (lower & lower.wrapping_neg()) {
                flags |= CAMEL;
            }
        } else if upper != 0 {
            flags |= UPPER;
        }
        if digit != 0 {
            flags |= DIGIT;
        }
        if upper | lower | digit != word {
            flags |= UNDERSCORE;
        }
        flags
    }
}

/// The block that the text begins with and how much of it is text; at its end it is put into `padded`, which is of
/// spaces.
#[inline(always)]
pub(crate) fn block<'t>(text: &'t [u8], padded: &'t mut [u8; BLOCK]) -> (&'t [u8; BLOCK], usize) {
    if let Some(block) = text.first_chunk() {
        return (block, BLOCK);
    }
    padded
        .iter_mut()
        .zip(text)
        .for_each(|(place, byte)| *place = *byte);
    (padded, text.len())
}

/// How long the word in plain ASCII is that the text begins with.
pub(crate) fn word_length(text: &[u8]) -> usize {
    text.iter().take_while(|byte| is_word(**byte)).count()
}

/// Whether the byte is part of words in plain ASCII.
#[inline(always)]
pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// One bit for each byte that may be the beginning of something that is not what it looks like: what is written as
/// something else, apostrophes, addresses.
#[inline]
pub(crate) fn odd_bytes(block: &[u8; BLOCK]) -> u64 {
    let (mut mask, mut colons, mut slashes) = (0, 0, 0);
    let (quarters, _) = block.as_chunks::<16>();
    for (nth, quarter) in quarters.iter().enumerate() {
        let of = odd(quarter);
        let place = 16 * nth;
        mask |= u64::from(of.odd) << place;
        colons |= u64::from(of.colon) << place;
        slashes |= u64::from(of.slash) << place;
    }
    // What stands behind the last two bytes is not known here.
    let address = (slashes >> 1 | 1 << 63) & (slashes >> 2 | 3 << 62);
    mask | (colons & address)
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
