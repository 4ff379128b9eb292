//! Base64, as far as a mark needs it.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// With padding.
pub(super) fn encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let [a, b, c] = [0, 1, 2].map(|at| u32::from(chunk.get(at).copied().unwrap_or(0)));
        let bits = (a << 16) | (b << 8) | c;
        for digit in 0..4 {
            let index = (bits >> (18 - 6 * digit)) & 63;
            out.push(match ALPHABET.get(index as usize) {
                Some(letter) if digit <= chunk.len() => char::from(*letter),
                _ => '=',
            });
        }
    }
    out
}
