//! A far end: a phone or the carrier, with a user agent of its own and manners.

use std::net::SocketAddr;
use std::time::Duration;

use tsunagu::base::{Entropy, ShardId, Timestamp};
use tsunagu::media::VirtualNet;
use tsunagu::sdp::{self, AudioCodec, CodecOrder, Description, Direction};
use tsunagu::sdp::{LocalCrypto, LocalMedia, Negotiated, ReportTerms, SrtpPolicy};
use tsunagu::sip::auth::Credentials;
use tsunagu::sip::ua::{Body, Event, Invite, OutOfDialog, ReferId, SessionId, Settings, Terms};
use tsunagu::sip::{
    ConnectionId, DtmfRelay, Flow, HeaderName, Host, Message, Method, NameAddr, Protocol, Uri,
    UserAgent,
};

use crate::voice::Voice;

/// What a far end does when it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manners {
    /// Rings and answers after so many milliseconds.
    Answers(u64),
    /// Wants to know who calls (407), and answers whoever says it.
    Challenges,
    /// Sends early media and answers after so many milliseconds.
    Early(u64),
    /// Asks for a minute of rest (503 with Retry-After).
    Pauses,
    /// Refuses with a status.
    Refuses(u16),
    /// Refuses with a status, and says why.
    Says(u16, &'static str),
    /// Sends early media, and refuses with a status after so many milliseconds.
    Regrets(u64, u16),
    /// Sends early media, and after so many milliseconds points elsewhere (302).
    Moves(u64, &'static str),
    /// Rings for ever.
    Rings,
}

/// What a peer wants to do later.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wish {
    Answer(SessionId),
    Move(SessionId, &'static str),
    Refuse(SessionId, u16),
}

/// A far end.
pub(crate) struct Peer {
    /// Number of a phone; `carrier`.
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    pub(crate) ua: UserAgent,
    pub(crate) manners: Manners,
    /// Out of the network: nothing of it gets through, nothing reaches it.
    pub(crate) is_gone: bool,
    pub(crate) talks: Vec<Talk>,
    /// Its connection to the switch, when it speaks TCP.
    pub(crate) connection: Option<ConnectionId>,
    /// Answer to the last REGISTER.
    pub(crate) registered: Option<u16>,
    /// Whether it knows telephone events.
    pub(crate) has_events: bool,
    /// Whether it takes comfort noise (RFC 3389).
    pub(crate) has_noise: bool,
    /// Codecs it takes, best first.
    pub(crate) codecs: Vec<AudioCodec>,
    /// Length of the packets it wants, ms.
    pub(crate) ptime_ms: u32,
    /// Whether its media is secure.
    pub(crate) srtp: SrtpPolicy,
    /// Headers of the next INVITE.
    extra: Vec<(HeaderName, String)>,
    /// The last REFER that came: accepted, not carried out.
    pub(crate) asked: Option<(SessionId, ReferId, String)>,
    /// The status with which it refuses a REFER.
    pub(crate) refuses_refer: Option<u16>,
    /// The switch it belongs to.
    switch: SocketAddr,
    password: Option<String>,
    hz: u32,
    net: VirtualNet,
}

/// One call of a far end.
pub(crate) struct Talk {
    pub(crate) session: SessionId,
    pub(crate) voice: Voice,
    pub(crate) agreed: Option<Negotiated>,
    /// Statuses heard: 180, 183, 200, or a refusal.
    pub(crate) heard: Vec<u16>,
    pub(crate) is_answered: bool,
    pub(crate) is_over: bool,
    /// Why their BYE said it ended (RFC 3326).
    pub(crate) reason: Option<String>,
    /// Headers of the last refusal.
    pub(crate) retry_after: Option<String>,
    /// Statuses with which offers of ours after the first were refused.
    pub(crate) reoffers_failed: Vec<u16>,
    pub(crate) reoffers_done: usize,
    /// Call-ID, own tag and theirs.
    dialog: Option<(String, String, String)>,
    /// The INVITE's Referred-By.
    pub(crate) referred_by: Option<String>,
    /// The answer to a REFER of ours.
    pub(crate) referred: Option<u16>,
    /// Keys that INFOs told.
    pub(crate) keys_by_info: String,
    /// Statuses that NOTIFYs told.
    pub(crate) told: Vec<u16>,
    local: LocalMedia,
    offer: Option<Description>,
}

/// How a re-INVITE is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    /// The offer is in the ACK's direction: INVITE without a body (RFC 3264 §5).
    Delayed,
    /// The offer is in the INVITE.
    Early,
}

