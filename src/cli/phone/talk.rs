//! The phone's call: ringing, answering, speaking, and its end.

use std::path::PathBuf;

use super::keys::Keys;
use super::line::Line;
use super::news::{News, Side};
use super::order::Order;
use super::{Outcome, sound};
use crate::base::{Clock as _, LegId, RecordingId, ShardId, Timestamp};
use crate::call::{leg_flow, local_media};
use crate::media::{Command, MediaError};
use crate::sdp::{self, Description, LocalMedia, Negotiated};
use crate::sip::ua::{Body, EndWhy, Event, Invite, SessionId, Terms};
use crate::sip::{Message, NameAddr};

/// The call at hand.
pub(super) struct Talk {
    pub(super) session: SessionId,
    pub(super) leg: LegId,
    pub(super) local: LocalMedia,
    /// Who began it.
    pub(super) by: Side,
    pub(super) stage: Stage,
    /// Their offer, until it is answered.
    pub(super) offer: Option<Description>,
    pub(super) answer_at: Option<Timestamp>,
    pub(super) hang_up_at: Option<Timestamp>,
    pub(super) keys: Keys,
    pub(super) keys_at: Option<Timestamp>,
    /// The recording that is not written yet, and where it belongs.
    pub(super) recording: Option<(RecordingId, PathBuf)>,
}

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Not answered yet.
    Ringing,
    /// Answered with an offer of ours; theirs comes with the ACK.
    Offered,
    /// Media flows.
    Answered,
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
            next_hop: self.flow.into(),
            uri: to.clone(),
            from: NameAddr::new(self.address(&from)),
            to: NameAddr::new(to),
            contact_user: from,
            routes: Vec::new(),
            headers: Vec::new(),
            body: Some(Body::sdp(sdp::offer(&local).to_bytes())),
            credentials: Some(self.credentials()),
            manners: None,
            max_forwards: 70,
            timeout: None,
            terms: Terms::PLAIN,
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
            Event::Cancelled { session, .. } if self.is_mine(session) => {
                self.end_call(Some(Side::Them));
            }
            Event::Ended { session, why } if self.is_mine(session) => {
                self.end_call(Some(match why {
                    EndWhy::LocalBye => Side::Us,
                    EndWhy::Expired
                    | EndWhy::NoAck
                    | EndWhy::NoPrack
                    | EndWhy::Timeout
                    | EndWhy::TransportFailed => Side::Nobody,
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
        match sdp::answer(&call.local, &offer, None) {
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
                flow: leg_flow(&agreed, None),
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
                    flow: leg_flow(&agreed, None),
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
        match offer.and_then(|offer| sdp::answer(&call.local, &offer, None).ok()) {
            Some((answer, agreed)) => {
                let leg = call.leg;
                self.tell(Command::SetLeg {
                    leg,
                    flow: leg_flow(&agreed, None),
                });
                self.ua
                    .answer_reoffer(now, session, Some(Body::sdp(answer.to_bytes())));
            }
            None => self.ua.refuse_reoffer(now, session, 488),
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
}
