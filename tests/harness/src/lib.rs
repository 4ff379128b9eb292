//! Starts real programs for tests and the demo: Envoy with the filter, control, MCP servers, an OpenID provider,
//! stock clients. Programs that are missing are an error, never a reason to skip.
//!
//! ```no_run
//! # async fn example() -> Result<(), gatehold_harness::HarnessError> {
//! use gatehold_harness::{Harness, message};
//! use serde_json::json;
//!
//! let harness = Harness::builder().document("policy.yaml", "…").start().await?;
//! let token = harness.token("alice", &["support"], "/crm/mcp")?;
//! let call = message::modern("/crm/mcp", "tools/call", &message::tool("refund", &json!({ "amount": 500 })));
//! let reply = harness.send(&call.bearer(&token).http2().in_pieces_of(7)).await?;
//! assert_eq!(reply.json().pointer("/result/isError"), Some(&json!(true)));
//! assert!(harness.recorder.received().is_empty());
//! # Ok(()) }
//! ```

pub mod approver;
pub mod bootstrap;
pub mod certificates;
pub mod client;
pub mod control;
mod docker;
pub mod documents;
mod engine;
pub mod envoy;
mod error;
pub mod harness;
pub mod http;
mod image;
pub mod message;
pub mod peers;
pub mod place;
pub mod ports;
pub mod process;
pub mod recorder;
pub mod tokens;
pub mod tools;
pub mod wait;

pub use approver::Approver;
pub use certificates::Certificates;
pub use client::{CLIENTS, Client, Era, Sdk};
pub use error::HarnessError;
pub use harness::{Builder, Harness, Upstream};
pub use http::{Call, Exchange, Reply, Version};
pub use place::{Containers, Place};
pub use recorder::{Answer, Received, Recorder, Step};
pub use tokens::{Algorithm, Claims, Keys};
pub use tools::Tools;
