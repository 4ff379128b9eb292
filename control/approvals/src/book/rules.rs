//! Policies and definitions, whose changes make approvals void.

use std::collections::HashMap;

use super::Book;
use super::applied::{Applied, Change, Outcome};
use super::command::Definition;
use super::entry::Entry;
use crate::{ApprovalId, State, Vote};

pub(super) const POLICY_CHANGED: &str = "the policy has changed since this call was asked for";
pub(super) const TOOL_CHANGED: &str = "the tool has changed since this call was asked for";
pub(super) const USED: &str = "an identical call has run by this approval";
pub(super) const ENDED: &str = "this call is over";

/// What those are told who waited for an approval that came to this.
pub(super) fn ended_as(state: State) -> Outcome {
    match state {
        State::Pending | State::Approved => Outcome::Refused,
        State::Used => Outcome::Used,
        State::Denied => Outcome::Denied,
        State::Expired => Outcome::Expired,
        State::Withdrawn => Outcome::Withdrawn,
        State::Superseded => Outcome::Superseded,
    }
}

/// What the last of the approvers wrote.
pub(super) fn approvers_reason(votes: &[Vote]) -> String {
    votes
        .last()
        .map(|vote| vote.reason.clone())
        .unwrap_or_default()
}

impl Book {
    pub(super) fn policy(&mut self, versions: HashMap<String, String>, done: &mut Applied) {
        self.policies = Some(versions);
        let old = self.open_ones(|book, approval| {
            let entry = book.entries.get(approval);
            entry.is_some_and(|entry| !book.is_in_force(&entry.server, &entry.policy_version))
        });
        for approval in old {
            self.end(&approval, State::Superseded, POLICY_CHANGED, done);
        }
    }

    /// Until it is known what is in force, everything is: filters have a policy, and go by it.
    pub(super) fn is_in_force(&self, server: &str, version: &str) -> bool {
        self.policies.as_ref().is_none_or(|versions| {
            versions
                .get(server)
                .is_some_and(|in_force| in_force == version)
        })
    }

    /// Why nothing more may run by an approval, although it was not ended for that.
    pub(super) fn is_void(&self, entry: &Entry) -> Option<&'static str> {
        if !self.is_in_force(&entry.server, &entry.policy_version) {
            return Some(POLICY_CHANGED);
        }
        let is_changed = entry.definition.is_some()
            && self.definition(&entry.server, &entry.target) != entry.definition;
        is_changed.then_some(TOOL_CHANGED)
    }

    pub(super) fn definition(&self, server: &str, tool: &str) -> Option<[u8; 32]> {
        self.definitions.get(server)?.get(tool).copied()
    }

    pub(super) fn define(&mut self, definition: Definition, done: &mut Applied) {
        let Definition {
            server,
            tool,
            digest,
            json,
        } = definition;
        let before = self.definition(&server, &tool);
        if before == Some(digest) {
            return;
        }
        let tools = self.definitions.entry(server.as_str().into()).or_default();
        if before.is_none() && tools.len() >= self.limits.tools_per_server {
            return;
        }
        tools.insert(tool.as_str().into(), digest);
        let concerned = self.open_ones(|book, approval| {
            let entry = book.entries.get(approval);
            entry.is_some_and(|entry| {
                entry.is_tool && *entry.server == *server && *entry.target == *tool
            })
        });
        for approval in concerned {
            let Some(entry) = self.entries.get_mut(&approval) else {
                continue;
            };
            if before.is_some() {
                self.end(&approval, State::Superseded, TOOL_CHANGED, done);
            } else {
                // What it was asked under was not known: it was this, as far as anybody can tell.
                entry.definition = Some(digest);
                done.changes.push(Change::Adopted {
                    approval,
                    definition: digest,
                });
            }
        }
        done.changes.push(Change::Defined {
            server,
            tool,
            digest,
            json,
            at_unix_millis: self.now,
        });
    }

    fn open_ones(&self, is_meant: impl Fn(&Self, &ApprovalId) -> bool) -> Vec<ApprovalId> {
        self.open
            .values()
            .filter(|approval| is_meant(self, approval))
            .cloned()
            .collect()
    }
}
