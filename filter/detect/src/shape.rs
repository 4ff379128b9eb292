//! Classes of what is known by its shape rather than from the lexicon. Their numbers are fixed.

/// An address on the web.
pub const URL: u16 = 0;
/// One that carries data: a query, or a place to fill in.
pub const URL_DATA: u16 = 1;
/// A mail address.
pub const EMAIL: u16 = 2;
/// A name as programs have them: `read_file`, `readFile`.
pub const IDENT: u16 = 3;
/// A word in backticks or quotes.
pub const QUOTED: u16 = 4;
/// A long run of letters and digits that is no word.
pub const BLOB: u16 = 5;
/// A word in capitals.
pub const SHOUT: u16 = 6;
/// A word that is written to be misread.
pub const DISGUISED: u16 = 7;
/// The name of another tool.
pub const OTHER_TOOL: u16 = 8;
/// An address that the request does not have.
pub const NEW_ADDRESS: u16 = 9;
/// Characters that cannot be seen, in a run.
pub const HIDDEN: u16 = 10;
/// A number.
pub const NUMBER: u16 = 11;
/// Text that was decoded and could be read.
pub const DECODED: u16 = 12;
/// Any word that begins a sentence or line.
pub const OPENING: u16 = 13;
/// One of our words with every letter moved by thirteen places.
pub const ROT13: u16 = 14;
/// One of our words written backwards.
pub const REVERSED: u16 = 15;

/// The names in rule texts, by number.
pub const NAMES: [&str; 16] = [
    "url",
    "urldata",
    "email",
    "ident",
    "quoted",
    "blob",
    "shout",
    "disguised",
    "othertool",
    "newaddress",
    "hidden",
    "number",
    "decoded",
    "opening",
    "rot13",
    "reversed",
];
