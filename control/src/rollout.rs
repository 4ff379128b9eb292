//! From the document about the filter to what each Envoy gets of it.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use gatehold_documents::{FilterDocument, FilterVersion, Location, Problem, Problems};
use gatehold_proto::extension::envoy::config::core::v3::{
    AsyncDataSource, BackoffStrategy, DataSource, TypedExtensionConfig,
};
use gatehold_proto::extension::envoy::extensions::filters::http::wasm::v3::Wasm;
use gatehold_proto::extension::envoy::extensions::wasm::v3::{
    FailurePolicy, PluginConfig, ReloadConfig, VmConfig,
};
use gatehold_push::{EXTENSION_NAME, EXTENSION_TYPE_URL, Resource, Resources, Rollout};
use gatehold_wire::Any;
use prost::Message as _;
use sha2::{Digest as _, Sha256};

use crate::hex::hex;

const WASM_TYPE_URL: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
const TEXT_TYPE_URL: &str = "type.googleapis.com/google.protobuf.StringValue";
const RUNTIME: &str = "envoy.wasm.runtime.v8";
/// Most bytes of a module.
const MAX_MODULE_BYTES: u64 = 32 << 20;
/// How every module begins.
const MAGIC: &[u8] = b"\0asm";

/// What is rolled out by one document.
#[derive(Debug)]
pub struct Filters {
    document: Arc<FilterDocument>,
    offer: Offer,
    /// By the version's name in the document.
    versions: HashMap<String, Version>,
}

/// One version of the document.
#[derive(Debug)]
struct Version {
    /// As Envoys are told: the name, and a digest of what makes filters differ.
    version: Arc<str>,
    module: Arc<Vec<u8>>,
    /// The resource as it was offered last; it is made when it is first needed.
    made: Mutex<Option<(Offer, Arc<Resources>)>>,
}

/// Reads modules and makes resources of them, each only once.
#[derive(Debug)]
pub struct Modules {
    /// Of this control, from its start to its end.
    offer: Offer,
    made: Option<Arc<Filters>>,
    /// By digest.
    read: HashMap<[u8; 32], Arc<Vec<u8>>>,
}

/// What makes an offer another one than that of an earlier control.
///
/// Envoy remembers the last configuration that it was sent, even if it refused it, and takes the very same one for
/// granted when it comes again: it would say that it has a filter which it never loaded. So offers differ in this after
/// each refusal, and from one life of control to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Offer(u32);

/// Offers there are: nanoseconds within a millisecond, which Envoy does not notice.
const OFFERS: u32 = 1_000_000;

impl Offer {
    /// The offer after this many refusals.
    fn after(self, refusals: u32) -> Self {
        Self(self.0.wrapping_add(refusals) % OFFERS)
    }
}

impl Default for Modules {
    fn default() -> Self {
        Self {
            offer: Offer(fastrand::u32(0..OFFERS)),
            made: None,
            read: HashMap::new(),
        }
    }
}

impl Modules {
    /// What this document rolls out. Files are read now, and not again as long as their digest is named.
    ///
    /// # Errors
    /// All files that cannot be read, are no modules or are others than the document says.
    pub fn filters(&mut self, document: &Arc<FilterDocument>) -> Result<Arc<Filters>, Problems> {
        if let Some(made) = &self.made
            && made.document == *document
        {
            return Ok(made.clone());
        }
        let before = std::mem::take(&mut self.read);
        let (mut versions, mut problems) = (HashMap::new(), Vec::new());
        for version in &document.versions {
            let known = self.read.get(&version.sha256);
            let known = known.or_else(|| before.get(&version.sha256)).cloned();
            match known.map_or_else(|| module(version).map(Arc::new), Ok) {
                Ok(bytes) => {
                    let of = Version {
                        version: label(document, version).into(),
                        module: bytes.clone(),
                        made: Mutex::default(),
                    };
                    versions.insert(version.name.clone(), of);
                    self.read.insert(version.sha256, bytes);
                }
                Err(problem) => problems.push(problem),
            }
        }
        if !problems.is_empty() {
            let (list, more) = (problems, 0);
            return Err(Problems { list, more });
        }
        let filters = Arc::new(Filters {
            document: document.clone(),
            offer: self.offer,
            versions,
        });
        self.made = Some(filters.clone());
        Ok(filters)
    }
}

impl Rollout for Filters {
    fn wanted(&self, id: &str, cluster: &str) -> Option<Arc<str>> {
        let name = self.document.version_of(id, cluster);
        // Every version that the document names exists.
        Some(self.versions.get(name)?.version.clone())
    }

