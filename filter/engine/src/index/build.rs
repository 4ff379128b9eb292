//! Builds the index.

use super::row::{Kind, Match, Traits};
use super::{Index, RiskIndex, SubjectNumbers, patterns::Patterns};
use crate::policy::{Rule, RuleEffect, Subjects};
use crate::text::TextMap;

/// Most entries that one rule may take in the index. One with more (hundreds of tools for hundreds of
/// roles) stands under everyone, and its subjects are checked each time.
const MAX_ENTRIES: usize = 1024;

/// One of the lists of [`Subjects`].
#[derive(Clone, Copy)]
enum List {
    Users,
    Agents,
    Groups,
    Roles,
}

/// The rules of one pattern, while they are gathered.
#[derive(Default)]
struct Gathered {
    everyone: Vec<Match>,
    by_subject: Vec<(u32, Match)>,
}

impl Index {
    pub(crate) fn new(rules: &[Rule], risks: &mut RiskIndex) -> Self {
        let mut index = Self::default();
        let mut gathered: Vec<Gathered> = Vec::new();
        let frequencies = index.subjects.count(rules);
        for (number, rule) in (0_u32..).zip(rules) {
            let buckets = index.buckets_for(rule, risks, &mut gathered);
            let subjects = index
                .rarest(&rule.subjects, &frequencies)
                .filter(|subjects| buckets.len().saturating_mul(subjects.len()) <= MAX_ENTRIES);
            let rule = Match::new(number, traits(rule, subjects.is_some()));
            for bucket in buckets {
                let Some(bucket) = gathered.get_mut(bucket as usize) else {
                    continue;
                };
                match &subjects {
                    Some(subjects) => {
                        bucket
                            .by_subject
                            .extend(subjects.iter().map(|subject| (*subject, rule)));
                    }
                    None => bucket.everyone.push(rule),
                }
            }
        }
        index.finish(gathered);
        index
    }

    /// Numbers of the buckets that a rule belongs to, new ones included.
    fn buckets_for(
        &mut self,
        rule: &Rule,
        risks: &mut RiskIndex,
        gathered: &mut Vec<Gathered>,
    ) -> Vec<u32> {
        let mut next = || {
            gathered.push(Gathered::default());
            u32::try_from(gathered.len().saturating_sub(1)).unwrap_or(u32::MAX)
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
    fn rarest(&self, subjects: &Subjects, frequencies: &[usize]) -> Option<Vec<u32>> {
        let candidates = lists(subjects)
            .into_iter()
            .filter(|(_, names)| !names.is_empty());
        let numbered = candidates.map(|(list, names)| {
            let table = self.subjects.table(list);
            let numbers = names
                .iter()
                .filter_map(|name| table.get(name.as_bytes()).copied());
            let mut numbers: Vec<u32> = numbers.collect();
            numbers.sort_unstable();
            numbers.dedup();
            numbers
        });
        numbered.min_by_key(|numbers| {
            let rules = numbers
                .iter()
                .filter_map(|number| frequencies.get(*number as usize));
            rules.sum::<usize>()
        })
    }

    /// Lays the buckets out in a row, and has the patterns point at them.
    fn finish(&mut self, gathered: Vec<Gathered>) {
        let row = &mut self.row;
        let buckets = gathered.into_iter();
        let starts: Vec<u32> = buckets
            .map(|bucket| row.push(&bucket.everyone, bucket.by_subject))
            .collect();
        row.shrink();
        let start = |number: u32| starts.get(number as usize).copied().unwrap_or(u32::MAX);
        for patterns in [
            &mut self.tools,
            &mut self.resources,
            &mut self.prompts,
            &mut self.methods,
        ] {
            patterns.renumber(start);
        }
        self.classes
            .values_mut()
            .for_each(|bucket| *bucket = start(*bucket));
    }
}

/// What is left to check once a rule is found; `by_subject` if it is found by one of its subject lists.
fn traits(rule: &Rule, by_subject: bool) -> Traits {
    let lists = lists(&rule.subjects)
        .iter()
        .filter(|(_, names)| !names.is_empty())
        .count();
    Traits {
        kind: match rule.effect {
            RuleEffect::Allow => Kind::Allow,
            RuleEffect::Approve(_) => Kind::Approve,
            RuleEffect::Deny => Kind::Deny,
        },
        conditional: rule.when.is_some(),
        subjects: lists > usize::from(by_subject),
        risks: !rule.targets.risks.is_empty() && !rule.targets.tools.is_empty(),
    }
}

impl SubjectNumbers {
    /// Numbers all subjects, and tells how many rules speak of each.
    fn count(&mut self, rules: &[Rule]) -> Vec<usize> {
        let mut frequencies: Vec<usize> = Vec::new();
        for rule in rules {
            for (list, names) in lists(&rule.subjects) {
                for name in names {
                    let next = self.count;
                    let number = *self
                        .table_mut(list)
                        .get_or_insert_with(name.as_bytes(), || next);
                    if number == next {
                        self.count = next.saturating_add(1);
                        frequencies.push(0);
                    }
                    if let Some(frequency) = frequencies.get_mut(number as usize) {
                        *frequency = frequency.saturating_add(1);
                    }
                }
            }
        }
        frequencies
    }

    fn table(&self, list: List) -> &TextMap<u32> {
        match list {
            List::Users => &self.users,
            List::Agents => &self.agents,
            List::Groups => &self.groups,
            List::Roles => &self.roles,
        }
    }

    fn table_mut(&mut self, list: List) -> &mut TextMap<u32> {
        match list {
            List::Users => &mut self.users,
            List::Agents => &mut self.agents,
            List::Groups => &mut self.groups,
            List::Roles => &mut self.roles,
        }
    }
}

fn lists(subjects: &Subjects) -> [(List, &[String]); 4] {
    [
        (List::Users, &subjects.users),
        (List::Agents, &subjects.agents),
        (List::Groups, &subjects.groups),
        (List::Roles, &subjects.roles),
    ]
}
