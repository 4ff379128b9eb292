//! Makes a [`Table`] of sequences. Control does; filters read what it made.

use std::collections::{BTreeMap, BTreeSet};

use super::table::{CELLS, Check, Class, Entry, Group, Info, SPAN, Table};
use crate::flag::{SYMBOLS, UPPER};
use crate::lexicon::Lexicon;
use crate::pack::{NO_FEATURE, Step, Tag};
use crate::{Feature, shape};

/// A class of which more words in a hundred thousand are is taken for granted: it says too little.
const COMMON: u32 = 2000;

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
        lexicon: &mut Lexicon,
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
        let ends = ends.iter().map(|end| end.class);
        let seen: BTreeSet<u16> = ends.chain(table.any.iter().copied()).collect();
        table.complete &= table.matter(lexicon, &seen).is_some();
        table
    }

    /// Says which words are of a class that a sequence looks for, or are turned.
    fn matter(&mut self, lexicon: &mut Lexicon, seen: &BTreeSet<u16>) -> Option<()> {
        let mut known: BTreeMap<Vec<Tag>, u16> = BTreeMap::new();
        let words: Vec<_> = lexicon
            .words()
            .map(|(hash, tags)| (hash, tags.to_vec()))
            .collect();
        for (hash, mut tags) in words {
            tags.retain(|tag| {
                is_turned(tag) || (seen.contains(&tag.class) && tag.need & SYMBOLS == 0)
            });
            if tags.is_empty() {
                continue;
            }
            let number = match known.get(&tags) {
                Some(number) => *number,
                None => {
                    let number = u16::try_from(self.infos.len()).ok()?;
                    let info = self.info(&tags)?;
                    self.infos.push(info);
                    known.insert(tags, number);
                    number
                }
            };
            lexicon.note(hash, number);
        }
        Some(())
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

fn is_turned(tag: &Tag) -> bool {
    matches!(tag.class, shape::ROT13 | shape::REVERSED)
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
