//! What is acknowledged survives `kill -9`, and another process can read all the while.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{batch, fields, place};
use gatehold_store::{Appended, Reader, Store};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Names the file for the copy of this test that is to be killed.
const CHILD: &str = "GATEHOLD_STORE_TEST_CHILD";
const SENDERS: usize = 3;
const EVENTS: usize = 4;

/// Not a test of its own: this is what the killed process runs. It appends without end, and says on
/// standard output which batches were acknowledged.
#[tokio::test]
async fn child() {
    let Some(path) = std::env::var_os(CHILD) else {
        return;
    };
    let store = Store::open(path).await.unwrap();
    let start = store.head().await.unwrap().sequence;
    let mut senders = tokio::task::JoinSet::new();
    for sender in 0..SENDERS {
        let store = store.clone();
        senders.spawn(async move {
            let sender = format!("{start}.{sender}");
            for number in 1.. {
                store.append(batch(&sender, number, EVENTS)).await.unwrap();
                // One write, so that a line is never torn; past the test's own capture of output.
                let line = format!("\nacknowledged {sender} {number}\n");
                std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
            }
        });
    }
    senders.join_next().await;
}

fn start(path: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(CHILD, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_kill_9() {
    let (_directory, path) = place();
    let mut acknowledged: BTreeMap<String, u64> = BTreeMap::new();
    for round in 1..=3 {
        let mut child = start(&path);
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut acks = output.map_while(Result::ok).filter_map(|line| {
            let (sender, number) = line.strip_prefix("acknowledged ")?.split_once(' ')?;
            Some((sender.to_owned(), number.parse().unwrap()))
        });
        acknowledged.extend(acks.by_ref().take(round * 8));
        // While the child writes, this process reads a whole chain.
        Reader::open(&path).await.unwrap().verify().await.unwrap();
        child.kill().unwrap();
        // What the child still said before it died counts as well.
        acknowledged.extend(acks);
        child.wait().unwrap();

        let store = Store::open(&path).await.unwrap();
        store.verify().await.unwrap();
        let mut stored: BTreeMap<String, usize> = BTreeMap::new();
        for id in fields(&store, "id").await {
            *stored
                .entry(id.rsplit_once('-').unwrap().0.to_owned())
                .or_default() += 1;
        }
        assert!(
            stored.values().all(|events| *events == EVENTS),
            "a batch is in parts: {stored:?}"
        );
        for (sender, last) in &acknowledged {
            for number in 1..=*last {
                assert_eq!(stored.get(&format!("{sender}-{number}")), Some(&EVENTS));
            }
            let again = store.append(batch(sender, *last, EVENTS)).await.unwrap();
            assert_eq!(again, Appended::Repeated);
        }
        store.close().await;
    }
    assert!(
        acknowledged.len() >= 3,
        "each round has senders of its own: {acknowledged:?}"
    );
}
