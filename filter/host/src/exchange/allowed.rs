//! A request that went on to the upstream, and what its answers are judged by.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::rc::Rc;

use gatehold_engine::Target;
use gatehold_identity::{Bound, Sealer};
use gatehold_mcp::list::{self, Filtered, ListError};
use gatehold_mcp::{
    Era, Id, Limits, ListKind, Outcome, Plain, Request, Version, answer, batch, is_batch, plain,
    resource_updated, tasks,
};

use crate::caller::Caller;
use crate::detection::taint::Taint;
use crate::exchange::decide::Answer;
use crate::exchange::rounds::Rounds;
use crate::exchange::run::Run;
use crate::exchange::watch::{About, Looked, Watch};
use crate::exchange::{definitions, mcp_limits};
use crate::record::Draft;
use crate::snapshot::Endpoint;
use crate::worker::Worker;

/// What went on to the upstream.
#[derive(Debug)]
pub(super) struct Allowed {
    pub(super) endpoint: Rc<Endpoint>,
    pub(super) caller: Rc<Caller>,
    pub(super) version: Version,
    /// The messages that went on: one, or those of a batch.
    pub(super) asked: Vec<Asked>,
    pub(super) standing: Standing,
    /// Seals the ids of events, once there are some.
    pub(super) events: OnceCell<Sealer>,
    /// What a server that asks for input is answered by; nothing where it cannot.
    pub(super) rounds: Option<Box<Rounds>>,
    /// The approval that it runs under.
    pub(super) run: Option<Box<Run>>,
    /// Whom to tell of the definitions of tools that pass; nobody where no approval depends on them.
    pub(super) watched: Option<Rc<Worker>>,
    /// What detection looks at answers with, and what it has seen.
    pub(super) watch: Box<Watch>,
    /// What is forgotten when it runs, because people have approved it.
    pub(super) settles: Option<Box<Taint>>,
}

/// One message that went on.
#[derive(Debug)]
pub(super) struct Asked {
    /// Id of the request; nothing when no answer is due.
    pub(super) id: Option<Id>,
    pub(super) answer: Answer,
    pub(super) about: About,
    /// How it was answered, once it was.
    pub(super) outcome: Option<Outcome>,
    /// Gone when the event is recorded.
    pub(super) draft: Option<Draft>,
}

/// Whether an answer may stay open for days, so that it is judged again when something has changed.
#[derive(Debug)]
pub(super) enum Standing {
    /// It ends with the request.
    No,
    /// A stream of the server's own messages (GET).
    Stream,
    /// `subscriptions/listen`.
    Listen(Box<Request>),
}

/// What becomes of one message of the upstream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Judged {
    /// It goes on as it is.
    Same,
    /// This goes on in its place.
    New(Vec<u8>),
    /// It is not for this caller.
    Nothing,
}

impl Allowed {
    /// Which rules of talking hold.
    pub(super) fn era(&self) -> Era {
        self.version.era()
    }

    /// The id that an error has to name: that of the only request.
    pub(super) fn id(&self) -> Option<&Id> {
        match self.asked.as_slice() {
            [only] => only.id.as_ref(),
            _ => None,
        }
    }

    /// Whether it may stay open for days.
    pub(super) fn stands(&self) -> bool {
        !matches!(self.standing, Standing::No)
    }

    /// Whether anything is to be answered with a message.
    pub(super) fn expects_answer(&self) -> bool {
        let due = |asked: &Asked| asked.id.is_some() || asked.answer != Answer::Plain;
        self.asked.iter().any(due)
    }

    pub(super) fn limits(&self) -> Limits {
        mcp_limits(&self.endpoint)
    }

    /// Judges what the upstream says at once: one message, or several where the version has batches. Notes
    /// which requests it answers, and how.
    ///
    /// # Errors
    /// Nothing of it may pass.
    pub(super) fn judge(&mut self, message: &[u8]) -> Result<Judged, ListError> {
        if self.version != Version::V2025_03_26 || !is_batch(message) {
            return self.judge_one(message);
        }
        let elements = batch::split(message, &self.limits())?;
        let mut left: Vec<Cow<'_, [u8]>> = Vec::with_capacity(elements.len());
        let mut changed = false;
        for element in elements {
            match self.judge_one(element)? {
                Judged::Same => left.push(element.into()),
                Judged::New(new) => {
                    changed = true;
                    left.push(new.into());
                }
                Judged::Nothing => changed = true,
            }
        }
        Ok(match (changed, left.is_empty()) {
            (false, _) => Judged::Same,
            (true, true) => Judged::Nothing,
            (true, false) => Judged::New(batch::join(&left)),
        })
    }

