//! What the benches work on: the same messages for the hot functions and for whole exchanges, natively and in
//! WebAssembly.
#![forbid(unsafe_code)]

pub mod messages;
