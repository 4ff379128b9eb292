//! What the console needs of the desk.

use async_trait::async_trait;
use gatehold_approvals::{Approval, Vote};
use gatehold_desk::{Changed, Definition, Desk, DeskError, Earlier, Filter, VoteError};
use tokio::sync::broadcast;

/// The approvals, as [`Desk`] keeps them; tests have others.
#[async_trait]
pub trait Approvals: Send + Sync + 'static {
    /// Approvals, newest first.
    async fn list(&self, filter: Filter) -> Result<Vec<Approval>, DeskError>;
    /// One approval.
    async fn get(&self, id: &str) -> Result<Option<Approval>, DeskError>;
    /// What became of other calls of the same server and target.
    async fn earlier(&self, approval: &Approval, limit: usize) -> Result<Earlier, DeskError>;
    /// What the tool is.
    async fn definition(&self, server: &str, tool: &str) -> Result<Option<Definition>, DeskError>;
    /// Takes a vote, and gives the approval as it is after it.
    async fn vote(&self, id: &str, vote: Vote) -> Result<Approval, VoteError>;
    /// Each change, once it is on disk.
    fn changes(&self) -> broadcast::Receiver<Changed>;
}

#[async_trait]
impl Approvals for Desk {
    async fn list(&self, filter: Filter) -> Result<Vec<Approval>, DeskError> {
        Self::list(self, filter).await
    }

    async fn get(&self, id: &str) -> Result<Option<Approval>, DeskError> {
        Self::get(self, id).await
    }

    async fn earlier(&self, approval: &Approval, limit: usize) -> Result<Earlier, DeskError> {
        Self::earlier(self, approval, limit).await
    }

    async fn definition(&self, server: &str, tool: &str) -> Result<Option<Definition>, DeskError> {
        Self::definition(self, server, tool).await
    }

    async fn vote(&self, id: &str, vote: Vote) -> Result<Approval, VoteError> {
        Self::vote(self, id, vote).await
    }

    fn changes(&self) -> broadcast::Receiver<Changed> {
        Self::changes(self)
    }
}
