//! One exchange, driven event by event as Envoy's filter manager would.

use crate::abi::Callback;
use crate::http::{Held, Side};
use crate::outcome::Outcome;
use crate::pairs::{self, Pairs};
use crate::sim::{Sim, callback};
use crate::world::{self, with};

/// What Envoy buffers by default before it gives up (`per_connection_buffer_limit_bytes`).
const BUFFER_LIMIT: usize = 1 << 20;

/// One request and its response. Each event is passed on unless the stream has been cut before.
#[derive(Debug)]
pub struct Exchange<'a> {
    sim: &'a Sim,
    id: u32,
    hold_headers: bool,
    outcome: Option<Outcome>,
}

impl<'a> Exchange<'a> {
    pub(crate) fn new(sim: &'a Sim, root: u32, hold_headers: bool) -> Self {
        let id = with(|world| {
            let id = world.next_id();
            world.http.insert(id, crate::http::Http::default());
            id
        });
        callback(id, Callback::Create { root });
        Self {
            sim,
            id,
            hold_headers,
            outcome: None,
        }
    }

    /// A whole request: headers, and the body in one piece unless it is empty.
    pub fn request(&mut self, headers: &[(&str, &str)], body: &[u8]) -> &mut Self {
        self.headers(headers, body.is_empty());
        if !body.is_empty() {
            self.body(body, true);
        }
        self
    }

    /// Another filter of the same kind, ahead of this one, has published a value.
    pub fn published(&mut self, key: &str, value: &str) -> &mut Self {
        let id = self.id;
        with(|world| {
            let http = world.http.get_mut(&id).expect("the stream is there");
            http.filter_state.insert(key.to_owned(), value.to_owned());
        });
        self
    }

    /// Request headers; `end` when nothing follows.
    pub fn headers(&mut self, headers: &[(&str, &str)], end: bool) -> &mut Self {
        self.begin(Side::Request, pairs::pairs(headers), end);
        self
    }

    /// Request headers whose values need not be text.
    pub fn raw_headers(&mut self, headers: &[(&[u8], &[u8])], end: bool) -> &mut Self {
        let pair = |(name, value): &(&[u8], &[u8])| (name.to_vec(), value.to_vec());
        self.begin(Side::Request, headers.iter().map(pair).collect(), end);
        self
    }

    /// A piece of the request body.
    pub fn body(&mut self, piece: &[u8], end: bool) -> &mut Self {
        self.piece(Side::Request, piece, end);
        self
    }

    /// Request trailers, which end the request.
    pub fn trailers(&mut self, trailers: &[(&str, &str)]) -> &mut Self {
        self.end_with(Side::Request, pairs::pairs(trailers));
        self
    }

    /// A whole response: headers, and the body in one piece unless it is empty. Nothing happens when the
    /// upstream has not got the request's headers.
    pub fn response(&mut self, headers: &[(&str, &str)], body: &[u8]) -> &mut Self {
        self.response_headers(headers, body.is_empty());
        if !body.is_empty() {
            self.response_body(body, true);
        }
        self
    }

    /// Response headers of the upstream.
    pub fn response_headers(&mut self, headers: &[(&str, &str)], end: bool) -> &mut Self {
        if self.is_answering() {
            self.begin(Side::Response, pairs::pairs(headers), end);
        }
        self
    }

    /// A piece of the upstream's response body.
    pub fn response_body(&mut self, piece: &[u8], end: bool) -> &mut Self {
        if self.is_answering() {
            self.piece(Side::Response, piece, end);
        }
        self
    }

    /// Response trailers of the upstream.
    pub fn response_trailers(&mut self, trailers: &[(&str, &str)]) -> &mut Self {
        if self.is_answering() {
            self.end_with(Side::Response, pairs::pairs(trailers));
        }
        self
    }

    /// A reply by Envoy or by another filter, for example because of a timeout.
    pub fn local_reply(&mut self, status: u32, body: &[u8]) -> &mut Self {
        if self.is_alive() {
            self.deliver(status, Pairs::new(), body.to_vec());
        }
        self
    }

    /// The upstream's connection is gone.
    pub fn upstream_reset(&mut self) -> &mut Self {
        self.local_reply(
            503,
            b"upstream connect error or disconnect/reset before headers",
        )
    }

    /// The client is gone, or the exchange is over: the filter's context ends.
    pub fn gone(&mut self) -> &mut Self {
        if self.outcome.is_none() {
            self.outcome = Some(self.end());
        }
        self
    }

    /// Ends the exchange; gives what came of it.
    pub fn finish(&mut self) -> Outcome {
        self.settle();
        self.gone();
        self.sim.check();
        self.outcome.clone().expect("the exchange has ended")
    }

    /// What has come of it so far.
    pub fn so_far(&self) -> Outcome {
        if let Some(outcome) = &self.outcome {
            return outcome.clone();
        }
        with(|world| {
            let http = &world.http[&self.id];
            Outcome {
                upstream: http.side(Side::Request).out.clone(),
                client: http.side(Side::Response).out.clone(),
                reset: http.reset,
                replied: http.replied,
                filter_state: http.filter_state.clone(),
            }
        })
    }

    fn is_alive(&self) -> bool {
        self.outcome.is_none() && self.flows(Side::Response)
    }

    /// The upstream answers only what it got, and not after a local reply.
    fn is_answering(&self) -> bool {
        self.is_alive() && {
            let outcome = self.so_far();
            outcome.upstream.is_some() && self.flows(Side::Request)
        }
    }

    fn flows(&self, side: Side) -> bool {
        self.outcome.is_none() && with(|world| world.http[&self.id].flows(side))
    }

