//! The phone's pump: one user agent, one media engine, one registration, one call at a time.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::mpsc;

use super::news::News;
use super::order::{self, Order};
use super::past::Past;
use super::registration::{Registration, Verdict};
use super::talk::Talk;
use super::tape::Scratch;
use super::{Args, Outcome, sound};
use crate::base::reason::phrase;
use crate::base::{Clock, Entropy, IdSource, LegId, Origin, ShardId, Timestamp};
use crate::media::{Command, Engine, EngineConfig, Library, NoticeReceiver, Sound};
use crate::runtime::{Signals, SystemClock};
use crate::sdp::LocalMedia;
use crate::sip::auth::Credentials;
use crate::sip::transport::{Incoming, Tls, TlsConfig, Transport, TransportLimits};
use crate::sip::ua::{Event, OutOfDialog, Output, RequestId, Settings};
use crate::sip::{
    Failure, Flow, HeaderName, Host, Message, Method, NameAddr, Protocol, Uri, UserAgent,
};

/// The phone, registered or about to be.
pub(super) struct Line {
    pub(super) args: Args,
    pub(super) clock: Arc<SystemClock>,
    pub(super) ids: IdSource,
    pub(super) ua: UserAgent,
    transport: Transport,
    pub(super) engine: Engine,
    notices: NoticeReceiver,
    pub(super) flow: Flow,
    /// What is said after the answer.
    pub(super) sound: Option<Arc<Sound>>,
    /// Where the engine records; files are moved to their place at the end.
    pub(super) scratch: Scratch,
    registration: Registration,
    /// Media ready for the next call.
    pub(super) spare: Option<(LegId, LocalMedia)>,
    pub(super) call: Option<Talk>,
    /// Calls whose media is not closed yet.
    pub(super) past: Vec<Past>,
    pub(super) tally: Tally,
    pub(super) outcome: Option<Outcome>,
    /// When the phone goes, whatever is still under way.
    leave_by: Option<Timestamp>,
    /// When the business has to be done.
    patience: Option<Timestamp>,
}

/// What was had so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) answered: u32,
    pub(super) refused: u32,
    pub(super) recorded: u32,
    pub(super) plays: u64,
}

/// How long the last BYE and REGISTER may take, and a recording to be written.
const LEAVE: Duration = Duration::from_secs(4);
/// Media ports of a phone: it has one call, and ports rest after each.
const PORTS: u16 = 200;

impl Line {
    pub(super) async fn open(args: &Args) -> anyhow::Result<Self> {
        let clock = Arc::new(SystemClock::start(None));
        let mut entropy = Entropy::from_os();
        let bind = args
            .bind()
            .with_context(|| format!("no way to {}", args.remote()))?;
        let mut transport = Transport::bind(&[(args.protocol(), bind)], TransportLimits::default())
            .await
            .with_context(|| format!("cannot listen on {bind}"))?;
        if args.protocol() == Protocol::Tls {
            let tls = Tls::default();
            tls.set(Some(Arc::new(TlsConfig::new(&args.material()?)?)));
            transport.set_tls(tls);
        }
        let (_, local) = transport
            .local_addrs()
            .first()
            .copied()
            .context("no socket")?;
        let sound = args.play.as_deref().map(sound::load).transpose()?;
        if let Some(folder) = args.record.as_ref().and_then(|path| path.parent()) {
            let exists = folder.as_os_str().is_empty() || folder.is_dir();
            anyhow::ensure!(
                exists,
                "--record: there is no directory {}",
                folder.display()
            );
        }
        let scratch = Scratch::make(&entropy.token(8))?;
        // Phones on one machine begin at different ports, so that none tries another's; below the
        // switch's own and those the system gives away.
        let first = 10_000 + u16::try_from(entropy.below(48)).unwrap_or(0) * PORTS;
        let config = EngineConfig {
            workers: 2,
            bind: local.ip(),
            advertised: local.ip(),
            ports: first..=first + PORTS - 1,
            recordings: scratch.path().to_owned(),
            max_legs: 8,
            ..EngineConfig::default()
        };
        let engine = Engine::start(config, Library::built_in(), clock.clone())?;
        let notices = engine.notices(ShardId(0));
        let settings = Settings {
            user_agent: concat!("tsunagu-phone/", env!("CARGO_PKG_VERSION")).to_owned(),
            advertised: vec![(args.protocol(), local)],
            ..Settings::default()
        };
        let origin = Origin {
            region: "phone".into(),
            node: "phone".into(),
            shard: ShardId(0),
        };
        let remote = args.remote();
        Ok(Self {
            ids: IdSource::new(origin),
            ua: UserAgent::new(settings, entropy),
            transport,
            engine,
            notices,
            flow: Flow::new(args.protocol(), local, remote).named(args.server.name),
            sound,
            scratch,
            registration: Registration::new(args.expires),
            spare: None,
            call: None,
            past: Vec::new(),
            tally: Tally::default(),
            outcome: None,
            leave_by: None,
            patience: args.patience().map(|patience| clock.now() + patience),
            args: args.clone(),
            clock,
        })
    }

