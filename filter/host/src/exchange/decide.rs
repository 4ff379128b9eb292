//! From a message to a verdict: which question each operation asks of the policy, and what a refusal
//! says.

use std::rc::Rc;

use gatehold_engine::{Arguments, Decision, Effect, Principal, Query, Target};
use gatehold_mcp::{
    Era, ListKind, Map, Message, Notice, Notification, Operation, Reference, Request, Value,
    declares_tasks, notice, operation,
};

use crate::arguments::{Given, Unbuilt};
use crate::caller::Caller;
use crate::exchange::ask::{Ask, repeats_arguments};
use crate::exchange::hold_reply::cannot_wait;
use crate::exchange::reply::Refusal;
use crate::exchange::session::Session;
use crate::exchange::watched::Watched;
use crate::hold::CallDigest;
use crate::host::HeaderPairs;
use crate::record::Draft;
use crate::server::Server;
use crate::uris;

/// What the answer to an allowed request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Nothing beside what every answer needs.
    Plain,
    /// To be filtered.
    List(ListKind),
    /// A stream that may stay open, and whose end says nothing about the request.
    Subscription,
}

/// Why a message does not go on.
#[derive(Debug)]
pub(super) enum Stop {
    /// It is refused.
    Refused(Refusal),
    /// A person has to approve it first.
    Held(Box<Ask>),
}

impl Stop {
    /// A refusal, where nothing can wait.
    pub(super) fn refusal(self) -> Refusal {
        match self {
            Self::Refused(refusal) => refusal,
            Self::Held(ask) => cannot_wait(
                &ask,
                "it cannot wait in a batch or a subscription; send it alone",
            ),
        }
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// People have approved one call.
#[derive(Debug)]
pub(super) struct Grant {
    /// Id of the approval.
    pub(super) approval: String,
    /// Of that call.
    pub(super) digest: CallDigest,
}

pub(super) const CANCELLED: &str = "notifications/cancelled";

/// Who asks, where and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Questioner<'a> {
    pub(super) server: &'a Server,
    pub(super) caller: &'a Caller,
    pub(super) session: Session,
    pub(super) era: Era,
    /// The arguments of the call, if the message has none in their place.
    pub(super) arguments: Option<&'a Unbuilt<'a>>,
    /// What has been approved.
    pub(super) grant: Option<&'a Grant>,
    /// The headers, where a call could wait.
    pub(super) headers: Option<&'a HeaderPairs>,
    /// What detection has to say.
    pub(super) watched: Option<&'a Watched<'a>>,
}

impl Questioner<'_> {
    /// Decides one message.
    ///
    /// # Errors
    /// Why it must not go on; what was decided is in the draft either way.
    pub(super) fn decide(&self, message: &Message, draft: &mut Draft) -> Result<Answer, Stop> {
        match message {
            Message::Request(request) => self.request(request, draft),
            Message::Notification(notification) => {
                self.notification(notification, draft)?;
                Ok(Answer::Plain)
            }
            // It answers what the server asked within a session. Without one, anybody could answer for
            // anybody: the ids of such requests are easily guessed.
            Message::Response(_) if self.session == Session::None => {
                let reason = "a response belongs to a session, and this one has none";
                Err(Refusal::dropped(reason).into())
            }
            Message::Response(_) => {
                draft.permitted();
                self.unless_blocked(draft)?;
                Ok(Answer::Plain)
            }
        }
    }

    pub(super) fn request(&self, request: &Request, draft: &mut Draft) -> Result<Answer, Stop> {
        let asked = Asked { of: *self, request };
        let operation =
            operation(request, self.era).map_err(|error| Refusal::rejected(&error, None))?;
        asked.operation(&operation, draft)
    }