    fn begin(&mut self, side: Side, headers: Pairs, end: bool) {
        if !self.flows(side) {
            return;
        }
        let count = headers.len();
        self.half(side, |half| half.begin(headers));
        let pause = self.event(match side {
            Side::Request => Callback::RequestHeaders { count, end },
            Side::Response => Callback::ResponseHeaders { count, end },
        });
        let held = match (pause, self.hold_headers) {
            (false, _) => Held::Nothing,
            (true, true) => Held::Headers,
            (true, false) => Held::All,
        };
        if self.flows(side) {
            match held {
                Held::Nothing => self.pass(side, end),
                held => self.half(side, |half| half.held = held),
            }
        }
    }

    fn piece(&mut self, side: Side, piece: &[u8], end: bool) {
        if !self.flows(side) {
            return;
        }
        if self.half(side, |half| half.held) == Held::All {
            return self.half(side, |half| half.queue(piece));
        }
        let size = self.half(side, |half| half.piece(piece));
        if end {
            self.half(side, crate::http::Half::complete);
        }
        let pause = self.event(match side {
            Side::Request => Callback::RequestBody { size, end },
            Side::Response => Callback::ResponseBody { size, end },
        });
        if !self.flows(side) {
            return;
        }
        if !pause {
            return self.pass(side, end);
        }
        if self.half(side, |half| half.keep()) > BUFFER_LIMIT {
            let status = match side {
                Side::Request => 413,
                Side::Response => 500,
            };
            self.deliver(status, Pairs::new(), b"Payload Too Large".to_vec());
        }
    }

    fn end_with(&mut self, side: Side, trailers: Pairs) {
        if !self.flows(side) || self.half(side, |half| half.held) == Held::All {
            return;
        }
        let count = self.half(side, |half| half.end_with(trailers));
        self.half(side, crate::http::Half::complete);
        let pause = self.event(match side {
            Side::Request => Callback::RequestTrailers { count },
            Side::Response => Callback::ResponseTrailers { count },
        });
        if !pause && self.flows(side) {
            self.pass(side, true);
        }
    }

    /// What there is goes on. Once the answer is over, the router wants no more of the request.
    fn pass(&self, side: Side, end: bool) {
        self.http(|http| {
            http.side_mut(side).pass(end);
            http.cut |= end && side == Side::Response;
        });
    }

    fn half<T>(&self, side: Side, f: impl FnOnce(&mut crate::http::Half) -> T) -> T {
        with(|world| {
            let http = world.http.get_mut(&self.id).expect("the exchange is known");
            f(http.side_mut(side))
        })
    }

    fn http<T>(&self, f: impl FnOnce(&mut crate::http::Http) -> T) -> T {
        with(|world| f(world.http.get_mut(&self.id).expect("the exchange is known")))
    }

    /// A callback, and what the filter asked for in it.
    fn event(&mut self, event: Callback) -> bool {
        let pause = callback(self.id, event) == 1;
        self.settle();
        pause
    }

    /// Does what the filter has asked for, in an event of this exchange or of its root; Envoy puts that off until
    /// the event is over.
    pub fn settle(&mut self) -> &mut Self {
        if self.outcome.is_some() {
            return self;
        }
        let resumes = self.http(|http| std::mem::take(&mut http.resuming));
        if resumes && self.flows(Side::Request) {
            self.pass(Side::Request, true);
        }
        let reply = self.http(|http| {
            if std::mem::take(&mut http.resetting) {
                http.reset = true;
            }
            http.reply.take()
        });
        if let Some((status, headers, body)) = reply {
            self.http(|http| http.replied = true);
            if self.flows(Side::Response) {
                self.deliver(status, headers, body);
            }
        }
        self
    }

    /// Sends a local reply: through the filter while no response has begun, past it while the client has
    /// nothing yet; when it has, the stream can only be reset.
    fn deliver(&mut self, status: u32, extra: Pairs, body: Vec<u8>) {
        let mut headers = pairs::pairs(&[(":status", &status.to_string())]);
        if !body.is_empty() {
            headers.extend(pairs::pairs(&[("content-length", &body.len().to_string())]));
            if !extra.iter().any(|(name, _)| name == b"content-type") {
                headers.extend(pairs::pairs(&[("content-type", "text/plain")]));
            }
        }
        headers.extend(extra);
        self.http(|http| http.cut = true);
        let (started, gone) = self.half(Side::Response, |half| (half.started, half.out.is_some()));
        if !started {
            self.begin(Side::Response, headers, body.is_empty());
            if !body.is_empty() {
                self.piece(Side::Response, &body, true);
            }
        } else if !gone {
            self.http(|http| {
                http.direct = true;
                http.side_mut(Side::Response).out = Some(crate::outcome::Message {
                    headers,
                    pieces: vec![body.clone()],
                    body,
                    trailers: Pairs::new(),
                    ended: true,
                });
            });
        } else {
            self.http(|http| http.reset = true);
        }
    }

    fn end(&mut self) -> Outcome {
        callback(self.id, Callback::Log);
        let done = callback(self.id, Callback::Done) == 1;
        let outcome = self.so_far();
        callback(self.id, Callback::Delete);
        with(|world| {
            world.http.remove(&self.id);
            if !done {
                world.violation("an exchange puts off its end");
            }
            for message in [&outcome.upstream, &outcome.client].into_iter().flatten() {
                if let Some(problem) = message.problem() {
                    world.violation(problem);
                }
            }
        });
        outcome
    }
}

impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        if self.outcome.is_none() && !std::thread::panicking() {
            self.gone();
        }
    }
}

/// Whether a fault has struck in this world.
pub(crate) fn is_faulty() -> bool {
    world::with(|world| world.struck > 0)
}
