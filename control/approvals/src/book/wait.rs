//! Requests that wait, and leave.

use std::sync::Arc;

use super::applied::{Applied, Change, Effect, Outcome, Say, What};
use super::command::{Caller, Wait, Why};
use super::entry::{Chain, Entry, Key, Place, Presence};
use super::limits::DEFAULT_WITHIN_SECONDS;
use super::{Book, rules};
use crate::{Approval, ApprovalId, Mechanism, State};

impl Book {
    pub(super) fn wait(&mut self, wait: Wait, done: &mut Applied) {
        let placed = match self.waiters.get(&wait.waiter).cloned() {
            Some(place) => self.wait_again(&wait, place),
            None => match &wait.leg {
                Some(_) => self.wait_on(&wait, done),
                None => self.wait_first(&wait, done),
            },
        };
        match placed {
            Ok(place) => self.answer(&place, done),
            Err((approval, outcome, reason)) => done.effects.push(Effect {
                to: wait.sender,
                waiter: wait.waiter,
                say: Say::Decided {
                    approval,
                    outcome,
                    reason: reason.to_owned(),
                },
            }),
        }
    }

    /// The same request again: its filter has connected anew.
    fn wait_again(&mut self, wait: &Wait, place: Place) -> Placed {
        let entry = self.entries.get_mut(&place.approval);
        let Some(entry) = entry.filter(|entry| entry.digest == wait.call.digest) else {
            return refused("this waiter stands for another call");
        };
        if let Some(chain) = entry.chain_mut(&place.chain) {
            chain.sender = wait.sender.clone();
            chain.presence = Presence::Here;
        }
        Ok(place)
    }

    /// The next leg of a call.
    fn wait_on(&mut self, wait: &Wait, done: &mut Applied) -> Placed {
        let Some(leg) = &wait.leg else {
            return refused("no leg");
        };
        let id = leg.approval.clone();
        let void = self.entries.get(&id).map(|entry| self.is_void(entry));
        let (Some(entry), Some(void)) = (self.entries.get_mut(&id), void) else {
            return Err((
                None,
                Outcome::Expired,
                "the approval that this call waited for is not known any more",
            ));
        };
        let replayed = |reason| Err((Some(id.clone()), Outcome::Replayed, reason));
        if entry.digest != wait.call.digest || *entry.server != *wait.call.server {
            return replayed("this state belongs to another call");
        }
        if *entry.policy_version != *wait.call.policy_version {
            return Err((Some(id), Outcome::Superseded, rules::POLICY_CHANGED));
        }
        if let (Some(why), true) = (void, entry.is_granted_to(&leg.chain)) {
            return Err((Some(id), Outcome::Superseded, why));
        }
        let Some(chain) = entry.chain_mut(&leg.chain) else {
            return match entry.state {
                State::Pending | State::Approved => Err((
                    Some(id),
                    Outcome::Withdrawn,
                    "the client came back too late for this call",
                )),
                state => Err((Some(id), rules::ended_as(state), rules::ENDED)),
            };
        };
        if leg.number <= chain.number {
            return replayed("this state was used before");
        }
        self.waiters.remove(&chain.waiter);
        let place = Place {
            approval: id,
            chain: chain.name.clone(),
        };
        chain.waiter = wait.waiter.clone();
        chain.number = leg.number;
        chain.sender = wait.sender.clone();
        chain.presence = Presence::Here;
        if chain.cancel_key != wait.cancel_key {
            let before = std::mem::replace(&mut chain.cancel_key, wait.cancel_key.clone());
            forget_cancel_key(&mut self.cancel_keys, &before, &place);
        }
        done.changes.push(Change::Chain {
            approval: place.approval.clone(),
            chain: chain.saved(),
        });
        self.index(wait, &place);
        Ok(place)
    }

    /// A call that may be new.
    fn wait_first(&mut self, wait: &Wait, done: &mut Applied) -> Placed {
        let call = &wait.call;
        if call.requirements.is_empty() {
            return refused("nobody could approve this call: no rule says who may");
        }
        if call.arguments.len() > self.limits.arguments {
            return refused("the arguments are too large to wait for an approval");
        }
        if wait.body.len() > self.limits.body {
            return refused("the message is too large to be kept for a task");
        }
        if !self.is_in_force(&call.server, &call.policy_version) {
            return Err((None, Outcome::Superseded, rules::POLICY_CHANGED));
        }
        let key = Key {
            digest: call.digest,
            policy_version: call.policy_version.as_str().into(),
            is_task: wait.mechanism == Mechanism::Task,
        };
        let approval = match self.open.get(&key) {
            Some(approval) => approval.clone(),
            None => self.create(wait, key, done)?,
        };
        self.join(approval, wait, done)
    }

