//! Who tries a version of the filter, who has it and who refuses it: plain data, without network and clock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::Rejection;
use crate::text::{MAX_WORD, short};

/// An Envoy that has not answered after this time counts as one that refuses what it was sent.
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// So long after an Envoy has gone it still has a say.
pub(crate) const FORGET_AFTER: Duration = Duration::from_secs(3600);
/// So long after one was lost the next Envoy without any filter may try, if nothing else is known to run …
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(60);
/// … and only so often, until the document changes.
pub(crate) const MAX_RETRIES: u32 = 3;
/// How often an Envoy's connection may break while it loads a version, until the document changes.
const MAX_BROKEN: u32 = 3;
/// Refusals of one version that are remembered.
pub(crate) const MAX_REFUSALS: usize = 100;

/// What is known of the versions of a document, and of the Envoys that are connected.
#[derive(Debug, Default)]
pub(crate) struct Trials {
    /// Those of the document, and no others.
    versions: BTreeMap<Arc<str>, Trial>,
    streams: BTreeMap<u64, Stream>,
    /// Goes up with each refusal, so that what was refused is not sent in the same words again.
    offer: u32,
    takes: u64,
    revision: u64,
    /// Whom people have not been told of.
    lost: Vec<Lost>,
}

/// An Envoy that gave no answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Lost {
    pub(crate) version: Arc<str>,
    pub(crate) node: String,
    pub(crate) reason: String,
}

/// What an Envoy says on its stream.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) node: Node,
    /// The version that it has in force.
    pub(crate) held: Option<Arc<str>>,
    /// What it refuses.
    pub(crate) refused: Option<Rejection>,
    /// Whether it has still to answer.
    pub(crate) in_flight: bool,
}

/// Who an Envoy says it is; several may say the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) cluster: String,
}

/// What an Envoy is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Turn {
    /// The version; `None` when it keeps what it has.
    pub(crate) version: Option<Arc<str>>,
    /// What makes the message another one than that of an earlier refusal.
    pub(crate) offer: u32,
    /// When to look again, if nothing changes before.
    pub(crate) again: Option<Instant>,
}

/// A refusal that holds a version back.
#[derive(Debug)]
pub(crate) struct Held<'t> {
    pub(crate) version: &'t Arc<str>,
    pub(crate) node: &'t Node,
    pub(crate) reason: &'t str,
}

#[derive(Debug)]
struct Stream {
    node: Node,
    wanted: Arc<str>,
    /// Whether it came with a filter, so that it had been there before.
    was_there: bool,
    held: Option<Arc<str>>,
    /// What it was offered last and has refused.
    refused: Option<Arc<str>>,
    /// All that it has refused since the document changed: it would refuse it again.
    refuses: BTreeSet<Arc<str>>,
    tries: Option<Try>,
}

impl Stream {
    fn refuses(&self, version: &Arc<str>) -> bool {
        self.refused.as_ref() == Some(version) || self.refuses.contains(version)
    }
}

/// An offer without an answer.
#[derive(Debug)]
struct Try {
    version: Arc<str>,
    since: Instant,
    is_overdue: bool,
}

#[derive(Debug, Default)]
struct Trial {
    /// When an Envoy had it in force last, as a count; `None` when none ever had.
    taken: Option<u64>,
    /// The stream of the Envoy that tries it before others.
    by: Option<u64>,
    /// By stream: several Envoys may say the same node id.
    refused: BTreeMap<u64, Refusal>,
    retries: u32,
    broken: u32,
}

#[derive(Debug)]
struct Refusal {
    node: Node,
    /// What it had before.
    held: Option<Arc<str>>,
    /// Whether it was to have this version; one that only got it in place of another has no say for others.
    counts: bool,
    /// It gave no answer. An Envoy that goes meanwhile may have been killed by the version.
    is_lost: bool,
    reason: String,
    at: Instant,
    /// When its stream ended.
    ended: Option<Instant>,
}

impl Trial {
    /// Whether it goes to no other Envoy. Where it runs elsewhere, one that was lost may have been so by chance.
    fn is_blocked(&self) -> bool {
        let all = self.refused.values().filter(|refusal| refusal.counts);
        let lost = all.clone().filter(|refusal| refusal.is_lost).count();
        let by_chance = usize::from(self.taken.is_some());
        lost > by_chance || all.count() > lost
    }

    fn is_refused_by(&self, node: &Node) -> bool {
        let mut all = self.refused.values();
        all.any(|refusal| refusal.node == *node)
    }

