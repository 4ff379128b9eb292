//! Scripts that are written without spaces.

use super::{Reader, Sink, Word};
use crate::flag::{LOWER, START};
use crate::hash::Hasher;

/// Most characters of a word in such a script.
const MOST: usize = 4;

/// The last characters of a run: every two, three and four of them may be a word.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Unspaced {
    last: [(char, usize); MOST],
    count: usize,
    end: usize,
}

impl<S: Sink> Reader<'_, '_, S> {
    /// A character of a script without spaces: tells the words that may end with it.
    pub(super) fn ideograph(&mut self, character: char, at: usize, end: usize) {
        self.close(0);
        self.flush_symbols(at);
        let unspaced = &mut self.unspaced;
        if unspaced.end != at {
            unspaced.count = 0;
        }
        unspaced.last.rotate_left(1);
        if let Some(last) = unspaced.last.last_mut() {
            *last = (character, at);
        }
        unspaced.count += 1;
        unspaced.end = end;
        let Unspaced { last, count, .. } = *unspaced;
        // Two characters are about as much as a word.
        let step = u8::from(count % 2 == 1);
        for length in 2..=MOST.min(count) {
            let mut hasher = Hasher::default();
            let mut start = at;
            for (nth, (character, begins)) in last.iter().skip(MOST - length).enumerate() {
                if nth == 0 {
                    start = *begins;
                }
                let mut buffer = [0; 4];
                let bytes = character.encode_utf8(&mut buffer).as_bytes();
                bytes.iter().for_each(|byte| hasher.push(*byte));
            }
            let hash = hasher.finish();
            let step = if length == 2 { step } else { 0 };
            // Most of these are no words; one of two is told all the same, because the position moves with it.
            if step == 0 && !self.sink.knows(hash) {
                continue;
            }
            let starts = self.gap.starts && length == count;
            let word = Word {
                hash,
                start,
                end,
                length: u32::try_from(length).unwrap_or(u32::MAX),
                flags: LOWER | if starts { START } else { 0 },
                before: self.gap.before,
                after: 0,
                step,
            };
            self.sink.word(self.text, &word);
        }
        if count >= MOST {
            self.gap.after_word();
        }
    }
}
