//! Skims a text: sees where in it something may be, so that only that is read closely.
//!
//! Skimming knows words in plain ASCII, which classes they have, and how far apart they are; it takes for granted
//! what it does not see. So what it adds up is never less than what a close reading does, and a text in which it comes
//! to little has nothing to be read closely for. Whatever is written as something else is read closely.

mod compile;
mod odd;
mod read;
mod table;
mod zones;

use std::ops::Range;

pub(crate) use table::Table;
use table::{CELLS, Group, SPAN};
use zones::Zones;

use crate::flag::{START, UPPER};
use crate::hash::Hash;
use crate::score::{Fired, Score};
use crate::secrets::Secrets;
use crate::spare::Left;
use crate::views::Row;
use crate::{Kind, Pack};

/// Most words that a sequence may span behind its first.
pub const MAX_SPAN: usize = SPAN as usize - 1;

/// No class but the one that always is.
const NOTHING: [u64; CELLS] = {
    let mut nothing = [0; CELLS];
    nothing[0] = 1;
    nothing
};

/// Skimming under way.
#[derive(Debug)]
pub(crate) struct Skim<'p> {
    pack: &'p Pack,
    kind: Kind,
    /// The sum from which on a close reading may matter.
    enough: i32,
    /// In words: never more than a close reading counts.
    position: u32,
    /// By class: the position where it was seen last, plus one.
    last: Vec<u32>,
    /// Classes that guard something and were seen in this stretch of words; and these with those of the stretch before.
    recent: [u64; CELLS],
    live: [u64; CELLS],
    /// The position at which the next stretch begins.
    turn: u32,
    /// What may have fired; made, or made new, when something does.
    score: Option<Score>,
    scored: bool,
    /// Words over which features add up.
    window: u32,
    zones: Zones,
    tools: Vec<Hash>,
    /// A bit for each tool's hash.
    tool_bits: u64,
    row: Row,
    /// Bytes before this piece.
    base: usize,
    /// Up to here in the piece words may be no words for a close reading: part of an address, of something that is
    /// decoded, or of a word that is more than plain ASCII. They are looked at, but not counted.
    told: usize,
    /// Where the word stands that follows the `@` behind the last one.
    mail: usize,
    /// The last word in plain ASCII, in the piece.
    word: Range<usize>,
    /// Up to here in the piece a word that is more than that was looked at.
    joined: usize,
    /// The position around which all is read closely already.
    close: u32,
    /// Whether letters or signs were written as escapes.
    escapes: bool,
}

impl<'p> Skim<'p> {
    pub(crate) fn new(
        pack: &'p Pack,
        kind: Kind,
        tools: &[Hash],
        enough: i32,
        left: &mut Left,
    ) -> Self {
        let window = pack.windows.get(kind.index()).copied().unwrap_or(1);
        let mut skim = Self {
            pack,
            kind,
            enough,
            position: left.position,
            last: std::mem::take(&mut left.last),
            recent: [0; CELLS],
            live: NOTHING,
            turn: left.position + SPAN,
            score: left.score.take(),
            scored: false,
            window,
            zones: Zones::new(
                window + SPAN + pack.skim.ahead,
                std::mem::take(&mut left.trail),
            ),
            tools: tools.to_vec(),
            tool_bits: tools.iter().fold(0, |bits, tool| bits | tool_bit(*tool)),
            row: Row::default(),
            base: 0,
            told: 0,
            mail: usize::MAX,
            word: 0..0,
            joined: 0,
            close: u32::MAX,
            escapes: false,
        };
        skim.last.resize(usize::from(pack.classes), 0);
        if enough <= 0 || !pack.skim.complete {
            skim.zones.always();
        }
        skim
    }

    /// Leaves what another scan can use.
    pub(crate) fn leave(self, left: &mut Left) {
        left.position = self.position.saturating_add(2 * SPAN);
        left.last = self.last;
        left.trail = self.zones.leave();
        left.score = self.score;
    }

    /// Skims a piece, whose secrets are told too. What is to be read closely of it and of what came before, in bytes of
    /// the whole input; the same until the next piece.
    pub(crate) fn piece(&mut self, text: &[u8], secrets: &mut Secrets<'_>) -> &[Range<usize>] {
        self.zones.begin();
        self.told = 0;
        self.mail = usize::MAX;
        self.word = 0..0;
        self.joined = 0;
        self.close = u32::MAX;
        self.escapes = false;
        self.row.reset();
        self.read(text, secrets);
        self.base += text.len();
        self.zones.end(self.position, self.base)
    }

