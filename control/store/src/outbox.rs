//! What webhooks are still to be told. It survives whatever becomes of the process.

use crate::StoreError;
use crate::schema;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{ConnectOptions as _, Connection as _, Row as _};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::{Mutex, MutexGuard};

/// The outbox, in the file of a [`Store`](crate::Store) that was opened before. A clone is the same one.
#[derive(Clone, Debug)]
pub struct Outbox {
    connection: Arc<Mutex<SqliteConnection>>,
}

/// One message to one webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Name of the webhook.
    pub webhook: String,
    /// The same at every attempt; unique within the webhook.
    pub id: String,
    /// What is posted.
    pub body: String,
    /// When it was put here.
    pub created_unix_millis: u64,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is to be tried.
    pub due_unix_millis: u64,
}

/// An open approval, in the state in which webhooks last heard of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noticed {
    /// Its id.
    pub approval: String,
    /// The state.
    pub state: String,
    /// When it was made.
    pub created_unix_millis: u64,
}

/// What one transaction changes.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Messages to keep until they are delivered. One that is known by its id already is left as it is.
    pub notices: Vec<Notice>,
    /// Open approvals that were heard of.
    pub open: Vec<Noticed>,
    /// Ids of approvals that are over.
    pub over: Vec<String>,
}

impl Outbox {
    /// Opens the outbox in the file of a store.
    ///
    /// # Errors
    /// When the file is not there, or no store was opened on it before.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let open = schema::read_write(path).create_if_missing(false);
        let connection = open.connect().await.map_err(|source| StoreError::Open {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
        })
    }

    /// Makes these the webhooks there are, and says since when each was there. What others were still to be told is
    /// dropped.
    ///
    /// # Errors
    /// When the database fails; nothing has changed then.
    pub async fn webhooks(
        &self,
        names: &[String],
        now_unix_millis: u64,
    ) -> Result<HashMap<String, u64>, StoreError> {
        let mut connection = self.connection().await;
        let mut transaction = connection.begin().await?;
        for name in names {
            sqlx::query("INSERT OR IGNORE INTO webhook (name, since_unix_millis) VALUES (?, ?)")
                .bind(name)
                .bind(integer(now_unix_millis))
                .execute(&mut *transaction)
                .await?;
        }
        let rows = sqlx::query("SELECT name, since_unix_millis FROM webhook")
            .fetch_all(&mut *transaction)
            .await?;
        let mut since = HashMap::with_capacity(names.len());
        for row in rows {
            let name: String = row.try_get("name")?;
            if names.contains(&name) {
                since.insert(name, unsigned(&row, "since_unix_millis")?);
                continue;
            }
            for statement in [
                "DELETE FROM webhook WHERE name = ?",
                "DELETE FROM notice WHERE webhook = ?",
            ] {
                let query = sqlx::query(statement).bind(&name);
                query.execute(&mut *transaction).await?;
            }
        }
        transaction.commit().await?;
        Ok(since)
    }

    /// Keeps what has changed, all of it or nothing. When this returns `Ok`, it is on disk.
    ///
    /// # Errors
    /// When the database fails; nothing has changed then.
    pub async fn keep(&self, changes: &Changes) -> Result<(), StoreError> {
        let Changes {
            notices,
            open,
            over,
        } = changes;
        let mut connection = self.connection().await;
        let mut transaction = connection.begin().await?;
        for notice in notices {
            sqlx::query(
                "INSERT OR IGNORE INTO notice \
                 (webhook, id, body, created_unix_millis, attempts, due_unix_millis) \
                 VALUES (?, ?, ?, ?, ?, ?)",
            )
            .bind(&notice.webhook)
            .bind(&notice.id)
            .bind(&notice.body)
            .bind(integer(notice.created_unix_millis))
            .bind(i64::from(notice.attempts))
            .bind(integer(notice.due_unix_millis))
            .execute(&mut *transaction)
            .await?;
        }
        for noticed in open {
            sqlx::query(
                "INSERT INTO noticed (approval, state, created_unix_millis) VALUES (?, ?, ?) \
                 ON CONFLICT (approval) DO UPDATE SET state = excluded.state",
            )
            .bind(&noticed.approval)
            .bind(&noticed.state)
            .bind(integer(noticed.created_unix_millis))
            .execute(&mut *transaction)
            .await?;
        }
        for approval in over {
            sqlx::query("DELETE FROM noticed WHERE approval = ?")
                .bind(approval)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// The open approvals that were heard of.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn noticed(&self) -> Result<Vec<Noticed>, StoreError> {
        let mut connection = self.connection().await;
        let rows = sqlx::query("SELECT approval, state, created_unix_millis FROM noticed")
            .fetch_all(&mut *connection)
            .await?;
        let noticed = |row: &SqliteRow| -> Result<Noticed, StoreError> {
            Ok(Noticed {
                approval: row.try_get("approval")?,
                state: row.try_get("state")?,
                created_unix_millis: unsigned(row, "created_unix_millis")?,
            })
        };
        rows.iter().map(noticed).collect()
    }

    /// Messages to this webhook whose time has come, the earliest first, at most `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn due(
        &self,
        webhook: &str,
        now_unix_millis: u64,
        limit: u32,
    ) -> Result<Vec<Notice>, StoreError> {
        let mut connection = self.connection().await;
        let rows = sqlx::query(
            "SELECT id, body, created_unix_millis, attempts, due_unix_millis FROM notice \
             WHERE webhook = ? AND due_unix_millis IS NOT NULL AND due_unix_millis <= ? \
             ORDER BY due_unix_millis, created_unix_millis LIMIT ?",
        )
        .bind(webhook)
        .bind(integer(now_unix_millis))
        .bind(limit)
        .fetch_all(&mut *connection)
        .await?;
        let notice = |row: &SqliteRow| -> Result<Notice, StoreError> {
            Ok(Notice {
                webhook: webhook.to_owned(),
                id: row.try_get("id")?,
                body: row.try_get("body")?,
                created_unix_millis: unsigned(row, "created_unix_millis")?,
                attempts: row.try_get("attempts")?,
                due_unix_millis: unsigned(row, "due_unix_millis")?,
            })
        };
        rows.iter().map(notice).collect()
    }

    /// When the next message to this webhook is to be tried; nothing when none waits.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn next_due(&self, webhook: &str) -> Result<Option<u64>, StoreError> {
        let mut connection = self.connection().await;
        let due: Option<i64> = sqlx::query_scalar(
            "SELECT min(due_unix_millis) FROM notice WHERE webhook = ? AND due_unix_millis IS NOT NULL",
        )
        .bind(webhook)
        .fetch_one(&mut *connection)
        .await?;
        Ok(due.map(|due| u64::try_from(due).unwrap_or_default()))
    }

    /// Writes down that a message was tried: it is tried again at `due_unix_millis`, or is done when that is nothing.
    ///
    /// # Errors
    /// When the database fails; the message is tried again then.
    pub async fn tried(
        &self,
        webhook: &str,
        id: &str,
        due_unix_millis: Option<u64>,
    ) -> Result<(), StoreError> {
        let mut connection = self.connection().await;
        sqlx::query(
            "UPDATE notice SET attempts = attempts + 1, due_unix_millis = ?1, \
             body = CASE WHEN ?1 IS NULL THEN '' ELSE body END WHERE webhook = ?2 AND id = ?3",
        )
        .bind(due_unix_millis.map(integer))
        .bind(webhook)
        .bind(id)
        .execute(&mut *connection)
        .await?;
        Ok(())
    }

    /// Forgets messages that were done before this time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget(&self, before_unix_millis: u64) -> Result<(), StoreError> {
        let mut connection = self.connection().await;
        sqlx::query("DELETE FROM notice WHERE due_unix_millis IS NULL AND created_unix_millis < ?")
            .bind(integer(before_unix_millis))
            .execute(&mut *connection)
            .await?;
        Ok(())
    }

    async fn connection(&self) -> MutexGuard<'_, SqliteConnection> {
        self.connection.lock().await
    }
}

fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn unsigned(row: &SqliteRow, column: &str) -> Result<u64, StoreError> {
    let value: i64 = row.try_get(column)?;
    Ok(u64::try_from(value).unwrap_or_default())
}
