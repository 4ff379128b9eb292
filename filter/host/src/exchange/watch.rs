//! What detection sees in what a server says, and what becomes of it.

mod definitions;

use std::collections::HashSet;
use std::rc::Rc;

use gatehold_detect::{Context, Kind, Secret, merged};
use gatehold_engine::Approval;
use gatehold_mcp::list::{self, ListError};
use gatehold_mcp::reply::{error_body, tool_error_body};
use gatehold_mcp::{Id, ListKind, Message, Outcome, said};
use gatehold_wire::audit::Finding;
use serde_json::json;

use crate::detection::taint::{self, Taint};
use crate::detection::{
    Action, Actions, Detectors, Observed, Seen, Unwanted, ends, veiled, withheld,
};
use crate::exchange::allowed::{Allowed, Judged, Standing};
use crate::exchange::decide::Answer;
use crate::exchange::reply::UPSTREAM;
use crate::exchange::watched::subject;
use crate::exchange::way::{Way, span};
use crate::exchange::{Exchange, NO_DETECTORS};
use crate::host::{Host, HostError};
use crate::record::Ending;
use crate::worker::Worker;

/// Bytes of a request that its answer is looked at with.
const MAX_REQUEST: usize = 4 << 10;
/// Bytes of what a stream has said that the next event is looked at with.
const MAX_CARRY: usize = 2 << 10;
/// Bytes of a message whose texts are taken out for that; of a longer one both ends of them are.
const MAX_SAID: usize = 16 << 10;

/// What a request is about, as far as its answer's treatment depends on it.
#[derive(Debug, Default)]
pub(super) struct About {
    /// Tool, prompt or resource.
    subject: String,
    form: Form,
}

/// What an answer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Form {
    /// A tool's result, which a model reads.
    Tool,
    /// How a server presents itself: its instructions.
    Introduction,
    /// What is known of a task, whatever tool that runs.
    Task,
    #[default]
    Other,
}

impl About {
    pub(super) fn of(message: &Message) -> Self {
        let form = match message.method() {
            Some("tools/call") => Form::Tool,
            Some("initialize" | "server/discover") => Form::Introduction,
            Some(method) if method.starts_with("tasks/") => Form::Task,
            _ => Form::Other,
        };
        Self {
            subject: subject(message).to_owned(),
            form,
        }
    }
}

/// What is looked at answers with, and what was seen and is not told yet.
#[derive(Debug)]
pub(super) struct Watch {
    worker: Rc<Worker>,
    /// What was asked.
    request: Vec<u8>,
    /// The end of what the events of a stream have said; nothing where there is no stream.
    carry: Option<String>,
    observed: Observed,
    /// What the next call has to wait for.
    taint: Option<(String, Approval, Finding)>,
    /// Tools of a list, with what was seen in those that are withheld.
    listed: Vec<(String, Option<String>)>,
}

impl Watch {
    pub(super) fn new(worker: &Rc<Worker>, request: &[u8]) -> Box<Self> {
        Box::new(Self {
            worker: Rc::clone(worker),
            request: request.get(..MAX_REQUEST).unwrap_or(request).to_vec(),
            carry: None,
            observed: Observed::default(),
            taint: None,
            listed: Vec::new(),
        })
    }

    /// From now on texts that are cut over several events are read as one.
    pub(super) fn begin_stream(&mut self) {
        self.carry = Some(String::new());
    }

    fn context(&self) -> Context<'_> {
        Context {
            request: &self.request,
            ..Context::default()
        }
    }

    /// Notes what a message that goes on has said; from behind one that was flagged nothing is joined any more.
    fn carry_on(&mut self, message: &[u8], flagged: bool) {
        let Some(carry) = &mut self.carry else {
            return;
        };
        if flagged {
            carry.clear();
            return;
        }
        carry.push_str(&spoken(message));
        carry.push(' ');
        let surplus = carry.len().saturating_sub(MAX_CARRY);
        carry.drain(..carry.ceil_char_boundary(surplus));
    }

    fn taints(&mut self, approval: Option<&Approval>, what: &str, seen: &Seen) {
        // There is one, or the server would not be in force.
        let approval = approval.cloned().unwrap_or_default();
        let mut told = Observed::default();
        told.add(Kind::Result, "", seen, Action::Approve);
        let finding = told.findings.into_iter().next().unwrap_or_default();
        let text = format!("{what} looked like an attack ({})", seen.names());
        self.taint = Some((text, approval, finding));
    }
}

