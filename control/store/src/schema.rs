//! The tables' versions, and the ways the file is opened.

use crate::StoreError;
use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use std::path::Path;
use std::time::Duration;

/// How long a statement waits for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Opens the file to read and write, so that what is committed is on disk.
pub(crate) fn read_write(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY_TIMEOUT)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        // On macOS an fsync alone leaves the data in the drive's cache; elsewhere these do nothing.
        .pragma("fullfsync", "1")
        .pragma("checkpoint_fullfsync", "1")
}

/// Opens the file to read only.
pub(crate) fn read_only(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY_TIMEOUT)
        .read_only(true)
}

/// Makes the file, readable by its owner alone: arguments of calls are nobody else's business. SQLite gives
/// its side files the same permissions.
pub(crate) fn create(path: &Path) -> Result<(), StoreError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(source) => Err(StoreError::Create {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Brings the tables to this version's shape.
pub(crate) async fn migrate(
    connection: &mut SqliteConnection,
    path: &Path,
) -> Result<(), StoreError> {
    let migration = |version, name: &'static str, sql: &'static str| {
        let sql = sql.into_sql_str();
        Migration::new(version, name.into(), MigrationType::Simple, sql, false)
    };
    let migrations = vec![
        migration(1, "audit", include_str!("../migrations/0001_audit.sql")),
        migration(2, "secret", include_str!("../migrations/0002_secret.sql")),
        migration(
            3,
            "approvals",
            include_str!("../migrations/0003_approvals.sql"),
        ),
        migration(4, "outbox", include_str!("../migrations/0004_outbox.sql")),
        migration(
            5,
            "findings",
            include_str!("../migrations/0005_findings.sql"),
        ),
        migration(6, "shadow", include_str!("../migrations/0006_shadow.sql")),
    ];
    Migrator::with_migrations(migrations)
        .run(connection)
        .await
        .map_err(|source| StoreError::Migrate {
            path: path.to_owned(),
            source,
        })
}