    /// Whether letters or signs of the last piece were written as escapes.
    pub(crate) fn met_escapes(&self) -> bool {
        self.escapes
    }

    /// From where on what was skimmed may still have to be read closely.
    pub(crate) fn keep_from(&self) -> usize {
        self.zones.keep_from()
    }

    /// What is here is to be read closely, with all that it may have to do with.
    fn closely(&mut self) {
        if std::mem::replace(&mut self.close, self.position) == self.position {
            return;
        }
        let reach = self.zones.reach();
        self.zones
            .open(self.position.saturating_sub(reach), self.position + reach);
    }

    /// A word moves on.
    #[inline(always)]
    fn advance(&mut self, words: u32) {
        self.position += words;
        if self.position >= self.turn {
            self.turn_over();
        }
    }

    #[inline(never)]
    fn turn_over(&mut self) {
        self.live = std::mem::take(&mut self.recent);
        if let Some(first) = self.live.first_mut() {
            *first |= 1;
        }
        self.turn = self.position + SPAN;
    }

    /// The word at hand may complete what ends with the class.
    #[inline(always)]
    fn completes(&mut self, class: u16, flags: u8) {
        let pack = self.pack;
        let Some(class) = pack.skim.class(class) else {
            return;
        };
        for group in pack.skim.groups(class) {
            self.ask(group, flags);
        }
    }

    #[inline(always)]
    fn ask(&mut self, group: &Group, flags: u8) {
        let live = self.live.get(usize::from(group.cell) % CELLS);
        if live.is_some_and(|live| live & group.mask != 0) {
            self.group(group, flags);
        }
    }

    #[inline(never)]
    fn group(&mut self, group: &Group, flags: u8) {
        let pack = self.pack;
        let now = self.position + 1;
        for entry in pack.skim.entries(group) {
            if may(entry.need, flags) && pack.skim.holds(entry, &self.last, now) {
                self.fire(entry.feature, u32::from(entry.span));
            }
        }
    }

    /// The word at hand was of the class.
    #[inline(always)]
    fn was(&mut self, class: u16) {
        if let Some(last) = self.last.get_mut(usize::from(class)) {
            *last = self.position + 1;
        }
        if let Some(class) = self.pack.skim.class(class) {
            self.see(class.cell, class.bit);
        }
    }

    #[inline(always)]
    fn see(&mut self, cell: u8, bits: u64) {
        let cell = usize::from(cell) % CELLS;
        if let Some(recent) = self.recent.get_mut(cell) {
            *recent |= bits;
        }
        if let Some(live) = self.live.get_mut(cell) {
            *live |= bits;
        }
    }

    #[inline(never)]
    fn fire(&mut self, feature: u16, span: u32) {
        let (pack, kind) = (self.pack, self.kind);
        let weights = pack
            .features
            .get(usize::from(feature))
            .map(|it| &it.weights);
        if weights.is_none_or(|weights| weights.get(kind.index()).is_none_or(|it| *it <= 0)) {
            return;
        }
        let more = pack.skim.ahead;
        let score = self
            .score
            .get_or_insert_with(|| Score::new(pack, kind, more));
        if !std::mem::replace(&mut self.scored, true) {
            score.renew(pack, kind, more);
        }
        let position = self.position;
        let sum = score.fire(
            pack,
            Fired {
                feature,
                position,
                start: position.saturating_sub(span),
                end: position,
            },
        );
        if score.is_full() {
            // Some of what is in the window may have been let go.
            self.closely();
        } else if sum >= self.enough {
            let until = position + pack.skim.ahead;
            // What fires later goes back less far, so that a zone under way begins early enough.
            if self.zones.goes_on(until) {
                return;
            }
            let window = position.saturating_sub(self.window + pack.skim.back);
            let from = score
                .oldest_start()
                .map_or(window, |start| start.min(window));
            self.zones.open(from, until);
        }
    }
}

/// Whether a word with these flags may have those that are needed. Whether it begins something is not seen here.
fn may(need: u8, flags: u8) -> bool {
    need & !START & !flags & UPPER == 0
}

fn tool_bit(tool: Hash) -> u64 {
    1 << (tool.value() >> 58)
}
