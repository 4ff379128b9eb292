//! The end of the chain.

use crate::record::Hash;

/// The end of the chain, and the counts since the file was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Sequence of the newest event, and so the number of events, gaps included; 0 when there is none.
    pub sequence: u64,
    /// Hash of the newest event; 32 zero bytes when there is none.
    pub hash: Hash,
    /// Batches stored.
    pub batches: u64,
    /// Events that senders had to drop.
    pub dropped: u64,
}

impl Head {
    /// The head of an empty chain.
    pub const EMPTY: Self = Self {
        sequence: 0,
        hash: Hash::ZERO,
        batches: 0,
        dropped: 0,
    };
}
