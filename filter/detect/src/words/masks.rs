//! What the bytes of a block are, one bit each.

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
    /// Spaces and control characters.
    pub(super) space: u64,
}

const WORD: u8 = 1;
const UPPER: u8 = 2;
const LOWER: u8 = 4;
const DIGIT: u8 = 8;
const SPACE: u8 = 16;

const KINDS: [u8; 256] = kinds();

const fn kinds() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0_u8;
    loop {
        #[expect(clippy::indexing_slicing, reason = "evaluated at compile time")]
        {
            table[byte as usize] = match byte {
                b'a'..=b'z' => WORD | LOWER,
                b'A'..=b'Z' => WORD | UPPER,
                b'0'..=b'9' => WORD | DIGIT,
                b'_' => WORD,
                0..=b' ' | 127 => SPACE,
                _ => 0,
            };
        }
        if byte == u8::MAX {
            return table;
        }
        byte += 1;
    }
}

impl Masks {
    /// Of a block.
    #[inline]
    pub(super) fn of(block: &[u8; BLOCK]) -> Self {
        let mut masks = Self::default();
        for (place, byte) in block.iter().enumerate() {
            let kind = KINDS.get(usize::from(*byte)).copied().unwrap_or(0);
            let bit = |of: u8| u64::from(kind & of != 0) << place;
            masks.word |= bit(WORD);
            masks.upper |= bit(UPPER);
            masks.lower |= bit(LOWER);
            masks.digit |= bit(DIGIT);
            masks.space |= bit(SPACE);
        }
        masks
    }
}
