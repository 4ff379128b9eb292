//! Texts that clients send, as long as they are kept.

/// Longest word of a client about itself that is kept for people, in characters.
pub(crate) const MAX_WORD: usize = 256;
/// Longest reason of a client that is kept, in characters.
pub(crate) const MAX_REASON: usize = 1000;

/// As much of a text as is kept.
pub(crate) fn short(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}
