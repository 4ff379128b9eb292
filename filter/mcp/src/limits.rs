//! What a message may cost.

/// Bounds on one message; the size of a whole body is the host's to bound, since it buffers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most nested arrays and objects, the message itself included. More than
    /// [`Limits::MAX_DEPTH`] counts as that.
    pub depth: u32,
    /// Most entries in one page of a list.
    pub list_entries: u32,
    /// Most bytes of one server-sent event, its terminator included.
    pub event_bytes: usize,
}

impl Limits {
    /// The deepest nesting that is ever read, whatever `depth` says: it bounds the stack.
    pub const MAX_DEPTH: u32 = 120;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 64,
            list_entries: 10_000,
            event_bytes: 4 << 20,
        }
    }
}
