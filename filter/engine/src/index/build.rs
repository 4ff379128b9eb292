//! Builds the index.

use rustc_hash::FxHashMap;

use super::{Bucket, Check, Index, RiskIndex, Span, SubjectNumbers, patterns::Patterns};
use crate::policy::{Rule, Subjects};

/// Most entries that one rule may take in the index. One with more (hundreds of tools for hundreds of
/// roles) stands under everyone, and its subjects are checked each time.
const MAX_ENTRIES: usize = 1024;

/// One of the lists of [`Subjects`].
#[derive(Clone, Copy)]
enum Kind {
    User,
    Agent,
    Group,
    Role,
}

impl Index {
    pub(crate) fn new(rules: &[Rule], risks: &mut RiskIndex) -> Self {
        let mut index = Self::default();
        let mut everyone: Vec<Vec<u32>> = Vec::new();
        let mut by_subject: FxHashMap<(u32, u32), Vec<u32>> = FxHashMap::default();
        let frequencies = index.subjects.count(rules);
        for (number, rule) in (0_u32..).zip(rules) {
            let buckets = index.buckets_for(rule, risks, &mut everyone);
            let subjects = index.rarest(&rule.subjects, &frequencies);
            let entries = buckets
                .len()
                .saturating_mul(subjects.as_ref().map_or(1, |(_, all)| all.len()));
            let subjects = subjects.filter(|_| entries <= MAX_ENTRIES);
            let lists = lists(&rule.subjects)
                .iter()
                .filter(|(_, names)| !names.is_empty())
                .count();
            index.checks.push(Check {
                subjects: lists > usize::from(subjects.is_some()),
                risks: !rule.targets.risks.is_empty(),
            });
            for bucket in buckets {
                match &subjects {
                    Some((_, subjects)) => {
                        for subject in subjects {
                            by_subject
                                .entry((bucket, *subject))
                                .or_default()
                                .push(number);
                        }
                    }
                    None => everyone
                        .get_mut(bucket as usize)
                        .into_iter()
                        .for_each(|all| all.push(number)),
                }
            }
        }
        index.flatten(everyone, by_subject);
        index
    }

    /// The buckets that a rule belongs to, new ones included.
    fn buckets_for(
        &mut self,
        rule: &Rule,
        risks: &mut RiskIndex,
        everyone: &mut Vec<Vec<u32>>,
    ) -> Vec<u32> {
        let mut next = || {
            everyone.push(Vec::new());
            u32::try_from(everyone.len().saturating_sub(1)).unwrap_or(u32::MAX)
        };
        let targets = &rule.targets;
        let mut buckets = Vec::new();
        let mut add = |patterns: &mut Patterns, texts: &[String]| {
            buckets.extend(texts.iter().map(|text| patterns.number(text, &mut next)));
        };
        add(&mut self.resources, &targets.resources);
        add(&mut self.prompts, &targets.prompts);
        add(&mut self.methods, &targets.methods);
        if !targets.risks.is_empty() && targets.tools.iter().any(|pattern| pattern == "*") {
            for class in &targets.risks {
                buckets.push(
                    *self
                        .classes
                        .entry(risks.number(class))
                        .or_insert_with(&mut next),
                );
            }
        } else {
            add(&mut self.tools, &targets.tools);
        }
        buckets.sort_unstable();
        buckets.dedup();
        buckets
    }

    /// The subjects of the list of which the fewest rules speak.
    fn rarest(&self, subjects: &Subjects, frequencies: &[usize]) -> Option<(usize, Vec<u32>)> {
        lists(subjects)
            .into_iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(kind, names)| {
                let mut numbers: Vec<u32> = names
                    .iter()
                    .filter_map(|name| self.subjects.table(kind).get(name).copied())
                    .collect();
                numbers.sort_unstable();
                numbers.dedup();
                let rules = numbers
                    .iter()
                    .filter_map(|number| frequencies.get(*number as usize))
                    .sum();
                (rules, numbers)
            })
            .min_by_key(|(rules, _)| *rules)
    }

    /// Puts all rules in one row, so that a bucket is two numbers rather than an allocation.
    fn flatten(&mut self, everyone: Vec<Vec<u32>>, by_subject: FxHashMap<(u32, u32), Vec<u32>>) {
        self.buckets = vec![Bucket::default(); everyone.len()];
        for (bucket, numbers) in self.buckets.iter_mut().zip(everyone) {
            bucket.everyone = append(&mut self.rules, numbers);
        }
        // Neighbours in the row are neighbours in the policy, whatever the order of the hash map.
        let mut entries: Vec<_> = by_subject.into_iter().collect();
        entries.sort_unstable();
        self.by_subject.reserve(entries.len());
        for (key, numbers) in entries {
            if let Some(bucket) = self.buckets.get_mut(key.0 as usize) {
                bucket.by_subject = true;
            }
            self.by_subject
                .insert(key, append(&mut self.rules, numbers));
        }
        self.rules.shrink_to_fit();
    }
}

impl SubjectNumbers {
    /// Numbers all subjects, and tells how many rules speak of each.
    fn count(&mut self, rules: &[Rule]) -> Vec<usize> {
        let mut frequencies: Vec<usize> = Vec::new();
        for rule in rules {
            for (kind, names) in lists(&rule.subjects) {
                for name in names {
                    let next = self.count;
                    let number = match self.table(kind).get(name) {
                        Some(number) => *number,
                        None => {
                            self.table_mut(kind).insert(name.clone(), next);
                            self.count = next.saturating_add(1);
                            frequencies.push(0);
                            next
                        }
                    };
                    if let Some(frequency) = frequencies.get_mut(number as usize) {
                        *frequency = frequency.saturating_add(1);
                    }
                }
            }
        }
        frequencies
    }

    fn table(&self, kind: Kind) -> &FxHashMap<String, u32> {
        match kind {
            Kind::User => &self.users,
            Kind::Agent => &self.agents,
            Kind::Group => &self.groups,
            Kind::Role => &self.roles,
        }
    }

    fn table_mut(&mut self, kind: Kind) -> &mut FxHashMap<String, u32> {
        match kind {
            Kind::User => &mut self.users,
            Kind::Agent => &mut self.agents,
            Kind::Group => &mut self.groups,
            Kind::Role => &mut self.roles,
        }
    }
}

fn lists(subjects: &Subjects) -> [(Kind, &[String]); 4] {
    [
        (Kind::User, &subjects.users),
        (Kind::Agent, &subjects.agents),
        (Kind::Group, &subjects.groups),
        (Kind::Role, &subjects.roles),
    ]
}

fn append(row: &mut Vec<u32>, numbers: Vec<u32>) -> Span {
    let start = u32::try_from(row.len()).unwrap_or(u32::MAX);
    let length = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
    row.extend(numbers);
    Span { start, length }
}