/// What becomes of a message, as far as detection goes.
#[derive(Debug)]
pub(super) enum Looked {
    /// It goes on.
    Fine,
    /// It goes on without what was seen.
    Redacted(Vec<u8>),
    /// This is said in its place, which answers the request like this.
    Withheld(Vec<u8>, Option<Outcome>),
    /// It does not go on, and nobody waits for it.
    Dropped,
}

impl Looked {
    pub(super) fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Withheld(_, outcome) => *outcome,
            Self::Fine | Self::Redacted(_) | Self::Dropped => None,
        }
    }

    pub(super) fn judged(self) -> Judged {
        match self {
            Self::Fine => Judged::Same,
            Self::Redacted(new) | Self::Withheld(new, _) => Judged::New(new),
            Self::Dropped => Judged::Nothing,
        }
    }
}

impl Allowed {
    /// Looks at a message of the server that is no list; `id` is that of the request it answers, `at` which of ours
    /// that is.
    pub(super) fn look(&mut self, message: &[u8], at: Option<usize>, id: Option<&Id>) -> Looked {
        self.look_at(message, None, at, id)
    }

    /// Looks at what a message has beside the entries of the list that was asked for. Others are no definitions:
    /// they are looked at like the rest.
    ///
    /// # Errors
    /// A message that cannot be read in one way.
    pub(super) fn look_beside(
        &mut self,
        message: &[u8],
        kinds: &[ListKind],
        at: Option<usize>,
        id: Option<&Id>,
    ) -> Result<Looked, ListError> {
        let asked = at.and_then(|at| self.asked.get(at)).map(|it| it.answer);
        let asked = |kind: &&ListKind| asked == Some(Answer::List(**kind));
        if !kinds.iter().any(|kind| asked(&kind)) {
            return Ok(self.look(message, at, id));
        }
        let limits = self.limits();
        let mut spans = Vec::new();
        for kind in kinds.iter().filter(asked) {
            let entries = list::entries(*kind, message, &limits)?;
            spans.extend(entries.into_iter().map(|(_, entry)| span(message, entry)));
        }
        let spans = merged(spans);
        let mut beside = Vec::new();
        let mut from = 0;
        for span in spans {
            beside.extend_from_slice(message.get(from..span.start).unwrap_or_default());
            // It stays JSON.
            beside.extend_from_slice(b"null");
            from = span.end.max(from);
        }
        beside.extend_from_slice(message.get(from..).unwrap_or_default());
        Ok(self.look_at(message, Some(&beside), at, id))
    }

    /// Looks at a message, or at a part of it.
    fn look_at(
        &mut self,
        message: &[u8],
        part: Option<&[u8]>,
        at: Option<usize>,
        id: Option<&Id>,
    ) -> Looked {
        let way = self.way(at, id);
        if message.is_empty() || way.injection == Action::Off && way.secrets == Action::Off {
            return Looked::Fine;
        }
        let Some(detectors) = self.endpoint.detectors.clone() else {
            return match self.endpoint.server.detection.acts() {
                true => self.withhold(message, at, id, NO_DETECTORS),
                false => Looked::Fine,
            };
        };
        let text = part.unwrap_or(message);
        self.watch.observed.bytes = self.watch.observed.bytes.saturating_add(text.len());
        let all = self.seen(&detectors, &way, text);
        let (mut seen, envelope) = match self.seen_beside_envelope(&detectors, &way, text, &all) {
            Some(beside) => (beside, Some(all)),
            None => (all, None),
        };
        let joined = match seen.verdict.flagged {
            true => Unwanted::default(),
            false => self.see_together(&detectors, &way, message, &mut seen),
        };
        if !seen.is_something() {
            if at.is_none() {
                self.watch.carry_on(message, false);
            }
            // What the envelope holds is just told.
            let told = envelope.unwrap_or(seen);
            self.watch.observed.add(way.kind, "", &told, Action::Log);
            return Looked::Fine;
        }
        let mut action = way.action(&seen);
        let injection = seen.verdict.flagged && way.injection == Action::Redact;
        let secrets = !seen.verdict.secrets.is_empty() && way.secrets == Action::Redact;
        // What is not there but with what has gone already cannot be taken out.
        let is_whole =
            part.is_none() && !(injection && joined.injection || secrets && joined.secrets);
        if way.approves(&seen) {
            let approval = self.endpoint.server.detection.approval.as_ref();
            let what = way.what(&self.endpoint.server.name);
            self.watch.taints(approval, &what, &seen);
        }
        let mut looked = Looked::Fine;
        if action == Action::Block {
            looked = self.withhold(message, at, id, &seen.names());
        } else if injection || secrets {
            let looked_at = (way.kind, self.watch.context());
            let unwanted = Unwanted { injection, secrets };
            let redact = || detectors.redacted_message(looked_at, text, &seen.verdict, unwanted);
            looked = match is_whole.then(redact).flatten() {
                Some(new) => Looked::Redacted(new),
                None => {
                    action = Action::Block;
                    self.withhold(message, at, id, &seen.names())
                }
            };
        }
        self.watch.observed.add(way.kind, "", &seen, action);
        if at.is_none() {
            match &looked {
                Looked::Fine => self.watch.carry_on(message, seen.verdict.flagged),
                Looked::Redacted(new) => self.watch.carry_on(new, false),
                // The client has but what came before, and what comes may still belong to that.
                Looked::Withheld(..) | Looked::Dropped => {}
            }
        }
        looked
    }

