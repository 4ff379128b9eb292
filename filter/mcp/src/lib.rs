//! MCP messages as a gateway has to read them: one reading only, both protocol eras, no I/O and no clock.
//!
//! The order in which a host uses it, for one POST:
//! [`RequestHeaders::from_pairs`] → [`RequestHeaders::check_post`] → [`parse`] → [`protocol`] →
//! [`operation`]; for the answer [`answer`] and [`list::filter`], with [`sse::Framer`] in between when it
//! is a stream. Every refusal implements [`Rejection`], which [`reply::rejection_body`] turns into a body.
//!
//! Every function is total: any input gives a value or an error, in time linear in its size (times its
//! logarithm for the keys of one object) and with bounded recursion.
#![forbid(unsafe_code)]

mod answer;
mod canonical;
mod headers;
mod json;
mod limits;
pub mod list;
mod message;
mod operation;
mod protocol;
mod rejection;
pub mod reply;
pub mod sse;
mod trace;
mod version;

pub use answer::{Answer, Outcome, answer};
pub use canonical::canonical;
pub use headers::{HeaderError, RequestHeaders};
pub use limits::Limits;
pub use message::{
    Id, Message, Notification, ParseError, ParseFault, Request, Response, is_batch, parse,
};
pub use operation::{InvalidParams, ListKind, Operation, Reference, operation};
pub use protocol::{protocol, protocol_of_headers};
pub use rejection::Rejection;
pub use serde_json::{Map, Value};
pub use trace::trace_id;
pub use version::{Era, Protocol, Version};
