//! Signals as values: stop, interrupt, reload.

use std::io;

use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

/// What the operator or the service manager wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT: stop; asked a second time, stop at once.
    Interrupt,
    /// SIGHUP: load the configuration again.
    Reload,
    /// SIGTERM: drain and stop.
    Terminate,
}

/// The stream of signals to this process; while it lives, they end nothing by themselves.
#[derive(Debug)]
pub struct Signals {
    hangup: Stream,
    interrupt: Stream,
    terminate: Stream,
}

impl Signals {
    /// Takes the signals over; call it inside a tokio runtime.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for the next one; safe to drop before it is ready.
    pub async fn next(&mut self) -> Signal {
        loop {
            let signal = tokio::select! {
                some = self.terminate.recv() => some.map(|()| Signal::Terminate),
                some = self.interrupt.recv() => some.map(|()| Signal::Interrupt),
                some = self.hangup.recv() => some.map(|()| Signal::Reload),
            };
            match signal {
                Some(signal) => return signal,
                // tokio never ends these streams while its runtime lives.
                None => tokio::task::yield_now().await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::{Signal as Kind, getpid, kill_process};

    use super::*;

    #[tokio::test]
    async fn hang_up_asks_for_a_reload_and_ends_nothing() {
        let mut signals = Signals::listen().unwrap();
        kill_process(getpid(), Kind::HUP).unwrap();
        assert_eq!(signals.next().await, Signal::Reload);
    }
}
