//! The process as the kernel sees it, under Prometheus' customary names.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

/// What `/proc/self` says; zero where it cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Process {
    pub(super) open_fds: u64,
    pub(super) max_fds: u64,
    pub(super) threads: u64,
    pub(super) resident_bytes: u64,
    pub(super) cpu_seconds: f64,
}

impl Process {
    pub(super) fn read() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        Self {
            // Less the descriptor that reads the directory.
            open_fds: fs::read_dir("/proc/self/fd")
                .map_or(0, |dir| (dir.count() as u64).saturating_sub(1)),
            max_fds: getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX),
            threads: field(&status, "Threads:"),
            resident_bytes: field(&status, "VmRSS:") * 1024,
            cpu_seconds: cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9,
        }
    }
}

/// Seconds since the epoch, for `process_start_time_seconds`.
pub(super) fn wall_seconds() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0.0, |since| since.as_secs_f64())
}

fn field(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_this_process() {
        let process = Process::read();
        assert!(process.open_fds >= 3 && process.max_fds >= process.open_fds);
        assert!(process.threads >= 1 && process.resident_bytes > 1 << 20);
    }
}
