//! What a character outside ASCII reads as.
//!
//! The table is made by control from Unicode data and travels in the pack, so that the filter has no
//! Unicode tables of its own and lexicon and text are always folded in the same way.

mod table;

pub use table::FoldError;

use table::Table;

/// Characters to what they read as.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fold(Table);

/// What a character reads as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folded<'a> {
    /// Part of a word, as it is.
    Letter,
    /// A word by itself: ideographs, which are written without spaces.
    Ideograph,
    /// Space or punctuation: ends a word.
    Separator,
    /// Nobody sees it: zero-width characters, direction marks, variation selectors.
    Invisible,
    /// Belongs to the letter before it: accents.
    Mark,
    /// A character of the TAG block: invisible, but models read it as this ASCII character.
    Tag(u8),
    /// Reads as other characters.
    Text {
        /// In every word: lower case, without accents, in compatibility form. At most 16 bytes, never empty.
        plain: &'a str,
        /// ASCII letters that it looks like, where it stands among Latin letters; empty when it looks like none.
        confusable: &'a str,
    },
}

/// How many bytes a character reads as at most.
pub(crate) const MAX_TEXT: usize = 16;

impl Fold {
    /// A table of these characters; all others are separators. The last of several entries of a character
    /// counts. A text that is empty or longer than 16 bytes makes the character a letter as it is.
    pub fn build<'a>(entries: impl IntoIterator<Item = (char, Folded<'a>)>) -> Self {
        Self(Table::build(entries))
    }

    /// Reads what [`Fold::to_bytes`] wrote.
    ///
    /// # Errors
    /// The bytes are something else.
    pub fn load(bytes: &[u8]) -> Result<Self, FoldError> {
        Table::load(bytes).map(Self)
    }

    /// The table in bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.to_bytes()
    }

    /// What the character reads as. ASCII characters are not in the table: ask only for others.
    pub fn get(&self, character: char) -> Folded<'_> {
        match u32::from(character) {
            // Ideographs of the supplementary planes, which the table leaves out.
            0x2_0000..=0x3_FFFF => Folded::Ideograph,
            tag @ 0xE_0020..=0xE_007E => Folded::Tag(tag.to_le_bytes()[0]),
            0xE_0000..=0xE_0FFF => Folded::Invisible,
            code => self.0.get(code),
        }
    }

    /// The text as the scan reads its words: folded, invisible characters and accents left out. Separators
    /// outside ASCII become spaces.
    pub fn fold(&self, text: &str) -> String {
        let mut folded = String::with_capacity(text.len());
        for character in text.chars() {
            if character.is_ascii() {
                folded.push(character.to_ascii_lowercase());
                continue;
            }
            match self.get(character) {
                Folded::Letter | Folded::Ideograph => folded.push(character),
                Folded::Separator => folded.push(' '),
                Folded::Invisible | Folded::Mark => {}
                Folded::Tag(byte) => folded.push(char::from(byte).to_ascii_lowercase()),
                Folded::Text { plain, .. } => folded.push_str(plain),
            }
        }
        folded
    }
}

#[cfg(test)]
mod tests;
