//! Reading a directory of documents: the only part of this crate that touches files.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::{MAX_FILE_BYTES, MAX_FILES};

/// Why the documents of a directory are not loaded.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The directory or one of its files cannot be read.
    #[error("cannot read `{}`: {error}", path.display())]
    Io {
        /// What could not be read.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A file is not text.
    #[error("`{}` is not UTF-8 text: save it as UTF-8", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// There are too many files.
    #[error("`{}` holds more than {MAX_FILES} documents: put several into one file", path.display())]
    TooMany {
        /// The directory.
        path: PathBuf,
    },
}

/// The files `*.yaml` and `*.yml` of a directory, sorted by name. Subdirectories and hidden files are left out;
/// links are followed, since mounted configuration consists of them.
///
/// # Errors
///
/// When the directory or a file cannot be read as text.
pub fn read_dir(directory: &Path) -> Result<Vec<(PathBuf, String)>, ReadError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| ReadError::Io { path, error }
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(failed(directory))? {
        let path = entry.map_err(failed(directory))?.path();
        if is_document(&path) && path.is_file() {
            paths.push(path);
        }
        if paths.len() > MAX_FILES {
            let path = directory.to_owned();
            return Err(ReadError::TooMany { path });
        }
    }
    paths.sort();
    let mut files = Vec::with_capacity(paths.len());
    for path in paths {
        let mut bytes = Vec::new();
        let file = File::open(&path).map_err(failed(&path))?;
        // One byte more than is accepted, so that `load` sees that the file is too long.
        let most = MAX_FILE_BYTES as u64 + 1;
        file.take(most)
            .read_to_end(&mut bytes)
            .map_err(failed(&path))?;
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            // The cut may have gone through a character.
            Err(error) if error.as_bytes().len() > MAX_FILE_BYTES => {
                String::from_utf8_lossy(error.as_bytes()).into_owned()
            }
            Err(_) => return Err(ReadError::NotText { path }),
        };
        files.push((path, text));
    }
    Ok(files)
}

fn is_document(path: &Path) -> bool {
    let hidden = |name: &std::ffi::OsStr| name.as_encoded_bytes().starts_with(b".");
    let extension = path.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("yaml" | "yml")) && !path.file_name().is_some_and(hidden)
}
