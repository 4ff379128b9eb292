//! What `make bench` does; the program is a thin shell around it.

pub mod answers;
pub mod cases;
pub mod config;
pub mod content;
pub mod http1;
pub mod load;
pub mod machine;
pub mod measure;
pub mod options;
pub mod peers;
pub mod policy;
pub mod probe;
pub mod report;
pub mod run;
pub mod schedule;
pub mod series;
pub mod site;
pub mod startup;
pub mod stats;
pub mod svg;
pub mod tokens;
pub mod variant;
