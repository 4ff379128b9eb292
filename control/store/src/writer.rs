//! The one task that writes, so that the chain is linear.

use crate::head::Head;
use crate::reader::read_head;
use crate::record::{Record, records};
use crate::{Appended, AuditBatch, StoreError};
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, Executor as _};
use tokio::sync::{mpsc, oneshot};

/// Jobs that share one transaction, and so one wait for the disk.
const GROUP: usize = 64;

type Reply<T> = oneshot::Sender<T>;

pub(crate) enum Job {
    Append {
        batch: AuditBatch,
        received_unix_nanos: u64,
        reply: Reply<Result<Appended, StoreError>>,
    },
    Check {
        reply: Reply<Result<(), StoreError>>,
    },
    Close {
        reply: Reply<()>,
    },
}

/// A batch that waits for its transaction.
struct Append {
    batch: AuditBatch,
    received_unix_nanos: u64,
    reply: Reply<Result<Appended, StoreError>>,
}

pub(crate) struct Writer {
    connection: SqliteConnection,
    /// The last write did not succeed.
    failed: bool,
}

impl Writer {
    pub(crate) fn new(connection: SqliteConnection) -> Self {
        Self {
            connection,
            failed: false,
        }
    }

    /// Does jobs until one says to close, or nobody is left to give any.
    pub(crate) async fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        let mut jobs = Vec::with_capacity(GROUP);
        while queue.recv_many(&mut jobs, GROUP).await > 0 {
            let (mut appends, mut checks, mut close) = (Vec::new(), Vec::new(), Vec::new());
            for job in jobs.drain(..) {
                match job {
                    Job::Append {
                        batch,
                        received_unix_nanos,
                        reply,
                    } => {
                        appends.push(Append {
                            batch,
                            received_unix_nanos,
                            reply,
                        });
                    }
                    Job::Check { reply } => checks.push(reply),
                    Job::Close { reply } => close.push(reply),
                }
            }
            self.append(appends).await;
            self.check(checks).await;
            if !close.is_empty() {
                // From here on everybody who appends learns that the store is closed.
                drop(queue);
                // What is committed is on disk whether or not the file closes well.
                let _ = self.connection.close().await;
                for reply in close {
                    let _ = reply.send(());
                }
                return;
            }
        }
    }

    async fn append(&mut self, group: Vec<Append>) {
        if group.is_empty() {
            return;
        }
        let (mut batches, mut replies) = (Vec::new(), Vec::new());
        for Append {
            batch,
            received_unix_nanos,
            reply,
        } in group
        {
            batches.push((batch, received_unix_nanos));
            replies.push(reply);
        }
        // A sender that stopped waiting does not care for its answer.
        match store(&mut self.connection, batches).await {
            Ok(answers) => {
                self.failed = false;
                for (reply, appended) in replies.into_iter().zip(answers) {
                    let _ = reply.send(Ok(appended));
                }
            }
            Err(error) => {
                self.failed = true;
                for reply in replies {
                    let _ = reply.send(Err(StoreError::Write(error.to_string())));
                }
            }
        }
    }

    async fn check(&mut self, replies: Vec<Reply<Result<(), StoreError>>>) {
        if replies.is_empty() {
            return;
        }
        let done = probe(&mut self.connection, self.failed).await;
        self.failed &= done.is_err();
        for reply in replies {
            let done = done
                .as_ref()
                .map_err(|error| StoreError::Write(error.to_string()));
            let _ = reply.send(done.copied());
        }
    }
}

