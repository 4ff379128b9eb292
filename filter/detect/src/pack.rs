//! What is looked for, compiled.

use crate::bytes::{Reader, Writer};
use crate::follow::Follow;
use crate::hash::Hash;
use crate::prune::prune;
use crate::skim::Table;
use crate::spare::Spare;
use crate::{Fold, Kind, Rules, lexicon::Lexicon};

/// Changes whenever older filters could not read what is written.
const FORMAT: u32 = 2;
const MAGIC: &[u8; 4] = b"GHDP";
/// What a step that completes nothing has for a feature.
pub(crate) const NO_FEATURE: u16 = u16::MAX;

/// Words, patterns, weights and user rules, as control compiled them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pack {
    /// Name of what it was compiled from, for events: "2026.11".
    pub name: String,
    /// By kind: words over which features add up.
    pub(crate) windows: [u32; 3],
    pub(crate) lexicon: Lexicon,
    pub(crate) classes: u16,
    /// The steps of sequences, as a close reading goes through them.
    pub(crate) follow: Follow,
    /// The same, for skimming.
    pub(crate) skim: Table,
    pub(crate) features: Vec<Feature>,
    /// By kind: the sum that flags, in thousandths of log odds.
    pub(crate) thresholds: [i32; 3],
    /// How characters beyond ASCII read.
    pub(crate) fold: Fold,
    /// The user's rules; see `user`.
    pub(crate) user: Rules,
    pub(crate) spare: Spare,
}

/// One way of a word to carry a sequence on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Place that is reached.
    pub state: u16,
    /// Words that may stand between it and the place before; [`Step::FIRST`] where a sequence begins.
    pub gap: u8,
    /// Flags that the word must have.
    pub need: u8,
    /// The feature that is complete, or `u16::MAX`.
    pub feature: u16,
}

impl Step {
    /// The gap of what begins a sequence.
    pub const FIRST: u8 = u8::MAX;
}

/// What adds to the score.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feature {
    /// Its name, for findings.
    pub name: String,
    /// By kind: thousandths of log odds.
    pub weights: [i32; 3],
}

/// What a word of the lexicon is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag {
    /// Class.
    pub class: u16,
    /// Flags that the word must have.
    pub need: u8,
    /// The symbol that must stand right before it, or 0.
    pub before: u8,
    /// The symbol that must stand right after it, or 0.
    pub after: u8,
}

impl Tag {
    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.u16(self.class);
        for byte in [self.need, self.before, self.after] {
            writer.u8(byte);
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            class: reader.u16()?,
            need: reader.u8()?,
            before: reader.u8()?,
            after: reader.u8()?,
        })
    }
}

