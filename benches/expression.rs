//! What expressions cost: judging one worker, and finding workers among many.
//!
//! `cargo bench --bench expression`. Bars: three conditions 50 ns; a look-up by attribute among
//! 500 workers 5 us, among 50,000 20 us.

#[path = "subjects/workers.rs"]
mod workers;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Map, Value, json};
use tsunagu::expr::{AttributeIndex, Expression, OrderBy, Scope};

use workers::{BY_EMAIL, THREE_CONDITIONS, object, worker};

criterion_group!(benches, judging, finding);
criterion_main!(benches);

fn judging(criterion: &mut Criterion) {
    let worker = worker(7);
    let wide = wide(7);
    let task = object(json!({"language": "ja", "email": "agent7@example.com", "topic": "bill"}));
    let mut group = criterion.benchmark_group("judge");
    for (name, text) in [
        ("one condition", "language == 'ja'"),
        ("three conditions", THREE_CONDITIONS),
        (
            "three of the task",
            "worker.skills HAS 'support' AND worker.language == task.language AND \
             worker.email == task.email",
        ),
        (
            "ten of an array",
            "language IN ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'ja']",
        ),
    ] {
        let expression = Expression::parse(text).expect(text);
        for (size, worker) in [("", &worker), (", 30 attributes", &wide)] {
            let scope = Scope::new(worker, &task);
            assert!(expression.eval(&scope), "{text}");
            group.bench_function(format!("{name}{size}"), |bencher| {
                bencher.iter(|| black_box(&expression).eval(black_box(&scope)));
            });
        }
    }
    let order = OrderBy::parse("worker.level DESC, worker.age ASC").expect("an order");
    let other = workers::worker(8);
    group.bench_function("order of two terms", |bencher| {
        bencher.iter(|| order.compare(black_box(&worker), black_box(&other)));
    });
    group.finish();
}

fn finding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("find");
    for count in [500, 50_000] {
        let workers: Vec<_> = (0..count).map(worker).collect();
        let index = AttributeIndex::build(&workers);
        let task = object(json!({"email": "agent77@example.com", "department_id": 3}));
        for (name, text) in [
            ("by email", BY_EMAIL),
            (
                "by email and department",
                "worker.email == task.email AND worker.department_id == task.department_id",
            ),
            (
                "skill, rare of two",
                "skills HAS 'support' AND skills HAS 'rare'",
            ),
        ] {
            let expression = Expression::parse(text).expect(text);
            group.bench_function(format!("{name} of {count}"), |bencher| {
                bencher.iter(|| {
                    let task = black_box(&task);
                    let candidates = expression.candidates(task, &index).expect("narrowed");
                    let holds = |number: &&u32| {
                        expression.eval(&Scope::new(&workers[**number as usize], task))
                    };
                    candidates.iter().filter(holds).count()
                });
            });
        }
        let mut index = index.clone();
        let (old, mut new) = (workers[7].clone(), workers[7].clone());
        new.insert("level".to_owned(), json!(9));
        group.bench_function(format!("change one attribute of {count}"), |bencher| {
            bencher.iter(|| {
                index.update(7, &old, &new);
                index.update(7, &new, &old);
            });
        });
    }
    group.finish();
}

fn wide(number: u32) -> Map<String, Value> {
    let more = (0..24).map(|place| (format!("attribute_{place}"), json!(place)));
    more.chain(worker(number)).collect()
}
