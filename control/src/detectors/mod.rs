//! From the document about detectors to the packs that are pushed.

mod command;

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use gatehold_detect::{Pack, PackError};
use gatehold_detectors::{RuleError, UserRule, compile, with_rules};
use gatehold_documents::{DetectorsDocument, Shadow};
use gatehold_push::Resource;
use gatehold_wire::{DETECTORS_TYPE_URL, push};
use prost::Message as _;

pub use command::{Command, detectors};

/// The one resource of its type.
const NAME: &str = "detectors";
/// Most bytes of a pack's file.
const MAX_PACK_BYTES: u64 = 16 << 20;

/// Why nothing can be looked for.
#[derive(Debug, thiserror::Error)]
pub enum DetectorsError {
    /// The file of a pack.
    #[error("cannot read the pack `{}`: {error}; write one with `gatehold detectors build`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// What is in it.
    #[error("`{}` is no pack: {error}; write it anew with `gatehold detectors build`", path.display())]
    Load {
        /// The file.
        path: PathBuf,
        /// Why.
        error: PackError,
    },
    /// The rules that ship, or those of the document.
    #[error(transparent)]
    Rules(#[from] RuleError),
}

/// Makes the resource, and makes it anew only when the document has changed.
#[derive(Debug, Default)]
pub struct Detectors {
    made: Option<(Option<DetectorsDocument>, Resource)>,
}

impl Detectors {
    /// What filters look for by this document, or by none. Files of packs are read now, and not again for the
    /// same document.
    ///
    /// # Errors
    /// A pack that cannot be read, or rules that do not compile with it.
    pub fn resource(
        &mut self,
        document: Option<&DetectorsDocument>,
    ) -> Result<Resource, DetectorsError> {
        if let Some((of, resource)) = &self.made
            && of.as_ref() == document
        {
            return Ok(resource.clone());
        }
        let message = message(document)?;
        let resource = Resource::new(DETECTORS_TYPE_URL, NAME, message.encode_to_vec());
        self.made = Some((document.cloned(), resource.clone()));
        Ok(resource)
    }
}

/// What filters look with by this document, or by none.
///
/// # Errors
/// As [`Detectors::resource`].
pub fn in_force(document: Option<&DetectorsDocument>) -> Result<Pack, DetectorsError> {
    match document {
        None => Ok(compile(&[])?),
        Some(document) => pack(document, document.pack.as_deref(), &document.rules),
    }
}

fn message(document: Option<&DetectorsDocument>) -> Result<push::Detectors, DetectorsError> {
    let shadow = document.and_then(|document| {
        let Shadow { pack: tried, rules } = document.shadow.as_ref()?;
        let file = tried.as_deref().or(document.pack.as_deref());
        Some(pack(document, file, rules))
    });
    let shadow = shadow.transpose()?;
    let allowed = document.iter().flat_map(|document| &document.allow);
    Ok(push::Detectors {
        pack: in_force(document)?.to_bytes(),
        shadow: shadow.as_ref().map(Pack::to_bytes).unwrap_or_default(),
        allowed: allowed.map(|digest| digest.to_vec()).collect(),
    })
}

/// The pack of the file, or that which ships, with these rules and the document's patterns on and off.
fn pack(
    document: &DetectorsDocument,
    file: Option<&Path>,
    rules: &[UserRule],
) -> Result<Pack, DetectorsError> {
    let mut pack = match file {
        None => compile(rules)?,
        Some(path) => with_rules(load(path)?, rules)?,
    };
    for (names, on) in [(&document.on, true), (&document.off, false)] {
        for name in names {
            // The document names none that there is not.
            let _ = pack.switch(name, on);
        }
    }
    Ok(pack)
}

fn load(path: &Path) -> Result<Pack, DetectorsError> {
    let bytes = read(path).map_err(|error| DetectorsError::Read {
        path: path.to_owned(),
        error,
    })?;
    Pack::load(&bytes).map_err(|error| DetectorsError::Load {
        path: path.to_owned(),
        error,
    })
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One byte more than is accepted, so that the end is not taken for that of the file.
    let most = MAX_PACK_BYTES.saturating_add(1);
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_PACK_BYTES {
        return Err(io::Error::other("it is longer than 16 MiB"));
    }
    Ok(bytes)
}
