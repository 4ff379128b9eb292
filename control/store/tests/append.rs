//! Appending: once per batch, in order, whole or not at all.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{batch, fields, lines, open, place, values};
use gatehold_store::{Appended, AuditBatch, Head, Reader, Store, StoreError};
use sqlx::{ConnectOptions as _, Executor as _, sqlite::SqliteConnectOptions};

#[tokio::test]
async fn an_empty_store_is_a_valid_chain() {
    let (_directory, store) = open().await;
    assert_eq!(store.head().await.unwrap(), Head::EMPTY);
    assert_eq!(store.verify().await.unwrap().head, Head::EMPTY);
    assert_eq!(lines(&store, 1).await, [""; 0]);
}

#[tokio::test]
async fn a_batch_is_stored_once_however_often_it_comes() {
    let (_directory, store) = open().await;
    let first = store.append(batch("a", 1, 3)).await.unwrap();
    let Appended::Stored { events: 3, head } = first else {
        panic!("{first:?}")
    };
    assert_eq!((head.sequence, head.batches, head.dropped), (3, 1, 0));
    assert_eq!(
        store.append(batch("a", 1, 3)).await.unwrap(),
        Appended::Repeated
    );
    assert_eq!(store.head().await.unwrap(), head);

    // Another sender's batch 1 is another batch, and numbers may come in any order and with holes.
    for (sender, number) in [("b", 1), ("a", 7), ("a", 3), ("a", u64::MAX), ("a", 0)] {
        let appended = store.append(batch(sender, number, 1)).await.unwrap();
        assert!(
            matches!(appended, Appended::Stored { events: 1, .. }),
            "{sender} {number}"
        );
        assert_eq!(
            store.append(batch(sender, number, 1)).await.unwrap(),
            Appended::Repeated
        );
    }
    let ids = fields(&store, "id").await;
    let last = format!("a-{}-0", u64::MAX);
    assert_eq!(
        ids,
        [
            "a-1-0",
            "a-1-1",
            "a-1-2",
            "b-1-0",
            "a-7-0",
            "a-3-0",
            last.as_str(),
            "a-0-0"
        ]
    );
    assert_eq!(store.verify().await.unwrap().events, 8);
}

#[tokio::test]
async fn what_a_sender_dropped_is_an_event_before_the_batch() {
    let (_directory, store) = open().await;
    store
        .append(AuditBatch {
            dropped: 12,
            ..batch("a", 1, 1)
        })
        .await
        .unwrap();
    store
        .append(AuditBatch {
            dropped: 3,
            ..batch("a", 2, 0)
        })
        .await
        .unwrap();
    assert_eq!(fields(&store, "kind").await, ["gap", "decision", "gap"]);
    assert_eq!(fields(&store, "dropped").await, ["12", "0", "3"]);
    let again = AuditBatch {
        dropped: 3,
        ..batch("a", 2, 0)
    };
    assert_eq!(store.append(again).await.unwrap(), Appended::Repeated);
    let head = store.verify().await.unwrap().head;
    assert_eq!((head.sequence, head.batches, head.dropped), (3, 2, 15));
}

#[tokio::test]
async fn a_batch_of_nothing_is_acknowledged_and_leaves_no_trace() {
    let (_directory, store) = open().await;
    let appended = store.append(batch("a", 1, 0)).await.unwrap();
    assert_eq!(
        appended,
        Appended::Stored {
            events: 0,
            head: Head::EMPTY
        }
    );
}

