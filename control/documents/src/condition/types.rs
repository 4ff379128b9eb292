//! What is known of values before there is a request.

use gatehold_engine::Var;

/// The type of an expression, as far as it is known.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Type {
    /// Anything: arguments and claims.
    Any,
    Null,
    Bool,
    /// An integer or a double. JSON does not tell them apart, and neither does the engine.
    Number,
    Text,
    List(Box<Type>),
    Map,
    /// A variable with fixed fields, before one is selected.
    Root(Var),
}

impl Type {
    /// For messages: "a string".
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Any => "anything",
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Number => "a number",
            Self::Text => "a string",
            Self::List(_) => "a list",
            Self::Map | Self::Root(_) => "a map",
        }
    }

    /// Whether a value of this type can be one of the other.
    pub(super) fn fits(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) | (_, Self::Any) => true,
            (Self::List(left), Self::List(right)) => left.fits(right),
            (left, right) => std::mem::discriminant(left) == std::mem::discriminant(right),
        }
    }

    /// The type that covers both.
    pub(super) fn join(self, other: Self) -> Self {
        match (self, other) {
            (left, right) if left == right => left,
            (Self::List(left), Self::List(right)) => Self::List(Box::new(left.join(*right))),
            _ => Self::Any,
        }
    }
}

/// The root variable with this name.
pub(super) fn variable(name: &str) -> Option<Var> {
    VARIABLES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, var)| *var)
}

/// All root variables by name.
pub(super) const VARIABLES: [(&str, Var); 8] = [
    ("args", Var::Args),
    ("user", Var::User),
    ("agent", Var::Agent),
    ("tool", Var::Tool),
    ("resource", Var::Resource),
    ("prompt", Var::Prompt),
    ("server", Var::Server),
    ("findings", Var::Findings),
];

/// The fields of a root variable; nothing for `args`, which may have any.
pub(super) fn fields(var: Var) -> &'static [&'static str] {
    match var {
        Var::Args => &[],
        Var::User => &["id", "roles", "groups", "claims"],
        Var::Agent => &["id"],
        Var::Tool => &["name", "risk"],
        Var::Resource => &["uri"],
        Var::Prompt | Var::Server => &["name"],
        Var::Findings => &["score", "flagged", "features", "secrets"],
    }
}

/// The type of a field of a root variable.
pub(super) fn field_type(field: &str) -> Type {
    match field {
        "roles" | "groups" | "risk" | "features" | "secrets" => Type::List(Box::new(Type::Text)),
        "score" => Type::Number,
        "flagged" => Type::Bool,
        "claims" => Type::Map,
        _ => Type::Text,
    }
}

/// The names of types as `type()` gives them.
pub(super) const TYPE_NAMES: [&str; 8] = [
    "null_type",
    "bool",
    "int",
    "uint",
    "double",
    "string",
    "list",
    "map",
];