    fn remove(&mut self, goes: impl Fn(u64, &Refusal) -> bool) -> bool {
        let was_blocked = self.is_blocked();
        self.refused
            .retain(|stream, refusal| !goes(*stream, refusal));
        was_blocked && !self.is_blocked()
    }
}

impl Trials {
    /// Counts what others may have waited for.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// Envoys that gave no answer, each once.
    pub(crate) fn lost(&mut self) -> Vec<Lost> {
        std::mem::take(&mut self.lost)
    }

    /// A new document has these versions, and says who is to have which. It gives every version another chance but for
    /// those that an Envoy still says it refuses, and is still to have.
    pub(crate) fn document(
        &mut self,
        versions: Vec<Arc<str>>,
        wanted: impl Fn(&Node) -> Option<Arc<str>>,
    ) {
        for stream in self.streams.values_mut() {
            stream.refuses.clear();
        }
        let mut before = std::mem::take(&mut self.versions);
        for version in versions {
            let mut trial = before.remove(&version).unwrap_or_default();
            (trial.retries, trial.broken) = (0, 0);
            trial.refused.retain(|_, refusal| {
                let is_said = refusal.ended.is_none() && !refusal.is_lost;
                is_said && wanted(&refusal.node).as_ref() == Some(&version)
            });
            let tries = |stream: &u64| {
                let tried = self.streams.get(stream).and_then(|it| it.tries.as_ref());
                tried.is_some_and(|tried| tried.version == version)
            };
            trial.by = trial.by.filter(tries);
            let mut streams = self.streams.values();
            if trial.taken.is_none() && streams.any(|it| it.held.as_ref() == Some(&version)) {
                self.takes += 1;
                trial.taken = Some(self.takes);
            }
            self.versions.insert(version, trial);
        }
    }

    /// Takes in what the Envoy on this stream says, which is to have this version. What it said before changes nothing.
    pub(crate) fn hear(&mut self, stream: u64, report: Report, wanted: &Arc<str>, now: Instant) {
        self.forget(now);
        let Report {
            node,
            held,
            refused,
            in_flight,
        } = report;
        let Some(known) = self.streams.get_mut(&stream) else {
            let came = Stream {
                node: node.clone(),
                wanted: wanted.clone(),
                was_there: held.is_some(),
                held: held.clone(),
                refused: None,
                refuses: BTreeSet::new(),
                tries: None,
            };
            self.streams.insert(stream, came);
            if let Some(held) = &held {
                self.take(held, stream, &node);
                self.survive(&node);
            }
            return;
        };
        let before = std::mem::replace(&mut known.held, held);
        (known.node, known.wanted) = (node.clone(), wanted.clone());
        known.refused = refused.as_ref().map(|it| it.version.clone());
        let held = known.held.clone();
        if in_flight {
            let is_late =
                |tried: &&mut Try| !tried.is_overdue && now >= tried.since + ANSWER_WITHIN;
            if let Some(tried) = known.tries.as_mut().filter(is_late) {
                tried.is_overdue = true;
                let version = tried.version.clone();
                let reason = format!("it did not answer within {} s", ANSWER_WITHIN.as_secs());
                let refusal = Refusal::new(&version, known, reason, now, true);
                self.refuse(&version, stream, refusal);
            }
            return;
        }
        let Some(Try { version, .. }) = known.tries.take() else {
            return;
        };
        if held.as_ref() == Some(&version) {
            self.take(&version, stream, &node);
        } else if let Some(refused) = refused.filter(|refused| refused.version == version) {
            let mut refusal = Refusal::new(
                &version,
                known,
                short(&refused.reason, MAX_WORD),
                now,
                false,
            );
            refusal.held = before;
            known.refuses.insert(version.clone());
            self.refuse(&version, stream, refusal);
        }
    }

    /// What the Envoy on this stream is sent now. What is sent counts as tried until [`Trials::hear`] is told otherwise.
    pub(crate) fn turn(&mut self, stream: u64, now: Instant) -> Turn {
        let Some(known) = self.streams.get(&stream) else {
            return Turn::default();
        };
        if let Some(tried) = &known.tries {
            // It answers first.
            let again = (!tried.is_overdue).then(|| tried.since + ANSWER_WITHIN);
            return Turn {
                again,
                ..Turn::default()
            };
        }
        let mut again = None;
        let version = match &known.held {
            Some(held) if *held == known.wanted => {
                // It is told so once more if it was told of another one since, and refused that.
                let refused = known.refused.as_ref();
                refused
                    .filter(|refused| *refused != held)
                    .and(Some(held))
                    .cloned()
            }
            Some(_) => self.in_turn(stream, &known.wanted.clone(), now, &mut again),
            None => self.without_any(stream, &known.wanted.clone(), now, &mut again),
        };
        if let Some(version) = &version
            && let Some(known) = self.streams.get_mut(&stream)
        {
            again = Some(now + ANSWER_WITHIN);
            known.tries = Some(Try {
                version: version.clone(),
                since: now,
                is_overdue: false,
            });
        }
        Turn {
            version,
            offer: self.offer,
            again,
        }
    }

