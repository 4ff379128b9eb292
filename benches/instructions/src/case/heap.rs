//! The memory of the process: the allocator of the wasm module's kind, so that its instructions are much the
//! same on any machine, with a ledger of what the filter takes.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use dlmalloc::Dlmalloc;
use gatehold_hostsim::meter;

/// Whether all that is allocated counts, not only what the filter allocates in callbacks.
static EVERYTHING: AtomicBool = AtomicBool::new(false);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

#[global_allocator]
static HEAP: Heap = Heap(UnsafeCell::new(Dlmalloc::new()));

/// For a process with one thread.
struct Heap(UnsafeCell<Dlmalloc>);

/// Has all allocations count, or those of the filter's callbacks.
pub(crate) fn count_everything(everything: bool) {
    EVERYTHING.store(everything, Relaxed);
}

/// How often memory was taken or enlarged so far, and how many bytes of it.
pub(crate) fn taken() -> [u64; 2] {
    [ALLOCATIONS.load(Relaxed), BYTES.load(Relaxed)]
}

fn counts() -> bool {
    EVERYTHING.load(Relaxed) || meter::in_filter()
}

/// Callgrind leaves this function out.
#[inline(never)]
fn note(bytes: usize) {
    ALLOCATIONS.fetch_add(1, Relaxed);
    BYTES.fetch_add(bytes as u64, Relaxed);
}

// SAFETY: this process starts no threads, so that nothing is shared.
unsafe impl Sync for Heap {}

// SAFETY: all is handed on as it came; no method calls another, so that there is one reference at a time.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if counts() {
            note(layout.size());
        }
        // SAFETY: see above.
        unsafe { (*self.0.get()).malloc(layout.size(), layout.align()) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if counts() {
            note(layout.size());
        }
        // SAFETY: see above.
        unsafe { (*self.0.get()).calloc(layout.size(), layout.align()) }
    }

    unsafe fn dealloc(&self, data: *mut u8, layout: Layout) {
        // SAFETY: see above.
        unsafe { (*self.0.get()).free(data, layout.size(), layout.align()) }
    }

    unsafe fn realloc(&self, data: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if counts() {
            note(size.saturating_sub(layout.size()));
        }
        // SAFETY: see above.
        unsafe { (*self.0.get()).realloc(data, layout.size(), layout.align(), size) }
    }
}
