//! The serialized pair list in which the ABI carries headers.
//!
//! Layout, all integers little-endian `u32`: count, then (name length, value length) per pair, then
//! name, NUL, value, NUL per pair.

use crate::host::HeaderPairs;

/// Pairs beyond this are refused; Envoy's own default limit is 100 headers.
const MAX_PAIRS: usize = 4096;

/// Reads a pair list. Nothing when it is cut, or names lengths that are not there.
pub fn parse(bytes: &[u8]) -> Option<HeaderPairs> {
    if bytes.is_empty() {
        return Some(HeaderPairs::default());
    }
    let (count, rest) = split_u32(bytes)?;
    if count > MAX_PAIRS {
        return None;
    }
    let (mut sizes, mut data) = rest.split_at_checked(count.checked_mul(8)?)?;
    let mut pairs = Vec::with_capacity(count);
    for _ in 0..count {
        let (name_size, more) = split_u32(sizes)?;
        let (value_size, more) = split_u32(more)?;
        sizes = more;
        let (name, more) = split_terminated(data, name_size)?;
        let (value, more) = split_terminated(more, value_size)?;
        data = more;
        pairs.push((name.to_vec(), value.to_vec()));
    }
    Some(HeaderPairs(pairs))
}

/// Writes a pair list.
pub fn serialize(pairs: &[(&str, &str)]) -> Vec<u8> {
    let size = pairs
        .iter()
        .map(|(name, value)| name.len() + value.len() + 10)
        .sum::<usize>();
    let mut bytes = Vec::with_capacity(size + 4);
    push_u32(&mut bytes, pairs.len());
    for (name, value) in pairs {
        push_u32(&mut bytes, name.len());
        push_u32(&mut bytes, value.len());
    }
    for (name, value) in pairs {
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(value.as_bytes());
        bytes.push(0);
    }
    bytes
}

fn push_u32(bytes: &mut Vec<u8>, value: usize) {
    // Lengths of our own headers; one that does not fit makes a list that the host refuses.
    let value = u32::try_from(value).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&value.to_le_bytes());
}

fn split_u32(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    Some((usize::try_from(u32::from_le_bytes(*head)).ok()?, rest))
}

fn split_terminated(bytes: &[u8], size: usize) -> Option<(&[u8], &[u8])> {
    let (value, rest) = bytes.split_at_checked(size)?;
    let (_, rest) = rest.split_first()?;
    Some((value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_it_writes() {
        let bytes = serialize(&[(":path", "/mcp"), ("empty", "")]);
        let pairs = parse(&bytes).unwrap();
        assert_eq!(pairs.single(":path"), Some(b"/mcp".as_slice()));
        assert_eq!(pairs.single("empty"), Some(b"".as_slice()));
    }

    #[test]
    fn refuses_what_is_cut() {
        let bytes = serialize(&[("a", "b"), ("c", "d")]);
        for end in 1..bytes.len() {
            assert_eq!(parse(&bytes[..end]), None, "cut at {end}");
        }
        assert_eq!(parse(&u32::MAX.to_le_bytes()), None);
    }

    #[test]
    fn keeps_bytes_that_are_not_text() {
        let mut bytes = serialize(&[("x-bad", "?")]);
        let at = bytes.len() - 2;
        bytes[at] = 0xff;
        assert_eq!(
            parse(&bytes).unwrap().single("x-bad"),
            Some([0xff].as_slice())
        );
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }
    }
}
