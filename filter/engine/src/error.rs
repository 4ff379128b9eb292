//! Why a policy was refused as a whole.

use thiserror::Error;

/// A policy that cannot be used. Nothing of it comes into force.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PolicyError {
    /// Two rules share an id, so a decision could not say which of them decided.
    #[error("two rules are called `{rule}`: give each its own name")]
    DuplicateRule {
        /// Id that occurs twice.
        rule: String,
    },
    /// More rules or longer names than an index can number: a million rules, a gibibyte of names.
    #[error("the policy of server `{server}` is too large to be indexed: use fewer, wider rules")]
    TooLarge {
        /// Name of the server.
        server: String,
    },
    /// A subject that is the empty string, which would speak of everybody without an identity.
    #[error("rule `{rule}` names an empty subject: remove it or name one")]
    EmptySubject {
        /// Id of the rule.
        rule: String,
    },
    /// The condition is nested more deeply than [`crate::MAX_CONDITION_DEPTH`].
    #[error("the condition of rule `{rule}` is nested more than {limit} deep: split the rule", limit = crate::MAX_CONDITION_DEPTH)]
    TooDeep {
        /// Id of the rule.
        rule: String,
    },
    /// A macro's variable is used outside the macro.
    #[error(
        "the condition of rule `{rule}` uses a macro's variable outside the macro: compile it again"
    )]
    UnboundVariable {
        /// Id of the rule.
        rule: String,
    },
    /// A macro without the parts that its kind needs.
    #[error("the condition of rule `{rule}` has an incomplete macro: compile it again")]
    IncompleteMacro {
        /// Id of the rule.
        rule: String,
    },
    /// A function with the wrong number of arguments.
    #[error(
        "the condition of rule `{rule}` calls `{function}` with {found} arguments instead of {expected}"
    )]
    Arity {
        /// Id of the rule.
        rule: String,
        /// CEL name of the function.
        function: &'static str,
        /// How many arguments it takes, the receiver included.
        expected: usize,
        /// How many there were.
        found: usize,
    },
    /// `matches` with a pattern that is not a string literal. Patterns are compiled once, never for a
    /// decision, so that nobody who calls can choose one.
    #[error(
        "the condition of rule `{rule}` computes the pattern of `matches`: write it as a literal"
    )]
    ComputedPattern {
        /// Id of the rule.
        rule: String,
    },
    /// `matches` with a pattern that is no regular expression, or too large a one.
    #[error("the condition of rule `{rule}` has a bad pattern `{pattern}`: {reason}")]
    BadPattern {
        /// Id of the rule.
        rule: String,
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
}