    /// Lives until its business is done.
    pub(super) async fn run(mut self) -> anyhow::Result<Outcome> {
        let mut signals = Signals::listen()?;
        let mut orders = self.args.commands.then(order::listen);
        self.keep_ready();
        if self.args.from.is_some() {
            self.place_call();
        } else {
            self.register();
        }
        loop {
            self.flush();
            if let Some(outcome) = self.outcome.filter(|_| self.is_free()) {
                return Ok(self.close(outcome).await);
            }
            let wait = match self.next_timeout() {
                Some(at) => at.since(self.clock.now()),
                None => Duration::from_secs(3600),
            };
            tokio::select! {
                incoming = self.transport.recv() => self.receive(incoming),
                notice = self.notices.recv() => self.notice(notice),
                order = next(&mut orders) => match order {
                    Ok(Order::Quit) => {
                        orders = None;
                        self.interrupt();
                    }
                    Ok(order) => self.obey(order),
                    Err(words) => self.say(&News::Trouble { words }),
                },
                _ = signals.next() => match self.outcome {
                    // Asked twice: at once.
                    Some(outcome) => return Ok(self.close(outcome).await),
                    None => self.interrupt(),
                },
                () = tokio::time::sleep(wait) => self.wake(),
            }
        }
    }

    pub(super) fn say(&self, news: &News) {
        self.args.form().tell(self.clock.now(), news);
    }

    pub(super) fn trouble(&self, words: impl Into<String>) {
        self.say(&News::Trouble {
            words: words.into(),
        });
    }

    pub(super) fn address(&self, user: &str) -> Uri {
        let server = self.args.remote();
        Uri::sip(user, Host::from(server.ip()), Some(server.port()))
    }

    pub(super) fn credentials(&self) -> Credentials {
        Credentials::new(&self.args.user, &self.args.password())
    }

    /// Ends the phone's business: whatever is up is hung up, and the switch forgets us.
    pub(super) fn finish(&mut self, outcome: Outcome) {
        if self.outcome.is_some() {
            return;
        }
        self.outcome = Some(outcome);
        self.leave_by = Some(self.clock.now() + LEAVE);
        self.hang_up();
        self.unregister();
    }

    /// Somebody wants the phone to end.
    fn interrupt(&mut self) {
        let is_done = self.tally.answered > 0 || self.args.is_endless();
        self.finish(if is_done {
            Outcome::Done
        } else {
            Outcome::Interrupted
        });
    }

    /// Whether nothing is left to be waited for.
    fn is_free(&self) -> bool {
        let is_late = self.leave_by.is_some_and(|at| at <= self.clock.now());
        let is_settled = self.call.is_none() && self.past.is_empty();
        let is_settled = is_settled && self.ua.session_count() == 0;
        is_late || (is_settled && !self.registration.is_pending())
    }

    async fn close(mut self, outcome: Outcome) -> Outcome {
        if self.flow.protocol.is_stream() {
            // What was written last is on its way through a task of its own.
            let _ = tokio::time::timeout(Duration::from_millis(20), self.transport.recv()).await;
        }
        self.engine.shutdown();
        let exit_code = outcome.exit_code();
        self.say(&News::Done {
            outcome: outcome.to_string(),
            exit_code,
        });
        outcome
    }

    fn next_timeout(&self) -> Option<Timestamp> {
        let call = self.call.as_ref().and_then(Talk::next_timeout);
        let patience = self.patience.filter(|_| self.outcome.is_none());
        let all = [
            self.ua.poll_timeout(),
            self.registration.due(),
            call,
            patience,
            self.leave_by,
        ];
        all.into_iter().flatten().min()
    }

    fn wake(&mut self) {
        let now = self.clock.now();
        self.ua.handle_timeout(now);
        if self.registration.due().is_some_and(|at| at <= now) {
            self.register();
        }
        if self.patience.is_some_and(|at| at <= now) {
            self.finish(Outcome::TimedOut);
        }
        self.wake_call(now);
    }

