//! The sequences as skimming goes through them: what a word completes, and what must have come before it.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::Feature;
use crate::flag::{SYMBOLS, UPPER};
use crate::hash::Hash;
use crate::lexicon::Lexicon;
use crate::pack::{NO_FEATURE, Step, Tag};
use crate::shape;

/// Words that a sequence may span.
pub(super) const SPAN: u32 = 32;
/// Words of 64 bits, one bit for each class that guards a sequence.
pub(super) const CELLS: usize = 8;
/// A class of which more words in a hundred thousand are is taken for granted: it says too little.
const COMMON: u32 = 2000;

/// What each class completes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Table {
    /// By class.
    classes: Vec<Class>,
    groups: Vec<Group>,
    entries: Vec<Entry>,
    checks: Vec<Check>,
    /// Classes of the checks.
    any: Vec<u16>,
    /// The words that matter here; the class of each is a number of [`Info`].
    pub(super) words: Lexicon,
    infos: Vec<Info>,
    /// Groups of infos.
    asks: Vec<Group>,
    /// Classes of infos.
    marks: Vec<u16>,
    /// Bits of infos.
    bits: Vec<(u8, u64)>,
    /// Tags of infos that ask for something.
    tags: Vec<Tag>,
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
    first: u16,
    count: u16,
    /// Its bit, if it guards something.
    pub(super) cell: u8,
    pub(super) bit: u64,
    /// Whether a sequence looks for it.
    pub(super) seen: bool,
}

/// What a word is, the same for all words of the same classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Info {
    groups: (u16, u16),
    marks: (u16, u16),
    bits: (u16, u16),
    tags: (u16, u16),
    /// Whether it is one of ours, turned.
    pub(super) turned: bool,
}

fn is_turned(tag: &Tag) -> bool {
    matches!(tag.class, shape::ROT13 | shape::REVERSED)
}

/// Sequences that a word may complete if one of these classes was seen of late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) cell: u8,
    pub(super) mask: u64,
    first: u16,
    count: u16,
}

/// A sequence up to its last word that can be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) feature: u16,
    /// Flags that the word must have.
    pub(super) need: u8,
    /// Words from the first to the last that can be seen.
    pub(super) span: u8,
    count: u8,
    first: u16,
}

/// A word of one of these classes, at most so many words before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Check {
    distance: u8,
    count: u8,
    first: u16,
}

/// A place of a sequence, with the words from the one before it.
#[derive(Clone, Debug, Default)]
struct Element {
    classes: Vec<u16>,
    apart: u32,
    need: u8,
}

/// A sequence that ends with a class, and what guards it; nothing where one word is enough.
struct End {
    class: u16,
    entry: Entry,
    guard: Option<Vec<u16>>,
}

impl Table {
    /// `frequency` says how many of a hundred thousand words are of each class.
    pub(crate) fn new(
        steps: &[Vec<Step>],
        states: u32,
        lexicon: &Lexicon,
        features: &[Feature],
        frequency: &[u32],
    ) -> Self {
        let mut table = Self {
            classes: vec![Class::default(); steps.len()],
            complete: true,
            ..Self::default()
        };
        let how_often = frequencies(lexicon, steps.len(), frequency);
        let mut ends = Vec::new();
        for (elements, feature) in sequences(steps, states) {
            let takes = |feature: &Feature| feature.weights.iter().any(|weight| *weight < 0);
            if features.get(usize::from(feature)).is_some_and(takes) {
                let span = elements.iter().skip(1).map(|element| element.apart).sum();
                table.back = table.back.max(span);
            }
            let adds = |feature: &Feature| feature.weights.iter().any(|weight| *weight > 0);
            if features.get(usize::from(feature)).is_some_and(adds) {
                let added = table.add(elements, feature, &how_often, &mut ends);
                table.complete &= added.is_some();
            }
        }
        table.complete &= table.lay_out(&ends, &how_often).is_some();
        match table.matter(lexicon) {
            Some(words) => table.words = words,
            None => table.complete = false,
        }
        table
    }

