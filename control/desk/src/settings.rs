//! How a desk is set up.

use std::fmt;
use std::sync::Arc;

use gatehold_approvals::Limits;

use crate::{Nobody, Observer};

/// How a desk is set up.
#[derive(Clone)]
pub struct Settings {
    /// Bounds, among them how many approvals of one caller may be open.
    pub limits: Limits,
    /// Who counts.
    pub observer: Arc<dyn Observer>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            observer: Arc::new(Nobody),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut settings = formatter.debug_struct("Settings");
        settings
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