    /// Those of the protocol itself pass; any other needs a rule for its method.
    fn notification(&self, notification: &Notification, draft: &mut Draft) -> Result<(), Refusal> {
        // Likewise: without a session, it could be anybody's request.
        if notification.method == CANCELLED && self.session == Session::None {
            let reason = "a request is cancelled within its session, and this one has none";
            return Err(Refusal::dropped(reason));
        }
        if notice(&notification.method, self.era) == Notice::Lifecycle {
            draft.permitted();
            return self.unless_blocked(draft);
        }
        let params = without_meta(notification.params.as_ref());
        draft.arguments(Given::Built(&params), self.server.audit_arguments);
        let target = Target::Method(&notification.method);
        let decision = self.ask(target, Arguments::Known(&params), draft);
        match decision.effect {
            Effect::Allow => self.unless_blocked(draft),
            Effect::Hold(_) | Effect::Deny => Err(Refusal::dropped(&decision.reason)),
        }
    }

    /// For messages that are due no answer.
    fn unless_blocked(&self, draft: &mut Draft) -> Result<(), Refusal> {
        match self.watched.and_then(Watched::blocks) {
            None => Ok(()),
            Some(seen) => {
                draft.blocked();
                Err(Refusal::dropped(&format!("detection: {seen}")))
            }
        }
    }

    /// The arguments of a call, of which the message has `built`.
    fn given<'g>(&self, built: &'g Map<String, Value>) -> Given<'g>
    where
        Self: 'g,
    {
        match self.arguments {
            Some(unbuilt) => Given::Unbuilt(unbuilt),
            None => Given::Built(built),
        }
    }

    fn principal(&self) -> &Principal {
        &self.caller.principal
    }

    fn ask(&self, target: Target<'_>, arguments: Arguments<'_>, draft: &mut Draft) -> Rc<Decision> {
        let query = Query {
            principal: self.principal(),
            target,
            arguments,
            findings: self.watched.and_then(Watched::findings),
        };
        let decision = Rc::new(self.server.policy.decide(&query));
        draft.decision(&decision);
        decision
    }
}

struct Asked<'a> {
    of: Questioner<'a>,
    request: &'a Request,
}

