//! The mix: what kinds of traffic there are, how often each comes, and how one of them is run. The load generator is
//! a role of its own.

mod aborts;
mod calls;
mod hostile;
pub(crate) mod requests;
pub mod role;
mod sessions;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::reload::Cut;
use crate::tally::Outcome;
use crate::world::World;

/// Longest that any piece of traffic may take; the longest planned ones take six seconds.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// A kind of traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An allowed call, answered in JSON.
    Allowed,
    /// An allowed call, answered by a stream.
    Streamed,
    /// A denied call.
    Denied,
    /// A call that one state of the policy allows.
    Undecided,
    /// A list.
    Listed,
    /// A resource.
    Read,
    /// A batch.
    Batch,
    /// A notification or a response.
    Unanswered,
    /// An upstream that breaks off.
    Reset,
    /// A client that leaves in its request.
    LeavesInRequest,
    /// A client that leaves while it waits.
    LeavesWaiting,
    /// A client that leaves in the answer.
    LeavesInAnswer,
    /// A legacy session.
    Session,
    /// A legacy session with the stock server.
    Everything,
    /// The modern stock server.
    Desk,
    /// A subscription.
    Listen,
    /// A body of the corpus.
    Corpus,
    /// Without a good token.
    Unknown,
    /// A body over the limit.
    TooLarge,
}

/// Of so many, how many are of which kind.
const MIX: [(u32, Kind); 19] = [
    (260, Kind::Allowed),
    (40, Kind::Streamed),
    (200, Kind::Denied),
    (60, Kind::Undecided),
    (60, Kind::Listed),
    (60, Kind::Read),
    (30, Kind::Batch),
    (40, Kind::Unanswered),
    (40, Kind::Reset),
    (20, Kind::LeavesInRequest),
    (20, Kind::LeavesWaiting),
    (20, Kind::LeavesInAnswer),
    (20, Kind::Session),
    (6, Kind::Everything),
    (14, Kind::Desk),
    (20, Kind::Listen),
    (60, Kind::Corpus),
    (26, Kind::Unknown),
    (4, Kind::TooLarge),
];

impl Kind {
    /// Chooses one by [`MIX`].
    #[must_use]
    pub fn choose(rng: &mut Rng) -> Self {
        let mut at = rng.u32(0..MIX.iter().map(|(share, _)| share).sum());
        for (share, kind) in MIX {
            match at.checked_sub(share) {
                None => return kind,
                Some(rest) => at = rest,
            }
        }
        Self::Allowed
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        MIX.into_iter().map(|(_, kind)| kind)
    }

    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Allowed => "call, allowed",
            Self::Streamed => "call, answered by events",
            Self::Denied => "call, denied",
            Self::Undecided => "call, allowed now and then",
            Self::Listed => "list",
            Self::Read => "resource",
            Self::Batch => "batch",
            Self::Unanswered => "notification or response",
            Self::Reset => "upstream breaks off",
            Self::LeavesInRequest => "client leaves in its request",
            Self::LeavesWaiting => "client leaves while waiting",
            Self::LeavesInAnswer => "client leaves in the answer",
            Self::Session => "legacy session with GET stream",
            Self::Everything => "session with server-everything",
            Self::Desk => "modern stock server",
            Self::Listen => "subscription",
            Self::Corpus => "hostile body",
            Self::Unknown => "without a good token",
            Self::TooLarge => "body over the limit",
        }
    }

    /// Whether a stream stays open meanwhile. It ends, without a word on a GET, when what tokens are verified by
    /// has changed.
    fn is_standing(self) -> bool {
        matches!(self, Self::Session | Self::Everything | Self::Listen)
    }

    /// Whether it is one exchange in which nobody waits on purpose, so that its latency is the system's own.
    #[must_use]
    pub fn is_single(self) -> bool {
        matches!(
            self,
            Self::Allowed
                | Self::Denied
                | Self::Undecided
                | Self::Listed
                | Self::Read
                | Self::Batch
                | Self::Unanswered
                | Self::Unknown
        )
    }

    /// Whether nothing goes wrong on purpose, so that nothing may go wrong.
    #[must_use]
    pub fn is_faultless(self) -> bool {
        !matches!(self, Self::Reset | Self::Corpus)
    }
}

/// Runs one piece of traffic of that kind and counts how it ended, from when it was `due`, which was in that slice of
/// time. What does not end is a violation.
pub(crate) async fn run(world: Arc<World>, kind: Kind, mut rng: Rng, due: Instant, slice: u32) {
    let begin = Instant::now();
    world.tally.late(begin.saturating_duration_since(due));
    let rng = &mut rng;
    let work = async {
        match kind {
            Kind::Allowed => calls::allowed(&world, rng).await,
            Kind::Streamed => calls::streamed(&world, rng).await,
            Kind::Denied => calls::denied(&world, rng).await,
            Kind::Undecided => calls::undecided(&world, rng).await,
            Kind::Listed => calls::listed(&world, rng).await,
            Kind::Read => calls::read(&world, rng).await,
            Kind::Batch => calls::batch(&world, rng).await,
            Kind::Unanswered => calls::unanswered(&world, rng).await,
            Kind::Reset => calls::reset(&world, rng).await,
            Kind::LeavesInRequest => aborts::in_request(&world, rng).await,
            Kind::LeavesWaiting => aborts::while_waiting(&world, rng).await,
            Kind::LeavesInAnswer => aborts::in_answer(&world, rng).await,
            Kind::Session => sessions::legacy(&world, rng).await,
            Kind::Everything => sessions::everything(&world, rng).await,
            Kind::Desk => sessions::desk(&world, rng).await,
            Kind::Listen => sessions::listen(&world, rng).await,
            Kind::Corpus => hostile::corpus(&world, rng).await,
            Kind::Unknown => hostile::unknown(&world, rng).await,
            Kind::TooLarge => hostile::too_large(&world, rng).await,
        }
    };
    let Ok(ended) = tokio::time::timeout(DEADLINE, work).await else {
        world.tally.violation(format!(
            "{} did not end within {} s",
            kind.name(),
            DEADLINE.as_secs()
        ));
        return;
    };
    let end = Instant::now();
    let (mut outcome, said) = match ended {
        Ok(ended) => (ended.outcome, ended.said),
        Err(error) if error.is::<Cut>() => (Outcome::Cut, String::new()),
        Err(error) => (Outcome::Broken, format!("{error:#}")),
    };
    let cut = ["reading a body", "the GET stream ended"];
    if outcome == Outcome::Broken
        && kind.is_standing()
        && cut.iter().any(|cut| said.contains(cut))
        && world.issuer_changed.load(Ordering::Relaxed)
    {
        outcome = Outcome::Left;
        world
            .tally
            .disturbed("streams that ended with an issuer's change");
    }
    if outcome == Outcome::Broken && kind.is_faultless() {
        if world.reloads.explain(begin, end) {
            outcome = Outcome::Cut;
        } else {
            world
                .tally
                .violation(format!("{} broke off: {said}", kind.name()));
        }
    }
    let took = end.saturating_duration_since(due);
    if kind.is_single() && matches!(outcome, Outcome::Answered | Outcome::Refused) {
        world.tally.in_slice(slice, took);
    }
    world.tally.ended(kind.name(), outcome, took, &said);
}
