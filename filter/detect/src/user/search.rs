//! A text, searched for users' rules as it comes.

use std::ops::Range;

use regex_automata::dfa::Automaton as _;
use regex_automata::{Anchored, Input, PatternSet, util::start};

use super::{Role, Rule, Rules, read::read};
use crate::fold::Fold;
use crate::{Finding, Secret};

/// Bytes that are searched at a time.
const STRETCH: usize = 8192;
/// The longest match that is always found whole, in bytes of the text as it reads.
const OVERLAP: usize = 1024;
/// What a match may look at before it.
const CONTEXT: usize = 8;
/// Most steps of one rule per byte of the text.
const STEPS: usize = 32;
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
        let mut budget = STEPS * range.len();
        let mut at = self.from.max(range.start);
        while at < cut.min(range.end) && self.matches.len() < most {
            if !text.get(at).is_some_and(|byte| rule.begins.has(*byte)) {
                at += 1;
                continue;
            }
            let end = if budget > 0 {
                longest(rule, text, at..range.end.min(at + OVERLAP), &mut budget)
            } else {
                // What takes too long to look at counts as found.
                Some(range.end)
            };
            let Some(end) = end else {
                at += 1;
                continue;
            };
            if self.matches.is_empty() {
                self.excerpt = crate::scan::excerpt(text.get(at..end).unwrap_or_default());
            }
            self.matches.push(place(at)..place(end));
            at = end.max(at + 1);
        }
        self.from = at.max(self.from);
    }
}

/// The end of the match that begins where the range does, as leftmost-first has it.
fn longest(rule: &Rule, text: &[u8], range: Range<usize>, budget: &mut usize) -> Option<usize> {
    let automaton = &rule.automaton;
    let before = range
        .start
        .checked_sub(1)
        .and_then(|at| text.get(at))
        .copied();
    let config = start::Config::new()
        .anchored(Anchored::Yes)
        .look_behind(before);
    let mut state = automaton.start_state(&config).ok()?;
    let mut found = None;
    let mut steps = 0;
    // A match is told one byte after its end, which may lie beyond the range, or beyond the text.
    for at in range.start..=range.end {
        steps += 1;
        state = match text.get(at) {
            Some(byte) => automaton.next_state(state, *byte),
            None => automaton.next_eoi_state(state),
        };
        if automaton.is_match_state(state) {
            found = Some(at);
        } else if automaton.is_dead_state(state) || automaton.is_quit_state(state) {
            break;
        }
    }
    *budget = budget.saturating_sub(steps);
    found
}
