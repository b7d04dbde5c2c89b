//! Whether the switch lives: once a second it writes down that it is alive. After a kill the next start
//! knows until when callers waited and talked.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::base::Clock;
use crate::store::DataDir;

/// How often; also how much of a caller's wait a kill may cost in his record.
const BEAT: Duration = Duration::from_secs(1);

/// The thread, which has the data directory.
#[derive(Debug)]
pub(super) struct Alive {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Alive {
    /// Begins to beat.
    pub(super) fn start(data: DataDir, clock: Arc<dyn Clock>) -> std::io::Result<Self> {
        let (stop, stopped) = channel();
        let beat = move || {
            let mut was_told = false;
            loop {
                if let Err(error) = data.say_alive(clock.now())
                    && !was_told
                {
                    was_told = true;
                    tracing::warn!(%error, "the data directory cannot be written");
                }
                match stopped.recv_timeout(BEAT) {
                    Err(RecvTimeoutError::Timeout) => {}
                    _ => return,
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("alive".to_owned())
            .spawn(beat)?;
        Ok(Self { stop, thread })
    }

    /// Gives the data directory back.
    pub(super) fn stop(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            tracing::error!("the thread that says so ended by a panic");
        }
    }
}
