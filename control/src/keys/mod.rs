//! The issuers' signing keys: fetched, kept, refreshed.

mod fetch;
mod keeper;

pub(crate) use fetch::is_loopback;
pub use fetch::{FetchError, Fetcher, MAX_ANSWER_BYTES};
pub use keeper::{Found, Held, Keeper, Wanted};
