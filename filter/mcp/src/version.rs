//! Protocol versions and the two eras they fall into.

use std::fmt;

/// Which of the two ways of talking a message uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Era {
    /// Up to 2025-11-25: `initialize`, sessions, GET streams, requests in both directions.
    Legacy,
    /// From 2026-07-28: stateless, `_meta` on every request, `resultType` on every result.
    Modern,
}

/// A version this crate can judge. 2024-11-05 is not among them: its HTTP+SSE transport is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Version {
    /// 2025-03-26, also what a request without the version header is taken for.
    V2025_03_26,
    /// 2025-06-18.
    V2025_06_18,
    /// 2025-11-25.
    V2025_11_25,
    /// 2026-07-28.
    V2026_07_28,
}

/// How one request talks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// The era, which follows from the version.
    pub era: Era,
    /// The version named by header and body, or the assumed one.
    pub version: Version,
}

impl Version {
    /// All of them, oldest first: the `supported` list of a refusal.
    pub const ALL: [Self; 4] = [
        Self::V2025_03_26,
        Self::V2025_06_18,
        Self::V2025_11_25,
        Self::V2026_07_28,
    ];

    /// Those that a request names in its body, and so can ask for by itself.
    pub const MODERN: [Self; 1] = [Self::V2026_07_28];

    /// The version of that date, or `None` when it is not one of [`Version::ALL`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|version| version.as_str() == text)
    }

    /// The date as it stands on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// The era it belongs to.
    #[must_use]
    pub fn era(self) -> Era {
        if self >= Self::V2026_07_28 {
            Era::Modern
        } else {
            Era::Legacy
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<Version> for Protocol {
    fn from(version: Version) -> Self {
        Self {
            era: version.era(),
            version,
        }
    }
}
