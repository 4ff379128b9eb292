//! What a book holds in memory: taking up what is written, and forgetting what has ended.

use std::sync::Arc;

use super::applied::Saved;
use super::command::{Caller, Command};
use super::entry::{Chain, Entry, Place, Presence};
use super::{Book, rules};
use crate::{Approval, ApprovalId, State};

impl Book {
    /// An approval that the command names and that is not in memory: take it up before, if it is written anywhere.
    #[must_use]
    pub fn lacks<'a>(&self, command: &'a Command) -> Option<&'a ApprovalId> {
        let named = match command {
            Command::Wait(wait) => &wait.leg.as_ref()?.approval,
            Command::Claim(claim) => &claim.approval,
            Command::Report(report) => &report.approval,
            Command::Task(request) => &request.approval,
            Command::Vote { approval, .. } => approval,
            Command::Back { .. }
            | Command::Gone { .. }
            | Command::Leave { .. }
            | Command::Definition(_)
            | Command::Cancel { .. }
            | Command::Policy(_)
            | Command::Tick => return None,
        };
        (!self.entries.contains_key(named)).then_some(named)
    }

    /// Takes up what was written. Who waited for it has as long to come back as between two legs.
    pub fn take_up(&mut self, saved: Saved, now: u64) {
        self.now = self.now.max(now);
        let Saved {
            approval,
            chains,
            grant,
        } = saved;
        let id = approval.id.clone();
        if self.entries.contains_key(&id) {
            return;
        }
        let caller = Arc::new(Caller {
            issuer: approval.call.requester.issuer.clone(),
            user: approval.call.requester.user.clone(),
            agent: approval.call.requester.agent.clone(),
        });
        let policy_version = approval.call.policy_version.as_str().into();
        let mut entry = Entry::new(&approval, policy_version, caller);
        let until = self.now.saturating_add(self.limits.away);
        for chain in chains {
            let place = Place {
                approval: id.clone(),
                chain: chain.name.clone(),
            };
            self.waiters.insert(chain.waiter.clone(), place.clone());
            if !chain.cancel_key.is_empty() {
                self.cancel_keys.insert(chain.cancel_key.clone(), place);
            }
            entry.chains.push(Chain {
                name: chain.name,
                waiter: chain.waiter,
                number: chain.number,
                mechanism: chain.mechanism,
                sender: chain.sender,
                cancel_key: chain.cancel_key,
                presence: Presence::Away(until),
            });
        }
        entry.grant = grant;
        if entry.state.is_open() {
            self.counts.waiting += entry.chains.len();
            self.due.insert((until, id.clone()));
            self.keep_open(id, entry);
        } else {
            self.entries.insert(id.clone(), entry);
            self.ended
                .insert((self.now.saturating_add(self.limits.ended), id));
        }
    }

    /// Takes up what a tool was when it was last seen.
    pub fn take_up_definition(&mut self, server: &str, tool: &str, digest: [u8; 32]) {
        self.definitions
            .entry(server.into())
            .or_default()
            .insert(tool.into(), digest);
    }

    /// An approval that is open, with its indexes. Its chains are the caller's to count.
    pub(super) fn keep_open(&mut self, id: ApprovalId, entry: Entry) {
        match entry.state {
            State::Approved => self.counts.approved += 1,
            _ => self.counts.pending += 1,
        }
        *self.open_of.entry(entry.caller.clone()).or_default() += 1;
        self.open.insert(entry.key(), id.clone());
        self.due.insert((entry.expires, id.clone()));
        self.entries.insert(id, entry);
    }

    /// Takes an approval that is about to end out of what is open.
    pub(super) fn close(&mut self, approval: &ApprovalId) {
        let Some(entry) = self.entries.get(approval) else {
            return;
        };
        match entry.state {
            State::Approved => self.counts.approved -= 1,
            State::Pending => self.counts.pending -= 1,
            _ => return,
        }
        self.counts.waiting = self.counts.waiting.saturating_sub(entry.chains.len());
        let key = entry.key();
        if self.open.get(&key) == Some(approval) {
            self.open.remove(&key);
        }
        if let Some(open) = self.open_of.get_mut(&entry.caller) {
            *open = open.saturating_sub(1);
            if *open == 0 {
                self.open_of.remove(&entry.caller);
            }
        }
        self.due.remove(&(entry.expires, approval.clone()));
        let until = self.now.saturating_add(self.limits.ended);
        self.ended.insert((until, approval.clone()));
    }

    /// Forgets an approval that ended.
    pub(super) fn forget(&mut self, approval: &ApprovalId) {
        let Some(entry) = self.entries.remove(approval) else {
            return;
        };
        for chain in entry.chains {
            self.waiters.remove(&chain.waiter);
            let place = Place {
                approval: approval.clone(),
                chain: chain.name,
            };
            super::wait::forget_cancel_key(&mut self.cancel_keys, &chain.cancel_key, &place);
        }
    }
}

impl Entry {
    pub(super) fn new(approval: &Approval, policy_version: Arc<str>, caller: Arc<Caller>) -> Self {
        let is_open = approval.state.is_open();
        let reason = match is_open {
            true => rules::approvers_reason(&approval.votes),
            false => approval.ended_reason.clone(),
        };
        Self {
            state: approval.state,
            mechanism: approval.mechanism,
            digest: approval.call.digest,
            policy_version,
            server: approval.call.server.as_str().into(),
            target: approval.call.target.as_str().into(),
            is_tool: approval.call.method == "tools/call",
            definition: approval.definition,
            caller,
            requirements: match is_open {
                true => approval.call.requirements.clone(),
                false => Vec::new(),
            },
            votes: match is_open {
                true => approval.votes.clone(),
                false => Vec::new(),
            },
            created: approval.created_unix_millis,
            expires: approval.expires_unix_millis,
            decided: approval.decided_unix_millis,
            reason,
            chains: Vec::new(),
            grant: None,
            run: approval.run.clone(),
        }
    }
}
