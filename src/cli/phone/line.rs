//! The phone's pump: one user agent, one media engine, one call at a time.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;

use super::{Args, Outcome, sound};
use crate::base::{Clock, Entropy, IdSource, LegId, Origin, RecordingId, ShardId, Timestamp};
use crate::media::{
    Codec, Command, Engine, EngineConfig, LegFlow, Library, Notice, NoticeReceiver, PlayId, Sound,
    Tape,
};
use crate::runtime::SystemClock;
use crate::sdp::{self, AudioCodec, Description, Direction, LocalMedia, Negotiated};
use crate::sip::auth::Credentials;
use crate::sip::transport::{Incoming, Transport, TransportLimits};
use crate::sip::ua::{Body, EndWhy, Event, Invite, OutOfDialog, Output, SessionId, Settings};
use crate::sip::{Flow, HeaderName, Host, Message, Method, NameAddr, Protocol, Uri, UserAgent};

/// The phone, registered or about to be.
pub(super) struct Line {
    args: Args,
    clock: Arc<SystemClock>,
    ids: IdSource,
    ua: UserAgent,
    transport: Transport,
    engine: Engine,
    notices: NoticeReceiver,
    flow: Flow,
    sound: Option<Arc<Sound>>,
    /// Where the engine records; the file is moved to its place at the end.
    scratch: PathBuf,
    call: Option<Talk>,
    answered: u32,
    outcome: Option<Outcome>,
    registered: bool,
}