impl Asked<'_> {
    fn operation(&self, operation: &Operation<'_>, draft: &mut Draft) -> Result<Answer, Stop> {
        let server = self.of.server;
        match operation {
            Operation::CallTool { name, arguments } => {
                let given = self.of.given(arguments);
                draft.arguments(given, server.audit_arguments);
                self.target(Target::Tool(name), given.for_policy(), draft)?;
            }
            Operation::GetPrompt { name, arguments } => {
                let given = self.of.given(arguments);
                draft.arguments(given, server.audit_arguments);
                self.target(Target::Prompt(name), given.for_policy(), draft)?;
            }
            Operation::ReadResource { uri } | Operation::Subscribe { uri } => {
                self.resource(uri, Arguments::Known(&Map::new()), draft)?;
            }
            // What is completed has no arguments yet, so it may be completed when it may be seen.
            Operation::Complete {
                reference: Reference::Prompt(name),
            } => {
                self.target(Target::Prompt(name), Arguments::Unknown, draft)?;
            }
            Operation::Complete {
                reference: Reference::Resource(uri),
            } => {
                self.resource(uri, Arguments::Unknown, draft)?;
            }
            // That the tasks are the caller's own is seen when their ids are opened.
            Operation::Listen { uris, task_ids: _ } => {
                draft.permitted();
                for uri in uris {
                    self.resource(uri, Arguments::Known(&Map::new()), draft)
                        .map_err(Stop::refusal)?;
                }
                return Ok(Answer::Subscription);
            }
            Operation::List(kind) => {
                draft.permitted();
                self.unless_blocked(draft)?;
                return Ok(Answer::List(*kind));
            }
            Operation::Lifecycle => {
                draft.permitted();
                self.unless_blocked(draft)?;
            }
            Operation::SetLevel { .. } => self.unless_denied(draft)?,
            Operation::Removed => {
                let reason = "the protocol version has no such method";
                return Err(self.not_found(reason, draft).into());
            }
            Operation::Task { .. }
                if self.of.era == Era::Modern && !declares_tasks(self.request) =>
            {
                return Err(Refusal::undeclared_tasks(&self.request.id).into());
            }
            // Likewise; who may start a task may ask for it, and policy may forbid it.
            Operation::Task { task_id, .. } => {
                self.unless_denied(draft)?;
                draft.target(task_id);
            }
            // The server cannot tell whose tasks to list, except by the session.
            Operation::ListTasks if self.of.session == Session::None => {
                let reason = "tasks are listed within a session only";
                return Err(self.not_found(reason, draft).into());
            }
            // Nor can this filter tell whose they are: allowing it trusts the server to list the session's.
            Operation::ListTasks => {
                let target = Target::Method(&self.request.method);
                self.target(target, Arguments::Known(&Map::new()), draft)?;
            }
            Operation::Other => {
                let params = without_meta(self.request.params.as_ref());
                draft.arguments(Given::Built(&params), server.audit_arguments);
                let target = Target::Method(&self.request.method);
                self.target(target, Arguments::Known(&params), draft)?;
            }
        }
        Ok(Answer::Plain)
    }

    fn target(
        &self,
        target: Target<'_>,
        arguments: Arguments<'_>,
        draft: &mut Draft,
    ) -> Result<(), Stop> {
        let decision = self.of.ask(target, arguments, draft);
        draft.target(match target {
            Target::Tool(name) | Target::Resource(name) | Target::Prompt(name) => name,
            Target::Method(_) => "",
        });
        let decision = match self.of.watched {
            Some(watched) if decision.effect != Effect::Deny => {
                let about = (target, arguments);
                watched.judge(&self.of, &self.request.id, about, decision, draft)?
            }
            _ => decision,
        };
        match (&decision.effect, arguments) {
            (Effect::Allow, _) => Ok(()),
            // Nothing runs when something is completed, so there is nothing to approve.
            (Effect::Hold(_), Arguments::Unknown) => {
                draft.permitted();
                Ok(())
            }
            (Effect::Hold(_), _) => self.hold(target, arguments, &decision, draft),
            (Effect::Deny, _) => Err(self.refusal(target, &decision, draft).into()),
        }
    }

    /// Lets what was approved pass; anything else has to wait.
    fn hold(
        &self,
        target: Target<'_>,
        arguments: Arguments<'_>,
        decision: &Rc<Decision>,
        draft: &mut Draft,
    ) -> Result<(), Stop> {
        let Questioner {
            server,
            caller,
            era,
            grant,
            headers,
            watched,
            ..
        } = self.of;
        // People decide about what the upstream gets; secrets that are taken out before are not theirs to see.
        let repeats = headers.is_some_and(repeats_arguments);
        let redacted = match watched {
            Some(watched) => watched
                .redacted(repeats)
                .map_err(|seen| Refusal::unredacted(Some(&self.request.id), &seen))?,
            None => None,
        };
        let none = Map::new();
        let (request, arguments) = match redacted.as_ref().map(|it| &it.message) {
            Some(Message::Request(request)) => {
                let params = request.params.as_ref();
                let arguments = params.and_then(|it| it.get("arguments")?.as_object());
                (request, Arguments::Known(arguments.unwrap_or(&none)))
            }
            _ => (self.request, arguments),
        };
        let (about, identity) = ((target, arguments), &caller.identity);
        let (mut ask, fits) = Ask::new(server, identity, era, request, about, decision, headers);
        if let Err(why) = fits {
            return Err(cannot_wait(&ask, why).into());
        }
        match grant {
            Some(grant) if grant.digest == ask.digest => {
                draft.granted(&grant.approval);
                Ok(())
            }
            _ => {
                ask.findings = watched.map(Watched::told).unwrap_or_default();
                let taint = watched.and_then(Watched::settled);
                ask.taint = taint.map(|taint| taint.mark()).unwrap_or_default();
                ask.kept = redacted.map(|redacted| redacted.body);
                Err(Stop::Held(Box::new(ask)))
            }
        }
    }

    /// For methods that need no rule of their own, but may have one that forbids them.
    fn unless_denied(&self, draft: &mut Draft) -> Result<(), Refusal> {
        let params = without_meta(self.request.params.as_ref());
        let target = Target::Method(&self.request.method);
        let decision = self.of.ask(target, Arguments::Known(&params), draft);
        if decision.forbids() {
            return Err(self.refusal(target, &decision, draft));
        }
        draft.permitted();
        // Answers to questions of a server may come this way.
        self.unless_blocked(draft)
    }

    fn unless_blocked(&self, draft: &mut Draft) -> Result<(), Refusal> {
        match self.of.watched.and_then(Watched::blocks) {
            None => Ok(()),
            Some(seen) => {
                draft.blocked();
                let form = (self.of.era, false);
                Err(Refusal::detected(&self.request.id, form, &seen, draft.id()))
            }
        }
    }

    /// Asks for a resource as it is written, and whether a rule forbids what a server may take it for.
    fn resource(&self, uri: &str, arguments: Arguments<'_>, draft: &mut Draft) -> Result<(), Stop> {
        let Some(plain) = uris::plain(uri) else {
            draft.target(uri);
            return Err(Refusal::ambiguous_uri(&self.request.id).into());
        };
        let decided = self.target(Target::Resource(uri), arguments, draft);
        if plain == uri || matches!(decided, Err(Stop::Refused(_))) {
            return decided;
        }
        let query = Query {
            principal: self.of.principal(),
            target: Target::Resource(&plain),
            arguments,
            findings: self.of.watched.and_then(Watched::findings),
        };
        let decision = Rc::new(self.of.server.policy.decide(&query));
        // That nothing allows it says nothing: it is allowed under the name it has here.
        match (&decision.effect, arguments, &decided) {
            (Effect::Hold(_), Arguments::Unknown, _) => decided,
            // It waits under the name it has here, if the same is asked for under the other.
            (_, _, Err(Stop::Held(ask))) if ask.decision.effect == decision.effect => decided,
            (Effect::Hold(_), _, Err(Stop::Held(ask))) => {
                let why = "its other spelling needs another approval; send the plain one";
                Err(cannot_wait(ask, why).into())
            }
            (Effect::Hold(_), ..) => {
                draft.decision(&decision);
                self.hold(Target::Resource(uri), arguments, &decision, draft)
            }
            _ if decision.forbids() => {
                draft.decision(&decision);
                let target = Target::Resource(uri);
                Err(self.refusal(target, &decision, draft).into())
            }
            _ => decided,
        }
    }

    fn not_found(&self, reason: &str, draft: &mut Draft) -> Refusal {
        let target = Target::Method(&self.request.method);
        let asked = self.of.ask(target, Arguments::Unknown, draft);
        let mut decision = Decision::clone(&asked);
        reason.clone_into(&mut decision.reason);
        Refusal::hidden_method(
            &self.request.id,
            self.of.era,
            &self.request.method,
            &decision,
        )
    }

    fn refusal(&self, target: Target<'_>, decision: &Decision, draft: &Draft) -> Refusal {
        let (id, era) = (&self.request.id, self.of.era);
        let policy = &self.of.server.policy;
        let visible = policy.visible(self.of.principal(), target);
        match target {
            Target::Tool(_) if visible => Refusal::denied_tool(id, era, decision, draft.id()),
            Target::Tool(name) => Refusal::hidden_tool(id, name, decision),
            Target::Method(_) if matches!(decision.effect, Effect::Hold(_)) => {
                Refusal::denied(id, decision, draft.id())
            }
            Target::Method(_) => Refusal::hidden_method(id, era, &self.request.method, decision),
            Target::Resource(_) | Target::Prompt(_) if visible => {
                Refusal::denied(id, decision, draft.id())
            }
            Target::Resource(uri) => Refusal::hidden_resource(id, era, uri, decision),
            Target::Prompt(name) => Refusal::hidden_prompt(id, name, decision),
        }
    }
}

/// Parameters as conditions and events see them; `_meta` is about the message, not about the call.
fn without_meta(params: Option<&Map<String, Value>>) -> Map<String, Value> {
    params
        .into_iter()
        .flatten()
        .filter(|(key, _)| key.as_str() != "_meta")
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}
