//! Runs one case: prepares it, warms up, then does what is counted, once. `counts` runs this under valgrind.
//!
//! Prints host calls, bytes copied, allocations and bytes allocated, then how often each host call was made; the
//! instructions are callgrind's.
#![allow(
    unsafe_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "measures: an allocator of its own, and what is wrong here must end the run at once"
)]

mod exchanges;
mod fixed;
mod heap;

use std::hint::black_box;

use gatehold_bench_micro::hot;
use gatehold_hostsim::meter;

/// One case, prepared.
type Work = Box<dyn FnMut()>;

/// How often a case runs before it counts: tables and buffers have their size then.
const WARM_UP: usize = 3;

fn main() {
    let name = std::env::args().nth(1).unwrap_or_default();
    if name == "--list" {
        let functions = hot::all().into_iter().map(|hot| hot.name);
        for name in exchanges::NAMES
            .iter()
            .map(|&name| name.to_owned())
            .chain(functions)
        {
            println!("{name}");
        }
        return;
    }
    if let Some(hot) = hot::all().into_iter().find(|hot| hot.name == name) {
        let mut run = hot.prepare();
        for _ in 0..WARM_UP {
            run();
        }
        heap::count_everything(true);
        count(&mut || measured(&mut *run));
    } else {
        let mut run = exchanges::prepare(&name);
        count(&mut *run);
        // The worker is not taken apart: callgrind would count that.
        std::process::exit(0);
    }
}

fn count(run: &mut dyn FnMut()) {
    let calls = meter::calls();
    let (before, taken) = (meter::crossings(), heap::taken());
    begin();
    run();
    let (crossed, total) = (meter::crossings(), heap::taken());
    println!(
        "{} {} {} {}",
        crossed.calls - before.calls,
        crossed.bytes - before.bytes,
        total[0] - taken[0],
        total[1] - taken[1],
    );
    for (name, count) in meter::calls() {
        let made = count - calls.get(name).copied().unwrap_or_default();
        if made > 0 {
            println!("{made:>6} {name}");
        }
    }
}

/// Callgrind sets its counts to zero here.
#[inline(never)]
fn begin() {
    black_box(());
}

/// Callgrind counts what runs in here.
#[inline(never)]
fn measured(work: &mut dyn FnMut()) {
    work();
}
