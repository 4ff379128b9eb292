//! A request that waits for a person: what control and the clock say to it, and how it goes on.

use gatehold_mcp::{Outcome as Answered, RequestHeaders, rounds as mcp_rounds};
use gatehold_wire::hold::{
    Claim, Claimed, Decided, HeldCall, Leg, Mechanism, Outcome, Wait, from_filter,
};
use prost::Message as _;

use crate::config::HoldHeaders;
use crate::detection::taint;
use crate::exchange::ask::{Ask, mirrored};
use crate::exchange::decide::Grant;
use crate::exchange::hold_reply::Told;
use crate::exchange::judge::{self, Judged};
use crate::exchange::reply::Refusal;
use crate::exchange::run::{self, Run};
use crate::exchange::{Exchange, Receiving, State, rounds};
use crate::hold::{Entry, Event, HeldRound, Leave, MAX_ROUNDS, Pending, Progress, RoundState};
use crate::host::{Direction, Flow, Host, Level, LocalReply, whole_body};
use crate::metrics::Counter;
use crate::record::Ending;
use crate::worker::Worker;

/// Nanoseconds for which an answer of control is waited for.
pub(super) const PATIENCE: u64 = 8_000_000_000;

/// Bytes of a call that control keeps for a task.
const MAX_KEPT: usize = 1 << 20;

/// One that waits.
#[derive(Debug)]
pub(super) struct Held {
    receiving: Box<Receiving>,
    ask: Box<Ask>,
    waiter: String,
    /// The waiter of the first round, and the number of this one.
    chain: String,
    number: u32,
    /// Names what the caller had read when approval was asked for; empty for nothing.
    taint: String,
    pending: Option<Pending>,
    phase: Phase,
}

/// What it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// A person.
    Asking,
    /// That control lets it run.
    Claiming,
}

impl Held {
    fn told(&self) -> Told<'_> {
        Told {
            ask: &self.ask,
            pending: self.pending.as_ref(),
        }
    }
}

impl Exchange {
    /// Lets a request wait.
    pub(super) fn begin_hold(
        &mut self,
        host: &dyn Host,
        worker: &Worker,
        (receiving, mut ask, round): (Box<Receiving>, Box<Ask>, Option<HeldRound>),
    ) -> Flow {
        let waiter = worker.random.id();
        // Where the headers have gone ahead, the request about a task cannot become the call; and what has begun in
        // rounds goes on so.
        let no_task = worker.config.hold_headers == HoldHeaders::GoAhead
            || receiving.size > MAX_KEPT
            || ask.kept.as_ref().is_some_and(|kept| kept.len() > MAX_KEPT)
            || round.is_some();
        if ask.mechanism == Mechanism::Task && no_task {
            ask.mechanism = Mechanism::Rounds;
        }
        let (chain, number) = match &round {
            Some(round) => (round.chain.clone(), round.number),
            None => (waiter.clone(), 0),
        };
        // Whoever decides was told in the first round.
        let taint = match &round {
            Some(round) => round.taint.clone(),
            None => ask.taint.clone(),
        };
        let opening = match opening(host, &receiving, &mut ask, &waiter, round) {
            Ok(opening) => opening,
            Err(refusal) => return self.refuse(host, Some(receiving.draft), refusal),
        };
        let now = host.now().unwrap_or(receiving.draft.started());
        let patience = match ask.mechanism {
            Mechanism::Task => PATIENCE,
            _ => worker.config.hold_seconds.saturating_mul(1_000_000_000),
        };
        let entry = Entry {
            place: self.place.clone(),
            deadline: now.saturating_add(patience),
            opening: from_filter::Message::Wait(opening),
        };
        let entered = worker.holds.borrow_mut().enter(&waiter, entry);
        let held = Held {
            receiving,
            ask,
            waiter,
            chain,
            number,
            taint,
            pending: None,
            phase: Phase::Asking,
        };
        if !entered {
            let said = "too many calls wait in this gateway";
            let refusal = held.told().decided(Outcome::Refused, said);
            return self.refuse(host, Some(held.receiving.draft), refusal);
        }
        self.state = State::Held(Box::new(held));
        Flow::Pause
    }

