//! Counts of the filter that do not depend on the machine's mood: instructions by callgrind, host calls, bytes
//! copied over the boundary, allocations. `counts` runs each case in a process of its own (`count-case`) under
//! valgrind and keeps the table in `benches/instructions.txt`, so that a regression is a diff.
#![forbid(unsafe_code)]

pub mod callgrind;
pub mod table;
