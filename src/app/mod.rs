//! The composition root: builds every room and joins them.
//!
//! [`Switch::start`] opens the data directory, the media engine, the router, the shards and HTTP,
//! in this order; [`Switch::stop`] takes them down in the opposite one.

mod aftermath;
mod alive;
mod bindings;
mod closings;
mod defence;
pub mod generation;
mod inquiries;
mod live;
mod lookout;
mod outlets;
mod overrides;
mod pulse;
mod reload;
mod retention;
mod shards;
mod trunk_ear;
mod views;
mod voices;
mod web_sounds;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use arc_swap::ArcSwap;
use tokio::sync::mpsc;

use crate::base::{Clock, Entropy, IdSource, Origin, ShardId};
use crate::calendar::ClosingBoard;
use crate::call::task::Order;
use crate::call::{Boards, Conferences, Desks, Gate, Lines};
use crate::config::{Environment, MediaSettings, NodeSettings, Office};
use crate::events::Bus;
use crate::http::metrics::Metrics;
use crate::http::{self, Server};
use crate::media::{Engine, EngineConfig, Kept, Library};
use crate::registrar::Registrar;
use crate::router::{self, Full, RouterHandle, RouterTask, Survivors};
use crate::runtime::SystemClock;
use crate::runtime::logging::Logging;
use crate::sip::Protocol;
use crate::sip::auth::Challenger;
use crate::sip::guard::Guard;
use crate::sip::trace::Exporter;
use crate::sip::transport::Tls;
use crate::speech::Speech;
use crate::store::{ClosingFiles, DataDir, OverrideFiles, Records};
use crate::trunk::{Carriers, OverrideBoard};
use crate::voicemail::{self, Keeper as Mailboxes, KeeperTask, Post, PostTask, Shelf};
use crate::webhook::WebTask;

use alive::Alive;
use bindings::Keeper;
use closings::Closer;
use inquiries::Outside;
use live::House;
use lookout::Watch;
use outlets::ShardOutlets;
use overrides::Overrider;
use pulse::{Beats, Watcher};
use retention::Retention;
use views::Views;
use web_sounds::WebSounds;

/// A running switch.
pub struct Switch {
    house: Arc<House>,
    /// Where it listens for SIP, with the real ports.
    listeners: Vec<(Protocol, SocketAddr)>,
    threads: Vec<JoinHandle<()>>,
    router: RouterTask,
    server: Server,
    keeper: Keeper,
    records: Records,
    retention: Retention,
    watcher: Watcher,
    web: WebTask,
    closings_watch: Watch,
    overrides_watch: Watch,
    mailroom: KeeperTask,
    postman: PostTask,
    /// Keeps the data directory ours.
    alive: Alive,
}

/// Orders that may wait for a shard; the router waits when there are more, the network loses.
const ORDERS: usize = 4096;
/// Events that may wait for the metrics' fold; more are counted as lost.
const EVENTS: usize = 16_384;

