//! The response's way to the client: what its headers say, and answers that are judged whole.

use gatehold_mcp::{Media, Outcome, Rejection as _, list::ListError, response_media};

use crate::config::HoldHeaders;
use crate::exchange::allowed::{Allowed, Judged, Standing};
use crate::exchange::reply::{Refusal, UPSTREAM};
use crate::exchange::{Ahead, Exchange, Receiving, Rest, State, session};
use crate::hold::Progress;
use crate::host::{Direction, Flow, HeaderPairs, Host, HostError, whole_body};
use crate::record::Ending;

/// What the headers of a response ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    /// There is no body.
    Finish,
    /// Judge it whole.
    Collect(Status),
    /// Events: judge them one by one.
    Stream,
    /// Nobody waits for it: only that it went well goes on.
    Swallow,
    /// It cannot be judged.
    Refuse(Status, &'static str),
}

/// The status of an answer that is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// A success, which a replacement is not.
    Success,
    /// Another one, by which clients go even if the body is replaced.
    Other(u32),
}

fn status(headers: &HeaderPairs) -> Option<Status> {
    let status = std::str::from_utf8(headers.single(":status")?).ok()?;
    match status.parse().ok()? {
        200..=299 => Some(Status::Success),
        other @ 300..=599 => Some(Status::Other(other)),
        _ => None,
    }
}

fn plan(allowed: &Allowed, headers: &HeaderPairs, end: bool) -> Plan {
    if end {
        return Plan::Finish;
    }
    let encoded = headers
        .values("content-encoding")
        .any(|encoding| !encoding.trim_ascii().eq_ignore_ascii_case(b"identity"));
    // It was asked for: `accept-encoding` went on.
    if encoded && allowed.endpoint.server.shadow {
        return Plan::Finish;
    }
    let Some(status) = status(headers) else {
        let reason = "the server's answer has no status, or one that ends HTTP";
        return Plan::Refuse(Status::Success, reason);
    };
    // A message is due only to a request that went well; else a text for people will do.
    let is_due = allowed.expects_answer();
    let nobody_waits = status == Status::Success && !is_due;
    if encoded && nobody_waits {
        return Plan::Swallow;
    }
    if encoded {
        let reason = "the server's answer has a content encoding, although none was asked for";
        return Plan::Refuse(status, reason);
    }
    let text_will_do = status != Status::Success || !is_due;
    match headers.single("content-type").map(response_media) {
        Some(Media::Json) => Plan::Collect(status),
        Some(Media::Events) => Plan::Stream,
        Some(Media::Text) | None if text_will_do => Plan::Collect(status),
        _ if nobody_waits => Plan::Swallow,
        _ => Plan::Refuse(
            status,
            "the server's answer is neither `application/json` nor `text/event-stream` in UTF-8",
        ),
    }
}

impl Exchange {
    /// Response headers of an allowed request.
    pub(super) fn answer(&mut self, host: &dyn Host, allowed: Box<Allowed>, end: bool) -> Flow {
        match self.prepare(host, &allowed, end) {
            Err(error) => self.refuse_answer(host, *allowed, Ahead::Held, 0, error.into()),
            Ok((plan, ahead)) => self.follow(host, allowed, plan, ahead),
        }
    }