/// The call at hand.
struct Talk {
    session: SessionId,
    leg: LegId,
    local: LocalMedia,
    offer: Option<Description>,
    /// When to answer or to hang up.
    due: Option<(Timestamp, Due)>,
    over: bool,
    closed: bool,
    recording: Option<RecordingId>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Due {
    Answer,
    HangUp,
}

impl Line {
    pub(super) async fn open(args: &Args) -> anyhow::Result<Self> {
        let clock = Arc::new(SystemClock::start(None));
        let mut entropy = Entropy::from_os();
        let listeners = [(args.protocol(), args.bind)];
        let transport = Transport::bind(&listeners, TransportLimits::default())
            .await
            .with_context(|| format!("cannot listen on {}", args.bind))?;
        let (_, local) = transport
            .local_addrs()
            .first()
            .copied()
            .context("no socket")?;
        let scratch = std::env::temp_dir().join(format!("tsunagu-phone-{}", entropy.token(8)));
        std::fs::create_dir_all(&scratch)?;
        // Phones on one machine begin at different ports, so that none waits for another's.
        let first = 40_000 + u16::try_from(entropy.below(2000)).unwrap_or(0) * 10;
        let config = EngineConfig {
            workers: 2,
            bind: local.ip(),
            advertised: local.ip(),
            ports: first..=first.saturating_add(200),
            recordings: scratch.clone(),
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
        let flow = Flow {
            protocol: args.protocol(),
            local,
            remote: args.server,
            connection: None,
        };
        Ok(Self {
            args: args.clone(),
            ids: IdSource::new(origin),
            ua: UserAgent::new(settings, entropy),
            transport,
            engine,
            notices,
            flow,
            sound: args.play.as_deref().map(sound::load).transpose()?,
            scratch,
            call: None,
            answered: 0,
            outcome: None,
            registered: false,
            clock,
        })
    }

    /// Lives until its business is done.
    pub(super) async fn run(mut self) -> anyhow::Result<Outcome> {
        if self.args.from.is_some() {
            self.place_call()?;
        } else {
            self.register(3600)?;
        }
        self.flush()?;
        loop {
            if let Some(outcome) = self.outcome
                && self.call.is_none()
            {
                self.leave().await;
                return Ok(outcome);
            }
            let now = self.clock.now();
            let due = self
                .call
                .as_ref()
                .and_then(|call| call.due.map(|(at, _)| at));
            let next = [self.ua.poll_timeout(), due].into_iter().flatten().min();
            let wait = next.map_or(Duration::from_secs(3600), |at| at.since(now));
            tokio::select! {
                incoming = self.transport.recv() => self.receive(incoming),
                notice = self.notices.recv() => self.notice(notice)?,
                () = tokio::time::sleep(wait) => self.wake()?,
                _ = tokio::signal::ctrl_c() => self.interrupt(),
            }
            self.flush()?;
        }
    }

    fn say(&self, text: &str) {
        if !self.args.quiet {
            println!("{} {text}", self.clock.now());
        }
    }

    fn address(&self, user: &str) -> Uri {
        let server = self.args.server;
        Uri::sip(user, Host::from(server.ip()), Some(server.port()))
    }

    fn contact(&self) -> String {
        let local = self.flow.local;
        let transport = match self.flow.protocol {
            Protocol::Tcp => ";transport=tcp",
            Protocol::Udp => "",
        };
        format!("<sip:{}@{local}{transport}>", self.args.user)
    }

    fn register(&mut self, expires: u32) -> anyhow::Result<()> {
        let aor = NameAddr::new(self.address(&self.args.user));
        let server = self.args.server;
        let request = OutOfDialog {
            method: Method::Register,
            flow: self.flow,
            uri: Uri::sip("", Host::from(server.ip()), Some(server.port())),
            from: aor.clone(),
            to: aor,
            headers: vec![
                (HeaderName::Contact, self.contact()),
                (HeaderName::Expires, expires.to_string()),
            ],
            body: None,
            credentials: Some(Credentials::new(&self.args.user, &self.args.password())),
        };
        self.ua.request(self.clock.now(), request)?;
        Ok(())
    }

    fn place_call(&mut self) -> anyhow::Result<()> {
        let Some(number) = self.args.call.clone() else {
            anyhow::bail!("--from needs --call: a trunk's caller only calls");
        };
        let (leg, local) = self.open_leg()?;
        let to = self.address(&number);
        let from = self
            .args
            .from
            .clone()
            .unwrap_or_else(|| self.args.user.clone());
        let invite = Invite {
            flow: self.flow,
            uri: to.clone(),
            from: NameAddr::new(self.address(&from)),
            to: NameAddr::new(to),
            contact_user: from,
            routes: Vec::new(),
            headers: Vec::new(),
            body: Some(Body::sdp(sdp::offer(&local).to_bytes())),
            credentials: Some(Credentials::new(&self.args.user, &self.args.password())),
            max_forwards: 70,
            timeout: None,
        };
        let session = self.ua.invite(self.clock.now(), invite)?;
        self.say(&format!("calling {number}"));
        self.call = Some(Talk::new(session, leg, local));
        Ok(())
    }

    fn open_leg(&mut self) -> anyhow::Result<(LegId, LocalMedia)> {
        let leg = self.ids.leg();
        let ports = self.engine.open_leg(leg, ShardId(0))?;
        let local = LocalMedia {
            address: ports.rtp,
            rtcp: Some(ports.rtcp),
            codecs: vec![AudioCodec::Pcmu, AudioCodec::Pcma],
            telephone_event: Some(101),
            direction: Direction::SendRecv,
            session_id: leg.0,
            session_version: 1,
        };
        Ok((leg, local))
    }

    fn receive(&mut self, incoming: Incoming) {
        let now = self.clock.now();
        match incoming {
            Incoming::Closed(flow) | Incoming::Failed(flow) => {
                self.ua.handle_transport_error(now, &flow);
            }
            Incoming::Datagram(flow, bytes) => match Message::parse(bytes.clone()) {
                Ok(message) => self.ua.handle_message(now, flow, message),
                Err(error) => self.ua.handle_malformed(self.clock.now(), flow, &bytes, &error),
            },
        }
    }

    fn wake(&mut self) -> anyhow::Result<()> {
        let now = self.clock.now();
        self.ua.handle_timeout(now);
        let due = self
            .call
            .as_ref()
            .and_then(|call| call.due)
            .filter(|(at, _)| *at <= now);
        match due {
            Some((_, Due::Answer)) => self.answer(),
            Some((_, Due::HangUp)) => {
                self.hang_up();
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn interrupt(&mut self) {
        self.outcome.get_or_insert(Outcome::Answered);
        self.hang_up();
    }

    fn hang_up(&mut self) {
        let now = self.clock.now();
        let Some(call) = self.call.as_mut() else {
            return;
        };
        call.due = None;
        self.ua.bye(now, call.session, &[]);
        self.ua.cancel(now, call.session);
        self.end_call();
    }

    /// Lets everything the user agent wants happen.
    fn flush(&mut self) -> anyhow::Result<()> {
        while let Some(output) = self.ua.poll_output() {
            match output {
                Output::Event(event) => self.event(event)?,
                Output::Transmit { flow, bytes } => self.transport.send(&flow, bytes),
            }
        }
        Ok(())
    }

    fn event(&mut self, event: Event) -> anyhow::Result<()> {
        let now = self.clock.now();
        match event {
            Event::Answered { session, response } if self.is_mine(session) => {
                self.say("answered");
                self.talk(response.body());
            }
            Event::Cancelled { session } if self.is_mine(session) => {
                self.say("caller gave up");
                self.end_call();
            }
            Event::Ended { session, why } if self.is_mine(session) => {
                self.say(match why {
                    EndWhy::LocalBye => "hung up",
                    EndWhy::RemoteBye { .. } => "the other side hung up",
                    EndWhy::NoAck | EndWhy::Timeout | EndWhy::TransportFailed => "lost",
                });
                self.end_call();
            }
            Event::Failed {
                session, status, ..
            } if self.is_mine(session) => {
                self.outcome.get_or_insert(Outcome::Refused(status));
                self.end_call();
            }
            Event::Incoming {
                session, request, ..
            } => self.incoming(session, &request)?,
            Event::Progress { response, .. } => {
                self.say(&format!("progress {}", response.status().unwrap_or(0)));
            }
            Event::Reoffer { session, request } => self.reoffer(session, &request),
            Event::Request { transaction, .. } => {
                self.ua.respond(now, transaction, 200, &[], None);
            }
            Event::Response { response, .. } => self.registered(response.ok().as_ref())?,
            _ => {}
        }
        Ok(())
    }

    fn is_mine(&self, session: SessionId) -> bool {
        self.call
            .as_ref()
            .is_some_and(|call| call.session == session)
    }

    fn registered(&mut self, response: Option<&Message>) -> anyhow::Result<()> {
        let status = response.and_then(Message::status).unwrap_or(408);
        if !(200..300).contains(&status) {
            self.outcome.get_or_insert(Outcome::Unregistered(status));
            return Ok(());
        }
        if self.registered || self.outcome.is_some() {
            return Ok(());
        }
        self.registered = true;
        self.say(&format!("registered as {}", self.args.user));
        if self.args.call.is_some() {
            self.place_call()
        } else {
            Ok(())
        }
    }

    fn incoming(&mut self, session: SessionId, request: &Message) -> anyhow::Result<()> {
        let now = self.clock.now();
        if let Some(status) = self.args.refuse {
            self.say(&format!("refusing a call with {status}"));
            self.ua.reject(now, session, status, &[]);
            self.outcome.get_or_insert(Outcome::Refused(status));
            return Ok(());
        }
        if self.call.is_some() || self.args.call.is_some() {
            self.ua.reject(now, session, 486, &[]);
            return Ok(());
        }
        let from = request
            .from()
            .map(|from| from.uri.user_decoded().into_owned());
        self.say(&format!("ringing: {} calls", from.unwrap_or_default()));
        self.ua.ring(now, session, 180, &[], None);
        let (leg, local) = self.open_leg()?;
        let mut call = Talk::new(session, leg, local);
        call.offer = Description::parse(request.body()).ok();
        let ring = Duration::try_from_secs_f64(self.args.ring).unwrap_or_default();
        call.due = Some((now + ring, Due::Answer));
        self.call = Some(call);
        Ok(())
    }

    fn answer(&mut self) -> anyhow::Result<()> {
        let now = self.clock.now();
        let Some(call) = self.call.as_mut() else {
            return Ok(());
        };
        call.due = None;
        let answer = call
            .offer
            .take()
            .and_then(|offer| sdp::answer(&call.local, &offer).ok());
        let session = call.session;
        match answer {
            Some((answer, agreed)) => {
                self.ua
                    .accept(now, session, &[], Some(Body::sdp(answer.to_bytes())));
                self.say("answering");
                self.begin(&agreed);
            }
            None => {
                self.ua.reject(now, session, 488, &[]);
                self.end_call();
            }
        }
        Ok(())
    }

    /// The far end's answer to our offer came.
    fn talk(&mut self, body: &[u8]) {
        let Some(call) = self.call.as_ref() else {
            return;
        };
        let agreed = Description::parse(body)
            .ok()
            .and_then(|answer| sdp::accept_answer(&call.local, &answer).ok());
        match agreed {
            Some(agreed) => self.begin(&agreed),
            None => self.hang_up(),
        }
    }

    fn reoffer(&mut self, session: SessionId, request: &Message) {
        let now = self.clock.now();
        let Some(call) = self.call.as_mut().filter(|call| call.session == session) else {
            return;
        };
        call.local.session_version += 1;
        let offer = Description::parse(request.body()).ok();
        match offer.and_then(|offer| sdp::answer(&call.local, &offer).ok()) {
            Some((answer, agreed)) => {
                let leg = call.leg;
                self.tell(Command::SetLeg {
                    leg,
                    flow: flow_of(&agreed),
                });
                self.ua
                    .answer_reoffer(now, session, Some(Body::sdp(answer.to_bytes())));
            }
            None => self.ua.refuse_reoffer(now, session, 488),
        }
    }

    fn tell(&self, command: Command) {
        if self.engine.send(command).is_err() {
            eprintln!("media is too busy");
        }
    }

    /// Speech begins.
    fn begin(&mut self, agreed: &Negotiated) {
        let now = self.clock.now();
        self.answered += 1;
        let hang_up = self
            .args
            .hang_up
            .and_then(|after| Duration::try_from_secs_f64(after).ok());
        let recording = self.args.record.as_ref().map(|_| self.ids.recording(now));
        let Some(call) = self.call.as_mut() else {
            return;
        };
        call.due = hang_up.map(|after| (now + after, Due::HangUp));
        call.recording.clone_from(&recording);
        let leg = call.leg;
        self.tell(Command::SetLeg {
            leg,
            flow: flow_of(agreed),
        });
        if let Some(recording) = recording {
            let channels = ["heard".to_owned(), "said".to_owned()];
            let tape = Tape {
                stem: recording.to_string(),
                channels,
                labels: Default::default(),
            };
            self.tell(Command::RecordLeg {
                recording,
                leg,
                at: now,
                tape,
            });
        }
        if let Some(sound) = self.sound.clone() {
            let (play, sounds, looped) = (PlayId(1), vec![sound], self.args.looped);
            self.tell(Command::Play {
                leg,
                play,
                sounds,
                looped,
            });
        }
        if !self.args.press.is_empty() {
            self.tell(Command::SendDigits {
                leg,
                digits: self.args.press.clone(),
            });
        }
    }

    /// The call is over: media closes, then the phone may go.
    fn end_call(&mut self) {
        let now = self.clock.now();
        let Some(call) = self.call.as_mut() else {
            return;
        };
        if std::mem::replace(&mut call.over, true) {
            return;
        }
        call.due = None;
        let (leg, recording) = (call.leg, call.recording.clone());
        if let Some(recording) = recording {
            self.tell(Command::StopRecord { recording, at: now });
        }
        self.tell(Command::CloseLeg { leg });
    }

    fn notice(&mut self, notice: Notice) -> anyhow::Result<()> {
        match notice {
            Notice::Digit { digit, .. } => self.say(&format!("heard key {digit}")),
            Notice::LegClosed { leg, summary } => {
                self.say(&format!(
                    "media: {} packets heard, {} said, {} lost",
                    summary.received, summary.sent, summary.lost
                ));
                if let Some(call) = self.call.as_mut().filter(|call| call.leg == leg) {
                    call.closed = true;
                }
            }
            Notice::RecordingClosed(closed) => {
                let path = self.scratch.join(&closed.path);
                if let Some(target) = &self.args.record {
                    std::fs::copy(&path, target).with_context(|| {
                        format!("cannot write {} from {}", target.display(), path.display())
                    })?;
                    self.say(&format!("recorded {}", target.display()));
                }
                if let Some(call) = self.call.as_mut() {
                    call.recording = None;
                }
            }
            _ => {}
        }
        let done = |call: &Talk| call.over && call.closed && call.recording.is_none();
        if self.call.as_ref().is_some_and(done) {
            self.call = None;
            let enough = self.args.call.is_some()
                || (self.args.answer > 0 && self.answered >= self.args.answer);
            if enough {
                self.outcome.get_or_insert(Outcome::Answered);
            }
        }
        Ok(())
    }

    /// Unregisters, waits a moment for the last messages, and cleans up.
    async fn leave(&mut self) {
        if self.registered {
            // What cannot be sent now expires at the switch by itself.
            let _ = self.register(0);
        }
        let enough = self.clock.now() + Duration::from_secs(1);
        while self.clock.now() < enough && self.ua.session_count() > 0 || self.registered {
            let _ = self.flush();
            let wait = enough.since(self.clock.now());
            match tokio::time::timeout(wait, self.transport.recv()).await {
                Ok(incoming) => {
                    let answer = matches!(&incoming, Incoming::Datagram(_, bytes)
                        if is_final_register(bytes));
                    self.receive(incoming);
                    let _ = self.flush();
                    if answer {
                        break;
                    }
                }
                Err(_) => break,
            }
        }
        self.engine.shutdown();
        // A leftover directory in the system's temporary place harms nobody.
        let _ = std::fs::remove_dir_all(&self.scratch);
    }
}

impl Talk {
    fn new(session: SessionId, leg: LegId, local: LocalMedia) -> Self {
        Self {
            session,
            leg,
            local,
            offer: None,
            due: None,
            over: false,
            closed: false,
            recording: None,
        }
    }
}

fn is_final_register(bytes: &Bytes) -> bool {
    Message::parse(bytes.clone()).is_ok_and(|message| {
        message.method() == Method::Register && message.status().is_some_and(|status| status == 200)
    })
}

fn flow_of(agreed: &Negotiated) -> LegFlow {
    let remote: Option<SocketAddr> = agreed.remote;
    LegFlow {
        remote,
        remote_rtcp: agreed.remote_rtcp,
        rtcp_mux: agreed.rtcp_mux,
        codec: match agreed.codec {
            AudioCodec::Pcma => Codec::Pcma,
            AudioCodec::Pcmu => Codec::Pcmu,
        },
        send_payload_type: agreed.payload_type,
        receive_payload_type: agreed.receive_payload_type,
        send_telephone_event: agreed.telephone_event,
        receive_telephone_event: agreed.receive_telephone_event,
        ptime_ms: agreed.ptime_ms,
        sending: agreed.direction.sends(),
        receiving: agreed.direction.receives(),
    }
}
