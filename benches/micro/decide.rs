//! What one decision of the router costs, its explanation and its facts as text included.

#[path = "../subjects/centre.rs"]
mod centre;

use criterion::Criterion;

use centre::Centre;

/// The bars of the issue "The router".
pub(crate) fn decide(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decide");
    for size in [10_000, 100_000] {
        let mut centre = Centre::new(size, size);
        group.bench_function(
            format!("agent free, {size} agents, {size} waiting"),
            |bench| {
                bench.iter_custom(|times| (0..times).map(|_| centre.free_one()).sum());
            },
        );
    }
    group.finish();
}
