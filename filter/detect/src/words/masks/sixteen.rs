//! Sixteen bytes at once, with the vectors that the filter's module is built for.

/// One bit for each of sixteen bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sixteen {
    pub(super) word: u16,
    pub(super) upper: u16,
    pub(super) lower: u16,
    pub(super) digit: u16,
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline]
pub(super) fn sixteen(bytes: &[u8; 16]) -> Sixteen {
    use core::arch::wasm32::{
        i8x16_bitmask, i8x16_eq, i64x2, u8x16_lt, u8x16_splat, u8x16_sub, v128_andnot, v128_or,
    };

    let (low, high) = halves(bytes);
    let bytes = i64x2(low.cast_signed(), high.cast_signed());
    let within =
        |bytes, first, count| u8x16_lt(u8x16_sub(bytes, u8x16_splat(first)), u8x16_splat(count));
    let letter = within(v128_or(bytes, u8x16_splat(0x20)), b'a', 26);
    let upper = within(bytes, b'A', 26);
    let digit = within(bytes, b'0', 10);
    let line = i8x16_eq(bytes, u8x16_splat(b'_'));
    Sixteen {
        word: i8x16_bitmask(v128_or(v128_or(letter, digit), line)),
        upper: i8x16_bitmask(upper),
        lower: i8x16_bitmask(v128_andnot(letter, upper)),
        digit: i8x16_bitmask(digit),
    }
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline]
fn halves(bytes: &[u8; 16]) -> (u64, u64) {
    let both = u128::from_le_bytes(*bytes);
    (both as u64, (both >> 64) as u64)
}

/// Elsewhere the compiler makes vectors of the comparisons; a multiplication gathers the bits of eight bytes.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[inline]
pub(super) fn sixteen(bytes: &[u8; 16]) -> Sixteen {
    let within = |byte: u8, first: u8, count: u8| u8::from(byte.wrapping_sub(first) < count);
    let upper = bytes.map(|byte| within(byte, b'A', 26));
    let lower = bytes.map(|byte| within(byte, b'a', 26));
    let digit = bytes.map(|byte| within(byte, b'0', 10));
    let word = bytes.map(|byte| {
        within(byte | 0x20, b'a', 26) | within(byte, b'0', 10) | u8::from(byte == b'_')
    });
    Sixteen {
        word: gathered(word),
        upper: gathered(upper),
        lower: gathered(lower),
        digit: gathered(digit),
    }
}

/// The lowest bits of the bytes, which have no other.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[inline]
fn gathered(bits: [u8; 16]) -> u16 {
    let both = u128::from_le_bytes(bits);
    let eight = |bits: u64| bits.wrapping_mul(0x0102_0408_1020_4080) >> 56;
    (eight(both as u64) | eight((both >> 64) as u64) << 8) as u16
}
