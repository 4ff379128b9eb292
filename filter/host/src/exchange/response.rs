//! The response's way to the client: what its headers say, and JSON answers, which are judged whole.

use gatehold_engine::Target;
use gatehold_mcp::list::{self, Filtered, ListError};
use gatehold_mcp::{ListKind, Outcome, Rejection as _, answer};

use crate::config::HoldHeaders;
use crate::exchange::decide::Answer;
use crate::exchange::reply::{Refusal, UPSTREAM};
use crate::exchange::{Ahead, Allowed, Exchange, Rest, State};
use crate::host::{Direction, Flow, HeaderPairs, Host, HostError};
use crate::record::Ending;

/// What the headers of a response ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    /// There is no body.
    Finish,
    /// A JSON answer: judge it whole.
    Collect,
    /// Events: judge them one by one.
    Stream,
    /// Nothing to judge.
    Relay,
    /// It cannot be judged.
    Refuse(&'static str),
}

/// Whether the status is 4xx or 5xx.
pub(super) fn is_error(headers: &HeaderPairs) -> bool {
    headers
        .single(":status")
        .is_some_and(|status| matches!(status.first(), Some(b'4' | b'5')))
}

fn plan(allowed: &Allowed, headers: &HeaderPairs, end: bool) -> Plan {
    if end {
        return Plan::Finish;
    }
    let encoded = headers
        .values("content-encoding")
        .any(|encoding| !encoding.trim_ascii().eq_ignore_ascii_case(b"identity"));
    let media = headers.single("content-type").map(media_type);
    let is = |name: &str| media.is_some_and(|media| media.eq_ignore_ascii_case(name.as_bytes()));
    // Notifications, responses and DELETE expect nothing that could tell anything.
    let expects_answer = allowed.id.is_some() || allowed.answer != Answer::Plain;
    match headers.single(":status").and_then(<[u8]>::first) {
        Some(b'2') => {}
        Some(b'3'..=b'5') if is("application/json") && !encoded => return Plan::Collect,
        Some(b'3'..=b'5') => return Plan::Relay,
        _ => return Plan::Refuse("the server's answer has no status, or one that ends HTTP"),
    }
    if encoded {
        return Plan::Refuse(
            "the server's answer has a content encoding, although none was asked for",
        );
    }
    if is("application/json") {
        Plan::Collect
    } else if is("text/event-stream") {
        Plan::Stream
    } else if expects_answer {
        Plan::Refuse("the server's answer is neither `application/json` nor `text/event-stream`")
    } else {
        Plan::Relay
    }
}

fn media_type(value: &[u8]) -> &[u8] {
    value
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default()
        .trim_ascii()
}

impl Exchange {
    /// Response headers of an allowed request.
    pub(super) fn answer(&mut self, host: &dyn Host, allowed: Box<Allowed>, end: bool) -> Flow {
        match self.prepare(host, &allowed, end) {
            Err(error) => self.refuse_answer(host, *allowed, Ahead::Held, 0, error.into()),
            Ok((plan, ahead)) => self.follow(host, allowed, plan, ahead),
        }
    }

    fn prepare(
        &self,
        host: &dyn Host,
        allowed: &Allowed,
        end: bool,
    ) -> Result<(Plan, Ahead), HostError> {
        let headers = host.headers(Direction::Response)?;
        // The upstream's challenge would send the client to another authorization server than ours.
        if headers.values("www-authenticate").next().is_some() {
            host.remove_header(Direction::Response, "www-authenticate")?;
        }
        let plan = plan(allowed, &headers, end);
        let ahead = match self
            .worker
            .as_ref()
            .map(|worker| worker.config.hold_headers)
        {
            Some(HoldHeaders::GoAhead) => Ahead::Gone,
            _ => Ahead::Held,
        };
        let changes_length =
            plan == Plan::Stream || (plan == Plan::Collect && ahead == Ahead::Gone);
        if changes_length && headers.values("content-length").next().is_some() {
            host.remove_header(Direction::Response, "content-length")?;
        }
        Ok((plan, ahead))
    }

    fn follow(
        &mut self,
        host: &dyn Host,
        mut allowed: Box<Allowed>,
        plan: Plan,
        ahead: Ahead,
    ) -> Flow {
        match plan {
            Plan::Finish => {
                let outcome = if allowed.id.is_some() {
                    Outcome::Unknown
                } else {
                    Outcome::Ok
                };
                self.finish(host, allowed.draft, Ending::Answered(outcome));
                self.state = State::Ended;
                Flow::Continue
            }
            Plan::Collect => {
                self.state = State::Collecting(allowed, ahead, 0);
                match ahead {
                    Ahead::Held => Flow::Pause,
                    Ahead::Gone => Flow::Continue,
                }
            }
            Plan::Stream => {
                // A subscription is decided when it begins; it may last for days.
                if allowed.answer == Answer::Subscription {
                    self.finish(host, allowed.draft.take(), Ending::Answered(Outcome::Ok));
                }
                let framer = allowed.framer();
                self.state = State::Streaming(allowed, Box::new(framer));
                Flow::Continue
            }
            Plan::Relay => {
                self.state = State::Relaying(allowed);
                Flow::Continue
            }
            Plan::Refuse(reason) => {
                let refusal = Refusal::upstream(reason, allowed.id.as_ref());
                self.refuse_answer(host, *allowed, Ahead::Held, 0, refusal)
            }
        }
    }

