//! The handle of a desk.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gatehold_approvals::{Approval, ApprovalId, Command, State, Vote, VoteFailed};
use gatehold_store::{Reader, Store};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::actor::{Actor, Ask};
use crate::connection::{Connection, OUTBOX};
use crate::reason::one_line;
use crate::{Definition, DeskError, Earlier, Filter, Settings, VoteError};

/// Commands that wait for the desk; when it falls behind, filters wait.
const INBOX: usize = 1024;

/// Changes that a follower may be behind.
const CHANGES: usize = 4096;

/// Something has changed on an approval: its state, or a vote or a report came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Which.
    pub id: String,
    /// The state it has now.
    pub state: State,
    /// When.
    pub at_unix_millis: u64,
}

/// A handle of the desk. A clone is one to the same desk.
#[derive(Clone, Debug)]
pub struct Desk {
    asks: mpsc::Sender<Ask>,
    reader: Reader,
    changes: broadcast::Sender<Changed>,
    policies: Arc<watch::Sender<Option<HashMap<String, String>>>>,
    console: Arc<watch::Sender<Option<String>>>,
    generations: Arc<AtomicU64>,
}

impl Desk {
    /// Takes up the approvals in `store`, and works on the current tokio runtime until `shutdown`.
    ///
    /// # Errors
    /// When they can't be read.
    pub async fn open(
        store: &Store,
        settings: Settings,
        shutdown: CancellationToken,
    ) -> Result<Self, DeskError> {
        let (asks, inbox) = mpsc::channel(INBOX);
        let (changes, _) = broadcast::channel(CHANGES);
        let (policies, policy) = watch::channel(None);
        let (console, page) = watch::channel(None);
        let actor = Actor::open(store.clone(), settings, changes.clone(), policy, page).await?;
        tokio::spawn(actor.run(inbox, shutdown));
        Ok(Self {
            asks,
            reader: (**store).clone(),
            changes,
            policies: Arc::new(policies),
            console: Arc::new(console),
            generations: Arc::default(),
        })
    }

    /// Approvals, newest first.
    ///
    /// # Errors
    /// When they can't be read.
    pub async fn list(&self, filter: Filter) -> Result<Vec<Approval>, DeskError> {
        let approvals = self.reader.approvals(&filter).await?;
        self.with_waiting(approvals).await
    }

    /// One approval.
    ///
    /// # Errors
    /// When it can't be read.
    pub async fn get(&self, id: &str) -> Result<Option<Approval>, DeskError> {
        let approval = self.reader.approval(id).await?;
        Ok(self
            .with_waiting(approval.into_iter().collect())
            .await?
            .pop())
    }

    /// What became of other calls of the same server and target that were asked before this one, the last `limit` of
    /// them whole.
    ///
    /// # Errors
    /// When they can't be read.
    pub async fn earlier(&self, approval: &Approval, limit: usize) -> Result<Earlier, DeskError> {
        Ok(self.reader.earlier_approvals(approval, limit).await?)
    }

    /// What the tool was when a filter last saw it.
    ///
    /// # Errors
    /// When it can't be read.
    pub async fn definition(
        &self,
        server: &str,
        tool: &str,
    ) -> Result<Option<Definition>, DeskError> {
        Ok(self.reader.tool_definition(server, tool).await?)
    }

    /// Takes a vote, and gives the approval as it is after it. The reason is made one line of at most 500
    /// characters; the time of the vote is the desk's own.
    ///
    /// # Errors
    /// When the vote does not count, or could not be written down.
    pub async fn vote(&self, id: &str, mut vote: Vote) -> Result<Approval, VoteError> {
        vote.reason = one_line(&vote.reason);
        let command = Command::Vote {
            approval: ApprovalId::from_text(id),
            vote,
        };
        let (reply, answer) = oneshot::channel();
        self.ask(Ask::Vote { command, reply }).await?;
        let not_found = || VoteError::NotFound(id.to_owned());
        match answer.await.map_err(|_| DeskError::Closed)?? {
            Ok(()) => self.get(id).await?.ok_or_else(not_found),
            Err(VoteFailed::NotFound) => Err(not_found()),
            Err(VoteFailed::Refused(why)) => Err(why.into()),
        }
    }

    /// Each change, after it is on disk. Who lags has to load anew what it shows.
    pub fn changes(&self) -> broadcast::Receiver<Changed> {
        self.changes.subscribe()
    }

    /// A filter is there. Of several connections of one sender the last is the one that gets messages.
    ///
    /// # Errors
    /// When the desk is closed.
    pub async fn connect(&self, sender: &str, node: &str) -> Result<Connection, DeskError> {
        let (out, outbox) = mpsc::channel(OUTBOX);
        let connection = Connection {
            sender: sender.into(),
            generation: self.generations.fetch_add(1, Ordering::Relaxed),
            asks: self.asks.clone(),
            outbox,
        };
        tracing::debug!(sender, node, "a filter connected to the desk");
        self.ask(Ask::Connect {
            sender: connection.sender.clone(),
            generation: connection.generation,
            out,
        })
        .await?;
        Ok(connection)
    }

    /// Versions of the servers' policies that are in force now. Open approvals under others are superseded. To be
    /// called before filters are told of them.
    pub fn policy(&self, versions: HashMap<String, String>) {
        self.policies.send_if_modified(|in_force| {
            let is_new = in_force.as_ref() != Some(&versions);
            if is_new {
                *in_force = Some(versions);
            }
            is_new
        });
    }

    /// Where browsers reach the console, without a slash at the end; `None` when there is none.
    pub fn console(&self, url: Option<String>) {
        self.console.send_replace(url);
    }

    async fn with_waiting(&self, mut approvals: Vec<Approval>) -> Result<Vec<Approval>, DeskError> {
        if !approvals.iter().any(|approval| approval.state.is_open()) {
            return Ok(approvals);
        }
        let ids = approvals.iter().map(|approval| approval.id.clone());
        let (reply, answer) = oneshot::channel();
        let ids = ids.collect();
        self.ask(Ask::Waiting { ids, reply }).await?;
        let waiting = answer.await.map_err(|_| DeskError::Closed)?;
        for (approval, waiting) in approvals.iter_mut().zip(waiting) {
            // It may have ended since it was read.
            if approval.state.is_open() {
                approval.waiting = waiting;
            }
        }
        Ok(approvals)
    }

    async fn ask(&self, ask: Ask) -> Result<(), DeskError> {
        self.asks.send(ask).await.map_err(|_| DeskError::Closed)
    }
}
