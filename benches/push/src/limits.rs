//! Open files: each stream takes one here and one in control.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that are open besides the streams.
const OTHERS: u64 = 200;

/// Raises the soft limit to the hard one, which control inherits, and says how many streams that allows.
pub(crate) fn most_streams() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    let limit = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum,
        Err(_) => current,
    };
    let streams = limit.unwrap_or(u64::MAX).saturating_sub(OTHERS);
    usize::try_from(streams).unwrap_or(usize::MAX)
}
