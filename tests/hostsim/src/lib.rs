//! A native proxy-wasm host that is not Envoy, to drive the real filter under `cargo test`.
//!
//! It defines the host calls that the filter imports and calls the entry points that it exports, so that
//! everything between the ABI and the policy engine runs as in a worker. What the host does follows Envoy
//! with `allow_on_headers_stop_iteration`: which headers can be reached when, what a pause holds back, how
//! a local reply travels. Beyond Envoy, time stands still unless a test moves it and any host call can be
//! made to fail.
//!
//! The state of filter and host is per thread, so tests run in parallel. A panic in the filter cannot
//! unwind through the ABI: it ends the test process.
//!
//! ```no_run
//! use gatehold_hostsim::{Sim, fixture};
//! let sim = Sim::ready();
//! let outcome = sim
//!     .exchange()
//!     .request(&fixture::headers(&fixture::token(&["support"])), b"{}")
//!     .finish();
//! assert_eq!(outcome.status(), Some(400));
//! assert!(outcome.upstream.is_none());
//! ```
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "support for tests: what is wrong here must fail the test at once"
)]

mod abi;
mod control;
mod exchange;
pub mod fixture;
mod http;
pub mod meter;
mod outcome;
mod pairs;
mod sim;
mod world;

pub use control::{Push, Reply, StreamView};
pub use exchange::Exchange;
pub use outcome::{Message, Outcome};
pub use sim::{Builder, Sim};
pub use world::{Control, Fault, Status};
