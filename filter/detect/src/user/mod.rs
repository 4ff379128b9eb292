//! What a user looks for beside what ships: regular expressions, compiled by control, and which patterns of
//! secrets are off.
//!
//! A text is read once more for them, only when there are any: with escapes and disguises undone, but in its own
//! case. One automaton says which rules may match somewhere in a stretch of it; only for these their own say where,
//! from each place at which they can begin: that way a gap of so many characters does not make them large.

mod read;
mod search;

use regex_automata::dfa::{Automaton as _, StartKind, sparse::DFA};
use regex_automata::{Anchored, util::start};

use crate::bytes::{Reader, Writer};
use crate::{PackError, secrets};

pub(crate) use search::Search;

/// A compiled expression.
pub(crate) type Automaton = DFA<Vec<u8>>;

/// The rules of a user, as a pack has them.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Patterns of secrets that are not told.
    off: Vec<String>,
    rules: Vec<Rule>,
    filters: Vec<Filter>,
}

/// One rule.
#[derive(Clone, Debug)]
struct Rule {
    name: String,
    role: Role,
    /// Finds the end of a match from its beginning.
    automaton: Automaton,
    /// Bytes with which a match can begin.
    begins: Begins,
}

/// A set of bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Begins([u64; 4]);

impl Begins {
    /// Of all matches of an anchored automaton, whatever stands before them.
    fn of(automaton: &Automaton) -> Self {
        let mut set = Self::default();
        for before in [None, Some(b' '), Some(b'a'), Some(b'\n'), Some(b'\r')] {
            let config = start::Config::new()
                .anchored(Anchored::Yes)
                .look_behind(before);
            let Ok(state) = automaton.start_state(&config) else {
                continue;
            };
            for byte in 0..=u8::MAX {
                if !automaton.is_dead_state(automaton.next_state(state, byte))
                    && let Some(word) = set.0.get_mut(usize::from(byte >> 6))
                {
                    *word |= 1 << (byte & 63);
                }
            }
        }
        set
    }

    fn has(&self, byte: u8) -> bool {
        let word = self.0.get(usize::from(byte >> 6)).copied().unwrap_or(0);
        word >> (byte & 63) & 1 != 0
    }
}

/// What a rule means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Adds so many thousandths of log odds, once per message.
    Finding(i32),
    /// Is a secret.
    Secret,
    /// Is a secret that identifies a person.
    Personal,
}

/// Says which of some rules match at all.
#[derive(Clone, Debug)]
struct Filter {
    automaton: Automaton,
    /// The rules that its patterns are.
    rules: Vec<u16>,
}

/// What [`Rules::assemble`] makes rules of; automata are sparse DFAs of regex-automata, little-endian.
#[derive(Clone, Debug, Default)]
pub struct RulesParts {
    /// Names, roles, and automata: anchored, leftmost-first.
    pub rules: Vec<(String, Role, Vec<u8>)>,
    /// Automata over several rules each, unanchored, all matches, that match wherever the rules do, or more often;
    /// which rules their patterns are.
    pub filters: Vec<(Vec<u8>, Vec<u16>)>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            off: secrets::OFF.iter().map(|name| (*name).to_owned()).collect(),
            rules: Vec::new(),
            filters: Vec::new(),
        }
    }
}

impl PartialEq for Rules {
    fn eq(&self, other: &Self) -> bool {
        self.to_bytes() == other.to_bytes()
    }
}

impl Rules {
    /// Puts rules together.
    ///
    /// # Errors
    /// An automaton is none, or a filter names a rule that is not there.
    pub fn assemble(parts: RulesParts) -> Result<Self, PackError> {
        let rules = parts.rules.into_iter().map(|(name, role, bytes)| {
            let automaton = anchored(&bytes)?;
            let begins = Begins::of(&automaton);
            Some(Rule {
                name,
                role,
                automaton,
                begins,
            })
        });
        let filters = parts.filters.into_iter().map(|(bytes, rules)| {
            let automaton = automaton(&bytes)?;
            Some(Filter { automaton, rules })
        });
        let rules = Self {
            rules: rules
                .collect::<Option<_>>()
                .ok_or(PackError::Damaged("user"))?,
            filters: filters
                .collect::<Option<_>>()
                .ok_or(PackError::Damaged("user"))?,
            ..Self::default()
        };
        rules.checked()
    }

