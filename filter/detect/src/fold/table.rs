//! A table of two levels: blocks of 64 characters, each kept once.

use std::collections::HashMap;

use super::{Folded, MAX_TEXT};

/// Characters below this are in the table.
const END: u32 = 0x2_0000;
const BLOCK: usize = 64;
const BLOCKS: usize = END as usize / BLOCK;

/// Entries below this stand for themselves; the others are numbers of readings.
const FIRST_READING: u16 = 8;
const SEPARATOR: u16 = 0;
const LETTER: u16 = 1;
const IDEOGRAPH: u16 = 2;
const INVISIBLE: u16 = 3;
const MARK: u16 = 4;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Table {
    /// Number of the block of each 64 characters; empty in a table of nothing.
    blocks: Vec<u16>,
    entries: Vec<u16>,
    readings: Vec<Reading>,
    text: String,
}

/// Two pieces of `text`, one after the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Reading {
    start: u16,
    plain: u8,
    confusable: u8,
}

/// Bytes that are no table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the table of characters is damaged; let control push it again")]
pub struct FoldError;

impl Table {
    pub(super) fn build<'a>(entries: impl IntoIterator<Item = (char, Folded<'a>)>) -> Self {
        let mut flat = vec![SEPARATOR; END as usize];
        let mut table = Self::default();
        let mut known = HashMap::new();
        for (character, folded) in entries {
            let entry = match folded {
                Folded::Letter => LETTER,
                Folded::Ideograph => IDEOGRAPH,
                Folded::Separator | Folded::Tag(_) => SEPARATOR,
                Folded::Invisible => INVISIBLE,
                Folded::Mark => MARK,
                Folded::Text { plain, confusable } => *known
                    .entry((plain.to_owned(), confusable.to_owned()))
                    .or_insert_with(|| table.add(plain, confusable).unwrap_or(LETTER)),
            };
            if let Some(place) = flat.get_mut(u32::from(character) as usize) {
                *place = entry;
            }
        }
        let mut numbers = HashMap::new();
        for block in flat.chunks(BLOCK) {
            let next = numbers.len();
            let number = *numbers.entry(block.to_vec()).or_insert_with(|| {
                table.entries.extend_from_slice(block);
                next
            });
            // There are 2,048 blocks at most.
            table.blocks.push(u16::try_from(number).unwrap_or(0));
        }
        table
    }

    /// The entry of a new reading; none when it is no reading or the table is full.
    fn add(&mut self, plain: &str, confusable: &str) -> Option<u16> {
        if plain.is_empty() || plain.len() > MAX_TEXT || confusable.len() > MAX_TEXT {
            return None;
        }
        let number = u16::try_from(self.readings.len()).ok()?;
        let entry = number.checked_add(FIRST_READING)?;
        self.readings.push(Reading {
            start: u16::try_from(self.text.len()).ok()?,
            plain: u8::try_from(plain.len()).ok()?,
            confusable: u8::try_from(confusable.len()).ok()?,
        });
        self.text.push_str(plain);
        self.text.push_str(confusable);
        Some(entry)
    }

    pub(super) fn get(&self, code: u32) -> Folded<'_> {
        let code = code as usize;
        let entry = self
            .blocks
            .get(code / BLOCK)
            .and_then(|&block| self.entries.get(usize::from(block) * BLOCK + code % BLOCK));
        match entry.copied().unwrap_or(SEPARATOR) {
            LETTER => Folded::Letter,
            IDEOGRAPH => Folded::Ideograph,
            INVISIBLE => Folded::Invisible,
            MARK => Folded::Mark,
            entry => self.reading(entry).unwrap_or(Folded::Separator),
        }
    }

    fn reading(&self, entry: u16) -> Option<Folded<'_>> {
        let number = entry.checked_sub(FIRST_READING)?;
        let reading = self.readings.get(usize::from(number))?;
        let start = usize::from(reading.start);
        let middle = start + usize::from(reading.plain);
        let end = middle + usize::from(reading.confusable);
        Some(Folded::Text {
            plain: self.text.get(start..middle)?,
            confusable: self.text.get(middle..end)?,
        })
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for count in [self.blocks.len(), self.entries.len(), self.readings.len()] {
            // Each is below 2^17 by the size of the table.
            bytes.extend_from_slice(&u32::try_from(count).unwrap_or(0).to_le_bytes());
        }
        for number in self.blocks.iter().chain(&self.entries) {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        for reading in &self.readings {
            bytes.extend_from_slice(&reading.start.to_le_bytes());
            bytes.extend_from_slice(&[reading.plain, reading.confusable]);
        }
        bytes.extend_from_slice(self.text.as_bytes());
        bytes
    }

    pub(super) fn load(bytes: &[u8]) -> Result<Self, FoldError> {
        let (counts, rest) = bytes.split_at_checked(12).ok_or(FoldError)?;
        let mut counts = counts.chunks_exact(4).map(|count| {
            let count = <[u8; 4]>::try_from(count).map_or(0, u32::from_le_bytes);
            usize::try_from(count).unwrap_or(usize::MAX)
        });
        let mut count = || counts.next().ok_or(FoldError);
        let (blocks, entries, readings) = (count()?, count()?, count()?);
        let (blocks, rest) = split(rest, blocks, 2)?;
        let (entries, rest) = split(rest, entries, 2)?;
        let (readings, text) = split(rest, readings, 4)?;
        let table = Self {
            blocks: numbers(blocks),
            entries: numbers(entries),
            readings: readings
                .chunks_exact(4)
                .filter_map(|reading| <[u8; 4]>::try_from(reading).ok())
                .map(|[low, high, plain, confusable]| Reading {
                    start: u16::from_le_bytes([low, high]),
                    plain,
                    confusable,
                })
                .collect(),
            text: String::from_utf8(text.to_vec()).map_err(|_| FoldError)?,
        };
        table.holds_together().then_some(table).ok_or(FoldError)
    }

    /// Whether every number in it points at something.
    fn holds_together(&self) -> bool {
        let blocks = self.entries.len() / BLOCK;
        (self.blocks.is_empty() || self.blocks.len() == BLOCKS)
            && self.entries.len().is_multiple_of(BLOCK)
            && self.blocks.iter().all(|&block| usize::from(block) < blocks)
            && self
                .entries
                .iter()
                .all(|&entry| entry < FIRST_READING || self.reading(entry).is_some())
    }
}

fn split(bytes: &[u8], count: usize, size: usize) -> Result<(&[u8], &[u8]), FoldError> {
    count
        .checked_mul(size)
        .and_then(|length| bytes.split_at_checked(length))
        .ok_or(FoldError)
}

fn numbers(bytes: &[u8]) -> Vec<u16> {
    bytes
        .chunks_exact(2)
        .filter_map(|number| <[u8; 2]>::try_from(number).ok())
        .map(u16::from_le_bytes)
        .collect()
}