    /// Response headers before the verdict: Envoy answers by itself, for example because its buffer is full,
    /// or the upstream has got the headers and does not wait for the body. Nothing was allowed, so nothing
    /// but an error may pass.
    pub(super) fn early(&mut self, host: &dyn Host, receiving: Receiving, end: bool) -> Flow {
        let headers = host.headers(Direction::Response).ok();
        let error = headers.as_ref().and_then(status);
        self.finish(host, Some(receiving.draft), Ending::Aborted);
        if !matches!(error, Some(Status::Other(400..))) {
            return self.bar(host);
        }
        let held = self
            .worker
            .as_ref()
            .is_some_and(|worker| worker.config.hold_headers == HoldHeaders::Hold);
        // What still comes of the request has no verdict and does not pass.
        self.state = if held || end {
            State::Replied
        } else {
            State::Emptied
        };
        if held {
            return Flow::Continue;
        }
        // It may be the upstream's, which nobody has judged: clients get its status, by which they go.
        let removed = ["www-authenticate", "mcp-session-id", "content-length"]
            .into_iter()
            .try_for_each(|name| host.remove_header(Direction::Response, name));
        match removed {
            Ok(()) => Flow::Continue,
            Err(_) => self.bar(host),
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
        let server = &allowed.endpoint.server;
        session::seal(host, server, &allowed.caller, allowed.era(), &headers)?;
        let plan = plan(allowed, &headers, end);
        let ahead = match self
            .worker
            .as_ref()
            .map(|worker| worker.config.hold_headers)
        {
            Some(HoldHeaders::GoAhead) => Ahead::Gone,
            _ => Ahead::Held,
        };
        let changes_length = matches!(plan, Plan::Stream | Plan::Swallow)
            || (matches!(plan, Plan::Collect(_)) && ahead == Ahead::Gone);
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
                let outcome = if allowed.expects_answer() {
                    Outcome::Unknown
                } else {
                    Outcome::Ok
                };
                self.finish_all(host, &mut allowed, outcome);
                self.state = State::Ended;
                Flow::Continue
            }
            Plan::Collect(status) => {
                self.state = State::Collecting(allowed, ahead, status, 0);
                match ahead {
                    Ahead::Held => Flow::Pause,
                    Ahead::Gone => Flow::Continue,
                }
            }
            Plan::Stream => {
                // A subscription is decided when it begins; it may last for days.
                if !matches!(allowed.standing, Standing::No) {
                    self.finish_all(host, &mut allowed, Outcome::Ok);
                }
                let framer = allowed.framer();
                allowed.watch.begin_stream();
                self.state = State::Streaming(allowed, Box::new(framer));
                Flow::Continue
            }
            Plan::Swallow => {
                self.finish_all(host, &mut allowed, Outcome::Ok);
                self.state = State::Cut(Rest::Swallow);
                Flow::Continue
            }
            Plan::Refuse(status, reason) => {
                let refusal = Refusal::upstream(reason, allowed.id());
                let refusal = keep_status(refusal, status);
                self.refuse_answer(host, *allowed, Ahead::Held, 0, refusal)
            }
        }
    }

    /// A piece of an answer; `size` counts all that is held.
    pub(super) fn collect(
        &mut self,
        host: &dyn Host,
        allowed: Box<Allowed>,
        (ahead, status): (Ahead, Status),
        size: usize,
        end: bool,
    ) -> Flow {
        let limit = allowed.endpoint.server.limits.response_bytes;
        if size > limit {
            let reason = format!(
                "the server's answer is larger than {limit} bytes, the limit `responseBytes`"
            );
            let refusal = Refusal::upstream(&reason, allowed.id());
            return self.refuse_answer(host, *allowed, ahead, size, refusal);
        }
        if end {
            return self.collected(host, allowed, (ahead, status), size);
        }
        self.state = State::Collecting(allowed, ahead, status, size);
        Flow::Pause
    }

    /// The whole answer is there.
    pub(super) fn collected(
        &mut self,
        host: &dyn Host,
        mut allowed: Box<Allowed>,
        (ahead, status): (Ahead, Status),
        size: usize,
    ) -> Flow {
        match self.rewrite(host, &mut allowed, ahead, size) {
            Err(refusal) => {
                let refusal = keep_status(refusal, status);
                self.refuse_answer(host, *allowed, ahead, size, refusal)
            }
            Ok(()) => {
                self.finish_all(host, &mut allowed, Outcome::Unknown);
                self.state = State::Ended;
                Flow::Continue
            }
        }
    }

    fn rewrite(
        &self,
        host: &dyn Host,
        allowed: &mut Allowed,
        ahead: Ahead,
        size: usize,
    ) -> Result<(), Refusal> {
        let body = whole_body(host, Direction::Response, size)?;
        let judged = allowed.judge(&body);
        self.settle(host, allowed)?;
        let new = match judged {
            Err(error) => return Err(Refusal::upstream(&error.to_string(), allowed.id())),
            Ok(Judged::Same) => return Ok(()),
            Ok(Judged::New(new)) => new,
            Ok(Judged::Nothing) => Vec::new(),
        };
        host.replace_body(Direction::Response, size, &new)?;
        if ahead == Ahead::Held {
            let length = new.len().to_string();
            host.set_header(Direction::Response, "content-length", &length)?;
        }
        Ok(())
    }

    /// Puts a refusal in the place of the answer: as a reply of our own while nothing has gone to the
    /// client, else as the body of the headers that have.
    fn refuse_answer(
        &mut self,
        host: &dyn Host,
        mut allowed: Allowed,
        ahead: Ahead,
        size: usize,
        refusal: Refusal,
    ) -> Flow {
        self.report(&mut allowed.run, Progress::Answered, "refused");
        let mut drafts = allowed.asked.iter_mut().filter_map(|it| it.draft.take());
        let first = drafts.next();
        for mut draft in drafts {
            draft.refused(refusal.class, &refusal.reason);
            let (code, status) = (refusal.code, refusal.reply.status);
            self.finish(host, Some(draft), Ending::Refused { code, status });
        }
        match ahead {
            Ahead::Held => self.refuse(host, first, refusal),
            Ahead::Gone => {
                let replaced = host.replace_body(Direction::Response, size, &refusal.reply.body);
                self.note_refusal(host, first, &refusal);
                self.state = State::Cut(Rest::Swallow);
                match replaced {
                    Ok(()) => Flow::Continue,
                    Err(_) => self.bar(host),
                }
            }
        }
    }
}

fn keep_status(refusal: Refusal, status: Status) -> Refusal {
    match status {
        Status::Success => refusal,
        Status::Other(status) => refusal.with_status(status),
    }
}

/// Code of the error that takes the place of a message that cannot be judged.
pub(super) fn upstream_code(error: &ListError) -> i64 {
    match error.code() {
        gatehold_mcp::reply::code::INTERNAL_ERROR => UPSTREAM,
        code => code,
    }
}
