//! What the variables of a condition stand for during one decision.

use std::cell::OnceCell;

use smallvec::SmallVec;

use crate::eval::{List, Map, Text, Value};
use crate::index::RiskIndex;
use crate::{Query, Target, Var};

/// One query, with what is computed from it at most once.
#[derive(Debug)]
pub(crate) struct Scope<'a> {
    pub(crate) query: &'a Query<'a>,
    server: &'a str,
    risks: &'a RiskIndex,
    /// Risk classes of the tool, by number.
    classes: OnceCell<SmallVec<[u32; 4]>>,
}

impl<'a> Scope<'a> {
    pub(crate) fn new(server: &'a str, risks: &'a RiskIndex, query: &'a Query<'a>) -> Self {
        Self {
            query,
            server,
            risks,
            classes: OnceCell::new(),
        }
    }

    /// Numbers of the risk classes of the tool, in the order of the assignments; none for what is no tool.
    pub(crate) fn classes(&self) -> &[u32] {
        self.classes.get_or_init(|| match self.query.target {
            Target::Tool(tool) => self.risks.classes(tool),
            Target::Resource(_) | Target::Prompt(_) | Target::Method(_) => SmallVec::new(),
        })
    }

    /// Whether the tool has one of these classes.
    pub(crate) fn has_class_of(&self, names: &[String]) -> bool {
        self.classes().iter().any(|class| {
            self.risks
                .names()
                .get(*class as usize)
                .is_some_and(|name| names.contains(name))
        })
    }

    /// Fields that a root variable has for this query.
    pub(crate) fn fields(&self, var: Var) -> &'static [&'static str] {
        match (var, self.query.target) {
            (Var::User, _) => &["id", "roles", "groups", "claims"],
            (Var::Agent, _) => &["id"],
            (Var::Server, _) => &["name"],
            (Var::Tool, Target::Tool(_)) => &["name", "risk"],
            (Var::Resource, Target::Resource(_)) => &["uri"],
            (Var::Prompt, Target::Prompt(_)) => &["name"],
            (Var::Tool | Var::Resource | Var::Prompt | Var::Args | Var::Findings, _) => &[],
        }
    }

    /// A field of a root variable. A variable that the target does not have is an empty map, so that
    /// `has` can ask for it.
    pub(crate) fn field(&'a self, var: Var, field: &str) -> Option<Value<'a>> {
        let principal = self.query.principal;
        let text = |text: &'a str| Value::Text(Text::Borrowed(text));
        Some(match (var, field, self.query.target) {
            (Var::User, "id", _) => text(&principal.user),
            (Var::User, "roles", _) => Value::List(List::Strings(&principal.roles)),
            (Var::User, "groups", _) => Value::List(List::Strings(&principal.groups)),
            (Var::User, "claims", _) => Value::Map(Map::Json(&principal.claims)),
            (Var::Agent, "id", _) => text(&principal.agent),
            (Var::Server, "name", _) => text(self.server),
            (Var::Tool, "name", Target::Tool(name)) => text(name),
            (Var::Tool, "risk", Target::Tool(_)) => {
                Value::List(List::Named(self.classes(), self.risks.names()))
            }
            (Var::Resource, "uri", Target::Resource(uri)) => text(uri),
            (Var::Prompt, "name", Target::Prompt(name)) => text(name),
            _ => return None,
        })
    }
}
