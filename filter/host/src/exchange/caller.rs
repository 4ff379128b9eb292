//! Who sent a request.

use std::rc::Rc;

use gatehold_identity::{BearerError, TokenError};
use gatehold_mcp::RequestHeaders;

use crate::caller::Caller;
use crate::exchange::reply::Refusal;
use crate::host::Host;
use crate::metrics::Counter;
use crate::record::Draft;
use crate::snapshot::Endpoint;
use crate::worker::Worker;

/// What is said while no token can be verified.
pub(super) const NO_KEYS: &str = "no keys of this server's token issuers have arrived yet";

/// Who sent it. In shadow mode it may be nobody who is known.
///
/// # Errors
/// As [`verified`].
pub(super) fn authenticate(
    worker: &Worker,
    host: &dyn Host,
    endpoint: &Endpoint,
    headers: &RequestHeaders<'_>,
    draft: &mut Draft,
) -> Result<Rc<Caller>, Refusal> {
    verified(worker, host, endpoint, headers, draft).or_else(|refusal| {
        draft.refuse_or_spare(refusal)?;
        Ok(Rc::new(Caller::unknown()))
    })
}

/// Verifies the token, or remembers that it was.
///
/// # Errors
/// 401 without a token that holds, 503 when there is nothing to verify it with.
fn verified(
    worker: &Worker,
    host: &dyn Host,
    endpoint: &Endpoint,
    headers: &RequestHeaders<'_>,
    draft: &mut Draft,
) -> Result<Rc<Caller>, Refusal> {
    let server = &endpoint.server;
    let token = match headers.authorization.map(gatehold_identity::bearer) {
        None | Some(Err(BearerError::OtherScheme)) => return Err(Refusal::token(server, None)),
        Some(Err(error)) => return Err(Refusal::token(server, Some(&error.to_string()))),
        Some(Ok(token)) => token,
    };
    let now = draft.started() / 1_000_000_000;
    let scope = &endpoint.token_scope;
    let mut tokens = worker.tokens.borrow_mut();
    let caller = match tokens.get(token, scope, now) {
        Some(caller) => {
            worker.metrics.add(host, Counter::TokensRemembered, 1);
            caller
        }
        None => {
            let issuers: Vec<_> = endpoint
                .issuers
                .iter()
                .map(|versioned| &versioned.issuer)
                .collect();
            if issuers.is_empty() {
                return Err(Refusal::not_ready(NO_KEYS));
            }
            let identity = gatehold_identity::verify(token, &issuers, &server.audiences, now)
                .map_err(|error| match error {
                    TokenError::NoKeys => Refusal::not_ready(NO_KEYS),
                    error => Refusal::token(server, Some(&error.to_string())),
                })?;
            worker.metrics.add(host, Counter::TokensVerified, 1);
            tokens.insert(token, scope, Caller::new(identity))
        }
    };
    draft.identify(&caller);
    Ok(caller)
}
