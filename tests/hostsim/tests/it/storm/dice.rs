//! Repeatable choices.

/// A stream of choices that its seed decides (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("less than a usize")
    }

    /// True so many times of a hundred.
    pub(crate) fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    pub(crate) fn pick<'t, T: ?Sized>(&mut self, from: &[&'t T]) -> &'t T {
        from[self.below(from.len())]
    }

    /// The bytes in pieces; sometimes one of them is empty.
    pub(crate) fn pieces<'b>(&mut self, mut bytes: &'b [u8]) -> Vec<&'b [u8]> {
        let most = [1, 7, 60, 1000, usize::MAX][self.below(5)].min(bytes.len().max(1));
        let mut pieces = Vec::new();
        while !bytes.is_empty() {
            let size = if self.percent(10) {
                0
            } else {
                1 + self.below(most)
            };
            let (piece, rest) = bytes.split_at(size.min(bytes.len()));
            pieces.push(piece);
            bytes = rest;
            // Byte by byte takes too long for what is large.
            if pieces.len() > 40 {
                pieces.push(bytes);
                break;
            }
        }
        pieces
    }
}