pub(crate) const SWITCH: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 5060);

impl Peer {
    /// A phone of the demo office.
    pub(crate) fn phone(number: &str, net: &VirtualNet, seed: u64) -> Self {
        Self::phone_at(number, 1, net, seed)
    }

    /// The same phone in another place.
    pub(crate) fn phone_at(number: &str, place: u8, net: &VirtualNet, seed: u64) -> Self {
        let last: u16 = number.parse().expect("phones have numbers");
        let last = u8::try_from(last % 200).expect("small") + 1;
        let address = SocketAddr::from(([127, 0, place, last], 5060));
        let password = Some(format!("tsunagu-{number}"));
        Self::new(number, address, password, net, seed)
    }

    /// The demo office's carrier.
    pub(crate) fn carrier(net: &VirtualNet, seed: u64) -> Self {
        Self::carrier_at(
            "carrier",
            SocketAddr::from(([127, 0, 0, 1], 5080)),
            net,
            seed,
        )
    }

    /// Another carrier.
    pub(crate) fn carrier_at(name: &str, address: SocketAddr, net: &VirtualNet, seed: u64) -> Self {
        Self::new(name, address, None, net, seed)
    }

    fn new(
        name: &str,
        address: SocketAddr,
        password: Option<String>,
        net: &VirtualNet,
        seed: u64,
    ) -> Self {
        let settings = Settings {
            shard: ShardId(0xfe),
            advertised: vec![(Protocol::Udp, address), (Protocol::Tcp, address)],
            ..Settings::default()
        };
        Self {
            name: name.to_owned(),
            address,
            ua: UserAgent::new(settings, Entropy::from_seed(seed)),
            manners: Manners::Answers(1000),
            is_gone: false,
            talks: Vec::new(),
            connection: None,
            registered: None,
            has_events: true,
            has_noise: false,
            codecs: vec![AudioCodec::Pcmu, AudioCodec::Pcma],
            ptime_ms: 20,
            srtp: SrtpPolicy::No,
            asked: None,
            refuses_refer: None,
            extra: Vec::new(),
            switch: SWITCH,
            password,
            hz: 440,
            net: net.clone(),
        }
    }

    /// The same far end at another switch.
    pub(crate) fn at(mut self, switch: SocketAddr) -> Self {
        self.switch = switch;
        self
    }

    /// Says another tone from the next call on.
    pub(crate) fn set_tone(&mut self, hz: u32) {
        self.hz = hz;
    }

    pub(crate) fn flow(&self) -> Flow {
        let protocol = match self.connection {
            Some(_) => Protocol::Tcp,
            None => Protocol::Udp,
        };
        Flow {
            connection: self.connection,
            ..Flow::new(protocol, self.address, self.switch)
        }
    }

    /// Registers for so many seconds; 0 unregisters.
    pub(crate) fn register(&mut self, now: Timestamp, seconds: u32) {
        let aor = NameAddr::new(self.address_of(&self.name));
        self.registered = None;
        let request = OutOfDialog {
            manners: None,
            routes: Vec::new(),
            series: None,
            contact: None,
            method: Method::Register,
            next_hop: self.flow().into(),
            uri: Uri::sip("", Host::from(self.switch.ip()), Some(self.switch.port())),
            from: aor.clone(),
            to: aor,
            headers: vec![
                (
                    HeaderName::Contact,
                    format!("<sip:{}@{}>", self.name, self.address),
                ),
                (HeaderName::Expires, seconds.to_string()),
            ],
            body: None,
            credentials: self.credentials(),
        };
        self.ua
            .request(now, request)
            .expect("a phone is never overloaded");
    }

