//! What can be read, by any number of processes, while one writes.

use crate::record::{Hash, Record};
use crate::verify::verify;
use crate::{AuditEvent, Head, StoreError, Verified, VerifyError, schema};
use futures_util::stream::{self, Stream};
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnection, SqlitePool, SqlitePoolOptions, SqliteRow};
use sqlx::{Row as _, Sqlite};
use std::collections::VecDeque;
use std::path::Path;

/// Readers at a time.
const CONNECTIONS: u32 = 4;

/// A store that another process may be writing, open to read.
#[derive(Clone, Debug)]
pub struct Reader {
    pool: SqlitePool,
}

/// Where an export is.
struct Export {
    reader: Reader,
    next: i64,
    last: i64,
    page: VecDeque<SqliteRow>,
}

impl Reader {
    /// Opens a file that [`Store::open`](crate::Store::open) made, in this process or another.
    ///
    /// # Errors
    /// When there is no such file, or it is no store.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let open = async {
            let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS);
            let pool = pool.connect_with(schema::read_only(path)).await?;
            read_head(&mut *pool.acquire().await?).await?;
            Ok(Self { pool })
        };
        open.await.map_err(|source| StoreError::Open {
            path: path.to_owned(),
            source,
        })
    }

    /// The end of the chain and the counts, as of now.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn head(&self) -> Result<Head, StoreError> {
        let mut connection = self.pool.acquire().await?;
        Ok(read_head(&mut connection).await?)
    }

    /// The events from sequence `from` (1 is the first) to the newest at the time of the first read, each as
    /// one line of JSON, without line end. Memory is bounded, and the writer is never held up.
    ///
    /// Every line has the same fields in the same order, in snake case. `time` (the request's arrival) and
    /// `received` are RFC 3339 with nanoseconds; `arguments` is an object, a string when what was recorded
    /// is no JSON object (it was cut), or null; `hash` is the SHA-256 of the line without its last field,
    /// and `previous_hash` that of the line before. `kind` is `decision`, or `gap` where the sender lost
    /// `dropped` events. `approval`, `findings`, `findings_omitted`, `detection` and `refusal` stand before the
    /// hashes, only where there are any, and `"enforced":false` where the server was in shadow mode.
    pub fn export(
        &self,
        from: u64,
    ) -> impl Stream<Item = Result<String, StoreError>> + Send + use<> {
        let next = i64::try_from(from).unwrap_or(i64::MAX);
        let start = Export {
            reader: self.clone(),
            next,
            last: -1,
            page: VecDeque::new(),
        };
        stream::try_unfold(start, |mut export| async move {
            let line = export.line().await?;
            Ok(line.map(|line| (line, export)))
        })
    }

    /// Reads the whole chain, and computes every hash again.
    ///
    /// # Errors
    /// The first event that is not what was stored, or why the chain could not be read.
    pub async fn verify(&self) -> Result<Verified, VerifyError> {
        // One transaction sees one state, whatever is written meanwhile.
        let mut transaction = self.pool.begin().await.map_err(StoreError::from)?;
        verify(&mut transaction).await
    }

    pub(crate) async fn connection(&self) -> Result<PoolConnection<Sqlite>, StoreError> {
        Ok(self.pool.acquire().await?)
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

impl Export {
    async fn line(&mut self) -> Result<Option<String>, StoreError> {
        if self.page.is_empty() {
            let mut connection = self.reader.pool.acquire().await?;
            if self.last < 0 {
                self.last = read_head(&mut connection).await?.sequence.cast_signed();
            }
            self.page = read_page(&mut connection, self.next, self.last)
                .await?
                .into();
        }
        let Some(row) = self.page.pop_front() else {
            return Ok(None);
        };
        let (record, hash) = record(&row)?;
        self.next = record.sequence.cast_signed().saturating_add(1);
        Ok(Some(record.line(&hash)))
    }
}

pub(crate) async fn read_head(connection: &mut SqliteConnection) -> Result<Head, sqlx::Error> {
    let query = sqlx::query("SELECT sequence, hash, batches, dropped FROM audit_head");
    let row = query.fetch_one(connection).await?;
    Ok(Head {
        sequence: unsigned(&row, "sequence")?,
        hash: hash(&row, "hash")?,
        batches: unsigned(&row, "batches")?,
        dropped: unsigned(&row, "dropped")?,
    })
}

/// The first rows of a span of sequences.
pub(crate) async fn read_page(
    connection: &mut SqliteConnection,
    from: i64,
    to: i64,
) -> Result<Vec<SqliteRow>, sqlx::Error> {
    sqlx::query(
        "SELECT * FROM audit_event WHERE sequence BETWEEN ? AND ? ORDER BY sequence LIMIT 256",
    )
    .bind(from)
    .bind(to)
    .fetch_all(connection)
    .await
}

/// A row's values and its stored hash. Whatever does not fit its type is an error, never bent to fit.
pub(crate) fn record(row: &SqliteRow) -> Result<(Record, Hash), sqlx::Error> {
    let event = AuditEvent {
        id: row.try_get("id")?,
        time_unix_nanos: unsigned(row, "time_unix_nanos")?,
        server: row.try_get("server")?,
        era: row.try_get("era")?,
        method: row.try_get("method")?,
        target: row.try_get("target")?,
        user: row.try_get("user")?,
        agent: row.try_get("agent")?,
        roles: Vec::new(),
        issuer: row.try_get("issuer")?,
        arguments_digest: row.try_get("arguments_digest")?,
        arguments: row.try_get("arguments")?,
        arguments_cut: small(row, "arguments_cut", 1)? == 1,
        effect: row.try_get("effect")?,
        rules: Vec::new(),
        reason: row.try_get("reason")?,
        errors: Vec::new(),
        outcome: row.try_get("outcome")?,
        error_code: row.try_get("error_code")?,
        duration_micros: unsigned(row, "duration_micros")?,
        trace_id: row.try_get("trace_id")?,
        request_id: row.try_get("request_id")?,
        policy_version: row.try_get("policy_version")?,
        hidden: small(row, "hidden", u32::MAX)?,
        shown: small(row, "shown", u32::MAX)?,
        status: small(row, "status", u32::MAX)?,
        approval: row.try_get("approval")?,
        findings: Vec::new(),
        findings_omitted: small(row, "findings_omitted", u32::MAX)?,
        detection: row.try_get("detection")?,
        refusal: row.try_get("refusal")?,
        shadow: small(row, "shadow", 1)? == 1,
    };
    let record = Record {
        sequence: unsigned(row, "sequence")?,
        kind: row.try_get("kind")?,
        received_unix_nanos: unsigned(row, "received_unix_nanos")?,
        sender: row.try_get("sender")?,
        node: row.try_get("node")?,
        batch: unsigned(row, "batch")?,
        position: unsigned(row, "position")?,
        dropped: unsigned(row, "dropped")?,
        event,
        roles: row.try_get("roles")?,
        rules: row.try_get("rules")?,
        errors: row.try_get("errors")?,
        findings: row.try_get("findings")?,
        previous_hash: hash(row, "previous_hash")?,
    };
    Ok((record, hash(row, "hash")?))
}

fn unsigned(row: &SqliteRow, column: &str) -> Result<u64, sqlx::Error> {
    row.try_get::<i64, _>(column).map(i64::cast_unsigned)
}

fn small(row: &SqliteRow, column: &str, most: u32) -> Result<u32, sqlx::Error> {
    let value = row.try_get::<i64, _>(column)?;
    match u32::try_from(value) {
        Ok(value) if value <= most => Ok(value),
        _ => Err(sqlx::Error::Decode(
            format!("`{value}` in `{column}` is out of range").into(),
        )),
    }
}

fn hash(row: &SqliteRow, column: &str) -> Result<Hash, sqlx::Error> {
    match row.try_get::<&[u8], _>(column)?.try_into() {
        Ok(bytes) => Ok(Hash(bytes)),
        Err(_) => Err(sqlx::Error::Decode(
            format!("`{column}` is not 32 bytes long").into(),
        )),
    }
}
