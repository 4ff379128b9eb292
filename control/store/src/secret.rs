//! Secrets that are made once and kept.

use std::fmt;

use sqlx::SqliteConnection;

use crate::StoreError;

/// Length of a secret in bytes.
const LENGTH: usize = 32;

/// A secret of 32 bytes, which debug output does not show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; LENGTH]);

impl Secret {
    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The secret of that name, made when there is none. Two programs that open a new file at once get the same.
pub(crate) async fn secret(
    connection: &mut SqliteConnection,
    name: &str,
) -> Result<Secret, StoreError> {
    let mut fresh = [0; LENGTH];
    getrandom::fill(&mut fresh).map_err(StoreError::Random)?;
    sqlx::query("INSERT OR IGNORE INTO secret (name, value) VALUES (?, ?)")
        .bind(name)
        .bind(fresh.as_slice())
        .execute(&mut *connection)
        .await?;
    let value: Vec<u8> = sqlx::query_scalar("SELECT value FROM secret WHERE name = ?")
        .bind(name)
        .fetch_one(connection)
        .await?;
    value
        .try_into()
        .map(Secret)
        .map_err(|_| StoreError::Secret(name.to_owned()))
}
