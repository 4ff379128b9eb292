//! The snapshot that is pushed: every resource with its version.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use gatehold_wire::Any;
use gatehold_wire::discovery::{self, DeltaDiscoveryResponse};
use prost::Message as _;
use sha2::{Digest as _, Sha256};

use crate::of_type::OfType;

/// One resource in the form in which it is sent. A clone shares its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// What it is called.
    pub name: Arc<str>,
    /// Digest of the body, 16 hex digits: equal bytes have equal versions, across restarts and
    /// replicas of control.
    pub version: Arc<str>,
    /// As a field of a response: name, version and body. All streams send these same bytes.
    pub(crate) encoded: Bytes,
    /// What a client has to know to act by it, if that is more than the first ones knew.
    requires: Option<Arc<str>>,
}

impl Resource {
    /// The resource with this encoded message.
    pub fn new(type_url: &str, name: &str, body: Vec<u8>) -> Self {
        let version = digest(&body);
        Self::versioned(type_url, name, version, body)
    }

    /// The resource with this encoded message, and with a version that the caller answers for: whoever has it is not
    /// sent the resource again.
    pub fn versioned(type_url: &str, name: &str, version: String, body: Vec<u8>) -> Self {
        let resource = discovery::Resource {
            version: version.clone(),
            resource: Some(Any {
                type_url: type_url.to_owned(),
                value: body,
            }),
            name: name.to_owned(),
        };
        let response = DeltaDiscoveryResponse {
            resources: vec![resource],
            ..DeltaDiscoveryResponse::default()
        };
        Self {
            name: name.into(),
            version: version.into(),
            encoded: response.encode_to_vec().into(),
            requires: None,
        }
    }

    /// Says what a client has to know to act by it. The message says so too; this is for clients that do not look
    /// there, which are not sent the snapshot then.
    #[must_use]
    pub fn requiring(mut self, feature: Option<&str>) -> Self {
        self.requires = feature.map(Into::into);
        self
    }
}

impl Resource {
    /// The message in it, as clients read it.
    ///
    /// # Errors
    /// Never: it can be read as it was written.
    pub fn message(&self) -> Result<Any, prost::DecodeError> {
        let response = DeltaDiscoveryResponse::decode(&*self.encoded)?;
        let mut resources = response.resources.into_iter();
        Ok(resources.find_map(|it| it.resource).unwrap_or_default())
    }
}

/// An immutable set of resources by type URL and name.
#[derive(Debug, Default)]
pub struct Resources {
    version: String,
    types: BTreeMap<String, OfType>,
    /// A resource that requires something, and what.
    requirement: Option<(Arc<str>, Arc<str>)>,
}

impl Resources {
    /// The version of the whole: a digest of the names and versions of all resources.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// A resource that not every client can act by, and what it requires.
    pub fn requirement(&self) -> Option<(&str, &str)> {
        let (resource, feature) = self.requirement.as_ref()?;
        Some((resource, feature))
    }

    /// All resources of one type, by name.
    pub fn of_type(&self, type_url: &str) -> impl Iterator<Item = (&str, &Resource)> {
        let resources = self.types.get(type_url).into_iter();
        resources
            .flat_map(OfType::resources)
            .map(|resource| (&*resource.name, resource))
    }

    /// One resource.
    pub fn get(&self, type_url: &str, name: &str) -> Option<&Resource> {
        self.types.get(type_url)?.get(name)
    }

    /// Says of a resource that it exists, but that what it holds is not known yet: clients keep what
    /// they have of it from before, if anything.
    #[must_use]
    pub fn withhold(mut self, type_url: &str, name: &str) -> Self {
        let of_type = self.types.entry(type_url.to_owned()).or_default();
        of_type.withhold(name);
        self
    }

    /// Whether there is no such resource (one that is withheld exists).
    pub fn is_gone(&self, type_url: &str, name: &str) -> bool {
        self.types
            .get(type_url)
            .is_none_or(|of_type| of_type.is_gone(name))
    }

