//! Whatever is changed in the file, `verify` finds it, and says where.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use common::{batch, place};
use gatehold_store::{AuditBatch, Store, VerifyError};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _, Row as _};
use std::path::Path;
use tempfile::TempDir;

/// A chain of 1: gap, 2 to 4: decisions, 5 and 6: another sender's decisions.
async fn chain() -> (TempDir, Store, SqliteConnection) {
    let (directory, path) = place();
    let store = Store::open(&path).await.unwrap();
    store
        .append(AuditBatch {
            dropped: 4,
            ..batch("a", 1, 3)
        })
        .await
        .unwrap();
    store.append(batch("b", 1, 2)).await.unwrap();
    let attacker = attacker(&path).await;
    (directory, store, attacker)
}

/// Somebody who can write the file, and need not wait for the disk.
async fn attacker(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new()
        .filename(path)
        .synchronous(SqliteSynchronous::Off)
        .connect()
        .await
        .unwrap()
}

async fn execute(attacker: &mut SqliteConnection, sql: &str) -> u64 {
    attacker
        .execute(AssertSqlSafe(sql))
        .await
        .unwrap()
        .rows_affected()
}

/// Where the chain breaks and why, or `None`.
async fn broken(store: &Store) -> Option<(u64, String)> {
    match store.verify().await {
        Ok(_) => None,
        Err(VerifyError::Broken(broken)) => Some((broken.sequence, broken.why)),
        Err(VerifyError::Store(error)) => panic!("{error}"),
    }
}

async fn columns(attacker: &mut SqliteConnection, table: &str) -> Vec<(String, String)> {
    let sql = format!("SELECT name, type FROM pragma_table_info('{table}')");
    let rows = attacker.fetch_all(AssertSqlSafe(sql)).await.unwrap();
    rows.iter()
        .map(|row| (row.get("name"), row.get("type")))
        .collect()
}

#[tokio::test]
async fn a_change_to_any_column_of_any_event_is_found() {
    let (_directory, store, mut attacker) = chain().await;
    execute(
        &mut attacker,
        "CREATE TABLE kept AS SELECT * FROM audit_event",
    )
    .await;
    let columns = columns(&mut attacker, "audit_event").await;
    assert_eq!(columns.len(), 42);
    for (name, kind) in &columns {
        let changes: &[&str] = match kind.as_str() {
            "INTEGER" => &[
                "$ + 100",
                "-$ - 1",
                "$ + 4294967296",
                "-9223372036854775808",
            ],
            "TEXT" => &[
                "$ || 'x'",
                "$ || ' '",
                "' ' || $",
                "$ || char(0)",
                "'\"' || $ || '\"'",
            ],
            _ => &["zeroblob(33)", "x'00'", "randomblob(32)"],
        };
        for change in changes {
            for sequence in [1, 3, 6] {
                let change = change.replace('$', name);
                let sql =
                    format!("UPDATE audit_event SET {name} = {change} WHERE sequence = {sequence}");
                assert_eq!(execute(&mut attacker, &sql).await, 1);
                let (at, why) = broken(&store)
                    .await
                    .unwrap_or_else(|| panic!("not found: {sql}"));
                // A row that moves to another place is found there or where it is missing.
                assert!(
                    at == sequence || name == "sequence",
                    "{sql}: found at {at}: {why}"
                );
                execute(&mut attacker, "DELETE FROM audit_event").await;
                execute(&mut attacker, "INSERT INTO audit_event SELECT * FROM kept").await;
            }
        }
    }
    assert_eq!(broken(&store).await, None);
}

#[tokio::test]
async fn a_change_to_the_end_of_the_chain_is_found() {
    let (_directory, store, mut attacker) = chain().await;
    execute(
        &mut attacker,
        "CREATE TABLE kept AS SELECT * FROM audit_head",
    )
    .await;
    for sql in [
        "UPDATE audit_head SET sequence = sequence - 1",
        "UPDATE audit_head SET sequence = -1",
        "UPDATE audit_head SET hash = zeroblob(32)",
        "UPDATE audit_head SET hash = x'00'",
        "UPDATE audit_head SET batches = batches + 1",
        "UPDATE audit_head SET dropped = 0",
        "DELETE FROM audit_head",
    ] {
        execute(&mut attacker, sql).await;
        assert_eq!(broken(&store).await.map(|(at, _)| at), Some(7), "{sql}");
        execute(&mut attacker, "DELETE FROM audit_head").await;
        execute(&mut attacker, "INSERT INTO audit_head SELECT * FROM kept").await;
    }
    assert_eq!(broken(&store).await, None);
}

#[tokio::test]
async fn events_taken_out_put_in_or_swapped_are_found() {
    for (sql, at) in [
        ("DELETE FROM audit_event WHERE sequence = 1", 1),
        ("DELETE FROM audit_event WHERE sequence = 4", 4),
        ("DELETE FROM audit_event WHERE sequence = 6", 6),
        ("DELETE FROM audit_event", 1),
        // Closing the hole does not help.
        (
            "DELETE FROM audit_event WHERE sequence = 3; UPDATE audit_event SET sequence = sequence - 1 WHERE sequence > 3",
            3,
        ),
        (
            "UPDATE audit_event SET sequence = 9 WHERE sequence = 3; UPDATE audit_event SET sequence = 3 WHERE sequence = 4; UPDATE audit_event SET sequence = 4 WHERE sequence = 9",
            3,
        ),
        ("UPDATE audit_event SET sequence = 0 WHERE sequence = 1", 1),
        // An event beyond the end that is known.
        (
            "CREATE TEMP TABLE copy AS SELECT * FROM audit_event WHERE sequence = 6; UPDATE copy SET sequence = 7; INSERT INTO audit_event SELECT * FROM copy",
            7,
        ),
    ] {
        let (_directory, store, mut attacker) = chain().await;
        assert_eq!(broken(&store).await, None);
        for sql in sql.split("; ") {
            execute(&mut attacker, sql).await;
        }
        assert_eq!(broken(&store).await.map(|(at, _)| at), Some(at), "{sql}");
    }
}

#[tokio::test]
async fn a_long_chain_is_read_in_pages() {
    let (_directory, path) = place();
    let store = Store::open(&path).await.unwrap();
    for number in 1..=7 {
        store.append(batch("a", number, 100)).await.unwrap();
    }
    assert_eq!(store.verify().await.unwrap().events, 700);
    let mut attacker = attacker(&path).await;
    execute(
        &mut attacker,
        "UPDATE audit_event SET effect = 'allow' WHERE sequence = 600",
    )
    .await;
    assert_eq!(broken(&store).await.unwrap().0, 600);
}