    /// Something has happened to a request that waits; nothing when it does not.
    pub fn event(&mut self, host: &dyn Host, event: Event) {
        match std::mem::take(&mut self.state) {
            State::Held(held) => self.held(host, held, event),
            State::Polling(polling) => self.polling(host, polling, event),
            state => self.state = state,
        }
    }

    /// The client of a request that waits is gone: it is never run for.
    pub(super) fn abandon(&self, host: &dyn Host, held: Held) {
        self.leave(&held.waiter, Leave::Gone);
        self.finish(host, Some(held.receiving.draft), Ending::Aborted);
    }

    /// Response headers for a request that waits: an error of Envoy or of an upstream that has got the headers.
    pub(super) fn early_held(&mut self, host: &dyn Host, held: Held, end: bool) -> Flow {
        self.leave(&held.waiter, Leave::Gone);
        self.early(host, *held.receiving, end)
    }

    pub(super) fn leave(&self, waiter: &str, why: Leave) {
        if let Some(worker) = &self.worker {
            worker.holds.borrow_mut().leave(waiter, Some(why));
        }
    }

    fn held(&mut self, host: &dyn Host, mut held: Box<Held>, event: Event) {
        match event {
            Event::Pending(pending) => {
                held.receiving.draft.waits_for(&pending.approval);
                held.pending = Some(pending);
                if held.ask.mechanism == Mechanism::Task {
                    return self.become_task(host, *held);
                }
                self.state = State::Held(held);
            }
            Event::Decided(decided) => self.decided(host, held, decided),
            Event::Claimed(claimed) => self.claimed(host, *held, claimed),
            Event::Cancelled => {
                let refusal = held
                    .told()
                    .decided(Outcome::Withdrawn, "the client has cancelled it");
                self.end_hold(host, *held, Leave::Told, refusal);
            }
            Event::Due => self.due(host, *held),
            Event::Task(_) => self.state = State::Held(held),
        }
    }

    fn decided(&mut self, host: &dyn Host, mut held: Box<Held>, decided: Decided) {
        let outcome = decided.outcome();
        if !decided.approval.is_empty() {
            held.receiving.draft.waits_for(&decided.approval);
            held.pending.get_or_insert_with(|| Pending {
                approval: decided.approval.clone(),
                ..Pending::default()
            });
        }
        if outcome != Outcome::Approved {
            let refusal = held.told().decided(outcome, &decided.reason);
            return self.end_hold(host, *held, Leave::Told, refusal);
        }
        // The poll runs it.
        if held.ask.mechanism == Mechanism::Task {
            return self.become_task(host, *held);
        }
        if held.phase == Phase::Asking
            && let Some(worker) = &self.worker
        {
            let server = &held.receiving.endpoint.server;
            let claim = Claim {
                waiter: held.waiter.clone(),
                approval: decided.approval,
                digest: held.ask.digest.to_vec(),
                policy_version: version_in_force(worker, &server.name),
                server: server.name.clone(),
            };
            let deadline = host.now().unwrap_or_default().saturating_add(PATIENCE);
            let waiter = &held.waiter;
            worker.holds.borrow_mut().claim(waiter, claim, deadline);
            held.phase = Phase::Claiming;
        }
        self.state = State::Held(held);
    }

