//! What the Envoys were given: each content is checked once, and every further copy compared with it.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{PoisonError, RwLock};

use bytes::Bytes;
use gatehold_wire::{ISSUER_TYPE_URL, SERVER_TYPE_URL, discovery, push};
use prost::Message as _;
use sha2::{Digest as _, Sha256};

use crate::wire::{Malformed, version_and_name};

/// Number of a resource, by type and name.
pub(crate) type Slot = usize;
/// Number of a content.
pub(crate) type Id = u32;

/// All contents that any stream was given.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    known: RwLock<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// By name and version.
    ids: HashMap<String, HashMap<String, Id>>,
    contents: Vec<Content>,
    /// By type and name.
    slots: HashMap<(Kind, String), Slot>,
}

#[derive(Clone, Debug)]
struct Content {
    slot: Slot,
    kind: Kind,
    name: String,
    version: String,
    encoded: Bytes,
}

/// Type of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// `gatehold.push.v1.Server`
    Server,
    /// `gatehold.push.v1.Issuer`
    Issuer,
}

impl Contents {
    /// Takes one encoded `Resource` in.
    ///
    /// # Errors
    /// When it is not what its version says, cannot be decoded, or is not what another stream was given under
    /// the same name and version.
    pub(crate) fn take(&self, encoded: &Bytes) -> Result<(Slot, Id), String> {
        let (version, name) = version_and_name(encoded).map_err(|Malformed(error)| error)?;
        if let Some((slot, id, same)) = self.find(name, version, encoded) {
            return if same {
                Ok((slot, id))
            } else {
                Err(format!(
                    "`{name}` {version} is not what another stream was given"
                ))
            };
        }
        let kind = check(encoded)?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let next = known.slots.len();
        let slot = *known.slots.entry((kind, name.to_owned())).or_insert(next);
        let id = Id::try_from(known.contents.len()).map_err(|_| "too many contents".to_owned())?;
        let of_name = known.ids.entry(name.to_owned()).or_default();
        // Another stream may have been faster; then its number counts.
        let id = *of_name.entry(version.to_owned()).or_insert(id);
        if id as usize == known.contents.len() {
            known.contents.push(Content {
                slot,
                kind,
                name: name.to_owned(),
                version: version.to_owned(),
                // A slice would keep all of what it was cut from.
                encoded: Bytes::copy_from_slice(encoded),
            });
        }
        Ok((slot, id))
    }

    /// Names and versions of these contents, as a request tells them, for one type.
    pub(crate) fn versions(
        &self,
        kind: Kind,
        held: impl Iterator<Item = Id>,
    ) -> HashMap<String, String> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let contents = held.filter_map(|id| known.contents.get(id as usize));
        contents
            .filter(|content| content.kind == kind)
            .map(|content| (content.name.clone(), content.version.clone()))
            .collect()
    }

    /// The slot of a server.
    pub(crate) fn slot(&self, server: &str) -> Option<Slot> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.slots.get(&(Kind::Server, server.to_owned())).copied()
    }

    /// Whether this content is a server of which some rule is about exactly this tool.
    pub(crate) fn speaks_of(&self, id: Id, tool: &str) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let content = known.contents.get(id as usize);
        let server = content.and_then(|content| server(&content.encoded));
        server.is_some_and(|server| {
            let targets = server.rules.iter().filter_map(|rule| rule.targets.as_ref());
            targets
                .flat_map(|targets| &targets.tools)
                .any(|name| name == tool)
        })
    }

    fn find(&self, name: &str, version: &str, encoded: &[u8]) -> Option<(Slot, Id, bool)> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let id = *known.ids.get(name)?.get(version)?;
        let content = known.contents.get(id as usize)?;
        Some((content.slot, id, content.encoded == encoded))
    }
}

fn server(encoded: &[u8]) -> Option<push::Server> {
    let resource = discovery::Resource::decode(encoded).ok()?;
    push::Server::decode(&*resource.resource?.value).ok()
}

/// Whether the body has the digest that its version is, and can be decoded.
fn check(encoded: &[u8]) -> Result<Kind, String> {
    let discovery::Resource {
        version,
        resource,
        name,
    } = discovery::Resource::decode(encoded).map_err(|error| error.to_string())?;
    let body = resource.ok_or_else(|| format!("`{name}` has no body"))?;
    let mut digest = String::new();
    for byte in Sha256::digest(&body.value).iter().take(8) {
        // Writing to a String cannot fail.
        let _ = write!(digest, "{byte:02x}");
    }
    if digest != version {
        return Err(format!("`{name}` {version} has the digest {digest}"));
    }
    let (kind, inner) = match &*body.type_url {
        SERVER_TYPE_URL => (
            Kind::Server,
            push::Server::decode(&*body.value).map(|server| server.name),
        ),
        ISSUER_TYPE_URL => (
            Kind::Issuer,
            push::Issuer::decode(&*body.value).map(|issuer| issuer.name),
        ),
        other => return Err(format!("`{name}` has the type `{other}`")),
    };
    match inner {
        Ok(inner) if inner == name => Ok(kind),
        Ok(inner) => Err(format!("`{name}` holds `{inner}`")),
        Err(error) => Err(format!("`{name}` cannot be read: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(name: &str, tool: &str, version: Option<&str>) -> Bytes {
        let server = push::Server {
            name: name.to_owned(),
            rules: vec![push::Rule {
                targets: Some(push::Targets {
                    tools: vec![tool.to_owned()],
                    ..Default::default()
                }),
                ..Default::default()
            }],
            ..Default::default()
        };
        let value = server.encode_to_vec();
        let digest: String = Sha256::digest(&value)[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let resource = discovery::Resource {
            version: version.map_or(digest, str::to_owned),
            resource: Some(gatehold_wire::Any {
                type_url: SERVER_TYPE_URL.to_owned(),
                value,
            }),
            name: name.to_owned(),
        };
        resource.encode_to_vec().into()
    }

    #[test]
    fn equal_contents_have_one_number() {
        let contents = Contents::default();
        let (slot, one) = contents.take(&encoded("crm", "get", None)).expect("good");
        assert_eq!(contents.take(&encoded("crm", "get", None)), Ok((slot, one)));
        let (same_slot, other) = contents.take(&encoded("crm", "put", None)).expect("good");
        assert_eq!(same_slot, slot);
        assert_ne!(other, one);
        assert!(contents.speaks_of(other, "put") && !contents.speaks_of(other, "get"));
        assert_eq!(contents.slot("crm"), Some(slot));
        assert_eq!(contents.versions(Kind::Server, [one].into_iter()).len(), 1);
        assert_eq!(contents.versions(Kind::Issuer, [one].into_iter()).len(), 0);
    }

    #[test]
    fn wrong_contents_are_told() {
        let contents = Contents::default();
        let wrong = contents.take(&encoded("crm", "get", Some("0123")));
        assert!(wrong.is_err_and(|error| error.contains("digest")));
        let good = encoded("crm", "get", None);
        contents.take(&good).expect("good");
        let version = version_and_name(&good).expect("well-formed").0;
        let other = contents.take(&encoded("crm", "put", Some(version)));
        assert!(other.is_err_and(|error| error.contains("another stream")));
    }
}
