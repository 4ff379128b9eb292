//! YAML text as a tree in which every node knows where it is written.

mod node;
mod parse;
mod place;

pub(crate) use node::{Key, Kind, Node, Scalar, Value};
pub(crate) use parse::parse;
pub(crate) use place::place_in;
