//! One exchange in many events, in any order that a host may give them.

use std::collections::{BTreeSet, VecDeque};

use gatehold_hostsim::{Exchange, Message, Outcome, Sim};

use super::answer::{Answer, HIDDEN, UNJUDGED};
use super::dice::Dice;
use super::request::{Policy, Request};

/// An event of one direction.
#[derive(Debug)]
enum Step {
    Headers { end: bool },
    Piece { bytes: Vec<u8>, end: bool },
    Trailers,
}

/// What ends an exchange before its time.
#[derive(Clone, Copy, Debug)]
enum Break {
    /// Envoy, or another filter, answers.
    Reply(u32),
    UpstreamGone,
    ClientGone,
}

/// An exchange that is under way.
#[derive(Debug)]
pub(crate) struct Play<'s> {
    exchange: Exchange<'s>,
    pub(crate) request: Request,
    answer: Answer,
    sending: VecDeque<Step>,
    answering: VecDeque<Step>,
    /// After so many events, which may be more than there are.
    breaks: Option<(usize, Break)>,
    /// The answer may begin before the request is over.
    early: bool,
    broken: bool,
    answered_early: bool,
    /// Policies that may have been in force at some time since it began.
    policies: BTreeSet<Policy>,
    /// It is known which policy it began under, and that one is in force for certain.
    settled: bool,
    ahead: bool,
}

impl<'s> Play<'s> {
    pub(crate) fn new(
        sim: &'s Sim,
        dice: &mut Dice,
        ahead: bool,
        settled: bool,
        policies: &BTreeSet<Policy>,
    ) -> Self {
        let (request, answer) = (Request::any(dice), Answer::any(dice));
        let sending = steps(dice, &request.body, request.trailers.is_some());
        let answering = steps(dice, &answer.body, answer.trailers);
        let breaks = dice.percent(25).then(|| {
            let kind = match dice.below(4) {
                0 => Break::Reply([200, 408, 413, 504][dice.below(4)]),
                1 => Break::UpstreamGone,
                _ => Break::ClientGone,
            };
            (dice.below(12), kind)
        });
        Self {
            exchange: sim.exchange(),
            request,
            answer,
            sending,
            answering,
            breaks,
            early: dice.percent(15),
            broken: false,
            answered_early: false,
            policies: policies.clone(),
            settled,
            ahead,
        }
    }

    /// Policies that may have come into force meanwhile.
    pub(crate) fn meanwhile(&mut self, policies: &BTreeSet<Policy>, settled: bool) {
        self.policies.extend(policies);
        self.settled &= settled;
    }

    /// The next event; `false` when there is none.
    pub(crate) fn go_on(&mut self, dice: &mut Dice) -> bool {
        match &mut self.breaks {
            Some((0, kind)) => {
                let kind = *kind;
                self.breaks = None;
                self.broken = true;
                self.end_early(kind);
                return true;
            }
            Some((left, _)) => *left -= 1,
            None => {}
        }
        let reached = self.exchange.so_far().upstream.is_some();
        let answer = reached && (self.sending.is_empty() || self.early && dice.percent(40));
        if answer && let Some(step) = self.answering.pop_front() {
            self.answered_early |= !self.sending.is_empty();
            self.answer(&step);
            return true;
        }
        if let Some(step) = self.sending.pop_front() {
            self.send(&step);
            return true;
        }
        false
    }

    fn send(&mut self, step: &Step) {
        match step {
            Step::Headers { end } => self.exchange.headers(&self.request.borrowed(), *end),
            Step::Piece { bytes, end } => self.exchange.body(bytes, *end),
            Step::Trailers => {
                let trailers = self.request.trailers.as_deref().unwrap_or_default();
                self.exchange.trailers(trailers)
            }
        };
    }

    fn answer(&mut self, step: &Step) {
        match step {
            Step::Headers { end } => self
                .exchange
                .response_headers(&self.answer.borrowed(), *end),
            Step::Piece { bytes, end } => self.exchange.response_body(bytes, *end),
            Step::Trailers => self.exchange.response_trailers(&[("x-sum", "1")]),
        };
    }

