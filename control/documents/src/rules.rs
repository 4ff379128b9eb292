//! Where each rule is written.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::Location;

/// The places of rules, by the id of the rule (`support/2`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    /// By policy, shared with the loader.
    policies: BTreeMap<String, Arc<BTreeMap<String, Location>>>,
}

impl Rules {
    /// Adds the rules of a policy.
    pub(crate) fn insert(&mut self, policy: String, rules: Arc<BTreeMap<String, Location>>) {
        self.policies.insert(policy, rules);
    }

    /// Where the rule with this id is written.
    pub fn get(&self, id: &str) -> Option<&Location> {
        // No name holds a slash.
        let (policy, _) = id.split_once('/')?;
        self.policies.get(policy)?.get(id)
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.policies.values().map(|rules| rules.len()).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
