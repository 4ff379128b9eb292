//! The one task that owns the book.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gatehold_approvals::{Applied, ApprovalId, Book, Change, Command, Effect, State, VoteFailed};
use gatehold_store::{AuditEvent, Store, StoreError};
use gatehold_wire::hold::ToFilter;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::wire::{self, Stored};
use crate::{Changed, DeskError, Settings, audit};

/// Commands that share one transaction.
const GROUP: usize = 256;

/// Time between two looks for what nobody can ask for any more.
const PURGE: Duration = Duration::from_secs(15 * 60);

/// Time between two tries to read what is written, after a failure.
const RETRY: Duration = Duration::from_secs(1);

/// The clock may be set: time is looked at at least this often.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

type VoteReply = oneshot::Sender<Result<Result<(), VoteFailed>, DeskError>>;

/// What the desk is asked.
#[derive(Debug)]
pub(crate) enum Ask {
    Connect {
        sender: Arc<str>,
        generation: u64,
        out: mpsc::Sender<ToFilter>,
    },
    Disconnect {
        sender: Arc<str>,
        generation: u64,
    },
    Command(Command),
    /// A message that needs no command.
    Say {
        sender: Arc<str>,
        generation: u64,
        message: ToFilter,
    },
    Vote {
        command: Command,
        reply: VoteReply,
    },
    Waiting {
        ids: Vec<ApprovalId>,
        reply: oneshot::Sender<Vec<u32>>,
    },
}

/// A filter that is connected.
#[derive(Debug)]
struct Peer {
    generation: u64,
    /// `None` when it was too slow, and is to connect anew.
    out: Option<mpsc::Sender<ToFilter>>,
}

pub(crate) struct Actor {
    store: Store,
    settings: Settings,
    book: Book,
    peers: HashMap<Arc<str>, Peer>,
    changes: broadcast::Sender<Changed>,
    policies: watch::Receiver<Option<HashMap<String, String>>>,
    console: watch::Receiver<Option<String>>,
}

/// What was done and is not written yet.
#[derive(Default)]
struct Work {
    changes: Vec<Change>,
    events: Vec<AuditEvent>,
    effects: Vec<Effect>,
    news: Vec<(ApprovalId, State)>,
    moved: Vec<State>,
    claimed: Vec<u64>,
    votes: Vec<(VoteReply, Result<(), VoteFailed>)>,
    waiting: Vec<(Vec<ApprovalId>, oneshot::Sender<Vec<u32>>)>,
}

impl Actor {
    pub(crate) async fn open(
        store: Store,
        settings: Settings,
        changes: broadcast::Sender<Changed>,
        policies: watch::Receiver<Option<HashMap<String, String>>>,
        console: watch::Receiver<Option<String>>,
    ) -> Result<Self, DeskError> {
        let book = read(&store, &settings).await?;
        settings.observer.open(book.counts());
        Ok(Self {
            store,
            settings,
            book,
            peers: HashMap::new(),
            changes,
            policies,
            console,
        })
    }

