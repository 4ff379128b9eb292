//! The one task that writes, so that the chain is linear.

use crate::head::Head;
use crate::reader::read_head;
use crate::record::{Hash, Record, records};
use crate::{Appended, AuditBatch, AuditEvent, StoreError, approvals};
use gatehold_approvals::Change;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, Executor as _, QueryBuilder};
use tokio::sync::{mpsc, oneshot};

/// Jobs that share one transaction, and so one wait for the disk.
const GROUP: usize = 64;

/// Rows of one statement: each statement goes to SQLite's thread and back.
const ROWS: usize = 32;

/// Who sends the events that are not a filter's.
const CONTROL: &str = "control";

type Reply<T> = oneshot::Sender<T>;
type KeepReply = Reply<Result<Head, StoreError>>;

pub(crate) enum Job {
    Append {
        batch: AuditBatch,
        received_unix_nanos: u64,
        reply: Reply<Result<Appended, StoreError>>,
    },
    Keep {
        keep: Keep,
        reply: Reply<Result<Head, StoreError>>,
    },
    Check {
        reply: Reply<Result<(), StoreError>>,
    },
    Close {
        reply: Reply<()>,
    },
}

/// What the desk writes, together or not at all.
#[derive(Debug)]
pub(crate) struct Keep {
    pub(crate) changes: Vec<Change>,
    pub(crate) events: Vec<AuditEvent>,
    pub(crate) received_unix_nanos: u64,
    /// Remove what nobody can ask for any more, at this time in milliseconds.
    pub(crate) purge: Option<u64>,
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
            let mut keeps = Vec::new();
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
                    Job::Keep { keep, reply } => keeps.push((keep, reply)),
                    Job::Check { reply } => checks.push(reply),
                    Job::Close { reply } => close.push(reply),
                }
            }
            self.append(appends, keeps).await;
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

    async fn append(&mut self, group: Vec<Append>, keeps: Vec<(Keep, KeepReply)>) {
        if group.is_empty() && keeps.is_empty() {
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
        let (keeps, keep_replies): (Vec<Keep>, Vec<KeepReply>) = keeps.into_iter().unzip();
        // A sender that stopped waiting does not care for its answer.
        match store(&mut self.connection, batches, keeps).await {
            Ok((answers, head)) => {
                for reply in keep_replies {
                    let _ = reply.send(Ok(head.clone()));
                }
                self.failed = false;
                for (reply, appended) in replies.into_iter().zip(answers) {
                    let _ = reply.send(Ok(appended));
                }
            }
            Err(error) => {
                self.failed = true;
                for reply in keep_replies {
                    let _ = reply.send(Err(StoreError::Write(error.to_string())));
                }
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

/// Stores the batches and what the desk writes in one transaction; an error means that nothing is stored.
async fn store(
    connection: &mut SqliteConnection,
    batches: Vec<(AuditBatch, u64)>,
    keeps: Vec<Keep>,
) -> Result<(Vec<Appended>, Head), sqlx::Error> {
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
        chain(
            &mut transaction,
            &mut head,
            records(batch, received_unix_nanos),
        )
        .await?;
    }
    for keep in keeps {
        for change in &keep.changes {
            approvals::write(&mut transaction, change).await?;
        }
        if !keep.events.is_empty() {
            let batch = AuditBatch {
                sender: CONTROL.to_owned(),
                batch: last_batch(&mut transaction, CONTROL).await? + 1,
                events: keep.events,
                ..AuditBatch::default()
            };
            let records = records(batch, keep.received_unix_nanos);
            chain(&mut transaction, &mut head, records).await?;
        }
        if let Some(now_unix_millis) = keep.purge {
            approvals::purge(&mut transaction, now_unix_millis).await?;
        }
    }
    write_head(&mut transaction, &head).await?;
    transaction.commit().await?;
    let appended = stored.into_iter().map(|events| match events {
        Some(events) => Appended::Stored {
            events: events as u64,
            head: head.clone(),
        },
        None => Appended::Repeated,
    });
    Ok((appended.collect(), head.clone()))
}

/// Adds a batch's rows to the chain.
async fn chain(
    connection: &mut SqliteConnection,
    head: &mut Head,
    records: Vec<Record>,
) -> Result<(), sqlx::Error> {
    // A batch of nothing leaves no trace: to store it again does no harm.
    head.batches += u64::from(!records.is_empty());
    let mut chained = Vec::with_capacity(records.len());
    for mut record in records {
        head.sequence += 1;
        record.sequence = head.sequence;
        record.previous_hash = head.hash;
        head.hash = record.hash();
        head.dropped = head.dropped.saturating_add(record.dropped);
        chained.push((record, head.hash));
    }
    for rows in chained.chunks(ROWS) {
        insert(connection, rows).await?;
    }
    Ok(())
}

/// The last batch of a sender; 0 when there is none.
async fn last_batch(connection: &mut SqliteConnection, sender: &str) -> Result<u64, sqlx::Error> {
    let last: Option<i64> =
        sqlx::query_scalar("SELECT MAX(batch) FROM audit_event WHERE sender = ? AND position = 0")
            .bind(sender)
            .fetch_one(connection)
            .await?;
    Ok(last.unwrap_or_default().cast_unsigned())
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

/// Inserts records, each with its hash.
async fn insert(
    connection: &mut SqliteConnection,
    records: &[(Record, Hash)],
) -> Result<(), sqlx::Error> {
    let mut insert = QueryBuilder::new(
        "INSERT INTO audit_event (
            sequence, kind, time_unix_nanos, received_unix_nanos, sender, node, batch, position, dropped,
            id, server, era, method, target, user, agent, roles, issuer,
            arguments_digest, arguments, arguments_cut, effect, rules, reason, errors, outcome,
            error_code, duration_micros, trace_id, request_id, policy_version, hidden, shown, status,
            approval, findings, findings_omitted, detection, refusal, shadow, previous_hash, hash
        ) ",
    );
    insert.push_values(records, |mut row, (record, hash)| {
        let event = &record.event;
        row.push_bind(record.sequence.cast_signed())
            .push_bind(&record.kind)
            .push_bind(event.time_unix_nanos.cast_signed())
            .push_bind(record.received_unix_nanos.cast_signed())
            .push_bind(&record.sender)
            .push_bind(&record.node)
            .push_bind(record.batch.cast_signed())
            .push_bind(record.position.cast_signed())
            .push_bind(record.dropped.cast_signed())
            .push_bind(&event.id)
            .push_bind(&event.server)
            .push_bind(&event.era)
            .push_bind(&event.method)
            .push_bind(&event.target)
            .push_bind(&event.user)
            .push_bind(&event.agent)
            .push_bind(&record.roles)
            .push_bind(&event.issuer)
            .push_bind(&event.arguments_digest)
            .push_bind(&event.arguments)
            .push_bind(event.arguments_cut)
            .push_bind(&event.effect)
            .push_bind(&record.rules)
            .push_bind(&event.reason)
            .push_bind(&record.errors)
            .push_bind(&event.outcome)
            .push_bind(event.error_code)
            .push_bind(event.duration_micros.cast_signed())
            .push_bind(&event.trace_id)
            .push_bind(&event.request_id)
            .push_bind(&event.policy_version)
            .push_bind(event.hidden)
            .push_bind(event.shown)
            .push_bind(event.status)
            .push_bind(&event.approval)
            .push_bind(&record.findings)
            .push_bind(event.findings_omitted)
            .push_bind(&event.detection)
            .push_bind(&event.refusal)
            .push_bind(event.shadow)
            .push_bind(&record.previous_hash.0[..])
            .push_bind(&hash.0[..]);
    });
    insert.build().execute(connection).await?;
    Ok(())
}
