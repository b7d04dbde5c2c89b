//! Instructions of what routing does all day, held by limits: `make counts`.
//!
//! A machine that is busy measures other times, never other counts: what CI can hold a change to. The
//! times themselves are bars of `cargo bench --bench expression` and `--bench micro`. Each limit is some
//! 15 % above the count of the day it was set; whoever has a reason to go over it moves it in
//! the same commit and says why, and whoever goes well below it lowers it.

#![expect(
    missing_docs,
    reason = "gungraun's macros make public modules and functions"
)]

#[path = "../subjects/centre.rs"]
mod centre;
#[path = "../subjects/workers.rs"]
mod workers;

use std::hint::black_box;

use gungraun::{
    Callgrind, EntryPoint, EventKind, LibraryBenchmarkConfig, library_benchmark,
    library_benchmark_group, main,
};
use serde_json::{Map, Value, json};
use tsunagu::expr::{AttributeIndex, Expression, Scope};

use centre::Centre;
use workers::{BY_EMAIL, THREE_CONDITIONS, object, worker};

/// Each thing is done so often, so that where a hash map put its entries does not count.
const TIMES: usize = 100;

/// So many instructions of [`TIMES`] runs and no more.
fn at_most(instructions: u64) -> Callgrind {
    let mut callgrind = Callgrind::with_args(["--cache-sim=no"]);
    callgrind.hard_limits([(EventKind::Ir, instructions)]);
    callgrind
}

fn limit(instructions: u64) -> LibraryBenchmarkConfig {
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(at_most(instructions));
    config
}

/// Counts the decisions and not what happens between them: the ring, the answer, the next caller.
fn limit_of_decisions(instructions: u64) -> LibraryBenchmarkConfig {
    let mut callgrind = at_most(instructions);
    callgrind.entry_point(EntryPoint::Custom("*::centre::Centre::complete".to_owned()));
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(callgrind);
    config
}

struct Judged {
    expression: Expression,
    worker: Map<String, Value>,
    task: Map<String, Value>,
}

fn judged() -> Judged {
    let judged = Judged {
        expression: Expression::parse(THREE_CONDITIONS).expect("an expression"),
        worker: worker(7),
        task: object(json!({"language": "ja"})),
    };
    assert!(
        judged
            .expression
            .eval(&Scope::new(&judged.worker, &judged.task))
    );
    judged
}

#[library_benchmark]
#[bench::three_conditions(setup = judged, config = limit(54_000))]
fn judge(judged: Judged) -> Judged {
    let scope = Scope::new(&judged.worker, &judged.task);
    for _ in 0..TIMES {
        black_box(black_box(&judged.expression).eval(black_box(&scope)));
    }
    judged
}

struct Office {
    expression: Expression,
    workers: Vec<Map<String, Value>>,
    index: AttributeIndex,
    task: Map<String, Value>,
}

impl Office {
    fn new(count: u32) -> Self {
        let workers: Vec<_> = (0..count).map(worker).collect();
        Self {
            expression: Expression::parse(BY_EMAIL).expect("an expression"),
            index: AttributeIndex::build(&workers),
            task: object(json!({"email": "agent77@example.com"})),
            workers,
        }
    }

    fn find(&self) -> usize {
        let task = black_box(&self.task);
        let candidates = self.expression.candidates(task, &self.index);
        let candidates = candidates.expect("the index knows the attribute");
        let holds = |number: &&u32| {
            let scope = Scope::new(&self.workers[**number as usize], task);
            self.expression.eval(&scope)
        };
        candidates.iter().filter(holds).count()
    }
}

#[library_benchmark]
#[bench::of_500(args = (500), setup = Office::new, config = limit(179_000))]
#[bench::of_50_000(args = (50_000), setup = Office::new, config = limit(179_000))]
fn find(office: Office) -> Office {
    for _ in 0..TIMES {
        assert_eq!(black_box(office.find()), 1);
    }
    office
}

#[library_benchmark]
#[bench::of_10_000(args = (10_000, 10_000), setup = Centre::new, config = limit_of_decisions(8_600_000))]
fn decide(mut centre: Centre) -> Centre {
    for _ in 0..TIMES {
        centre.free_one();
    }
    centre
}

library_benchmark_group!(name = routing, benchmarks = [judge, find, decide]);

main!(library_benchmark_groups = routing);
