//! The folder that control watches.

use std::fs;
use std::path::{Path, PathBuf};

use crate::bootstrap::defaults;
use crate::error::HarnessError;

/// Policy documents as files. Texts are written for the default ports and names; what is really there is put in.
#[derive(Clone, Debug)]
pub struct Documents {
    folder: PathBuf,
    replacements: Vec<(String, String)>,
}

impl Documents {
    /// Creates the folder.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn create(
        folder: PathBuf,
        gateway: u16,
        provider: u16,
        console: u16,
        jwks: &str,
    ) -> Result<Self, HarnessError> {
        fs::create_dir_all(&folder).map_err(HarnessError::io("create the documents' folder"))?;
        let local = |port: u16| format!("http://127.0.0.1:{port}");
        let replacements = vec![
            (local(defaults::PROVIDER), local(provider)),
            (local(defaults::GATEWAY), local(gateway)),
            (local(defaults::CONSOLE), local(console)),
            ("${JWKS}".to_owned(), jwks.to_owned()),
        ];
        Ok(Self {
            folder,
            replacements,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes a document, or replaces it, in one step. In `text`, `http://127.0.0.1:10000` becomes the gateway,
    /// `http://127.0.0.1:10083` the OpenID provider, `http://127.0.0.1:18002` the console, and `${JWKS}` the keys of the test tokens.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<(), HarnessError> {
        let mut text = text.to_owned();
        // In two rounds, because a real address may be the default of another.
        for (index, (default, _)) in self.replacements.iter().enumerate() {
            text = text.replace(default, &format!("\u{0}{index}\u{0}"));
        }
        for (index, (_, real)) in self.replacements.iter().enumerate() {
            text = text.replace(&format!("\u{0}{index}\u{0}"), real);
        }
        // The name ends in nothing that control reads, and a rename is one event.
        let unfinished = self.folder.join(format!(".{name}.part"));
        fs::write(&unfinished, text).map_err(HarnessError::io(format!("write {name}")))?;
        fs::rename(&unfinished, self.folder.join(name))
            .map_err(HarnessError::io(format!("write {name}")))
    }

    /// Copies every YAML file of `from`.
    ///
    /// # Errors
    /// When one cannot be read or written.
    pub fn copy(&self, from: &Path) -> Result<(), HarnessError> {
        let entries =
            fs::read_dir(from).map_err(HarnessError::io(format!("read {}", from.display())))?;
        for entry in entries {
            let path = entry.map_err(HarnessError::io("read the folder"))?.path();
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            if name.ends_with(".yaml") || name.ends_with(".yml") {
                let text = fs::read_to_string(&path)
                    .map_err(HarnessError::io(format!("read {}", path.display())))?;
                self.write(name, &text)?;
            }
        }
        Ok(())
    }

    /// What a file holds now.
    ///
    /// # Errors
    /// When there is none.
    pub fn read(&self, name: &str) -> Result<String, HarnessError> {
        fs::read_to_string(self.folder.join(name)).map_err(HarnessError::io(format!("read {name}")))
    }

    /// Removes a file.
    ///
    /// # Errors
    /// When there is none.
    pub fn remove(&self, name: &str) -> Result<(), HarnessError> {
        fs::remove_file(self.folder.join(name)).map_err(HarnessError::io(format!("remove {name}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_addresses_become_the_real_ones() {
        let folder = tempfile::tempdir().unwrap();
        // The gateway sits where the provider would, and the other way round.
        let documents =
            Documents::create(folder.path().join("d"), 10083, 10000, 9, r#"{"keys":[]}"#).unwrap();
        documents
            .write(
                "a.yaml",
                "http://127.0.0.1:10000/mcp http://127.0.0.1:10083 http://127.0.0.1:18002 ${JWKS}",
            )
            .unwrap();
        assert_eq!(
            documents.read("a.yaml").unwrap(),
            r#"http://127.0.0.1:10083/mcp http://127.0.0.1:10000 http://127.0.0.1:9 {"keys":[]}"#
        );
        documents.remove("a.yaml").unwrap();
        assert!(documents.read("a.yaml").is_err());
    }
}
