//! The decision engine: pure, total, deterministic. No I/O, no clock, no log, no host call.
#![forbid(unsafe_code)]

mod decision;
mod expr;
mod policy;
mod principal;

pub use decision::{Arguments, Decision, Effect, Query, RuleError, RuleOutcome, RuleTrace, Target};
pub use expr::{
    BinaryOp, Comprehension, ComprehensionKind, Expr, Function, Literal, UnaryOp, Var,
};
pub use policy::{Approval, PolicySource, RiskAssignment, Rule, RuleEffect, Subjects, Targets};
pub use principal::Principal;
