//! Tasks of our own: calls that wait for a person while their client polls (extension
//! `io.modelcontextprotocol/tasks`). The poll that comes after the approval runs the call.

use gatehold_identity::Bound;
use gatehold_mcp::reply::{code, error_body};
use gatehold_mcp::{Id, Message, Operation, Request, header_value, operation, rounds};
use gatehold_wire::hold::{Claim, Claimed, HeldCall, TaskRequest, TaskState, from_filter};
use prost::Message as _;

use crate::caller::Caller;
use crate::exchange::ask::mirrored;
use crate::exchange::decide::Grant;
use crate::exchange::held::{PATIENCE, version_in_force};
use crate::exchange::hold_reply::{TaskAnswer, acknowledged, ok};
use crate::exchange::judge::{self, Judged};
use crate::exchange::reply::Refusal;
use crate::exchange::run::{self, Run, TaskRun};
use crate::exchange::{Exchange, Receiving, State, mcp_limits};
use crate::hold::{Entry, Event, Leave, Progress};
use crate::host::{Direction, Flow, Host, LocalReply};
use crate::metrics::Refused;
use crate::record::Ending;
use crate::server::Server;
use crate::worker::Worker;

/// What a client asks about one of our tasks.
#[derive(Debug)]
pub(super) struct Poll {
    id: Id,
    approval: String,
    /// As the client has it.
    task: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Get,
    Cancel,
    Update,
}

/// A request about one of our tasks, which waits for control.
#[derive(Debug)]
pub(super) struct Polling {
    receiving: Box<Receiving>,
    poll: Poll,
    waiter: String,
    /// What control said of it, once it did.
    state: Option<TaskState>,
}

/// What a request asks about one of our tasks; `None` when it is about none.
pub(super) fn poll(server: &Server, caller: &Caller, request: &Request) -> Option<Poll> {
    let kind = match request.method.as_str() {
        "tasks/get" => Kind::Get,
        "tasks/cancel" => Kind::Cancel,
        "tasks/update" => Kind::Update,
        _ => return None,
    };
    let task = request.params.as_ref()?.get("taskId")?.as_str()?;
    let approval = server.binding.open(Bound::Hold, &caller.identity, task)?;
    Some(Poll {
        id: request.id.clone(),
        approval: approval.to_owned(),
        task: task.to_owned(),
        kind,
    })
}

impl Exchange {
    /// Asks control about a task.
    pub(super) fn begin_poll(
        &mut self,
        host: &dyn Host,
        worker: &Worker,
        receiving: Box<Receiving>,
        poll: Poll,
    ) -> Flow {
        let waiter = worker.random.id();
        let identity = &receiving.caller.identity;
        let request = TaskRequest {
            waiter: waiter.clone(),
            approval: poll.approval.clone(),
            cancel: poll.kind == Kind::Cancel,
            issuer: identity.issuer.clone(),
            user: identity.user.clone(),
            agent: identity.agent.clone(),
        };
        let now = host.now().unwrap_or(receiving.draft.started());
        let entry = Entry {
            place: self.place.clone(),
            deadline: now.saturating_add(PATIENCE),
            opening: from_filter::Message::Task(request),
        };
        let polling = Polling {
            receiving,
            poll,
            waiter,
            state: None,
        };
        if polling.poll.kind == Kind::Update {
            // A call that waits asks its client for nothing.
            let reply = acknowledged(&polling.poll.id);
            return self.answer_poll(host, polling, reply);
        }
        if !worker.holds.borrow_mut().enter(&polling.waiter, entry) {
            return self.cannot_tell(host, polling);
        }
        self.state = State::Polling(Box::new(polling));
        Flow::Pause
    }

    /// Something has happened to a request about a task.
    pub(super) fn polling(&mut self, host: &dyn Host, mut polling: Box<Polling>, event: Event) {
        match event {
            Event::Task(state) => self.told_of_task(host, polling, state),
            Event::Claimed(claimed) if claimed.granted => self.run_task(host, *polling, claimed),
            // Somebody else runs it, or it is over: the next poll tells.
            Event::Claimed(_) => {
                let state = polling.state.take().unwrap_or_default();
                let reply = polling.answer(&state);
                self.answer_poll(host, *polling, reply);
            }
            Event::Due => {
                self.cannot_tell(host, *polling);
            }
            Event::Pending(_) | Event::Decided(_) | Event::Cancelled => {
                self.state = State::Polling(polling);
            }
        }
    }