impl Switch {
    /// Starts a switch from a checked office. `directory` and `environment` are what a reload
    /// reads again.
    ///
    /// # Errors
    ///
    /// An address that is taken, a data directory that is in use or damaged, sounds that cannot be
    /// read: in the words of the room that found it.
    pub fn start(
        office: Office,
        directory: PathBuf,
        environment: Environment,
        logging: Logging,
    ) -> anyhow::Result<Self> {
        let node = Arc::new(office.node.clone());
        let data = DataDir::open(&node.data)?;
        let records = data.records()?;
        let journal = data.journal()?;
        let progress = journal.progress();
        let past = data.past()?;
        let letters = Arc::new(data.letters()?);
        let floor = journal.latest_time(0)?;
        let clock: Arc<SystemClock> = Arc::new(SystemClock::start(floor));
        let time: Arc<dyn Clock> = clock.clone();

        let kept = Kept::open(&node.data.join("speech"), office.speech.keep)
            .context("cannot keep what voices say")?;
        let speech = Speech::start(office.speech.clone(), kept.clone())
            .context("cannot start the voices")?;
        let sounds = load_sounds(&office)?.with_kept(kept.clone());
        let bus = Bus::new();
        // Before the recorder repairs what a dead process left: those messages are told as new ones are.
        let post = Post::new(office.mail.clone());
        let voicemail = open_voicemail(&office, bus.clone(), post.clone())?;
        let engine = Engine::start(media(&office), sounds.clone(), time.clone())
            .context("cannot start media")?;
        let (keeper, registrar) = Keeper::start(records.clone(), time.now())?;
        let phones = keeper.registered();

        let mut orders = Vec::new();
        let mut inboxes = Vec::new();
        for _ in 0..node.shards.max(1) {
            let (sender, receiver) = mpsc::channel(ORDERS);
            orders.push(sender);
            inboxes.push(receiver);
        }
        let (wishes, mailroom) = voicemail.start(time.clone(), postman(orders.clone()))?;
        let router = RouterTask::start(
            router::Settings {
                signalling_shards: node.shards.max(1),
                retention: node.journal,
                ..Default::default()
            },
            Box::new(journal),
            time.clone(),
            Survivors {
                calls: Vec::new(),
                phones,
            },
            sink(orders.clone()),
        )?;
        let closings = ClosingBoard::default();
        let files = ClosingFiles::of(data.path());
        let (closer, closings_watch) = Closer::start(files, closings.clone(), time.clone())
            .context("cannot read what is closed by hand")?;
        let overrides = OverrideBoard::default();
        let files = OverrideFiles::of(data.path());
        let (overrider, overrides_watch) = Overrider::start(files, overrides.clone(), time.clone())
            .context("cannot read which numbers lead elsewhere")?;
        let boards = Boards {
            closings,
            overrides,
        };
        let orphans = aftermath::settle(&records, data.last_alive())?;
        let alive = Alive::start(data, time.clone())?;
        let gate = Gate::new();
        gate.depend_on(router.handle());
        let carriers = Carriers::new();
        let desks = {
            let router = router.handle();
            let (seats, shelf) = (records.seats()?, records.clone());
            let save = move |seats| {
                if !shelf.save_seats(seats) {
                    tracing::error!("who works at which phone is not saved: the store is behind");
                }
            };
            Desks::restored(move || router.view(), seats.as_deref(), save)
        };
        let mut plan = office.plan.clone();
        plan.generation = 1;
        router.handle().send(
            ShardId(0),
            router::Command::ActivatePlan {
                plan: Box::new(plan),
                reevaluate: false,
                reachable: reached(&desks, &office, &registrar),
            },
        )?;
        tell_reachable(&desks, &office, &registrar, &router.handle())?;
        let mut entropy = Entropy::from_os();
        let mut challenger = Challenger::new(&node.realm, &mut entropy);
        challenger.set_policy(node.sip.defence.auth.clone());
        let challenger = Arc::new(Mutex::new(challenger));
        let guard = Guard::new(defence::rules(&office), &mut entropy);
        defence::welcome(&guard, &registrar, time.now());
        let exporter = start_export(&node)?;
        let web = WebTask::start(
            office.webhooks.clone(),
            time.clone(),
            entropy.fork(),
            letters,
        )
        .context("cannot start the web client")?;
        speech.reach(voices::WebVoices(web.web()));
        let postman = post
            .start(voicemail.clone(), time.clone(), entropy.fork())
            .context("cannot start the mail")?;
        let outside = Outside {
            web: web.web(),
            speech: speech.clone(),
            sounds: WebSounds::new(kept.clone()),
            closer: closer.clone(),
        };
        let tls = Tls::default();
        tls.set(office.tls.clone());
        let conferences = Arc::new(Mutex::new(Conferences::default()));
        let lines = Arc::new(Mutex::new(Lines::default()));
        let shared = shards::Shared {
            tls: tls.clone(),
            node: node.clone(),
            clock: time.clone(),
            engine: engine.clone(),
            registrar: registrar.clone(),
            conferences: conferences.clone(),
            lines: lines.clone(),
            challenger: challenger.clone(),
            gate: gate.clone(),
            guard: guard.clone(),
            carriers: carriers.clone(),
            desks: desks.clone(),
            bus: bus.clone(),
            generation: generation::prepare(&office, 1, sounds, boards.clone()),
            exporter: exporter.clone(),
        };
        let mut listeners = node.sip.listeners.clone();
        let (mut threads, mut counters) = (Vec::new(), Vec::new());
        for (number, inbox) in inboxes.into_iter().enumerate() {
            let own = ShardId(u16::try_from(number).unwrap_or(u16::MAX));
            let outlets = ShardOutlets {
                shard: own,
                router: router.handle(),
                records: records.clone(),
                bindings: keeper.wishes(),
                outside: outside.clone(),
                orphans: orphans.clone(),
                voicemail: wishes.clone(),
            };
            let mail = (inbox, orders.clone());
            let running = shards::start(shared.clone(), own, listeners, mail, outlets)?;
            // Port 0 means "any" to the first shard only; the others share what it got.
            listeners = running.listeners;
            threads.push(running.thread);
            counters.push(running.counters);
        }

        // The shards alone ask from now on: when they are gone the thread ends.
        drop(wishes);
        let terms = office.heartbeat.clone();
        let (beats, watcher) = Beats::start(terms, time.clone(), router.handle())?;
        let house = Arc::new(House {
            beats,
            closer,
            boards,
            overrider,
            clock,
            orders,
            router: router.handle(),
            engine,
            registrar,
            records: records.clone(),
            gate,
            guard,
            challenger,
            carriers,
            desks,
            voicemail,
            post,
            bus: bus.clone(),
            counters,
            tls,
            web: web.web(),
            speech,
            kept,
            progress,
            logging,
            exporter,
            views: Views::default(),
            conferences,
            lines,
            placed: AtomicUsize::new(0),
            generation: AtomicU64::new(1),
            retention: Arc::default(),
            office: ArcSwap::from_pointee(office),
            directory,
            environment,
            reloading: Mutex::new(()),
        });
        let retention = Retention::start(
            node.recordings.clone(),
            node.recording.limits,
            house.retention.clone(),
        )?;
        let metrics = Arc::new(Metrics::new(house.clone()));
        metrics.listen(bus.subscribe(EVENTS))?;
        let settings = http::Settings {
            api: node.http,
            metrics: node.metrics,
            rest: node.rest.as_ref().map(|rest| rest.listen),
        };
        let origin = Origin {
            region: node.region.as_str().into(),
            node: node.name.as_str().into(),
            // Tasks that no shard makes.
            shard: ShardId(u16::MAX),
        };
        let ids = IdSource::new(origin);
        let routing = http::Routing::new(house.router.clone(), Box::new(past), 0, ids);
        let archive = Arc::new(records.clone());
        let server = Server::start(settings, house.clone(), archive, metrics, routing)?;
        Ok(Self {
            house,
            listeners,
            threads,
            router,
            server,
            keeper,
            records,
            retention,
            watcher,
            web,
            closings_watch,
            overrides_watch,
            mailroom,
            postman,
            alive,
        })
    }

