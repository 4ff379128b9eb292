//! The usual answer of a server, told in one pass.

use crate::answer::{Outcome, read_id};
use crate::json::Key;
use crate::message::Id;
use crate::tasks::may_have_id;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// A result with nothing in it that a gateway has to look at: no list, no task, nothing that could be taken for
/// one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plain {
    /// The id of the request that it answers.
    pub id: Id,
    /// How it ends that request: [`Outcome::Ok`] or [`Outcome::ToolError`].
    pub outcome: Outcome,
}

/// Reads a message that is a plain result, as most answers are. `None` says nothing: such a message is for
/// [`crate::answer()`] and the others, which take several passes, and would find nothing in a plain one:
/// [`crate::resource_updated`] and [`crate::tasks::seal`] give `None` for it, and no list is in it.
#[must_use]
pub fn plain(message: &[u8]) -> Option<Plain> {
    let text = std::str::from_utf8(message).ok()?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let found = deserializer.deserialize_map(Envelope).ok()?;
    deserializer.end().ok()?;
    Some(found)
}

/// Takes the members `jsonrpc`, `id` and `result`, each at most once, and no other.
struct Envelope;

impl<'de> Visitor<'de> for Envelope {
    type Value = Plain;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a plain result")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Plain, A::Error> {
        let (mut version, mut id, mut outcome) = (None, None, None);
        while let Some(key) = map.next_key_seed(Key)? {
            let again = match key.as_ref() {
                "jsonrpc" => version.replace(map.next_value::<IgnoredAny>()?).is_some(),
                "id" => id.replace(map.next_value::<&RawValue>()?).is_some(),
                "result" => outcome.replace(map.next_value_seed(Members)?).is_some(),
                _ => true,
            };
            if again {
                return Err(not_plain());
            }
        }
        let id = id.and_then(read_id).ok_or_else(not_plain)?;
        let outcome = outcome.ok_or_else(not_plain)?;
        Ok(Plain { id, outcome })
    }
}

/// Takes the members of a result that say how it ended, and those that are content, each at most once.
struct Members;

/// Members that a result of a tool, a resource or a prompt has, and that say nothing to a gateway.
const CONTENT: [&str; 5] = [
    "content",
    "structuredContent",
    "contents",
    "messages",
    "description",
];

impl<'de> DeserializeSeed<'de> for Members {
    type Value = Outcome;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Outcome, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Members {
    type Value = Outcome;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a plain result")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Outcome, A::Error> {
        let (mut failed, mut kind, mut meta) = (None, None, None);
        let mut content = [false; CONTENT.len()];
        while let Some(key) = map.next_key_seed(Key)? {
            let again = match key.as_ref() {
                "isError" => failed.replace(map.next_value::<bool>()?).is_some(),
                "resultType" => kind.replace(map.next_value_seed(Key)?).is_some(),
                "_meta" => meta.replace(map.next_value::<&RawValue>()?).is_some(),
                name => {
                    let at = CONTENT.iter().position(|known| *known == name);
                    map.next_value::<IgnoredAny>()?;
                    let slot = at.and_then(|at| content.get_mut(at));
                    slot.is_none_or(|seen| std::mem::replace(seen, true))
                }
            };
            if again {
                return Err(not_plain());
            }
        }
        let complete = kind.is_none_or(|kind| kind == "complete");
        if !complete || meta.is_some_and(|meta| may_have_id(meta.get().as_bytes())) {
            return Err(not_plain());
        }
        Ok(match failed {
            Some(true) => Outcome::ToolError,
            Some(false) | None => Outcome::Ok,
        })
    }
}

fn not_plain<E: Error>() -> E {
    E::custom("not plain")
}