/// Stores the batches in one transaction; an error means that none of them is stored.
async fn store(
    connection: &mut SqliteConnection,
    batches: Vec<(AuditBatch, u64)>,
) -> Result<Vec<Appended>, sqlx::Error> {
    // Immediate: another process that writes must be waited for before the head is read, not after.
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let mut head = read_head(&mut transaction).await?;
    let mut stored = Vec::with_capacity(batches.len());
    for (batch, received_unix_nanos) in batches {
        if is_stored(&mut transaction, &batch).await? {
            stored.push(None);
            continue;
        }
        stored.push(Some(batch.events.len()));
        let records = records(batch, received_unix_nanos);
        // A batch of nothing leaves no trace: to store it again does no harm.
        head.batches += u64::from(!records.is_empty());
        for mut record in records {
            head.sequence += 1;
            record.sequence = head.sequence;
            record.previous_hash = head.hash;
            head.hash = record.hash();
            head.dropped = head.dropped.saturating_add(record.dropped);
            insert(&mut transaction, &record, &head).await?;
        }
    }
    write_head(&mut transaction, &head).await?;
    transaction.commit().await?;
    Ok(stored
        .into_iter()
        .map(|events| match events {
            Some(events) => Appended::Stored {
                events: events as u64,
                head: head.clone(),
            },
            None => Appended::Repeated,
        })
        .collect())
}

/// Takes the lock to write; writes as well when `for_real`.
async fn probe(connection: &mut SqliteConnection, for_real: bool) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let head = read_head(&mut transaction).await?;
    if for_real {
        write_head(&mut transaction, &head).await?;
        return transaction.commit().await;
    }
    transaction.rollback().await
}

async fn is_stored(
    connection: &mut SqliteConnection,
    batch: &AuditBatch,
) -> Result<bool, sqlx::Error> {
    let query = sqlx::query(
        "SELECT 1 FROM audit_event WHERE sender = ? AND batch = ? AND position = 0 LIMIT 1",
    );
    let row = query.bind(&batch.sender).bind(batch.batch.cast_signed());
    Ok(connection.fetch_optional(row).await?.is_some())
}

async fn write_head(connection: &mut SqliteConnection, head: &Head) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE audit_head SET sequence = ?, hash = ?, batches = ?, dropped = ?")
        .bind(head.sequence.cast_signed())
        .bind(&head.hash.0[..])
        .bind(head.batches.cast_signed())
        .bind(head.dropped.cast_signed())
        .execute(connection)
        .await?;
    Ok(())
}

/// Inserts `record`, whose hash stands in `head`.
async fn insert(
    connection: &mut SqliteConnection,
    record: &Record,
    head: &Head,
) -> Result<(), sqlx::Error> {
    let event = &record.event;
    sqlx::query(
        "INSERT INTO audit_event (
            sequence, kind, time_unix_nanos, received_unix_nanos, sender, node, batch, position, dropped,
            id, server, era, method, target, user, agent, roles, issuer,
            arguments_digest, arguments, arguments_cut, effect, rules, reason, errors, outcome,
            error_code, duration_micros, trace_id, request_id, policy_version, hidden, shown, status,
            previous_hash, hash
        ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
            ?, ?, ?, ?, ?, ?)",
    )
    .bind(record.sequence.cast_signed())
    .bind(&record.kind)
    .bind(event.time_unix_nanos.cast_signed())
    .bind(record.received_unix_nanos.cast_signed())
    .bind(&record.sender)
    .bind(&record.node)
    .bind(record.batch.cast_signed())
    .bind(record.position.cast_signed())
    .bind(record.dropped.cast_signed())
    .bind(&event.id)
    .bind(&event.server)
    .bind(&event.era)
    .bind(&event.method)
    .bind(&event.target)
    .bind(&event.user)
    .bind(&event.agent)
    .bind(&record.roles)
    .bind(&event.issuer)
    .bind(&event.arguments_digest)
    .bind(&event.arguments)
    .bind(event.arguments_cut)
    .bind(&event.effect)
    .bind(&record.rules)
    .bind(&event.reason)
    .bind(&record.errors)
    .bind(&event.outcome)
    .bind(event.error_code)
    .bind(event.duration_micros.cast_signed())
    .bind(&event.trace_id)
    .bind(&event.request_id)
    .bind(&event.policy_version)
    .bind(event.hidden)
    .bind(event.shown)
    .bind(event.status)
    .bind(&record.previous_hash.0[..])
    .bind(&head.hash.0[..])
    .execute(connection)
    .await?;
    Ok(())
}