    /// Where SIP is listened for.
    pub fn listeners(&self) -> &[(Protocol, SocketAddr)] {
        &self.listeners
    }

    /// Its router, for whoever runs in the same process: a bench that changes presence beside calls.
    pub fn router(&self) -> router::RouterHandle {
        self.router.handle()
    }

    /// Where the API is served.
    pub fn api(&self) -> SocketAddr {
        self.server.api()
    }

    /// Where metrics are served beside the API, when asked for.
    pub fn metrics(&self) -> Option<SocketAddr> {
        self.server.metrics()
    }

    /// Where the REST API of TwiML programs is served, when it is.
    pub fn rest(&self) -> Option<SocketAddr> {
        self.server.rest()
    }

    /// The running configuration.
    pub fn office(&self) -> Arc<Office> {
        self.house.office.load_full()
    }

    /// Loads the configuration again: what changed, or everything that is wrong with it.
    ///
    /// # Errors
    ///
    /// The report, as text; the running generation stays.
    pub fn reload(&self) -> Result<String, String> {
        self.house.load_again(http::Reload::default())
    }

    /// Whether shards, workers and router keep time.
    ///
    /// # Errors
    ///
    /// Which of them does not.
    pub fn is_alive(&self) -> Result<(), String> {
        http::Live::alive(self.house.as_ref())
    }

    /// How long [`Switch::drain`] waits at the most.
    pub fn drain_time(&self) -> Duration {
        self.house.office.load().node.drain
    }

    /// Takes no more calls; returns whether all have ended and been told.
    pub fn drain(&self) -> bool {
        self.house.gate.drain();
        self.house.gate.untold() == 0
    }

    /// Ends every call that still lives, stores all records, and stops.
    pub fn stop(self) {
        for shard in &self.house.orders {
            // A shard that is gone has no calls.
            let _ = shard.blocking_send(Order::EndCalls);
        }
        let patience = std::time::Instant::now() + LAST_WORDS;
        let busy = || self.house.gate.untold() > 0 || self.house.carriers.is_registered_anywhere();
        while busy() && std::time::Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(20));
        }
        for shard in &self.house.orders {
            let _ = shard.blocking_send(Order::Stop);
        }
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a shard ended by a panic");
            }
        }
        self.server.stop();
        self.web.stop(LAST_NOTICES);
        self.mailroom.stop();
        self.postman.stop();
        self.retention.stop();
        self.watcher.stop();
        self.closings_watch.stop();
        self.overrides_watch.stop();
        self.house.engine.shutdown();
        self.router.stop();
        self.keeper.stop();
        if !self.records.flush(LAST_WORDS) {
            tracing::error!("call records could not all be stored");
        }
        self.alive.stop();
    }
}

/// How long ended calls may take to say BYE and close their recordings when the switch stops.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// How long notices of the last calls may take to be delivered when the switch stops.
const LAST_NOTICES: Duration = Duration::from_secs(2);

