//! The outbox keeps what it was given, over restarts, once.

use gatehold_store::{Changes, Notice, Noticed, Outbox, Store};

fn notice(webhook: &str, id: &str, due: u64) -> Notice {
    Notice {
        webhook: webhook.to_owned(),
        id: id.to_owned(),
        body: format!("{{\"id\":\"{id}\"}}"),
        created_unix_millis: 5,
        attempts: 0,
        due_unix_millis: due,
    }
}

fn ids(notices: &[Notice]) -> Vec<(&str, u32)> {
    let notices = notices.iter();
    notices
        .map(|notice| (&*notice.id, notice.attempts))
        .collect()
}

#[tokio::test]
async fn what_was_kept_is_there_after_a_restart_and_delivered_once() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("store.db");
    let store = Store::open(&file).await.unwrap();
    let outbox = Outbox::open(&file).await.unwrap();
    let names = ["a".to_owned(), "b".to_owned()];
    let since = outbox.webhooks(&names, 100).await.unwrap();
    assert_eq!((since["a"], since["b"]), (100, 100));
    let noticed = |state: &str| Noticed {
        approval: "x".to_owned(),
        state: state.to_owned(),
        created_unix_millis: 7,
    };
    let first = Changes {
        notices: vec![
            notice("a", "1", 30),
            notice("a", "2", 20),
            notice("b", "1", 10),
        ],
        open: vec![noticed("pending")],
        over: Vec::new(),
    };
    outbox.keep(&first).await.unwrap();
    assert_eq!(ids(&outbox.due("a", 25, 10).await.unwrap()), [("2", 0)]);
    assert_eq!(
        ids(&outbox.due("a", 30, 10).await.unwrap()),
        [("2", 0), ("1", 0)]
    );
    assert_eq!(ids(&outbox.due("a", 30, 1).await.unwrap()), [("2", 0)]);
    assert_eq!(outbox.next_due("a").await.unwrap(), Some(20));
    outbox.tried("a", "2", Some(60)).await.unwrap();
    outbox.tried("a", "1", None).await.unwrap();
    drop(outbox);
    store.close().await;

    let _store = Store::open(&file).await.unwrap();
    let outbox = Outbox::open(&file).await.unwrap();
    // The same again changes nothing, also when it was delivered.
    outbox.keep(&first).await.unwrap();
    let due = outbox.due("a", 1000, 10).await.unwrap();
    assert_eq!(ids(&due), [("2", 1)]);
    assert_eq!(due.first().unwrap().body, r#"{"id":"2"}"#);
    assert_eq!(outbox.next_due("b").await.unwrap(), Some(10));
    assert_eq!(outbox.noticed().await.unwrap(), [noticed("pending")]);

    let second = Changes {
        open: vec![noticed("approved")],
        ..Changes::default()
    };
    outbox.keep(&second).await.unwrap();
    assert_eq!(outbox.noticed().await.unwrap(), [noticed("approved")]);
    let third = Changes {
        over: vec!["x".to_owned()],
        ..Changes::default()
    };
    outbox.keep(&third).await.unwrap();
    assert_eq!(outbox.noticed().await.unwrap(), []);

    // One webhook goes, another comes; the one that stays is as old as it was.
    let names = ["a".to_owned(), "c".to_owned()];
    let since = outbox.webhooks(&names, 200).await.unwrap();
    assert_eq!((since["a"], since["c"], since.len()), (100, 200, 2));
    assert_eq!(outbox.next_due("b").await.unwrap(), None);

    // What is forgotten may be told again; what waits is never forgotten.
    outbox.forget(1000).await.unwrap();
    outbox.keep(&first).await.unwrap();
    assert_eq!(
        ids(&outbox.due("a", 1000, 10).await.unwrap()),
        [("1", 0), ("2", 1)]
    );
}

#[tokio::test]
async fn a_file_that_no_store_has_made_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let missing = Outbox::open(directory.path().join("none.db")).await;
    assert!(missing.is_err());
}
