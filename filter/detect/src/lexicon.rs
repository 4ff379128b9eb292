//! Words that mean something here, by their hash.

use crate::bytes::{Reader, Writer};
use crate::hash::Hash;
use crate::pack::Tag;

/// Bits of the first look: most words are in no lexicon, and one bit says so.
const BLOOM_BITS: u32 = 16;

/// An open hash table, with a bitmap before it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Lexicon {
    bloom: Vec<u64>,
    /// A power of two; free ones have no tags.
    slots: Vec<Slot>,
    tags: Vec<Tag>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Slot {
    hash: u64,
    first: u16,
    count: u16,
}

impl Lexicon {
    pub(crate) fn build(words: &[(Hash, Vec<Tag>)]) -> Self {
        let size = (words.len() * 2).next_power_of_two().max(2);
        let mut lexicon = Self {
            bloom: vec![0; 1 << (BLOOM_BITS - 6)],
            slots: vec![Slot::default(); size],
            tags: Vec::new(),
        };
        for (hash, tags) in words {
            let value = hash.value();
            let slot = Slot {
                hash: value,
                first: u16::try_from(lexicon.tags.len()).unwrap_or(u16::MAX),
                count: u16::try_from(tags.len()).unwrap_or(0),
            };
            lexicon.tags.extend_from_slice(tags);
            lexicon.insert(slot);
        }
        lexicon
    }

    fn insert(&mut self, slot: Slot) {
        let (cell, bit) = Self::bit(slot.hash);
        if let Some(cell) = self.bloom.get_mut(cell) {
            *cell |= bit;
        }
        let mask = self.slots.len().wrapping_sub(1);
        #[expect(clippy::cast_possible_truncation, reason = "masked to the table")]
        let home = slot.hash as usize & mask;
        for step in 0..self.slots.len() {
            match self.slots.get_mut((home + step) & mask) {
                Some(place) if place.count == 0 => {
                    *place = slot;
                    return;
                }
                _ => {}
            }
        }
    }

    #[inline]
    fn bit(hash: u64) -> (usize, u64) {
        let top = hash >> (64 - BLOOM_BITS);
        let cell = (top >> 6) as usize;
        (cell, 1 << (top & 63))
    }

    /// What the word is; nothing for most.
    #[inline]
    pub(crate) fn tags(&self, hash: Hash) -> &[Tag] {
        if self.may_know(hash) {
            self.find(hash.value())
        } else {
            &[]
        }
    }

    /// Whether the word may be something; it is not for most.
    #[inline]
    pub(crate) fn may_know(&self, hash: Hash) -> bool {
        let (cell, bit) = Self::bit(hash.value());
        self.bloom.get(cell).is_some_and(|word| word & bit != 0)
    }

    fn find(&self, value: u64) -> &[Tag] {
        let mask = self.slots.len().wrapping_sub(1);
        #[expect(clippy::cast_possible_truncation, reason = "masked to the table")]
        let home = value as usize & mask;
        for step in 0..self.slots.len() {
            match self.slots.get((home + step) & mask) {
                Some(slot) if slot.count > 0 => {
                    if slot.hash == value {
                        let first = usize::from(slot.first);
                        let end = first + usize::from(slot.count);
                        return self.tags.get(first..end).unwrap_or_default();
                    }
                }
                _ => break,
            }
        }
        &[]
    }

    /// Every word, by its hash, and what it is.
    pub(crate) fn words(&self) -> impl Iterator<Item = (Hash, &[Tag])> {
        let taken = self.slots.iter().filter(|slot| slot.count > 0);
        taken.map(|slot| {
            let first = usize::from(slot.first);
            let tags = self.tags.get(first..first + usize::from(slot.count));
            (Hash::of_value(slot.hash), tags.unwrap_or_default())
        })
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            bloom: reader.list(Reader::u64)?,
            slots: reader.list(|reader| {
                Some(Slot {
                    hash: reader.u64()?,
                    first: reader.u16()?,
                    count: reader.u16()?,
                })
            })?,
            tags: reader.list(|reader| {
                Some(Tag {
                    class: reader.u16()?,
                    need: reader.u8()?,
                    before: reader.u8()?,
                    after: reader.u8()?,
                })
            })?,
        })
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.list(&self.bloom, |writer, cell| writer.u64(*cell));
        writer.list(&self.slots, |writer, slot| {
            writer.u64(slot.hash);
            writer.u16(slot.first);
            writer.u16(slot.count);
        });
        writer.list(&self.tags, |writer, tag| {
            writer.u16(tag.class);
            writer.u8(tag.need);
            writer.u8(tag.before);
            writer.u8(tag.after);
        });
    }

    /// Whether every index is in bounds and a search ends soon.
    pub(crate) fn is_sound(&self, classes: u16) -> bool {
        let free = self.slots.iter().filter(|slot| slot.count == 0).count();
        self.bloom.len() == 1 << (BLOOM_BITS - 6)
            && self.slots.len().is_power_of_two()
            && free * 2 >= self.slots.len()
            && self.tags.iter().all(|tag| tag.class < classes)
    }
}
