//! Reading claims.