    fn seen(&self, detectors: &Detectors, way: &Way, text: &[u8]) -> Seen {
        let mut seen = detectors.look(way.kind, self.watch.context(), text);
        seen.leave(way.injection != Action::Off, way.secrets != Action::Off);
        seen
    }

    /// What is seen without the envelope, if something is seen in that. It is looked at again, since a verdict names
    /// but the weightiest: what stands in the envelope must not hide the rest.
    fn seen_beside_envelope(
        &self,
        detectors: &Detectors,
        way: &Way,
        text: &[u8],
        all: &Seen,
    ) -> Option<Seen> {
        if !all.is_something() {
            return None;
        }
        let veiled = veiled(text)?;
        let findings = all.verdict.findings.iter().map(|it| &it.span);
        let secrets = all.verdict.secrets.iter().map(|it| &it.span);
        let mut places = findings.chain(secrets);
        let veils = places.any(|span| text.get(span.clone()) != veiled.get(span.clone()));
        veils.then(|| self.seen(detectors, way, &veiled))
    }

    /// Adds what is seen in the end of earlier events and this one, read as one text without what is around them: the
    /// places are unknown. Gives what is seen in both together only.
    fn see_together(
        &self,
        detectors: &Detectors,
        way: &Way,
        message: &[u8],
        seen: &mut Seen,
    ) -> Unwanted {
        let carry = self.watch.carry.as_ref();
        let Some(carry) = carry.filter(|carry| !carry.is_empty()) else {
            return Unwanted::default();
        };
        let text = [carry.as_str(), &spoken(message)].concat();
        let mut joined = self.seen(detectors, way, text.as_bytes());
        // Those of the message itself are known, and where they are.
        let own = seen.verdict.secrets.iter();
        let own: HashSet<&str> = own.map(|it| it.pattern.as_str()).collect();
        let is_news = |it: &Secret| it.span.start < carry.len() || !own.contains(&*it.pattern);
        joined.verdict.secrets.retain(is_news);
        let joined = joined.moved(|span| (span.end > carry.len()).then_some(0..message.len()));
        let both = Unwanted {
            injection: joined.verdict.flagged,
            secrets: !joined.verdict.secrets.is_empty(),
        };
        if joined.is_something() {
            let own = std::mem::replace(&mut seen.verdict, joined.verdict);
            seen.verdict.secrets.extend(own.secrets);
        }
        seen.shadow = seen.shadow.take().or(joined.shadow);
        both
    }

