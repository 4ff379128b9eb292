//! Reading the documents' directory.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use gatehold_documents::{MAX_FILES, read_dir};

/// All documents together may have this many bytes.
pub const MAX_BYTES: u64 = 64 << 20;

/// Path and text of each file, by path.
pub type Files = Vec<(PathBuf, String)>;

/// Why the directory could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The directory, or a file in it.
    #[error("cannot read `{path}`: {reason}")]
    Io {
        /// What could not be read.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// What is in a file.
    #[error("{0}")]
    Documents(String),
    /// No file with a name that counts. An emptied directory is more likely an accident (a volume that is
    /// not mounted) than a wish to have no servers.
    #[error("`{0}` holds no document; put at least one `*.yaml` or `*.yml` file there")]
    Empty(PathBuf),
    /// More than can be meant.
    #[error(
        "`{0}` holds more than {MAX_FILES} files or {MAX_BYTES} bytes; move other files elsewhere"
    )]
    TooMuch(PathBuf),
    /// A file was changed every time it was read.
    #[error("`{0}` kept changing while it was read; it is read again when it rests")]
    Unsteady(PathBuf),
}

/// What tells two states of the directory apart without reading the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// Device and inode of the directory itself, which change when it is replaced.
    pub directory: (u64, u64),
    files: Vec<(PathBuf, FileState)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct FileState {
    inode: (u64, u64),
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// Looks at the directory: the `*.yaml` and `*.yml` files directly in it, without hidden ones.
/// Symbolic links are followed.
///
/// # Errors
/// When it can't be read, holds no file, or too much.
pub fn look(directory: &Path) -> Result<Fingerprint, ReadError> {
    let itself = fs::metadata(directory).map_err(error_at(directory))?;
    let mut files = Vec::new();
    let mut bytes = 0_u64;
    for entry in fs::read_dir(directory).map_err(error_at(directory))? {
        let path = entry.map_err(error_at(directory))?.path();
        if !is_document(&path) {
            continue;
        }
        let metadata = fs::metadata(&path).map_err(error_at(&path))?;
        if !metadata.is_file() {
            continue;
        }
        bytes = bytes.saturating_add(metadata.len());
        let state = FileState {
            inode: (metadata.dev(), metadata.ino()),
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        };
        files.push((path, state));
        if files.len() > MAX_FILES || bytes > MAX_BYTES {
            return Err(ReadError::TooMuch(directory.to_owned()));
        }
    }
    if files.is_empty() {
        return Err(ReadError::Empty(directory.to_owned()));
    }
    files.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(Fingerprint {
        directory: (itself.dev(), itself.ino()),
        files,
    })
}

/// Reads the files that [`look`] saw.
///
/// # Errors
/// When one can't be read or is no text, or the directory is not as it was when it was looked at: a
/// half-written set of documents must never be taken for a whole one.
pub fn read(directory: &Path, seen: &Fingerprint) -> Result<Files, ReadError> {
    let files = read_dir(directory).map_err(|error| ReadError::Documents(error.to_string()))?;
    if look(directory)? != *seen {
        return Err(ReadError::Unsteady(directory.to_owned()));
    }
    Ok(files)
}

fn is_document(path: &Path) -> bool {
    let hidden = path
        .file_name()
        .is_none_or(|name| name.as_encoded_bytes().first() == Some(&b'.'));
    !hidden
        && path
            .extension()
            .is_some_and(|end| end == "yaml" || end == "yml")
}

fn error_at(path: &Path) -> impl Fn(io::Error) -> ReadError {
    let path = path.to_owned();
    move |error| ReadError::Io {
        path: path.clone(),
        reason: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().expect("a directory");
        for (name, text) in files {
            fs::write(directory.path().join(name), text).expect("written");
        }
        directory
    }

    fn read_all(directory: &Path) -> Result<Vec<(String, String)>, ReadError> {
        let files = read(directory, &look(directory)?)?;
        let name = |path: PathBuf| {
            path.file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned()
        };
        Ok(files
            .into_iter()
            .map(|(path, text)| (name(path), text))
            .collect())
    }

    #[test]
    fn only_documents_count_and_they_are_sorted() {
        let directory = directory(&[
            ("b.yml", "b"),
            ("a.yaml", "a"),
            (".hidden.yaml", "h"),
            ("note.txt", "n"),
        ]);
        fs::create_dir(directory.path().join("folder.yaml")).expect("made");
        let expected = [("a.yaml", "a"), ("b.yml", "b")];
        let expected = expected.map(|(name, text)| (name.to_owned(), text.to_owned()));
        assert_eq!(read_all(directory.path()), Ok(expected.to_vec()));
    }

    #[test]
    fn nothing_to_read_is_an_error() {
        let empty = directory(&[("note.txt", "n")]);
        assert_eq!(
            look(empty.path()),
            Err(ReadError::Empty(empty.path().to_owned()))
        );
        let missing = empty.path().join("missing");
        assert!(matches!(look(&missing), Err(ReadError::Io { path, .. }) if path == missing));
    }

    #[test]
    fn what_changes_meanwhile_is_not_taken() {
        let directory = directory(&[("a.yaml", "a")]);
        let seen = look(directory.path()).expect("seen");
        fs::write(directory.path().join("b.yaml"), "b").expect("written");
        assert_eq!(
            read(directory.path(), &seen),
            Err(ReadError::Unsteady(directory.path().to_owned()))
        );
    }
}
