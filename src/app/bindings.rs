//! Keeps phones' bindings through a restart: a snapshot in the store, at most twice a second.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::BINDINGS;
use crate::base::Timestamp;
use crate::registrar::{Limits, Registrar};
use crate::store::Records;

/// The thread that saves bindings.
pub(super) struct Keeper {
    registrar: Arc<Mutex<Registrar>>,
    wishes: SyncSender<()>,
    thread: JoinHandle<()>,
}

/// Registrations within this time share one save.
const GATHER: Duration = Duration::from_millis(500);

impl Keeper {
    /// Reads back what was saved, and keeps saving.
    pub(super) fn start(
        records: Records,
        now: Timestamp,
    ) -> anyhow::Result<(Self, Arc<Mutex<Registrar>>)> {
        let mut registrar = Registrar::new(Limits::default());
        if let Some(saved) = records.load(BINDINGS)? {
            match serde_json::from_value(saved) {
                Ok(snapshot) => {
                    registrar = Registrar::restore(Limits::default(), snapshot);
                    registrar.handle_timeout(now);
                }
                Err(error) => {
                    tracing::warn!(%error, "saved bindings not understood; phones register anew");
                }
            }
        }
        let registrar = Arc::new(Mutex::new(registrar));
        // One wish: a save that is wished for already need not be wished for again.
        let (wishes, wished) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("bindings".to_owned())
            .spawn({
                let registrar = registrar.clone();
                move || keep(&registrar, &records, &wished)
            })?;
        Ok((
            Self {
                registrar: registrar.clone(),
                wishes,
                thread,
            },
            registrar,
        ))
    }

    /// Where to wish for a save.
    pub(super) fn wishes(&self) -> SyncSender<()> {
        self.wishes.clone()
    }

    /// Phones that are registered now.
    pub(super) fn registered(&self) -> Vec<String> {
        self.registrar
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .phones()
            .map(str::to_owned)
            .collect()
    }

    /// Saves what is wished for and ends. All other wishers must be gone.
    pub(super) fn stop(self) {
        drop(self.wishes);
        if self.thread.join().is_err() {
            tracing::error!("the keeper of bindings ended by a panic");
        }
    }
}

fn keep(registrar: &Mutex<Registrar>, records: &Records, wished: &Receiver<()>) {
    while wished.recv().is_ok() {
        let snapshot = registrar
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .snapshot();
        match serde_json::to_value(snapshot) {
            Ok(snapshot) => {
                if !records.save(BINDINGS, snapshot) {
                    tracing::warn!("bindings not saved: the store is too far behind");
                }
            }
            Err(error) => tracing::error!(%error, "bindings cannot be written"),
        }
        std::thread::sleep(GATHER);
    }
}