    /// The stream has ended; whether what was sent had reached the Envoy, so that it may have gone because of it.
    pub(crate) fn end(&mut self, stream: u64, was_sent: bool, now: Instant) {
        let Some(gone) = self.streams.remove(&stream) else {
            return;
        };
        if was_sent
            && let Some(Try { version, .. }) = &gone.tries
            && !self.is_back(stream, &gone.node, version)
        {
            let reason = "it went away while it tried it".to_owned();
            let refusal = Refusal::new(version, &gone, reason, now, true);
            self.refuse(version, stream, refusal);
        }
        for trial in self.versions.values_mut() {
            if trial.by == Some(stream) {
                trial.by = None;
                self.revision += 1;
            }
            for (by, refusal) in &mut trial.refused {
                if *by == stream {
                    refusal.ended = Some(now);
                    // It will be forgotten, which is now to be waited for.
                    self.revision += 1;
                } else if refusal.ended.is_some() && refusal.node == gone.node {
                    refusal.ended = Some(now);
                }
            }
        }
    }

    /// The refusals that hold versions back.
    pub(crate) fn held_back(&mut self, now: Instant) -> impl Iterator<Item = Held<'_>> {
        self.forget(now);
        self.versions.iter().flat_map(|(version, trial)| {
            let all = trial.refused.values().filter(|refusal| refusal.counts);
            all.map(move |Refusal { node, reason, .. }| Held {
                version,
                node,
                reason,
            })
        })
    }

    /// For an Envoy that has another version: alone, or once another one has taken it, and not while one refuses it.
    fn in_turn(
        &mut self,
        stream: u64,
        wanted: &Arc<str>,
        now: Instant,
        again: &mut Option<Instant>,
    ) -> Option<Arc<str>> {
        let known = self.streams.get(&stream)?;
        let trial = self.versions.get_mut(wanted)?;
        if known.refuses(wanted) || trial.is_blocked() || trial.is_refused_by(&known.node) {
            let ended = trial.refused.values().filter_map(|refusal| refusal.ended);
            let ends = ended.map(|ended| ended + FORGET_AFTER);
            *again = ends.filter(|end| *end > now).min();
            return None;
        }
        if trial.taken.is_none() && *trial.by.get_or_insert(stream) != stream {
            return None;
        }
        Some(wanted.clone())
    }

    /// For an Envoy without any filter, which refuses every request until it has one: what is known to run.
    fn without_any(
        &mut self,
        stream: u64,
        wanted: &Arc<str>,
        now: Instant,
        again: &mut Option<Instant>,
    ) -> Option<Arc<str>> {
        let known = self.streams.get(&stream)?;
        let node = &known.node;
        let is_own = known.refuses(wanted);
        let trial = self.versions.get(wanted)?;
        let runs = trial.taken.is_some();
        if runs && !is_own && !trial.is_blocked() && !trial.is_refused_by(node) {
            return Some(wanted.clone());
        }
        if let Some(good) = self.known_good(known, trial) {
            return Some(good);
        }
        if is_own {
            return None;
        }
        // Nothing else is known to run. What others say they refuse may run here; what has cost an Envoy is tried
        // with care.
        let lost = trial.refused.values().filter(|refusal| refusal.is_lost);
        let lost = lost.filter(|refusal| !runs || refusal.node == *node);
        let Some(last) = lost.map(|refusal| refusal.at).max() else {
            return Some(wanted.clone());
        };
        let trial = self.versions.get_mut(wanted)?;
        if trial.retries >= MAX_RETRIES {
            return None;
        }
        if now < last + RETRY_AFTER {
            *again = Some(last + RETRY_AFTER);
            return None;
        }
        if *trial.by.get_or_insert(stream) != stream {
            return None;
        }
        trial.retries += 1;
        Some(wanted.clone())
    }

    /// A version that runs somewhere and that nobody refuses: best the one that this Envoy had, then one that others
    /// have which are to have the same, then the one that was taken last.
    fn known_good(&self, known: &Stream, trial: &Trial) -> Option<Arc<str>> {
        let good = self.versions.iter().filter(|(version, trial)| {
            **version != known.wanted
                && trial.taken.is_some()
                && !known.refuses(version)
                && !trial.is_blocked()
                && !trial.is_refused_by(&known.node)
        });
        let best = good.max_by_key(|(version, good)| {
            let mut refused = trial.refused.values();
            let is_own = refused.any(|refusal| {
                refusal.node == known.node && refusal.held.as_ref() == Some(*version)
            });
            let alike = self.streams.values().filter(|other| {
                other.wanted == known.wanted && other.held.as_ref() == Some(*version)
            });
            (is_own, alike.count(), good.taken)
        });
        best.map(|(version, _)| version.clone())
    }

    /// The Envoy on this stream has the version in force.
    fn take(&mut self, version: &Arc<str>, stream: u64, node: &Node) {
        let Some(trial) = self.versions.get_mut(version) else {
            return;
        };
        self.takes += 1;
        let is_new = trial.taken.replace(self.takes).is_none();
        (trial.by, trial.retries) = (None, 0);
        // Others that say the same node id speak for themselves as long as they are there.
        let is_free = trial.remove(|by, refusal| {
            by == stream || (refusal.ended.is_some() && refusal.node == *node)
        });
        if is_new || is_free {
            self.revision += 1;
        }
    }

    /// This node has come back with a filter, so that only its connection was broken: one that was killed has none.
    fn survive(&mut self, node: &Node) {
        for trial in self.versions.values_mut() {
            let is_here = |refusal: &Refusal| {
                refusal.is_lost && refusal.ended.is_some() && refusal.node == *node
            };
            if trial.broken < MAX_BROKEN && trial.refused.values().any(is_here) {
                trial.broken += 1;
                if trial.remove(|_, refusal| is_here(refusal)) {
                    self.revision += 1;
                }
            }
        }
    }

    /// Whether this node has opened another stream since, and came with a filter: control may hear late that a
    /// connection broke.
    fn is_back(&mut self, stream: u64, node: &Node, version: &Arc<str>) -> bool {
        let later = self.streams.range(stream..).map(|(_, later)| later);
        let mut later = later.filter(|later| later.node == *node && later.was_there);
        let Some(trial) = self.versions.get_mut(version) else {
            return false;
        };
        let has_it = later
            .clone()
            .any(|later| later.held.as_ref() == Some(version));
        let is_back = has_it || (trial.broken < MAX_BROKEN && later.next().is_some());
        if is_back {
            trial.broken += u32::from(!has_it);
            // It may have been sent all the same.
            self.offer = self.offer.wrapping_add(1);
        }
        is_back
    }

    fn refuse(&mut self, version: &Arc<str>, stream: u64, refusal: Refusal) {
        self.offer = self.offer.wrapping_add(1);
        let Some(trial) = self.versions.get_mut(version) else {
            return;
        };
        if refusal.is_lost {
            self.lost.push(Lost {
                version: version.clone(),
                node: refusal.node.id.clone(),
                reason: refusal.reason.clone(),
            });
        }
        let was_blocked = trial.is_blocked();
        let is_free = trial.by.take_if(|by| *by == stream).is_some();
        if trial.refused.len() < MAX_REFUSALS || trial.refused.contains_key(&stream) {
            trial.refused.insert(stream, refusal);
        }
        if is_free || trial.is_blocked() != was_blocked {
            self.revision += 1;
        }
    }

    /// Forgets what Envoys said that have been gone for long.
    fn forget(&mut self, now: Instant) {
        let streams = &self.streams;
        for trial in self.versions.values_mut() {
            let is_old = |refusal: &Refusal| {
                let ended = refusal.ended;
                ended.is_some_and(|ended| now >= ended + FORGET_AFTER)
            };
            for refusal in trial.refused.values_mut().filter(|it| is_old(it)) {
                // It is looked for once an hour.
                if streams.values().any(|stream| stream.node == refusal.node) {
                    refusal.ended = Some(now);
                }
            }
            if trial.remove(|_, refusal| is_old(refusal)) {
                self.revision += 1;
            }
        }
    }
}

impl Refusal {
    fn new(version: &Arc<str>, by: &Stream, reason: String, at: Instant, is_lost: bool) -> Self {
        Self {
            node: by.node.clone(),
            held: by.held.clone(),
            counts: by.wanted == *version,
            is_lost,
            reason,
            at,
            ended: None,
        }
    }
}

#[cfg(test)]
#[path = "trials_tests.rs"]
mod tests;
