//! What pages and API show of an approval, worked out without HTML.

mod access;
mod arguments;
mod notes;
mod outcome;
mod seen;
mod time;

pub use access::{is_named, may_see};
pub use arguments::{Row, rows};
pub use notes::{Note, notes};
pub use outcome::{Tone, headline, how_it_waits, outcome};
pub use seen::{Seen, seen};
pub use time::{Moment, ago, left, millis};

/// Bytes in hexadecimal, as digests are written.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
