//! Who somebody is: sign-in by OpenID Connect, sessions, bearer tokens.

mod bearer;
mod cookies;
mod http;
mod oidc;
mod sessions;
mod ticket;

pub use bearer::{Unauthorized, person_of};
pub use cookies::{Cookies, read as read_cookie};
pub use http::HttpError;
pub use oidc::{Provider, SignInError};
pub use sessions::{Sessions, Signed};
pub use ticket::{Ticket, Tickets};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// There is no randomness: nothing that must not be guessed can be made.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the system gives no random numbers")]
pub struct NoRandomness;

/// 256 random bits, as they can stand in a cookie, a form or a URL.
fn random() -> Result<String, NoRandomness> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// Whether two secrets are the same, in a time that does not tell where they differ.
pub(crate) fn same(one: &str, other: &str) -> bool {
    use subtle::ConstantTimeEq as _;
    one.as_bytes().ct_eq(other.as_bytes()).into()
}
