//! What the kernel knows of a process: CPU time and memory.

use std::fs;
use std::process::{Child, Command};
use std::sync::OnceLock;

use rustix::process::{Resource, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};

/// utime + stime of all its threads, in seconds: as /proc/PID/stat has it, but to the nanosecond
/// where the kernel tells (a window of a few per cent of a core would be twenty ticks).
pub(crate) fn cpu_seconds(pid: u32) -> f64 {
    fine(pid).unwrap_or_else(|| coarse(pid))
}

/// The first field of every thread's schedstat; threads that ended are missing, so none may end
/// within a window.
fn fine(pid: u32) -> Option<f64> {
    let mut nanoseconds = 0.0;
    for thread in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        let text = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        nanoseconds += text.split(' ').next()?.parse::<f64>().ok()?;
    }
    Some(nanoseconds / 1e9)
}

/// Fields 14 and 15 of proc_pid_stat(5).
fn coarse(pid: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).expect("a living process");
    // The second field is the name in parentheses, which may hold blanks.
    let (_, fields) = text.rsplit_once(')').expect("a name in parentheses");
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    let ticks = |field: usize| fields[field - 3].parse::<f64>().expect("a number");
    (ticks(14) + ticks(15)) / TICKS_A_SECOND
}

/// Resident memory in kB.
pub(crate) fn resident_kb(pid: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("a living process");
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_ascii_whitespace().next());
    number
        .and_then(|number| number.parse().ok())
        .expect("VmRSS in kB")
}

/// Takes as many descriptors as the administrator allows; children inherit it.
pub(crate) fn raise_descriptors() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Should it fail, the parts that need many say so.
    let _ = setrlimit(Resource::Nofile, limit);
}

/// Starts what is measured, on every core but the first, which this program keeps for itself.
///
/// Left to the scheduler, a forwarder sits now on the core of whoever sends to it and takes packets
/// five at a time, now on another and is woken for each: half the CPU, or twice the latency.
pub(crate) fn spawn(command: &mut Command) -> Child {
    let cores = cores();
    if cores > 1 {
        // Children inherit it.
        only(1..cores);
    }
    let child = command.spawn().expect("the program is there");
    if cores > 1 {
        only(0..1);
    }
    child
}

/// Lets this process have every core again, which [`spawn`] kept it from.
pub(crate) fn go_anywhere() {
    only(0..CpuSet::MAX_CPU);
}

fn only(range: std::ops::Range<usize>) {
    let mut cores = CpuSet::new();
    range.for_each(|core| cores.set(core));
    // Where it is not allowed figures are coarser.
    let _ = sched_setaffinity(None, &cores);
}

/// Cores of the machine, counted before this program confines itself to one.
fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
}

/// Cores and load, without which no figure can be judged.
pub(crate) fn machine() -> String {
    let cores = cores();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split_ascii_whitespace().next().unwrap_or("?");
    format!("{cores} cores, load {load} before the start")
}

/// USER_HZ, which Linux has fixed at 100 on every architecture we build for.
const TICKS_A_SECOND: f64 = 100.0;
