//! Where a stream takes what it sends.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::watch;

use crate::{Connection, Resources};

/// What is in force; `None` until something could be compiled, and until then clients get nothing.
pub type Snapshot = Option<Arc<Resources>>;

/// What one client is to hold, and when that may have changed.
pub(crate) trait Source: Send + 'static {
    /// Waits until [`Source::now`] may say something else; `false` when it never will again.
    fn changed(&mut self) -> impl Future<Output = bool> + Send;

    /// What the client is to hold now. Nothing when it is to keep what it has.
    fn now(&mut self, client: &Connection) -> Option<Arc<Resources>>;

    /// The stream has ended; whether what was sent last went out.
    fn ended(&mut self, _was_sent: bool) {}
}

/// The same for all clients.
impl Source for watch::Receiver<Snapshot> {
    async fn changed(&mut self) -> bool {
        watch::Receiver::changed(self).await.is_ok()
    }

    fn now(&mut self, _: &Connection) -> Option<Arc<Resources>> {
        self.borrow_and_update().clone()
    }
}
