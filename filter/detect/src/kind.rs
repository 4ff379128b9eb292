//! What a text is, since the same words mean other things in other places.

/// What is scanned. Each kind has weights and thresholds of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// What a server answers: results, resources, prompts, elicitation, progress, errors.
    Result,
    /// The definition of a tool, prompt or resource, or a server's instructions.
    Tool,
    /// What an agent sends.
    Argument,
}

impl Kind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Result, Self::Tool, Self::Argument];

    /// The name in documents, on the command line and in events.
    pub fn name(self) -> &'static str {
        match self {
            Self::Result => "result",
            Self::Tool => "tool",
            Self::Argument => "argument",
        }
    }

    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Its number: the place of its weights in a pack.
    pub fn index(self) -> usize {
        match self {
            Self::Result => 0,
            Self::Tool => 1,
            Self::Argument => 2,
        }
    }
}
