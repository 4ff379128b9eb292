//! The resources of one type, and the steps to them that many streams share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use bytes::{Bytes, BytesMut};

use crate::Resource;

/// Name to version.
pub(crate) type Versions = BTreeMap<Arc<str>, Arc<str>>;

/// What is sent to bring a client from one state to another.
#[derive(Debug, Default)]
pub(crate) struct Difference {
    /// What is new, with its version.
    pub(crate) changed: Vec<(Arc<str>, Arc<str>)>,
    /// What is gone.
    pub(crate) removed: Vec<Arc<str>>,
    /// What stays although it is not here, because it is withheld.
    pub(crate) kept: Vec<(Arc<str>, Arc<str>)>,
    /// What is new, as fields of a response.
    pub(crate) encoded: Bytes,
}

impl Difference {
    /// The difference with these resources as what is new.
    pub(crate) fn new<'r>(changed: impl Iterator<Item = &'r Resource> + Clone) -> Self {
        let mut all = changed.clone();
        let encoded = match (all.next(), all.next()) {
            (None, _) => Bytes::new(),
            (Some(one), None) => one.encoded.clone(),
            _ => {
                let length = changed.clone().map(|resource| resource.encoded.len()).sum();
                let mut joined = BytesMut::with_capacity(length);
                for resource in changed.clone() {
                    joined.extend_from_slice(&resource.encoded);
                }
                joined.freeze()
            }
        };
        let named = |resource: &Resource| (resource.name.clone(), resource.version.clone());
        Self {
            changed: changed.map(named).collect(),
            encoded,
            ..Self::default()
        }
    }

    /// Whether there is nothing to say.
    pub(crate) fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.removed.is_empty()
    }
}

/// All resources of one type.
#[derive(Debug, Default)]
pub(crate) struct OfType {
    resources: BTreeMap<Arc<str>, Resource>,
    withheld: BTreeSet<Arc<str>>,
    versions: Arc<Versions>,
    /// For clients that hold exactly this.
    nothing: Arc<Difference>,
    /// For clients that hold nothing.
    whole: OnceLock<Arc<Difference>>,
    /// For clients that hold what was here before: nearly all of them, so that it is worked out once.
    step: Mutex<Option<(Weak<Versions>, Arc<Difference>)>>,
}

impl OfType {
    /// These, none withheld.
    pub(crate) fn new(resources: BTreeMap<Arc<str>, Resource>) -> Self {
        let versions = resources.values();
        let versions = versions.map(|resource| (resource.name.clone(), resource.version.clone()));
        Self {
            versions: Arc::new(versions.collect()),
            resources,
            ..Self::default()
        }
    }

    /// By name.
    pub(crate) fn resources(&self) -> impl Iterator<Item = &Resource> + Clone {
        self.resources.values()
    }

    /// One of them.
    pub(crate) fn get(&self, name: &str) -> Option<&Resource> {
        self.resources.get(name)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.resources.len()
    }

    /// Names and versions.
    pub(crate) fn versions(&self) -> &Arc<Versions> {
        &self.versions
    }

    /// Names of what exists, but is not here.
    pub(crate) fn withheld(&self) -> &BTreeSet<Arc<str>> {
        &self.withheld
    }

    /// Notes that there is such a resource, but not what it holds.
    pub(crate) fn withhold(&mut self, name: &str) {
        self.withheld.insert(name.into());
        (self.whole, self.step) = (OnceLock::new(), Mutex::default());
    }

    /// Whether there is none of this name.
    pub(crate) fn is_gone(&self, name: &str) -> bool {
        !self.resources.contains_key(name) && !self.withheld.contains(name)
    }

    /// What a client gets that wants all and holds these.
    pub(crate) fn since(&self, held: Option<&Arc<Versions>>) -> Arc<Difference> {
        let Some(held) = held else {
            let whole = || Arc::new(Difference::new(self.resources.values()));
            return self.whole.get_or_init(whole).clone();
        };
        if Arc::ptr_eq(held, &self.versions) {
            return self.nothing.clone();
        }
        // What a thread that panicked left is whole: it is replaced in one step.
        let mut step = self.step.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((from, difference)) = &*step
            && std::ptr::eq(from.as_ptr(), Arc::as_ptr(held))
        {
            return difference.clone();
        }
        let difference = Arc::new(self.difference(held));
        *step = Some((Arc::downgrade(held), difference.clone()));
        difference
    }

    fn difference(&self, held: &Versions) -> Difference {
        let changed = self.resources.values();
        let changed =
            changed.filter(|resource| held.get(&resource.name) != Some(&resource.version));
        let mut difference = Difference::new(changed);
        for (name, version) in held {
            if self.is_gone(name) {
                difference.removed.push(name.clone());
            } else if !self.resources.contains_key(name) {
                difference.kept.push((name.clone(), version.clone()));
            }
        }
        difference
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_type(items: &[(&str, &str)]) -> OfType {
        let resources = items
            .iter()
            .map(|(name, body)| Resource::new("t", name, body.as_bytes().to_vec()));
        OfType::new(resources.map(|r| (r.name.clone(), r)).collect())
    }

    #[test]
    fn streams_share_what_they_are_sent() {
        let before = of_type(&[("a", "1"), ("b", "1"), ("c", "1")]);
        let mut after = of_type(&[("a", "1"), ("b", "2"), ("d", "1")]);
        after.withhold("c");
        let step = after.since(Some(before.versions()));
        assert!(Arc::ptr_eq(&step, &after.since(Some(before.versions()))));
        let names: Vec<&str> = step.changed.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["b", "d"]);
        assert_eq!((step.removed.len(), step.kept.len()), (0, 1));

        let whole = after.since(None);
        assert!(Arc::ptr_eq(&whole, &after.since(None)));
        assert_eq!(whole.changed.len(), 3);
        assert!(after.since(Some(after.versions())).is_empty());
    }
}
