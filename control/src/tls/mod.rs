//! Mutual TLS on the port for filters: whoever reaches that port reads all policies and writes audit events.

mod files;
mod incoming;

use std::path::PathBuf;

use clap::Args;

pub use files::{Follower, TlsError, TlsFiles};
pub use incoming::{Secured, incoming};

/// What filters are met with. All three or none: a certificate that proves only who control is keeps nobody away.
#[derive(Debug, Default, Args)]
pub struct TlsOptions {
    /// Certificate chain (PEM) that filters are shown on --grpc. Read again when it changes.
    #[arg(long, value_name = "FILE", requires = "grpc_key")]
    pub grpc_cert: Option<PathBuf>,
    /// Private key (PEM) of that certificate.
    #[arg(long, value_name = "FILE", requires = "grpc_client_ca")]
    pub grpc_key: Option<PathBuf>,
    /// Authorities (PEM) of which an Envoy must have a certificate. Whoever has one is let in, so have an authority
    /// for this alone.
    #[arg(long, value_name = "FILE", requires = "grpc_cert")]
    pub grpc_client_ca: Option<PathBuf>,
}

impl TlsOptions {
    /// The files, if TLS is wanted.
    #[must_use]
    pub fn files(self) -> Option<TlsFiles> {
        Some(TlsFiles {
            certificate: self.grpc_cert?,
            key: self.grpc_key?,
            client_ca: self.grpc_client_ca?,
        })
    }
}
