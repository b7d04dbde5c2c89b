//! The phone's call: ringing, answering, speaking, and its end.

use std::path::PathBuf;
use std::sync::Arc;

use super::keys::{Keys, Step};
use super::line::Line;
use super::news::{News, Side};
use super::order::Order;
use super::{Outcome, sound, tape};
use crate::base::{Clock as _, LegId, RecordingId, ShardId, Timestamp};
use crate::call::{leg_flow, local_media};
use crate::events::MediaSummary;
use crate::media::{Command, MediaError, Notice, PlayId, Sound, Tape, recorder};
use crate::sdp::{self, Description, LocalMedia, Negotiated};
use crate::sip::ua::{Body, EndWhy, Event, Invite, SessionId};
use crate::sip::{Message, NameAddr};

/// The call at hand.
pub(super) struct Talk {
    session: SessionId,
    leg: LegId,
    local: LocalMedia,
    /// Who began it.
    by: Side,
    stage: Stage,
    /// Their offer, until it is answered.
    offer: Option<Description>,
    answer_at: Option<Timestamp>,
    hang_up_at: Option<Timestamp>,
    keys: Keys,
    keys_at: Option<Timestamp>,
    /// The recording that is not written yet, and where it belongs.
    recording: Option<(RecordingId, PathBuf)>,
}

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Not answered yet.
    Ringing,
    /// Answered with an offer of ours; theirs comes with the ACK.
    Offered,
    /// Media flows.
    Answered,
}

/// A call that is over, until its media and its recording are.
pub(super) struct Past {
    leg: LegId,
    by: Side,
    answered: bool,
    broke: bool,
    recording: Option<(RecordingId, PathBuf)>,
    is_media_closed: bool,
}

