//! What a word is like, in bits.

/// All letters are capitals.
pub const UPPER: u8 = 1;
/// The word begins a sentence, line, field or quotation.
pub const START: u8 = 2;
/// It has a digit.
pub const DIGIT: u8 = 4;
/// It has an underscore.
pub const UNDERSCORE: u8 = 8;
/// It has a small letter.
pub const LOWER: u8 = 16;
/// It was written with characters that do not look like what they are, or cannot be seen.
pub const DISGUISED: u8 = 32;
/// A capital follows a small letter.
pub const CAMEL: u8 = 64;
/// A run of symbols, not a word.
pub const SYMBOLS: u8 = 128;
