//! How approvals end, and what time brings about.

use super::Book;
use super::applied::{Applied, Change, Effect, Say, What};
use super::entry::{Place, Presence};
use super::rules;
use crate::{ApprovalId, Mechanism, State};

impl Book {
    /// Ends an open approval. Everybody who waits is told, but for the one that it is used by.
    pub(super) fn end(
        &mut self,
        approval: &ApprovalId,
        state: State,
        reason: &str,
        done: &mut Applied,
    ) {
        let what = match state {
            State::Pending | State::Approved => return,
            State::Used => Some(What::Use),
            // The vote is the event.
            State::Denied => None,
            State::Expired => Some(What::Expire),
            State::Withdrawn => Some(What::Withdraw),
            State::Superseded => Some(What::Supersede),
        };
        self.close(approval);
        let Some(entry) = self.entries.get_mut(approval) else {
            return;
        };
        entry.state = state;
        entry.decided.get_or_insert(self.now);
        reason.clone_into(&mut entry.reason);
        entry.requirements = Vec::new();
        entry.votes = Vec::new();
        let outcome = rules::ended_as(state);
        for chain in &entry.chains {
            if chain.presence != Presence::Here || entry.is_granted_to(&chain.name) {
                continue;
            }
            done.effects.push(Effect {
                to: chain.sender.clone(),
                waiter: chain.waiter.clone(),
                say: Say::Decided {
                    approval: Some(approval.clone()),
                    outcome,
                    reason: entry.reason_of(outcome),
                },
            });
        }
        done.changes.push(Change::Moved {
            approval: approval.clone(),
            state,
            reason: reason.to_owned(),
            at_unix_millis: self.now,
        });
        done.news.push((approval.clone(), state));
        let event = what.and_then(|what| self.event(approval, what, reason));
        done.events.extend(event);
    }

    pub(super) fn pass_time(&mut self, done: &mut Applied) {
        while let Some((time, _)) = self.due.first()
            && *time <= self.now
            && let Some((_, approval)) = self.due.pop_first()
        {
            self.look_at(&approval, done);
        }
        let most = self.limits.ended_count;
        while let Some((time, _)) = self.ended.first()
            && (*time <= self.now || self.ended.len() > most)
            && let Some((_, approval)) = self.ended.pop_first()
        {
            self.forget(&approval);
        }
        if self.gone.values().any(|until| *until <= self.now) {
            self.gone.retain(|_, until| *until > self.now);
        }
    }

    fn look_at(&mut self, approval: &ApprovalId, done: &mut Applied) {
        let Some(entry) = self.entries.get(approval) else {
            return;
        };
        if !entry.state.is_open() {
            return;
        }
        if entry.expires <= self.now {
            let reason = match entry.state {
                State::Approved => "it was approved, but not used in time",
                _ => "nobody decided in time",
            };
            return self.end(approval, State::Expired, reason, done);
        }
        let is_late = |presence| matches!(presence, Presence::Away(until) if until <= self.now);
        let late = entry.chains.iter().filter(|chain| is_late(chain.presence));
        let late: Vec<Place> = late
            .map(|chain| Place {
                approval: approval.clone(),
                chain: chain.name.clone(),
            })
            .collect();
        for place in late {
            self.drop_chain(&place, done);
        }
        self.withdraw_if_left(approval, done);
    }

    /// The requests that a filter held: it has some time to connect again.
    pub(super) fn sender_gone(&mut self, sender: &str) {
        let Some(sender) = self.connected.take(sender) else {
            return;
        };
        let until = self.now.saturating_add(self.limits.away);
        for place in self.waiters.values() {
            let Some(entry) = self.entries.get_mut(&place.approval) else {
                continue;
            };
            if !entry.state.is_open() {
                continue;
            }
            if let Some(chain) = entry.chain_mut(&place.chain)
                && chain.sender == sender
                && chain.presence == Presence::Here
            {
                chain.presence = Presence::Away(until);
                self.due.insert((until, place.approval.clone()));
            }
        }
        self.gone.insert(sender, until);
    }

    /// Whether a filter that was let run something may still say what came of it.
    pub(super) fn is_within_reach(&self, sender: &str) -> bool {
        self.connected.contains(sender)
            || self.gone.contains_key(sender)
            || self.now < self.opened.saturating_add(self.limits.away)
    }

    /// Whether a task can still be asked for.
    pub(super) fn is_task_kept(&self, approval: &ApprovalId) -> bool {
        self.entries.get(approval).is_some_and(|entry| {
            entry.mechanism == Mechanism::Task
                && self.now < entry.expires.saturating_add(super::TASK_KEPT_MILLIS)
        })
    }
}
