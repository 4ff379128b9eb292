//! Words become classes, classes become features.
//!
//! A sequence of classes with gaps is followed by remembering, for each of its places, where it was reached
//! last: a later place is always the better one to go on from, so one number per place is enough, each word
//! costs the number of places that its classes can reach, and nothing is ever looked at twice.

mod decoded;

use std::ops::Range;

use crate::follow::{Class, Live, On};
use crate::hash::Hash;
use crate::pack::{NO_FEATURE, Tag};
use crate::score::{Fired, Score};
use crate::views::{self, Turn};
use crate::words::{self, Sink, Word};
use crate::{Kind, Pack, flag, shape};
use decoded::Views;

/// Where a sequence was last.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// Position plus one; 0 means never.
    position: u32,
    start: u32,
}

/// What is left of a matcher: places that were reached far before what comes.
#[derive(Debug)]
pub(crate) struct Worn {
    score: Score,
    places: Vec<Place>,
    live: Live,
    position: u32,
}

/// Follows all sequences at once.
#[derive(Debug)]
pub(crate) struct Matcher<'p> {
    pack: &'p Pack,
    score: Score,
    places: Vec<Place>,
    live: Live,
    position: u32,
    /// Bytes before this piece.
    base: usize,
    /// Up to here in the piece words belong to something that was told whole.
    told: usize,
    last_end: usize,
    tools: Vec<Hash>,
    trace: Option<Vec<Fired>>,
    views: Views,
}

impl<'p> Matcher<'p> {
    pub(crate) fn new(pack: &'p Pack, kind: Kind, tools: &[Hash], worn: Option<Worn>) -> Self {
        let Worn {
            mut score,
            places,
            live,
            position,
        } = worn.unwrap_or_else(|| Worn {
            score: Score::new(pack, kind, 0),
            places: vec![Place::default(); pack.follow.places()],
            live: Live::new(&pack.follow),
            position: 0,
        });
        score.renew(pack, kind, 0);
        Self {
            pack,
            score,
            places,
            live,
            position,
            base: 0,
            told: 0,
            last_end: usize::MAX,
            tools: tools.to_vec(),
            trace: None,
            views: Views::new(),
        }
    }

    /// What another scan may go on with.
    pub(crate) fn wear(mut self) -> Option<Worn> {
        self.skip();
        (self.position < u32::MAX / 2).then_some(Worn {
            score: self.score,
            places: self.places,
            live: self.live,
            position: self.position,
        })
    }

    pub(crate) fn keep_trace(&mut self) {
        self.trace = Some(Vec::new());
    }

    pub(crate) fn into_trace(self) -> Vec<Fired> {
        self.trace.unwrap_or_default()
    }

    /// A new piece begins after so many bytes.
    pub(crate) fn begin_piece(&mut self, base: usize) {
        self.base = base;
        self.told = 0;
        self.last_end = usize::MAX;
        self.views.renew();
        self.views.begin_piece();
    }

    /// What comes next stands far behind what was read.
    pub(crate) fn skip(&mut self) {
        // Behind every window and every sequence.
        let window = self.pack.windows.iter().copied().max().unwrap_or(0);
        self.position = self
            .position
            .saturating_add(window + 2 * u32::from(u8::MAX));
        self.live.advance(self.position.saturating_add(1));
        self.last_end = usize::MAX;
        self.views.begin_piece();
    }

    pub(crate) fn best(&self) -> (i32, &[Fired]) {
        self.score.best()
    }

    fn offset(&self, at: usize) -> u32 {
        match self.views.at {
            Some((start, _)) => start,
            None => u32::try_from(self.base + at).unwrap_or(u32::MAX),
        }
    }

    /// Of the end of something: what was decoded ends with the run that it was decoded from.
    fn span_end(&self, at: usize) -> u32 {
        self.views
            .at
            .map_or_else(|| self.offset(at), |(_, end)| end)
    }

    /// How the view that stands there begins.
    pub(crate) fn decoded(&self, start: u32, end: u32) -> Option<&str> {
        self.views.excerpt(start, end)
    }

