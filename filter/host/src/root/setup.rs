//! What the root finds wrong with the set-up as time passes, and telling control of it.

use gatehold_wire::setup::SetupProblem;

use super::{Configured, LinkState, contact};
use crate::host::{Level, RootHost};

impl Configured {
    /// Looks at requests whose body does not come, and at whether control is heard of; tells control what is new.
    pub(super) fn look_around(&mut self, host: &dyn RootHost, now: u64) {
        let long = self.worker.setup.without_body();
        for place in &long {
            if let (Some(exchange), Ok(())) = (place.exchange.upgrade(), host.enter(place.context))
                && let Ok(mut exchange) = exchange.try_borrow_mut()
            {
                exchange.bodyless(host);
            }
        }
        if !long.is_empty() {
            self.come_back(host);
        }
        if self.contact.has_stayed() {
            self.heard(host);
        }
        if self.contact.tick() {
            self.worker.metrics.contact(host, now);
        }
        if self.contact.is_lost(now)
            && !self.worker.setup.has_seen(SetupProblem::ControlUnreachable)
        {
            self.unreachable(host);
        }
        if let LinkState::Open(stream) = self.push_stream.state
            && self.worker.setup.has_news()
        {
            let request = self.push.tell(self.worker.setup.news());
            if let Err(error) = host.send(stream, &request) {
                self.lost(host, now, stream, error);
            }
        }
    }

    /// Control has said something on the push stream.
    #[inline(never)]
    pub(super) fn heard(&mut self, host: &dyn RootHost) {
        if !self.contact.heard() {
            return;
        }
        let setup = &self.worker.setup;
        for problem in [
            SetupProblem::ControlUnreachable,
            SetupProblem::ControlRefuses,
        ] {
            setup.over(problem);
        }
        let cluster = &self.worker.config.control_cluster;
        host.log(
            Level::Info,
            &format!("gatehold: control in cluster `{cluster}` answers"),
        );
        if let Ok(now) = host.now() {
            self.worker.metrics.contact(host, now);
        }
    }

    #[cold]
    #[inline(never)]
    fn unreachable(&self, host: &dyn RootHost) {
        let line = format!(
            "gatehold: control in cluster `{}` has said nothing for 5 seconds ({}); requests are decided by what is in force, and refused where nothing is",
            self.worker.config.control_cluster,
            self.contact.last()
        );
        self.notice(host, SetupProblem::ControlUnreachable, &line);
    }

    /// The push stream has ended.
    #[cold]
    #[inline(never)]
    pub(super) fn push_ended(&mut self, host: &dyn RootHost, now: u64, status: u32) {
        let message = host.status_message().unwrap_or_default();
        let Some(words) = self.contact.ended(now, status, &message) else {
            return;
        };
        let cluster = &self.worker.config.control_cluster;
        let line =
            format!("gatehold: push stream to control in cluster `{cluster}` ended with {words}");
        if status == contact::REFUSED {
            self.notice(host, SetupProblem::ControlRefuses, &line);
        } else {
            host.log(Level::Warn, &line);
        }
    }

    #[cold]
    #[inline(never)]
    fn notice(&self, host: &dyn RootHost, problem: SetupProblem, line: &str) {
        let worker = &self.worker;
        worker.setup.notice(host, &worker.metrics, problem, line);
    }
}
