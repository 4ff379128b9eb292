//! What is needed of the desk.

use std::future::Future;

use gatehold_approvals::{Approval, State};
use gatehold_desk::{Changed, Desk, DeskError, Filter};
use tokio::sync::broadcast;

/// Where approvals are; the [`Desk`], and in tests something else.
pub trait Source: Clone + Send + Sync + 'static {
    /// Approvals in any of these states (any at all when there are none), newest first, from before the one with that
    /// id.
    fn page(
        &self,
        states: Vec<State>,
        before: Option<String>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Approval>, DeskError>> + Send;

    /// One approval.
    fn get(&self, id: &str) -> impl Future<Output = Result<Option<Approval>, DeskError>> + Send;

    /// What changes from now on.
    fn changes(&self) -> broadcast::Receiver<Changed>;
}

impl Source for Desk {
    async fn page(
        &self,
        states: Vec<State>,
        before: Option<String>,
        limit: usize,
    ) -> Result<Vec<Approval>, DeskError> {
        let filter = Filter {
            states,
            before,
            limit,
            ..Filter::default()
        };
        self.list(filter).await
    }

    async fn get(&self, id: &str) -> Result<Option<Approval>, DeskError> {
        Self::get(self, id).await
    }

    fn changes(&self) -> broadcast::Receiver<Changed> {
        Self::changes(self)
    }
}