    fn claimed(&mut self, host: &dyn Host, held: Held, claimed: Claimed) {
        let outcome = claimed.outcome();
        if !claimed.granted {
            let refusal = held.told().decided(outcome, &claimed.reason);
            return self.end_hold(host, held, Leave::Told, refusal);
        }
        let Some(worker) = self.worker.clone() else {
            return self.state = State::Held(Box::new(held));
        };
        worker.holds.borrow_mut().run(&held.waiter);
        let Held {
            mut receiving,
            ask,
            waiter,
            chain,
            number,
            taint,
            pending,
            ..
        } = held;
        let approval = claimed.approval;
        let not_run = |reason: &str| {
            let said = (Progress::NotRun, reason, String::new());
            run::report(&worker, &waiter, &approval, said);
        };
        let told = Told {
            ask: &ask,
            pending: pending.as_ref(),
        };
        if let Err(reason) = self.renew_held(host, &mut receiving) {
            not_run(reason);
            let refusal = told.changed(reason);
            self.refuse(host, Some(receiving.draft), refusal);
            return;
        }
        let grant = Grant {
            approval: approval.clone(),
            digest: ask.digest,
        };
        match judge::judge(&worker, host, *receiving, Some(&grant)) {
            Ok(Judged::Passes(mut allowed)) => {
                // What was read since, nobody was told of.
                allowed.settles.take_if(|read| read.mark() != taint);
                allowed.run = Some(Box::new(Run {
                    approval,
                    waiter,
                    digest: ask.digest,
                    chain,
                    number: number.saturating_add(1),
                    task: None,
                }));
                self.go_on(host, &worker, allowed);
            }
            Ok(Judged::Waits(receiving, ..) | Judged::Polls(receiving, _)) => {
                let reason = "it is not the call that was approved";
                not_run(reason);
                let refusal = told.changed(reason);
                self.refuse(host, Some(receiving.draft), refusal);
            }
            Err(refused) => {
                not_run(&refused.refusal.reason);
                let draft = refused.draft.map(|draft| *draft);
                self.refuse(host, draft, refused.refusal);
            }
        }
    }

    /// Lets what was approved go to the upstream.
    pub(super) fn go_on(
        &mut self,
        host: &dyn Host,
        worker: &Worker,
        mut allowed: crate::exchange::allowed::Allowed,
    ) {
        if let Some(taint) = allowed.settles.take() {
            let cluster = &worker.config.control_cluster;
            if let Err(error) = taint::clear(host, cluster, &allowed.caller, &taint) {
                // The next call waits once more than it has to.
                let line = format!("gatehold: what was approved is not forgotten: {error}");
                host.log(Level::Warn, &line);
            }
        }
        if let Some(run) = &allowed.run {
            let said = (Progress::Forwarded, "", String::new());
            run::report(worker, &run.waiter, &run.approval, said);
        }
        self.pass(host, worker, allowed);
        if host.resume(Direction::Request).is_err() {
            if let State::Waiting(mut allowed) = std::mem::take(&mut self.state) {
                self.abort_all(host, &mut allowed);
            }
            self.bar(host);
        }
    }

