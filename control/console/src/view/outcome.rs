//! What became of a call, in words for approvers.

use gatehold_approvals::{Approval, Mechanism, RunState, State};

use super::time::Moment;

/// How something is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Somebody has to act.
    Open,
    /// It went well.
    Good,
    /// It was refused.
    Bad,
    /// It is over without either.
    Over,
    /// Something is unclear.
    Odd,
}

impl Tone {
    /// Its CSS class.
    pub fn class(self) -> &'static str {
        match self {
            Self::Open => "tone-open",
            Self::Good => "tone-good",
            Self::Bad => "tone-bad",
            Self::Over => "tone-over",
            Self::Odd => "tone-odd",
        }
    }
}

/// A word or two for the state, as lists show it.
pub fn headline(approval: &Approval) -> (&'static str, Tone) {
    let run = approval.run.as_ref().map(|run| run.state);
    match (approval.state, run) {
        (State::Pending, _) => ("Waiting", Tone::Open),
        (State::Approved, _) => ("Approved", Tone::Good),
        (State::Used, Some(RunState::Answered)) => ("Ran", Tone::Good),
        (State::Used, Some(RunState::Forwarded)) => ("Running", Tone::Good),
        (State::Used, Some(RunState::NotRun)) => ("Not run", Tone::Odd),
        (State::Used, Some(RunState::Lost)) => ("Ran, no answer", Tone::Odd),
        (State::Used, None) => ("Let through", Tone::Good),
        (State::Denied, _) => ("Denied", Tone::Bad),
        (State::Expired, _) => ("Expired", Tone::Over),
        (State::Withdrawn, _) => ("Withdrawn", Tone::Over),
        (State::Superseded, _) => ("Superseded", Tone::Over),
    }
}

/// What became of it, in a sentence or two.
pub fn outcome(approval: &Approval, now_millis: u64) -> String {
    let server = &approval.call.server;
    match approval.state {
        State::Pending if approval.expires_unix_millis < now_millis => {
            "Its time is over; it is about to expire.".to_owned()
        }
        State::Pending => "Nothing happens until it is decided.".to_owned(),
        State::Approved => approved(approval),
        State::Used => match &approval.run {
            None => "The call was let through. What became of it is not known yet.".to_owned(),
            Some(run) => match run.state {
                RunState::Forwarded => {
                    format!("The call went to {server}; its answer is not there yet.")
                }
                RunState::Answered if run.detail.is_empty() || run.detail == "ok" => {
                    format!("The call ran: {server} has answered.")
                }
                RunState::Answered => {
                    format!("The call ran: {server} has answered ({}).", run.detail)
                }
                RunState::NotRun => format!(
                    "The call did not run after all: {}.",
                    or(&run.detail, "no reason is known")
                ),
                RunState::Lost => format!(
                    "The call went to {server}, but no answer came back: whether it was carried out is not known. {}",
                    run.detail
                ),
            },
        },
        State::Denied => "The call was not run, and the agent was told so.".to_owned(),
        State::Expired => "Too late: nobody decided in time. The call was not run.".to_owned(),
        State::Withdrawn => {
            "Too late: the agent cancelled, or went away. The call was not run.".to_owned()
        }
        State::Superseded => {
            "Too late: the policy or the tool has changed since the agent asked. The call was not \
                              run; made again, it is judged anew."
                .to_owned()
        }
    }
}

fn approved(approval: &Approval) -> String {
    if approval.waiting > 0 {
        return "Approved: the agent’s client is there, and the call goes on now.".to_owned();
    }
    let until = Moment::new(approval.expires_unix_millis).text;
    match approval.mechanism {
        Mechanism::Rounds => {
            "Approved. The agent’s client is between two rounds, and should be back in seconds."
                .to_owned()
        }
        Mechanism::Request => format!(
            "Approved, but nobody waits at this moment. The same call goes through once when the agent makes it again, until {until}."
        ),
        Mechanism::Task => format!(
            "Approved. It runs when the agent’s client next asks for its task, until {until}."
        ),
    }
}

/// How the agent waits, and whether somebody does at this moment.
pub fn how_it_waits(approval: &Approval) -> String {
    let who = match approval.waiting {
        0 => "Nobody waits at this moment",
        1 => "One client waits at this moment",
        _ => "Several clients wait at this moment",
    };
    let how = match approval.mechanism {
        Mechanism::Request => {
            "its request is held open for a while; after that the agent is told to make the same call again"
        }
        Mechanism::Rounds => "its client comes back by itself, round after round",
        Mechanism::Task => "its client asks for the task from time to time",
    };
    format!("{who}: {how}.")
}

fn or<'a>(text: &'a str, other: &'a str) -> &'a str {
    if text.is_empty() { other } else { text }
}