    /// The client is gone.
    pub(super) fn abandon_poll(&self, host: &dyn Host, polling: Polling) {
        self.leave(&polling.waiter, Leave::Gone);
        self.finish(host, Some(polling.receiving.draft), Ending::Aborted);
    }

    /// Response headers for a request about a task, which nobody but Envoy can have sent.
    pub(super) fn early_poll(&mut self, host: &dyn Host, polling: Polling, end: bool) -> Flow {
        self.leave(&polling.waiter, Leave::Gone);
        self.early(host, *polling.receiving, end)
    }

    fn told_of_task(&mut self, host: &dyn Host, mut polling: Box<Polling>, state: TaskState) {
        if state.status.is_empty() {
            self.leave(&polling.waiter, Leave::Told);
            let refusal = Refusal::unknown_task(Some(&polling.poll.id));
            self.refuse(host, Some(polling.receiving.draft), refusal);
            return;
        }
        if polling.state.is_some() {
            // It was asked again along with the claim; the answer to that tells.
            return self.state = State::Polling(polling);
        }
        let claims = state.claimable && polling.poll.kind == Kind::Get;
        if let (true, Some(worker)) = (claims, &self.worker) {
            let server = &polling.receiving.endpoint.server.name;
            let claim = Claim {
                waiter: polling.waiter.clone(),
                approval: polling.poll.approval.clone(),
                digest: Vec::new(),
                policy_version: version_in_force(worker, server),
                server: server.clone(),
            };
            let deadline = host.now().unwrap_or_default().saturating_add(PATIENCE);
            let mut holds = worker.holds.borrow_mut();
            holds.claim(&polling.waiter, claim, deadline);
            drop(holds);
            polling.state = Some(state);
            return self.state = State::Polling(polling);
        }
        let reply = match polling.poll.kind {
            Kind::Get => polling.answer(&state),
            Kind::Cancel | Kind::Update => acknowledged(&polling.poll.id),
        };
        self.answer_poll(host, *polling, reply);
    }

    /// Sends the call of the task in the place of the request about it.
    fn run_task(&mut self, host: &dyn Host, polling: Polling, claimed: Claimed) {
        let Some(worker) = self.worker.clone() else {
            return self.state = State::Polling(Box::new(polling));
        };
        worker.holds.borrow_mut().run(&polling.waiter);
        let Polling {
            mut receiving,
            poll,
            waiter,
            state,
        } = polling;
        let approval = &claimed.approval;
        let not_run = |reason: &str| {
            let error = serde_json::json!({ "code": code::DENIED, "message": reason });
            let said = (Progress::NotRun, reason, error.to_string());
            run::report(&worker, &waiter, approval, said);
        };
        let prepared = self
            .renew_held(host, &mut receiving)
            .map_err(|reason| failed(&poll.id, reason))
            .and_then(|()| prepare(host, &worker, &mut receiving, &poll.id, &claimed));
        let (digest, taint) = match prepared {
            Ok(prepared) => prepared,
            Err(refusal) => {
                not_run(&refusal.reason);
                self.refuse(host, Some(receiving.draft), refusal);
                return;
            }
        };
        let grant = Grant {
            approval: approval.clone(),
            digest,
        };
        let state = state.unwrap_or_default();
        match judge::judge(&worker, host, *receiving, Some(&grant)) {
            Ok(Judged::Passes(mut allowed)) => {
                let now = host.now().unwrap_or_default() / 1_000_000;
                allowed.rounds = None;
                // What was read since, nobody was told of.
                allowed.settles.take_if(|read| read.mark() != taint);
                allowed.run = Some(Box::new(Run {
                    approval: approval.clone(),
                    chain: waiter.clone(),
                    waiter,
                    digest,
                    number: 0,
                    task: Some(TaskRun {
                        id: poll.id,
                        task: poll.task,
                        created_millis: state.created_unix_millis,
                        now_millis: now,
                        ttl_millis: state.ttl_millis,
                        poll_millis: state.poll_millis,
                        result: None,
                    }),
                }));
                self.go_on(host, &worker, allowed);
            }
            Ok(Judged::Waits(receiving, ..) | Judged::Polls(receiving, _)) => {
                let refusal = failed(&poll.id, "it is not the call that was approved");
                not_run(&refusal.reason);
                self.refuse(host, Some(receiving.draft), refusal);
            }
            Err(refused) => {
                not_run(&refused.refusal.reason);
                let draft = refused.draft.map(|draft| *draft);
                self.refuse(host, draft, refused.refusal);
            }
        }
    }

