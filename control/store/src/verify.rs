//! Whether the chain is what was written.

use crate::head::Head;
use crate::reader::{read_head, read_page, record};
use crate::{StoreError, VerifyError};
use sqlx::sqlite::{SqliteConnection, SqliteRow};

/// A chain that is what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// How many events it has, gaps included.
    pub events: u64,
    /// Its end: compare it with one that was kept elsewhere, to see that the newest events were not cut off.
    pub head: Head,
}

/// The first place where the chain is not what was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the audit chain is broken at event {sequence}: {why}; keep the file as evidence, what stands before that event is intact"
)]
pub struct Broken {
    /// Sequence of the event; one past the newest when the end of the chain is what is wrong.
    pub sequence: u64,
    /// What is wrong with it.
    pub why: String,
}

/// Reads every row, in whatever state the file is as `connection` sees it.
pub(crate) async fn verify(connection: &mut SqliteConnection) -> Result<Verified, VerifyError> {
    let mut chain = Head::EMPTY;
    let mut next = i64::MIN;
    loop {
        let page = read_page(connection, next, i64::MAX)
            .await
            .map_err(StoreError::from)?;
        if page.is_empty() {
            break;
        }
        for row in &page {
            extend(&mut chain, row)?;
        }
        next = chain.sequence.cast_signed().saturating_add(1);
    }
    let end = |why: String| Broken {
        sequence: chain.sequence.saturating_add(1),
        why,
    };
    let head = match read_head(connection).await {
        Ok(head) => head,
        Err(sqlx::Error::RowNotFound) => {
            return Err(end("the end of the chain is missing".to_owned()).into());
        }
        Err(error @ (sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. })) => {
            return Err(end(format!("the end of the chain cannot be read: {error}")).into());
        }
        Err(error) => return Err(StoreError::from(error).into()),
    };
    if head.sequence > chain.sequence {
        return Err(end(format!("the events up to {} are missing", head.sequence)).into());
    }
    if head != chain {
        return Err(end("the end of the chain does not fit its events".to_owned()).into());
    }
    Ok(Verified {
        events: head.sequence,
        head,
    })
}

/// Checks one row against the chain before it, and adds it.
fn extend(chain: &mut Head, row: &SqliteRow) -> Result<(), Broken> {
    let sequence = chain.sequence + 1;
    let broken = |why: String| Broken { sequence, why };
    let (record, hash) =
        record(row).map_err(|error| broken(format!("it cannot be read: {error}")))?;
    if record.sequence != sequence {
        return Err(broken(format!(
            "it is missing, {} stands in its place",
            record.sequence.cast_signed()
        )));
    }
    if record.previous_hash != chain.hash {
        return Err(broken(
            "its previous hash is not that of the event before it".to_owned(),
        ));
    }
    if record.hash() != hash {
        return Err(broken("its values do not fit its hash".to_owned()));
    }
    *chain = Head {
        sequence,
        hash,
        batches: chain.batches + u64::from(record.position == 0),
        dropped: chain.dropped.saturating_add(record.dropped),
    };
    Ok(())
}
