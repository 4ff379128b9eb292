//! What the filter finds wrong with how it was set up. Each problem is logged and counted once per root, and told to
//! control; what it makes of requests is up to who found it.

use std::cell::{Cell, RefCell};
use std::fmt;

use gatehold_wire::setup::{
    ENVOY_WORD, HEADERS_WORD, PROBLEM_WORD, PROTOCOL, PROTOCOL_WORD, SetupProblem, WORKER_WORD,
};

use crate::config::HoldHeaders;
use crate::hold::Place;
use crate::host::{Direction, Host, HostError, Level};
use crate::metrics::Metrics;

/// What is said to a request whose body came without the filter being told, and in the log.
pub const HEADERS_NOT_HELD: &str = "gatehold is not set up right: its configuration says `hold_headers: true`, but `allow_on_headers_stop_iteration` is not set for it in Envoy; set it, or `hold_headers: false`";
/// What is said to a request that another copy has let through, and in the log.
pub const TWO_COPIES: &str = "gatehold is not set up right: two copies of it are on this path, and the other one has judged the request already; remove one of them";

/// Release of an Envoy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EnvoyVersion(pub [u64; 3]);

impl fmt::Display for EnvoyVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([major, minor, patch]) = self;
        write!(f, "{major}.{minor}.{patch}")
    }
}

impl EnvoyVersion {
    /// The oldest that knows `FAIL_RELOAD`.
    const OLDEST: Self = Self([1, 33, 0]);
    /// The oldest that knows `allow_on_headers_stop_iteration`.
    const HOLDS: Self = Self([1, 35, 0]);

    /// What the host says it is; nothing where it does not.
    #[cold]
    #[inline(never)]
    pub fn of(host: &dyn Host) -> Option<Self> {
        let mut version = [0; 3];
        for (part, field) in version
            .iter_mut()
            .zip(["major_number", "minor_number", "patch"])
        {
            let path = ["xds", "node", "user_agent_build_version", "version", field];
            let bytes = host.property(&path).ok()?;
            *part = u64::from_le_bytes(bytes.try_into().ok()?);
        }
        // An Envoy with a version string of its own says nothing that can be compared.
        let [major, ..] = version;
        (major > 0).then_some(Self(version))
    }

    /// What is wrong with it, for a filter that is set up so.
    #[cold]
    #[inline(never)]
    fn problem(self, headers: HoldHeaders) -> Option<String> {
        let (least, cure) = match headers {
            HoldHeaders::Hold => (Self::HOLDS, ", or set `hold_headers: false`"),
            HoldHeaders::GoAhead => (Self::OLDEST, ""),
        };
        (self < least).then(|| {
            format!("gatehold is not set up right: this Envoy is {self}, and it needs {least} or newer; upgrade Envoy{cure}")
        })
    }
}

/// A request whose headers are held, and that no body has come of yet.
#[derive(Debug)]
struct Bodyless {
    place: Place,
    ticks: u8,
}

/// Ticks after which a request is looked at of which nothing but headers has come.
const PATIENCE: u8 = 10;

/// What one root knows of its set-up.
#[derive(Debug, Default)]
pub struct Setup {
    envoy: Option<EnvoyVersion>,
    /// Why no request is let through.
    refuses: Option<String>,
    seen: Cell<u8>,
    news: RefCell<Vec<SetupProblem>>,
    bodyless: RefCell<Vec<Bodyless>>,
}

impl Setup {
    /// Looks at what can be known from the start.
    pub fn new(host: &dyn Host, metrics: &Metrics, headers: HoldHeaders) -> Self {
        let envoy = EnvoyVersion::of(host);
        let refuses = envoy.and_then(|envoy| envoy.problem(headers));
        let setup = Self {
            envoy,
            refuses,
            ..Self::default()
        };
        if let Some(reason) = &setup.refuses {
            setup.notice(host, metrics, SetupProblem::EnvoyTooOld, reason);
        }
        setup
    }

    /// Why no request may be let through, if it is so.
    pub fn refuses(&self) -> Option<&str> {
        self.refuses.as_deref()
    }

    /// Notes a problem; the first time it is logged and counted, and `true`.
    #[cold]
    #[inline(never)]
    pub fn notice(
        &self,
        host: &dyn Host,
        metrics: &Metrics,
        problem: SetupProblem,
        text: &str,
    ) -> bool {
        let bit = 1 << problem as u8;
        let seen = self.seen.replace(self.seen.get() | bit);
        if seen & bit != 0 {
            return false;
        }
        host.log(Level::Error, text);
        metrics.problem(host, problem);
        // That control was away is no news to it.
        if problem < SetupProblem::ControlUnreachable {
            self.news.borrow_mut().push(problem);
        }
        true
    }

    /// Whether this problem was noticed, and is not over.
    pub fn has_seen(&self, problem: SetupProblem) -> bool {
        self.seen.get() & (1 << problem as u8) != 0
    }

    /// Whether there is something that control has not been told of yet.
    pub fn has_news(&self) -> bool {
        !self.news.borrow().is_empty()
    }

    /// Forgets a problem that is over, so that it counts again when it comes back.
    pub fn over(&self, problem: SetupProblem) {
        self.seen.set(self.seen.get() & !(1 << problem as u8));
    }

    /// What control has not been told of yet, as words.
    #[cold]
    #[inline(never)]
    pub fn news(&self) -> Vec<String> {
        let news = std::mem::take(&mut *self.news.borrow_mut());
        let words = news.iter();
        words
            .map(|problem| format!("{PROBLEM_WORD}{}", problem.name()))
            .collect()
    }

    /// What the filter is, as words for control.
    #[cold]
    #[inline(never)]
    pub fn words(&self, headers: HoldHeaders, worker: &str) -> Vec<String> {
        let headers = match headers {
            HoldHeaders::Hold => "held",
            HoldHeaders::GoAhead => "ahead",
        };
        let mut words = vec![
            format!("{PROTOCOL_WORD}{PROTOCOL}"),
            format!("{HEADERS_WORD}{headers}"),
            format!("{WORKER_WORD}{worker}"),
        ];
        words.extend(self.envoy.map(|envoy| format!("{ENVOY_WORD}{envoy}")));
        words
    }

    /// Watches a request of which only headers have come.
    pub fn watch(&self, place: Place) {
        self.bodyless
            .borrow_mut()
            .push(Bodyless { place, ticks: 0 });
    }

    /// A tick: forgets those that are no longer without a body, and gives those that have been for long.
    pub fn without_body(&self) -> Vec<Place> {
        let mut long = Vec::new();
        self.bodyless.borrow_mut().retain_mut(|bodyless| {
            let exchange = bodyless.place.exchange.upgrade();
            let waits = exchange
                .is_some_and(|it| it.try_borrow().is_ok_and(|exchange| exchange.is_bodyless()));
            bodyless.ticks += 1;
            if waits && bodyless.ticks == PATIENCE {
                bodyless.ticks = 0;
                long.push(bodyless.place.clone());
            }
            waits
        });
        long
    }
}

/// Whether some of the request's body has come to Envoy, be it that this filter was not told. The host counts what
/// came with the headers as they are now.
///
/// # Errors
/// The host's.
#[cold]
#[inline(never)]
pub fn body_came(host: &dyn Host) -> Result<bool, HostError> {
    let total = host.property(&["request", "total_size"])?;
    let Ok(total) = total.try_into().map(u64::from_le_bytes) else {
        return Ok(false);
    };
    let headers = host.headers(Direction::Request)?;
    let headers: usize = headers
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    Ok(total > headers as u64)
}

#[cfg(test)]
#[path = "setup_tests.rs"]
mod tests;
