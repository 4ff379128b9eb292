//! Issuers.

use gatehold_identity::{Algorithm, ClaimMapping, Issuer, KeySet};

use crate::{Problem, WireError, push};

/// The issuer, ready to verify tokens.
///
/// An empty key set is not an error: control may not have fetched it yet. An absent claim mapping is the
/// default one.
///
/// # Errors
///
/// An empty name, `iss`, list of algorithms or list of the user's claims, an unknown algorithm, or a key
/// set that cannot be read.
pub fn issuer_from_wire(issuer: &push::Issuer) -> Result<Issuer, WireError> {
    let push::Issuer {
        name,
        issuer: iss,
        algorithms,
        clock_skew_seconds,
        claims,
        jwks,
    } = issuer;
    let error = |field, problem| WireError::Issuer {
        issuer: name.clone(),
        field,
        problem,
    };
    let missing = |field, empty: bool| match empty {
        true => Err(error(field, Problem::Missing)),
        false => Ok(()),
    };
    missing("name", name.is_empty())?;
    missing("issuer", iss.is_empty())?;
    missing("algorithms", algorithms.is_empty())?;
    let algorithms = algorithms.iter().map(|algorithm| {
        Algorithm::from_name(algorithm)
            .ok_or_else(|| error("algorithms", Problem::UnknownAlgorithm(algorithm.clone())))
    });
    let claims = claims
        .clone()
        .map_or_else(ClaimMapping::default, ClaimMapping::from);
    missing("claims.user", claims.user.is_empty())?;
    let keys = match jwks.as_str() {
        "" => KeySet::default(),
        jwks => KeySet::from_jwks(jwks).map_err(|problem| error("jwks", Problem::Keys(problem)))?,
    };
    Ok(Issuer {
        name: name.clone(),
        issuer: iss.clone(),
        algorithms: algorithms.collect::<Result<_, _>>()?,
        clock_skew_seconds: *clock_skew_seconds,
        claims,
        keys,
    })
}

impl From<push::ClaimMapping> for ClaimMapping {
    fn from(wire: push::ClaimMapping) -> Self {
        let push::ClaimMapping {
            user,
            agent,
            roles,
            groups,
        } = wire;
        Self {
            user,
            agent,
            roles,
            groups,
        }
    }
}

impl From<ClaimMapping> for push::ClaimMapping {
    fn from(mapping: ClaimMapping) -> Self {
        let ClaimMapping {
            user,
            agent,
            roles,
            groups,
        } = mapping;
        Self {
            user,
            agent,
            roles,
            groups,
        }
    }
}
