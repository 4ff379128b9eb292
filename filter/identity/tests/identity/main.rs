//! The public API, from outside. One binary, since linking is what takes time.

mod foreign;
mod keys;
mod mapping;
mod memory;
mod support;
mod tokens;
