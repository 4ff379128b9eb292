//! Loading a set of documents.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::compile::{Compiled, compile};
use crate::names::{self, DocumentKind};
use crate::problem::{At, Position, Problems, Report};
use crate::set::{Entry, Set};
use crate::{Documents, console, detectors, filter, issuer, policy, server, webhook, yaml};

/// Longest file, in bytes.
pub const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;
/// Most files of a set.
pub const MAX_FILES: usize = 1000;

/// Checks and compiles the documents of these files: names for messages, and contents.
///
/// The order of the files does not matter.
///
/// # Errors
///
/// All problems that were found. The set is good as a whole or not at all.
pub fn load(files: &[(PathBuf, String)]) -> Result<Documents, Problems> {
    Loader::default().load(files)
}

/// Loads one set of documents after the other, and goes through what has changed only: files that are as they
/// were are not read again, and servers that no change reaches are not compiled again.
#[derive(Debug, Default)]
pub struct Loader {
    read: Vec<File>,
    compiled: Compiled,
}

/// A file without problems of its own.
#[derive(Debug)]
struct File {
    number: u32,
    path: PathBuf,
    text: String,
    set: Set,
}

impl Loader {
    /// As [`load`], with the same result whatever was loaded before.
    ///
    /// # Errors
    ///
    /// As [`load`].
    pub fn load(&mut self, files: &[(PathBuf, String)]) -> Result<Documents, Problems> {
        let mut files: Vec<_> = files.iter().collect();
        files.sort();
        let names: Vec<PathBuf> = files.iter().map(|(name, _)| name.clone()).collect();
        let mut report = Report::default();
        let mut set = Set::default();
        let mut before = std::mem::take(&mut self.read).into_iter().peekable();
        for ((path, text), number) in files.into_iter().zip(0_u32..) {
            let at = Position {
                file: number,
                ..Position::default()
            };
            if number as usize >= MAX_FILES {
                let message = format!("more than {MAX_FILES} files");
                report.add(
                    at,
                    message,
                    "put several documents into one file, with `---` between".to_owned(),
                );
                break;
            }
            if text.len() > MAX_FILE_BYTES {
                report.add(at, "the file is longer than 4 MiB", "split it".to_owned());
                continue;
            }
            while before.next_if(|file| file.number < number).is_some() {}
            // Places are told by the number of the file, so that has to be the same too.
            let is_same =
                |file: &File| file.number == number && file.path == *path && file.text == *text;
            let file = match before.next_if(is_same) {
                Some(file) => file,
                None => File::read(number, path, text, &mut report),
            };
            set.extend(&file.set);
            if !file.set.has_problems {
                self.read.push(file);
            }
        }
        let documents = compile(set, &names, &mut self.compiled, &mut report);
        report.finish(&names).map_or(Ok(documents), Err)
    }
}

impl File {
    fn read(number: u32, path: &Path, text: &str, report: &mut Report) -> Self {
        let before = report.len();
        let mut set = Set::default();
        for node in yaml::parse(number, text, report) {
            read(&node, text, &mut set, report);
        }
        set.has_problems = report.len() > before;
        Self {
            number,
            path: path.to_path_buf(),
            text: text.to_owned(),
            set,
        }
    }
}

/// Adds one document to the set.
fn read(node: &yaml::Node, text: &str, set: &mut Set, report: &mut Report) {
    let Some(document) = names::document(node, report) else {
        return;
    };
    let (name, at, spec) = (document.name, document.at, document.spec);
    match document.kind {
        DocumentKind::Server => {
            let spec = spec.and_then(|spec| server::server(spec, report));
            add(&mut set.servers, name, at, spec);
        }
        DocumentKind::Issuer => {
            let spec = spec.and_then(|spec| issuer::issuer(spec, report));
            add(&mut set.issuers, name, at, spec);
        }
        DocumentKind::Policy => {
            let spec = spec.and_then(|spec| policy::policy(spec, text, report));
            add(&mut set.policies, name, at, spec);
        }
        DocumentKind::Console => {
            let spec = spec.and_then(|spec| console::console(spec, report));
            add(&mut set.consoles, name, at, spec);
        }
        DocumentKind::Webhook => {
            let spec = spec.and_then(|spec| webhook::webhook(spec, report));
            add(&mut set.webhooks, name, at, spec);
        }
        DocumentKind::Detectors => {
            let spec = spec.and_then(|spec| detectors::detectors(spec, report));
            add(&mut set.detectors, name, at, spec);
        }
        DocumentKind::Filter => {
            let spec = spec.and_then(|spec| filter::filter(spec, report));
            add(&mut set.filters, name, at, spec);
        }
    }
}

fn add<T>(entries: &mut Vec<Entry<T>>, name: Option<At<String>>, at: Position, spec: Option<T>) {
    let spec = spec.map(Arc::new);
    entries.extend(name.map(|name| Entry { name, at, spec }));
}
