//! Views in the same reading: what was decoded is told to the same sequences and adds to the same score, at the
//! place where it stands.

use std::ops::Range;

use super::Matcher;
use crate::again::Deep;
use crate::hash::Hash;
use crate::views::{self, Row, Turn, View};
use crate::words::Word;
use crate::{Pack, shape};

/// Excerpts of views that are kept.
const EXCERPTS: usize = 16;
/// Their bytes.
const EXCERPT: usize = 96;
/// Letters of the longest word that is looked for in letters without spaces.
const LONGEST: usize = 14;

/// What is known of views.
#[derive(Debug)]
pub(super) struct Views {
    budget: usize,
    depth: u8,
    /// Where the outermost view stands in the input.
    pub(super) at: Option<(u32, u32)>,
    row: Row,
    /// Up to here the piece was turned.
    turned: usize,
    excerpts: Vec<(u32, u32, String)>,
    /// Texts of this piece's views, for whoever else looks, and where they stand.
    texts: Vec<(Vec<u8>, Range<usize>)>,
}

impl Views {
    pub(super) fn new() -> Self {
        Self {
            budget: views::BUDGET,
            depth: 0,
            at: None,
            row: Row::default(),
            turned: 0,
            excerpts: Vec::new(),
            texts: Vec::new(),
        }
    }

    /// A piece of the input begins: it may decode something too, whatever the pieces before it had to decode.
    pub(super) fn renew(&mut self) {
        self.budget = self.budget.max(views::BUDGET / 4);
        self.texts.clear();
    }

    pub(super) fn begin_piece(&mut self) {
        self.row.reset();
        self.turned = 0;
    }

    /// Counts a word for its row, unless it is one with which the row is to be looked at.
    #[inline]
    pub(super) fn would_look(&mut self, word: &Word) -> bool {
        let digits = word.flags & crate::flag::DIGIT != 0;
        if word.length > 1 && !digits {
            self.row.reset();
            return false;
        }
        let mut row = self.row;
        let looks = row.push(word.start, word.end, digits).is_some();
        if !looks {
            self.row = row;
        }
        looks
    }

    fn may_look(&self) -> bool {
        self.depth < views::DEPTH && self.budget > 0
    }

    /// How the view that stands there begins.
    pub(super) fn excerpt(&self, start: u32, end: u32) -> Option<&str> {
        let found = self
            .excerpts
            .iter()
            .find(|(from, to, _)| (*from, *to) == (start, end));
        found.map(|(_, _, text)| text.as_str())
    }
}

