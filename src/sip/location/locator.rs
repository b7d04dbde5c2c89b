//! The machine: who asks for what, which questions are under way, what is known.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::base::{Entropy, Timers, Timestamp};
use crate::sip::{Flow, Host, ServerName};

use super::cache::Cache;
use super::choice::by_priority_and_weight;
use super::destination::{Destination, Hop, Means};
use super::plan::{Freshness, NoLocation, Plan, plan};
use super::question::{Answer, Question};
use super::rest::{Fault, Rest, Urgency};

/// Bounds in time.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How long an asker waits for name servers before the name counts as not located.
    pub patience: Duration,
    /// How long it waits when records past their time are at hand (RFC 8767 §5 says 1.8 s for
    /// resolvers' clients; a caller hears silence meanwhile).
    pub stale_after: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            patience: Duration::from_secs(5),
            stale_after: Duration::from_millis(500),
        }
    }
}

/// An asker that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskId(u64);

/// What came of asking.
#[derive(Debug, PartialEq, Eq)]
pub enum Located {
    /// It is known: hops in order, never empty.
    Now(Result<Vec<Hop>, NoLocation>),
    /// [`Locator::poll_located`] will say.
    Later(AskId),
}

/// Locates destinations.
#[derive(Debug)]
pub struct Locator {
    settings: Settings,
    means: Means,
    cache: Cache,
    rest: Rest,
    asks: BTreeMap<AskId, Ask>,
    /// Questions under way, and who waits for the answer.
    asked: HashMap<Question, Vec<AskId>>,
    /// Hosts whose addresses are kept at hand: those it is located at, and its own.
    watched: HashMap<Arc<str>, [Vec<IpAddr>; 2]>,
    /// Hosts that nothing is asked about for their own sake, and where they were found lately.
    noted: HashMap<Arc<str>, VecDeque<IpAddr>>,
    /// Watched or noted hosts are elsewhere than when they were last taken.
    has_moved: bool,
    timers: Timers<Wake>,
    questions: VecDeque<Question>,
    located: VecDeque<(AskId, Result<Vec<Hop>, NoLocation>)>,
    entropy: Entropy,
    last_ask: u64,
}

#[derive(Debug)]
struct Ask {
    destination: Destination,
    freshness: Freshness,
    urgency: Urgency,
    /// The watch it is for, when nobody else waits.
    watch: Option<(Arc<str>, usize)>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Wake {
    /// Whoever asks has waited long enough.
    Patience(AskId),
    /// A question was never answered.
    Question(Question),
    /// An address has rested long enough.
    Rest,
    /// Old records will do now.
    Stale(AskId),
    /// A watched host is to be looked up again.
    Watch(Arc<str>),
}

impl Locator {
    /// A locator that knows nothing yet.
    pub fn new(settings: Settings, means: Means, entropy: Entropy) -> Self {
        Self {
            settings,
            means,
            cache: Cache::default(),
            rest: Rest::default(),
            asks: BTreeMap::new(),
            asked: HashMap::new(),
            watched: HashMap::new(),
            noted: HashMap::new(),
            has_moved: false,
            timers: Timers::new(),
            questions: VecDeque::new(),
            located: VecDeque::new(),
            entropy,
            last_ask: 0,
        }
    }

    /// Destinations in the order they are to be tried: as SRV records are (RFC 2782).
    pub fn in_order(&mut self, destinations: Vec<Destination>) -> Vec<Destination> {
        let rank = |one: &Destination| (one.order, one.weight);
        by_priority_and_weight(destinations, rank, &mut self.entropy)
    }

    /// Where a destination is.
    pub fn locate(
        &mut self,
        now: Timestamp,
        destination: &Destination,
        urgency: Urgency,
    ) -> Located {
        match self.plan(now, destination, Freshness::Fresh) {
            Plan::Failed(why) => Located::Now(Err(why)),
            Plan::Ready(hops) => {
                self.note(destination, &hops);
                Located::Now(self.sift(now, hops, urgency))
            }
            Plan::Needs(_) if self.asks.len() >= MAX_ASKS => Located::Now(Err(NoLocation::Busy)),
            Plan::Needs(needs) => {
                let id = self.add_ask(now, destination.clone(), urgency, None);
                self.ask(now, id, needs);
                Located::Later(id)
            }
        }
    }