    /// Calls a number; a carrier's caller says who he is. The place of the talk.
    pub(crate) fn call(&mut self, now: Timestamp, number: &str, from: &str) -> usize {
        self.place_call(now, number, from, Offer::Early)
    }

    /// Calls a number, with the offer in the INVITE or not.
    pub(crate) fn place_call(
        &mut self,
        now: Timestamp,
        number: &str,
        from: &str,
        offer: Offer,
    ) -> usize {
        let (voice, local) = self.open();
        let body = (offer == Offer::Early).then(|| Body::sdp(sdp::offer(&local).to_bytes()));
        let invite = Invite {
            next_hop: self.flow().into(),
            uri: self.address_of(number),
            from: NameAddr::new(self.address_of(from)),
            to: NameAddr::new(self.address_of(number)),
            contact_user: from.to_owned(),
            routes: Vec::new(),
            headers: self.extra.clone(),
            body,
            credentials: self.credentials(),
            manners: None,
            max_forwards: 70,
            timeout: None,
            terms: Terms::PLAIN,
        };
        let session = self
            .ua
            .invite(now, invite)
            .expect("a phone is never overloaded");
        self.talks.push(Talk::new(session, voice, local, None));
        self.talks.len() - 1
    }

    /// Presses a key by INFO.
    pub(crate) fn press_by_info(&mut self, now: Timestamp, talk: usize, key: char) {
        let body = Body {
            content_type: "application/dtmf-relay".into(),
            bytes: format!("Signal={key}\r\nDuration=160\r\n").into(),
        };
        self.ua.info(now, self.talks[talk].session, body);
    }

    /// Hangs up, or takes its INVITE back, or refuses: whatever fits.
    pub(crate) fn hang_up(&mut self, now: Timestamp, talk: usize) {
        let Some(talk) = self.talks.get(talk) else {
            return;
        };
        self.ua.bye(now, talk.session, &[]);
    }

    /// Asks the switch to call somebody in its place.
    pub(crate) fn refer(&mut self, now: Timestamp, talk: usize, to: &str) {
        let session = self.talks[talk].session;
        self.ua.refer(now, session, to, &[]);
    }

    /// The Refer-To of an attended transfer to whoever `talk` is with (RFC 5589 §7.1).
    pub(crate) fn consulted(&self, talk: usize) -> String {
        let (call_id, own, theirs) = self.talks[talk].dialog.as_ref().expect("a dialog");
        format!(
            "<sip:x@{}?Replaces={call_id}%3Bto-tag%3D{theirs}%3Bfrom-tag%3D{own}&X-Evil=1%0d%0aVia:x>",
            self.switch
        )
    }

    /// The Replaces that puts another device in the place of `talk`'s.
    pub(crate) fn replaces(&self, talk: usize) -> String {
        let (call_id, own, theirs) = self.talks[talk].dialog.as_ref().expect("a dialog");
        format!("{call_id};to-tag={theirs};from-tag={own}")
    }

    /// Calls to take the place of a dialog.
    pub(crate) fn call_in_place(&mut self, now: Timestamp, replaces: &str) -> usize {
        self.extra = vec![(HeaderName::Replaces, replaces.to_owned())];
        let name = self.name.clone();
        let talk = self.place_call(now, "1000", &name, Offer::Early);
        self.extra.clear();
        talk
    }

    /// Calls a number as its own phone, with further headers.
    pub(crate) fn call_with(
        &mut self,
        now: Timestamp,
        number: &str,
        headers: &[(HeaderName, &str)],
    ) -> usize {
        let headers = headers.iter();
        self.extra = headers
            .map(|(name, value)| (name.clone(), (*value).to_owned()))
            .collect();
        let name = self.name.clone();
        let talk = self.place_call(now, number, &name, Offer::Early);
        self.extra.clear();
        talk
    }

