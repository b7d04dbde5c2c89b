//! The thread that writes log lines; whoever logs never waits for it.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use tracing_subscriber::fmt::MakeWriter;

/// Hands lines to the writing thread.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    queue: SyncSender<Job>,
    dropped: Arc<AtomicU64>,
}

/// One line on its way.
#[derive(Debug)]
pub(super) struct Line<'a>(&'a Writer);

#[derive(Debug)]
enum Job {
    Line(Vec<u8>),
    Flush(SyncSender<()>),
}

impl Writer {
    pub(super) fn start(sink: Box<dyn Write + Send>) -> io::Result<Self> {
        let (queue, jobs) = sync_channel(MOST_LINES);
        let dropped = Arc::new(AtomicU64::new(0));
        let writer = Self {
            queue,
            dropped: dropped.clone(),
        };
        thread::Builder::new()
            .name("log".into())
            .spawn(move || run(sink, &jobs, &dropped))?;
        Ok(writer)
    }

    /// Waits until all lines handed over so far are written, one second at most.
    pub(super) fn flush(&self) {
        let patience = Instant::now() + Duration::from_secs(1);
        let (done, flushed) = sync_channel(1);
        let mut job = Job::Flush(done);
        while let Err(TrySendError::Full(back)) = self.queue.try_send(job) {
            if Instant::now() > patience {
                return;
            }
            job = back;
            thread::sleep(Duration::from_millis(1));
        }
        let _ = flushed.recv_timeout(patience.saturating_duration_since(Instant::now()));
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl<'a> MakeWriter<'a> for Writer {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(self)
    }
}

impl Write for Line<'_> {
    /// tracing-subscriber writes each event in one piece.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.queue.try_send(Job::Line(bytes.to_vec())).is_err() {
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn run(mut sink: Box<dyn Write + Send>, jobs: &Receiver<Job>, dropped: &AtomicU64) {
    let mut told = 0;
    let mut burst = Vec::with_capacity(BURST);
    while let Some(job) = next(jobs) {
        let lost = dropped.load(Ordering::Relaxed);
        if lost > told {
            let _ = writeln!(sink, "<4>log: {} lines dropped", lost - told);
            told = lost;
        }
        // Lines of one moment share a system call, which costs more than to make them.
        let mut flushed = None;
        for job in std::iter::once(job).chain(jobs.try_iter()) {
            match job {
                Job::Line(line) => burst.extend_from_slice(&line),
                Job::Flush(done) => flushed = Some(done),
            }
            if flushed.is_some() || burst.len() >= BURST {
                break;
            }
        }
        // Nobody is left to tell when standard error is closed.
        let _ = sink.write_all(&burst);
        burst.clear();
        if let Some(done) = flushed {
            let _ = sink.flush();
            let _ = done.send(());
        }
    }
}

/// The next job. After each burst it rests, so that whoever logs seldom pays for waking the
/// writer: fifty times a second at the most.
fn next(jobs: &Receiver<Job>) -> Option<Job> {
    jobs.try_recv().ok().or_else(|| {
        thread::sleep(REST);
        jobs.recv().ok()
    })
}

const REST: Duration = Duration::from_millis(20);

/// Bytes written at once, about.
const BURST: usize = 32 << 10;

/// About a second of debug lines of a busy switch, or two megabytes.
const MOST_LINES: usize = 8192;

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    /// Blocks in its first write until told to go on.
    struct Stuck(Receiver<()>, Sender<usize>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            let _ = self.1.send(bytes.len());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stuck_terminal_costs_lines_and_no_time() {
        let (go_on, stuck) = channel();
        let (written, lines) = channel();
        let writer = Writer::start(Box::new(Stuck(stuck, written))).unwrap();
        // The burst that is stuck has taken some of them out of the queue.
        let line = [b'x'; 64];
        let taken = BURST / line.len() + 1;
        for _ in 0..MOST_LINES + taken + 100 {
            writer.make_writer().write_all(&line).unwrap();
        }
        assert!(writer.dropped() >= 99, "{}", writer.dropped());
        drop(go_on);
        writer.flush();
        assert!(lines.try_iter().count() > 0);
    }
}
