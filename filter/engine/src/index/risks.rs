//! Risk classes of tools.

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::patterns::Patterns;
use crate::RiskAssignment;

/// Finds the risk classes of a tool.
#[derive(Debug, Default)]
pub(crate) struct RiskIndex {
    patterns: Patterns,
    /// Classes by the number of the pattern.
    classes: Vec<Vec<u32>>,
    /// Names of the classes by their number, in the order of the assignments.
    names: Vec<String>,
    numbers: FxHashMap<String, u32>,
}

impl RiskIndex {
    pub(crate) fn new(assignments: &[RiskAssignment]) -> Self {
        let mut index = Self::default();
        for RiskAssignment { tools, classes } in assignments {
            let classes: Vec<u32> = classes.iter().map(|name| index.number(name)).collect();
            for pattern in tools {
                let next = u32::try_from(index.classes.len()).unwrap_or(u32::MAX);
                let number = index.patterns.number(pattern, || next);
                if number == next {
                    index.classes.push(Vec::new());
                }
                if let Some(known) = index.classes.get_mut(number as usize) {
                    known.extend(&classes);
                }
            }
        }
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
        self.patterns.find(tool, |pattern| {
            classes.extend(
                self.classes
                    .get(pattern as usize)
                    .into_iter()
                    .flatten()
                    .copied(),
            );
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
