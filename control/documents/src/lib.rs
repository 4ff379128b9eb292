//! The documents that people write: loading, checking and compiling them.
//!
//! YAML text becomes a tree in which every node knows its line and column (`yaml`), the tree becomes typed
//! documents (`server`, `issuer`, `policy`), conditions become the engine's expressions (`condition`), and
//! the set as a whole becomes one policy per server (`compile`). Every step reports all problems that it
//! finds; a set with any problem is refused as a whole.
//!
//! Only `directory` reads files; the rest is pure.
#![forbid(unsafe_code)]

mod compile;
mod condition;
mod console;
mod detection;
mod detectors;
mod directory;
mod documents;
mod explain;
mod fields;
mod filter;
mod format;
mod gates;
mod issuer;
mod load;
mod names;
mod policy;
mod problem;
pub mod risks;
mod rules;
mod server;
mod set;
mod specialize;
mod suggest;
mod summary;
mod webhook;
mod yaml;

pub use directory::{ReadError, read_dir};
pub use documents::{
    AuditArguments, ConsoleDocument, Detection, DetectionAction, DetectionActions,
    DetectorsDocument, Documents, FilterDocument, FilterVersion, IssuerDocument, KeySource, Limits,
    NodeGroup, ServerDocument, Shadow, SignIn, ToolDetection, WebhookDocument, WebhookEvent,
    WebhookFormat,
};
pub use explain::{Explanation, Question, QuestionError, RuleReport, explain};
pub use load::{Loader, MAX_FILE_BYTES, MAX_FILES, load};
pub use problem::{Location, Problem, Problems};
pub use rules::Rules;
pub use summary::Summary;
