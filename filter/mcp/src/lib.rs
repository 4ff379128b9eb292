//! MCP messages as a gateway has to read them: one reading only, both protocol eras, no I/O and no clock.
//!
//! The order in which a host uses it, for one POST:
//! [`RequestHeaders::from_pairs`] → [`RequestHeaders::check_post`] → [`parse_deferred`] → [`protocol`] →
//! [`operation`] or [`notice()`] → [`tasks::open`] if it [`tasks::names_tasks`]; for the answer
//! [`response_media`], then [`plain()`] if no list was asked for, and for what is not plain [`answer`],
//! [`list::filter`] and [`tasks::seal`], with [`sse::Framer`] before them when it is a stream. A body that
//! [`is_batch`] goes through [`parse_batch`] and [`protocol_of_batch`] instead, and a server's batch through
//! [`batch::split`]. Every refusal implements [`Rejection`], which [`reply::rejection_body`] turns into a body.
//!
//! Every function is total: any input gives a value or an error, in time linear in its size (times its
//! logarithm for the keys of one object) and with bounded recursion.
#![forbid(unsafe_code)]

mod answer;
pub mod batch;
mod canonical;
mod deferred;
mod header_value;
mod headers;
mod json;
mod limits;
pub mod list;
mod media;
mod message;
mod notice;
mod operation;
mod plain;
mod protocol;
mod raw;
mod rejection;
pub mod reply;
pub mod rounds;
mod spoken;
pub mod sse;
pub mod tasks;
mod trace;
mod version;

pub use answer::{Answer, Outcome, answer};
pub use batch::{MAX_BATCH, parse_batch};
pub use canonical::{canonical, canonical_text};
pub use deferred::{Deferred, parse_deferred};
pub use header_value::header_value;
pub use headers::{HeaderError, RequestHeaders, same_header};
pub use limits::Limits;
pub use media::{Media, response_media};
pub use message::{
    Id, Message, Notification, ParseError, ParseFault, Request, Response, is_batch, parse,
};
pub use notice::{Notice, notice, resource_updated};
pub use operation::{
    InvalidParams, ListKind, Operation, Reference, TASKS, declares_tasks, operation,
};
pub use plain::{Plain, plain};
pub use protocol::{protocol, protocol_of_batch, protocol_of_headers};
pub use rejection::Rejection;
pub use serde_json::{Map, Value};
pub use spoken::{said, says_arguments_alone, spoken, state_place};
pub use trace::trace_id;
pub use version::{Era, Protocol, Version};
