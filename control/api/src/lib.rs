//! HTTP surface of control: `/healthz`, `/readyz` and `/metrics`.
//!
//! Nothing here is authenticated, so nothing here tells more than an operator's monitoring needs; audit
//! events are read with `gatehold audit export`, never over this surface. Bind it to loopback unless the
//! network around it is trusted.
//!
//! ```no_run
//! # async fn run(listener: tokio::net::TcpListener, metrics: gatehold_api::Metrics) -> std::io::Result<()> {
//! use gatehold_api::{ApiState, Readiness, serve};
//!
//! let readiness = Readiness::new().probe("documents", || async { Err("not loaded yet".to_owned()) });
//! serve(listener, ApiState { metrics, readiness }, std::future::pending()).await
//! # }
//! ```
#![forbid(unsafe_code)]

mod fleet;
mod labels;
mod metrics;
mod readiness;
mod router;

pub use fleet::FleetCounts;
pub use labels::{Resource, Stream};
pub use metrics::{Metrics, StreamGuard};
pub use readiness::{Check, Readiness, Report};
pub use router::{ApiState, router, serve};
