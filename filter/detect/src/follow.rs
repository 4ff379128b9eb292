//! The steps of sequences, arranged so that what cannot go on is passed over sixty-four places at a time.

use std::collections::BTreeMap;

use crate::bytes::{Reader, Writer};
use crate::pack::{NO_FEATURE, Step};

/// Most words that a step goes ahead to be a near one. Nearly all are, and the few others would keep places alive
/// for long.
const NEAR: u32 = 8;

/// What a word of each class can carry on or begin.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Follow {
    classes: Vec<Class>,
    /// Places that something goes on from. Sequences that begin alike share them as far as they do.
    places: usize,
    /// Words after which no place can be gone on from.
    reach: u32,
}

/// What a word of a class can carry on or begin.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Class {
    /// Bits of [`Since::some`] without which no near group is alive; all where something begins with the class.
    near: u64,
    /// The same for groups that are not near.
    far: u64,
    pub(crate) groups: Vec<Group>,
    pub(crate) first: Vec<On>,
}

/// Steps from places that share a number of [`Live`], one for each of them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Group {
    far: bool,
    word: usize,
    /// The places that the steps go on from.
    mask: u64,
    /// In the order of these.
    steps: Vec<On>,
}

/// A step, from place to place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct On {
    /// The place that must have been reached before, unless it is a first step.
    pub(crate) from: u16,
    /// The place that is reached, or [`On::NOWHERE`].
    pub(crate) to: u16,
    /// Whether near steps go on from there.
    near: bool,
    /// Whether others do.
    far: bool,
    pub(crate) gap: u8,
    pub(crate) need: u8,
    pub(crate) feature: u16,
}

impl On {
    /// In place of a place: nothing goes on from there, or nothing has to come before.
    pub(crate) const NOWHERE: u16 = u16::MAX;

    fn write(&self, writer: &mut Writer) {
        writer.u16(self.from);
        writer.u16(self.to);
        writer.u8(u8::from(self.near) | u8::from(self.far) << 1);
        writer.u8(self.gap);
        writer.u8(self.need);
        writer.u16(self.feature);
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let (from, to, distances) = (reader.u16()?, reader.u16()?, reader.u8()?);
        Some(Self {
            from,
            to,
            near: distances & 1 != 0,
            far: distances & 2 != 0,
            gap: reader.u8()?,
            need: reader.u8()?,
            feature: reader.u16()?,
        })
    }
}

/// How a place is reached: from where, by a word of which class, gap and flags. Where all that is equal, so is the
/// place.
type Ways = Vec<(u16, u16, u8, u8)>;

impl Follow {
    /// The steps of each class, with so many states.
    pub(crate) fn new(steps: &[Vec<Step>], states: u32) -> Self {
        let later = steps
            .iter()
            .flatten()
            .filter(|step| step.gap != Step::FIRST);
        let reach = later.map(|step| u32::from(step.gap) + 1).max().unwrap_or(1);
        let of_states = shared(steps, states);
        let place = |state: usize| of_states.get(state).copied().unwrap_or(On::NOWHERE);
        let numbers = numbers(steps, &of_states);
        let on = |step: &Step| {
            let to = place(usize::from(step.state));
            let number = numbers.get(usize::from(to)).copied().unwrap_or_default();
            On {
                from: match step.gap {
                    Step::FIRST => On::NOWHERE,
                    _ => place(usize::from(step.state).wrapping_sub(1)),
                },
                to: number.map_or(On::NOWHERE, |number| number.is),
                near: number.is_some_and(|number| number.near),
                far: number.is_some_and(|number| number.far),
                gap: step.gap,
                need: step.need,
                feature: step.feature,
            }
        };
        let classes = steps
            .iter()
            .map(|steps| Class::new(steps.iter().map(on), &numbers));
        Self {
            classes: classes.collect(),
            places: numbers.len(),
            reach,
        }
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.list(&self.classes, |writer, class| {
            writer.u64(class.near);
            writer.u64(class.far);
            writer.list(&class.groups, |writer, group| {
                writer.u8(group.far.into());
                writer.u16(u16::try_from(group.word).unwrap_or(u16::MAX));
                writer.u64(group.mask);
                writer.list(&group.steps, |writer, step| step.write(writer));
            });
            writer.list(&class.first, |writer, step| step.write(writer));
        });
        writer.u16(u16::try_from(self.places).unwrap_or(u16::MAX));
        writer.u32(self.reach);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            classes: reader.list(|reader| {
                Some(Class {
                    near: reader.u64()?,
                    far: reader.u64()?,
                    groups: reader.list(|reader| {
                        Some(Group {
                            far: reader.u8()? != 0,
                            word: reader.u16()?.into(),
                            mask: reader.u64()?,
                            steps: reader.list(On::read)?,
                        })
                    })?,
                    first: reader.list(On::read)?,
                })
            })?,
            places: reader.u16()?.into(),
            reach: reader.u32()?,
        })
    }

    /// Whether there are so many classes, and no step leads to a feature beyond these.
    pub(crate) fn is_sound(&self, classes: usize, features: usize) -> bool {
        let steps = self.classes.iter().flat_map(|class| {
            let later = class.groups.iter().flat_map(|group| &group.steps);
            later.chain(&class.first)
        });
        let mut features = steps.map(|step| (step.feature, features));
        self.classes.len() == classes
            && self.reach < 1 << 16
            && features.all(|(feature, most)| feature == NO_FEATURE || usize::from(feature) < most)
    }

    #[inline]
    pub(crate) fn class(&self, class: u16) -> Option<&Class> {
        self.classes.get(usize::from(class))
    }

    /// How many places there are.
    pub(crate) fn places(&self) -> usize {
        self.places
    }
}