    /// Moves on by so many words.
    #[inline]
    fn advance(&mut self, words: u32) {
        self.position += words;
        self.live.advance(self.position + 1);
    }

    /// The word at hand is of this class.
    #[inline(always)]
    fn hit(&mut self, class: u16, flags: u8, start: u32, end: u32) {
        let pack = self.pack;
        if let Some(follow) = pack.follow.class(class)
            && self.live.concerns(follow)
        {
            self.follow(follow, flags, start, end);
        }
    }

    #[inline(never)]
    fn follow(&mut self, follow: &Class, flags: u8, start: u32, end: u32) {
        let now = self.position + 1;
        for group in &follow.groups {
            let mut alive = self.live.alive(group);
            while alive != 0 {
                let place = alive.trailing_zeros() as u16;
                alive &= alive - 1;
                let Some(step) = group.step(place) else {
                    continue;
                };
                match self.places.get(usize::from(step.from)) {
                    Some(place)
                        if place.position < now
                            && now - place.position <= u32::from(step.gap) + 1
                            && flags & step.need == step.need =>
                    {
                        let begun = place.start;
                        self.reached(step, now, begun, end);
                    }
                    _ => {}
                }
            }
        }
        for step in &follow.first {
            if flags & step.need == step.need {
                self.reached(step, now, start, end);
            }
        }
    }

    #[inline]
    fn reached(&mut self, step: &On, now: u32, begun: u32, end: u32) {
        if let Some(place) = self.places.get_mut(usize::from(step.to)) {
            *place = Place {
                position: now,
                start: begun,
            };
            self.live.reached(step);
        }
        if step.feature != NO_FEATURE {
            self.fire(step.feature, begun, end);
        }
    }

    fn fire(&mut self, feature: u16, start: u32, end: u32) {
        let fired = Fired {
            feature,
            position: self.position,
            start,
            end,
        };
        if let Some(trace) = &mut self.trace {
            trace.push(fired);
        }
        self.score.fire(self.pack, fired);
    }

    fn symbols(&mut self, text: &[u8], word: &Word) {
        if text.get(word.start..word.end) == Some(b"://") {
            self.address(text, word);
            return;
        }
        let pack = self.pack;
        let tags = pack.lexicon.tags(word.hash);
        if tags.is_empty() {
            return;
        }
        self.advance(1);
        let (start, end) = (self.offset(word.start), self.span_end(word.end));
        for tag in tags {
            self.hit(tag.class, word.flags, start, end);
        }
    }

    /// An address from `://` to its end.
    fn address(&mut self, text: &[u8], word: &Word) {
        let rest = text.get(word.end..).unwrap_or_default();
        let length = words::escapes::address(rest);
        let address = rest.get(..length).unwrap_or_default();
        let query = address.iter().position(|byte| *byte == b'?');
        let asks = query.is_some_and(|at| address.iter().skip(at).any(|byte| *byte == b'='));
        let fills = address
            .iter()
            .any(|byte| matches!(byte, b'{' | b'$' | b'['));
        let end = word.end + length;
        self.told = self.told.max(end);
        self.advance(1);
        let (from, to) = (self.offset(word.start), self.span_end(end));
        self.hit(shape::URL, 0, from, to);
        if asks || fills {
            self.hit(shape::URL_DATA, 0, from, to);
        }
    }

    fn shapes(&mut self, word: &Word, start: u32, end: u32) {
        let flags = word.flags;
        let is = |flag: u8| flags & flag != 0;
        if is(flag::UPPER) && !is(flag::DIGIT) && word.length >= 3 {
            self.hit(shape::SHOUT, flags, start, end);
        }
        if word.length >= 5 && ((is(flag::UNDERSCORE) && is(flag::LOWER)) || is(flag::CAMEL)) {
            self.hit(shape::IDENT, flags, start, end);
        }
        if word.before == word.after && matches!(word.before, b'`' | b'\'') {
            self.hit(shape::QUOTED, flags, start, end);
        }
        if word.before == b'@' && self.last_end.wrapping_add(1) == word.start {
            self.hit(shape::EMAIL, flags, start, end);
        }
        if is(flag::DIGIT) && !is(flag::LOWER | flag::UPPER | flag::CAMEL) && word.length >= 6 {
            self.hit(shape::NUMBER, flags, start, end);
        }
        if is(flag::DISGUISED) {
            self.hit(shape::DISGUISED, flags, start, end);
        }
        if !self.tools.is_empty() && self.tools.contains(&word.hash) {
            self.hit(shape::OTHER_TOOL, flags, start, end);
        }
    }

