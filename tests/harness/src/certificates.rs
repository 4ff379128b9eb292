//! Certificates for control's port for filters: an authority of its own, one certificate for control, one for Envoy.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

use crate::error::HarnessError;

/// Files of one authority, in PEM form.
#[derive(Clone, Debug)]
pub struct Certificates {
    folder: PathBuf,
}

impl Certificates {
    /// Makes them in `folder`, over those that are there.
    ///
    /// # Errors
    /// When they cannot be made or written.
    pub fn create(folder: PathBuf) -> Result<Self, HarnessError> {
        fs::create_dir_all(&folder).map_err(HarnessError::io("create a folder"))?;
        let certificates = Self { folder };
        certificates.write().map_err(|error| {
            HarnessError::Unexpected(format!("certificates could not be made: {error}"))
        })?;
        Ok(certificates)
    }

    /// Those that were made in `folder`.
    #[must_use]
    pub fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The authority.
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.folder.join("authority.pem")
    }

    /// What `name` (`control` or `envoy`) shows.
    #[must_use]
    pub fn certificate(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.pem"))
    }

    /// Its key.
    #[must_use]
    pub fn key(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.key"))
    }

    fn write(&self) -> Result<(), Box<dyn std::error::Error>> {
        let mut params = named("authority", Vec::new())?;
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate()?;
        replace(&self.authority(), &params.self_signed(&key)?.pem())?;
        let issuer = Issuer::new(params, key);
        for name in ["control", "envoy"] {
            let params = named(name, vec![format!("{name}.test"), "127.0.0.1".to_owned()])?;
            let key = KeyPair::generate()?;
            let certificate = params.signed_by(&key, &issuer)?;
            replace(&self.key(name), &key.serialize_pem())?;
            replace(&self.certificate(name), &certificate.pem())?;
        }
        Ok(())
    }
}

/// Each has a name of its own: whoever has the name of its issuer is taken for one that signed itself.
fn named(name: &str, hosts: Vec<String>) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(hosts)?;
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(params)
}

/// In one step, as those who renew certificates do.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let unfinished = path.with_extension("unfinished");
    fs::write(&unfinished, text)?;
    fs::rename(unfinished, path)
}