    /// How many resources there are, of all types.
    pub fn len(&self) -> usize {
        self.types.values().map(OfType::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What there is of one type.
    pub(crate) fn types(&self, type_url: &str) -> Option<&OfType> {
        self.types.get(type_url)
    }
}

/// Equal names and versions, of the withheld ones too; equal versions have equal bytes.
impl PartialEq for Resources {
    fn eq(&self, other: &Self) -> bool {
        let withheld = |all: &Self| -> BTreeSet<(String, Arc<str>)> {
            let types = all.types.iter();
            types
                .flat_map(|(type_url, of_type)| {
                    let names = of_type.withheld().iter();
                    names.map(|name| (type_url.clone(), name.clone()))
                })
                .collect()
        };
        self.version == other.version && withheld(self) == withheld(other)
    }
}

impl Eq for Resources {}

/// Collects resources by type URL; of two with the same type and name the last counts.
impl FromIterator<(String, Resource)> for Resources {
    fn from_iter<I: IntoIterator<Item = (String, Resource)>>(items: I) -> Self {
        let mut types = BTreeMap::<String, BTreeMap<Arc<str>, Resource>>::new();
        for (type_url, resource) in items {
            let of_type = types.entry(type_url).or_default();
            of_type.insert(resource.name.clone(), resource);
        }
        let all = types.values().flat_map(BTreeMap::values);
        let mut requiring = all.filter_map(|it| Some((it.name.clone(), it.requires.clone()?)));
        let requirement = requiring.next();
        let mut summary = Vec::new();
        for (type_url, resources) in &types {
            for (name, resource) in resources {
                for part in [
                    type_url.as_bytes(),
                    name.as_bytes(),
                    resource.version.as_bytes(),
                ] {
                    summary.extend_from_slice(part);
                    summary.push(0);
                }
            }
        }
        let types = types.into_iter();
        Self {
            version: digest(&summary),
            requirement,
            types: types
                .map(|(type_url, resources)| (type_url, OfType::new(resources)))
                .collect(),
        }
    }
}

/// Collects (type URL, name, encoded message); of two with the same type and name the last counts.
impl FromIterator<(String, String, Vec<u8>)> for Resources {
    fn from_iter<I: IntoIterator<Item = (String, String, Vec<u8>)>>(items: I) -> Self {
        let items = items.into_iter();
        items
            .map(|(type_url, name, body)| {
                let resource = Resource::new(&type_url, &name, body);
                (type_url, resource)
            })
            .collect()
    }
}

fn digest(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(16);
    for byte in Sha256::digest(bytes).iter().take(8) {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resources(items: &[(&str, &str, &str)]) -> Resources {
        items
            .iter()
            .map(|(t, n, b)| (t.to_string(), n.to_string(), b.as_bytes().to_vec()))
            .collect()
    }

    #[test]
    fn versions_follow_the_bytes_alone() {
        let one = resources(&[("t", "a", "x"), ("t", "b", "y")]);
        let two = resources(&[("t", "b", "y"), ("t", "a", "x")]);
        assert_eq!(one, two);
        assert_eq!(one.get("t", "a").map(|r| r.version.len()), Some(16));

        let changed = resources(&[("t", "a", "x2"), ("t", "b", "y")]);
        assert_ne!(changed.version(), one.version());
        assert_ne!(changed.get("t", "a"), one.get("t", "a"));
        assert_eq!(changed.get("t", "b"), one.get("t", "b"));
    }

    #[test]
    fn the_whole_has_another_version_when_a_body_moves_to_another_name() {
        let one = resources(&[("t", "a", "x")]);
        let two = resources(&[("t", "b", "x")]);
        assert_ne!(one.version(), two.version());
        assert_eq!((one.len(), resources(&[]).is_empty()), (1, true));
    }
}
