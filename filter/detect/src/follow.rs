//! The steps of sequences, arranged so that what cannot go on is passed over sixty-four places at a time.

use std::collections::BTreeMap;

use crate::pack::Step;

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
    /// Of the place that must have been reached before, unless it is a first step.
    pub(crate) from: u16,
    /// The place that is reached, or [`On::NOWHERE`].
    pub(crate) to: u16,
    pub(crate) gap: u8,
    pub(crate) need: u8,
    pub(crate) feature: u16,
}

impl On {
    /// In place of a place: nothing goes on from there, or nothing has to come before.
    pub(crate) const NOWHERE: u16 = u16::MAX;
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
        let (of_states, places) = shared(steps, states);
        let place = |state: usize| of_states.get(state).copied().unwrap_or(On::NOWHERE);
        let on = |step: &Step| On {
            from: match step.gap {
                Step::FIRST => On::NOWHERE,
                _ => place(usize::from(step.state).wrapping_sub(1)),
            },
            to: place(usize::from(step.state)),
            gap: step.gap,
            need: step.need,
            feature: step.feature,
        };
        let classes = steps.iter().map(|steps| Class::new(steps.iter().map(on)));
        Self {
            classes: classes.collect(),
            places,
            reach,
        }
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

/// The place of each state, and how many places there are.
fn shared(steps: &[Vec<Step>], states: u32) -> (Vec<u16>, usize) {
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
    (places, known.len())
}

impl Class {
    fn new(steps: impl Iterator<Item = On>) -> Self {
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
        let itself = later
            .iter()
            .any(|step| later.iter().any(|other| other.from == step.to));
        for step in later {
            class.add(step, itself);
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
        let far = u32::from(step.gap) + 1 > NEAR;
        let (word, bit) = (usize::from(step.from) / 64, 1 << (step.from % 64));
        let fits = |group: &&mut Group| {
            // Where sequences part, one place has several steps.
            group.far == far && group.word == word && group.mask & bit == 0
        };
        let found = if in_order {
            self.groups.last_mut().filter(fits)
        } else {
            self.groups.iter_mut().find(fits)
        };
        match found {
            Some(group) => {
                group.mask |= bit;
                group.steps.insert(0, step);
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
    pub(crate) fn step(&self, bit: u32) -> Option<&On> {
        let before = self.mask & !(u64::MAX << bit);
        self.steps.get(before.count_ones() as usize)
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
    pub(crate) fn reached(&mut self, place: u16) {
        self.near.reached(place);
        self.far.reached(place);
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
