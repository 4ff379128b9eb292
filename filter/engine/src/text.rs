//! Many short texts in one allocation.
//!
//! A policy of thousands of rules is mostly texts. Apart from one another they would cost an allocation
//! each, and each decision a walk through far memory.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use rustc_hash::FxBuildHasher;

/// Texts by number.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    text: String,
    ends: Vec<u32>,
}

impl Texts {
    pub(crate) fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.ends.push(position(self.text.len()));
    }

    pub(crate) fn get(&self, number: u32) -> &str {
        let number = number as usize;
        let end = self.ends.get(number).copied().unwrap_or_default() as usize;
        let before = number
            .checked_sub(1)
            .and_then(|before| self.ends.get(before));
        let start = before.copied().unwrap_or_default() as usize;
        self.text.get(start..end).unwrap_or_default()
    }
}

/// A map with texts, or parts of texts, as keys.
#[derive(Debug)]
pub(crate) struct TextMap<V> {
    slots: HashTable<Slot<V>>,
    keys: Vec<u8>,
}

#[derive(Debug)]
struct Slot<V> {
    start: u32,
    length: u32,
    value: V,
}

impl<V> Default for TextMap<V> {
    fn default() -> Self {
        Self {
            slots: HashTable::new(),
            keys: Vec::new(),
        }
    }
}

impl<V> TextMap<V> {
    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<&V> {
        let Self { slots, keys } = self;
        slots
            .find(hash(key), |slot| slot.key(keys) == key)
            .map(|slot| &slot.value)
    }

    /// The value of a key; `new` makes one for a key that is not there yet.
    pub(crate) fn get_or_insert_with(&mut self, key: &[u8], new: impl FnOnce() -> V) -> &mut V {
        let Self { slots, keys } = self;
        let hash = hash(key);
        let entry = slots.entry(
            hash,
            |slot| slot.key(keys) == key,
            |slot| self::hash(slot.key(keys)),
        );
        let slot = match entry {
            Entry::Occupied(slot) => slot.into_mut(),
            Entry::Vacant(vacant) => {
                let start = position(keys.len());
                keys.extend_from_slice(key);
                vacant
                    .insert(Slot {
                        start,
                        length: position(key.len()),
                        value: new(),
                    })
                    .into_mut()
            }
        };
        &mut slot.value
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.slots.iter_mut().map(|slot| &mut slot.value)
    }
}

impl<V> Slot<V> {
    fn key<'a>(&self, keys: &'a [u8]) -> &'a [u8] {
        let start = self.start as usize;
        keys.get(start..start.saturating_add(self.length as usize))
            .unwrap_or_default()
    }
}

fn hash(key: &[u8]) -> u64 {
    FxBuildHasher.hash_one(key)
}

/// Positions fit, since [`crate::ServerPolicy::new`] bounds the texts of a policy.
fn position(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_keep_their_numbers() {
        let mut texts = Texts::default();
        for text in ["a", "", "bc"] {
            texts.push(text);
        }
        assert_eq!(
            [0, 1, 2, 3].map(|number| texts.get(number)),
            ["a", "", "bc", ""]
        );
        assert_eq!(Texts::default().get(0), "");
    }

    #[test]
    fn a_map_keeps_the_first_value() {
        let mut map = TextMap::default();
        for round in 0..2 {
            for number in 0..1000 {
                let key = format!("key{number}");
                assert_eq!(
                    *map.get_or_insert_with(key.as_bytes(), || number + round),
                    number
                );
            }
        }
        assert_eq!(map.get(b"key7"), Some(&7));
        assert_eq!(map.get(b"key"), None);
        assert_eq!(map.get(b""), None);
        map.values_mut().for_each(|value| *value += 1);
        assert_eq!(map.get(b"key7"), Some(&8));
    }
}