    /// Brings what a request is judged by up to date, now that it has waited. `Err` says what has changed.
    pub(super) fn renew_held(
        &mut self,
        host: &dyn Host,
        receiving: &mut Receiving,
    ) -> Result<(), &'static str> {
        let worker = self.worker.as_ref();
        let now = worker.and_then(|worker| worker.snapshot.borrow().clone());
        let before = &receiving.endpoint;
        let endpoint = now.as_ref().and_then(|now| now.named(&before.server.name));
        let Some(endpoint) = endpoint else {
            return Err("the server is no longer governed here");
        };
        if endpoint.server.version != before.server.version {
            return Err("the policy has changed since approval was asked for");
        }
        if endpoint.token_scope != before.token_scope {
            return Err("what tokens are verified by has changed while it waited");
        }
        let seconds = host.now().map_or(u64::MAX, |now| now / 1_000_000_000);
        if seconds >= receiving.caller.identity.expires_at {
            return Err("the token has expired while it waited");
        }
        self.snapshot = now;
        receiving.endpoint = endpoint;
        Ok(())
    }

    fn due(&mut self, host: &dyn Host, held: Held) {
        let seconds = host.now().unwrap_or_default() / 1_000_000_000;
        match (held.phase, &held.pending, held.ask.mechanism) {
            (Phase::Asking, Some(pending), Mechanism::Rounds) if held.number < MAX_ROUNDS => {
                let state = RoundState {
                    method: held.ask.method.clone(),
                    target: held.ask.target.clone(),
                    // The client comes back at once.
                    expires: seconds.saturating_add(RETURN_SECONDS),
                    upstream: None,
                    hold: Some(HeldRound {
                        approval: pending.approval.clone(),
                        chain: held.chain.clone(),
                        number: held.number.saturating_add(1),
                        digest: crate::hex::hex(&held.ask.digest),
                        running: false,
                        taint: held.taint.clone(),
                    }),
                };
                let Receiving {
                    endpoint, caller, ..
                } = &*held.receiving;
                let sealed = state.seal(&endpoint.server.binding, &caller.identity);
                let reply = held.told().come_back(&sealed);
                self.end_kindly(
                    host,
                    held,
                    Leave::LegEnded,
                    (reply, Answered::InputRequired),
                );
            }
            (Phase::Asking, Some(_), _) => {
                let refusal = held.told().pending();
                self.end_hold(host, held, Leave::Told, refusal);
            }
            (Phase::Asking, None, _) | (Phase::Claiming, ..) => {
                let refusal = held.told().unavailable();
                self.end_hold(host, held, Leave::Told, refusal);
            }
        }
    }

    fn become_task(&mut self, host: &dyn Host, held: Held) {
        let Receiving {
            endpoint, caller, ..
        } = &*held.receiving;
        let approval = held.pending.as_ref().map_or("", |it| &it.approval);
        let binding = &endpoint.server.binding;
        let bound = gatehold_identity::Bound::Hold;
        let task = binding.seal(bound, &caller.identity, approval);
        let now = host.now().unwrap_or_default() / 1_000_000;
        let reply = held.told().task(&task, now);
        self.end_kindly(host, held, Leave::Told, (reply, Answered::Task));
    }

    fn end_hold(&mut self, host: &dyn Host, held: Held, why: Leave, refusal: Refusal) {
        self.leave(&held.waiter, why);
        self.refuse(host, Some(held.receiving.draft), refusal);
    }

    /// Ends a request whose client goes on by itself.
    fn end_kindly(
        &mut self,
        host: &dyn Host,
        held: Held,
        why: Leave,
        (reply, outcome): (LocalReply, Answered),
    ) {
        self.leave(&held.waiter, why);
        if let Some(worker) = &self.worker {
            worker.metrics.add(host, Counter::Held, 1);
        }
        self.finish(host, Some(held.receiving.draft), Ending::Answered(outcome));
        self.state = State::Replied;
        self.send(host, &reply);
    }
}

/// Seconds within which a client comes back; they do so at once.
const RETURN_SECONDS: u64 = 120;

fn opening(
    host: &dyn Host,
    receiving: &Receiving,
    ask: &mut Ask,
    waiter: &str,
    round: Option<HeldRound>,
) -> Result<Wait, Refusal> {
    let Receiving {
        endpoint,
        caller,
        draft,
        headers,
        size,
        ..
    } = receiving;
    let (server, identity) = (&endpoint.server, &caller.identity);
    let body = match ask.mechanism {
        Mechanism::Task => {
            let body = match ask.kept.take() {
                Some(kept) => kept,
                None => whole_body(host, Direction::Request, *size)?,
            };
            let call = HeldCall {
                headers: mirrored(headers),
                body: mcp_rounds::without_capabilities(&body).map_err(|_| Refusal::internal())?,
                taint: ask.taint.clone(),
            };
            call.encode_to_vec()
        }
        _ => Vec::new(),
    };
    let session = RequestHeaders::from_pairs(headers.iter())
        .ok()
        .and_then(|headers| headers.session_id);
    Ok(Wait {
        waiter: waiter.to_owned(),
        call: Some(ask.call(server, identity, draft.id())),
        mechanism: ask.mechanism.into(),
        leg: round.map(|round| Leg {
            approval: round.approval,
            chain: round.chain,
            number: round.number,
        }),
        body,
        cancel_key: session
            .filter(|_| !ask.is_modern())
            .map(|session| rounds::cancel_key(identity, server, session, &ask.id))
            .unwrap_or_default(),
    })
}

/// Version of a server's resource that is in force now.
pub(super) fn version_in_force(worker: &Worker, server: &str) -> String {
    let snapshot = worker.snapshot.borrow();
    let endpoint = snapshot.as_ref().and_then(|it| it.named(server));
    endpoint.map_or_else(String::new, |it| it.server.version.clone())
}