    /// Reads what [`Rules::to_bytes`] wrote; no bytes are no rules. The automata are checked, not compiled.
    ///
    /// # Errors
    /// The bytes are something else.
    pub fn load(bytes: &[u8]) -> Result<Self, PackError> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let mut reader = Reader::new(bytes);
        let rules = Self::read(&mut reader).ok_or(PackError::Damaged("user"))?;
        if !reader.is_empty() {
            return Err(PackError::Damaged("user"));
        }
        rules.checked()
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            off: reader.list(Reader::text)?,
            rules: reader.list(|reader| {
                let name = reader.text()?;
                let role = match (reader.u8()?, reader.i32()?) {
                    (0, weight) => Role::Finding(weight),
                    (1, _) => Role::Secret,
                    (2, _) => Role::Personal,
                    _ => return None,
                };
                let automaton = anchored(reader.blob()?)?;
                let begins = Begins::of(&automaton);
                Some(Rule {
                    name,
                    role,
                    automaton,
                    begins,
                })
            })?,
            filters: reader.list(|reader| {
                Some(Filter {
                    automaton: automaton(reader.blob()?)?,
                    rules: reader.list(Reader::u16)?,
                })
            })?,
        })
    }

    /// The rules in bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.list(&self.off, |writer, name| writer.text(name));
        writer.list(&self.rules, |writer, rule| {
            writer.text(&rule.name);
            let (role, weight) = match rule.role {
                Role::Finding(weight) => (0, weight),
                Role::Secret => (1, 0),
                Role::Personal => (2, 0),
            };
            writer.u8(role);
            writer.i32(weight);
            writer.blob(&bytes(&rule.automaton));
        });
        writer.list(&self.filters, |writer, filter| {
            writer.blob(&bytes(&filter.automaton));
            writer.list(&filter.rules, |writer, rule| writer.u16(*rule));
        });
        writer.finish()
    }

    /// Turns a pattern of secrets on or off, of those that ship or the user's. Whether there is one of this name.
    pub fn switch(&mut self, pattern: &str, on: bool) -> bool {
        let ours = |rule: &Rule| rule.name == pattern && !matches!(rule.role, Role::Finding(_));
        if !secrets::patterns().any(|known| known == pattern) && !self.rules.iter().any(ours) {
            return false;
        }
        self.off.retain(|off| off != pattern);
        if !on {
            self.off.push(pattern.to_owned());
            self.off.sort_unstable();
        }
        true
    }

    /// Patterns of secrets that are not told.
    pub(crate) fn off(&self) -> &[String] {
        &self.off
    }

    /// What all rules together may add to a score, but for those that reach the threshold by themselves.
    pub(crate) fn most(&self, threshold: i32) -> i32 {
        let adds = self.rules.iter().map(|rule| match rule.role {
            Role::Finding(weight) if weight < threshold => weight.max(0),
            _ => 0,
        });
        adds.fold(0, i32::saturating_add)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    fn checked(self) -> Result<Self, PackError> {
        let fits = |filter: &Filter| {
            filter.automaton.pattern_len() == filter.rules.len()
                && filter
                    .rules
                    .iter()
                    .all(|rule| usize::from(*rule) < self.rules.len())
        };
        if self.filters.iter().all(fits) {
            Ok(self)
        } else {
            Err(PackError::Damaged("user"))
        }
    }
}

fn automaton(bytes: &[u8]) -> Option<Automaton> {
    let (automaton, read) = DFA::from_bytes(bytes).ok()?;
    (read == bytes.len()).then(|| automaton.to_owned())
}

/// One that is searched from a place.
fn anchored(bytes: &[u8]) -> Option<Automaton> {
    automaton(bytes).filter(|automaton| automaton.start_kind() != StartKind::Unanchored)
}

fn bytes(automaton: &Automaton) -> Vec<u8> {
    let mut bytes = vec![0; automaton.write_to_len()];
    // There is room for all of it; without, the bytes would not load.
    let written = automaton.write_to_little_endian(&mut bytes).unwrap_or(0);
    bytes.truncate(written);
    bytes
}
