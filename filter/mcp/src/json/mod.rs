//! JSON with one reading only, on top of `serde_json`.

mod keys;
mod numbers;
mod scan;
mod strict;

pub(crate) use keys::{confusable, lookalike};
pub(crate) use numbers::integers_fit;
pub(crate) use scan::{arguments, is_usual};
pub(crate) use strict::{Fault, Key, PROTOTYPE, Read, check, excerpt, read};
