//! Load on a real Envoy for as long as one likes: mixed traffic, clients that go away, upstreams that break off,
//! a control that is killed and a policy that changes, with a list of things that must hold all the time.
//! And the delay that the filter adds to an event of a stream.

pub mod conductor;
pub mod disturb;
pub mod documents;
pub mod memory;
pub mod report;
pub mod sse;
pub mod tally;
pub mod traffic;
pub mod upstream;
pub mod world;

pub use conductor::{Options, soak};
pub use report::Report;
