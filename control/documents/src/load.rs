//! Loading a set of documents.

use std::path::PathBuf;

use crate::compile::{Entry, Set, compile};
use crate::names::{self, DocumentKind};
use crate::problem::{Position, Problems, Report};
use crate::{Documents, issuer, policy, server, yaml};

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
    let mut files: Vec<_> = files.iter().collect();
    files.sort();
    let names: Vec<PathBuf> = files.iter().map(|(name, _)| name.clone()).collect();
    let mut report = Report::default();
    let mut set = Set::default();
    for ((_, text), number) in files.iter().zip(0_u32..) {
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
        for node in yaml::parse(number, text, &mut report) {
            read(&node, text, &mut set, &mut report);
        }
    }
    let documents = compile(set, &names, &mut report);
    report.finish(&names).map_or(Ok(documents), Err)
}

/// Adds one document to the set.
fn read(node: &yaml::Node, text: &str, set: &mut Set, report: &mut Report) {
    let Some(document) = names::document(node, report) else {
        return;
    };
    let (name, at) = (document.name, document.at);
    match document.kind {
        DocumentKind::Server => {
            let spec = document.spec.and_then(|spec| server::server(spec, report));
            set.servers
                .extend(name.map(|name| Entry { name, at, spec }));
        }
        DocumentKind::Issuer => {
            let spec = document.spec.and_then(|spec| issuer::issuer(spec, report));
            set.issuers
                .extend(name.map(|name| Entry { name, at, spec }));
        }
        DocumentKind::Policy => {
            let spec = document
                .spec
                .and_then(|spec| policy::policy(spec, text, report));
            set.policies
                .extend(name.map(|name| Entry { name, at, spec }));
        }
    }
}
