//! Criterion benches of the pure crates: `cargo bench -p gatehold-bench-micro`. There is nothing to link.
#![forbid(unsafe_code)]
