//! Server-sent events (WHATWG), cut without changing a byte.

mod event;
mod framer;

pub use event::Event;
pub use framer::{Framer, Tail, TooLarge};
