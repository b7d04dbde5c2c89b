//! Keeps phones' bindings through a restart: what changed goes to the store, twice a second at most.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::base::Timestamp;
use crate::registrar::{Binding, Limits, Registrar, Snapshot};
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
        let begin = std::time::Instant::now();
        let mut registrar = Registrar::restore(Limits::default(), restored(&records)?);
        registrar.handle_timeout(now);
        let (phones, ms) = (registrar.phones().count(), begin.elapsed().as_millis());
        tracing::info!(phones, ms, "bindings restored");
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
        lock(&self.registrar).phones().map(str::to_owned).collect()
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
        while let Some(changes) = changed(registrar) {
            let changes = changes.into_iter().map(|(phone, bindings)| {
                let body = (!bindings.is_empty()).then(|| written(&bindings));
                (phone, body)
            });
            if let Err(changes) = records.save_bindings(changes.collect()) {
                tracing::warn!("bindings not saved yet: the store is too far behind");
                let phones = changes.into_iter().map(|(phone, _)| phone);
                lock(registrar).put_back_unsaved(phones);
                break;
            }
        }
        std::thread::sleep(GATHER);
    }
}

/// Some phones whose bindings changed. A few at a time: shards wait for this lock.
fn changed(registrar: &Mutex<Registrar>) -> Option<Vec<(String, Vec<Binding>)>> {
    let changes = lock(registrar).take_unsaved(AT_ONCE);
    (!changes.is_empty()).then_some(changes)
}

fn written(bindings: &[Binding]) -> String {
    serde_json::to_string(bindings).expect("bindings have text keys and no failing serialiser")
}

/// The table as it was saved; what cannot be understood registers anew.
fn restored(records: &Records) -> anyhow::Result<Snapshot> {
    let mut snapshot = Snapshot::default();
    let mut lost = 0;
    for (phone, body) in records.bindings()? {
        match serde_json::from_str(&body) {
            Ok(bindings) => drop(snapshot.phones.insert(phone, bindings)),
            Err(_) => lost += 1,
        }
    }
    if lost > 0 {
        tracing::warn!(
            phones = lost,
            "saved bindings not understood; phones register anew"
        );
    }
    Ok(snapshot)
}

fn lock(registrar: &Mutex<Registrar>) -> MutexGuard<'_, Registrar> {
    registrar.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Phones copied under one lock: few, for shards wait for it.
const AT_ONCE: usize = 64;
