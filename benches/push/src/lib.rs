//! What `make bench-push` does; the program is a thin shell around it.
//!
//! A real `gatehold serve` in a process of its own pushes to simulated Envoys in this one. Each stream of an
//! Envoy has an HTTP/2 connection of its own, as Envoy's threads do, and speaks the protocol that the filter
//! speaks; what a stream gets is checked byte by byte against what the others got and against its version.
#![forbid(unsafe_code)]

mod contents;
mod control;
mod documents;
mod fleet;
mod layouts;
mod limits;
mod meter;
mod options;
mod parts;
mod report;
mod run;
mod scenario;
mod stages;
mod stats;
mod stream;
mod system;
mod wire;

pub use options::Options;
pub use report::Report;
pub use run::run;
