//! The handle of a desk.

use std::collections::HashMap;

use gatehold_approvals::{Approval, State, Vote};
use gatehold_store::Store;
use gatehold_wire::hold::{FromFilter, ToFilter};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use crate::{DeskError, Settings, VoteError};

/// Which approvals to list. What is empty or `None` does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Any of these states.
    pub states: Vec<State>,
    /// The server's name.
    pub server: Option<String>,
    /// The user who asked.
    pub user: Option<String>,
    /// A part of target, arguments, user or agent, whatever its case.
    pub text: Option<String>,
    /// Only those older than the approval with this id: where the page before ended.
    pub before: Option<String>,
    /// At most this many; 0 means 100.
    pub limit: usize,
}

/// What is known of earlier calls of the same target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Earlier {
    /// How many were approved, used or not.
    pub approved: u64,
    /// How many were denied.
    pub denied: u64,
    /// How many came to something else, or are pending.
    pub other: u64,
    /// The newest, newest first.
    pub last: Vec<Approval>,
}

/// A tool as its server describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// SHA-256 of the canonical definition.
    pub digest: [u8; 32],
    /// The canonical definition; empty when it is larger than 64 KiB.
    pub json: String,
    /// When it was first seen like this.
    pub seen_unix_millis: u64,
}

/// Something has changed on an approval: its state, or a vote came.
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
    changes: broadcast::Sender<Changed>,
}

/// A filter that is connected. Dropped, it is disconnected.
#[derive(Debug)]
pub struct Connection {}

impl Desk {
    /// Takes up the approvals in `store`, and works on the current tokio runtime until `shutdown`.
    ///
    /// # Errors
    /// When they can't be read.
    pub async fn open(
        _store: &Store,
        _settings: Settings,
        _shutdown: CancellationToken,
    ) -> Result<Self, DeskError> {
        let (changes, _) = broadcast::channel(1024);
        Ok(Self { changes })
    }

    /// Approvals, newest first.
    ///
    /// # Errors
    /// When they can't be read.
    pub async fn list(&self, _filter: Filter) -> Result<Vec<Approval>, DeskError> {
        Err(DeskError::Closed)
    }

    /// One approval.
    ///
    /// # Errors
    /// When it can't be read.
    pub async fn get(&self, _id: &str) -> Result<Option<Approval>, DeskError> {
        Err(DeskError::Closed)
    }

    /// What became of other calls of the same server and target, the last `limit` of them whole.
    ///
    /// # Errors
    /// When they can't be read.
    pub async fn earlier(&self, _approval: &Approval, _limit: usize) -> Result<Earlier, DeskError> {
        Err(DeskError::Closed)
    }

    /// What the tool was when a filter last saw it.
    ///
    /// # Errors
    /// When it can't be read.
    pub async fn definition(
        &self,
        _server: &str,
        _tool: &str,
    ) -> Result<Option<Definition>, DeskError> {
        Err(DeskError::Closed)
    }

    /// Takes a vote, and gives the approval as it is after it. The reason is made one line of at most 500
    /// characters; the time of the vote is the desk's own.
    ///
    /// # Errors
    /// When the vote does not count, or could not be written down.
    pub async fn vote(&self, id: &str, _vote: Vote) -> Result<Approval, VoteError> {
        Err(VoteError::NotFound(id.to_owned()))
    }

    /// Each change, after it is on disk. Who lags has to load anew what it shows.
    pub fn changes(&self) -> broadcast::Receiver<Changed> {
        self.changes.subscribe()
    }

    /// A filter is there. Of several connections of one sender the last is the one that gets messages.
    pub async fn connect(&self, _sender: &str, _node: &str) -> Result<Connection, DeskError> {
        Err(DeskError::Closed)
    }

    /// Versions of the servers' policies that are in force now. Open approvals under others are superseded.
    pub fn policy(&self, _versions: HashMap<String, String>) {}

    /// Where browsers reach the console, without a slash at the end; `None` when there is none.
    pub fn console(&self, _url: Option<String>) {}
}

impl Connection {
    /// Takes a message of the filter; waits while the desk has much to do.
    ///
    /// # Errors
    /// When the desk has closed the connection.
    pub async fn send(&self, _message: FromFilter) -> Result<(), DeskError> {
        Err(DeskError::Closed)
    }

    /// The next message to the filter; `None` when the filter has to connect again.
    pub async fn next(&mut self) -> Option<ToFilter> {
        None
    }
}
