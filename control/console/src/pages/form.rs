//! Whether a form was sent from our own page.

use http::HeaderMap;
use http::header::ORIGIN;

use super::frame::Failure;
use crate::ConsoleConfig;
use crate::sign_in::{Signed, same};

/// Refuses a form that another site may have made somebody send: by where the browser says it comes from, and by
/// the token of the session that only our pages know.
pub(super) fn genuine(
    headers: &HeaderMap,
    config: &ConsoleConfig,
    signed: &Signed,
    csrf: &str,
) -> Result<(), Failure> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let is_same_site = match text("sec-fetch-site") {
        Some(site) => site == "same-origin",
        // Browsers that don't say this do say where a POST comes from.
        None => headers.contains_key(ORIGIN),
    };
    let is_our_origin = match headers.get(ORIGIN) {
        Some(origin) => origin.as_bytes() == config.origin().as_bytes(),
        None => true,
    };
    if !is_same_site || !is_our_origin {
        return Err(Failure::Forged("The form was sent from another site."));
    }
    if !same(csrf, &signed.csrf) {
        return Err(Failure::Forged("The form is not of this session."));
    }
    Ok(())
}