/// What a pack is made of.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    /// Name of the whole.
    pub name: String,
    /// By kind: words over which features add up.
    pub windows: [u32; 3],
    /// How many classes there are.
    pub classes: u16,
    /// Folded words and what they are.
    pub lexicon: Vec<(Hash, Vec<Tag>)>,
    /// By class.
    pub steps: Vec<Vec<Step>>,
    /// How many states the steps name.
    pub states: u32,
    /// At most 65,000.
    pub features: Vec<Feature>,
    /// By kind: the sum that flags.
    pub thresholds: [i32; 3],
    /// How characters beyond ASCII read.
    pub fold: Fold,
    /// By class: how many of a hundred thousand words of usual text are of it.
    pub frequency: Vec<u32>,
    /// Bytes of the user's rules, see [`Rules::to_bytes`]; none for none.
    pub user: Vec<u8>,
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
    /// Puts a pack together.
    ///
    /// # Errors
    /// Something points outside.
    pub fn assemble(mut parts: Parts) -> Result<Self, PackError> {
        prune(&mut parts);
        let states = parts.states;
        let known = |step: &Step| {
            u32::from(step.state) < states
                && (step.gap == Step::FIRST || step.state > 0)
                && (step.feature == NO_FEATURE || usize::from(step.feature) < parts.features.len())
        };
        if states > 1 << 16 || !parts.steps.iter().flatten().all(known) {
            return Err(PackError::Damaged("steps"));
        }
        if parts.steps.len() != usize::from(parts.classes) {
            return Err(PackError::Damaged("classes"));
        }
        let mut lexicon = Lexicon::build(&parts.lexicon);
        let (steps, features) = (&parts.steps, &parts.features);
        let pack = Self {
            skim: Table::new(steps, states, &mut lexicon, features, &parts.frequency),
            follow: Follow::new(steps, states),
            name: parts.name,
            windows: parts.windows,
            lexicon,
            classes: parts.classes,
            features: parts.features,
            thresholds: parts.thresholds,
            fold: parts.fold,
            user: Rules::load(&parts.user)?,
            spare: Spare::default(),
        };
        pack.check()?;
        Ok(pack)
    }

    /// Reads what [`Pack::to_bytes`] wrote. Nothing is compiled: tables are taken as they are, after a check
    /// that every index in them is in bounds.
    ///
    /// # Errors
    /// The bytes are no pack of this format.
    pub fn load(bytes: &[u8]) -> Result<Self, PackError> {
        let mut reader = Reader::new(bytes);
        if reader.bytes(4) != Some(MAGIC) {
            return Err(PackError::Damaged("magic"));
        }
        let format = reader.u32().ok_or(PackError::Damaged("format"))?;
        if format != FORMAT {
            return Err(PackError::Format(format, FORMAT));
        }
        let pack = Self::read(&mut reader).ok_or(PackError::Damaged("tables"))?;
        if !reader.is_empty() {
            return Err(PackError::Damaged("end"));
        }
        pack.check()?;
        Ok(pack)
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            name: reader.text()?,
            windows: [reader.u32()?, reader.u32()?, reader.u32()?],
            lexicon: Lexicon::read(reader)?,
            classes: reader.u16()?,
            follow: Follow::read(reader)?,
            skim: Table::read(reader)?,
            features: reader.list(|reader| {
                Some(Feature {
                    name: reader.text()?,
                    weights: [reader.i32()?, reader.i32()?, reader.i32()?],
                })
            })?,
            thresholds: [reader.i32()?, reader.i32()?, reader.i32()?],
            fold: Fold::load(reader.blob()?).ok()?,
            user: Rules::load(reader.blob()?).ok()?,
            spare: Spare::default(),
        })
    }

    /// The pack in bytes, the same on every machine.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.raw(MAGIC);
        writer.u32(FORMAT);
        writer.text(&self.name);
        self.windows.iter().for_each(|words| writer.u32(*words));
        self.lexicon.write(&mut writer);
        writer.u16(self.classes);
        self.follow.write(&mut writer);
        self.skim.write(&mut writer);
        writer.list(&self.features, |writer, feature| {
            writer.text(&feature.name);
            feature
                .weights
                .iter()
                .for_each(|weight| writer.i32(*weight));
        });
        self.thresholds.iter().for_each(|sum| writer.i32(*sum));
        writer.blob(&self.fold.to_bytes());
        writer.blob(&self.user.to_bytes());
        writer.finish()
    }

    /// Turns a pattern of secrets on or off, such as `email`, which is off unless it is turned on. Whether there is
    /// one of this name.
    pub fn switch(&mut self, pattern: &str, on: bool) -> bool {
        self.user.switch(pattern, on)
    }

    /// The pack with these rules of a user instead of those that it had.
    #[must_use]
    pub fn with_rules(self, user: Rules) -> Self {
        Self { user, ..self }
    }

    /// The rules of a user.
    pub fn rules(&self) -> &Rules {
        &self.user
    }

    /// How characters beyond ASCII read.
    pub fn fold(&self) -> &Fold {
        &self.fold
    }

    /// The sum from which on texts of the kind are flagged, in thousandths of log odds.
    pub fn threshold(&self, kind: Kind) -> i32 {
        self.thresholds
            .get(kind.index())
            .copied()
            .unwrap_or(i32::MAX)
    }

    /// Whether texts are skimmed, and only what may be something is read closely. A pack that asks for more than
    /// skimming can see has all of every text read closely.
    pub fn is_skimmed(&self) -> bool {
        self.skim.complete
    }

    /// What adds to the score.
    pub fn features(&self) -> &[Feature] {
        &self.features
    }

    /// Every index is in bounds, so that a scan needs no answer for one that is not.
    fn check(&self) -> Result<(), PackError> {
        let classes = usize::from(self.classes);
        let features = self.features.len();
        if self
            .windows
            .iter()
            .any(|words| *words == 0 || *words > 1 << 16)
        {
            return Err(PackError::Damaged("windows"));
        }
        if !self.follow.is_sound(classes, features) {
            return Err(PackError::Damaged("steps"));
        }
        if features >= usize::from(NO_FEATURE) {
            return Err(PackError::Damaged("features"));
        }
        if !self.lexicon.is_sound(self.classes) {
            return Err(PackError::Damaged("lexicon"));
        }
        Ok(())
    }
}
