//! Figures of single steps, in nanoseconds: `make micro`.

mod decide;

use criterion::{criterion_group, criterion_main};

criterion_group!(benches, decide::decide);
criterion_main!(benches);
