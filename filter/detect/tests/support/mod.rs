//! What tests scan with.

use gatehold_detect::{Pack, Parts};

/// A pack that knows no words: what is found needs none.
pub(crate) fn pack() -> Pack {
    Pack::assemble(Parts {
        windows: [60; 3],
        ..Parts::default()
    })
    .unwrap()
}
