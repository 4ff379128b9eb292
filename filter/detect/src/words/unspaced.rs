//! Scripts that are written without spaces.

use super::{Reader, Sink, Word};
use crate::flag::{LOWER, START};
use crate::hash::Hash;

/// Most characters of a word in such a script.
const MOST: usize = 4;

/// The last characters of a run: every two, three and four of them may be a word.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Unspaced {
    /// The bytes of each, the first the lowest, how many bits they are, and where it stands.
    last: [(u32, u32, usize); MOST],
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
            let mut bytes = [0; 4];
            let bits = 8 * character.encode_utf8(&mut bytes).len() as u32;
            *last = (u32::from_le_bytes(bytes), bits, at);
        }
        unspaced.count += 1;
        unspaced.end = end;
        let Unspaced { last, count, .. } = *unspaced;
        // Two characters are about as much as a word.
        let step = u8::from(count % 2 == 1);
        let (mut bytes, mut bits) = (0_u128, 0);
        for (length, (character, wide, start)) in (1..=MOST.min(count)).zip(last.iter().rev()) {
            bytes = bytes << wide | u128::from(*character);
            bits += wide;
            if length == 1 {
                continue;
            }
            let hash = Hash::of_sixteen(bytes, bits / 8);
            let step = if length == 2 { step } else { 0 };
            // Most of these are no words; one of two is told all the same, because the position moves with it.
            if step == 0 && !self.sink.knows(hash) {
                continue;
            }
            let starts = self.gap.starts && length == count;
            let word = Word {
                hash,
                start: *start,
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
