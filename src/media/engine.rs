//! Signalling's handle on media.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::command::{Command, Full, LegPorts, LegState, MediaError};
use super::crew::{Crew, Time};
use super::directory::{Addressed, Directory};
use super::io::{Kernel, Network, PacketIo, Socket, VirtualIo, VirtualNet};
use super::notices::{NoticeReceiver, NoticeRing, NoticeSender};
use super::ports::{Lease, Ports};
use super::recorder::{DiskConfig, recover};
use super::recordings::{Pace, Recordings};
use super::ring::Bell;
use super::sound::Studio;
use super::spares::{Spare, Spares};
use super::worker::{Ended, Inbox, Leg, LegTape, Order, Outbound, Parts, RoomTape, Seed, Worker};
use super::{EngineConfig, Library, Stats};
use crate::base::{Clock, Entropy, LegId, ShardId, Timestamp};

/// All media of the node. Cheap to clone; the last clone dropped stops the workers.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    config: EngineConfig,
    library: Library,
    network: Network,
    time: Time,
    ports: Arc<Ports>,
    ended: Arc<Ended>,
    stats: Arc<Stats>,
    recordings: Recordings,
    inboxes: Arc<[Arc<Inbox>]>,
    notices: Vec<Arc<NoticeRing>>,
    control: Mutex<Control>,
    crew: Mutex<Crew>,
}

/// What signalling changes, under one lock that no worker ever takes.
struct Control {
    directory: Directory,
    entropy: Entropy,
    spares: Spares,
}

/// A worker that has not finished a tick for this long is not ready.
const STALLED: Duration = Duration::from_millis(500);
/// Pairs tried for one leg, when other programs sit on some of our ports.
const BIND_ATTEMPTS: usize = 64;

