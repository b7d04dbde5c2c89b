//! The switch under test: exchange, media and router, joined as the composition root joins them,
//! without a socket or a thread.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tsunagu::app::generation;
use tsunagu::base::{CallId, Entropy, IdSource, Origin, ShardId, Timestamp};
use tsunagu::call::{CallCheckpoint, Conferences, Desks, Exchange, Gate, Lines, Settings};
use tsunagu::config::Office;
use tsunagu::events::Event;
use tsunagu::journal::MemoryJournal;
use tsunagu::media::{Engine, EngineConfig, Notice, NoticeReceiver, VirtualNet};
use tsunagu::registrar::Registrar;
use tsunagu::router::{self, Command, Pump, RouterView, Survivors};
use tsunagu::sip::auth::Challenger;
use tsunagu::sip::guard::{Guard, Rules};
use tsunagu::sip::{Protocol, UserAgent, ua};
use tsunagu::trunk::Carriers;
use tsunagu::voicemail::{Keeper, Shelf};

use crate::office::sounds;

/// The switch.
pub(crate) struct Switch {
    pub(crate) shard: ShardId,
    pub(crate) exchange: Exchange,
    pub(crate) engine: Engine,
    pub(crate) notices: NoticeReceiver,
    pub(crate) pump: Pump,
    pub(crate) gate: Gate,
    pub(crate) guard: Guard,
    pub(crate) registrar: Arc<Mutex<Registrar>>,
    pub(crate) mailboxes: Keeper,
    /// What happened to messages and nobody was told yet.
    pub(crate) changes: Arc<Mutex<Vec<Event>>>,
    pub(crate) conferences: Arc<Mutex<Conferences>>,
    pub(crate) lines: Arc<Mutex<Lines>>,
    desks: Desks,
    /// The router as windows see it.
    view: Arc<Mutex<Arc<RouterView>>>,
    /// Whether that is what its own router does: a second shard sees the first's.
    shows: bool,
    /// What the router said and nobody was told yet.
    pub(crate) said: Arc<Mutex<Vec<router::Output>>>,
}

/// What outlives a process: disk, network, configuration.
pub(crate) struct Ground<'a> {
    pub(crate) office: &'a Office,
    pub(crate) generation: u64,
    pub(crate) journal: &'a MemoryJournal,
    pub(crate) net: &'a VirtualNet,
    pub(crate) recordings: &'a Path,
    pub(crate) registrar: Arc<Mutex<Registrar>>,
    pub(crate) survivors: Vec<CallId>,
    pub(crate) seed: u64,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// The first shard of the process, when this is its second.
    pub(crate) beside: Option<&'a Switch>,
}

