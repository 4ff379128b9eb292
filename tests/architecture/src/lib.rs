//! The tests of this crate hold the workspace against the rules of ARCHITECTURE.md.
