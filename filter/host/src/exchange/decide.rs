//! From a message to a verdict: which question each operation asks of the policy, and what a refusal
//! says.

use gatehold_engine::{Arguments, Decision, Effect, Principal, Query, Target};
use gatehold_mcp::{Era, ListKind, Map, Operation, Reference, Request, Value, operation};

use crate::exchange::reply::Refusal;
use crate::record::Draft;
use crate::server::Server;
use crate::uris;

/// What the answer to an allowed request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// To be relayed.
    Plain,
    /// To be filtered.
    List(ListKind),
    /// A stream that may stay open, and whose end says nothing about the request.
    Subscription,
}

/// Decides one request.
///
/// # Errors
/// The refusal, when it must not go on; what was decided is in the draft either way.
pub(crate) fn decide(
    server: &Server,
    principal: &Principal,
    request: &Request,
    era: Era,
    draft: &mut Draft,
) -> Result<Answer, Refusal> {
    let asked = Asked {
        server,
        principal,
        request,
        era,
    };
    let operation = operation(request, era).map_err(|error| Refusal::rejected(&error, None))?;
    match operation {
        Operation::CallTool { name, arguments } => {
            draft.arguments(arguments, server.audit_arguments);
            asked.target(Target::Tool(name), Arguments::Known(arguments), draft)?;
        }
        Operation::GetPrompt { name, arguments } => {
            draft.arguments(arguments, server.audit_arguments);
            asked.target(Target::Prompt(name), Arguments::Known(arguments), draft)?;
        }
        Operation::ReadResource { uri } | Operation::Subscribe { uri } => {
            asked.resource(uri, Arguments::Known(&Map::new()), draft)?;
        }
        // What is completed has no arguments yet, so it may be completed when it may be seen.
        Operation::Complete {
            reference: Reference::Prompt(name),
        } => {
            asked.target(Target::Prompt(name), Arguments::Unknown, draft)?;
        }
        Operation::Complete {
            reference: Reference::Resource(uri),
        } => {
            asked.resource(uri, Arguments::Unknown, draft)?;
        }
        Operation::Listen { uris, task_ids } => {
            draft.permitted(&server.version);
            // News of a task carry its result, as reading it does.
            if !task_ids.is_empty() {
                asked.target(
                    Target::Method("tasks/get"),
                    Arguments::Known(&Map::new()),
                    draft,
                )?;
            }
            for uri in uris {
                asked.resource(uri, Arguments::Known(&Map::new()), draft)?;
            }
            return Ok(Answer::Subscription);
        }
        Operation::List(kind) => {
            draft.permitted(&server.version);
            return Ok(Answer::List(kind));
        }
        Operation::Lifecycle => draft.permitted(&server.version),
        Operation::Other => {
            let params = request
                .params
                .as_ref()
                .map(without_meta)
                .unwrap_or_default();
            draft.arguments(&params, server.audit_arguments);
            asked.target(
                Target::Method(&request.method),
                Arguments::Known(&params),
                draft,
            )?;
        }
    }
    Ok(Answer::Plain)
}

struct Asked<'a> {
    server: &'a Server,
    principal: &'a Principal,
    request: &'a Request,
    era: Era,
}

impl Asked<'_> {
    fn target(
        &self,
        target: Target<'_>,
        arguments: Arguments<'_>,
        draft: &mut Draft,
    ) -> Result<(), Refusal> {
        let query = Query {
            principal: self.principal,
            target,
            arguments,
        };
        let decision = self.server.policy.decide(&query);
        draft.decision(&decision, &self.server.version);
        draft.target(match target {
            Target::Tool(name) | Target::Resource(name) | Target::Prompt(name) => name,
            Target::Method(_) => "",
        });
        match (&decision.effect, arguments) {
            (Effect::Allow, _) => Ok(()),
            // Nothing runs when something is completed, so there is nothing to approve.
            (Effect::Hold(_), Arguments::Unknown) => {
                draft.permitted(&self.server.version);
                Ok(())
            }
            (Effect::Hold(_) | Effect::Deny, _) => Err(self.refusal(target, &decision, draft)),
        }
    }

    /// Asks for a resource as it is written, and whether a rule forbids what a server may take it for.
    fn resource(
        &self,
        uri: &str,
        arguments: Arguments<'_>,
        draft: &mut Draft,
    ) -> Result<(), Refusal> {
        let Some(plain) = uris::plain(uri) else {
            draft.target(uri);
            return Err(Refusal::ambiguous_uri(&self.request.id));
        };
        self.target(Target::Resource(uri), arguments, draft)?;
        if plain == uri {
            return Ok(());
        }
        let query = Query {
            principal: self.principal,
            target: Target::Resource(&plain),
            arguments,
        };
        let decision = self.server.policy.decide(&query);
        // That nothing allows it says nothing: it is allowed under the name it has here.
        let forbidden = match (&decision.effect, arguments) {
            (Effect::Allow, _) | (Effect::Hold(_), Arguments::Unknown) => false,
            (Effect::Hold(_), Arguments::Known(_)) => true,
            (Effect::Deny, _) => !decision.rules.is_empty(),
        };
        if forbidden {
            draft.decision(&decision, &self.server.version);
            return Err(self.refusal(Target::Resource(uri), &decision, draft));
        }
        Ok(())
    }

    fn refusal(&self, target: Target<'_>, decision: &Decision, draft: &Draft) -> Refusal {
        let id = &self.request.id;
        let visible = self.server.policy.visible(self.principal, target);
        match target {
            Target::Tool(_) if visible => Refusal::denied_tool(id, self.era, decision, draft.id()),
            Target::Tool(name) => Refusal::hidden_tool(id, name, decision),
            Target::Method(_) if matches!(decision.effect, Effect::Hold(_)) => {
                Refusal::denied(id, decision, draft.id())
            }
            Target::Method(_) => {
                Refusal::hidden_method(id, self.era, &self.request.method, decision)
            }
            Target::Resource(_) | Target::Prompt(_) if visible => {
                Refusal::denied(id, decision, draft.id())
            }
            Target::Resource(uri) => Refusal::hidden_resource(id, self.era, uri, decision),
            Target::Prompt(name) => Refusal::hidden_prompt(id, name, decision),
        }
    }
}

/// Parameters as conditions and events see them; `_meta` is about the message, not about the call.
fn without_meta(params: &Map<String, Value>) -> Map<String, Value> {
    params
        .iter()
        .filter(|(key, _)| key.as_str() != "_meta")
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}