impl Switch {
    /// Starts a process.
    pub(crate) fn start(now: Timestamp, ground: Ground<'_>) -> Self {
        let Ground {
            office,
            generation,
            journal,
            net,
            recordings,
            registrar,
            survivors,
            seed,
            address,
            beside,
        } = ground;
        let node = &office.node;
        let config = EngineConfig {
            other_family: None,
            workers: node.media.workers.unwrap_or(2),
            cores: Vec::new(),
            bind: node.media.address,
            advertised: node.media.advertised,
            // A few hundred of the office's: the judges count them often.
            ports: *node.media.ports.start()..=*node.media.ports.start() + 299,
            quarantine: Duration::from_millis(200),
            recordings: recordings.to_owned(),
            recording_format: tsunagu::recording::Format::Wav,
            max_legs: 64,
            max_spares: 64,
            shards: 2,
        };
        let shelf = Shelf::open(recordings, office.voicemail.clone()).expect("a folder");
        let changes = Arc::new(Mutex::new(Vec::new()));
        let told = changes.clone();
        let mailboxes = Keeper::new(shelf, move |at, change| lock(&told).push(change.event(at)));
        let engine = match beside {
            Some(first) => first.engine.clone(),
            None => Engine::simulated(config, sounds(), net.clone()),
        };
        let shard = ShardId(u16::from(beside.is_some()));
        let said = Arc::new(Mutex::new(Vec::new()));
        let ear = said.clone();
        let phones = {
            let registrar = registrar.lock().unwrap_or_else(PoisonError::into_inner);
            registrar.phones().map(str::to_owned).collect()
        };
        let mut pump = Pump::open(
            router::Settings::default(),
            Box::new(journal.clone()),
            now,
            Survivors {
                calls: survivors,
                phones,
            },
            Box::new(move |_, output| {
                ear.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(output);
            }),
        )
        .expect("the journal folds");
        let mut plan = office.plan.clone();
        plan.generation = generation;
        pump.handle(now, ShardId(0), Command::activate(plan));
        pump.commit().expect("written");

        let mut entropy = Entropy::from_seed(seed);
        let listeners = vec![(Protocol::Udp, address), (Protocol::Tcp, address)];
        let settings = ua::Settings {
            user_agent: "tsunagu/simulated".to_owned(),
            advertised: listeners.clone(),
            listeners: listeners.clone(),
            ..ua::Settings::default()
        };
        let view = match beside {
            Some(first) => first.view.clone(),
            None => Arc::new(Mutex::new(pump.view())),
        };
        let shown = view.clone();
        let gate = Gate::new();
        let guard = Guard::new(Rules::default(), &mut Entropy::from_seed(seed));
        let desks = Desks::new(move || lock(&shown).clone());
        let origin = Origin {
            region: node.region.as_str().into(),
            node: node.name.as_str().into(),
            shard,
        };
        let lines = beside.map(|first| first.lines.clone());
        let lines = lines.unwrap_or_default();
        let conferences = beside.map(|first| first.conferences.clone());
        let conferences = conferences.unwrap_or_default();
        let exchange = Exchange::new(Settings {
            ids: IdSource::new(origin),
            user_agent: UserAgent::new(settings, entropy.fork()),
            media: engine.clone(),
            registrar: registrar.clone(),
            conferences: conferences.clone(),
            lines: lines.clone(),
            challenger: Arc::new(Mutex::new(Challenger::new(&node.realm, &mut entropy))),
            gate: gate.clone(),
            guard: guard.clone(),
            carriers: Carriers::new(),
            desks: desks.clone(),
            listeners,
            generation: generation::prepare(office, generation, sounds(), Default::default()),
            entropy,
        });
        let notices = engine.notices(shard);
        let mut switch = Self {
            shard,
            exchange,
            engine,
            notices,
            pump,
            gate,
            guard,
            registrar,
            mailboxes,
            changes,
            conferences,
            lines,
            desks,
            view,
            shows: beside.is_none(),
            said,
        };
        switch.tell_reachable(now, office);
        switch
    }

    /// Takes a changed configuration over, as `tsunagu reload` does.
    pub(crate) fn reload(&mut self, now: Timestamp, office: &Office, number: u64) {
        let mut plan = office.plan.clone();
        plan.generation = number;
        let names = office
            .plan
            .workers
            .iter()
            .map(|worker| worker.name.as_str());
        let reachable = self.desks.reached(&office.desk, &self.registrar, names);
        let activate = Command::ActivatePlan {
            plan: Box::new(plan),
            reevaluate: false,
            reachable,
        };
        self.pump.handle(now, ShardId(0), activate);
        self.exchange.commit(
            now,
            generation::prepare(office, number, sounds(), Default::default()),
        );
        self.tell_reachable(now, office);
    }

    /// Of every agent whether his phone is registered, as the switch says it at a start and a reload.
    fn tell_reachable(&mut self, now: Timestamp, office: &Office) {
        let workers = office.plan.workers.iter();
        let names = workers.map(|worker| worker.name.as_str());
        let pump = &mut self.pump;
        self.desks
            .reachable(&office.desk, &self.registrar, names, |command| {
                pump.handle(now, ShardId(0), command);
            });
        self.commit();
    }

    /// What the router has been told is written, and seen.
    pub(crate) fn commit(&mut self) {
        self.pump.commit().expect("written");
        if self.shows {
            *lock(&self.view) = self.pump.view();
        }
    }

    pub(crate) fn is_registered(&self, phone: &str) -> bool {
        self.registrar
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_registered(phone)
    }

    /// Freezes calls, through the written form.
    pub(crate) fn checkpoint(&mut self, now: Timestamp, call: &CallId) -> Option<CallCheckpoint> {
        self.exchange.prepare_checkpoint(call);
        self.engine.run_until(now);
        while let Some(notice) = self.notices.try_recv() {
            self.exchange.handle_notice(now, notice);
        }
        let checkpoint = self.exchange.checkpoint(call)?;
        let text = serde_json::to_string(&checkpoint).expect("serialises");
        Some(serde_json::from_str(&text).expect("and back"))
    }

    /// The process ends without a word to anybody. What the next one finds on the disk.
    pub(crate) fn die(mut self) -> Vec<Notice> {
        self.engine.shutdown();
        let said = std::iter::from_fn(|| self.notices.try_recv());
        said.filter(|notice| matches!(notice, Notice::RecordingClosed(_)))
            .collect()
    }

    /// What the router said since the last time.
    pub(crate) fn heard(&self) -> Vec<router::Output> {
        std::mem::take(&mut *self.said.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
