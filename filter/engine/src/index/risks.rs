//! Risk classes of tools.

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::patterns::Patterns;
use crate::RiskAssignment;

/// Finds the risk classes of a tool.
#[derive(Debug, Default)]
pub(crate) struct RiskIndex {
    patterns: Patterns,
    /// The distinct sets of classes that patterns give, by the number of the pattern.
    sets: Vec<Vec<u32>>,
    /// Names of the classes by their number, in the order of the assignments.
    names: Vec<String>,
    numbers: FxHashMap<String, u32>,
}

impl RiskIndex {
    pub(crate) fn new(assignments: &[RiskAssignment]) -> Self {
        let mut index = Self::default();
        let mut by_pattern: Vec<Vec<u32>> = Vec::new();
        for RiskAssignment { tools, classes } in assignments {
            let classes: Vec<u32> = classes.iter().map(|name| index.number(name)).collect();
            for pattern in tools {
                let next = u32::try_from(by_pattern.len()).unwrap_or(u32::MAX);
                let number = index.patterns.number(pattern, || next);
                if number == next {
                    by_pattern.push(Vec::new());
                }
                if let Some(known) = by_pattern.get_mut(number as usize) {
                    known.extend(&classes);
                }
            }
        }
        // Thousands of tools share a few sets.
        let mut known: FxHashMap<Vec<u32>, u32> = FxHashMap::default();
        let sets: Vec<u32> = by_pattern
            .into_iter()
            .map(|mut set| {
                set.sort_unstable();
                set.dedup();
                *known.entry(set).or_insert_with_key(|set| {
                    index.sets.push(set.clone());
                    u32::try_from(index.sets.len().saturating_sub(1)).unwrap_or(u32::MAX)
                })
            })
            .collect();
        index
            .patterns
            .renumber(|pattern| sets.get(pattern as usize).copied().unwrap_or(u32::MAX));
        index
    }

    /// The number of a class, given to it on first sight.
    pub(crate) fn number(&mut self, name: &str) -> u32 {
        let next = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        self.numbers.insert(name.to_owned(), next);
        self.names.push(name.to_owned());
        next
    }

    /// Numbers of the classes of a tool, ascending.
    pub(crate) fn classes(&self, tool: &str) -> SmallVec<[u32; 4]> {
        let mut classes = SmallVec::new();
        self.patterns.find(tool, |set| {
            classes.extend(self.sets.get(set as usize).into_iter().flatten().copied());
        });
        classes.sort_unstable();
        classes.dedup();
        classes
    }

    /// Names by number.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }
}