    fn receive(&mut self, incoming: Incoming) {
        let now = self.clock.now();
        match incoming {
            Incoming::Closed(flow) | Incoming::Failed(flow) => {
                self.ua.handle_transport_error(now, &flow);
                if flow.remote == self.args.remote() {
                    self.registration.renew(now);
                }
            }
            Incoming::Datagram(flow, bytes) => match Message::parse(bytes.clone()) {
                Ok(message) => self.ua.handle_message(now, flow, message),
                Err(error) => self.ua.handle_malformed(now, flow, &bytes, &error),
            },
        }
    }

    /// Lets everything the user agent wants happen.
    fn flush(&mut self) {
        while let Some(output) = self.ua.poll_output() {
            match output {
                Output::Event(event) => self.event(event),
                Output::Alias { .. } => {}
                // A phone knows its switch by address and asks nobody: the question times out.
                Output::Query(_) => {}
                Output::Transmit { flow, bytes } => self.transport.send(&flow, bytes),
            }
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Request {
                transaction,
                request,
                ..
            } => {
                let now = self.clock.now();
                let status = if request.method() == Method::Options {
                    200
                } else {
                    501
                };
                self.ua.respond(now, transaction, status, &[], None);
            }
            Event::Response { request, response } => self.registered(request, &response),
            event => self.call_event(event),
        }
    }

    fn contact(&self) -> Uri {
        let local = self.flow.local;
        let contact = Uri::sip(&self.args.user, Host::from(local.ip()), Some(local.port()));
        match self.flow.protocol {
            Protocol::Udp => contact,
            stream => contact.with_param("transport", Some(stream.uri_param())),
        }
    }

    fn register(&mut self) {
        let aor = NameAddr::new(self.address(&self.args.user));
        let server = self.args.remote();
        let expires = self.registration.expires_s().to_string();
        let request = OutOfDialog {
            manners: None,
            routes: Vec::new(),
            series: None,
            contact: None,
            method: Method::Register,
            next_hop: self.flow.into(),
            uri: Uri::sip("", Host::from(server.ip()), Some(server.port())),
            from: aor.clone(),
            to: aor,
            headers: vec![
                (HeaderName::Contact, format!("<{}>", self.contact())),
                (HeaderName::Expires, expires),
            ],
            body: None,
            credentials: Some(self.credentials()),
        };
        match self.ua.request(self.clock.now(), request) {
            Ok(id) => self.registration.sent(id),
            Err(error) => self.trouble(error.to_string()),
        }
    }

    fn unregister(&mut self) {
        if self.registration.is_held() && !self.registration.is_pending() {
            self.registration.leave();
            self.register();
        }
    }

    fn registered(&mut self, id: RequestId, response: &Result<Message, Failure>) {
        let response = response.as_ref().map_err(|failure| match failure {
            Failure::Timeout => 408,
            Failure::Transport => 503,
        });
        let (now, contact) = (self.clock.now(), self.contact());
        match self
            .registration
            .handle_response(now, id, response, &contact)
        {
            Verdict::Again => self.register(),
            Verdict::Lost(status) => self.say(&News::RegistrationLost { status }),
            Verdict::Over => {}
            Verdict::Refused(status) => self.finish(Outcome::Unregistered(status)),
            Verdict::Stands { .. } if self.outcome.is_some() => self.unregister(),
            Verdict::Stands { is_new, expires } => {
                let user = self.args.user.clone();
                self.say(&News::Registered {
                    user,
                    expires_s: expires.as_secs(),
                });
                if is_new && self.args.call.is_some() {
                    self.place_call();
                }
            }
        }
    }

    /// Sends a command to media; says so when it cannot be taken.
    pub(super) fn tell(&self, command: Command) -> bool {
        let taken = self.engine.send(command).is_ok();
        if !taken {
            self.trouble("media is too busy");
        }
        taken
    }
}

impl News {
    pub(super) fn progress(response: &Message) -> Self {
        let status = response.status().unwrap_or(0);
        let phrase = match response.reason_phrase() {
            empty if empty.is_empty() => phrase(status).to_owned(),
            words => words.into_owned(),
        };
        News::Progress { status, phrase }
    }
}

async fn next(orders: &mut Option<mpsc::Receiver<Result<Order, String>>>) -> Result<Order, String> {
    match orders {
        Some(orders) => orders.recv().await.unwrap_or(Ok(Order::Quit)),
        None => std::future::pending().await,
    }
}
