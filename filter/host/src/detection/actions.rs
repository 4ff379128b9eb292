//! What is to be done about what detection sees, per server and tool.

use gatehold_engine::{Approval, glob_matches};
use gatehold_wire::{approval_from_wire, push};

/// What is to be done, from the mildest to the strictest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Nobody looks.
    Off,
    /// It is recorded.
    #[default]
    Log,
    /// What was seen is taken out.
    Redact,
    /// The next call of the principal that is not read-only needs approval.
    Approve,
    /// It does not go on.
    Block,
}

impl Action {
    /// The name in documents and events.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Log => "log",
            Self::Redact => "redact",
            Self::Approve => "approve",
            Self::Block => "block",
        }
    }

    fn from_wire(action: i32) -> Self {
        match push::DetectionAction::try_from(action) {
            Ok(push::DetectionAction::Unspecified | push::DetectionAction::Log) => Self::Log,
            Ok(push::DetectionAction::Off) => Self::Off,
            Ok(push::DetectionAction::Redact) => Self::Redact,
            Ok(push::DetectionAction::Approve) => Self::Approve,
            // What a newer control says is taken for the strictest.
            Ok(push::DetectionAction::Block) | Err(_) => Self::Block,
        }
    }
}

/// The actions for one tool, prompt or resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Actions {
    /// About injection in arguments.
    pub arguments: Action,
    /// About injection in results.
    pub results: Action,
    /// About poisoned definitions.
    pub definitions: Action,
    /// About secrets in arguments.
    pub secrets_in_arguments: Action,
    /// About secrets in results.
    pub secrets_in_results: Action,
}

impl Actions {
    fn from_wire(actions: &push::DetectionActions) -> Self {
        Self {
            arguments: Action::from_wire(actions.arguments),
            results: Action::from_wire(actions.results),
            definitions: Action::from_wire(actions.definitions),
            secrets_in_arguments: Action::from_wire(actions.secrets_in_arguments),
            secrets_in_results: Action::from_wire(actions.secrets_in_results),
        }
    }

    /// Of each kind the stricter one.
    #[must_use]
    pub fn strictest(self, other: Self) -> Self {
        Self {
            arguments: self.arguments.max(other.arguments),
            results: self.results.max(other.results),
            definitions: self.definitions.max(other.definitions),
            secrets_in_arguments: self.secrets_in_arguments.max(other.secrets_in_arguments),
            secrets_in_results: self.secrets_in_results.max(other.secrets_in_results),
        }
    }

    fn all(self) -> [Action; 5] {
        [
            self.arguments,
            self.results,
            self.definitions,
            self.secrets_in_arguments,
            self.secrets_in_results,
        ]
    }
}

/// The actions of one server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Detection {
    otherwise: Actions,
    tools: Vec<(Vec<String>, Actions)>,
    /// Who approves calls that `approve` holds.
    pub approval: Option<Approval>,
}

impl Detection {
    /// From the resource; nothing for an `approve` without anybody who could.
    pub fn from_wire(detection: Option<&push::Detection>) -> Option<Self> {
        let Some(detection) = detection else {
            return Some(Self::default());
        };
        let actions = |actions: Option<&push::DetectionActions>| {
            actions.map(Actions::from_wire).unwrap_or_default()
        };
        let tools = detection
            .tools
            .iter()
            .map(|it| (it.tools.clone(), actions(it.actions.as_ref())));
        let detection = Self {
            otherwise: actions(detection.otherwise.as_ref()),
            tools: tools.collect(),
            approval: detection.approval.as_ref().map(approval_from_wire),
        };
        let complete = detection.approval.is_some() || !detection.has(|it| it == Action::Approve);
        complete.then_some(detection)
    }

    /// The actions for a tool, prompt or resource; the empty name is that of what is about none of them.
    pub fn actions(&self, subject: &str) -> Actions {
        let matches = |patterns: &[String]| patterns.iter().any(|it| glob_matches(it, subject));
        let mut tools = self.tools.iter();
        let found = tools.find(|(patterns, _)| matches(patterns));
        found.map_or(self.otherwise, |(_, actions)| *actions)
    }

    /// The strictest of all actions, kind by kind: for what may come from any tool.
    pub fn strictest(&self) -> Actions {
        self.all().fold(self.otherwise, Actions::strictest)
    }

    /// Whether anybody looks at all.
    pub fn looks(&self) -> bool {
        self.has(|it| it != Action::Off)
    }

    /// Whether something depends on what is seen, beyond a record of it.
    pub fn acts(&self) -> bool {
        self.has(|it| it > Action::Log)
    }

    /// Whether calls may come to wait for a person.
    pub fn approves(&self) -> bool {
        self.has(|it| it == Action::Approve)
    }

    /// Whether definitions may be withheld: also what cannot be redacted is.
    pub fn withholds(&self) -> bool {
        let mut all = self.all();
        all.any(|actions| matches!(actions.definitions, Action::Block | Action::Redact))
    }

    fn has(&self, mut such: impl FnMut(Action) -> bool) -> bool {
        self.all().flat_map(Actions::all).any(&mut such)
    }

    fn all(&self) -> impl Iterator<Item = Actions> {
        let tools = self.tools.iter().map(|(_, actions)| *actions);
        std::iter::once(self.otherwise).chain(tools)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actions(results: push::DetectionAction) -> Option<push::DetectionActions> {
        Some(push::DetectionActions {
            results: results.into(),
            ..push::DetectionActions::default()
        })
    }

    #[test]
    fn the_first_pattern_counts() {
        let resource = push::Detection {
            otherwise: actions(push::DetectionAction::Redact),
            tools: vec![
                push::ToolDetection {
                    tools: vec!["get_*".into(), "list".into()],
                    actions: actions(push::DetectionAction::Block),
                },
                push::ToolDetection {
                    tools: vec!["*".into()],
                    actions: actions(push::DetectionAction::Off),
                },
            ],
            ..push::Detection::default()
        };
        let detection = Detection::from_wire(Some(&resource)).unwrap();
        for (subject, expected) in [
            ("get_a", Action::Block),
            ("list", Action::Block),
            ("other", Action::Off),
        ] {
            assert_eq!(detection.actions(subject).results, expected, "{subject}");
        }
        assert!(detection.acts() && !detection.approves() && !detection.withholds());
        assert_eq!(detection.strictest().results, Action::Block);
    }

    #[test]
    fn without_anything_said_all_is_logged() {
        let detection = Detection::from_wire(None).unwrap();
        assert!(detection.looks() && !detection.acts());
        assert_eq!(detection.actions("x"), Actions::default());
    }

    #[test]
    fn somebody_has_to_approve() {
        let mut resource = push::Detection {
            otherwise: actions(push::DetectionAction::Approve),
            ..push::Detection::default()
        };
        assert_eq!(Detection::from_wire(Some(&resource)), None);
        resource.approval = Some(push::Approve::default());
        assert!(Detection::from_wire(Some(&resource)).unwrap().approves());
    }

    #[test]
    fn an_action_that_is_not_known_blocks() {
        assert_eq!(Action::from_wire(99), Action::Block);
    }
}
