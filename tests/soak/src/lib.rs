//! Load on a real Envoy for as long as one likes: mixed traffic, clients that go away, upstreams that break off,
//! a control that is killed, workers that lose their VM and a policy that changes, with a list of things that must hold
//! all the time. And the delay that the filter adds to an event of a stream.
//!
//! A run has a conductor, which starts everything and disturbs it, and two roles that take its orders over HTTP: the
//! load generator and the scripted upstream. The roles are in the conductor's process, in processes of their own, or
//! in containers, as Envoy, control and the stock servers are.

pub mod conductor;
pub mod disturb;
pub mod documents;
pub mod latency;
mod markdown;
pub mod memory;
pub mod picture;
pub mod push;
pub mod reload;
pub mod report;
pub mod samples;
pub mod sse;
pub mod stage;
pub mod tally;
pub mod traffic;
pub mod upstream;
pub mod world;

pub use conductor::{Options, Scenario, run, soak};
pub use report::Report;
pub use stage::Stage;
