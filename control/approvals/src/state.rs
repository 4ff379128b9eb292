//! What an approval has come to.

use std::fmt;

/// What an approval has come to. Only `Pending` and `Approved` change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// People have to decide.
    Pending,
    /// They have, and the call may run once.
    Approved,
    /// The call was let through.
    Used,
    /// Somebody who may decide has said no.
    Denied,
    /// Time was over.
    Expired,
    /// The caller has cancelled, or nobody waits for it any more.
    Withdrawn,
    /// The policy or the tool is not the one any more that it was asked under.
    Superseded,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Approved,
        Self::Used,
        Self::Denied,
        Self::Expired,
        Self::Withdrawn,
        Self::Superseded,
    ];

    /// Lower-case, as it is stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Used => "used",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
            Self::Superseded => "superseded",
        }
    }

    /// The state with that lower-case name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// Whether something can still become of it.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Approved)
    }
}

impl fmt::Display for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