    fn create(&mut self, wait: &Wait, key: Key, done: &mut Applied) -> Result<ApprovalId, Refusal> {
        let call = &wait.call;
        let caller = Arc::new(Caller {
            issuer: call.requester.issuer.clone(),
            user: call.requester.user.clone(),
            agent: call.requester.agent.clone(),
        });
        let of_caller = self.open_of.get(&caller).copied().unwrap_or_default();
        if of_caller >= self.limits.open_per_caller {
            return refused("too many calls of this caller wait for an approval");
        }
        let id = ApprovalId::new(wait.random);
        if self.entries.contains_key(&id) {
            return refused("the name of the approval is taken; try again");
        }
        let within = call.requirements.iter().map(|by| by.within_seconds);
        let within = within.filter(|seconds| *seconds > 0).min();
        let within = within.unwrap_or(DEFAULT_WITHIN_SECONDS);
        let expires = self.now.saturating_add(within.saturating_mul(1000));
        let is_tool = call.method == "tools/call";
        let approval = Approval {
            id: id.clone(),
            state: State::Pending,
            call: call.clone(),
            definition: is_tool
                .then(|| self.definition(&call.server, &call.target))
                .flatten(),
            created_unix_millis: self.now,
            expires_unix_millis: expires,
            decided_unix_millis: None,
            votes: Vec::new(),
            mechanism: wait.mechanism,
            waiting: 0,
            ended_reason: String::new(),
            run: None,
        };
        let entry = Entry::new(&approval, key.policy_version, caller);
        self.keep_open(id.clone(), entry);
        if let Some(event) = self.event(&id, What::Request, "") {
            let mut event = event;
            event.by.roles.clone_from(&call.requester.roles);
            event.rules.clone_from(&call.rules);
            event.trace_id.clone_from(&call.trace_id);
            done.events.push(event);
        }
        done.news.push((id.clone(), State::Pending));
        done.changes.push(Change::Created {
            approval: Box::new(approval),
            body: wait.body.clone(),
        });
        Ok(id)
    }

    fn join(&mut self, approval: ApprovalId, wait: &Wait, done: &mut Applied) -> Placed {
        let most = self.limits.waiting_per_approval;
        let Some(entry) = self.entries.get_mut(&approval) else {
            return refused("the approval is gone; try again");
        };
        if entry.chain(&wait.waiter).is_some() {
            // Its client has come back by another request since.
            return Err((
                Some(approval),
                Outcome::Replayed,
                "this request waits no longer",
            ));
        }
        if entry.chains.len() >= most {
            return refused("too many identical calls wait for an approval");
        }
        let chain = Chain {
            name: wait.waiter.clone(),
            waiter: wait.waiter.clone(),
            number: 0,
            mechanism: wait.mechanism,
            sender: wait.sender.clone(),
            cancel_key: wait.cancel_key.clone(),
            presence: Presence::Here,
        };
        done.changes.push(Change::Chain {
            approval: approval.clone(),
            chain: chain.saved(),
        });
        entry.chains.push(chain);
        self.counts.waiting += 1;
        let place = Place {
            approval,
            chain: wait.waiter.clone(),
        };
        if wait.mechanism == Mechanism::Request {
            self.make_lasting(&place.approval, done);
        }
        self.index(wait, &place);
        Ok(place)
    }

    fn index(&mut self, wait: &Wait, place: &Place) {
        self.waiters.insert(wait.waiter.clone(), place.clone());
        if !wait.cancel_key.is_empty() {
            self.cancel_keys
                .insert(wait.cancel_key.clone(), place.clone());
        }
    }

    /// Tells the last request of a chain how things are.
    fn answer(&self, place: &Place, done: &mut Applied) {
        let entry = self.entries.get(&place.approval);
        let chain = entry.and_then(|entry| Some((entry, entry.chain(&place.chain)?)));
        let Some((entry, chain)) = chain else {
            return;
        };
        let say = match entry.outcome(&chain.name, &chain.waiter, chain.number) {
            None => Say::Pending {
                approval: place.approval.clone(),
                expires_unix_millis: entry.expires,
            },
            Some(outcome) => Say::Decided {
                approval: Some(place.approval.clone()),
                outcome,
                reason: entry.reason_of(outcome),
            },
        };
        done.effects.push(Effect {
            to: chain.sender.clone(),
            waiter: chain.waiter.clone(),
            say,
        });
    }