impl Matcher<'_> {
    /// Looks at a long word. Whether it was read as something else.
    pub(super) fn blob(&mut self, text: &[u8], word: &Word) -> bool {
        if !self.views.may_look() {
            return false;
        }
        let view = views::blob(text, self.told, word.start, &mut self.views.budget);
        let found = view.is_some();
        if let Some(view) = view {
            self.read(&view, true);
        }
        found
    }

    /// Looks at a row of short words when there are enough of them.
    #[inline]
    pub(super) fn row(&mut self, text: &[u8], word: &Word) {
        let digits = word.flags & crate::flag::DIGIT != 0;
        if let Some(start) = self.views.row.push(word.start, word.end, digits)
            && self.views.may_look()
        {
            self.row_at(text, start.max(self.told));
        }
    }

    fn row_at(&mut self, text: &[u8], start: usize) {
        if let Some(mut view) = views::row(text, start, &mut self.views.budget) {
            if !view.text.contains(&b' ') {
                view.text = apart(self.pack, &view.text);
            }
            self.read(&view, true);
        }
    }

    /// The word is one of ours when its letters are moved: turns the text around it.
    pub(super) fn turn(&mut self, text: &[u8], word: &Word, turn: Turn) {
        if word.start < self.views.turned || !self.views.may_look() {
            return;
        }
        let from = self.views.turned.max(self.told);
        let view = views::turned(text, from, word.start, turn, &mut self.views.budget);
        let Some(view) = view else {
            return;
        };
        self.views.turned = view.span.end;
        // One word can be an accident.
        if known(self.pack, &view.text) >= 2 {
            self.read(&view, false);
        }
    }

    /// Bytes that were carried by characters nobody sees.
    pub(super) fn carried(&mut self, run: Range<usize>, carried: &[u8]) {
        if self.views.may_look() && carried.len() >= 4 {
            self.views.budget = self.views.budget.saturating_sub(carried.len());
            let view = View {
                span: run,
                text: carried.to_vec(),
            };
            self.read(&view, true);
        }
    }

    /// Reads a view; when it is told `whole`, the words that it was made of are not told themselves.
    fn read(&mut self, view: &View, whole: bool) {
        let (start, end) = (self.offset(view.span.start), self.span_end(view.span.end));
        let views = &mut self.views;
        let outer = (views.at, views.row, views.turned, self.told, self.last_end);
        views.at = views.at.or(Some((start, end)));
        views.depth += 1;
        views.begin_piece();
        if views.excerpts.len() < EXCERPTS {
            let head = view.text.get(..EXCERPT).unwrap_or(&view.text);
            let text = String::from_utf8_lossy(head).into_owned();
            views.excerpts.push((start, end, text));
        }
        if let Some((from, to)) = views.at {
            let at = from as usize..to as usize;
            views.texts.push((view.text.clone(), at));
        }
        self.told = 0;
        self.last_end = usize::MAX;
        self.event(shape::DECODED, start, end);
        let fold = &self.pack.fold;
        let mut deep = Deep {
            matcher: Some(&mut *self),
            secrets: None,
        };
        deep.read(&view.text, fold);
        self.views.depth -= 1;
        (
            self.views.at,
            self.views.row,
            self.views.turned,
            self.told,
            self.last_end,
        ) = outer;
        if whole {
            self.told = self.told.max(view.span.end);
        }
    }

    /// What was decoded since the last call, and where it stands in the input.
    pub(crate) fn take_views(&mut self) -> Vec<(Vec<u8>, Range<usize>)> {
        std::mem::take(&mut self.views.texts)
    }

    /// Something that is no word of the text is of this class.
    pub(super) fn event(&mut self, class: u16, start: u32, end: u32) {
        self.advance(1);
        self.hit(class, 0, start, end);
    }
}

/// How many words of the text are known, long ones only.
fn known(pack: &Pack, text: &[u8]) -> usize {
    let words = text.split(|byte| !byte.is_ascii_alphabetic());
    words
        .filter(|word| word.len() >= 4)
        .filter(|word| {
            !pack
                .lexicon
                .tags(Hash::of(&word.to_ascii_lowercase()))
                .is_empty()
        })
        .count()
}

/// Letters without spaces as words, as far as these are known: the longest from the left.
fn apart(pack: &Pack, letters: &[u8]) -> Vec<u8> {
    let letters = letters.to_ascii_lowercase();
    let mut text = Vec::with_capacity(2 * letters.len());
    let mut at = 0;
    while at < letters.len() {
        let rest = letters.get(at..).unwrap_or_default();
        let mut bytes = [0; 16];
        for (place, letter) in bytes.iter_mut().zip(rest) {
            *place = *letter;
        }
        let mut bytes = u128::from_le_bytes(bytes);
        let mut mask = u128::MAX >> (8 * (16 - LONGEST));
        let longest = (3..=LONGEST)
            .rev()
            .find(|length| {
                bytes &= mask;
                mask >>= 8;
                let hash = Hash::of_sixteen(bytes, *length as u32);
                *length <= rest.len() && !pack.lexicon.tags(hash).is_empty()
            })
            .and_then(|length| rest.get(..length));
        match longest {
            Some(word) => {
                text.push(b' ');
                text.extend_from_slice(word);
                text.push(b' ');
                at += word.len();
            }
            None => {
                text.extend(letters.get(at));
                at += 1;
            }
        }
    }
    text
}