/// The number of a place, and which steps go on from it.
#[derive(Clone, Copy, Debug)]
struct Number {
    is: u16,
    near: bool,
    far: bool,
}

/// Numbers for places such that those from which the same classes go on stand together: a class then asks for few
/// words of sixty-four.
fn numbers(steps: &[Vec<Step>], of_states: &[u16]) -> Vec<Option<Number>> {
    let mut ahead: BTreeMap<u16, (bool, bool, Vec<u16>)> = BTreeMap::new();
    for (class, steps) in (0..).zip(steps) {
        for step in steps.iter().filter(|step| step.gap != Step::FIRST) {
            let from = usize::from(step.state).wrapping_sub(1);
            let place = of_states.get(from).filter(|place| **place != On::NOWHERE);
            if let Some(place) = place {
                let (far, near, classes) = ahead.entry(*place).or_default();
                *far |= is_far(step.gap);
                *near |= !is_far(step.gap);
                classes.push(class);
            }
        }
    }
    let count = ahead.keys().last().map_or(0, |last| usize::from(*last) + 1);
    let mut order: Vec<_> = ahead.into_iter().collect();
    order.sort_by(|(_, one), (_, other)| one.cmp(other));
    let mut numbers = vec![None; count];
    for (is, (place, (far, near, _))) in (0..).zip(order) {
        if let Some(number) = numbers.get_mut(usize::from(place)) {
            *number = Some(Number { is, near, far });
        }
    }
    numbers
}

fn is_far(gap: u8) -> bool {
    u32::from(gap) + 1 > NEAR
}

/// The place of each state, in an order in which steps lead to later ones.
fn shared(steps: &[Vec<Step>], states: u32) -> Vec<u16> {
    let states = states as usize;
    let mut goes_on = vec![false; states];
    let mut ways: Vec<Ways> = vec![Vec::new(); states];
    for (class, steps) in (0..).zip(steps) {
        for step in steps {
            let state = usize::from(step.state);
            if step.gap != Step::FIRST
                && let Some(place) = goes_on.get_mut(state.wrapping_sub(1))
            {
                *place = true;
            }
            if let Some(ways) = ways.get_mut(state) {
                ways.push((On::NOWHERE, class, step.gap, step.need));
            }
        }
    }
    let mut known: BTreeMap<Ways, u16> = BTreeMap::new();
    let mut places: Vec<u16> = Vec::with_capacity(states);
    for (mut ways, goes_on) in ways.into_iter().zip(goes_on) {
        let before = places.last().copied().unwrap_or(On::NOWHERE);
        for way in &mut ways {
            if way.2 != Step::FIRST {
                way.0 = before;
            }
        }
        let next = u16::try_from(known.len()).unwrap_or(On::NOWHERE);
        places.push(if goes_on && !ways.is_empty() {
            *known.entry(ways).or_insert(next)
        } else {
            On::NOWHERE
        });
    }
    places
}

impl Class {
    fn new(steps: impl Iterator<Item = On>, numbers: &[Option<Number>]) -> Self {
        let mut class = Self::default();
        let mut later = Vec::new();
        for step in steps {
            let list = match step.gap {
                Step::FIRST => &mut class.first,
                _ => &mut later,
            };
            if !list.contains(&step) {
                list.push(step);
            }
        }
        // From the last place to the first, so that one word does not go two steps where a class follows itself.
        later.sort_by_key(|step| std::cmp::Reverse(step.from));
        let number = |place: u16| numbers.get(usize::from(place)).copied().flatten();
        let from = |step: &On| number(step.from).map(|from| from.is);
        let itself = later
            .iter()
            .any(|step| later.iter().any(|other| from(other) == Some(step.to)));
        for step in later {
            if let Some(from) = from(&step) {
                class.add(On { from, ..step }, itself);
            }
        }
        for group in &class.groups {
            let asks = if group.far {
                &mut class.far
            } else {
                &mut class.near
            };
            *asks |= 1 << (group.word % 64);
        }
        if !class.first.is_empty() {
            class.near = u64::MAX;
        }
        class
    }

