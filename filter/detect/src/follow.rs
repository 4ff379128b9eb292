//! The steps of sequences, arranged so that what cannot go on is passed over sixty-four places at a time.

use crate::pack::Step;

/// What a word of each class can carry on or begin.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Follow {
    classes: Vec<Class>,
    /// Numbers of 64 bits for all places.
    words: usize,
    /// Words after which no place can be gone on from.
    reach: u32,
}

/// What a word of a class can carry on or begin.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Class {
    pub(crate) groups: Vec<Group>,
    pub(crate) first: Vec<Step>,
}

/// Steps from places that share a number of [`Live`].
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Group {
    pub(crate) word: usize,
    /// The places that the steps go on from.
    pub(crate) mask: u64,
    pub(crate) steps: Vec<Step>,
}

impl Follow {
    /// The steps of each class, with so many places.
    pub(crate) fn new(steps: &[Vec<Step>], states: u32) -> Self {
        let later = steps
            .iter()
            .flatten()
            .filter(|step| step.gap != Step::FIRST);
        Self {
            classes: steps.iter().map(|steps| Class::new(steps)).collect(),
            words: (states as usize).div_ceil(64),
            reach: later.map(|step| u32::from(step.gap) + 1).max().unwrap_or(1),
        }
    }

    #[inline]
    pub(crate) fn class(&self, class: u16) -> Option<&Class> {
        self.classes.get(usize::from(class))
    }
}

impl Class {
    fn new(steps: &[Step]) -> Self {
        let mut class = Self::default();
        for step in steps {
            if step.gap == Step::FIRST {
                class.first.push(*step);
                continue;
            }
            let from = usize::from(step.state).wrapping_sub(1);
            let (word, bit) = (from / 64, 1 << (from % 64));
            match class.groups.iter_mut().find(|group| group.word == word) {
                Some(group) => {
                    group.mask |= bit;
                    group.steps.push(*step);
                }
                None => class.groups.push(Group {
                    word,
                    mask: bit,
                    steps: vec![*step],
                }),
            }
        }
        class
    }
}

/// Which places were reached of late: everything that can still be gone on from, and some that cannot.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    now: Vec<u64>,
    before: Vec<u64>,
    reach: u32,
    /// The position at which `now` becomes `before`.
    until: u32,
}

impl Live {
    pub(crate) fn new(follow: &Follow) -> Self {
        Self {
            now: vec![0; follow.words],
            before: vec![0; follow.words],
            reach: follow.reach,
            until: follow.reach,
        }
    }

    /// The word at this position comes next.
    #[inline]
    pub(crate) fn advance(&mut self, position: u32) {
        if position > self.until {
            self.turn(position);
        }
    }

    fn turn(&mut self, position: u32) {
        std::mem::swap(&mut self.now, &mut self.before);
        self.now.fill(0);
        if position - self.until > self.reach {
            self.before.fill(0);
        }
        self.until = position.saturating_add(self.reach);
    }

    #[inline]
    pub(crate) fn may_go_on(&self, group: &Group) -> bool {
        let bits = |of: &[u64]| of.get(group.word).copied().unwrap_or(0);
        (bits(&self.now) | bits(&self.before)) & group.mask != 0
    }

    #[inline]
    pub(crate) fn reached(&mut self, state: u16) {
        if let Some(bits) = self.now.get_mut(usize::from(state) / 64) {
            *bits |= 1 << (state % 64);
        }
    }
}
