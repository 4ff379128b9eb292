//! Tests of the public API, one table or property per module.
#![cfg(not(target_arch = "wasm32"))]

#[cfg(test)]
mod batch;
#[cfg(test)]
mod corpus;
#[cfg(test)]
mod deferred;
#[cfg(test)]
mod headers;
#[cfg(test)]
mod list;
#[cfg(test)]
mod notice;
#[cfg(test)]
mod operation;
#[cfg(test)]
mod plain;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod protocol;
#[cfg(test)]
mod reply;
#[cfg(test)]
mod spoken;
#[cfg(test)]
mod sse;
#[cfg(test)]
mod tasks;
