//! Words that mean something here, by their hash.

use crate::bytes::{Reader, Writer};
use crate::hash::Hash;
use crate::pack::Tag;

/// Bits of the first look: most words are in no lexicon, and one bit says so.
const BLOOM_BITS: u32 = 16;

/// What a word that does not matter for skimming has in a pack.
const NO_INFO: u16 = u16::MAX;

/// An open hash table, with a bitmap before it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Lexicon {
    bloom: Vec<u64>,
    /// A power of two; free ones have no tags.
    slots: Vec<Slot>,
    tags: Vec<Tag>,
    /// A bitmap like the first, of the words that matter for skimming.
    matter: Vec<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Slot {
    hash: u64,
    first: u16,
    count: u16,
    /// What it is for skimming, if anything.
    info: Option<u16>,
}

impl Lexicon {
    pub(crate) fn build(words: &[(Hash, Vec<Tag>)]) -> Self {
        let size = (words.len() * 2).next_power_of_two().max(2);
        let mut lexicon = Self {
            bloom: vec![0; 1 << (BLOOM_BITS - 6)],
            slots: vec![Slot::default(); size],
            tags: Vec::new(),
            matter: vec![0; 1 << (BLOOM_BITS - 6)],
        };
        for (hash, tags) in words {
            let value = hash.value();
            let slot = Slot {
                hash: value,
                first: u16::try_from(lexicon.tags.len()).unwrap_or(u16::MAX),
                count: u16::try_from(tags.len()).unwrap_or(0),
                info: None,
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
        if !self.may_know(hash) {
            return &[];
        }
        self.find(hash).map_or(&[], |slot| self.tags_of(slot))
    }

    /// Whether the word may be something; it is not for most.
    #[inline]
    pub(crate) fn may_know(&self, hash: Hash) -> bool {
        has(&self.bloom, hash)
    }

    /// Whether the word may be something for skimming.
    #[inline(always)]
    pub(crate) fn may_matter(&self, hash: Hash) -> bool {
        has(&self.matter, hash)
    }

    /// What the word is for skimming.
    #[inline]
    pub(crate) fn info(&self, hash: Hash) -> Option<u16> {
        if !self.may_matter(hash) {
            return None;
        }
        self.find(hash)?.info
    }

    /// Says what the word is for skimming.
    pub(crate) fn note(&mut self, hash: Hash, info: u16) {
        let Some(place) = self.place(hash) else {
            return;
        };
        if let Some(slot) = self.slots.get_mut(place) {
            slot.info = Some(info);
        }
        let (cell, bit) = Self::bit(hash.value());
        if let Some(cell) = self.matter.get_mut(cell) {
            *cell |= bit;
        }
    }

    fn tags_of(&self, slot: &Slot) -> &[Tag] {
        let first = usize::from(slot.first);
        let tags = self.tags.get(first..first + usize::from(slot.count));
        tags.unwrap_or_default()
    }

    fn find(&self, hash: Hash) -> Option<&Slot> {
        self.slots.get(self.place(hash)?)
    }

    fn place(&self, hash: Hash) -> Option<usize> {
        let mask = self.slots.len().wrapping_sub(1);
        #[expect(clippy::cast_possible_truncation, reason = "masked to the table")]
        let home = hash.value() as usize & mask;
        for step in 0..self.slots.len() {
            let place = (home + step) & mask;
            match self.slots.get(place) {
                Some(slot) if slot.count > 0 => {
                    if slot.hash == hash.value() {
                        return Some(place);
                    }
                }
                _ => break,
            }
        }
        None
    }

    /// Every word, by its hash, and what it is.
    pub(crate) fn words(&self) -> impl Iterator<Item = (Hash, &[Tag])> {
        let taken = self.slots.iter().filter(|slot| slot.count > 0);
        taken.map(|slot| (Hash::of_value(slot.hash), self.tags_of(slot)))
    }

    /// Whether all that words are is in bounds.
    pub(crate) fn is_sound(&self, classes: u16) -> bool {
        self.tags.iter().all(|tag| tag.class < classes)
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let words = reader.list(|reader| {
            let hash = Hash::of_value(reader.u64()?);
            let info = reader.u16()?;
            Some((hash, info, reader.list(Tag::read)?))
        })?;
        let infos: Vec<_> = words.iter().map(|(hash, info, _)| (*hash, *info)).collect();
        let words: Vec<_> = words
            .into_iter()
            .map(|(hash, _, tags)| (hash, tags))
            .collect();
        let mut lexicon = Self::build(&words);
        for (hash, info) in infos {
            if info != NO_INFO {
                lexicon.note(hash, info);
            }
        }
        Some(lexicon)
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        let taken: Vec<&Slot> = self.slots.iter().filter(|slot| slot.count > 0).collect();
        writer.list(&taken, |writer, slot| {
            writer.u64(slot.hash);
            writer.u16(slot.info.unwrap_or(NO_INFO));
            writer.list(self.tags_of(slot), |writer, tag| tag.write(writer));
        });
    }
}

#[inline(always)]
fn has(bloom: &[u64], hash: Hash) -> bool {
    let (cell, bit) = Lexicon::bit(hash.value());
    bloom.get(cell).is_some_and(|word| word & bit != 0)
}
