//! Keeps phones' bindings through a restart: what changed goes to the store, twice a second at most.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

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

/// How long the store may take for what is saved last, when the switch stops.
const LAST_TRIES: Duration = Duration::from_secs(2);

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

/// Where bindings are written down.
trait Shelf: Send {
    /// Gives back what it has no room for.
    fn save(&self, changes: Vec<Change>) -> Result<(), Vec<Change>>;
}

/// A phone and its bindings, `None` when it is nowhere.
type Change = (String, Option<String>);

impl Shelf for Records {
    fn save(&self, changes: Vec<Change>) -> Result<(), Vec<Change>> {
        self.save_bindings(changes)
    }
}

/// What the store had no room for is tried again without a wish, and a last time at the end.
fn keep(registrar: &Mutex<Registrar>, shelf: &impl Shelf, wished: &Receiver<()>) {
    let mut is_saved = true;
    loop {
        let wish = match is_saved {
            true => wished.recv().map_err(|_| RecvTimeoutError::Disconnected),
            false => wished.recv_timeout(GATHER),
        };
        let is_over = wish == Err(RecvTimeoutError::Disconnected);
        let patience = Instant::now() + LAST_TRIES;
        is_saved = save(registrar, shelf);
        while is_over && !is_saved && Instant::now() < patience {
            std::thread::sleep(GATHER / 10);
            is_saved = save(registrar, shelf);
        }
        if is_over {
            if !is_saved {
                tracing::error!("the last changes of bindings could not be saved");
            }
            return;
        }
        if is_saved {
            std::thread::sleep(GATHER);
        }
    }
}

/// Whether all that changed found room.
fn save(registrar: &Mutex<Registrar>, shelf: &impl Shelf) -> bool {
    while let Some(changes) = changed(registrar) {
        let changes = changes.into_iter().map(|(phone, bindings)| {
            let body = (!bindings.is_empty()).then(|| written(&bindings));
            (phone, body)
        });
        if let Err(changes) = shelf.save(changes.collect()) {
            tracing::warn!("bindings not saved yet: the store is too far behind");
            let phones = changes.into_iter().map(|(phone, _)| phone);
            lock(registrar).put_back_unsaved(phones);
            return false;
        }
    }
    true
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;
    use crate::sip::{Flow, Message};

    /// Has no room for the first changes it is given.
    struct Full {
        refusals: Mutex<u32>,
        saved: Sender<Vec<Change>>,
    }

    impl Shelf for Full {
        fn save(&self, changes: Vec<Change>) -> Result<(), Vec<Change>> {
            let mut refusals = self.refusals.lock().unwrap();
            if *refusals > 0 {
                *refusals -= 1;
                return Err(changes);
            }
            self.saved.send(changes).unwrap();
            Ok(())
        }
    }

    fn registered() -> Arc<Mutex<Registrar>> {
        let mut registrar = Registrar::new(Limits::default());
        let text = "REGISTER sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\n\
            From: <sip:1@a>;tag=1\r\nTo: <sip:1@a>\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\n\
            Contact: <sip:1@b>\r\n\r\n";
        let flow = Flow::udp(([127, 0, 0, 1], 1).into(), ([127, 0, 0, 1], 2).into());
        let message = Message::parse(text.into()).unwrap();
        registrar.register(Timestamp::ZERO, &message, &flow, "1");
        Arc::new(Mutex::new(registrar))
    }

    fn started(refusals: u32) -> (SyncSender<()>, Receiver<Vec<Change>>, JoinHandle<()>) {
        let (wishes, wished) = sync_channel(1);
        let (sender, saved) = channel();
        let shelf = Full {
            refusals: Mutex::new(refusals),
            saved: sender,
        };
        let registrar = registered();
        let thread = std::thread::spawn(move || keep(&registrar, &shelf, &wished));
        (wishes, saved, thread)
    }

    #[test]
    fn what_the_store_had_no_room_for_is_saved_without_another_wish() {
        let (wishes, saved, thread) = started(2);
        wishes.send(()).unwrap();
        let changes = saved.recv_timeout(Duration::from_secs(10)).unwrap();
        assert_eq!(changes[0].0, "1");
        drop(wishes);
        thread.join().unwrap();
    }

    #[test]
    fn the_last_changes_are_saved_at_the_end_even_when_nobody_wished() {
        let (wishes, saved, thread) = started(3);
        drop(wishes);
        thread.join().unwrap();
        assert_eq!(saved.try_iter().flatten().count(), 1);
    }
}