    /// The first hop to a destination as far as is known at this instant, old records included.
    pub fn known(&mut self, now: Timestamp, destination: &Destination) -> Option<Hop> {
        match self.plan(now, destination, Freshness::Stale) {
            Plan::Ready(hops) => {
                let hops = self.rest.sift(now, hops, Urgency::Usual);
                hops.into_iter().next()
            }
            Plan::Failed(_) | Plan::Needs(_) => None,
        }
    }

    /// Nobody waits for this any more.
    pub fn forget(&mut self, ask: AskId) {
        self.asks.remove(&ask);
        self.timers.stop(&Wake::Patience(ask));
        self.timers.stop(&Wake::Stale(ask));
        self.located.retain(|(other, _)| *other != ask);
    }

    /// What a name server said.
    pub fn handle_answer(&mut self, now: Timestamp, question: &Question, answer: Answer) {
        // An answer to what nobody asked, or that comes too late, is not taken.
        if let Some(askers) = self.asked.remove(question) {
            self.timers.stop(&Wake::Question(question.clone()));
            self.cache.store(now, question, answer);
            self.look_again(now, askers);
        }
    }

    /// Gives up waiting for what is overdue.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        while let Some((_, wake)) = self.timers.pop_due(now) {
            match wake {
                Wake::Patience(ask) => {
                    if let Some(ask) = self.asks.get_mut(&ask) {
                        ask.freshness = Freshness::Stale;
                    }
                    self.look_at(now, ask);
                    if self.asks.contains_key(&ask) {
                        self.done(now, ask, Err(NoLocation::NoAnswer));
                    }
                }
                Wake::Question(question) => {
                    if let Some(askers) = self.asked.remove(&question) {
                        self.cache.store(now, &question, Answer::Failed);
                        self.look_again(now, askers);
                    }
                }
                // Only so that whoever counts them does it now.
                Wake::Rest => self.wake_for_rest(now),
                Wake::Stale(ask) => {
                    if let Some(ask) = self.asks.get_mut(&ask) {
                        ask.freshness = Freshness::Stale;
                    }
                    self.look_at(now, ask);
                }
                Wake::Watch(host) => self.look_up(now, host),
            }
        }
    }

    /// When [`Locator::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.timers.next()
    }

    /// A question to put to a name server.
    pub fn poll_question(&mut self) -> Option<Question> {
        self.questions.pop_front()
    }

    /// An asker's result.
    pub fn poll_located(&mut self) -> Option<(AskId, Result<Vec<Hop>, NoLocation>)> {
        self.located.pop_front()
    }

    /// The flow to a hop from an address of ours, with a certain port if one is asked for; `None`
    /// when none reaches it.
    pub fn flow(&self, hop: &Hop, port: Option<u16>) -> Option<Flow> {
        let local = self
            .means
            .local_with(hop.protocol, hop.address.ip(), port)?;
        let name = hop.name.as_deref().filter(|_| hop.protocol.is_secure());
        // A target of the configuration has its number already.
        let name = name.and_then(ServerName::met);
        Some(Flow::new(hop.protocol, local, hop.address).named(name))
    }

    /// A hop failed; it is spared for a while. True when it was well until now.
    pub fn failed(&mut self, now: Timestamp, hop: &Hop, fault: Fault) -> bool {
        let is_new = self.rest.note(now, hop, fault);
        self.wake_for_rest(now);
        is_new
    }

    /// A hop answered. True when it was not well before.
    pub fn answered(&mut self, hop: &Hop) -> bool {
        self.rest.forgive(hop)
    }

    /// Whether a hop is spared now.
    pub fn is_resting(&self, now: Timestamp, hop: &Hop) -> bool {
        self.rest.is_resting(now, hop)
    }

    /// How many addresses are spared now.
    pub fn resting(&self, now: Timestamp) -> usize {
        self.rest.count(now)
    }

    /// Answers kept.
    pub fn cached(&self) -> usize {
        self.cache.len()
    }

    /// Askers that wait.
    pub fn waiting(&self) -> usize {
        self.asks.len()
    }

    /// Keeps the addresses of these hosts at hand from now on, and of no others.
    pub fn watch(&mut self, now: Timestamp, hosts: &[String]) {
        let wanted: HashSet<Arc<str>> = hosts
            .iter()
            .take(MAX_WATCHED)
            .map(|host| host.to_ascii_lowercase().into())
            .collect();
        let gone: Vec<Arc<str>> = self.watched.keys().cloned().collect();
        for host in gone.iter().filter(|host| !wanted.contains(*host)) {
            self.watched.remove(host);
            self.has_moved = true;
            self.timers.stop(&Wake::Watch(host.clone()));
        }
        for host in wanted {
            if !self.watched.contains_key(&host) {
                self.watched.insert(host.clone(), Default::default());
                self.look_up(now, host);
            }
        }
    }

    /// Notes the addresses of these hosts from now on, and of no others, whenever they are located
    /// for somebody.
    pub fn note_hosts(&mut self, hosts: &[String]) {
        let mut before = std::mem::take(&mut self.noted);
        for host in hosts.iter().take(MAX_WATCHED) {
            let host: Arc<str> = host.to_ascii_lowercase().into();
            let known = before.remove(&host).unwrap_or_default();
            self.noted.entry(host).or_insert(known);
        }
        self.has_moved |= !before.is_empty();
    }

    fn note(&mut self, destination: &Destination, hops: &[Hop]) {
        if self.noted.is_empty() {
            return;
        }
        let name = destination.name().map(str::to_ascii_lowercase);
        let Some(known) = name.and_then(|name| self.noted.get_mut(name.as_str())) else {
            return;
        };
        for hop in hops {
            let address = hop.address.ip().to_canonical();
            if !known.contains(&address) {
                known.push_back(address);
                self.has_moved = true;
            }
        }
        while known.len() > MAX_NOTED {
            known.pop_front();
        }
    }

    /// Whether a watched host has this address, as far as is known.
    pub fn is_at(&self, host: &str, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.watched
            .get(host.to_ascii_lowercase().as_str())
            .is_some_and(|known| known.iter().flatten().any(|known| *known == address))
    }

    /// Where all watched and noted hosts are, as far as is known, when that changed since it was
    /// last taken.
    pub fn take_moved(&mut self) -> Option<Vec<IpAddr>> {
        let watched = self.watched.values().flatten().flatten();
        let all = watched.chain(self.noted.values().flatten());
        std::mem::take(&mut self.has_moved).then(|| all.copied().collect())
    }

    fn wake_for_rest(&mut self, now: Timestamp) {
        match self.rest.next_end(now) {
            Some(end) => self.timers.set(Wake::Rest, end),
            None => {
                self.timers.stop(&Wake::Rest);
            }
        }
    }

    fn plan(&mut self, now: Timestamp, wish: &Destination, freshness: Freshness) -> Plan {
        plan(
            now,
            &self.cache,
            &self.means,
            wish,
            freshness,
            &mut self.entropy,
        )
    }

    fn sift(
        &self,
        now: Timestamp,
        hops: Vec<Hop>,
        urgency: Urgency,
    ) -> Result<Vec<Hop>, NoLocation> {
        let hops = self.rest.sift(now, hops, urgency);
        if hops.is_empty() {
            Err(NoLocation::Resting)
        } else {
            Ok(hops)
        }
    }

    fn add_ask(
        &mut self,
        now: Timestamp,
        destination: Destination,
        urgency: Urgency,
        watch: Option<(Arc<str>, usize)>,
    ) -> AskId {
        self.last_ask += 1;
        let id = AskId(self.last_ask);
        let ask = Ask {
            destination,
            freshness: Freshness::Fresh,
            urgency,
            watch,
        };
        self.asks.insert(id, ask);
        let (patience, stale) = (self.settings.patience, self.settings.stale_after);
        self.timers.set(Wake::Patience(id), now + patience);
        self.timers.set(Wake::Stale(id), now + stale);
        id
    }

    /// Puts an asker's questions, those under way already only once.
    fn ask(&mut self, now: Timestamp, asker: AskId, needs: Vec<Question>) {
        for question in needs {
            if let Some(askers) = self.asked.get_mut(&question) {
                if !askers.contains(&asker) {
                    askers.push(asker);
                }
                continue;
            }
            if self.asked.len() >= MAX_QUESTIONS {
                continue;
            }
            self.asked.insert(question.clone(), vec![asker]);
            let end = now + self.settings.patience;
            self.timers.set(Wake::Question(question.clone()), end);
            self.questions.push_back(question);
        }
    }

    fn look_again(&mut self, now: Timestamp, askers: Vec<AskId>) {
        for ask in askers {
            self.look_at(now, ask);
        }
    }

    fn look_at(&mut self, now: Timestamp, id: AskId) {
        let Some(ask) = self.asks.get(&id) else {
            return;
        };
        let (destination, freshness) = (ask.destination.clone(), ask.freshness);
        match self.plan(now, &destination, freshness) {
            Plan::Failed(why) => self.done(now, id, Err(why)),
            Plan::Needs(needs) => self.ask(now, id, needs),
            Plan::Ready(hops) => self.done(now, id, Ok(hops)),
        }
    }

    fn done(&mut self, now: Timestamp, id: AskId, result: Result<Vec<Hop>, NoLocation>) {
        let Some(ask) = self.asks.remove(&id) else {
            return;
        };
        self.timers.stop(&Wake::Patience(id));
        self.timers.stop(&Wake::Stale(id));
        match ask.watch {
            Some((host, way)) => self.watched_again(&host, way, result),
            None => {
                if let Ok(hops) = &result {
                    self.note(&ask.destination, hops);
                }
                let result = result.and_then(|hops| self.sift(now, hops, ask.urgency));
                self.located.push_back((id, result));
            }
        }
    }

    /// Located like a URI, and by its plain addresses: carriers call from either.
    fn look_up(&mut self, now: Timestamp, host: Arc<str>) {
        self.timers
            .set(Wake::Watch(host.clone()), now + WATCH_INTERVAL);
        for (way, port) in [None, Some(0)].into_iter().enumerate() {
            let destination = Destination {
                host: Host::Name(host.to_string()),
                port,
                protocol: None,
                is_secure: false,
                order: 0,
                weight: 0,
            };
            match self.plan(now, &destination, Freshness::Fresh) {
                Plan::Failed(why) => self.watched_again(&host, way, Err(why)),
                Plan::Ready(hops) => self.watched_again(&host, way, Ok(hops)),
                Plan::Needs(needs) => {
                    let watch = Some((host.clone(), way));
                    let id = self.add_ask(now, destination, Urgency::Usual, watch);
                    self.ask(now, id, needs);
                }
            }
        }
    }

    /// What was known stays when nothing new is.
    fn watched_again(&mut self, host: &str, way: usize, result: Result<Vec<Hop>, NoLocation>) {
        let Some(known) = self
            .watched
            .get_mut(host)
            .and_then(|both| both.get_mut(way))
        else {
            return;
        };
        match result {
            Ok(hops) => {
                let addresses = hops.iter().map(|hop| hop.address.ip());
                let addresses: Vec<IpAddr> = addresses.collect();
                self.has_moved |= *known != addresses;
                *known = addresses;
            }
            Err(why) => tracing::debug!(host, %why, "watched host not located"),
        }
    }
}

/// Askers that may wait at once.
pub(super) const MAX_ASKS: usize = 4096;
/// Questions under way at once; askers share them, and wait their patience for one that found no
/// place.
const MAX_QUESTIONS: usize = 512;
/// Hosts watched, and hosts noted.
const MAX_WATCHED: usize = 256;
/// Addresses noted of one host; more, and the first noted is forgotten.
const MAX_NOTED: usize = 16;
/// How often a watched host is looked at; name servers are asked only when a TTL is over.
const WATCH_INTERVAL: Duration = Duration::from_secs(15);