impl Talk {
    fn new(session: SessionId, leg: LegId, local: LocalMedia, by: Side) -> Self {
        Self {
            session,
            leg,
            local,
            by,
            stage: Stage::Ringing,
            offer: None,
            answer_at: None,
            hang_up_at: None,
            keys: Keys::default(),
            keys_at: None,
            recording: None,
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Timestamp> {
        let all = [self.answer_at, self.hang_up_at, self.keys_at];
        all.into_iter().flatten().min()
    }
}

impl Line {
    pub(super) fn place_call(&mut self) {
        let Some(number) = self.args.call.clone() else {
            return;
        };
        let (leg, local) = match self.take_leg() {
            Ok(opened) => opened,
            Err(error) => {
                self.trouble(error.to_string());
                return self.finish(Outcome::Lost);
            }
        };
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
            credentials: Some(self.credentials()),
            max_forwards: 70,
            timeout: None,
        };
        match self.ua.invite(self.clock.now(), invite) {
            Ok(session) => {
                self.say(&News::Calling { number });
                self.call = Some(Talk::new(session, leg, local, Side::Us));
            }
            Err(error) => {
                self.trouble(error.to_string());
                self.tell(Command::CloseLeg { leg });
                self.finish(Outcome::Lost);
            }
        }
    }

    /// Media for one call: the leg kept ready, or a new one.
    fn take_leg(&mut self) -> Result<(LegId, LocalMedia), MediaError> {
        match self.spare.take() {
            Some(ready) => Ok(ready),
            None => self.open_leg(),
        }
    }

    fn open_leg(&mut self) -> Result<(LegId, LocalMedia), MediaError> {
        let leg = self.ids.leg();
        let ports = self.engine.open_leg(leg, ShardId(0))?;
        Ok((leg, local_media(ports, leg.0)))
    }

    /// Opens a leg for the next call while media has time: a busy machine must not cost a call.
    pub(super) fn keep_ready(&mut self) {
        if self.spare.is_none() && self.outcome.is_none() {
            // Tried again when it is needed, and then said why not.
            self.spare = self.open_leg().ok();
        }
    }

    pub(super) fn call_event(&mut self, event: Event) {
        match event {
            Event::Incoming {
                session, request, ..
            } => self.incoming(session, &request),
            Event::Acknowledged { session, body } if self.is_mine(session) => {
                self.acknowledged(body.body());
            }
            Event::Answered { session, response } if self.is_mine(session) => {
                self.accepted(response.body());
            }
            Event::Cancelled { session } if self.is_mine(session) => {
                self.end_call(Some(Side::Them));
            }
            Event::Ended { session, why } if self.is_mine(session) => {
                self.end_call(Some(match why {
                    EndWhy::LocalBye => Side::Us,
                    EndWhy::NoAck | EndWhy::Timeout | EndWhy::TransportFailed => Side::Nobody,
                    EndWhy::RemoteBye { .. } => Side::Them,
                }));
            }
            Event::Failed {
                session, status, ..
            } if self.is_mine(session) => {
                self.end_call(None);
                self.finish(Outcome::Refused(status));
            }
            Event::Progress { session, response } if self.is_mine(session) => {
                self.progress(&response);
            }
            Event::Reoffer { session, request } if self.is_mine(session) => {
                self.reoffer(session, &request);
            }
            // Nothing else happens to a phone that never sends a re-INVITE.
            _ => {}
        }
    }

    fn is_mine(&self, session: SessionId) -> bool {
        self.call
            .as_ref()
            .is_some_and(|call| call.session == session)
    }

    fn incoming(&mut self, session: SessionId, request: &Message) {
        let now = self.clock.now();
        let is_busy = self.call.is_some() || self.args.call.is_some();
        if is_busy || self.has_enough() || self.outcome.is_some() {
            return self.ua.reject(now, session, 486, &[]);
        }
        let from = request
            .from()
            .map(|from| from.uri.user_decoded().into_owned());
        self.say(&News::Ringing {
            from: from.unwrap_or_else(|_| "somebody".to_owned()),
        });
        let offer = match request.body() {
            [] => Ok(None),
            body => Description::parse(body).map(Some),
        };
        let Ok(offer) = offer else {
            self.trouble("their offer makes no sense");
            return self.ua.reject(now, session, 488, &[]);
        };
        let (leg, local) = match self.take_leg() {
            Ok(taken) => taken,
            Err(error) => {
                self.trouble(error.to_string());
                return self.ua.reject(now, session, 480, &[]);
            }
        };
        self.ua.ring(now, session, 180, &[], None);
        let mut call = Talk::new(session, leg, local, Side::Them);
        call.offer = offer;
        call.answer_at = Some(now + self.args.ring);
        self.call = Some(call);
    }

    /// What is due of the call.
    pub(super) fn wake_call(&mut self, now: Timestamp) {
        let Some(call) = self.call.as_mut() else {
            return;
        };
        let is_due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        let (answer, hang_up) = (is_due(call.answer_at), is_due(call.hang_up_at));
        if is_due(call.keys_at) {
            self.press(now);
        }
        if hang_up {
            self.hang_up();
        } else if answer {
            match self.args.refuse {
                Some(status) => self.refuse(status),
                None => self.answer(),
            }
        }
    }

    fn answer(&mut self) {
        let now = self.clock.now();
        let Some(call) = self
            .call
            .as_mut()
            .filter(|call| call.stage == Stage::Ringing)
        else {
            return;
        };
        call.answer_at = None;
        let session = call.session;
        let Some(offer) = call.offer.take() else {
            let offer = sdp::offer(&call.local);
            call.stage = Stage::Offered;
            return self
                .ua
                .accept(now, session, &[], Some(Body::sdp(offer.to_bytes())));
        };
        match sdp::answer(&call.local, &offer) {
            Ok((answer, agreed)) => {
                self.ua
                    .accept(now, session, &[], Some(Body::sdp(answer.to_bytes())));
                self.begin(&agreed);
            }
            Err(error) => {
                self.trouble(format!("their offer: {error}"));
                self.refuse(488);
            }
        }
    }

    /// Turns down the call that rings.
    fn refuse(&mut self, status: u16) {
        let Some(call) = self
            .call
            .as_ref()
            .filter(|call| call.stage == Stage::Ringing)
        else {
            return;
        };
        self.ua.reject(self.clock.now(), call.session, status, &[]);
        self.tally.refused += 1;
        self.say(&News::Refused { status });
        self.end_call(None);
    }

    fn progress(&mut self, response: &Message) {
        self.say(&News::progress(response));
        // Early media is heard; nothing is said before the answer.
        let Some(call) = self.call.as_ref() else {
            return;
        };
        let answer = Description::parse(response.body()).ok();
        if let Some(agreed) = answer.and_then(|it| sdp::accept_answer(&call.local, &it).ok()) {
            self.tell(Command::SetLeg {
                leg: call.leg,
                flow: leg_flow(&agreed),
            });
        }
    }

    /// The far end's answer to our offer came with its 200.
    fn accepted(&mut self, body: &[u8]) {
        match self.agreed(body) {
            Some(agreed) => self.begin(&agreed),
            None => {
                self.trouble("the answer's media makes no sense");
                self.finish(Outcome::Refused(488));
            }
        }
    }

    /// An ACK came; it carries the answer when our 200 made an offer.
    fn acknowledged(&mut self, body: &[u8]) {
        let Some(call) = self.call.as_ref().filter(|_| !body.is_empty()) else {
            return;
        };
        let (stage, leg) = (call.stage, call.leg);
        match (stage, self.agreed(body)) {
            (Stage::Offered, Some(agreed)) => self.begin(&agreed),
            (Stage::Answered, Some(agreed)) => {
                self.tell(Command::SetLeg {
                    leg,
                    flow: leg_flow(&agreed),
                });
            }
            (Stage::Offered, None) => self.hang_up(),
            _ => {}
        }
    }

    fn agreed(&self, body: &[u8]) -> Option<Negotiated> {
        let answer = Description::parse(body).ok()?;
        sdp::accept_answer(&self.call.as_ref()?.local, &answer).ok()
    }

    fn reoffer(&mut self, session: SessionId, request: &Message) {
        let now = self.clock.now();
        let Some(call) = self.call.as_mut() else {
            return;
        };
        call.local.session_version += 1;
        if request.body().is_empty() {
            let offer = sdp::offer(&call.local).to_bytes();
            return self.ua.answer_reoffer(now, session, Some(Body::sdp(offer)));
        }
        let offer = Description::parse(request.body()).ok();
        match offer.and_then(|offer| sdp::answer(&call.local, &offer).ok()) {
            Some((answer, agreed)) => {
                let leg = call.leg;
                self.tell(Command::SetLeg {
                    leg,
                    flow: leg_flow(&agreed),
                });
                self.ua
                    .answer_reoffer(now, session, Some(Body::sdp(answer.to_bytes())));
            }
            None => self.ua.refuse_reoffer(now, session, 488),
        }
    }

    /// Media begins.
    fn begin(&mut self, agreed: &Negotiated) {
        let now = self.clock.now();
        let Some(call) = self.call.as_mut() else {
            return;
        };
        call.stage = Stage::Answered;
        call.hang_up_at = self.args.hang_up.map(|after| now + after);
        let leg = call.leg;
        self.tally.answered += 1;
        self.say(&News::Answered {
            codec: agreed.codec.as_str(),
        });
        self.tell(Command::SetLeg {
            leg,
            flow: leg_flow(agreed),
        });
        if let Some(wanted) = self.args.record.clone() {
            self.record(now, leg, &wanted);
        }
        if let Some(sound) = self.sound.clone() {
            self.play(sound, self.args.looped);
        }
        let keys = self.args.press.clone();
        if agreed.telephone_event.is_none() && !keys.is_empty() {
            return self.trouble("the other side takes no keys (RFC 4733)");
        }
        self.press_later(keys);
    }

    fn record(&mut self, now: Timestamp, leg: LegId, wanted: &std::path::Path) {
        let recording = self.ids.recording(now);
        let channels = ["heard".to_owned(), "said".to_owned()];
        let tape = Tape {
            stem: recording.to_string(),
            channels,
            labels: Default::default(),
        };
        self.tally.recorded += 1;
        let place = tape::numbered(wanted, self.tally.recorded);
        let order = Command::RecordLeg {
            recording: recording.clone(),
            leg,
            at: now,
            tape,
        };
        if self.tell(order)
            && let Some(call) = self.call.as_mut()
        {
            call.recording = Some((recording, place));
        }
    }

    fn play(&mut self, sound: Arc<Sound>, looped: bool) {
        let Some(call) = self.call.as_ref() else {
            return;
        };
        self.tally.plays += 1;
        let (leg, play) = (call.leg, PlayId(self.tally.plays));
        self.tell(Command::Play {
            leg,
            play,
            sounds: vec![sound],
            looped,
        });
    }

    fn press_later(&mut self, keys: Keys) {
        let now = self.clock.now();
        let Some(call) = self.call.as_mut() else {
            return;
        };
        call.keys.append(keys);
        call.keys_at.get_or_insert(now);
    }

    fn press(&mut self, now: Timestamp) {
        let Some(call) = self.call.as_mut() else {
            return;
        };
        let step = call.keys.next();
        call.keys_at = step.as_ref().map(|step| now + step.length());
        if let Some(Step::Press(digits)) = step {
            let leg = call.leg;
            self.say(&News::Pressed {
                keys: digits.clone(),
            });
            self.tell(Command::SendDigits { leg, digits });
        }
    }

    pub(super) fn obey(&mut self, order: Order) {
        let Some(call) = self.call.as_ref() else {
            return self.trouble("there is no call");
        };
        let (stage, by, leg) = (call.stage, call.by, call.leg);
        match order {
            Order::Answer if stage == Stage::Ringing && by == Side::Them => self.answer(),
            Order::Answer => self.trouble("nothing rings"),
            Order::HangUp if stage == Stage::Ringing && by == Side::Them => self.refuse(603),
            Order::HangUp => self.hang_up(),
            Order::Play(_) | Order::Press(_) if stage != Stage::Answered => {
                self.trouble("the call is not answered");
            }
            Order::Play(path) => match sound::load(&path.to_string_lossy()) {
                Ok(sound) => self.play(sound, false),
                Err(error) => self.trouble(format!("{error:#}")),
            },
            Order::Press(keys) => self.press_later(keys),
            Order::Stop => drop(self.tell(Command::StopPlay { leg })),
            // The line's own affair.
            Order::Quit => {}
        }
    }

    /// Ends the call, whatever it is at.
    pub(super) fn hang_up(&mut self) {
        if let Some(call) = &self.call {
            self.ua.bye(self.clock.now(), call.session, &[]);
            self.end_call(Some(Side::Us));
        }
    }

    /// The call is over: the phone is free for another while media closes.
    fn end_call(&mut self, by: Option<Side>) {
        let now = self.clock.now();
        let Some(call) = self.call.take() else {
            return;
        };
        let leg = call.leg;
        if let Some(by) = by {
            self.say(&News::HungUp { by });
        }
        if let Some((recording, _)) = call.recording.clone() {
            self.tell(Command::StopRecord { recording, at: now });
        }
        self.past.push(Past {
            leg,
            by: call.by,
            answered: call.stage == Stage::Answered,
            broke: by == Some(Side::Nobody),
            recording: call.recording,
            is_media_closed: false,
        });
        self.tell(Command::CloseLeg { leg });
    }

    pub(super) fn notice(&mut self, notice: Notice) {
        match notice {
            Notice::Digit { digit, .. } => self.say(&News::Heard { key: digit }),
            Notice::LegClosed { leg, summary } => self.media_closed(leg, &summary),
            Notice::PlayDone {
                play,
                finished: true,
                ..
            } if play.0 == self.tally.plays => {
                self.say(&News::Played);
            }
            Notice::RecordingClosed(closed) => self.recorded(&closed),
            _ => {}
        }
        while let Some(at) = self.past.iter().position(Past::is_settled) {
            let past = self.past.swap_remove(at);
            self.account(&past);
        }
    }

    fn media_closed(&mut self, leg: LegId, summary: &MediaSummary) {
        let Some(past) = self.past.iter_mut().find(|past| past.leg == leg) else {
            return;
        };
        past.is_media_closed = true;
        if past.answered {
            self.say(&News::Media {
                received: summary.received,
                sent: summary.sent,
                lost: summary.lost,
                refused: summary.refused,
                jitter_ms: summary.jitter_ms,
            });
        }
    }

    fn recorded(&mut self, closed: &recorder::Closed) {
        let past = self.past.iter_mut().map(|past| &mut past.recording);
        let mut all = past.chain(self.call.iter_mut().map(|call| &mut call.recording));
        let found = all.find_map(|one| one.take_if(|(id, _)| *id == closed.recording));
        let Some((_, place)) = found else { return };
        if let Some(defect) = &closed.defect {
            self.trouble(format!("the recording is incomplete: {defect}"));
        }
        match tape::place(&self.scratch.path().join(&closed.path), &place) {
            Ok(()) => self.say(&News::Recorded {
                path: place.display().to_string(),
                duration_ms: closed.duration_ms,
            }),
            Err(error) => self.trouble(format!("{error:#}")),
        }
    }

    /// Whether the calls to answer or to refuse were had.
    fn has_enough(&self) -> bool {
        let had = match self.args.refuse {
            Some(_) => self.tally.refused,
            None => self.tally.answered,
        };
        self.args.answer > 0 && had >= self.args.answer
    }

    /// A call and its media are over: was it the last one?
    fn account(&mut self, past: &Past) {
        let outcome = if past.broke {
            Outcome::Lost
        } else {
            Outcome::Done
        };
        let is_last = match past.by {
            Side::Us => past.answered || past.broke,
            Side::Nobody | Side::Them => self.has_enough(),
        };
        if is_last && self.call.is_none() {
            self.finish(outcome);
        }
        self.keep_ready();
    }
}

impl Past {
    fn is_settled(&self) -> bool {
        self.is_media_closed && self.recording.is_none()
    }
}