impl Engine {
    /// Starts the workers. Recordings that a dead process left unfinished are repaired, and told
    /// to the first shard like others.
    ///
    /// # Errors
    ///
    /// When threads, descriptors or the recordings directory cannot be had, or the settings make
    /// no sense.
    pub fn start(
        config: EngineConfig,
        library: Library,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Self> {
        check(&config)?;
        let now = clock.now();
        let time = Time::Real(Arc::clone(&clock));
        let mut bells = Vec::new();
        for _ in 0..config.workers {
            bells.push(Arc::new(Bell::new()?));
        }
        let mut ios: Vec<Box<dyn PacketIo>> = Vec::new();
        for bell in &bells {
            ios.push(Box::new(Kernel::new(Arc::clone(bell))?));
        }
        let entropy = Entropy::from_os();
        // What a dead process left behind, before anything new is written beside it.
        let recovered = recover(&config.recordings);
        let (engine, workers) = Self::build(
            Plan {
                config,
                library,
                network: Network::Kernel,
                time,
                entropy,
                bells,
                studio: Studio::start()?,
            },
            ios,
        );
        if let Some(failure) = engine.0.recordings.failure() {
            return Err(failure);
        }
        for inbox in engine.0.inboxes.iter() {
            inbox.seen.store(now.as_micros(), Ordering::Relaxed);
        }
        engine.0.recordings.tell_recovered(recovered);
        let cores = &engine.0.config.cores;
        engine.crew().start(workers, cores, &clock)?;
        Ok(engine)
    }

    /// An engine without threads on a network in memory: everything happens in
    /// [`Engine::run_until`], and happens again the same way.
    pub fn simulated(config: EngineConfig, library: Library, net: VirtualNet) -> Self {
        let silent = |_| Arc::new(Bell::silent());
        let bells: Vec<Arc<Bell>> = (0..config.workers).map(silent).collect();
        let io = |_: &Arc<Bell>| Box::new(VirtualIo::new(net.clone())) as Box<dyn PacketIo>;
        let ios = bells.iter().map(io).collect();
        let (engine, workers) = Self::build(
            Plan {
                config,
                library,
                network: Network::Virtual(net.clone()),
                time: Time::Virtual(net),
                entropy: Entropy::from_seed(1),
                bells,
                studio: Studio::Inline,
            },
            ios,
        );
        *engine.crew() = Crew::inline(workers);
        engine
    }

    fn build(plan: Plan, ios: Vec<Box<dyn PacketIo>>) -> (Self, Vec<Worker>) {
        let Plan {
            config,
            library,
            network,
            time,
            mut entropy,
            bells,
            studio,
        } = plan;
        let now = time.now();
        let ring = |_| NoticeRing::new(config.max_legs);
        let notices: Vec<_> = (0..config.shards).map(ring).collect();
        let stats = Arc::new(Stats::default());
        let ended = Arc::new(Ended::new(config.max_legs));
        let inboxes: Arc<[Arc<Inbox>]> = bells
            .into_iter()
            .map(|bell| Arc::new(Inbox::new(config.max_legs, bell)))
            .collect();
        let cname = format!("{}@{}", entropy.token(12), config.advertised);
        let worker = |(number, io)| {
            let parts = Parts {
                number,
                io,
                inboxes: Arc::clone(&inboxes),
                notices: NoticeSender::new(notices.clone(), config.max_legs * 4 + 64),
                ended: Arc::clone(&ended),
                stats: Arc::clone(&stats),
                studio: studio.clone(),
                max_legs: config.max_legs,
                cname: cname.clone(),
            };
            Worker::new(parts, now)
        };
        let disk = DiskConfig {
            directory: config.recordings.clone(),
            // A call has three legs for a moment, when it is handed over, and one recording.
            max_recordings: config.max_legs.div_ceil(3),
            format: config.recording_format,
        };
        let pace = match time {
            Time::Real(_) => Pace::Threads,
            Time::Virtual(_) => Pace::Pumped,
        };
        let workers = ios.into_iter().enumerate().map(worker).collect();
        let inner = Inner {
            ports: Arc::new(Ports::new(config.ports.clone(), config.quarantine)),
            ended,
            recordings: Recordings::start(disk, pace, notices.clone()),
            library,
            network,
            time,
            stats,
            notices,
            control: Mutex::new(Control {
                directory: Directory::new(inboxes.len()),
                entropy,
                spares: Spares::new(config.quarantine, config.max_spares),
            }),
            inboxes,
            crew: Mutex::new(Crew::none()),
            config,
        };
        (Self(Arc::new(inner)), workers)
    }

    /// Opens a leg: binds its ports and places it on the least loaded worker.
    ///
    /// # Errors
    ///
    /// When there is no pair of ports, no worker keeps up, or the leg exists.
    pub fn open_leg(&self, leg: LegId, shard: ShardId) -> Result<LegPorts, MediaError> {
        self.open_leg_beside(leg, shard, None, None, None)
    }

    /// The same, on the worker of a leg it will share a room with: no move when they join, and
    /// one worker to wake instead of two; and on ports of a certain band, if any is asked for.
    ///
    /// # Errors
    ///
    /// As [`Engine::open_leg`]; that the other leg is gone is none. Its sockets are of the family
    /// of `remote`, when there is an address of that family.
    pub fn open_leg_beside(
        &self,
        leg: LegId,
        shard: ShardId,
        other: Option<LegId>,
        band: Option<&RangeInclusive<u16>>,
        remote: Option<IpAddr>,
    ) -> Result<LegPorts, MediaError> {
        let now = self.now();
        let mut control = self.control();
        let worker = self.place(&control.directory, leg, other)?;
        let place = self.0.config.place_toward(remote);
        self.take_back(&mut control);
        let kept = control.spares.take(now, place.0, band);
        let spare = match kept {
            Some(spare) => spare,
            None => match self.bind(now, band, place.0) {
                Err(MediaError::NoPorts) if control.spares.give_up() => {
                    self.bind(now, band, place.0)?
                }
                bound => bound?,
            },
        };
        let entropy = &mut control.entropy;
        let out = Outbound::new(entropy.u32(), entropy.u32() as u16, entropy.u32());
        let ports = advertise(place.1, &spare.lease);
        let seed = Seed {
            id: leg,
            shard,
            ports,
            spare,
            out,
        };
        self.adopt(&mut control, Leg::new(seed, now), shard, worker)?;
        Ok(ports)
    }

    /// Opens a leg again as a checkpoint left it: same ports, same SSRC, numbers going on; a
    /// secure leg takes another SSRC.
    ///
    /// # Errors
    ///
    /// When its ports are taken, no worker keeps up, or the leg exists.
    pub fn restore_leg(&self, state: &LegState) -> Result<LegPorts, MediaError> {
        let now = self.now();
        let mut control = self.control();
        let worker = self.place(&control.directory, state.leg, None)?;
        let port = state.ports.rtp.port();
        let taken = |why: String| MediaError::PortTaken { port, why };
        self.take_back(&mut control);
        control.spares.close(port);
        let lease = self.0.ports.take_again(port, now);
        let lease = lease.ok_or_else(|| taken("in use, or outside the range".to_owned()))?;
        let place = self.0.config.place_toward(Some(state.ports.rtp.ip()));
        let (rtp, rtcp) = match self.bind_pair(place.0, &lease) {
            Ok(pair) => pair,
            Err(error) => {
                lease.put_back();
                return Err(taken(error.to_string()));
            }
        };
        let clock = (state.at, state.timestamp);
        let is_secure = state.flow.as_ref().is_some_and(|flow| flow.srtp.is_some());
        // Nobody knows how far the dead process had counted: under an SSRC that nothing was sent
        // with no number repeats.
        let ssrc = match is_secure {
            true => match control.entropy.u32() {
                same if same == state.ssrc => same.wrapping_add(1),
                other => other,
            },
            false => state.ssrc,
        };
        let seed = Seed {
            id: state.leg,
            shard: state.shard,
            ports: state.ports,
            spare: Spare {
                lease,
                rtp,
                rtcp,
                ip: place.0,
                since: now,
            },
            out: Outbound::resume(ssrc, state.sequence, clock, state.clock_hz(), now),
        };
        let mut leg = Leg::new(seed, now);
        leg.resume(state, now);
        self.adopt(&mut control, leg, state.shard, worker)?;
        Ok(state.ports)
    }

    /// Wakes the workers for the commands given so far; without it they take them at their next
    /// tick, within 20 ms. For whoever has given all commands of one event.
    pub fn wake(&self) {
        for inbox in self.0.inboxes.iter() {
            inbox.wake_if_awaited();
        }
    }

    /// Gives a command to whom it concerns; [`Engine::wake`] makes it take effect at once.
    /// Teardown has reserved slots and is not refused.
    ///
    /// # Errors
    ///
    /// When the worker's ring is full, or there are too many rooms.
    pub fn send(&self, command: Command) -> Result<(), Full> {
        let mut control = self.control();
        let directory = &mut control.directory;
        if !command.is_teardown() {
            let worker = directory.worker_of(&command);
            let inbox = worker.and_then(|worker| self.0.inboxes.get(worker));
            let is_full = inbox.is_some_and(|inbox| !inbox.has_open_slot());
            let opens = matches!(command, Command::OpenRoom { .. });
            if is_full || opens && directory.rooms() >= self.0.config.max_legs {
                return Err(Full);
            }
        }
        let order = match command {
            Command::Record {
                recording,
                room,
                left,
                right,
                at,
                tape,
            } => {
                let shard = directory.shard(left).unwrap_or(ShardId(0));
                let rate = directory.rate(left, Some(room));
                let opened = (recording.clone(), shard, at);
                let tap = self.0.recordings.open(opened, rate, tape);
                let Some(tap) = tap else { return Ok(()) };
                let tape = RoomTape::new(recording, tap, left, &right);
                let tape = directory.tape_room(room, Box::new(tape));
                tape.map_err(|tape| tape.close(at)).ok()
            }
            Command::RecordLeg {
                recording,
                leg,
                at,
                tape,
            } => {
                let shard = directory.shard(leg).unwrap_or(ShardId(0));
                let rate = directory.rate(leg, None);
                let opened = (recording.clone(), shard, at);
                let tap = self.0.recordings.open(opened, rate, tape);
                let Some(tap) = tap else { return Ok(()) };
                let tape = directory.tape_leg(leg, Box::new(LegTape::new(recording, tap)));
                tape.map_err(|tape| tape.close(at)).ok()
            }
            command => return self.deliver(directory.route(command)),
        };
        self.deliver(order.into_iter().collect())
    }

    /// Closes the sockets of legs that are over and that no leg took over; says when to do so
    /// again, if there are any left. For whoever hears that a leg is closed.
    pub fn tidy(&self) -> Option<Timestamp> {
        let mut control = self.control();
        self.take_back(&mut control);
        control.spares.trim(self.now())
    }

    /// Whether new calls should be let in: every worker keeps up.
    pub fn ready(&self) -> bool {
        let now = self.now();
        let is_real = matches!(self.0.time, Time::Real(_));
        self.0.inboxes.iter().all(|inbox| {
            let seen = Timestamp::from_micros(inbox.seen.load(Ordering::Relaxed));
            let stalled = is_real && now.since(seen) > STALLED;
            !stalled && inbox.is_ready()
        })
    }

    /// Whether a recording that begins now can be written, or why not.
    ///
    /// # Errors
    ///
    /// The reason, in words for an operator.
    pub fn can_record(&self) -> Result<(), String> {
        self.0.recordings.health()
    }

    /// The notices of one shard; to be read by one reader.
    pub fn notices(&self, shard: ShardId) -> NoticeReceiver {
        let ring = self.0.notices.get(usize::from(shard.0));
        let nobody = || NoticeRing::new(0);
        NoticeReceiver::new(ring.map_or_else(nobody, Arc::clone))
    }

    /// What was counted, gauges brought up to date.
    pub fn stats(&self) -> Arc<Stats> {
        let stats = &self.0.stats;
        let (used, resting) = self.0.ports.count(self.now());
        stats.ports_in_use.store(used as u64, Ordering::Relaxed);
        stats
            .ports_quarantined
            .store(resting as u64, Ordering::Relaxed);
        self.0.recordings.gauge(stats);
        Arc::clone(stats)
    }

    /// Pairs of ports in use now.
    pub fn open_ports(&self) -> usize {
        self.0.ports.count(self.now()).0
    }

    /// The sounds of the office.
    pub fn library(&self) -> &Library {
        &self.0.library
    }

    /// Lets the workers of a simulation live until `now`, packet by packet and tick by tick.
    /// Does nothing to a real engine.
    pub fn run_until(&self, now: Timestamp) {
        let Time::Virtual(net) = &self.0.time else {
            return;
        };
        self.crew().run_until(net, now, || self.0.recordings.pump());
    }

    /// Lets the disk of a simulation stall, or go on.
    #[cfg(test)]
    pub(crate) fn stall_disk(&self, on: bool) {
        self.0.recordings.stall(on);
    }

    /// Closes every leg and room, ends recordings, stops the workers and waits for them.
    pub fn shutdown(&self) {
        self.0.shutdown();
    }

    fn place(
        &self,
        directory: &Directory,
        leg: LegId,
        other: Option<LegId>,
    ) -> Result<usize, MediaError> {
        if directory.has_leg(leg) {
            return Err(MediaError::Exists(leg));
        }
        if directory.legs() >= self.0.config.max_legs {
            return Err(MediaError::NoPorts);
        }
        let ready = |worker: &usize| self.0.inboxes[*worker].is_ready();
        let beside = other.and_then(|other| directory.worker_with(other));
        beside
            .filter(ready)
            .or_else(|| directory.by_load().into_iter().find(ready))
            .ok_or(MediaError::WorkerBusy)
    }

    fn adopt(
        &self,
        control: &mut Control,
        leg: Leg,
        shard: ShardId,
        worker: usize,
    ) -> Result<(), MediaError> {
        let id = leg.id();
        let order = Order::Adopt(Box::new(leg));
        self.0.inboxes[worker]
            .order(order)
            .map_err(|Full| MediaError::WorkerBusy)?;
        control.directory.add_leg(id, shard, worker);
        Stats::add(&self.0.stats.legs, 1);
        Ok(())
    }

    fn bind(
        &self,
        now: Timestamp,
        band: Option<&RangeInclusive<u16>>,
        ip: IpAddr,
    ) -> Result<Spare, MediaError> {
        for _ in 0..BIND_ATTEMPTS.min(self.0.ports.len()) {
            let lease = self.0.ports.take(now, band).ok_or(MediaError::NoPorts)?;
            match self.bind_pair(ip, &lease) {
                Ok((rtp, rtcp)) => {
                    return Ok(Spare {
                        lease,
                        rtp,
                        rtcp,
                        ip,
                        since: now,
                    });
                }
                // Somebody else's port: rests like a used one, and is tried again later.
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                    let traces = lease.traces();
                    lease.release(now, traces);
                }
                Err(_) => {
                    lease.put_back();
                    return Err(MediaError::NoPorts);
                }
            }
        }
        Err(MediaError::NoPorts)
    }

