//! One control for each data file: two would give one approval twice.

use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

/// Keeps other controls off this data file, as long as the file that it gives is open; the system closes it however the
/// process ends. The lock is on a file beside it, since SQLite has locks of its own on that one.
///
/// # Errors
/// When another one has it, or no file can be made there.
pub fn hold(data: &Path) -> anyhow::Result<File> {
    let path = beside(data);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .with_context(|| format!("cannot open `{}`", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!(
            "another control has `{}` open; end that one first, or give this one a file of its own with --data",
            data.display()
        ),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock `{}`", path.display()))
        }
    }
}

fn beside(data: &Path) -> PathBuf {
    let mut name = OsString::from(data);
    name.push(".lock");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("gatehold.db");
        let first = hold(&data).unwrap();
        let said = hold(&data).unwrap_err().to_string();
        assert!(said.contains("another control has `"), "{said}");
        assert!(hold(&folder.path().join("other.db")).is_ok());
        drop(first);
        assert!(hold(&data).is_ok());
        let nowhere = hold(Path::new("/nonexistent/gatehold.db")).unwrap_err();
        assert!(nowhere.to_string().contains("cannot open"), "{nowhere}");
    }
}