    /// A piece of a JSON answer; `size` counts all that is held.
    pub(super) fn collect(
        &mut self,
        host: &dyn Host,
        allowed: Box<Allowed>,
        ahead: Ahead,
        size: usize,
        end: bool,
    ) -> Flow {
        let limit = allowed.endpoint.server.limits.response_bytes;
        if size > limit {
            let reason = format!(
                "the server's answer is larger than {limit} bytes, the limit `responseBytes`"
            );
            let refusal = Refusal::upstream(&reason, allowed.id.as_ref());
            return self.refuse_answer(host, *allowed, ahead, size, refusal);
        }
        if end {
            return self.collected(host, allowed, ahead, size);
        }
        self.state = State::Collecting(allowed, ahead, size);
        Flow::Pause
    }

    /// The whole JSON answer is there.
    pub(super) fn collected(
        &mut self,
        host: &dyn Host,
        mut allowed: Box<Allowed>,
        ahead: Ahead,
        size: usize,
    ) -> Flow {
        match rewrite(host, &mut allowed, ahead, size) {
            Err(refusal) => self.refuse_answer(host, *allowed, ahead, size, refusal),
            Ok(outcome) => {
                self.finish(host, allowed.draft, Ending::Answered(outcome));
                self.state = State::Ended;
                Flow::Continue
            }
        }
    }

    /// Puts a refusal in the place of the answer: as a reply of our own while nothing has gone to the
    /// client, else as the body of the headers that have.
    fn refuse_answer(
        &mut self,
        host: &dyn Host,
        allowed: Allowed,
        ahead: Ahead,
        size: usize,
        refusal: Refusal,
    ) -> Flow {
        match ahead {
            Ahead::Held => self.refuse(host, allowed.draft, refusal),
            Ahead::Gone => {
                let replaced = host.replace_body(Direction::Response, size, &refusal.reply.body);
                self.note_refusal(host, allowed.draft, &refusal);
                self.state = State::Cut(Rest::Swallow);
                match replaced {
                    Ok(()) => Flow::Continue,
                    Err(_) => self.bar(host),
                }
            }
        }
    }
}

fn rewrite(
    host: &dyn Host,
    allowed: &mut Allowed,
    ahead: Ahead,
    size: usize,
) -> Result<Outcome, Refusal> {
    let body = if size == 0 {
        Vec::new()
    } else {
        host.body(Direction::Response, size)?
    };
    if body.len() != size {
        return Err(HostError::Malformed {
            call: "get_buffer_bytes",
        }
        .into());
    }
    let (outcome, new) = allowed
        .judge(&body)
        .map_err(|error| Refusal::upstream(&error.to_string(), allowed.id.as_ref()))?;
    if let Some(new) = new {
        host.replace_body(Direction::Response, size, &new)?;
        if ahead == Ahead::Held {
            host.set_header(
                Direction::Response,
                "content-length",
                &new.len().to_string(),
            )?;
        }
    }
    Ok(outcome.unwrap_or(Outcome::Unknown))
}

impl Allowed {
    /// Judges one message of the upstream: how it ends the request, if it does, and what is to be sent
    /// instead, if anything.
    pub(super) fn judge(
        &mut self,
        message: &[u8],
    ) -> Result<(Option<Outcome>, Option<Vec<u8>>), ListError> {
        let gatehold_mcp::Answer {
            id,
            outcome,
            lists: mut kinds,
        } = answer(message)?;
        let ours = id.is_some() && id == self.id;
        // What looks like a list is filtered as one, whatever was asked: the id proves nothing. Who sends two
        // requests with the same one may get the answer to the first on the stream of the second.
        // What was asked for is read strictly even if it does not look like it.
        if let Answer::List(kind) = self.answer
            && !kinds.contains(&kind)
        {
            kinds.push(kind);
        }
        let mut new = None;
        for kind in kinds {
            let filtered = self.filter(kind, new.as_deref().unwrap_or(message))?;
            new = filtered.or(new);
        }
        Ok((ours.then_some(outcome), new))
    }

    fn filter(&mut self, kind: ListKind, message: &[u8]) -> Result<Option<Vec<u8>>, ListError> {
        let limits = self.limits();
        let Self {
            endpoint,
            principal,
            era,
            draft,
            ..
        } = self;
        let keep = |name: &str| {
            let target = match kind {
                ListKind::Tools => Target::Tool(name),
                ListKind::Prompts => Target::Prompt(name),
                ListKind::Resources | ListKind::ResourceTemplates => Target::Resource(name),
            };
            endpoint.server.policy.visible(principal, target)
        };
        let Filtered {
            body,
            shown,
            hidden,
        } = list::filter(kind, message, *era, &limits, keep)?;
        if let Some(draft) = draft {
            draft.list(shown, hidden);
        }
        Ok(body)
    }
}

/// Code of the error that takes the place of a message that cannot be judged.
pub(super) fn upstream_code(error: &ListError) -> i64 {
    match error.code() {
        gatehold_mcp::reply::code::INTERNAL_ERROR => UPSTREAM,
        code => code,
    }
}
