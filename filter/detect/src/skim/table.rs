//! The sequences as skimming goes through them: what a word completes, and what must have come before it.

use crate::bytes::{Reader, Writer};
use crate::hash::Hash;
use crate::lexicon::Lexicon;
use crate::pack::Tag;

/// Words that a sequence may span.
pub(super) const SPAN: u32 = 32;
/// Words of 64 bits, one bit for each class that guards a sequence.
pub(super) const CELLS: usize = 8;

/// What each class completes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Table {
    /// By class.
    pub(super) classes: Vec<Class>,
    pub(super) groups: Vec<Group>,
    pub(super) entries: Vec<Entry>,
    pub(super) checks: Vec<Check>,
    /// Classes of the checks.
    pub(super) any: Vec<u16>,
    /// What words are: the numbers that [`Lexicon::info`] gives.
    pub(super) infos: Vec<Info>,
    /// Groups of infos.
    pub(super) asks: Vec<Group>,
    /// Classes of infos.
    pub(super) marks: Vec<u16>,
    /// Bits of infos.
    pub(super) bits: Vec<(u8, u64)>,
    /// Tags of infos that ask for something.
    pub(super) tags: Vec<Tag>,
    /// Whether everything that is looked for can be seen by skimming. If not, everything is read closely.
    pub(crate) complete: bool,
    /// Most words by which a sequence may go on behind its last word that can be seen.
    pub(super) ahead: u32,
    /// Words that a sequence spans at most which takes away from the score.
    pub(super) back: u32,
}

/// A class of words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Class {
    pub(super) first: u16,
    pub(super) count: u16,
    /// Its bit, if it guards something.
    pub(super) cell: u8,
    pub(super) bit: u64,
}

/// What a word is, the same for all words of the same classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Info {
    pub(super) groups: (u16, u16),
    pub(super) marks: (u16, u16),
    pub(super) bits: (u16, u16),
    pub(super) tags: (u16, u16),
    /// Whether it is one of ours, turned.
    pub(super) turned: bool,
}

/// Sequences that a word may complete if one of these classes was seen of late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) cell: u8,
    pub(super) mask: u64,
    pub(super) first: u16,
    pub(super) count: u16,
}

/// A sequence up to its last word that can be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) feature: u16,
    /// Flags that the word must have.
    pub(super) need: u8,
    /// Words from the first to the last that can be seen.
    pub(super) span: u8,
    pub(super) count: u8,
    pub(super) first: u16,
}

/// A word of one of these classes, at most so many words before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Check {
    pub(super) distance: u8,
    pub(super) count: u8,
    pub(super) first: u16,
}

impl Table {
    /// What the word is; nothing for most.
    #[inline(always)]
    pub(super) fn info_of(&self, lexicon: &Lexicon, hash: Hash) -> Option<&Info> {
        self.infos.get(usize::from(lexicon.info(hash)?))
    }

    #[inline(always)]
    pub(super) fn asks(&self, info: &Info) -> &[Group] {
        slice(&self.asks, info.groups.0, info.groups.1)
    }

    #[inline(always)]
    pub(super) fn marks(&self, info: &Info) -> &[u16] {
        slice(&self.marks, info.marks.0, info.marks.1)
    }

    #[inline(always)]
    pub(super) fn bits(&self, info: &Info) -> &[(u8, u64)] {
        slice(&self.bits, info.bits.0, info.bits.1)
    }

    /// Tags that ask for something.
    #[inline(always)]
    pub(super) fn tags(&self, info: &Info) -> &[Tag] {
        slice(&self.tags, info.tags.0, info.tags.1)
    }

    #[inline(always)]
    pub(super) fn class(&self, class: u16) -> Option<&Class> {
        self.classes.get(usize::from(class))
    }

    #[inline(always)]
    pub(super) fn groups(&self, class: &Class) -> &[Group] {
        slice(&self.groups, class.first, class.count)
    }

    pub(super) fn entries(&self, group: &Group) -> &[Entry] {
        slice(&self.entries, group.first, group.count)
    }

