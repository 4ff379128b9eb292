//! Parts of a message as they stand in its text, so that what is not touched keeps its bytes.

use crate::json;
use crate::list::ListError;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;
use std::ops::Range;

/// A message as text.
pub(crate) fn text(message: &[u8]) -> Result<&str, ListError> {
    std::str::from_utf8(message).map_err(|error| ListError::Malformed(error.to_string()))
}

/// A member unless it is null.
pub(crate) fn present(member: Option<&RawValue>) -> Option<&RawValue> {
    member.filter(|member| member.get() != "null")
}

/// The members of an object that have one of `names`, as they stand in the text. A member that comes twice, or
/// whose name only differs in case, is an error: a client might take it for the other. So is `__proto__`, which
/// can give a client members that are not there.
pub(crate) fn members<'a, const N: usize>(
    object: &'a str,
    names: [&str; N],
) -> Result<[Option<&'a RawValue>; N], ListError> {
    struct Pick<'n, const N: usize>([&'n str; N]);

    impl<'de, const N: usize> Visitor<'de> for Pick<'_, N> {
        type Value = ([Option<&'de RawValue>; N], Option<String>);

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut picked = [None; N];
            let mut ambiguous = None;
            while let Some(key) = map.next_key_seed(json::Key)? {
                let at = self.0.iter().position(|name| *name == key);
                if let Some(slot) = at.and_then(|at| picked.get_mut(at)) {
                    if slot.replace(map.next_value()?).is_some() {
                        ambiguous = Some(json::excerpt(&key));
                    }
                } else {
                    map.next_value::<IgnoredAny>()?;
                    if key == json::PROTOTYPE || json::confusable([key.as_ref()], &self.0).is_some()
                    {
                        ambiguous = Some(json::excerpt(&key));
                    }
                }
            }
            Ok((picked, ambiguous))
        }
    }

    let mut deserializer = serde_json::Deserializer::from_str(object);
    let found = deserializer.deserialize_map(Pick(names))?;
    deserializer.end()?;
    match found {
        (_, Some(key)) => Err(ListError::Ambiguous(key)),
        (picked, None) => Ok(picked),
    }
}

/// The entries of an array, as they stand in the text; [`ListError::TooManyEntries`] when there are more than
/// `limit`.
pub(crate) fn entries_of(array: &str, limit: u32) -> Result<Vec<&RawValue>, ListError> {
    struct Entries(usize);

    impl<'de> Visitor<'de> for Entries {
        /// `None`: too many.
        type Value = Option<Vec<&'de RawValue>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array of entries")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut entries = Vec::new();
            let mut count = 0_usize;
            while let Some(entry) = seq.next_element::<&RawValue>()? {
                count += 1;
                if count <= self.0 {
                    entries.push(entry);
                }
            }
            Ok((count <= self.0).then_some(entries))
        }
    }

    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut deserializer = serde_json::Deserializer::from_str(array);
    let entries = deserializer.deserialize_seq(Entries(most))?;
    deserializer.end()?;
    entries.ok_or(ListError::TooManyEntries(limit))
}

/// Where a part that was borrowed from `message` stands in it.
pub(crate) fn span(message: &[u8], part: &RawValue) -> Range<usize> {
    let start = part
        .get()
        .as_ptr()
        .addr()
        .saturating_sub(message.as_ptr().addr());
    start..start.saturating_add(part.get().len())
}

/// The message with other text in some places. No two of them overlap.
pub(crate) fn splice(message: &[u8], mut edits: Vec<(Range<usize>, String)>) -> Vec<u8> {
    edits.sort_by_key(|(range, _)| range.start);
    let mut out = Vec::with_capacity(message.len());
    let mut from = 0;
    for (range, text) in edits {
        out.extend_from_slice(message.get(from..range.start).unwrap_or_default());
        out.extend_from_slice(text.as_bytes());
        from = range.end;
    }
    out.extend_from_slice(message.get(from..).unwrap_or_default());
    out
}
