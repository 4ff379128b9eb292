//! Classes of what is known by its shape rather than from the lexicon. Their numbers are fixed.

/// An address on the web.
pub const URL: u8 = 0;
/// One that carries data: a query, or a place to fill in.
pub const URL_DATA: u8 = 1;
/// A mail address.
pub const EMAIL: u8 = 2;
/// A name as programs have them: `read_file`, `readFile`.
pub const IDENT: u8 = 3;
/// A word in backticks or quotes.
pub const QUOTED: u8 = 4;
/// A long run of letters and digits that is no word.
pub const BLOB: u8 = 5;
/// A word in capitals.
pub const SHOUT: u8 = 6;
/// A word that is written to be misread.
pub const DISGUISED: u8 = 7;
/// The name of another tool.
pub const OTHER_TOOL: u8 = 8;
/// An address that the request does not have.
pub const NEW_ADDRESS: u8 = 9;
/// Characters that cannot be seen, in a run.
pub const HIDDEN: u8 = 10;
/// A number.
pub const NUMBER: u8 = 11;
/// Text that was decoded and could be read.
pub const DECODED: u8 = 12;
/// Any word that begins a sentence or line.
pub const OPENING: u8 = 13;

/// The names in rule texts, by number.
pub const NAMES: [&str; 14] = [
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
];
