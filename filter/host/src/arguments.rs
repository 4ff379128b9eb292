//! The arguments of a call, built or not.

use gatehold_engine::{Arguments, Later};
use gatehold_mcp::{Deferred, Map, Value};

/// What a call is given, for policy and for its event.
#[derive(Clone, Copy, Debug)]
pub enum Given<'a> {
    /// As a map.
    Built(&'a Map<String, Value>),
    /// As text, until somebody asks for more.
    Unbuilt(&'a Unbuilt<'a>),
}

impl<'a> Given<'a> {
    /// As policy takes them.
    pub fn for_policy(self) -> Arguments<'a> {
        match self {
            Self::Built(arguments) => Arguments::Known(arguments),
            Self::Unbuilt(arguments) => Arguments::Later(arguments),
        }
    }
}

/// Arguments that are not built before a condition, or an event, needs more than their text.
#[derive(Debug)]
pub struct Unbuilt<'a>(pub Deferred<'a>);

impl Later for Unbuilt<'_> {
    fn arguments(&self) -> Option<&Map<String, Value>> {
        self.0.get()
    }
}