    /// The words that are of a class which a sequence looks for, or that are turned.
    fn matter(&mut self, lexicon: &Lexicon) -> Option<Lexicon> {
        let mut known: BTreeMap<Vec<(u16, u8, u8, u8)>, u16> = BTreeMap::new();
        let mut words = Vec::new();
        for (hash, tags) in lexicon.words() {
            let seen = |tag: &&Tag| {
                let seen = self.class(tag.class).is_some_and(|class| class.seen);
                is_turned(tag) || (seen && tag.need & SYMBOLS == 0)
            };
            let tags: Vec<Tag> = tags.iter().filter(seen).copied().collect();
            if tags.is_empty() {
                continue;
            }
            let key = tags.iter();
            let key = key.map(|tag| (tag.class, tag.need, tag.before, tag.after));
            let key: Vec<_> = key.collect();
            let number = match known.get(&key) {
                Some(number) => *number,
                None => {
                    let number = u16::try_from(self.infos.len()).ok()?;
                    let info = self.info(&tags)?;
                    self.infos.push(info);
                    known.insert(key, number);
                    number
                }
            };
            let tag = Tag {
                class: number,
                need: 0,
                before: 0,
                after: 0,
            };
            words.push((hash, vec![tag]));
        }
        Some(Lexicon::build(&words))
    }

    fn info(&mut self, tags: &[Tag]) -> Option<Info> {
        let start = |length: usize| u16::try_from(length).ok();
        let (groups, marks) = (start(self.asks.len())?, start(self.marks.len())?);
        let (bits, conditional) = (start(self.bits.len())?, start(self.tags.len())?);
        for tag in tags {
            if tag.need & UPPER != 0 || tag.before | tag.after != 0 {
                self.tags.push(*tag);
                continue;
            }
            let class = *self.class(tag.class)?;
            let asks = self.groups(&class).to_vec();
            self.asks.extend(asks);
            self.marks.push(tag.class);
            if class.bit != 0 {
                let known = self.bits.iter_mut().skip(usize::from(bits));
                match known.into_iter().find(|(cell, _)| *cell == class.cell) {
                    Some((_, bits)) => *bits |= class.bit,
                    None => self.bits.push((class.cell, class.bit)),
                }
            }
        }
        let since = |first: u16, now: usize| Some((first, start(now)? - first));
        Some(Info {
            groups: since(groups, self.asks.len())?,
            marks: since(marks, self.marks.len())?,
            bits: since(bits, self.bits.len())?,
            tags: since(conditional, self.tags.len())?,
            turned: tags.iter().any(is_turned),
        })
    }

