//! The packs in force, and looking with them.

use std::collections::HashSet;
use std::ops::Range;

use gatehold_detect::{Context, Kind, Pack, PackError, Verdict, scan};
use gatehold_wire::push;
use thiserror::Error;

use crate::detection::allowed::{Digest, without_allowed};

/// What is looked for.
#[derive(Debug)]
pub struct Detectors {
    /// Version of the resource, as control numbers it.
    pub version: String,
    pack: Pack,
    shadow: Option<Pack>,
    /// SHA-256 of texts that are never flagged.
    allowed: HashSet<Digest>,
}

/// Why a resource cannot be used.
#[derive(Debug, Error)]
pub enum DetectorsError {
    /// One of the packs.
    #[error("its {which} cannot be loaded: {error}")]
    Pack {
        /// `pack` or `shadow`.
        which: &'static str,
        /// Why.
        error: PackError,
    },
    /// An entry of the allow-list.
    #[error("entry {0} of `allowed` is not 32 bytes")]
    Allowed(usize),
}

/// What was seen in one text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// By the pack in force.
    pub verdict: Verdict,
    /// By the shadow pack, where it alone saw something.
    pub shadow: Option<Verdict>,
}

impl Seen {
    /// Whether the pack in force saw something.
    pub fn is_something(&self) -> bool {
        self.verdict.flagged || !self.verdict.secrets.is_empty()
    }

    /// Leaves nothing of what nobody wants to know.
    pub fn leave(&mut self, injection: bool, secrets: bool) {
        let verdicts = std::iter::once(&mut self.verdict).chain(&mut self.shadow);
        for verdict in verdicts {
            verdict.flagged &= injection;
            if !secrets {
                verdict.secrets.clear();
            }
        }
        self.shadow = self.shadow.take().filter(says_something);
    }

    /// The same with other places; what has none is left out.
    #[must_use]
    pub fn moved(&self, place: impl Fn(&Range<usize>) -> Option<Range<usize>>) -> Self {
        let moved = |verdict: &Verdict| {
            let mut verdict = verdict.clone();
            verdict.findings.retain_mut(|finding| {
                let found = place(&finding.span);
                found.is_some_and(|span| {
                    finding.span = span;
                    true
                })
            });
            verdict.secrets.retain_mut(|secret| {
                let found = place(&secret.span);
                found.is_some_and(|span| {
                    secret.span = span;
                    true
                })
            });
            verdict.flagged &= !verdict.findings.is_empty();
            verdict
        };
        let shadow = self.shadow.as_ref().map(moved);
        Self {
            verdict: moved(&self.verdict),
            shadow: shadow.filter(says_something),
        }
    }

    /// Whether there is nothing to tell.
    pub fn is_nothing(&self) -> bool {
        !self.is_something() && self.shadow.is_none()
    }
}

impl Detectors {
    /// Loads a resource.
    ///
    /// # Errors
    /// A pack that does not load, or an entry of the allow-list that is no digest; nothing is used of it then.
    pub fn new(resource: &push::Detectors, version: String) -> Result<Self, DetectorsError> {
        let load = |which, bytes: &[u8]| {
            Pack::load(bytes).map_err(|error| DetectorsError::Pack { which, error })
        };
        let pack = load("pack", &resource.pack)?;
        let shadow = match resource.shadow.as_slice() {
            [] => None,
            bytes => Some(load("shadow", bytes)?),
        };
        let digests = resource.allowed.iter().enumerate().map(|(at, digest)| {
            let digest = digest.as_slice().try_into();
            digest.map_err(|_| DetectorsError::Allowed(at))
        });
        Ok(Self {
            version,
            pack,
            shadow,
            allowed: digests.collect::<Result<_, _>>()?,
        })
    }

    /// Looks at a text: JSON as it is on the wire, or plain.
    pub fn look(&self, kind: Kind, context: Context<'_>, text: &[u8]) -> Seen {
        let verdict = self.verdict(kind, context, text);
        let shadow = self.shadow.as_ref();
        let shadow = shadow.map(|pack| self.verdict_of(pack, kind, context, text));
        Seen {
            shadow: shadow.filter(|shadow| sees_more(shadow, &verdict)),
            verdict,
        }
    }

    /// What the pack in force alone says of a text.
    pub(super) fn verdict(&self, kind: Kind, context: Context<'_>, text: &[u8]) -> Verdict {
        self.verdict_of(&self.pack, kind, context, text)
    }

    fn verdict_of(&self, pack: &Pack, kind: Kind, context: Context<'_>, text: &[u8]) -> Verdict {
        let verdict = scan(pack, kind, context, text);
        if self.allowed.is_empty() || !says_something(&verdict) {
            return verdict;
        }
        let again = |text: &[u8]| scan(pack, kind, context, text);
        without_allowed(&self.allowed, kind, text, verdict, again)
    }
}

fn says_something(verdict: &Verdict) -> bool {
    verdict.flagged || !verdict.secrets.is_empty()
}

fn sees_more(shadow: &Verdict, verdict: &Verdict) -> bool {
    let mut secrets = shadow.secrets.iter();
    shadow.flagged && !verdict.flagged || secrets.any(|secret| !verdict.secrets.contains(secret))
}