    /// Asks for another direction: [`Direction::SendOnly`] is hold.
    pub(crate) fn reoffer(
        &mut self,
        now: Timestamp,
        talk: usize,
        direction: Direction,
        offer: Offer,
    ) {
        let talk = &mut self.talks[talk];
        talk.local.direction = direction;
        talk.local.session_version += 1;
        let body = Body::sdp(sdp::offer(&talk.local).to_bytes());
        self.ua
            .reinvite(now, talk.session, (offer == Offer::Early).then_some(body));
    }

    /// Takes in what its user agent says.
    pub(crate) fn handle(&mut self, now: Timestamp, event: Event) -> Option<(Duration, Wish)> {
        match event {
            Event::Incoming {
                session, request, ..
            } => {
                let says_who = request
                    .header_text(HeaderName::ProxyAuthorization)
                    .is_some();
                if self.manners == Manners::Challenges && !says_who {
                    let challenge = "Digest realm=\"carrier\", nonce=\"1\", qop=\"auth\"";
                    let challenge = [(HeaderName::ProxyAuthenticate, challenge.to_owned())];
                    self.ua.reject(now, session, 407, &challenge);
                    return None;
                }
                let wish = self.incoming(now, session, request.body());
                let by = request.header_text(HeaderName::ReferredBy);
                self.talk(session)?.referred_by = by.map(|by| by.into_owned());
                return wish;
            }
            Event::Request { transaction, .. } => {
                self.ua.respond(now, transaction, 200, &[], None);
            }
            Event::Response { response, .. } => {
                let status = response.ok().and_then(|response| response.status());
                self.registered = Some(status.unwrap_or(408));
            }
            Event::Progress { session, response } => {
                let talk = self.talk(session)?;
                talk.heard.extend(response.status());
                talk.note_dialog(&response);
                talk.agree(response.body());
            }
            Event::Answered { session, response } => {
                let talk = self.talk(session)?;
                talk.heard.extend(response.status());
                talk.note_dialog(&response);
                talk.is_answered = true;
                let body = talk.settle(response.body());
                self.ua.acknowledge(now, session, body);
            }
            Event::Reanswered { session, response } => {
                let talk = self.talk(session)?;
                talk.reoffers_done += 1;
                let body = talk.settle(response.body());
                self.ua.acknowledge(now, session, body);
            }
            Event::ReofferFailed { session, status } => {
                self.talk(session)?.reoffers_failed.push(status);
            }
            Event::Failed {
                session,
                status,
                response,
                ..
            } => {
                let talk = self.talk(session)?;
                talk.heard.push(status);
                let retry = response.and_then(|refusal| {
                    refusal
                        .header_text(HeaderName::RetryAfter)
                        .map(|text| text.into_owned())
                });
                talk.retry_after = retry;
                talk.end();
            }
            Event::Cancelled { session, reason } => {
                let talk = self.talk(session)?;
                talk.reason = reason;
                talk.end();
            }
            Event::Ended { session, why } => {
                let talk = self.talk(session)?;
                if let tsunagu::sip::ua::EndWhy::RemoteBye { reason, .. } = why {
                    talk.reason = reason;
                }
                talk.end();
            }
            Event::Reoffer { session, request } => {
                let talk = self.talk(session)?;
                talk.local.session_version += 1;
                let answer = talk.answer(request.body());
                match answer {
                    Some(body) => self.ua.answer_reoffer(now, session, Some(body)),
                    None => self.ua.refuse_reoffer(now, session, 488),
                }
            }
            Event::Notified {
                session, status, ..
            } => self.talk(session)?.told.extend(status),
            Event::ReferAnswered {
                session, status, ..
            } => self.talk(session)?.referred = Some(status),
            Event::Refer {
                session,
                refer,
                request,
            } => {
                let to = request.header_text(HeaderName::ReferTo);
                let to = to.unwrap_or_default().into_owned();
                self.asked = Some((session, refer, to));
                match self.refuses_refer {
                    Some(status) => self.ua.refuse_refer(now, session, refer, status),
                    None => self.ua.accept_refer(now, session, refer),
                }
            }
            Event::Acknowledged { session, body } => {
                let talk = self.talk(session)?;
                if talk.dialog.is_none() {
                    talk.note_dialog(&body);
                    let turned = talk.dialog.take();
                    talk.dialog = turned.map(|(call_id, theirs, own)| (call_id, own, theirs));
                }
            }
            Event::Info { session, request } => {
                let kind = request.header_text(HeaderName::ContentType);
                let key = DtmfRelay::read(&kind.unwrap_or_default(), request.body());
                let key = key.expect("the switch sends no other INFO").digit;
                self.talk(session)?.keys_by_info.push(key);
            }
            Event::EarlyAnswer { .. } | Event::EarlyEnded { .. } => {}
        }
        None
    }

