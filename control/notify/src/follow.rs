//! From what happens at the desk to messages in the outbox.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use gatehold_approvals::{Approval, State};
use gatehold_desk::{Changed, DeskError};
use gatehold_documents::{Documents, WebhookEvent, WebhookFormat};
use gatehold_store::{Changes, Notice, Noticed, Outbox, StoreError};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{Notify, watch};
use tracing::{error, warn};

use crate::message::message;
use crate::notifier::now_unix_millis;
use crate::slack::slack;
use crate::source::Source;
use crate::transitions::events;

/// Changes that share one transaction.
const GROUP: usize = 128;
/// Approvals that are asked for at a time.
const PAGE: usize = 200;
/// When the desk or the store fails, how long until they are asked again.
const PAUSE: Duration = Duration::from_secs(1);
/// What is over for longer is not told of when it was missed.
const MISSED: Duration = Duration::from_secs(24 * 3600);
/// Messages that are done are kept this long to know repetitions by.
const KEPT: Duration = Duration::from_secs(3 * 24 * 3600);

/// Why following stopped.
#[derive(Debug, thiserror::Error)]
enum FollowError {
    #[error(transparent)]
    Desk(#[from] DeskError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0} changes went by unseen")]
    Lagged(u64),
    #[error("there are no webhooks")]
    Nobody,
    /// The desk has ended.
    #[error("there will be no more changes")]
    Ended,
}

/// Follows the desk.
pub(crate) struct Follower<S> {
    source: S,
    outbox: Outbox,
    more: Arc<Notify>,
    documents: Option<Arc<Documents>>,
    /// Since when each webhook is told.
    since: HashMap<String, u64>,
    /// Open approvals as the webhooks last heard of them.
    open: HashMap<String, State>,
}

impl<S: Source> Follower<S> {
    pub(crate) fn new(source: S, outbox: Outbox, more: Arc<Notify>) -> Self {
        Self {
            source,
            outbox,
            more,
            documents: None,
            since: HashMap::new(),
            open: HashMap::new(),
        }
    }

