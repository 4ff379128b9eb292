//! Answers that stay open: judged by what is in force when something comes, not by what was when they began.

use std::cell::OnceCell;
use std::rc::Rc;

use crate::exchange::allowed::{Allowed, Standing};
use crate::exchange::decide::Questioner;
use crate::exchange::reply::ENDED;
use crate::exchange::session::Session;
use crate::exchange::{Exchange, Rest, State};
use crate::host::{Direction, Flow, Host, HostError};
use crate::metrics::Refused;
use crate::record::{Draft, Ending};
use gatehold_mcp::reply::{error_body, event};

/// Why a stream may not go on.
#[derive(Debug)]
pub(super) enum Over {
    /// The caller is not let in any more, for this reason.
    Ended(Refused, String),
    /// The host failed.
    Broken(HostError),
}

impl Exchange {
    /// Brings what an open answer is judged by up to date.
    ///
    /// # Errors
    /// When nothing more of it may pass.
    pub(super) fn review(&mut self, host: &dyn Host, allowed: &mut Allowed) -> Result<(), Over> {
        let ended = |class, reason: &str| Err(Over::Ended(class, reason.to_owned()));
        let changed = self.renew(allowed);
        if matches!(allowed.standing, Standing::No) {
            // A call goes on as it was decided; only what it may see follows the policy.
            return Ok(());
        }
        let now = host.now().map_err(Over::Broken)?;
        if now / 1_000_000_000 >= allowed.caller.identity.expires_at {
            return ended(
                Refused::Token,
                "the token has expired; open the stream again",
            );
        }
        let endpoint = match changed {
            Changed::Nothing => return Ok(()),
            Changed::Gone => {
                return ended(Refused::Policy, "the server is no longer governed here");
            }
            // The token itself is not kept, so that it cannot be verified again.
            Changed::Verification => {
                let reason = "what tokens are verified by has changed; open the stream again";
                return ended(Refused::Token, reason);
            }
            Changed::Policy => &allowed.endpoint,
        };
        let server = &endpoint.server;
        if let (Standing::Listen(request), Some(worker)) = (&allowed.standing, &self.worker) {
            let questioner = Questioner {
                server,
                caller: &allowed.caller,
                session: Session::None,
                era: allowed.era(),
                arguments: None,
                grant: None,
                headers: None,
                watched: None,
            };
            let mut scratch = Draft::new(worker, now, endpoint);
            if let Err(stop) = questioner.request(request, &mut scratch) {
                let refusal = stop.refusal();
                return Err(Over::Ended(refusal.class, refusal.reason));
            }
        }
        Ok(())
    }

    /// Takes the policy that is in force now, if it is another one.
    fn renew(&mut self, allowed: &mut Allowed) -> Changed {
        let now = self
            .worker
            .as_ref()
            .and_then(|worker| worker.snapshot.borrow().clone());
        let (Some(now), Some(before)) = (now, &self.snapshot) else {
            return Changed::Nothing;
        };
        if Rc::ptr_eq(&now, before) {
            return Changed::Nothing;
        }
        let found = now.named(&allowed.endpoint.server.name);
        self.snapshot = Some(now);
        match found {
            Some(endpoint) => {
                let same = endpoint.token_scope == allowed.endpoint.token_scope
                    && endpoint.server.shadow == allowed.endpoint.server.shadow;
                allowed.endpoint = endpoint;
                allowed.events = OnceCell::new();
                if same {
                    Changed::Policy
                } else {
                    Changed::Verification
                }
            }
            None => Changed::Gone,
        }
    }

    /// Ends an open answer: nothing of `size` bytes that have just come passes.
    pub(super) fn end_standing(
        &mut self,
        host: &dyn Host,
        allowed: &Allowed,
        size: usize,
        class: Refused,
        reason: &str,
    ) -> Flow {
        self.count_refused(host, class);
        self.record_end(host, allowed, class, reason);
        // Who listens waits for an answer, which this is. A stream of the server's own messages has none;
        // its client opens it again, with a token that holds.
        let last = match &allowed.standing {
            Standing::Listen(request) => event(&error_body(Some(&request.id), ENDED, reason, None)),
            Standing::Stream | Standing::No => return self.bar(host),
        };
        match host.replace_body(Direction::Response, size, &last) {
            Ok(()) => {
                self.state = State::Cut(Rest::Reset);
                Flow::Continue
            }
            Err(_) => self.bar(host),
        }
    }

    fn record_end(&self, host: &dyn Host, allowed: &Allowed, class: Refused, reason: &str) {
        let Some(mut draft) = self.standing_draft(host, allowed) else {
            return;
        };
        draft.refused(class, reason);
        let (code, status) = (ENDED, 200);
        self.finish(host, Some(draft), Ending::Refused { code, status });
    }

    /// The event of something that happens in an answer whose own event is recorded.
    pub(super) fn standing_draft(&self, host: &dyn Host, allowed: &Allowed) -> Option<Draft> {
        let worker = self.worker.as_ref()?;
        let mut draft = Draft::new(worker, host.now().unwrap_or(0), &allowed.endpoint);
        draft.identify(&allowed.caller);
        draft.era(allowed.era());
        match &allowed.standing {
            Standing::Listen(request) => draft.message(&request.method, Some(&request.id), None),
            Standing::Stream | Standing::No => draft.message("GET", None, None),
        }
        Some(draft)
    }
}

/// What has changed since an answer was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Changed {
    /// Nothing.
    Nothing,
    /// Something of the policy, perhaps of another server.
    Policy,
    /// Audiences, issuers or their keys, or whether any of it is enforced.
    Verification,
    /// The server is gone.
    Gone,
}