    fn way(&self, at: Option<usize>, id: Option<&Id>) -> Way {
        let detection = &self.endpoint.server.detection;
        let asked = match self.asked.as_slice() {
            [only] => Some(only),
            all => at.and_then(|at| all.get(at)),
        };
        // A result may be of any tool where it comes later than its request, or to another one.
        let stands = !matches!(self.standing, Standing::No);
        let strays = id.is_some() && at.is_none();
        if stands || strays || asked.is_some_and(|it| it.about.form == Form::Task) {
            return Way::of(Kind::Result, detection.strictest(), "");
        }
        let Some(about) = asked.map(|asked| &asked.about) else {
            // Nobody knows which of several it is about.
            let actions = self
                .asked
                .iter()
                .map(|it| detection.actions(&it.about.subject));
            let actions = actions.reduce(Actions::strictest).unwrap_or_default();
            return Way::of(Kind::Result, actions, "");
        };
        let actions = detection.actions(&about.subject);
        match about.form {
            Form::Introduction => Way {
                // Without an introduction there would be no session.
                injection: match actions.definitions {
                    Action::Block => Action::Redact,
                    action => action,
                },
                ..Way::of(Kind::Tool, actions, "")
            },
            Form::Tool | Form::Task | Form::Other => Way::of(Kind::Result, actions, &about.subject),
        }
    }

    /// What is said in the place of a message: why it is withheld, and nothing of what it said.
    fn withhold(&self, message: &[u8], at: Option<usize>, id: Option<&Id>, seen: &str) -> Looked {
        let text = format!(
            "Withheld by Gatehold: what the server answered looks like an attack or has secrets in it \
             ({seen}), and is not shown. Do not try to get it in another way; tell the user."
        );
        let asked = at.and_then(|at| self.asked.get(at));
        let event = asked.and_then(|it| it.draft.as_ref());
        let summary = json!({ "action": "block", "id": event.map(|it| it.id()) });
        match (id, asked.map(|it| it.about.form)) {
            (Some(id), Some(Form::Tool)) => {
                let meta = [("gatehold.io/detection".to_owned(), summary)];
                let body = tool_error_body(id, self.era(), &text, meta.into_iter().collect());
                Looked::Withheld(body, Some(Outcome::ToolError))
            }
            (Some(id), _) => {
                let body = error_body(Some(id), UPSTREAM, &text, Some(summary));
                Looked::Withheld(body, Some(Outcome::Error(UPSTREAM)))
            }
            // A text for people, such as that of an error of HTTP.
            (None, _) if !message.contains(&b'{') => Looked::Withheld(text.into_bytes(), None),
            (None, _) => Looked::Dropped,
        }
    }
}

/// What a message says, without its envelope.
fn spoken(message: &[u8]) -> String {
    if message.len() > MAX_SAID {
        return ends(message, MAX_CARRY);
    }
    said(veiled(message).as_deref().unwrap_or(message))
}

impl Exchange {
    /// Tells what was seen since the last time, before anything of it goes on.
    ///
    /// # Errors
    /// The host's: what others have to know is not known to them then.
    pub(super) fn settle(&self, host: &dyn Host, allowed: &mut Allowed) -> Result<(), HostError> {
        let Some(worker) = &self.worker else {
            return Ok(());
        };
        let cluster = &worker.config.control_cluster;
        let observed = std::mem::take(&mut allowed.watch.observed);
        worker.metrics.observed(host, &observed);
        if !observed.is_empty() {
            let mut drafts = allowed.asked.iter_mut();
            match drafts.find_map(|asked| asked.draft.as_mut()) {
                Some(draft) => draft.detected(observed),
                None => self.record_seen(host, allowed, observed),
            }
        }
        // What a server would have calls wait for is not for those of others while it is not enforced.
        let taint = allowed.watch.taint.take();
        let taint = taint.filter(|_| !allowed.endpoint.server.shadow);
        if let Some((seen, approval, finding)) = taint {
            let now = host.now()? / 1_000_000_000;
            let taint = Taint::new(now, seen, &approval, &finding);
            taint::set(host, cluster, &allowed.caller, &taint)?;
        }
        let listed = std::mem::take(&mut allowed.watch.listed);
        if !listed.is_empty() {
            let server = &allowed.endpoint.server.name;
            let listed = listed.iter();
            let listed = listed.map(|(tool, seen)| (tool.as_str(), seen.as_deref()));
            withheld::note(host, cluster, server, listed)?;
        }
        Ok(())
    }

    /// What is seen in an answer whose own event is recorded has an event of its own.
    fn record_seen(&self, host: &dyn Host, allowed: &Allowed, observed: Observed) {
        if let Some(mut draft) = self.standing_draft(host, allowed) {
            draft.permitted();
            draft.detected(observed);
            self.finish(host, Some(draft), Ending::Answered(Outcome::Ok));
        }
    }
}
