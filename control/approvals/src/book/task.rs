//! Tasks: nobody waits for them, they are asked for.

use super::Book;
use super::applied::{Applied, Change, Effect, Say, TaskState, TaskStatus};
use super::command::TaskRequest;
use super::limits::TASK_KEPT_MILLIS;
use crate::{ApprovalId, Run, RunState, State};

impl Book {
    pub(super) fn task(&mut self, request: TaskRequest, done: &mut Applied) {
        let TaskRequest {
            sender,
            waiter,
            approval,
            cancel,
            caller,
        } = request;
        let entry = self.entries.get(&approval);
        let is_theirs =
            entry.is_some_and(|entry| *entry.caller == caller) && self.is_task_kept(&approval);
        if is_theirs {
            if cancel && entry.is_some_and(|entry| entry.state.is_open()) {
                self.end(&approval, State::Withdrawn, "the caller cancelled it", done);
            }
            self.lose(&approval, done);
        }
        let state = match is_theirs {
            true => self.task_state(&approval),
            false => None,
        };
        done.effects.push(Effect {
            to: sender,
            waiter,
            say: Say::Task { approval, state },
        });
    }

    /// Notes that nobody will say any more what came of a task.
    fn lose(&mut self, approval: &ApprovalId, done: &mut Applied) {
        let Some(entry) = self.entries.get(approval) else {
            return;
        };
        let Some(grant) = &entry.grant else { return };
        let is_open = matches!(
            entry.run.as_ref().map(|run| run.state),
            None | Some(RunState::Forwarded)
        );
        if !is_open || self.is_within_reach(&grant.sender) {
            return;
        }
        let run = Run {
            state: RunState::Lost,
            detail: "the gateway that ran it went away".to_owned(),
            at_unix_millis: self.now,
        };
        if let Some(entry) = self.entries.get_mut(approval) {
            entry.run = Some(run.clone());
            done.news.push((approval.clone(), entry.state));
        }
        done.changes.push(Change::Ran {
            approval: approval.clone(),
            run,
            result: None,
        });
    }

    fn task_state(&self, approval: &ApprovalId) -> Option<TaskState> {
        let entry = self.entries.get(approval)?;
        let run = entry.run.as_ref();
        let (status, message) = match (entry.state, run.map(|run| run.state)) {
            (State::Pending, _) => (TaskStatus::Working, "waits for a person to approve it"),
            (State::Approved, _) => (TaskStatus::Working, "was approved"),
            (State::Withdrawn, _) => (TaskStatus::Cancelled, entry.reason.as_str()),
            (State::Denied | State::Expired | State::Superseded, _) => {
                (TaskStatus::Failed, entry.reason.as_str())
            }
            (State::Used, None | Some(RunState::Forwarded)) => (TaskStatus::Working, "runs"),
            (State::Used, Some(RunState::Answered)) => match run {
                Some(run) if run.detail == "error" => (TaskStatus::Failed, ""),
                _ => (TaskStatus::Completed, ""),
            },
            (State::Used, Some(RunState::NotRun | RunState::Lost)) => (
                TaskStatus::Failed,
                run.map(|run| run.detail.as_str()).unwrap_or_default(),
            ),
        };
        let updated = run.map(|run| run.at_unix_millis);
        Some(TaskState {
            status,
            message: message.to_owned(),
            created_unix_millis: entry.created,
            updated_unix_millis: updated.or(entry.decided).unwrap_or(entry.created),
            ttl_millis: (entry.expires.saturating_sub(entry.created)) + TASK_KEPT_MILLIS,
            claimable: entry.state == State::Approved,
            with_result: run.is_some_and(|run| run.state == RunState::Answered),
        })
    }
}