#[tokio::test]
async fn the_chain_goes_on_after_a_restart() {
    let (_directory, path) = place();
    for round in 1..=3 {
        let store = Store::open(&path).await.unwrap();
        store.append(batch("a", round, 2)).await.unwrap();
        assert_eq!(
            store.append(batch("a", 1, 2)).await.unwrap(),
            Appended::Repeated
        );
        store.close().await;
        assert!(matches!(
            store.append(batch("a", 9, 1)).await,
            Err(StoreError::Closed)
        ));
    }
    let log = path.with_extension("db-wal");
    assert!(!log.exists(), "a store that was closed is one file");
    let reader = Reader::open(&path).await.unwrap();
    assert_eq!(
        fields(&reader, "sequence").await,
        ["1", "2", "3", "4", "5", "6"]
    );
    assert_eq!(reader.verify().await.unwrap().head.batches, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_senders_and_two_writers_make_one_linear_chain() {
    let (_directory, path) = place();
    let stores = [
        Store::open(&path).await.unwrap(),
        Store::open(&path).await.unwrap(),
    ];
    let mut senders = tokio::task::JoinSet::new();
    for sender in 0..8 {
        let store = stores[sender % 2].clone();
        senders.spawn(async move {
            for number in 1..=10 {
                store
                    .append(batch(&format!("s{sender}"), number, 3))
                    .await
                    .unwrap();
            }
        });
    }
    while let Some(done) = senders.join_next().await {
        done.unwrap();
    }
    let verified = stores[0].verify().await.unwrap();
    assert_eq!((verified.events, verified.head.batches), (240, 80));
    // Of each sender in the order in which it sent.
    for sender in 0..8 {
        let mut numbers: Vec<u64> = Vec::new();
        for line in values(&stores[1], 1).await {
            if line["sender"] == format!("s{sender}") {
                numbers.push(line["batch"].as_u64().unwrap());
            }
        }
        assert_eq!(numbers.len(), 30);
        assert!(numbers.is_sorted(), "{numbers:?}");
    }
}

#[tokio::test]
async fn a_batch_that_fails_leaves_nothing_and_can_be_sent_again() {
    let (_directory, path) = place();
    let store = Store::open(&path).await.unwrap();
    store.append(batch("a", 1, 1)).await.unwrap();
    let mut other = SqliteConnectOptions::new()
        .filename(&path)
        .connect()
        .await
        .unwrap();
    let sabotage =
        "CREATE TRIGGER full BEFORE UPDATE ON audit_head BEGIN SELECT RAISE(ABORT, 'full'); END";
    other.execute(sabotage).await.unwrap();

    store
        .check()
        .await
        .expect("a check that does not write can't see it yet");
    let error = store
        .append(batch("a", 2, 2))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("full") && error.contains("check the disk"),
        "{error}"
    );
    store
        .check()
        .await
        .expect_err("after a failure a check must write");
    assert_eq!(store.verify().await.unwrap().events, 1);

    other.execute("DROP TRIGGER full").await.unwrap();
    store.check().await.unwrap();
    assert!(matches!(
        store.append(batch("a", 2, 2)).await,
        Ok(Appended::Stored { .. })
    ));
    assert_eq!(store.verify().await.unwrap().events, 3);
}

#[tokio::test]
async fn what_is_no_store_is_refused_with_its_name() {
    let (directory, path) = place();
    assert!(matches!(
        Reader::open(&path).await,
        Err(StoreError::Open { .. })
    ));
    let missing = directory.path().join("no/audit.db");
    let error = Store::open(&missing).await.unwrap_err();
    assert!(matches!(error, StoreError::Create { .. }));
    assert!(error.to_string().contains("no/audit.db"), "{error}");

    std::fs::write(&path, "kind: Server\n".repeat(1000)).unwrap();
    assert!(matches!(
        Store::open(&path).await,
        Err(StoreError::Open { .. })
    ));
    assert!(matches!(
        Reader::open(&path).await,
        Err(StoreError::Open { .. })
    ));
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt as _;
    let (directory, store) = open().await;
    store.append(batch("a", 1, 1)).await.unwrap();
    let mut files = 0;
    for entry in std::fs::read_dir(directory.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(
            entry.metadata().unwrap().permissions().mode() & 0o777,
            0o600,
            "{entry:?}"
        );
        files += 1;
    }
    assert_eq!(files, 3, "the database, its log, and the log's index");
}

#[tokio::test]
async fn the_secret_is_made_once_and_belongs_to_the_file() {
    let (_directory, path) = place();
    let store = Store::open(&path).await.unwrap();
    let secret = store.binding_key().clone();
    assert_eq!(secret.as_bytes().len(), 32);
    assert!(secret.as_bytes().iter().any(|byte| *byte != 0));
    assert_eq!(format!("{secret:?}"), "Secret(..)");
    // Another control on the same file, and the same one after a restart.
    assert_eq!(
        Store::open(&path).await.unwrap().binding_key(),
        store.binding_key()
    );
    store.close().await;
    assert_eq!(*Store::open(&path).await.unwrap().binding_key(), secret);
    let (_directory, other) = open().await;
    assert_ne!(*other.binding_key(), secret);
}
