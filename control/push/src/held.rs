//! What a client was told: usually what thousands of others were told too.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::of_type::Versions;

/// Names and versions that a client was told, as what they differ from a set that streams share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Held {
    /// The shared set.
    pub(crate) base: Option<Arc<Versions>>,
    /// What is otherwise; `None` for a name that the client knows not to exist.
    pub(crate) except: BTreeMap<Arc<str>, Option<Arc<str>>>,
}

impl Held {
    /// The version that the client was told of.
    pub(crate) fn version(&self, name: &str) -> Option<&Arc<str>> {
        match self.except.get(name) {
            Some(version) => version.as_ref(),
            None => self.base.as_ref()?.get(name),
        }
    }

    /// Whether the client was told anything of this name, be it that it does not exist.
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.except.contains_key(name)
            || self
                .base
                .as_ref()
                .is_some_and(|base| base.contains_key(name))
    }

    /// All that the client knows of, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, Option<&Arc<str>>)> {
        let base = self.base.iter().flat_map(|base| base.iter());
        let base = base.filter(|(name, _)| !self.except.contains_key(*name));
        let except = self.except.iter();
        base.map(|(name, version)| (name, Some(version)))
            .chain(except.map(|(name, version)| (name, version.as_ref())))
    }

    /// Forgets all other names, and shares nothing any longer.
    pub(crate) fn retain(&mut self, names: &BTreeSet<Arc<str>>) {
        let retained = self.iter().filter(|(name, _)| names.contains(*name));
        let retained = retained.map(|(name, version)| (name.clone(), version.cloned()));
        *self = Self {
            base: None,
            except: retained.collect(),
        };
    }
}
