//! How a desk is set up.

/// How a desk is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Approvals of one caller (issuer, user, agent) that may be open at a time; more are refused.
    pub open_per_caller: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            open_per_caller: 100,
        }
    }
}