    /// Whether all that the sequence needs before its last word was seen near enough.
    #[inline]
    pub(super) fn holds(&self, entry: &Entry, last: &[u32], now: u32) -> bool {
        let checks = slice(&self.checks, entry.first, u16::from(entry.count));
        checks.iter().all(|check| {
            let any = slice(&self.any, check.first, u16::from(check.count));
            let oldest = now.saturating_sub(u32::from(check.distance)).max(1);
            any.iter().any(|class| {
                last.get(usize::from(*class))
                    .is_some_and(|seen| *seen >= oldest)
            })
        })
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.list(&self.classes, |writer, class| {
            writer.range(class.first, class.count);
            writer.u8(class.cell);
            writer.u64(class.bit);
        });
        for groups in [&self.groups, &self.asks] {
            writer.list(groups, |writer, group| {
                writer.u8(group.cell);
                writer.u64(group.mask);
                writer.range(group.first, group.count);
            });
        }
        writer.list(&self.entries, |writer, entry| {
            writer.u16(entry.feature);
            writer.u8(entry.need);
            writer.u8(entry.span);
            writer.range(entry.first, entry.count.into());
        });
        writer.list(&self.checks, |writer, check| {
            writer.u8(check.distance);
            writer.range(check.first, check.count.into());
        });
        for classes in [&self.any, &self.marks] {
            writer.list(classes, |writer, class| writer.u16(*class));
        }
        writer.list(&self.infos, |writer, info| {
            for (first, count) in [info.groups, info.marks, info.bits, info.tags] {
                writer.range(first, count);
            }
            writer.u8(info.turned.into());
        });
        writer.list(&self.bits, |writer, (cell, bits)| {
            writer.u8(*cell);
            writer.u64(*bits);
        });
        writer.list(&self.tags, |writer, tag| tag.write(writer));
        writer.u32(self.ahead);
        writer.u32(self.back);
        writer.u8(self.complete.into());
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let classes = reader.list(|reader| {
            let (first, count) = reader.range()?;
            Some(Class {
                first,
                count,
                cell: reader.u8()?,
                bit: reader.u64()?,
            })
        })?;
        let (groups, asks) = (reader.list(Group::read)?, reader.list(Group::read)?);
        let entries = reader.list(|reader| {
            let (feature, need, span) = (reader.u16()?, reader.u8()?, reader.u8()?);
            let (first, count) = reader.range()?;
            Some(Entry {
                feature,
                need,
                span,
                count: u8::try_from(count).ok()?,
                first,
            })
        })?;
        let checks = reader.list(|reader| {
            let distance = reader.u8()?;
            let (first, count) = reader.range()?;
            Some(Check {
                distance,
                count: u8::try_from(count).ok()?,
                first,
            })
        })?;
        let (any, marks) = (reader.list(Reader::u16)?, reader.list(Reader::u16)?);
        Some(Self {
            classes,
            groups,
            entries,
            checks,
            any,
            infos: reader.list(|reader| {
                Some(Info {
                    groups: reader.range()?,
                    marks: reader.range()?,
                    bits: reader.range()?,
                    tags: reader.range()?,
                    turned: reader.u8()? != 0,
                })
            })?,
            asks,
            marks,
            bits: reader.list(|reader| Some((reader.u8()?, reader.u64()?)))?,
            tags: reader.list(Tag::read)?,
            ahead: reader.u32()?.min(SPAN),
            back: reader.u32()?.min(SPAN),
            complete: reader.u8()? != 0,
        })
    }
}

impl Group {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let (cell, mask) = (reader.u8()?, reader.u64()?);
        let (first, count) = reader.range()?;
        Some(Self {
            cell,
            mask,
            first,
            count,
        })
    }
}

#[inline(always)]
fn slice<T>(list: &[T], first: u16, count: u16) -> &[T] {
    let first = usize::from(first);
    list.get(first..first + usize::from(count))
        .unwrap_or_default()
}
