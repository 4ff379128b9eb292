//! Why a message cannot be converted.

use gatehold_identity::KeyError;

/// Why a message cannot be converted. Names the rule or the issuer, for the answer to whoever sent it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A rule of a server.
    #[error("rule `{rule}`, field `{field}`: {problem}")]
    Rule {
        /// Id of the rule, or its position in the server's list (`#3`) when it has none.
        rule: String,
        /// Field of `gatehold.push.v1.Rule`.
        field: &'static str,
        /// What is wrong.
        problem: Problem,
    },
    /// An issuer.
    #[error("issuer `{issuer}`, field `{field}`: {problem}")]
    Issuer {
        /// Name of the issuer.
        issuer: String,
        /// Field of `gatehold.push.v1.Issuer`.
        field: &'static str,
        /// What is wrong.
        problem: Problem,
    },
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It must be there, and is not.
    #[error("missing or empty")]
    Missing,
    /// An expression lacks a part.
    #[error("`{0}` lacks a part")]
    MissingPart(&'static str),
    /// An expression has a part that it may not have.
    #[error("`{0}` has a part too many")]
    ExtraPart(&'static str),
    /// An operator that this version does not know.
    #[error("unknown operator `{0}`; control may be newer than the filter")]
    UnknownOperator(String),
    /// A function that this version does not know.
    #[error("unknown function `{0}`; control may be newer than the filter")]
    UnknownFunction(String),
    /// A macro that this version does not know.
    #[error("unknown macro `{0}`; control may be newer than the filter")]
    UnknownMacro(String),
    /// A variable that this version does not know, by its number.
    #[error("unknown variable number {0}; control may be newer than the filter")]
    UnknownVariable(i32),
    /// A signature algorithm that is not supported.
    #[error("unknown algorithm `{0}`; supported are RS256, PS256, ES256 and EdDSA")]
    UnknownAlgorithm(String),
    /// An operator with the wrong number of operands.
    #[error("operator `{operator}` with {found} operands")]
    Operands {
        /// The operator.
        operator: String,
        /// How many operands there are.
        found: usize,
    },
    /// A map literal with a key that has no value.
    #[error("a map literal whose last key has no value")]
    UnevenMap,
    /// A number that is infinite or not a number.
    #[error("a number that is not finite")]
    NotFinite,
    /// Nested more than [`MAX_EXPR_DEPTH`](crate::MAX_EXPR_DEPTH) deep.
    #[error("nested more than {} deep; split the condition", crate::MAX_EXPR_DEPTH)]
    TooDeep,
    /// The key set cannot be read.
    #[error("{0}")]
    Keys(KeyError),
}
