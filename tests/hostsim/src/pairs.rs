//! The serialized pair list in which the ABI carries headers.

/// Header names and values in order.
pub(crate) type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// Writes a pair list: count, sizes, then name, NUL, value, NUL; numbers are little-endian `u32`.
pub(crate) fn serialize(pairs: &Pairs) -> Vec<u8> {
    let number = |size: usize| u32::try_from(size).unwrap().to_le_bytes();
    let mut bytes = number(pairs.len()).to_vec();
    for (name, value) in pairs {
        bytes.extend(number(name.len()));
        bytes.extend(number(value.len()));
    }
    for text in pairs.iter().flat_map(|(name, value)| [name, value]) {
        bytes.extend(text);
        bytes.push(0);
    }
    bytes
}

/// Reads a pair list; nothing when it is not one.
pub(crate) fn parse(bytes: &[u8]) -> Option<Pairs> {
    if bytes.is_empty() {
        return Some(Pairs::new());
    }
    let number = |at: usize| {
        let bytes = bytes.get(at..at.checked_add(4)?)?;
        usize::try_from(u32::from_le_bytes(bytes.try_into().ok()?)).ok()
    };
    let count = number(0)?;
    let mut at = count.checked_mul(8)?.checked_add(4)?;
    let mut text = |size: usize| {
        let found = bytes.get(at..at.checked_add(size)?)?;
        at += size;
        (bytes.get(at) == Some(&0)).then(|| at += 1)?;
        Some(found.to_vec())
    };
    (0..count)
        .map(|pair| Some((text(number(4 + 8 * pair)?)?, text(number(8 + 8 * pair)?)?)))
        .collect()
}

/// Pairs of texts.
pub(crate) fn pairs(texts: &[(&str, &str)]) -> Pairs {
    texts
        .iter()
        .map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()))
        .collect()
}

/// The first value of a header.
pub(crate) fn get<'a>(pairs: &'a Pairs, name: &str) -> Option<&'a str> {
    let (_, value) = pairs.iter().find(|(key, _)| key == name.as_bytes())?;
    std::str::from_utf8(value).ok()
}