    /// What the word is; nothing for most.
    #[inline(always)]
    pub(super) fn info_of(&self, hash: Hash) -> Option<&Info> {
        let [tag] = self.words.tags(hash) else {
            return None;
        };
        self.infos.get(usize::from(tag.class))
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

    /// Nothing where the sequence cannot be followed.
    fn add(
        &mut self,
        mut elements: Vec<Element>,
        feature: u16,
        how_often: &[u32],
        ends: &mut Vec<End>,
    ) -> Option<()> {
        let often = |element: &Element| {
            let of = |class: &u16| how_often.get(usize::from(*class)).copied();
            let each = element
                .classes
                .iter()
                .map(|class| of(class).unwrap_or(u32::MAX));
            each.fold(0, u32::saturating_add)
        };
        let span: u32 = elements.iter().skip(1).map(|element| element.apart).sum();
        (span < SPAN).then_some(())?;
        // What is common is looked for only where there is nothing else.
        let rarest = elements.iter().map(often).min()?;
        let granted = |element: &Element| often(element) > COMMON.max(rarest);
        let mut ahead = 0;
        while elements.last().is_some_and(granted) {
            ahead += elements.pop()?.apart;
            self.ahead = self.ahead.max(ahead);
        }
        let last = elements.pop()?;
        (often(&last) < u32::MAX).then_some(())?;
        let mut distance = last.apart;
        let first = u16::try_from(self.checks.len()).ok()?;
        let mut guard: Option<Element> = None;
        let mut checks = Vec::new();
        for element in elements.into_iter().rev() {
            let apart = element.apart;
            if !granted(&element) {
                checks.push((distance, element.classes.clone(), often(&element)));
                let rarer = |guard: &Element| often(&element) < often(guard);
                if guard.as_ref().is_none_or(rarer) {
                    guard = Some(element);
                }
            }
            distance += apart;
        }
        // What is rare is looked at first.
        checks.sort_by_key(|(_, _, often)| *often);
        for (distance, classes, _) in &checks {
            self.checks.push(Check {
                distance: u8::try_from(*distance).ok()?,
                count: u8::try_from(classes.len()).ok()?,
                first: u16::try_from(self.any.len()).ok()?,
            });
            self.any.extend_from_slice(classes);
        }
        let entry = Entry {
            feature,
            need: last.need,
            span: u8::try_from(span).ok()?,
            first,
            count: u8::try_from(checks.len()).ok()?,
        };
        let guard = guard.map(|guard| guard.classes);
        let each = last.classes.into_iter().map(|class| End {
            class,
            entry,
            guard: guard.clone(),
        });
        ends.extend(each);
        Some(())
    }

    /// Gives bits to the classes that guard something, and puts together what a class may complete.
    fn lay_out(&mut self, ends: &[End], how_often: &[u32]) -> Option<()> {
        // What the most frequent classes ask for stands together, so that they ask once.
        let mut order: Vec<&End> = ends.iter().collect();
        let often = |end: &&End| how_often.get(usize::from(end.class)).copied();
        order.sort_by_key(|end| std::cmp::Reverse((often(end), end.class)));
        let mut guards: Vec<u16> = Vec::new();
        for guard in order.iter().filter_map(|end| end.guard.as_ref()).flatten() {
            if !guards.contains(guard) {
                guards.push(*guard);
            }
        }
        // The first bit is always set.
        let bits: Vec<(u8, u64)> = (1..=guards.len())
            .map(|bit| Some((u8::try_from(bit / 64).ok()?, 1 << (bit % 64))))
            .collect::<Option<_>>()?;
        (guards.len() < CELLS * 64).then_some(())?;
        for (guard, (cell, bit)) in guards.iter().zip(&bits) {
            let class = self.classes.get_mut(usize::from(*guard))?;
            (class.cell, class.bit) = (*cell, *bit);
        }
        let looked_for = ends
            .iter()
            .map(|end| end.class)
            .chain(self.any.iter().copied());
        for class in looked_for.collect::<Vec<_>>() {
            self.classes.get_mut(usize::from(class))?.seen = true;
        }
        for number in 0..self.classes.len() {
            let first = u16::try_from(self.groups.len()).ok()?;
            let of_class = |end: &&End| usize::from(end.class) == number;
            for cell in 0..CELLS {
                let mut mask = 0;
                let mut entries = Vec::new();
                for end in ends.iter().filter(of_class) {
                    let bits = match &end.guard {
                        None if cell == 0 => 1,
                        None => 0,
                        Some(guard) => guard
                            .iter()
                            .filter_map(|class| self.classes.get(usize::from(*class)))
                            .filter(|class| usize::from(class.cell) == cell)
                            .fold(0, |bits, class| bits | class.bit),
                    };
                    if bits != 0 {
                        mask |= bits;
                        entries.push(end.entry);
                    }
                }
                if mask != 0 {
                    self.groups.push(Group {
                        cell: u8::try_from(cell).ok()?,
                        mask,
                        first: u16::try_from(self.entries.len()).ok()?,
                        count: u16::try_from(entries.len()).ok()?,
                    });
                    self.entries.extend(entries);
                }
            }
            let count = u16::try_from(self.groups.len()).ok()? - first;
            let class = self.classes.get_mut(number)?;
            (class.first, class.count) = (first, count);
        }
        Some(())
    }
}

#[inline(always)]
fn slice<T>(list: &[T], first: u16, count: u16) -> &[T] {
    let range: Range<usize> = usize::from(first)..usize::from(first) + usize::from(count);
    list.get(range).unwrap_or_default()
}

/// How often each class is met. What skimming does not see, runs of symbols, is taken to be everywhere; what is
/// disguised, decoded or hidden is read closely wherever it may be.
fn frequencies(lexicon: &Lexicon, classes: usize, frequency: &[u32]) -> Vec<u32> {
    let known = frequency.iter().copied().chain(std::iter::repeat(0));
    let mut often: Vec<u32> = known.take(classes).collect();
    let tags = lexicon.words().flat_map(|(_, tags)| tags);
    let symbols = tags.filter(|tag| tag.need & SYMBOLS != 0);
    for class in symbols.map(|tag| tag.class) {
        if let Some(place) = often.get_mut(usize::from(class)) {
            *place = u32::MAX;
        }
    }
    often
}

/// The sequences that the steps were made of, and what each is a feature of.
fn sequences(steps: &[Vec<Step>], states: u32) -> Vec<(Vec<Element>, u16)> {
    let mut places = vec![(Element::default(), None); states as usize];
    for (class, steps) in (0..).zip(steps) {
        for step in steps {
            if let Some((element, known)) = places.get_mut(usize::from(step.state)) {
                element.classes.push(class);
                element.apart = u32::from(step.gap) + 1;
                element.need = step.need;
                *known = Some(*step);
            }
        }
    }
    let mut sequences = Vec::new();
    let mut under_way = Vec::new();
    for (element, step) in places {
        let Some(step) = step else {
            under_way.clear();
            continue;
        };
        if step.gap == Step::FIRST {
            under_way.clear();
        }
        under_way.push(element);
        if step.feature != NO_FEATURE {
            sequences.push((std::mem::take(&mut under_way), step.feature));
        }
    }
    sequences
}
