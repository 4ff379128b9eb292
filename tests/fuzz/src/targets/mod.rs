//! The targets.

mod answers;
mod detect;
mod differential;
mod headers;
mod json_rpc;
mod policy;
mod sse;

pub use answers::answers;
pub use detect::detect;
pub use differential::differential;
pub use headers::headers;
pub use json_rpc::json_rpc;
pub use policy::policy;
pub use sse::sse;

/// A target: panics on a finding.
pub type Target = fn(&[u8]);

/// All of them, by name.
pub const ALL: [(&str, Target); 7] = [
    ("json_rpc", json_rpc),
    ("sse", sse),
    ("headers", headers),
    ("policy", policy),
    ("answers", answers),
    ("differential", differential),
    ("detect", detect),
];

/// A repeatable source of choices for an input that has no room for them.
fn choices(data: &[u8]) -> fastrand::Rng {
    let hash = data.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    fastrand::Rng::with_seed(hash)
}