    pub(super) fn leave(&mut self, waiter: &str, why: Why, done: &mut Applied) {
        let Some(place) = self.waiters.get(waiter).cloned() else {
            return;
        };
        let away = self.now.saturating_add(self.limits.away);
        let Some(entry) = self.entries.get_mut(&place.approval) else {
            return;
        };
        if !entry.state.is_open() {
            // It was told, or asks again by another waiter. A chain that was let through may go on.
            if !entry.is_granted_to(&place.chain) {
                self.forget_chain(&place);
            }
            return;
        }
        let Some(chain) = entry.chain_mut(&place.chain) else {
            return;
        };
        match (chain.mechanism, why) {
            (Mechanism::Rounds, Why::LegEnded) => {
                chain.presence = Presence::Away(away);
                self.due.insert((away, place.approval));
            }
            (_, Why::LegEnded | Why::Told) => {
                self.make_lasting(&place.approval, done);
                self.drop_chain(&place, done);
            }
            (_, Why::Gone) => {
                self.drop_chain(&place, done);
                self.withdraw_if_left(&place.approval, done);
            }
        }
    }

    pub(super) fn cancel(&mut self, cancel_key: &str, done: &mut Applied) {
        let Some(place) = self.cancel_keys.get(cancel_key).cloned() else {
            return;
        };
        let Some(entry) = self.entries.get(&place.approval) else {
            return;
        };
        if !entry.state.is_open() {
            return;
        }
        if let Some(chain) = entry.chain(&place.chain) {
            done.effects.push(Effect {
                to: chain.sender.clone(),
                waiter: chain.waiter.clone(),
                say: Say::Cancelled,
            });
        }
        self.drop_chain(&place, done);
        let left = self.entries.get(&place.approval);
        if left.is_some_and(|entry| entry.chains.is_empty()) {
            self.end(
                &place.approval,
                State::Withdrawn,
                "the caller cancelled it",
                done,
            );
        }
    }

    /// From now on it stays when nobody waits: whoever asked may make the same call again.
    fn make_lasting(&mut self, approval: &ApprovalId, done: &mut Applied) {
        if let Some(entry) = self.entries.get_mut(approval)
            && entry.mechanism == Mechanism::Rounds
        {
            entry.mechanism = Mechanism::Request;
            done.changes.push(Change::Mechanism {
                approval: approval.clone(),
                mechanism: Mechanism::Request,
            });
        }
    }

    /// Takes a chain out of an open approval.
    pub(super) fn drop_chain(&mut self, place: &Place, done: &mut Applied) {
        if self.forget_chain(place) {
            self.counts.waiting = self.counts.waiting.saturating_sub(1);
            done.changes.push(Change::ChainLeft {
                approval: place.approval.clone(),
                name: place.chain.clone(),
            });
        }
    }

    fn forget_chain(&mut self, place: &Place) -> bool {
        let Some(entry) = self.entries.get_mut(&place.approval) else {
            return false;
        };
        let named = |chain: &Chain| chain.name == place.chain;
        let Some(index) = entry.chains.iter().position(named) else {
            return false;
        };
        let chain = entry.chains.remove(index);
        self.waiters.remove(&chain.waiter);
        forget_cancel_key(&mut self.cancel_keys, &chain.cancel_key, place);
        true
    }

    /// Ends an approval that nobody waits for, and that nobody will ask for again.
    pub(super) fn withdraw_if_left(&mut self, approval: &ApprovalId, done: &mut Applied) {
        let is_left = self.entries.get(approval).is_some_and(|entry| {
            entry.state.is_open() && entry.mechanism == Mechanism::Rounds && entry.chains.is_empty()
        });
        if is_left {
            self.end(approval, State::Withdrawn, "the client went away", done);
        }
    }
}

/// Where a request waits now, or what it is told instead.
type Placed = Result<Place, Refusal>;
type Refusal = (Option<ApprovalId>, Outcome, &'static str);

fn refused<T>(why: &'static str) -> Result<T, Refusal> {
    Err((None, Outcome::Refused, why))
}

/// Another request may have the key by now.
pub(super) fn forget_cancel_key(
    keys: &mut std::collections::HashMap<Arc<str>, Place>,
    key: &str,
    place: &Place,
) {
    let is_same = |other: &Place| other.approval == place.approval && other.chain == place.chain;
    if keys.get(key).is_some_and(is_same) {
        keys.remove(key);
    }
}
