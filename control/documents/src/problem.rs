//! What is wrong with a set of documents, and where.

use std::fmt;
use std::path::PathBuf;

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// The file, as it was named to [`crate::load`].
    pub file: PathBuf,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// One reason why a set of documents is refused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Problem {
    /// Where it is.
    pub location: Location,
    /// What is wrong.
    pub message: String,
    /// What to do, where that can be told.
    pub help: Option<String>,
}

/// All reasons why a set of documents is refused, sorted by file and line. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems {
    /// The problems, at most a hundred.
    pub list: Vec<Problem>,
    /// How many more there were.
    pub more: usize,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.location, self.message)?;
        match &self.help {
            Some(help) => write!(f, "\n    {help}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.list {
            writeln!(f, "{problem}")?;
        }
        match (self.list.len(), self.more) {
            (1, 0) => write!(f, "1 problem; nothing was changed"),
            (count, 0) => write!(f, "{count} problems; nothing was changed"),
            (_, more) => write!(f, "and {more} more problems; nothing was changed"),
        }
    }
}

impl std::error::Error for Problems {}

/// A place in the file with this number. Lines and columns from 1; zero is a whole file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) file: u32,
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// A value with the place where it is written.
#[derive(Clone, Debug)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) at: Position,
}

/// Collects problems.
#[derive(Debug, Default)]
pub(crate) struct Report {
    found: Vec<(Position, String, Option<String>)>,
}

/// How many problems are told.
const MAX_PROBLEMS: usize = 100;

impl Report {
    /// Adds a problem with what to do about it.
    pub(crate) fn add(
        &mut self,
        at: Position,
        message: impl Into<String>,
        help: impl Into<Option<String>>,
    ) {
        self.found.push((at, message.into(), help.into()));
    }

    pub(crate) fn len(&self) -> usize {
        self.found.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The problems by file and line, or nothing when there are none.
    pub(crate) fn finish(mut self, files: &[PathBuf]) -> Option<Problems> {
        if self.found.is_empty() {
            return None;
        }
        self.found.sort();
        self.found.dedup();
        let more = self.found.len().saturating_sub(MAX_PROBLEMS);
        let list = self.found.into_iter().take(MAX_PROBLEMS);
        let list = list.map(|(at, message, help)| Problem {
            location: locate(at, files),
            message,
            help,
        });
        Some(Problems {
            list: list.collect(),
            more,
        })
    }
}

/// The location of a position.
pub(crate) fn locate(at: Position, files: &[PathBuf]) -> Location {
    Location {
        file: files.get(at.file as usize).cloned().unwrap_or_default(),
        line: at.line.max(1),
        column: at.column.max(1),
    }
}
