//! The rules of all buckets in one row, a bucket after the other.

use rustc_hash::FxHashMap;

/// Most entries of a bucket that are looked at one by one.
const MAX_SCANNED: usize = 16;

/// A rule that matched by its place in the index, with what the next steps want to know of it.
///
/// In order these are in the order of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Match(u32);

/// What a rule asks for, without the details.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Allow,
    Approve,
    Deny,
}

/// What is known of a rule besides its number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traits {
    pub(crate) kind: Kind,
    /// The rule has a condition.
    pub(crate) conditional: bool,
    /// The index has not checked all of the rule's subjects.
    pub(crate) subjects: bool,
    /// The index has not checked the rule's risk classes.
    pub(crate) risks: bool,
}

impl Match {
    /// A million rules, which is the most of a policy, fit in what is left of 32 bits beside the traits.
    pub(crate) fn new(number: u32, traits: Traits) -> Self {
        let kind = match traits.kind {
            Kind::Allow => 0,
            Kind::Approve => 1,
            Kind::Deny => 2,
        };
        let bits = [
            (traits.conditional, 4),
            (traits.subjects, 8),
            (traits.risks, 16),
        ];
        let bits = bits.into_iter().filter(|(set, _)| *set).map(|(_, bit)| bit);
        Self(number.wrapping_shl(8) | bits.fold(kind, |all, bit| all | bit))
    }

    pub(crate) fn number(self) -> u32 {
        self.0 >> 8
    }

    pub(crate) fn kind(self) -> Kind {
        match self.0 & 3 {
            0 => Kind::Allow,
            1 => Kind::Approve,
            _ => Kind::Deny,
        }
    }

    pub(crate) fn conditional(self) -> bool {
        self.0 & 4 != 0
    }

    pub(crate) fn subjects(self) -> bool {
        self.0 & 8 != 0
    }

    pub(crate) fn risks(self) -> bool {
        self.0 & 16 != 0
    }
}

/// All buckets. A bucket is named by where it starts.
#[derive(Debug, Default)]
pub(crate) struct Row {
    cells: Vec<Cell>,
    /// Where a subject's rules are in a bucket that is too large to be scanned, and how many.
    places: FxHashMap<(u32, u32), (u32, u32)>,
}

#[derive(Clone, Copy, Debug)]
enum Cell {
    /// Starts a bucket: the rules for everyone follow, then those by subject, sorted by it.
    Head { everyone: u32, by_subject: u32 },
    /// A rule for a subject, which is nobody for everyone.
    Rule { subject: u32, rule: Match },
}

/// One bucket of a [`Row`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket<'a> {
    row: &'a Row,
    start: u32,
    everyone: &'a [Cell],
    by_subject: &'a [Cell],
}

impl Row {
    /// Appends a bucket and returns its name.
    pub(crate) fn push(&mut self, everyone: &[Match], mut by_subject: Vec<(u32, Match)>) -> u32 {
        let start = size(self.cells.len());
        by_subject.sort_unstable();
        self.cells.push(Cell::Head {
            everyone: size(everyone.len()),
            by_subject: size(by_subject.len()),
        });
        self.cells.extend(everyone.iter().map(|rule| Cell::Rule {
            subject: u32::MAX,
            rule: *rule,
        }));
        if by_subject.len() > MAX_SCANNED {
            let first = self.cells.len();
            for (offset, (subject, _)) in by_subject.iter().enumerate() {
                let at = size(first.saturating_add(offset));
                let (_, length) = self.places.entry((start, *subject)).or_insert((at, 0));
                *length = length.saturating_add(1);
            }
        }
        self.cells.extend(
            by_subject
                .into_iter()
                .map(|(subject, rule)| Cell::Rule { subject, rule }),
        );
        start
    }

    /// Gives back what growing has taken too much.
    pub(crate) fn shrink(&mut self) {
        self.cells.shrink_to_fit();
        self.places.shrink_to_fit();
    }

    pub(crate) fn bucket(&self, start: u32) -> Option<Bucket<'_>> {
        let (head, rest) = self.cells.get(start as usize..)?.split_first()?;
        let Cell::Head {
            everyone,
            by_subject,
        } = head
        else {
            return None;
        };
        let (everyone, rest) = rest.split_at_checked(*everyone as usize)?;
        let by_subject = rest.get(..*by_subject as usize)?;
        Some(Bucket {
            row: self,
            start,
            everyone,
            by_subject,
        })
    }
}

impl<'a> Bucket<'a> {
    pub(crate) fn has_subjects(self) -> bool {
        !self.by_subject.is_empty()
    }

    pub(crate) fn everyone(self) -> impl Iterator<Item = Match> + 'a {
        self.everyone.iter().filter_map(Cell::rule)
    }

    /// Calls `found` with the rules for any of the subjects.
    pub(crate) fn of_subjects(self, subjects: &[u32], mut found: impl FnMut(Match)) {
        if self.by_subject.len() <= MAX_SCANNED {
            for cell in self.by_subject {
                if let Cell::Rule { subject, rule } = cell
                    && subjects.contains(subject)
                {
                    found(*rule);
                }
            }
            return;
        }
        for subject in subjects {
            if let Some((at, length)) = self.row.places.get(&(self.start, *subject)) {
                let end = at.saturating_add(*length) as usize;
                let cells = self.row.cells.get(*at as usize..end).unwrap_or_default();
                cells.iter().filter_map(Cell::rule).for_each(&mut found);
            }
        }
    }
}

impl Cell {
    fn rule(&self) -> Option<Match> {
        match self {
            Self::Rule { rule, .. } => Some(*rule),
            Self::Head { .. } => None,
        }
    }
}

/// Sizes fit, since [`crate::ServerPolicy::new`] bounds the rules, and the index the entries of each.
fn size(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
