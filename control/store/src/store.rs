//! The store, as the process that writes it holds it.

use crate::schema;
use crate::secret::{self, Secret};
use crate::writer::{Job, Keep, Writer};
use crate::{AuditBatch, AuditEvent, Head, Reader, StoreError};
use gatehold_approvals::Change;
use sqlx::ConnectOptions as _;
use std::ops::Deref;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::{mpsc, oneshot};

/// Batches that wait for the writer; when it falls behind, senders wait.
const QUEUE: usize = 256;

/// The store, open to append; reads as a [`Reader`] does. A clone shares the one writer.
#[derive(Clone, Debug)]
pub struct Store {
    jobs: mpsc::Sender<Job>,
    reader: Reader,
    binding_key: Secret,
}

/// What became of a batch. Either way it is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It was stored now.
    Stored {
        /// Events of the batch itself, without a gap.
        events: u64,
        /// The end of the chain after the batch, or after others that were stored together with it.
        head: Head,
    },
    /// It was stored before, and nothing was done.
    Repeated,
}

impl Store {
    /// Opens the file, makes it when it is missing (not its directory), and starts the writer on the
    /// current tokio runtime.
    ///
    /// # Errors
    /// When the file can't be made, is no SQLite file, or has tables of a newer version.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        schema::create(path)?;
        let mut connection =
            schema::read_write(path)
                .connect()
                .await
                .map_err(|source| StoreError::Open {
                    path: path.to_owned(),
                    source,
                })?;
        schema::migrate(&mut connection, path).await?;
        let binding_key = secret::secret(&mut connection, "binding").await?;
        let reader = Reader::open(path).await?;
        let (jobs, queue) = mpsc::channel(QUEUE);
        tokio::spawn(Writer::new(connection).run(queue));
        Ok(Self {
            jobs,
            reader,
            binding_key,
        })
    }

    /// The secret that ties sessions and tasks to their callers: made with the file, then always the same.
    pub fn binding_key(&self) -> &Secret {
        &self.binding_key
    }

    /// Appends a batch; when this returns `Ok`, the batch is on disk, and stays there when the power goes.
    /// A batch is known by its sender and number: the same again changes nothing. The order of a batch's
    /// events is kept, and a batch is stored whole or not at all. A caller that stops waiting does not
    /// undo the append.
    ///
    /// # Errors
    /// When it could not be written; it may be appended again.
    pub async fn append(&self, batch: AuditBatch) -> Result<Appended, StoreError> {
        self.append_received(batch, SystemTime::now()).await
    }

    /// [`append`](Self::append) for a batch that was received at another time than now.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub async fn append_received(
        &self,
        batch: AuditBatch,
        received: SystemTime,
    ) -> Result<Appended, StoreError> {
        let since_epoch = received.duration_since(UNIX_EPOCH).unwrap_or_default();
        let received_unix_nanos = u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX);
        let (reply, answer) = oneshot::channel();
        self.send(
            Job::Append {
                batch,
                received_unix_nanos,
                reply,
            },
            answer,
        )
        .await?
    }

    /// Writes what the desk has done, and the audit events about it, together or not at all: when this returns `Ok`,
    /// all of it is on disk. With `purge` it also removes what nobody can ask for any more. Gives the end of the chain.
    ///
    /// # Errors
    /// When it could not be written; then nothing of it was.
    pub async fn keep(
        &self,
        changes: Vec<Change>,
        events: Vec<AuditEvent>,
        purge: bool,
    ) -> Result<Head, StoreError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default();
        let keep = Keep {
            changes,
            events,
            received_unix_nanos: u64::try_from(now.as_nanos()).unwrap_or(u64::MAX),
            purge: purge.then(|| u64::try_from(now.as_millis()).unwrap_or(u64::MAX)),
        };
        let (reply, answer) = oneshot::channel();
        self.send(Job::Keep { keep, reply }, answer).await?
    }

    /// Whether the store can be written, without writing to it; after a failure, by writing to it.
    ///
    /// # Errors
    /// Why not.
    pub async fn check(&self) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::Check { reply }, answer).await?
    }

    /// Stores what was appended before, ends the writer and closes the file, for all clones.
    pub async fn close(&self) {
        // The writer goes last: the last to close moves the log into the file, which a reader can't.
        self.reader.close().await;
        let (reply, answer) = oneshot::channel();
        // Fails only when it is closed already.
        let _ = self.send(Job::Close { reply }, answer).await;
    }

    async fn send<T>(&self, job: Job, answer: oneshot::Receiver<T>) -> Result<T, StoreError> {
        self.jobs.send(job).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)
    }
}

impl Deref for Store {
    type Target = Reader;

    fn deref(&self) -> &Reader {
        &self.reader
    }
}
