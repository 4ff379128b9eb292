//! The issuers' signing keys: fetched, kept, refreshed.

mod fetch;
mod keeper;

pub use fetch::{FetchError, Fetcher, MAX_ANSWER_BYTES};
pub use keeper::{Found, Held, Keeper, Wanted};
