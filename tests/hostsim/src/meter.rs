//! What crosses between host and filter, and whose code runs, for those who measure.

use std::cell::Cell;
use std::collections::BTreeMap;

use crate::world::with;

thread_local! {
    static IN_FILTER: Cell<bool> = const { Cell::new(false) };
    static CROSSED: Cell<Crossings> = const { Cell::new(Crossings { calls: 0, bytes: 0 }) };
}

/// What the filter has asked of the host of this thread so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Crossings {
    /// Calls of the filter into the host.
    pub calls: u64,
    /// Bytes that these copied, in either direction; numbers left out.
    pub bytes: u64,
}

/// What the filter has asked of the host of this thread so far.
pub fn crossings() -> Crossings {
    CROSSED.get()
}

/// How often each host call was made on this thread since its worker started.
pub fn calls() -> BTreeMap<&'static str, usize> {
    with(|world| world.calls.clone())
}

/// Whether the filter runs on this thread, rather than the host or a test. It may be asked by an allocator:
/// it takes no memory.
pub fn in_filter() -> bool {
    IN_FILTER.get()
}

/// Runs `f` as a part of the filter, or of the host.
pub(crate) fn run_as<T>(filter: bool, f: impl FnOnce() -> T) -> T {
    let before = IN_FILTER.replace(filter);
    let result = f();
    IN_FILTER.set(before);
    result
}

pub(crate) fn note_call() {
    let so_far = CROSSED.get();
    CROSSED.set(Crossings {
        calls: so_far.calls + 1,
        ..so_far
    });
}

pub(crate) fn note_bytes(bytes: usize) {
    let so_far = CROSSED.get();
    CROSSED.set(Crossings {
        bytes: so_far.bytes + bytes as u64,
        ..so_far
    });
}