    pub(crate) async fn run(mut self, mut inbox: mpsc::Receiver<Ask>, shutdown: CancellationToken) {
        let mut asks = Vec::with_capacity(GROUP);
        let mut purge_at = Instant::now();
        loop {
            let pause = self.pause();
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                Ok(()) = self.policies.changed() => self.policies.mark_changed(),
                count = inbox.recv_many(&mut asks, GROUP) => {
                    if count == 0 {
                        return;
                    }
                }
                () = sleep(pause) => {}
                () = sleep_until(purge_at) => {}
            }
            let purge = purge_at <= Instant::now();
            if purge {
                purge_at = Instant::now() + PURGE;
            }
            let done = self.work(&mut asks, purge).await;
            if let Err(problem) = done {
                error!(%problem, "the desk could not write; filters connect anew, and nothing was decided");
                self.settings.observer.failed();
                asks.clear();
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    () = self.start_anew() => {}
                }
            }
        }
    }

    /// Until something happens by itself.
    fn pause(&self) -> Duration {
        let due = self.book.next_due().map(|due| due.saturating_sub(now()));
        due.map_or(LONGEST_SLEEP, |millis| {
            Duration::from_millis(millis.max(1)).min(LONGEST_SLEEP)
        })
    }

    async fn work(&mut self, asks: &mut Vec<Ask>, purge: bool) -> Result<(), DeskError> {
        let mut work = Work::default();
        // Before the commands: a filter that has a new policy says so after the policy was told here.
        if self.policies.has_changed().unwrap_or(false) {
            let versions = self.policies.borrow_and_update().clone();
            if let Some(versions) = versions {
                self.apply(Command::Policy(versions), &mut work).await?;
            }
        }
        for ask in asks.drain(..) {
            self.take(ask, &mut work).await?;
        }
        self.apply(Command::Tick, &mut work).await?;
        if work.changes.is_empty() && work.events.is_empty() && !purge {
            self.tell(work).await?;
            return Ok(());
        }
        let changes = std::mem::take(&mut work.changes);
        let events = std::mem::take(&mut work.events);
        let count = events.len() as u64;
        match self.store.keep(changes, events, purge).await {
            Ok(head) => {
                self.settings.observer.written(count, head.sequence);
                self.tell(work).await
            }
            Err(problem) => {
                for (reply, _) in work.votes {
                    let _ = reply.send(Err(DeskError::Write(problem.to_string())));
                }
                Err(problem.into())
            }
        }
    }

    async fn take(&mut self, ask: Ask, work: &mut Work) -> Result<(), DeskError> {
        match ask {
            Ask::Connect {
                sender,
                generation,
                out,
            } => {
                let out = Some(out);
                self.peers.insert(sender.clone(), Peer { generation, out });
                self.apply(Command::Back { sender }, work).await?;
            }
            Ask::Disconnect { sender, generation } => {
                let peer = self.peers.get(&sender);
                if peer.is_some_and(|peer| peer.generation == generation) {
                    self.peers.remove(&sender);
                    self.apply(Command::Gone { sender }, work).await?;
                }
            }
            Ask::Command(command) => {
                self.apply(command, work).await?;
            }
            Ask::Say {
                sender,
                generation,
                message,
            } => {
                let peer = self.peers.get_mut(&sender);
                if let Some(peer) = peer.filter(|peer| peer.generation == generation) {
                    peer.send(&sender, message);
                }
            }
            Ask::Vote { command, reply } => {
                if let Some(came) = self.apply(command, work).await? {
                    work.votes.push((reply, came));
                }
            }
            Ask::Waiting { ids, reply } => work.waiting.push((ids, reply)),
        }
        Ok(())
    }

    async fn apply(
        &mut self,
        command: Command,
        work: &mut Work,
    ) -> Result<Option<Result<(), VoteFailed>>, DeskError> {
        if let Some(lacking) = self.book.lacks(&command)
            && let Some(saved) = self.store.saved_approval(lacking).await?
        {
            self.book.take_up(saved, now());
        }
        let now = now();
        let Applied {
            changes,
            events,
            effects,
            news,
            vote,
            claimed_after_millis,
        } = self.book.apply(command, now);
        for change in changes {
            match &change {
                Change::Created { approval, .. } => work.moved.push(approval.state),
                Change::Moved { state, .. } => work.moved.push(*state),
                _ => {}
            }
            work.changes.push(change);
        }
        for event in events {
            work.events.push(audit::event(event, now)?);
        }
        work.effects.extend(effects);
        work.news.extend(news);
        work.claimed.extend(claimed_after_millis);
        Ok(vote)
    }

    /// Says what follows from what is on disk now.
    async fn tell(&mut self, work: Work) -> Result<(), DeskError> {
        for (reply, came) in work.votes {
            let _ = reply.send(Ok(came));
        }
        let console = self.console.borrow().clone();
        for effect in work.effects {
            let Some(peer) = self.peers.get_mut(&effect.to) else {
                continue;
            };
            let stored = match wire::needs(&effect.say) {
                Some(approval) => stored(&self.store, approval).await?,
                None => Stored::default(),
            };
            let to = effect.to.clone();
            peer.send(&to, wire::message(effect, stored, console.as_deref()));
        }
        let observer = &self.settings.observer;
        let at_unix_millis = now();
        for state in work.moved {
            observer.moved(state);
        }
        for (id, state) in work.news {
            // Nobody may be following.
            let _ = self.changes.send(Changed {
                id: id.to_string(),
                state,
                at_unix_millis,
            });
        }
        for millis in work.claimed {
            observer.claimed(Duration::from_millis(millis));
        }
        observer.open(self.book.counts());
        for (ids, reply) in work.waiting {
            let waiting = ids.iter().map(|id| self.book.waiting(id)).collect();
            let _ = reply.send(waiting);
        }
        Ok(())
    }

    /// Goes back to what is written. All filters have to connect anew, and then say again what they need.
    async fn start_anew(&mut self) {
        self.peers.clear();
        loop {
            match read(&self.store, &self.settings).await {
                Ok(book) => {
                    self.book = book;
                    // What is in force is still in force.
                    self.policies.mark_changed();
                    info!("the desk has read its approvals anew");
                    return;
                }
                Err(problem) => {
                    error!(%problem, "the desk can't read its approvals; it tries again");
                    sleep(RETRY).await;
                }
            }
        }
    }
}

impl Peer {
    fn send(&mut self, sender: &str, message: ToFilter) {
        let Some(out) = &self.out else { return };
        if let Err(mpsc::error::TrySendError::Full(_)) = out.try_send(message) {
            warn!(sender, "a filter reads too slowly; it has to connect anew");
            self.out = None;
        }
    }
}

async fn stored(store: &Store, approval: &ApprovalId) -> Result<Stored, StoreError> {
    let task = store.task(approval).await?;
    Ok(task.map_or_else(Stored::default, |(body, result)| Stored {
        body,
        result: result.unwrap_or_default(),
    }))
}

/// The book as it is written.
async fn read(store: &Store, settings: &Settings) -> Result<Book, StoreError> {
    let now = now();
    let mut book = Book::new(settings.limits.clone(), now);
    for (server, tool, digest) in store.tool_digests().await? {
        book.take_up_definition(&server, &tool, digest);
    }
    let ended_after = now.saturating_sub(settings.limits.ended);
    for saved in store.live_approvals(ended_after).await? {
        book.take_up(saved, now);
    }
    Ok(book)
}

/// Milliseconds since the Unix epoch.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let millis = since.unwrap_or_default().as_millis();
    u64::try_from(millis).unwrap_or(u64::MAX)
}