    /// Does what it wanted to.
    pub(crate) fn fulfil(&mut self, now: Timestamp, wish: Wish) {
        match wish {
            Wish::Answer(session) => {
                let Some(talk) = self.talk(session).filter(|talk| !talk.is_over) else {
                    return;
                };
                let answer = talk.take_offer().expect("the switch always offers");
                talk.is_answered = true;
                self.ua.accept(now, session, &[], Some(answer));
            }
            Wish::Move(session, contact) => {
                let contact = [(HeaderName::Contact, contact.to_owned())];
                self.ua.reject(now, session, 302, &contact);
                if let Some(talk) = self.talk(session) {
                    talk.end();
                }
            }
            Wish::Refuse(session, status) => {
                self.ua.reject(now, session, status, &[]);
                if let Some(talk) = self.talk(session) {
                    talk.end();
                }
            }
        }
    }

    fn incoming(
        &mut self,
        now: Timestamp,
        session: SessionId,
        offer: &[u8],
    ) -> Option<(Duration, Wish)> {
        let (voice, local) = self.open();
        let offer = Description::parse(offer).ok();
        let mut talk = Talk::new(session, voice, local, offer);
        let wish = match self.manners {
            Manners::Challenges => Some((Duration::from_millis(1), Wish::Answer(session))),
            Manners::Answers(ms) => {
                self.ua.ring(now, session, 180, &[], None);
                Some((Duration::from_millis(ms), Wish::Answer(session)))
            }
            Manners::Early(ms) => {
                let body = talk.early();
                self.ua.ring(now, session, 183, &[], body);
                Some((Duration::from_millis(ms), Wish::Answer(session)))
            }
            Manners::Pauses => {
                let rest = [(HeaderName::RetryAfter, "60".to_owned())];
                self.ua.reject(now, session, 503, &rest);
                talk.end();
                None
            }
            Manners::Refuses(status) => {
                self.ua.reject(now, session, status, &[]);
                talk.end();
                None
            }
            Manners::Says(status, words) => {
                let reason = format!("SIP;cause={status};text=\"{words}\"");
                self.ua
                    .reject(now, session, status, &[(HeaderName::Reason, reason)]);
                talk.end();
                None
            }
            Manners::Regrets(ms, status) => {
                let body = talk.early();
                self.ua.ring(now, session, 183, &[], body);
                Some((Duration::from_millis(ms), Wish::Refuse(session, status)))
            }
            Manners::Moves(ms, contact) => {
                let body = talk.early();
                self.ua.ring(now, session, 183, &[], body);
                Some((Duration::from_millis(ms), Wish::Move(session, contact)))
            }
            Manners::Rings => {
                self.ua.ring(now, session, 180, &[], None);
                None
            }
        };
        self.talks.push(talk);
        wish
    }

    /// Calls that are not over.
    pub(crate) fn live(&self) -> usize {
        self.talks.iter().filter(|talk| !talk.is_over).count()
    }

    fn talk(&mut self, session: SessionId) -> Option<&mut Talk> {
        self.talks.iter_mut().find(|talk| talk.session == session)
    }

    fn address_of(&self, user: &str) -> Uri {
        Uri::sip(user, Host::from(self.switch.ip()), Some(self.switch.port()))
    }