    fn bind_pair(&self, ip: IpAddr, lease: &Lease) -> io::Result<(Socket, Socket)> {
        let bind = |port| self.0.network.bind(SocketAddr::new(ip, port));
        Ok((bind(lease.rtp())?, bind(lease.rtcp())?))
    }

    /// Legs that are over come back: their pairs are kept for the next, their memory is freed.
    fn take_back(&self, control: &mut Control) {
        while let Some((leg, since)) = self.0.ended.pop() {
            control.spares.keep(leg.into_spare(since));
        }
    }

    /// The ring was asked before; what it does not take now is a worker long dead.
    fn deliver(&self, orders: Vec<Addressed>) -> Result<(), Full> {
        for (worker, order) in orders {
            self.0.inboxes[worker].order(order)?;
        }
        Ok(())
    }

    fn now(&self) -> Timestamp {
        self.0.time.now()
    }

    fn control(&self) -> MutexGuard<'_, Control> {
        self.0
            .control
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn crew(&self) -> MutexGuard<'_, Crew> {
        self.0.crew.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn advertise(ip: IpAddr, lease: &Lease) -> LegPorts {
    LegPorts {
        rtp: SocketAddr::new(ip, lease.rtp()),
        rtcp: SocketAddr::new(ip, lease.rtcp()),
    }
}

struct Plan {
    config: EngineConfig,
    library: Library,
    network: Network,
    time: Time,
    entropy: Entropy,
    bells: Vec<Arc<Bell>>,
    studio: Studio,
}

impl Inner {
    fn shutdown(&self) {
        let now = self.time.now();
        let mut crew = self.crew.lock().unwrap_or_else(PoisonError::into_inner);
        crew.stop(&self.inboxes, now);
        self.recordings.stop();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Engine({} workers)", self.0.inboxes.len())
    }
}

fn check(config: &EngineConfig) -> io::Result<()> {
    let wrong = |why: &str| Err(io::Error::new(io::ErrorKind::InvalidInput, why.to_owned()));
    if config.workers == 0 || config.shards == 0 || config.max_legs == 0 {
        return wrong("media needs at least one worker, one shard and one leg");
    }
    if config.ports.end().saturating_sub(*config.ports.start()) < 2 {
        return wrong("the range of media ports holds no pair");
    }
    if config.bind.is_unspecified() && config.advertised.is_unspecified() {
        return wrong("media needs an address to advertise");
    }
    Ok(())
}
