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

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[inline]
pub(super) fn sixteen(bytes: &[u8; 16]) -> Sixteen {
    let both = u128::from_le_bytes(*bytes);
    let [low, high] = [eight(both as u64), eight((both >> 64) as u64)];
    let joined = |low: u8, high: u8| u16::from_le_bytes([low, high]);
    Sixteen {
        word: joined(low.0, high.0),
        upper: joined(low.1, high.1),
        lower: joined(low.2, high.2),
        digit: joined(low.3, high.3),
    }
}

/// Elsewhere eight bytes are compared in one number. Not inlined, because the compiler makes vectors of the
/// multiplications, which the usual processors have no instruction for.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[inline(never)]
fn eight(bytes: u64) -> (u8, u8, u8, u8) {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let ascii = !bytes & (ONES << 7);
    let low = bytes & !(ONES << 7);
    // The highest bit of each byte says whether it is as large, since the others cannot overflow into the next.
    let from = |first: u8| low.wrapping_add(ONES * u64::from(0x80 - first));
    let within = |first: u8, last: u8| from(first) & !from(last + 1) & ascii;
    let upper = within(b'A', b'Z');
    let lower = within(b'a', b'z');
    let digit = within(b'0', b'9');
    let line = within(b'_', b'_');
    let gathered = |bits: u64| ((bits >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u8;
    (
        gathered(upper | lower | digit | line),
        gathered(upper),
        gathered(lower),
        gathered(digit),
    )
}

/// One bit for each of sixteen bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Odd {
    /// Backslashes, `&`, `%`, `=`, apostrophes, and what is not ASCII.
    pub(super) odd: u16,
    pub(super) colon: u16,
    pub(super) slash: u16,
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline]
pub(super) fn odd(bytes: &[u8; 16]) -> Odd {
    use core::arch::wasm32::{i8x16_bitmask, i8x16_eq, i64x2, u8x16_splat, v128_or};

    let (low, high) = halves(bytes);
    let bytes = i64x2(low.cast_signed(), high.cast_signed());
    let is = |byte| i8x16_eq(bytes, u8x16_splat(byte));
    // The highest bit is what the mask is made of.
    let odd = v128_or(
        v128_or(v128_or(is(b'\\'), is(b'&')), v128_or(is(b'%'), is(b'='))),
        v128_or(is(b'\''), bytes),
    );
    Odd {
        odd: i8x16_bitmask(odd),
        colon: i8x16_bitmask(is(b':')),
        slash: i8x16_bitmask(is(b'/')),
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[inline]
pub(super) fn odd(bytes: &[u8; 16]) -> Odd {
    let both = u128::from_le_bytes(*bytes);
    let [low, high] = [odd_eight(both as u64), odd_eight((both >> 64) as u64)];
    let joined = |low: u8, high: u8| u16::from_le_bytes([low, high]);
    Odd {
        odd: joined(low.0, high.0),
        colon: joined(low.1, high.1),
        slash: joined(low.2, high.2),
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[inline(never)]
fn odd_eight(bytes: u64) -> (u8, u8, u8) {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let low = bytes & !(ONES << 7);
    // The highest bit of each byte says whether it is the one, since the others cannot overflow into the next.
    let is = |byte: u8| !((low ^ (ONES * u64::from(byte))) + ONES * 0x7F) & (ONES << 7) & !bytes;
    let odd = is(b'\\') | is(b'&') | is(b'%') | is(b'=') | is(b'\'') | (bytes & (ONES << 7));
    let gathered = |bits: u64| ((bits >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u8;
    (gathered(odd), gathered(is(b':')), gathered(is(b'/')))
}
