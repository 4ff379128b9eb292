//! A text, searched for users' rules as it comes.

use std::ops::Range;

use regex_automata::dfa::Automaton as _;
use regex_automata::{Anchored, Input, PatternSet};

use super::{Role, Rule, Rules, read::read};
use crate::fold::Fold;
use crate::{Finding, Secret};

/// Bytes that are searched at a time.
const STRETCH: usize = 8192;
/// The longest match that is always found whole, in bytes of the text as it reads.
const OVERLAP: usize = 1024;
/// What a match may look at before it.
const CONTEXT: usize = 8;
/// Most finds of one rule.
const MOST: usize = 64;

/// A search under way.
#[derive(Clone, Debug)]
pub(crate) struct Search<'p> {
    rules: &'p Rules,
    /// What is left to search, behind some context, and where its bytes come from.
    text: Vec<u8>,
    places: Vec<usize>,
    /// Bytes of `text` that are context only.
    context: usize,
    /// Bytes of the input that were read.
    read: usize,
    /// By rule: what was found.
    found: Vec<Found>,
}

/// What a rule found.
#[derive(Clone, Debug, Default)]
struct Found {
    /// Up to where in `text` it has searched.
    from: usize,
    matches: Vec<Range<usize>>,
    /// What the first match reads.
    excerpt: String,
}

impl<'p> Search<'p> {
    pub(crate) fn new(rules: &'p Rules) -> Self {
        Self {
            rules,
            text: Vec::new(),
            places: Vec::new(),
            context: 0,
            read: 0,
            found: vec![Found::default(); rules.rules.len()],
        }
    }

    /// Reads a piece, which begins and ends between words.
    pub(crate) fn feed(&mut self, piece: &[u8], fold: &Fold) {
        if self.rules.is_empty() {
            return;
        }
        read(piece, self.read, fold, |byte, place| {
            self.text.push(byte);
            self.places.push(place);
            if self.text.len() >= STRETCH {
                self.search(place);
            }
        });
        self.read += piece.len();
    }

    /// What was found, as if the text ended here: findings and what they add, secrets.
    pub(crate) fn outcome(&self) -> (Vec<Finding>, i32, Vec<Secret>) {
        let (mut findings, mut sum, mut secrets) = (Vec::new(), 0_i32, Vec::new());
        if self.rules.is_empty() {
            return (findings, sum, secrets);
        }
        let mut last = self.clone();
        last.stretch(last.text.len(), last.text.len(), self.read);
        for (rule, found) in self.rules.rules.iter().zip(last.found) {
            let Some(first) = found.matches.first() else {
                continue;
            };
            if let Role::Finding(weight) = rule.role {
                sum = sum.saturating_add(weight);
                findings.push(Finding {
                    feature: format!("rule.{}", rule.name),
                    weight: f64::from(weight) / 1000.0,
                    span: first.clone(),
                    excerpt: found.excerpt,
                });
            } else if !self.rules.off.contains(&rule.name) {
                secrets.extend(found.matches.into_iter().map(|span| Secret {
                    pattern: rule.name.clone(),
                    personal: rule.role == Role::Personal,
                    span,
                }));
            }
        }
        (findings, sum, secrets)
    }

    /// Searches what is there for matches that begin well before its end, and keeps the rest.
    fn search(&mut self, place: usize) {
        // The last byte is what a match may look at behind it.
        let end = self.text.len() - 1;
        let cut = end.saturating_sub(OVERLAP);
        self.stretch(cut, end, place);
        let drop = cut.saturating_sub(CONTEXT);
        self.text.drain(..drop);
        self.places.drain(..drop);
        self.context = cut - drop;
        for found in &mut self.found {
            found.from = found.from.saturating_sub(drop);
        }
    }

    /// Looks for matches that begin before `cut` and end at `end` at most; `after` is where the input goes on.
    fn stretch(&mut self, cut: usize, end: usize, after: usize) {
        let Self {
            rules,
            text,
            places,
            context,
            found,
            ..
        } = self;
        let input = Input::new(text.as_slice()).range(*context..end);
        for filter in &rules.filters {
            let mut patterns = PatternSet::new(filter.rules.len());
            // An error means that an automaton gave up, which these are not built to do.
            let _ = filter
                .automaton
                .try_which_overlapping_matches(&input, &mut patterns);
            for pattern in patterns.iter() {
                let index = filter
                    .rules
                    .get(pattern.as_usize())
                    .copied()
                    .map(usize::from);
                let Some((rule, found)) =
                    index.and_then(|at| rules.rules.get(at).zip(found.get_mut(at)))
                else {
                    continue;
                };
                found.search(rule, text, *context..end, cut, |at| {
                    places.get(at).copied().unwrap_or(after)
                });
            }
        }
    }
}

impl Found {
    fn search(
        &mut self,
        rule: &Rule,
        text: &[u8],
        range: Range<usize>,
        cut: usize,
        place: impl Fn(usize) -> usize,
    ) {
        let most = if matches!(rule.role, Role::Finding(_)) {
            1
        } else {
            MOST
        };
        while self.matches.len() < most {
            let from = self.from.max(range.start);
            if from >= range.end {
                return;
            }
            let input = Input::new(text).range(from..range.end);
            let Ok(Some(end)) = rule.forward.try_search_fwd(&input) else {
                return;
            };
            let back = Input::new(text)
                .range(from..end.offset())
                .anchored(Anchored::Yes);
            let start = match rule.reverse.try_search_rev(&back) {
                Ok(Some(start)) => start.offset(),
                _ => return,
            };
            if start >= cut {
                return;
            }
            if self.matches.is_empty() {
                let bytes = text.get(start..end.offset()).unwrap_or_default();
                self.excerpt = crate::scan::excerpt(bytes);
            }
            self.matches.push(place(start)..place(end.offset()));
            self.from = end.offset().max(start + 1);
        }
    }
}