    fn end_early(&mut self, kind: Break) {
        match kind {
            Break::Reply(status) => self.exchange.local_reply(status, b"by the host"),
            Break::UpstreamGone => self.exchange.upstream_reset(),
            Break::ClientGone => self.exchange.gone(),
        };
    }

    /// Ends it and looks at what came of it; `calm` when no host call has failed. Gives whether its body went
    /// on.
    pub(crate) fn end(mut self, calm: bool) -> bool {
        let outcome = self.exchange.finish();
        let told = || self.told(&outcome);
        let request = &self.request;
        let allowed = request.sound && self.policies.iter().any(|it| request.is_allowed(*it));
        let body = outcome.upstream_body();
        assert!(
            allowed || body.is_empty(),
            "a body went on that is not allowed: {}",
            told()
        );
        assert!(
            allowed || self.ahead || outcome.upstream.is_none(),
            "headers went on that are not allowed: {}",
            told()
        );
        assert!(
            body.is_empty() || body == request.body,
            "not the body that was judged: {}",
            told()
        );
        for secret in HIDDEN {
            assert!(
                !outcome.shows(secret),
                "the client sees `{secret}`: {}",
                told()
            );
        }
        assert!(
            !outcome.shows(UNJUDGED),
            "the client sees what was not judged: {}",
            told()
        );
        self.check_token(&outcome);
        let undisturbed =
            calm && self.settled && !self.broken && !self.answered_early && self.sending.is_empty();
        let must = allowed && self.policies.iter().all(|it| request.is_allowed(*it));
        if undisturbed && must && request.plain {
            assert_eq!(
                body,
                request.body,
                "an allowed call was refused: {}",
                told()
            );
        }
        !body.is_empty()
    }

    /// What happened, to be read.
    fn told(&self, outcome: &Outcome) -> String {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let message = |message: &Option<Message>| {
            message.as_ref().map(|it| {
                let pairs = it.headers.iter();
                let pairs = pairs.map(|(name, value)| format!("{}: {}", text(name), text(value)));
                (pairs.collect::<Vec<_>>(), text(&it.body), it.ended)
            })
        };
        format!(
            "\nrequest {:?}\nbody {}\npolicies {:?}, headers ahead {}\nanswer {:?}\nbody {}\n\
             upstream got {:?}\nclient got {:?}\nreset {}, replied {}",
            self.request.headers,
            text(&self.request.body),
            self.policies,
            self.ahead,
            self.answer.headers,
            text(&self.answer.body),
            message(&outcome.upstream),
            message(&outcome.client),
            outcome.reset,
            outcome.replied
        )
    }

    /// The client's token ends at the gateway.
    fn check_token(&self, outcome: &Outcome) {
        if let Some(upstream) = &outcome.upstream {
            for name in ["authorization", "accept-encoding", "x-gatehold-user"] {
                assert_eq!(
                    upstream.header(name),
                    None,
                    "`{name}` went on: {:?}",
                    self.request
                );
            }
        }
    }
}

fn steps(dice: &mut Dice, body: &[u8], trailers: bool) -> VecDeque<Step> {
    let mut steps = VecDeque::new();
    let empty_end = dice.percent(30);
    if body.is_empty() && !trailers && !empty_end {
        return [Step::Headers { end: true }].into();
    }
    steps.push_back(Step::Headers { end: false });
    let pieces = dice.pieces(body);
    let last = pieces.len();
    for (at, piece) in pieces.into_iter().enumerate() {
        let end = at + 1 == last && !trailers && !empty_end;
        steps.push_back(Step::Piece {
            bytes: piece.to_vec(),
            end,
        });
    }
    if trailers {
        steps.push_back(Step::Trailers);
    } else if empty_end {
        steps.push_back(Step::Piece {
            bytes: Vec::new(),
            end: true,
        });
    }
    steps
}
