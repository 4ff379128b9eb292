//! The filter: a proxy-wasm module that decides on every MCP message in Envoy's data path.
//!
//! [`exchange`] is the state machine of one request and its response, [`root`] holds what a worker shares
//! and the streams to control. Both speak to the host through the traits of [`host`] only, so that they
//! run natively; `abi` and `plugin` tie them to Envoy.
//!
//! The verdict is published for the access log as filter state: `%FILTER_STATE(wasm.gatehold.effect:PLAIN)%`,
//! (`pending` where headers went ahead and the body never came) and likewise `gatehold.reason`, `gatehold.rule`, `gatehold.user`, `gatehold.tool`.

#[cfg(not(test))]
mod abi;
pub mod arguments;
pub mod audit;
pub mod backoff;
pub mod caller;
pub mod config;
pub mod detection;
pub mod exchange;
pub mod hex;
pub mod hold;
pub mod host;
pub mod metrics;
pub mod pairs;
pub mod paths;
#[cfg(not(test))]
mod plugin;
pub mod push;
pub mod random;
pub mod record;
pub mod root;
pub mod server;
pub mod setup;
pub mod snapshot;
pub mod store;
#[cfg(test)]
mod testing;
pub mod uris;
pub mod worker;