    fn cannot_tell(&mut self, host: &dyn Host, polling: Polling) -> Flow {
        self.leave(&polling.waiter, Leave::Told);
        let reason = "control cannot be reached to ask about the task; ask again";
        let refusal = failed(&polling.poll.id, reason);
        self.refuse(host, Some(polling.receiving.draft), refusal)
    }

    fn answer_poll(&mut self, host: &dyn Host, polling: Polling, reply: LocalReply) -> Flow {
        self.leave(&polling.waiter, Leave::Told);
        let mut draft = polling.receiving.draft;
        draft.waits_for(&polling.poll.approval);
        let ending = Ending::Answered(gatehold_mcp::Outcome::Ok);
        self.finish(host, Some(draft), ending);
        self.state = State::Replied;
        self.send(host, &reply)
    }
}

impl Polling {
    fn answer(&self, state: &TaskState) -> LocalReply {
        let answer = TaskAnswer {
            id: &self.poll.id,
            task: &self.poll.task,
            status: match state.status.as_str() {
                "" => "working",
                status => status,
            },
            message: &state.message,
            created_millis: state.created_unix_millis,
            updated_millis: state.updated_unix_millis,
            ttl_millis: state.ttl_millis,
            poll_millis: state.poll_millis,
            result: std::str::from_utf8(&state.result).unwrap_or("null"),
        };
        ok(answer.body())
    }
}

/// Puts the call where the request about its task stands, headers included; gives its digest, and what
/// its approval settles.
fn prepare(
    host: &dyn Host,
    worker: &Worker,
    receiving: &mut Receiving,
    id: &Id,
    claimed: &Claimed,
) -> Result<(crate::hold::CallDigest, String), Refusal> {
    let unreadable = || failed(id, "the call that was kept cannot be read");
    let call = HeldCall::decode(claimed.body.as_slice()).map_err(|_| unreadable())?;
    let digest = claimed.digest.as_slice().try_into();
    let digest = digest.map_err(|_| unreadable())?;
    let body = rounds::with_id(&call.body, id).map_err(|_| unreadable())?;
    let message = gatehold_mcp::parse(&body, &mcp_limits(&receiving.endpoint));
    let Ok(Message::Request(request)) = message else {
        return Err(unreadable());
    };
    let era = gatehold_mcp::Era::Modern;
    let Ok(Operation::CallTool { name, .. }) = operation(&request, era) else {
        return Err(unreadable());
    };
    host.set_header(Direction::Request, "mcp-method", &request.method)?;
    host.set_header(Direction::Request, "mcp-name", &header_value(name))?;
    for header in mirrored(&receiving.headers) {
        host.remove_header(Direction::Request, &header.name)?;
    }
    for header in &call.headers {
        host.set_header(Direction::Request, &header.name, &header.value)?;
    }
    super::task::replace(worker, host, receiving.size, &body)?;
    receiving.size = body.len();
    receiving.headers = host.headers(Direction::Request)?;
    Ok((digest, call.taint))
}

fn failed(id: &Id, reason: &str) -> Refusal {
    let body = error_body(Some(id), code::DENIED, reason, None);
    Refusal::new(
        Refused::Approval,
        200,
        code::DENIED,
        reason.to_owned(),
        body,
    )
}
