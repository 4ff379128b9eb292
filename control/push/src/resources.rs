//! The snapshot that is pushed: every resource with its version.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

/// One resource in the form in which it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Digest of the body, 16 hex digits: equal bytes have equal versions, across restarts and
    /// replicas of control.
    pub version: Arc<str>,
    /// The encoded message.
    pub body: Arc<[u8]>,
}

/// An immutable set of resources by type URL and name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    version: String,
    types: BTreeMap<String, BTreeMap<String, Resource>>,
    withheld: BTreeSet<(String, String)>,
}

impl Resources {
    /// The version of the whole: a digest of the names and versions of all resources.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// All resources of one type, by name.
    pub fn of_type(&self, type_url: &str) -> impl Iterator<Item = (&str, &Resource)> {
        self.types
            .get(type_url)
            .into_iter()
            .flatten()
            .map(|(name, resource)| (&**name, resource))
    }

    /// One resource.
    pub fn get(&self, type_url: &str, name: &str) -> Option<&Resource> {
        self.types.get(type_url)?.get(name)
    }

    /// Says of a resource that it exists, but that what it holds is not known yet: clients keep what
    /// they have of it from before, if anything.
    #[must_use]
    pub fn withhold(mut self, type_url: &str, name: &str) -> Self {
        self.withheld.insert((type_url.to_owned(), name.to_owned()));
        self
    }

    /// Whether there is no such resource (one that is withheld exists).
    pub fn is_gone(&self, type_url: &str, name: &str) -> bool {
        self.get(type_url, name).is_none()
            && !self
                .withheld
                .contains(&(type_url.to_owned(), name.to_owned()))
    }

    /// How many resources there are, of all types.
    pub fn len(&self) -> usize {
        self.types.values().map(BTreeMap::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Collects (type URL, name, encoded message); of two with the same type and name the last counts.
impl FromIterator<(String, String, Vec<u8>)> for Resources {
    fn from_iter<I: IntoIterator<Item = (String, String, Vec<u8>)>>(items: I) -> Self {
        let mut types = BTreeMap::<String, BTreeMap<String, Resource>>::new();
        for (type_url, name, body) in items {
            let resource = Resource {
                version: digest(&body).into(),
                body: body.into(),
            };
            types.entry(type_url).or_default().insert(name, resource);
        }
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
        Self {
            version: digest(&summary),
            types,
            withheld: BTreeSet::new(),
        }
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
