//! Certificates from files, and following them: they are renewed while control runs.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use thiserror::Error;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// How often the files are looked at.
const POLL: Duration = Duration::from_secs(2);

/// Where the certificates are.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The chain that control shows, its own certificate first.
    pub certificate: PathBuf,
    /// Its key: PKCS #8, SEC 1 or PKCS #1.
    pub key: PathBuf,
    /// The authorities of clients.
    pub client_ca: PathBuf,
}

/// Files that cannot be used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// One cannot be read.
    #[error("cannot read `{0}`: {1}")]
    Read(PathBuf, io::Error),
    /// One is no PEM, or has not what it should.
    #[error("`{0}` has no {1} in PEM form; give the file that has")]
    Pem(PathBuf, &'static str),
    /// An authority that is none.
    #[error("`{0}` has a certificate that cannot be used: {1}")]
    Authority(PathBuf, rustls::Error),
    /// The authorities can verify nobody.
    #[error("`{0}` cannot verify clients: {1}")]
    Verifier(PathBuf, VerifierBuilderError),
    /// Certificate and key do not belong together.
    #[error("the certificate `{0}` and the key `{1}` cannot be used together: {2}")]
    Pair(PathBuf, PathBuf, rustls::Error),
}

/// The contents of the three files.
#[derive(Clone, PartialEq, Eq)]
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_ca: Vec<u8>,
}

/// Reads the files again whenever they change.
pub struct Follower {
    files: TlsFiles,
    last: Contents,
    current: watch::Sender<Arc<ServerConfig>>,
}

impl Follower {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// When they cannot be used.
    pub async fn start(files: TlsFiles) -> Result<Self, TlsError> {
        let last = files.read().await?;
        let current = watch::Sender::new(files.config(&last)?);
        Ok(Self {
            files,
            last,
            current,
        })
    }

    /// What is to be used for connections that come now.
    #[must_use]
    pub fn current(&self) -> watch::Receiver<Arc<ServerConfig>> {
        self.current.subscribe()
    }

    /// Follows the files until `shutdown`. What cannot be used is told, and what was used before stays: files are
    /// often renewed one after the other.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut poll = interval(POLL);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = None;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = poll.tick() => {}
            }
            let problem = match self.look().await {
                Ok(()) => None,
                Err(error) => Some(error.to_string()),
            };
            if problem != told {
                if let Some(problem) = &problem {
                    warn!(
                        problem,
                        "the certificates have changed and cannot be used; those of before stay"
                    );
                }
                told = problem;
            }
        }
    }

    async fn look(&mut self) -> Result<(), TlsError> {
        let contents = self.files.read().await?;
        if contents == self.last {
            return Ok(());
        }
        self.current.send_replace(self.files.config(&contents)?);
        self.last = contents;
        info!("the certificates were renewed");
        Ok(())
    }
}

impl TlsFiles {
    async fn read(&self) -> Result<Contents, TlsError> {
        let read = async |path: &Path| {
            tokio::fs::read(path)
                .await
                .map_err(|error| TlsError::Read(path.to_path_buf(), error))
        };
        Ok(Contents {
            certificate: read(&self.certificate).await?,
            key: read(&self.key).await?,
            client_ca: read(&self.client_ca).await?,
        })
    }

    fn config(&self, contents: &Contents) -> Result<Arc<ServerConfig>, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let mut roots = RootCertStore::empty();
        for authority in certificates(&self.client_ca, &contents.client_ca)? {
            roots
                .add(authority)
                .map_err(|error| TlsError::Authority(self.client_ca.clone(), error))?;
        }
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
                .build()
                .map_err(|error| TlsError::Verifier(self.client_ca.clone(), error))?;
        let chain = certificates(&self.certificate, &contents.certificate)?;
        let key = PrivateKeyDer::from_pem_slice(&contents.key)
            .map_err(|_| TlsError::Pem(self.key.clone(), "private key"))?;
        let pair = |error| TlsError::Pair(self.certificate.clone(), self.key.clone(), error);
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(pair)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .map_err(pair)?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Arc::new(config))
    }
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let none = || TlsError::Pem(path.to_path_buf(), "certificate");
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|_| none())?;
    if certificates.is_empty() {
        return Err(none());
    }
    Ok(certificates)
}
