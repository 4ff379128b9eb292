//! JSON as others read it: several parsers, each with the liberties that servers take.

mod parsers;
mod pick;
mod tree;

pub use parsers::{PARSERS, Parser};
pub use pick::{PICKS, Pick};
pub use tree::Tree;
