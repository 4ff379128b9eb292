//! The decision engine: pure, total, deterministic. No I/O, no clock, no log, no host call.
//!
//! A [`PolicySource`] is checked and indexed into a [`ServerPolicy`], which answers each [`Query`] with
//! a [`Decision`]. What is not allowed is denied; `deny` beats `approve` beats `allow`, whatever the
//! order of the rules. A condition that fails can never allow, and one of a `deny` or `approve` denies.
#![forbid(unsafe_code)]

mod check;
mod decide;
mod decision;
mod error;
mod eval;
mod expr;
mod findings;
mod glob;
mod index;
mod policy;
mod principal;
mod regexes;
mod scope;
mod server;
mod text;

pub use decision::{
    Arguments, Decision, Effect, Ground, Later, Query, RuleError, RuleOutcome, RuleTrace, Target,
};
pub use error::PolicyError;
pub use expr::{BinaryOp, Comprehension, ComprehensionKind, Expr, Function, Literal, UnaryOp, Var};
pub use findings::{Findings, FindingsSource};
pub use glob::matches as glob_matches;
pub use policy::{Approval, PolicySource, RiskAssignment, Rule, RuleEffect, Subjects, Targets};
pub use principal::Principal;
pub use server::ServerPolicy;

/// How deeply the nodes of a condition may be nested.
pub const MAX_CONDITION_DEPTH: usize = 100;

/// Steps that one condition may take. A node is a step, and so are some 64 bytes of text that are
/// looked at, and each entry of a list or map.
pub const MAX_CONDITION_STEPS: usize = 100_000;

/// Steps that the conditions of all rules that match one query may take together.
pub const MAX_DECISION_STEPS: usize = 1_000_000;
