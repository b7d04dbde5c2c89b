//! Figures of single steps, in nanoseconds: `make micro`.

mod decide;

use criterion::{Criterion, criterion_group, criterion_main};

criterion_group!(benches, decide::decide);
criterion_main!(benches);
