//! What all routes share.

use std::fmt;
use std::sync::Arc;

use gatehold_approvals::{Approval, Person};
use gatehold_desk::{DeskError, Filter};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::sign_in::{HttpError, NoRandomness, Provider, Sessions, Tickets};
use crate::view::may_see;
use crate::{Approvals, ConsoleConfig, Fleet};

/// Approvals that are looked through at most for one page of those that somebody may see.
const MAX_SCAN: usize = 2000;
const SCAN: usize = 100;

/// The console. A clone shares everything.
#[derive(Clone)]
pub struct Console {
    inner: Arc<Inner>,
}

struct Inner {
    approvals: Arc<dyn Approvals>,
    fleet: Arc<dyn Fleet>,
    config: watch::Receiver<Option<Arc<ConsoleConfig>>>,
    sessions: Sessions,
    tickets: Tickets,
    provider: Provider,
    shutdown: CancellationToken,
}

/// Why there is no console.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// The HTTP client for the identity provider could not be made.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// Sessions could be guessed.
    #[error(transparent)]
    Random(#[from] NoRandomness),
}

/// One page of a list.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// What is on it.
    pub(crate) approvals: Vec<Approval>,
    /// Where the next one begins, if there is more.
    pub(crate) next: Option<String>,
}

impl Console {
    /// A console on these approvals and this fleet. `config` is what the documents say now, or nothing; streams end with
    /// `shutdown`.
    ///
    /// # Errors
    /// When the system gives no randomness, or no HTTP client can be made.
    pub fn new(
        approvals: Arc<dyn Approvals>,
        fleet: Arc<dyn Fleet>,
        config: watch::Receiver<Option<Arc<ConsoleConfig>>>,
        shutdown: CancellationToken,
    ) -> Result<Self, ConsoleError> {
        let inner = Inner {
            approvals,
            fleet,
            config,
            sessions: Sessions::default(),
            tickets: Tickets::new()?,
            provider: Provider::new()?,
            shutdown,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    pub(crate) fn approvals(&self) -> &dyn Approvals {
        &*self.inner.approvals
    }

    pub(crate) fn fleet(&self) -> &dyn Fleet {
        &*self.inner.fleet
    }

    /// What is in force now.
    pub(crate) fn config(&self) -> Option<Arc<ConsoleConfig>> {
        self.inner.config.borrow().clone()
    }

    pub(crate) fn sessions(&self) -> &Sessions {
        &self.inner.sessions
    }

    pub(crate) fn tickets(&self) -> &Tickets {
        &self.inner.tickets
    }

    pub(crate) fn provider(&self) -> &Provider {
        &self.inner.provider
    }

    pub(crate) fn shutdown(&self) -> &CancellationToken {
        &self.inner.shutdown
    }

    /// The approvals of a filter that this person may see.
    pub(crate) async fn visible(
        &self,
        person: &Person,
        mut filter: Filter,
    ) -> Result<Page, DeskError> {
        let wanted = filter.limit.max(1);
        filter.limit = SCAN.max(wanted + 1);
        let mut approvals: Vec<Approval> = Vec::new();
        let mut scanned = 0;
        loop {
            let found = self.approvals().list(filter.clone()).await?;
            let is_last = found.len() < filter.limit;
            scanned += found.len();
            filter.before = found.last().map(|approval| approval.id.to_string());
            approvals.extend(
                found
                    .into_iter()
                    .filter(|approval| may_see(approval, person)),
            );
            if approvals.len() > wanted {
                approvals.truncate(wanted);
                let next = approvals.last().map(|approval| approval.id.to_string());
                return Ok(Page { approvals, next });
            }
            if is_last {
                let next = None;
                return Ok(Page { approvals, next });
            }
            if scanned >= MAX_SCAN {
                let next = filter.before;
                return Ok(Page { approvals, next });
            }
        }
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Console(..)")
    }
}