    /// Follows until the desk ends; whatever fails is tried again.
    pub(crate) async fn run(mut self, documents: &mut watch::Receiver<Option<Arc<Documents>>>) {
        loop {
            match self.follow(documents).await {
                FollowError::Lagged(missed) => warn!(missed, "webhooks catch up"),
                FollowError::Nobody => {}
                FollowError::Ended => return,
                problem @ (FollowError::Desk(_) | FollowError::Store(_)) => {
                    error!(%problem, "webhooks are not told; trying again");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn follow(
        &mut self,
        documents: &mut watch::Receiver<Option<Arc<Documents>>>,
    ) -> FollowError {
        // Nothing is written while there is nobody to tell.
        while let Err(error) = self.adopt(documents).await {
            if !matches!(error, FollowError::Nobody) {
                return error;
            }
            if documents.changed().await.is_err() {
                return FollowError::Ended;
            }
        }
        // From before the look at what is there, so that nothing falls between.
        let mut changes = self.source.changes();
        if let Err(error) = self.catch_up().await {
            return error;
        }
        loop {
            let result = tokio::select! {
                biased;
                changed = documents.changed() => match changed {
                    Ok(()) => self.adopt(documents).await,
                    Err(_) => Err(FollowError::Ended),
                },
                changed = changes.recv() => match changed {
                    Ok(changed) => self.take(changed, &mut changes).await,
                    Err(RecvError::Lagged(missed)) => Err(FollowError::Lagged(missed)),
                    Err(RecvError::Closed) => Err(FollowError::Ended),
                },
            };
            if let Err(error) = result {
                return error;
            }
        }
    }

    /// Takes the documents in force.
    async fn adopt(
        &mut self,
        documents: &mut watch::Receiver<Option<Arc<Documents>>>,
    ) -> Result<(), FollowError> {
        self.documents = documents.borrow_and_update().clone();
        // Before the first documents it is not known which webhooks there are, so none is forgotten.
        let documents = self.documents.as_ref().ok_or(FollowError::Nobody)?;
        let webhooks = documents.webhooks.iter();
        let names: Vec<_> = webhooks.map(|webhook| webhook.name.clone()).collect();
        self.since = self.outbox.webhooks(&names, now_unix_millis()).await?;
        match names.is_empty() {
            true => Err(FollowError::Nobody),
            false => Ok(()),
        }
    }

    /// A change, and those that have come meanwhile.
    async fn take(
        &mut self,
        first: Changed,
        changes: &mut Receiver<Changed>,
    ) -> Result<(), FollowError> {
        let mut taken = vec![first];
        let mut missed = None;
        while taken.len() < GROUP {
            match changes.try_recv() {
                Ok(changed) => taken.push(changed),
                Err(TryRecvError::Lagged(count)) => {
                    missed = Some(count);
                    break;
                }
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        let mut kept = Changes::default();
        for changed in taken {
            if self.open.get(&changed.id) == Some(&changed.state) {
                // A vote that has not decided.
                continue;
            }
            if let Some(approval) = self.source.get(&changed.id).await? {
                self.tell(&approval, changed.state, changed.at_unix_millis, &mut kept);
            }
        }
        self.keep(kept).await?;
        missed.map_or(Ok(()), |count| Err(FollowError::Lagged(count)))
    }

    /// What has happened while nobody followed.
    async fn catch_up(&mut self) -> Result<(), FollowError> {
        let now = now_unix_millis();
        let noticed = self.outbox.noticed().await?;
        let newest = noticed
            .iter()
            .map(|noticed| noticed.created_unix_millis)
            .max();
        let known = noticed.into_iter().filter_map(|noticed| {
            let state = State::from_name(&noticed.state)?;
            Some((noticed.approval, state))
        });
        self.open = known.collect();
        let mut gone: Vec<String> = self.open.keys().cloned().collect();
        let is_open = vec![State::Pending, State::Approved];
        let mut before = None;
        loop {
            let page = self.source.page(is_open.clone(), before, PAGE).await?;
            let mut kept = Changes::default();
            for approval in &page {
                gone.retain(|id| id != approval.id.as_str());
                let at = approval
                    .decided_unix_millis
                    .unwrap_or(approval.created_unix_millis);
                self.tell(approval, approval.state, at, &mut kept);
            }
            self.keep(kept).await?;
            match page.last() {
                Some(last) if page.len() == PAGE => before = Some(last.id.as_str().to_owned()),
                _ => break,
            }
        }
        // Those that were open when they were last heard of.
        let mut kept = Changes::default();
        for id in gone {
            match self.source.get(&id).await? {
                Some(approval) => {
                    let at = approval.decided_unix_millis.unwrap_or(now);
                    self.tell(&approval, approval.state, at, &mut kept);
                }
                None => kept.over.push(id),
            }
        }
        self.keep(kept).await?;
        // Those that came and went unheard of, of which the outbox tells by their ids whether they were.
        let least = now.saturating_sub(millis(MISSED));
        let least = newest.map_or(least, |newest| newest.max(least));
        let mut before = None;
        loop {
            let page = self.source.page(Vec::new(), before, PAGE).await?;
            let mut kept = Changes::default();
            let missed = page
                .iter()
                .take_while(|approval| approval.created_unix_millis >= least);
            let missed: Vec<_> = missed.collect();
            for approval in &missed {
                if !approval.state.is_open() && !self.open.contains_key(approval.id.as_str()) {
                    let at = approval.decided_unix_millis.unwrap_or(now);
                    self.tell(approval, approval.state, at, &mut kept);
                }
            }
            self.keep(kept).await?;
            match page.last() {
                Some(last) if missed.len() == PAGE => before = Some(last.id.as_str().to_owned()),
                _ => break,
            }
        }
        self.outbox.forget(now.saturating_sub(millis(KEPT))).await?;
        Ok(())
    }

    /// Adds the messages for an approval that is in this state since `at`.
    fn tell(&mut self, approval: &Approval, state: State, at: u64, changes: &mut Changes) {
        let id = approval.id.as_str();
        for event in events(self.open.get(id).copied(), state) {
            let at = match event {
                WebhookEvent::Pending => approval.created_unix_millis,
                _ => at,
            };
            self.messages(approval, event, at, changes);
        }
        if state.is_open() {
            self.open.insert(id.to_owned(), state);
            changes.open.push(Noticed {
                approval: id.to_owned(),
                state: state.as_str().to_owned(),
                created_unix_millis: approval.created_unix_millis,
            });
        } else {
            self.open.remove(id);
            changes.over.push(id.to_owned());
        }
    }

    fn messages(&self, approval: &Approval, event: WebhookEvent, at: u64, changes: &mut Changes) {
        let Some(documents) = &self.documents else {
            return;
        };
        let now = now_unix_millis();
        let id = approval.id.as_str();
        let console = documents.console.as_deref();
        let page = console.map(|console| format!("{}/approvals/{id}", console.url));
        for webhook in &documents.webhooks {
            let is_later = self
                .since
                .get(&webhook.name)
                .is_some_and(|since| at >= *since);
            if !is_later || !webhook.wants(event, &approval.call.server) {
                continue;
            }
            let body = match webhook.format {
                WebhookFormat::Gatehold => message(event, approval, page.as_deref(), now),
                WebhookFormat::Slack => slack(event, approval, page.as_deref()),
            };
            changes.notices.push(Notice {
                webhook: webhook.name.clone(),
                id: format!("{id}.{}", event.as_str()),
                body: body.to_string(),
                created_unix_millis: now,
                attempts: 0,
                due_unix_millis: now,
            });
        }
    }

    async fn keep(&self, changes: Changes) -> Result<(), FollowError> {
        let Changes {
            notices,
            open,
            over,
        } = &changes;
        if notices.is_empty() && open.is_empty() && over.is_empty() {
            return Ok(());
        }
        self.outbox.keep(&changes).await?;
        if !notices.is_empty() {
            self.more.notify_waiters();
        }
        Ok(())
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
