//! Images without a registry: programs of this machine and the shared libraries that they load.

use std::collections::BTreeSet;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::StreamExt;
use testcontainers::bollard::query_parameters::CreateImageOptionsBuilder;
use testcontainers::bollard::{Docker, body_full};
use tokio::time::timeout;

use crate::docker::Image;
use crate::engine::{OWNER, owner};
use crate::error::HarnessError;
use crate::process::command;

/// How long the engine may take to unpack an image.
const IMPORT: Duration = Duration::from_secs(120);

/// Where systems keep the certificates of authorities: programs that speak TLS do not start without any.
const AUTHORITIES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Imports an image that holds `programs`, and what they load, at the paths that they have here.
pub(crate) async fn import(
    docker: &Docker,
    image: &Image,
    programs: &[&Path],
) -> Result<(), HarnessError> {
    let authorities = AUTHORITIES.map(PathBuf::from).into_iter();
    let mut files: BTreeSet<PathBuf> = authorities.filter(|path| path.is_file()).collect();
    for program in programs {
        files.insert(program.to_path_buf());
        files.extend(libraries(program).await?);
    }
    let packed = tokio::task::spawn_blocking(move || pack(&files)).await;
    let packed = packed.map_err(|error| HarnessError::Unexpected(error.to_string()))??;
    let options = CreateImageOptionsBuilder::new()
        .from_src("-")
        .repo(&image.name)
        .tag(&image.tag)
        .changes(vec![format!(
            "LABEL \"{OWNER}\"=\"{}\"",
            owner().unwrap_or_default()
        )])
        .build();
    let failed = |reason: String| {
        HarnessError::Unexpected(format!(
            "the container engine does not import {image}: {reason}"
        ))
    };
    let mut progress = docker.create_image(Some(options), Some(body_full(packed.into())), None);
    let imported = async {
        while let Some(step) = progress.next().await {
            step.map_err(|error| error.to_string())?;
        }
        Ok(())
    };
    timeout(IMPORT, imported)
        .await
        .unwrap_or_else(|_| Err(format!("not done after {} s", IMPORT.as_secs())))
        .map_err(failed)
}

/// A tag that changes when one of the programs does.
pub(crate) fn tag(programs: &[&Path]) -> String {
    let mut hasher = DefaultHasher::new();
    for program in programs {
        program.hash(&mut hasher);
        let data = fs::metadata(program).ok();
        let seen = data.map(|data| (data.len(), data.modified().ok()));
        seen.hash(&mut hasher);
    }
    format!("{:016x}", hasher.finish())
}

/// The shared libraries that the dynamic loader finds for `program`, and the loader.
async fn libraries(program: &Path) -> Result<Vec<PathBuf>, HarnessError> {
    let output = command(Path::new("ldd"), [program]).output().await;
    let output = output.map_err(HarnessError::io("run ldd (it comes with the C library)"))?;
    // What is linked statically is an error to it, and has none.
    listed(&String::from_utf8_lossy(&output.stdout)).map_err(|missing| {
        HarnessError::Unexpected(format!(
            "`{}` needs `{missing}`, which is not installed",
            program.display()
        ))
    })
}

/// The paths in what `ldd` prints; `Err` is the first library that it did not find.
fn listed(text: &str) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    for line in text.lines() {
        let (name, place) = match line.trim().split_once(" => ") {
            Some((name, place)) => (name, place),
            None => ("", line.trim()),
        };
        if place == "not found" {
            return Err(name.to_owned());
        }
        let path = place.split(" (").next().unwrap_or_default();
        if path.starts_with('/') {
            found.push(PathBuf::from(path));
        }
    }
    Ok(found)
}

/// The files as a tar archive, links followed.
fn pack(files: &BTreeSet<PathBuf>) -> Result<Vec<u8>, HarnessError> {
    let mut archive = tar::Builder::new(Vec::new());
    archive.follow_symlinks(true);
    // Engines do not know that kind of entry.
    archive.sparse(false);
    for file in files {
        let inside = file.strip_prefix("/").unwrap_or(file);
        archive
            .append_path_with_name(file, inside)
            .map_err(HarnessError::io(format!("pack {}", file.display())))?;
    }
    archive
        .into_inner()
        .map_err(HarnessError::io("pack an image"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_read_as_ldd_prints_them() {
        let text = "\tlinux-vdso.so.1 (0x00007f)\n\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n";
        assert_eq!(
            listed(text).unwrap(),
            [
                "/lib/x86_64-linux-gnu/libm.so.6",
                "/lib64/ld-linux-x86-64.so.2"
            ]
            .map(PathBuf::from)
        );
        assert_eq!(
            listed("\tlibx.so => not found\n").unwrap_err(),
            "libx.so",
            "a program that cannot start is not packed"
        );
        assert_eq!(
            listed("\tstatically linked\n").unwrap(),
            Vec::<PathBuf>::new()
        );
        assert_eq!(listed("").unwrap(), Vec::<PathBuf>::new());
    }

    #[test]
    fn an_archive_holds_what_links_point_to() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&real, "content").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let packed = pack(&BTreeSet::from([link.clone()])).unwrap();
        let mut archive = tar::Archive::new(packed.as_slice());
        let mut entries = archive.entries().unwrap();
        let entry = entries.next().unwrap().unwrap();
        assert_eq!(Path::new("/").join(entry.path().unwrap()), link);
        assert_eq!(entry.header().size().unwrap(), 7);
        assert!(entries.next().is_none());
    }
}
