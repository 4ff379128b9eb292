//! Calls that are let through, each once.

use super::Book;
use super::applied::{Applied, Change, Effect, Grant, Outcome, Say, What};
use super::command::{Claim, Report};
use super::rules;
use crate::{ApprovalId, Mechanism, Run, RunState, State};

impl Book {
    pub(super) fn claim(&mut self, claim: Claim, done: &mut Applied) {
        let (to, waiter, approval) = (
            claim.sender.clone(),
            claim.waiter.clone(),
            claim.approval.clone(),
        );
        let say = match self.decide_claim(&claim, done) {
            Ok(()) => Say::Granted {
                task: self
                    .entries
                    .get(&approval)
                    .and_then(|entry| (entry.mechanism == Mechanism::Task).then_some(entry.digest)),
                approval,
            },
            Err((outcome, reason)) => Say::NotGranted {
                approval,
                outcome,
                reason,
            },
        };
        done.effects.push(Effect { to, waiter, say });
    }

    fn decide_claim(&mut self, claim: &Claim, done: &mut Applied) -> Result<(), (Outcome, String)> {
        let refused = |why: &str| Err((Outcome::Refused, why.to_owned()));
        let superseded = |why: &str| Err((Outcome::Superseded, why.to_owned()));
        let Some(entry) = self.entries.get(&claim.approval) else {
            return refused("there is no such approval");
        };
        let is_task = entry.mechanism == Mechanism::Task;
        let is_same_call = match claim.digest {
            Some(digest) => digest == entry.digest,
            None => is_task,
        };
        if !is_same_call || *entry.server != *claim.server {
            return superseded("the call is not the one any more that was approved");
        }
        if *entry.policy_version != *claim.policy_version {
            return superseded(rules::POLICY_CHANGED);
        }
        if entry
            .grant
            .as_ref()
            .is_some_and(|grant| grant.waiter == claim.waiter)
        {
            return Ok(());
        }
        if let Some(why) = self.is_void(entry) {
            return superseded(why);
        }
        let (chain, number) = match is_task {
            // Whoever asks for a task may run it; the filter has looked who that is.
            true => (claim.waiter.clone(), 0),
            false => {
                let place = self.waiters.get(&claim.waiter);
                let place = place.filter(|place| place.approval == claim.approval);
                let chain = place.and_then(|place| entry.chain(&place.chain));
                match (chain, entry.state.is_open()) {
                    (Some(chain), _) => (chain.name.clone(), chain.number),
                    (None, true) => return refused("this request does not wait any more"),
                    (None, false) => {
                        let outcome = rules::ended_as(entry.state);
                        return Err((outcome, entry.reason_of(outcome)));
                    }
                }
            }
        };
        match entry.outcome(&chain, &claim.waiter, number) {
            Some(Outcome::Approved) => {}
            Some(outcome) => return Err((outcome, entry.reason_of(outcome))),
            None => return refused("this call is not approved yet"),
        }
        let grant = Grant {
            waiter: claim.waiter.clone(),
            chain,
            number,
            sender: claim.sender.clone(),
            at_unix_millis: self.now,
        };
        self.grant(&claim.approval, grant, done);
        Ok(())
    }

    fn grant(&mut self, approval: &ApprovalId, grant: Grant, done: &mut Applied) {
        let Some(entry) = self.entries.get_mut(approval) else {
            return;
        };
        let was = entry.state;
        if let (State::Approved, Some(decided)) = (was, entry.decided) {
            done.claimed_after_millis
                .push(self.now.saturating_sub(decided));
        }
        entry.grant = Some(grant.clone());
        entry.run = None;
        if was == State::Approved {
            self.end(approval, State::Used, "", done);
        }
        done.changes.push(Change::Granted {
            approval: approval.clone(),
            grant,
        });
        if was == State::Used {
            // A further leg of the chain that it was let through for.
            done.events.extend(self.event(approval, What::Use, ""));
        }
    }

    pub(super) fn report(&mut self, report: Report, done: &mut Applied) {
        let Some(entry) = self.entries.get_mut(&report.approval) else {
            return;
        };
        let grant = entry.grant.as_ref();
        if grant.is_none_or(|grant| grant.waiter != report.waiter) {
            return;
        }
        let rank = |state| match state {
            RunState::Forwarded => 1,
            RunState::Lost => 2,
            RunState::NotRun | RunState::Answered => 3,
        };
        let before = entry.run.as_ref().map_or(0, |run| rank(run.state));
        // What went to the upstream has run, whatever is said of another claim of the same waiter.
        let ran = before > 0 && report.state == RunState::NotRun;
        if rank(report.state) <= before || ran {
            return;
        }
        let run = Run {
            state: report.state,
            detail: report.detail,
            at_unix_millis: self.now,
        };
        entry.run = Some(run.clone());
        let keeps = entry.mechanism == Mechanism::Task && run.state == RunState::Answered;
        done.news.push((report.approval.clone(), entry.state));
        done.changes.push(Change::Ran {
            approval: report.approval,
            run,
            result: keeps.then_some(report.result),
        });
    }
}
