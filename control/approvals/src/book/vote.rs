//! What people say.

use super::Book;
use super::applied::{Applied, Change, Effect, Outcome, Say, VoteFailed, What};
use super::entry::Presence;
use crate::{ApprovalId, State, Verdict, Vote};

impl Book {
    pub(super) fn vote(
        &mut self,
        approval: &ApprovalId,
        mut vote: Vote,
        done: &mut Applied,
    ) -> Result<(), VoteFailed> {
        vote.at_unix_millis = self.now;
        let entry = self.entries.get_mut(approval);
        let entry = entry.ok_or(VoteFailed::NotFound)?;
        entry.ballot().may(&vote).map_err(VoteFailed::Refused)?;
        let number = u32::try_from(entry.votes.len()).unwrap_or(u32::MAX);
        done.changes.push(Change::Voted {
            approval: approval.clone(),
            vote: vote.clone(),
            number,
        });
        let (verdict, by, reason) = (vote.verdict, vote.by.clone(), vote.reason.clone());
        entry.votes.push(vote);
        let is_met = verdict == Verdict::Approve && entry.ballot().is_met();
        let what = match verdict {
            Verdict::Approve => What::Approve,
            Verdict::Deny => What::Deny,
        };
        if let Some(event) = self.event(approval, what, &reason) {
            let mut event = event;
            event.by = by;
            done.events.push(event);
        }
        match verdict {
            Verdict::Deny => self.end(approval, State::Denied, &reason, done),
            Verdict::Approve if is_met => self.approve(approval, reason, done),
            Verdict::Approve => done.news.push((approval.clone(), State::Pending)),
        }
        Ok(())
    }

    fn approve(&mut self, approval: &ApprovalId, reason: String, done: &mut Applied) {
        let Some(entry) = self.entries.get_mut(approval) else {
            return;
        };
        entry.state = State::Approved;
        entry.decided = Some(self.now);
        entry.reason.clone_from(&reason);
        self.counts.pending -= 1;
        self.counts.approved += 1;
        for chain in &entry.chains {
            if chain.presence != Presence::Here {
                continue;
            }
            done.effects.push(Effect {
                to: chain.sender.clone(),
                waiter: chain.waiter.clone(),
                say: Say::Decided {
                    approval: Some(approval.clone()),
                    outcome: Outcome::Approved,
                    reason: reason.clone(),
                },
            });
        }
        done.changes.push(Change::Moved {
            approval: approval.clone(),
            state: State::Approved,
            reason: String::new(),
            at_unix_millis: self.now,
        });
        done.news.push((approval.clone(), State::Approved));
    }
}