    fn versions(&self) -> Vec<Arc<str>> {
        let all = self.versions.values();
        all.map(|version| version.version.clone()).collect()
    }

    fn resources(&self, version: &str, offer: u32) -> Option<Arc<Resources>> {
        let offer = self.offer.after(offer);
        let mut all = self.versions.values();
        let of = all.find(|of| &*of.version == version)?;
        // What a thread that panicked left is whole: it is replaced in one step.
        let mut made = of.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((last, resources)) = &*made
            && *last == offer
        {
            return Some(resources.clone());
        }
        let resource = resource(&self.document, of, offer);
        let resources = [(EXTENSION_TYPE_URL.to_owned(), resource)];
        let resources: Arc<Resources> = Arc::new(resources.into_iter().collect());
        *made = Some((offer, resources.clone()));
        Some(resources)
    }
}

fn module(version: &FilterVersion) -> Result<Vec<u8>, Problem> {
    let path = version.module.display();
    let problem = |location: &Location, message: String, help: String| Problem {
        location: location.clone(),
        message,
        help: Some(help),
    };
    let bytes = read(&version.module).map_err(|error| {
        let help = "put the module there first, and then name it".to_owned();
        problem(
            &version.module_at,
            format!("cannot read `{path}`: {error}"),
            help,
        )
    })?;
    if !bytes.starts_with(MAGIC) {
        let help = "name the file of the filter, such as `gatehold.wasm`".to_owned();
        let message = format!("`{path}` is no WebAssembly module");
        return Err(problem(&version.module_at, message, help));
    }
    let found: [u8; 32] = Sha256::digest(&bytes).into();
    if found != version.sha256 {
        let help = format!("if it is the file that is meant, write `{}`", hex(&found));
        let message = format!("`{path}` has another SHA-256");
        return Err(problem(&version.sha256_at, message, help));
    }
    Ok(bytes)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    // To open anything else may take forever.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    // One byte more than is accepted, so that the end is not taken for that of the file.
    let most = MAX_MODULE_BYTES.saturating_add(1);
    File::open(path)?.take(most).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_MODULE_BYTES {
        return Err(io::Error::other("it is longer than 32 MiB"));
    }
    Ok(bytes)
}

/// The version's name, and a digest of whatever makes filters differ for people, and of nothing else.
fn label(document: &FilterDocument, version: &FilterVersion) -> String {
    let mut digest = Sha256::new();
    for part in [&version.sha256[..], document.configuration.as_bytes()] {
        digest.update(part);
    }
    let digest = hex(&digest.finalize());
    let digest = digest.get(..16).unwrap_or_default();
    format!("{}+{digest}", version.name)
}

/// As `envoy/local/envoy.yaml` has it, with the module in it: there is no second fetch that could fail, and Envoy has
/// the new module before it lets go of the old one.
fn resource(document: &FilterDocument, of: &Version, Offer(offer): Offer) -> Resource {
    let plugin = PluginConfig {
        name: EXTENSION_NAME.to_owned(),
        root_id: EXTENSION_NAME.to_owned(),
        vm_config: Some(VmConfig {
            // The same for all versions: what one has kept in Envoy's shared data the next one finds there.
            vm_id: EXTENSION_NAME.to_owned(),
            runtime: RUNTIME.to_owned(),
            code: Some(AsyncDataSource {
                local: Some(DataSource {
                    inline_bytes: of.module.to_vec(),
                }),
            }),
        }),
        configuration: Some(any(TEXT_TYPE_URL, &document.configuration)),
        failure_policy: FailurePolicy::FailReload.into(),
        reload_config: Some(ReloadConfig {
            backoff: Some(BackoffStrategy {
                base_interval: Some(prost_types::Duration {
                    seconds: 1,
                    // Less than a millisecond, which Envoy does not notice here.
                    nanos: i32::try_from(offer).unwrap_or_default(),
                }),
            }),
        }),
        allow_on_headers_stop_iteration: Some(document.hold_headers),
    };
    let wasm = Wasm {
        config: Some(plugin),
    };
    let extension = TypedExtensionConfig {
        name: EXTENSION_NAME.to_owned(),
        typed_config: Some(any(WASM_TYPE_URL, &wasm)),
    };
    let version = of.version.to_string();
    let body = extension.encode_to_vec();
    Resource::versioned(EXTENSION_TYPE_URL, EXTENSION_NAME, version, body)
}

fn any(type_url: &str, message: &impl prost::Message) -> Any {
    Any {
        type_url: type_url.to_owned(),
        value: message.encode_to_vec(),
    }
}

#[cfg(test)]
#[path = "rollout_tests.rs"]
mod tests;