    fn judge_one(&mut self, message: &[u8]) -> Result<Judged, ListError> {
        let is_list = |asked: &Asked| matches!(asked.answer, Answer::List(_));
        let answers_task = self.run.as_ref().is_some_and(|run| run.is_task());
        if !self.asked.iter().any(is_list)
            && !answers_task
            && let Some(Plain { id, outcome }) = plain(message)
        {
            let at = self.position(&id);
            let looked = self.look(message, at, Some(&id));
            self.note(at, looked.outcome().unwrap_or(outcome));
            return Ok(looked.judged());
        }
        let gatehold_mcp::Answer {
            id,
            outcome,
            lists: mut kinds,
        } = answer(message)?;
        // What answers a request tells no news.
        if id.is_none() && !self.may_know(message)? {
            return Ok(Judged::Nothing);
        }
        let at = id.as_ref().and_then(|id| self.position(id));
        // What looks like a list is filtered as one, whatever was asked: the id proves nothing. Who sends two
        // requests with the same one may get the answer to the first on the stream of the second.
        // What was asked for is read strictly even if it does not look like it; without an object it is none.
        let expected = match self.asked.as_slice() {
            [only] => Some(only),
            all => at.and_then(|at| all.get(at)),
        };
        if let Some(Answer::List(kind)) = expected.map(|asked| asked.answer)
            && !kinds.contains(&kind)
            && message.contains(&b'{')
        {
            kinds.push(kind);
        }
        let looked = match kinds.is_empty() {
            true => self.look(message, at, id.as_ref()),
            false => self.look_beside(message, &kinds, at, id.as_ref())?,
        };
        self.note(at, looked.outcome().unwrap_or(outcome));
        let mut new = match looked {
            Looked::Fine => None,
            Looked::Redacted(new) => Some(new),
            Looked::Withheld(new, _) => {
                kinds.clear();
                Some(new)
            }
            Looked::Dropped => return Ok(Judged::Nothing),
        };
        for kind in kinds {
            let filtered = self.filter(kind, at, new.as_deref().unwrap_or(message))?;
            new = filtered.or(new);
        }
        let sealed = {
            let (binding, identity) = (&self.endpoint.server.binding, &self.caller.identity);
            let mut seal = |task: &str| binding.seal(Bound::Task, identity, task);
            tasks::seal(new.as_deref().unwrap_or(message), &mut seal)?
        };
        let mut new = sealed.or(new);
        if let Some(rounds) = &self.rounds {
            let (server, caller) = (&self.endpoint.server, &self.caller);
            let now = new.as_deref().unwrap_or(message);
            let state = rounds.seal(server, caller, self.run.as_deref(), now)?;
            new = state.or(new);
        }
        if let Some(run) = &mut self.run {
            let now = new.as_deref().unwrap_or(message);
            new = run.answer(now)?.or(new);
        }
        Ok(new.map_or(Judged::Same, Judged::New))
    }

    /// Which request has this id.
    fn position(&self, id: &Id) -> Option<usize> {
        let mut asked = self.asked.iter();
        asked.position(|asked| asked.id.as_ref() == Some(id))
    }

    /// Notes how a request was answered.
    fn note(&mut self, at: Option<usize>, outcome: Outcome) {
        if let Some(asked) = at.and_then(|at| self.asked.get_mut(at)) {
            asked.outcome.get_or_insert(outcome);
        }
    }

    /// Whether the caller may know of what the server tells: news of a resource are for those who see it.
    fn may_know(&self, message: &[u8]) -> Result<bool, ListError> {
        let Some(uri) = resource_updated(message)? else {
            return Ok(true);
        };
        let policy = &self.endpoint.server.policy;
        Ok(policy.visible(&self.caller.principal, Target::Resource(&uri)))
    }

    fn filter(
        &mut self,
        kind: ListKind,
        at: Option<usize>,
        message: &[u8],
    ) -> Result<Option<Vec<u8>>, ListError> {
        let (limits, era) = (self.limits(), self.era());
        if let (Some(worker), ListKind::Tools) = (&self.watched, kind) {
            let server = &self.endpoint.server.name;
            definitions::tell(worker, server, list::entries(kind, message, &limits)?);
        }
        let (withheld, redacted) = self.look_at_list(kind, message, &limits)?;
        let message = redacted.as_deref().unwrap_or(message);
        let policy = &self.endpoint.server.policy;
        let principal = &self.caller.principal;
        let keep = |name: &str| {
            let target = match kind {
                ListKind::Tools => Target::Tool(name),
                ListKind::Prompts => Target::Prompt(name),
                ListKind::Resources | ListKind::ResourceTemplates => Target::Resource(name),
            };
            !withheld.contains(name) && policy.visible(principal, target)
        };
        let Filtered {
            body,
            shown,
            hidden,
        } = list::filter(kind, message, era, &limits, keep)?;
        let asked = self.asked.get_mut(at.unwrap_or(0));
        if let Some(draft) = asked.and_then(|asked| asked.draft.as_mut()) {
            draft.list(shown, hidden);
        }
        Ok(body.or(redacted))
    }
}
