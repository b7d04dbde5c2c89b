//! In tests, an allocator that knows when a media worker must not allocate.
//!
//! Promise 6 of the architecture: no allocation between a packet in and a packet out, or in a tick.
//! What a worker does there runs inside [`watched`]; whatever it allocates or frees meanwhile is
//! kept, with where it happened, for the test that asks.

use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::cell::Cell;
use std::sync::{Mutex, PoisonError};

struct Watchful;

#[global_allocator]
static ALLOCATOR: Watchful = Watchful;

/// Where watched threads allocated or freed.
static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

thread_local! {
    static WATCHED: Cell<bool> = const { Cell::new(false) };
    static OCCUPIED: Cell<isize> = const { Cell::new(0) };
}

/// Does work in which nothing may be allocated or freed.
pub(super) fn watched<T>(work: impl FnOnce() -> T) -> T {
    let before = WATCHED.replace(true);
    let done = work();
    WATCHED.set(before);
    done
}

/// Octets this thread has allocated and nobody has freed on it: only differences mean anything.
pub(super) fn occupied() -> isize {
    OCCUPIED.get()
}

fn count(octets: usize, freed: usize) {
    // A thread that ends has no such variable any more, and nobody asks.
    let change = octets as isize - freed as isize;
    let _ = OCCUPIED.try_with(|occupied| occupied.set(occupied.get() + change));
}

/// What was seen so far, by all threads.
pub(super) fn seen() -> Vec<String> {
    SEEN.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn note(what: &str) {
    // A thread that ends has no such variable any more, and nothing to be watched.
    let is_watched = WATCHED.try_with(|watched| watched.replace(false));
    if is_watched == Ok(true) {
        let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() < 20 && !std::thread::panicking() {
            seen.push(format!("{what}\n{}", Backtrace::force_capture()));
        }
        WATCHED.set(true);
    }
}

// Only an allocator of its own sees every allocation of the program.
#[allow(unsafe_code)]
// SAFETY: hands every call to the system's allocator as it came.
unsafe impl GlobalAlloc for Watchful {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note("allocates");
        count(layout.size(), 0);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note("allocates");
        count(layout.size(), 0);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note("grows");
        count(size, layout.size());
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note("frees");
        count(0, layout.size());
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[test]
fn an_allocation_is_seen_while_it_is_watched_for() {
    let free = vec![1, 2, 3];
    let before = seen().len();
    watched(|| drop(std::hint::black_box(free.clone())));
    let after = seen();
    let here = |seen: &&String| seen.contains("an_allocation_is_seen");
    assert_eq!(after.iter().filter(here).count(), 2, "{before} {after:?}");
}