    fn add(&mut self, step: On, in_order: bool) {
        let far = is_far(step.gap);
        let (word, bit) = (usize::from(step.from) / 64, 1 << (step.from % 64));
        // Where sequences part, one place has several steps.
        let mut groups = self.groups.iter_mut();
        let fitting = groups.find(|group| {
            !in_order && group.far == far && group.word == word && group.mask & bit == 0
        });
        match fitting {
            Some(group) => {
                let before = group.before(step.from % 64);
                group.mask |= bit;
                group.steps.insert(before, step);
            }
            None => self.groups.push(Group {
                far,
                word,
                mask: bit,
                steps: vec![step],
            }),
        }
    }
}

impl Group {
    /// The step from the place of this bit of the mask.
    #[inline]
    pub(crate) fn step(&self, bit: u16) -> Option<&On> {
        let [only] = self.steps.as_slice() else {
            return self.steps.get(self.before(bit));
        };
        Some(only)
    }

    /// How many places the mask has before a bit.
    #[inline]
    fn before(&self, bit: u16) -> usize {
        (self.mask & !(u64::MAX << bit)).count_ones() as usize
    }
}

/// Which places were reached of late: everything that can still be gone on from, and some that cannot.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    near: Since,
    far: Since,
}

impl Live {
    pub(crate) fn new(follow: &Follow) -> Self {
        let words = follow.places.div_ceil(64);
        Self {
            near: Since::new(words, NEAR),
            far: Since::new(words, follow.reach.max(NEAR)),
        }
    }

    /// The word at this position comes next.
    #[inline]
    pub(crate) fn advance(&mut self, position: u32) {
        if position > self.near.until {
            self.near.turn(position);
        }
        if position > self.far.until {
            self.far.turn(position);
        }
    }

    /// Whether a word of the class may carry on or begin something.
    #[inline]
    pub(crate) fn concerns(&self, class: &Class) -> bool {
        let [near, also_near] = self.near.some;
        let [far, also_far] = self.far.some;
        (near | also_near) & class.near | (far | also_far) & class.far != 0
    }

    /// Those places that the group goes on from which may be near enough.
    #[inline]
    pub(crate) fn alive(&self, group: &Group) -> u64 {
        let since = if group.far { &self.far } else { &self.near };
        let [one, other] = since.cells.get(group.word).copied().unwrap_or_default();
        (one | other) & group.mask
    }

    #[inline]
    pub(crate) fn reached(&mut self, step: &On) {
        if step.near {
            self.near.reached(step.to);
        }
        if step.far {
            self.far.reached(step.to);
        }
    }
}

/// What [`Since::some`] is where nothing is alive.
const SOME: u64 = 1 << 63;

/// What was reached in this stretch of words and in the one before, with one bit for each place.
#[derive(Clone, Debug)]
struct Since {
    cells: Vec<[u64; 2]>,
    /// One bit for each cell, from the first again after sixty-four: whether it is not zero. The highest is always one.
    some: [u64; 2],
    /// Cells that are not zero, so that only these are cleared.
    touched: [Vec<u16>; 2],
    /// Which of the two is this stretch.
    now: bool,
    reach: u32,
    /// The last position of this stretch.
    until: u32,
}

impl Since {
    fn new(words: usize, reach: u32) -> Self {
        Self {
            cells: vec![[0; 2]; words],
            some: [SOME; 2],
            touched: [Vec::new(), Vec::new()],
            now: false,
            reach,
            until: reach,
        }
    }

    fn turn(&mut self, position: u32) {
        self.now = !self.now;
        self.clear();
        if position - self.until > self.reach {
            self.now = !self.now;
            self.clear();
        }
        self.until = position.saturating_add(self.reach);
    }

    fn clear(&mut self) {
        let now = usize::from(self.now);
        for word in self
            .touched
            .get_mut(now)
            .into_iter()
            .flat_map(|of| of.drain(..))
        {
            let cell = self.cells.get_mut(usize::from(word));
            if let Some(bits) = cell.and_then(|cell| cell.get_mut(now)) {
                *bits = 0;
            }
        }
        if let Some(some) = self.some.get_mut(now) {
            *some = SOME;
        }
    }

    #[inline]
    fn reached(&mut self, place: u16) {
        let (word, now) = (place / 64, usize::from(self.now));
        let cell = self.cells.get_mut(usize::from(word));
        if let Some(bits) = cell.and_then(|cell| cell.get_mut(now)) {
            if *bits == 0
                && let Some(touched) = self.touched.get_mut(now)
            {
                touched.push(word);
                if let Some(some) = self.some.get_mut(now) {
                    *some |= 1 << (word % 64);
                }
            }
            *bits |= 1 << (place % 64);
        }
    }
}
