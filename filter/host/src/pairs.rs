//! The serialized pair list in which the ABI carries headers.
//!
//! Layout, all integers little-endian `u32`: count, then (name length, value length) per pair, then
//! name, NUL, value, NUL per pair.

/// Pairs beyond this are refused; Envoy's own default limit is 100 headers.
const MAX_PAIRS: usize = 4096;

/// Header names and values as raw bytes, in order, repeated headers included: the list as the host gave it,
/// which was found to be whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderPairs(Vec<u8>);

impl HeaderPairs {
    /// These pairs.
    pub fn of<T: AsRef<[u8]>>(pairs: &[(T, T)]) -> Self {
        Self(serialize(pairs))
    }

    /// All pairs in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let (count, sizes, data) = parts(&self.0).unwrap_or_default();
        Pairs { count, sizes, data }
    }

    /// Values of a header; `name` in lower case.
    pub fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.iter()
            .filter(move |(key, _)| key.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// The only value of a header; nothing when it is absent or repeated.
    pub fn single(&self, name: &str) -> Option<&[u8]> {
        let mut values = self.values(name);
        match (values.next(), values.next()) {
            (Some(value), None) => Some(value),
            _ => None,
        }
    }
}

/// Takes a pair list. Nothing when it is cut, or names lengths that are not there.
pub fn parse(bytes: Vec<u8>) -> Option<HeaderPairs> {
    if bytes.is_empty() {
        return Some(HeaderPairs::default());
    }
    let (count, sizes, data) = parts(&bytes)?;
    let whole = Pairs { count, sizes, data }.count() == count;
    whole.then_some(HeaderPairs(bytes))
}

/// How many pairs, their lengths, their texts.
fn parts(bytes: &[u8]) -> Option<(usize, &[u8], &[u8])> {
    let (count, rest) = split_u32(bytes)?;
    if count > MAX_PAIRS {
        return None;
    }
    let (sizes, data) = rest.split_at_checked(count.checked_mul(8)?)?;
    Some((count, sizes, data))
}

/// The pairs that are left of a list. It ends early when one is cut.
struct Pairs<'a> {
    count: usize,
    sizes: &'a [u8],
    data: &'a [u8],
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        self.count = self.count.checked_sub(1)?;
        let (name_size, sizes) = split_u32(self.sizes)?;
        let (value_size, sizes) = split_u32(sizes)?;
        let (name, data) = split_terminated(self.data, name_size)?;
        let (value, data) = split_terminated(data, value_size)?;
        (self.sizes, self.data) = (sizes, data);
        Some((name, value))
    }
}

/// Writes a pair list.
pub fn serialize<T: AsRef<[u8]>>(pairs: &[(T, T)]) -> Vec<u8> {
    let texts = || {
        pairs
            .iter()
            .map(|(name, value)| (name.as_ref(), value.as_ref()))
    };
    let size = texts()
        .map(|(name, value)| name.len() + value.len() + 10)
        .sum::<usize>();
    let mut bytes = Vec::with_capacity(size + 4);
    push_u32(&mut bytes, pairs.len());
    for (name, value) in texts() {
        push_u32(&mut bytes, name.len());
        push_u32(&mut bytes, value.len());
    }
    for (name, value) in texts() {
        bytes.extend_from_slice(name);
        bytes.push(0);
        bytes.extend_from_slice(value);
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
        let pairs = parse(bytes.clone()).unwrap();
        assert_eq!(pairs.single(":path"), Some(b"/mcp".as_slice()));
        assert_eq!(pairs.single("empty"), Some(b"".as_slice()));
    }

    #[test]
    fn refuses_what_is_cut() {
        let bytes = serialize(&[("a", "b"), ("c", "d")]);
        for end in 1..bytes.len() {
            assert_eq!(parse(bytes[..end].to_vec()), None, "cut at {end}");
        }
        assert_eq!(parse(u32::MAX.to_le_bytes().to_vec()), None);
    }

    #[test]
    fn keeps_bytes_that_are_not_text() {
        let mut bytes = serialize(&[("x-bad", "?")]);
        let at = bytes.len() - 2;
        bytes[at] = 0xff;
        assert_eq!(
            parse(bytes.clone()).unwrap().single("x-bad"),
            Some([0xff].as_slice())
        );
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Some(pairs) = parse(bytes) {
                let again: Vec<_> = pairs.iter().collect();
                let copy = parse(serialize(&again)).unwrap();
                prop_assert_eq!(copy.iter().collect::<Vec<_>>(), again);
            }
        }
    }
}