    fn credentials(&self) -> Option<Credentials> {
        let password = self.password.as_ref()?;
        Some(Credentials::new(&self.name, password))
    }

    /// Keys that nobody else has.
    fn chance(&self, number: u64) -> Entropy {
        let name = self.name.bytes().fold(number, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(u64::from(byte))
        });
        Entropy::from_seed(name)
    }

    /// Renews its keys by a re-INVITE.
    pub(crate) fn rekey(&mut self, now: Timestamp, talk: usize) {
        let mut chance = self.chance(1000 + self.talks[talk].reoffers_done as u64);
        self.talks[talk].local.crypto.renew(&mut chance);
        self.reoffer(now, talk, Direction::SendRecv, Offer::Early);
    }

    fn open(&self) -> (Voice, LocalMedia) {
        let number = u16::try_from(self.talks.len()).expect("few calls");
        let address = SocketAddr::new(self.address.ip(), 40_000 + 2 * number);
        let local = LocalMedia {
            address,
            rtcp: None,
            codecs: self.codecs.clone(),
            telephone_event: self.has_events.then_some(101),
            dtmf_redundancy: false,
            comfort_noise: self.has_noise,
            order: CodecOrder::Theirs,
            ptime_ms: self.ptime_ms,
            direction: Direction::SendRecv,
            reports: ReportTerms::default(),
            crypto: LocalCrypto::new(self.srtp, &mut self.chance(number.into())),
            session_id: u64::from(number) + 1,
            session_version: 1,
        };
        (Voice::new(&self.net, address, self.hz), local)
    }
}

impl Talk {
    fn new(
        session: SessionId,
        voice: Voice,
        local: LocalMedia,
        offer: Option<Description>,
    ) -> Self {
        Self {
            session,
            voice,
            agreed: None,
            heard: Vec::new(),
            is_answered: false,
            is_over: false,
            reason: None,
            retry_after: None,
            reoffers_failed: Vec::new(),
            reoffers_done: 0,
            dialog: None,
            referred_by: None,
            referred: None,
            keys_by_info: String::new(),
            told: Vec::new(),
            local,
            offer,
        }
    }

    /// Learns what a Replaces must name.
    fn note_dialog(&mut self, response: &Message) {
        let tag = |address: Result<&NameAddr, _>| address.ok()?.tag().map(str::to_owned);
        let call_id = response.call_id().ok().map(str::to_owned);
        self.dialog = call_id
            .zip(tag(response.from()).zip(tag(response.to())))
            .map(|(call_id, (own, theirs))| (call_id, own, theirs));
    }

    /// Takes their answer to our offer.
    fn agree(&mut self, body: &[u8]) {
        if let Some(agreed) = Description::parse(body)
            .ok()
            .and_then(|answer| sdp::accept_answer(&self.local, &answer).ok())
        {
            self.agreed = Some(agreed);
        }
    }

    /// Takes a description in a 2xx: the answer to our offer, or an offer that our ACK answers.
    fn settle(&mut self, body: &[u8]) -> Option<Body> {
        // Harmless where our INVITE carried the offer: then no answer is owed.
        let answer = self.answer(body);
        if answer.is_none() {
            self.agree(body);
        }
        answer
    }

    fn answer(&mut self, offer: &[u8]) -> Option<Body> {
        let offer = Description::parse(offer).ok()?;
        let (answer, agreed) = sdp::answer(&self.local, &offer, None).ok()?;
        self.agreed = Some(agreed);
        Some(Body::sdp(answer.to_bytes()))
    }

    fn early(&mut self) -> Option<Body> {
        let (answer, agreed) = sdp::answer(&self.local, self.offer.as_ref()?, None).ok()?;
        self.agreed = Some(agreed);
        Some(Body::sdp(answer.to_bytes()))
    }

    fn take_offer(&mut self) -> Option<Body> {
        let body = self.early();
        self.offer = None;
        body
    }

    fn end(&mut self) {
        self.is_over = true;
        self.agreed = None;
    }
}
