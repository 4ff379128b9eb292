//! Why a condition has no value.

use thiserror::Error;

/// Why an expression has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop<'a> {
    /// It depends on arguments that are not known yet.
    Unknown,
    /// It failed, whatever the unknown arguments are.
    Failed(Failure<'a>),
}

impl<'a> From<Failure<'a>> for Stop<'a> {
    fn from(failure: Failure<'a>) -> Self {
        Self::Failed(failure)
    }
}

/// What went wrong. Never holds text of a request, so it is as cheap to make as it is to drop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum Failure<'a> {
    #[error("there is no field `{0}`: ask for it with `has` first")]
    NoField(&'a str),
    #[error("there is no such key: ask for it with `in` first")]
    NoKey,
    #[error("the index is outside the list: compare it with `size` first")]
    OutOfRange,
    #[error("expected {expected}, found {found}")]
    Type {
        expected: &'static str,
        found: &'static str,
    },
    #[error("`{operator}` does not take {left} and {right}")]
    Operands {
        operator: &'static str,
        left: &'static str,
        right: &'static str,
    },
    #[error("a map has the same key twice")]
    DuplicateKey,
    #[error("the result does not fit its type")]
    Overflow,
    #[error("division by zero")]
    DivisionByZero,
    #[error("an integer beyond 2^53 cannot be combined with a double without loss")]
    Inexact,
    #[error("an integer beyond 2^53 is not read the same by every server: send it as a string")]
    Unsafe,
    #[error("the text is no {0}")]
    Conversion(&'static str),
    #[error("a number is out of range")]
    Number,
    #[error("a value is nested too deeply to be compared")]
    TooDeep,
    #[error("it takes more than {limit} steps", limit = crate::MAX_CONDITION_STEPS)]
    TooManySteps,
    #[error("the arguments cannot be read")]
    Unreadable,
    #[error("the arguments have not been looked at: wait until control has pushed the detectors")]
    NoFindings,
    #[error("the condition is malformed: compile it again")]
    Malformed,
}