    /// Everything that the word is. Whether it is also one of ours in disguise.
    #[inline]
    fn tagged(&mut self, tags: &[Tag], word: &Word, start: u32, end: u32) -> bool {
        let mut turns = false;
        for tag in tags {
            let fits = word.flags & tag.need == tag.need
                && (tag.before == 0 || tag.before == word.before)
                && (tag.after == 0 || tag.after == word.after);
            if fits {
                self.hit(tag.class, word.flags, start, end);
            }
            turns |= matches!(tag.class, shape::ROT13 | shape::REVERSED);
        }
        turns
    }

    fn turns(&mut self, text: &[u8], word: &Word, tags: &[Tag]) {
        for tag in tags {
            match tag.class {
                shape::ROT13 => self.turn(text, word, Turn::Letters),
                shape::REVERSED => self.turn(text, word, Turn::Around),
                _ => {}
            }
        }
    }
}

/// Whether the word has no shape that may be asked for, whatever stands around it.
#[inline]
fn is_shapeless(word: &Word) -> bool {
    let is = |flag: u8| word.flags & flag != 0;
    let digits = is(flag::DIGIT);
    word.length < views::MIN_BLOB
        && !matches!(word.before, b'@' | b'`' | b'\'')
        && (word.flags & !(flag::LOWER | flag::START) == 0
            || (!is(flag::CAMEL | flag::UNDERSCORE | flag::DISGUISED)
                && if is(flag::LOWER) {
                    true
                } else if is(flag::UPPER) {
                    digits || word.length < 3
                } else {
                    word.length < 6
                }))
}

impl Matcher<'_> {
    /// A word that is known, or not just a word.
    fn odd_word(&mut self, text: &[u8], word: &Word, tags: &[Tag]) {
        let coded = word.flags & (flag::DIGIT | flag::CAMEL) != 0;
        if word.length >= views::MIN_BLOB && coded && self.blob(text, word) {
            return;
        }
        self.advance(u32::from(word.step));
        let (start, end) = (self.offset(word.start), self.span_end(word.end));
        let turns = self.tagged(tags, word, start, end);
        // Small letters by themselves have no shape.
        if word.flags & !(flag::LOWER | flag::START) != 0
            || word.before != 0
            || !self.tools.is_empty()
        {
            self.shapes(word, start, end);
        }
        self.last_end = word.end;
        self.row(text, word);
        if turns {
            self.turns(text, word, tags);
        }
    }
}

impl Sink for Matcher<'_> {
    fn hidden(&mut self, run: Range<usize>, carried: &[u8]) {
        let (start, end) = (self.offset(run.start), self.span_end(run.end));
        self.event(shape::HIDDEN, start, end);
        self.carried(run, carried);
    }

    #[inline]
    fn passes(&mut self, _: &[u8], word: &Word) -> bool {
        if self.pack.lexicon.may_know(word.hash)
            || word.start < self.told
            || !self.tools.is_empty()
            || !is_shapeless(word)
            || self.views.would_look(word)
        {
            return false;
        }
        self.position += u32::from(word.step);
        self.last_end = word.end;
        true
    }

    fn knows(&self, hash: Hash) -> bool {
        !self.pack.lexicon.tags(hash).is_empty()
    }

    #[inline]
    fn word(&mut self, text: &[u8], word: &Word) {
        if word.start < self.told {
            return;
        }
        if word.flags & flag::SYMBOLS != 0 {
            self.symbols(text, word);
            return;
        }
        let pack = self.pack;
        let tags: &[Tag] = if word.length <= words::MAX_WORD {
            pack.lexicon.tags(word.hash)
        } else {
            &[]
        };
        self.odd_word(text, word, tags);
    }
}
