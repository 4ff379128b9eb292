//! Finds the patterns that match a name.

use crate::glob::{self, Shape};
use crate::text::TextMap;

/// Distinct patterns and the number that each stands for.
#[derive(Debug, Default)]
pub(crate) struct Patterns {
    exact: TextMap<u32>,
    prefixes: Ends,
    suffixes: Ends,
    any: Option<u32>,
    /// Patterns without a literal end (`*x*`); each is tried.
    loose: Vec<(String, u32)>,
}

/// Patterns by one literal end.
#[derive(Debug, Default)]
struct Ends {
    /// Patterns with nothing after the end but a `*`.
    complete: TextMap<u32>,
    /// Patterns with more, which is tried.
    partial: TextMap<Vec<(String, u32)>>,
    /// The lengths of ends that occur, ascending.
    lengths: Vec<usize>,
}

impl Patterns {
    /// The number of a pattern; `next` gives one to a pattern that is new.
    pub(crate) fn number(&mut self, pattern: &str, next: impl FnOnce() -> u32) -> u32 {
        match glob::shape(pattern) {
            Shape::Any => *self.any.get_or_insert_with(next),
            Shape::Exact(name) => *self.exact.get_or_insert_with(name.as_bytes(), next),
            Shape::Prefix(prefix, complete) => {
                self.prefixes
                    .number(prefix.as_bytes(), pattern, complete, next)
            }
            Shape::Suffix(suffix, complete) => {
                self.suffixes
                    .number(suffix.as_bytes(), pattern, complete, next)
            }
            Shape::Loose => number_in(&mut self.loose, pattern, next),
        }
    }

    /// Replaces every number.
    pub(crate) fn renumber(&mut self, new: impl Fn(u32) -> u32) {
        let Self {
            exact,
            prefixes,
            suffixes,
            any,
            loose,
        } = self;
        let ends = [prefixes, suffixes].into_iter().flat_map(Ends::numbers_mut);
        let loose = loose.iter_mut().map(|(_, number)| number);
        for number in exact.values_mut().chain(ends).chain(any).chain(loose) {
            *number = new(*number);
        }
    }

    /// Calls `found` once for every pattern that matches.
    pub(crate) fn find(&self, name: &str, mut found: impl FnMut(u32)) {
        if let Some(number) = self.exact.get(name.as_bytes()) {
            found(*number);
        }
        if let Some(number) = self.any {
            found(number);
        }
        let bytes = name.as_bytes();
        for length in self.prefixes.lengths_up_to(bytes.len()) {
            if let Some(prefix) = bytes.get(..*length) {
                self.prefixes.find(prefix, name, &mut found);
            }
        }
        for length in self.suffixes.lengths_up_to(bytes.len()) {
            if let Some(suffix) = bytes
                .len()
                .checked_sub(*length)
                .and_then(|at| bytes.get(at..))
            {
                self.suffixes.find(suffix, name, &mut found);
            }
        }
        for (pattern, number) in &self.loose {
            if glob::matches(pattern, name) {
                found(*number);
            }
        }
    }
}

impl Ends {
    fn number(
        &mut self,
        end: &[u8],
        pattern: &str,
        complete: bool,
        next: impl FnOnce() -> u32,
    ) -> u32 {
        if let Err(at) = self.lengths.binary_search(&end.len()) {
            self.lengths.insert(at, end.len());
        }
        if complete {
            *self.complete.get_or_insert_with(end, next)
        } else {
            number_in(
                self.partial.get_or_insert_with(end, Vec::new),
                pattern,
                next,
            )
        }
    }

    fn numbers_mut(&mut self) -> impl Iterator<Item = &mut u32> {
        let partial = self
            .partial
            .values_mut()
            .flatten()
            .map(|(_, number)| number);
        self.complete.values_mut().chain(partial)
    }

    fn lengths_up_to(&self, length: usize) -> impl Iterator<Item = &usize> {
        self.lengths
            .iter()
            .take_while(move |candidate| **candidate <= length)
    }

    fn find(&self, end: &[u8], name: &str, found: &mut impl FnMut(u32)) {
        if let Some(number) = self.complete.get(end) {
            found(*number);
        }
        if self.partial.is_empty() {
            return;
        }
        for (pattern, number) in self.partial.get(end).map(Vec::as_slice).unwrap_or_default() {
            if glob::matches(pattern, name) {
                found(*number);
            }
        }
    }
}

fn number_in(known: &mut Vec<(String, u32)>, pattern: &str, next: impl FnOnce() -> u32) -> u32 {
    if let Some((_, number)) = known.iter().find(|(text, _)| text == pattern) {
        return *number;
    }
    let number = next();
    known.push((pattern.to_owned(), number));
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_is_found_once() {
        let mut patterns = Patterns::default();
        let texts = [
            "get_x", "get_*", "*_x", "*", "g*x", "get*_x", "*t_*", "ge*", "*", "get_*", "put_*",
            "**",
        ];
        let mut count = 0;
        let numbers: Vec<u32> = texts
            .iter()
            .map(|text| {
                patterns.number(text, || {
                    count += 1;
                    count - 1
                })
            })
            .collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 7, 3, 1, 8, 3]);
        let find = |name: &str| {
            let mut found = Vec::new();
            patterns.find(name, |number| found.push(number));
            found.sort_unstable();
            found
        };
        assert_eq!(find("get_x"), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(find("put_y"), [3, 6, 8]);
        assert_eq!(find(""), [3]);
        assert_eq!(find("gé_x"), [2, 3, 4]);
    }
}