fn media(office: &Office) -> EngineConfig {
    let node = &office.node;
    EngineConfig {
        workers: media_workers(&node.media),
        cores: node.media.cores.clone(),
        bind: node.media.address,
        advertised: node.media.advertised,
        other_family: node.media.other_family,
        ports: node.media.ports.clone(),
        quarantine: node.media.quarantine,
        recordings: node.recordings.clone(),
        recording_format: node.recording.format,
        // Every call has two legs; a ringing phone with several contacts has more.
        max_legs: node.max_calls.saturating_mul(3),
        // Half of the descriptors may rest, two in a pair; a leg that finds none free closes one.
        max_spares: usize::try_from(descriptors() / 4).unwrap_or(usize::MAX),
        shards: usize::from(node.shards.max(1)),
    }
}

/// One for each core there is, unless told otherwise: two on one core would take turns, and packets
/// wait for their worker's.
fn media_workers(media: &MediaSettings) -> usize {
    let own = || std::thread::available_parallelism().map_or(1, |cores| cores.get().min(8));
    match (media.workers, media.cores.len()) {
        (Some(workers), _) => workers,
        (None, 0) => own(),
        (None, cores) => cores.min(64),
    }
}

/// How many files and sockets this process may have open.
fn descriptors() -> u64 {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current.unwrap_or(u64::MAX)
}

/// The sounds there are; those that the office names, and the music on hold, are read now.
fn load_sounds(office: &Office) -> anyhow::Result<Library> {
    let node = &office.node;
    let open = || {
        let library = Library::open(&node.sounds, &node.language)?;
        let named = office.sounds.iter().map(String::as_str);
        library.warm(named.chain([HOLD_MUSIC])).map(|()| library)
    };
    open().map_err(|errors| {
        let list: Vec<String> = errors.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("sounds:\n  {}", list.join("\n  "))
    })
}

/// What is heard on hold.
const HOLD_MUSIC: &str = "music";

/// The router speaks to the shard of the call. It waits when the shard is busy: its words must
/// not be lost, and a shard never waits for the router.
fn sink(orders: Vec<mpsc::Sender<Order>>) -> router::Sink {
    Box::new(move |shard, output| {
        let shard = output
            .call()
            .and_then(crate::base::CallId::shard)
            .unwrap_or(shard);
        if let Some(orders) = orders.get(usize::from(shard.0)) {
            // A shard that is gone has no calls that could miss it.
            let _ = orders.blocking_send(Order::Router(Box::new(output)));
        }
    })
}

/// The mailboxes as they are on the disk; what happens to messages is told on the bus, and mailed.
fn open_voicemail(office: &Office, bus: Bus, post: Post) -> anyhow::Result<Mailboxes> {
    let folder = &office.node.recordings;
    let shelf = Shelf::open(folder, office.voicemail.clone());
    let shelf = shelf.with_context(|| format!("cannot read mailboxes in {}", folder.display()))?;
    Ok(Mailboxes::new(shelf, move |at, change| {
        post.heard(&change);
        bus.publish(&Arc::new(change.event(at)));
    }))
}

/// The mailboxes speak to the shard of the call.
fn postman(
    orders: Vec<mpsc::Sender<Order>>,
) -> impl Fn(ShardId, crate::base::CallId, voicemail::Word) + Send + Sync + 'static {
    move |shard, call, word| {
        if let Some(orders) = orders.get(usize::from(shard.0)) {
            // A shard that is gone has no calls that could miss it.
            let _ = orders.blocking_send(Order::Voicemail(call, Box::new(word)));
        }
    }
}

/// Agents whose phone is registered.
fn reached(desks: &Desks, office: &Office, registrar: &Mutex<Registrar>) -> BTreeSet<String> {
    let workers = office.plan.workers.iter();
    desks.reached(
        &office.desk,
        registrar,
        workers.map(|worker| worker.name.as_str()),
    )
}

/// Of every agent whether his phone, or the one he logged in at, is registered. A plan that is
/// activated knows of no phone that came or went meanwhile, and one that stays registered says no word.
fn tell_reachable(
    desks: &Desks,
    office: &Office,
    registrar: &Mutex<Registrar>,
    router: &RouterHandle,
) -> Result<(), Full> {
    // Who is no agent any more, or sits at a phone that is no more, keeps nobody from his own.
    desks.keep(&office.desk, |number| office.phone(number).is_some());
    let workers = office.plan.workers.iter();
    let names = workers.map(|worker| worker.name.as_str());
    let mut told = Ok(());
    desks.reachable(&office.desk, registrar, names, |command| {
        if let Err(full) = router.send(ShardId(0), command) {
            told = Err(full);
        }
    });
    told
}

/// The way to the HEP collector, when there is one.
fn start_export(node: &NodeSettings) -> anyhow::Result<Option<Exporter>> {
    let Some((collector, agent)) = node.trace.hep.clone() else {
        return Ok(None);
    };
    let exporter = Exporter::start(collector, agent, node.trace.numbers)
        .with_context(|| format!("cannot send HEP to {collector}"))?;
    Ok(Some(exporter))
}
