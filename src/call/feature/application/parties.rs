//! Those whom an application calls for a caller: they ring, hear something of their own, talk with
//! him.

mod whispers;

use serde::{Deserialize, Serialize};

use super::dialled::Keys;
use crate::base::{Cause, LegId, Party as Side, Timestamp};
use crate::call::core::{Core, Looped};
use crate::call::feature::{Feature, LegEvent, Next, Ringing as Rings, Talk};
use crate::call::hands::Hands;
use crate::call::leg::Progress;
use crate::call::reading::Reading;
use crate::twiml::{LegNews, Ringing, Sid, SidKind, TargetKind};

/// All of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Parties {
    all: Vec<Party>,
    /// The conversation with one of them.
    talk: Option<Box<Talk>>,
    /// Whose early media the caller hears.
    heard: Option<LegId>,
    /// Whether he hears our own ring-back tone.
    tone: bool,
}

/// One that is called, at one or more contacts.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Party {
    asked: Ringing,
    sid: Sid,
    legs: Vec<LegId>,
    /// The leg that answered first.
    answered: Option<LegId>,
    has_rung: bool,
    /// The best refusal so far.
    refused: Option<u16>,
    /// Keys that are pressed before it is connected.
    keys: Option<Keys>,
    /// The document it hears before it is connected.
    whisper: Option<Box<Reading>>,
    /// Whether it is to be connected as soon as that is over.
    is_wanted: bool,
}

/// What became of parties: number and news, in their order.
pub(super) type News = Vec<(u64, LegNews)>;

impl Parties {
    /// The conversation, where there is one.
    pub(super) fn talk_mut(&mut self) -> Option<&mut Talk> {
        self.talk.as_deref_mut()
    }

    /// Whether there are any.
    pub(super) fn are_any(&self) -> bool {
        !self.all.is_empty()
    }

    /// Whether the caller talks with one of them.
    pub(super) fn is_talking(&self) -> bool {
        self.talk.is_some()
    }

    /// Whom the caller talks with.
    pub(super) fn peer(&self) -> Option<LegId> {
        self.talk.as_ref().map(|talk| talk.peer())
    }

    /// The number of the party that talks by a leg.
    pub(super) fn number_of(&self, leg: LegId) -> Option<u64> {
        let party = self.all.iter().find(|party| party.legs.contains(&leg))?;
        Some(party.asked.leg)
    }

    /// Calls one.
    pub(super) fn ring(&mut self, core: &mut Core, hands: &mut Hands<'_>, asked: Ringing) -> News {
        let number = asked.leg;
        let place = core.legs.len();
        let rung = place_legs(core, hands, &asked);
        let first = core.legs.get(place).map(|leg| leg.id);
        let keys = match &asked.kind {
            TargetKind::Number {
                send_digits: Some(digits),
                ..
            } => Some(Keys::new(digits)),
            _ => None,
        };
        // Without a leg the number of the request tells it from others of the call.
        let id = match first {
            Some(leg) => format!("{}/{leg}", core.id.as_str()),
            None => format!("{}/dial-{number}", core.id.as_str()),
        };
        let sid = Sid::derive(SidKind::Call, &id);
        let mut news = vec![(number, LegNews::Initiated { call: sid.clone() })];
        match rung {
            Ok(legs) => {
                if core.calls_for_help(hands, &legs) {
                    news.push((number, LegNews::CallsForHelp));
                }
                self.all.push(Party {
                    asked,
                    sid,
                    legs,
                    answered: None,
                    has_rung: false,
                    refused: None,
                    keys,
                    whisper: None,
                    is_wanted: false,
                });
                self.ring_back(core, hands);
            }
            Err(status) => news.push((number, LegNews::Ended { status })),
        }
        news
    }

    /// A caller whose own phone does not ring hears that it rings.
    fn ring_back(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        if !core.caller().hears_us() || self.tone || self.heard.is_some() {
            return;
        }
        let country = self
            .all
            .iter()
            .find_map(|party| party.asked.ring_tone.clone());
        let of_country =
            country.map(|country| format!("ringback-{}", country.to_ascii_lowercase()));
        let known = of_country.filter(|name| core.sound(hands, name, None).is_some());
        let name = known.unwrap_or_else(|| "ringback".to_owned());
        self.tone = true;
        core.play(hands, core.caller().id, [name.as_str()], Looped::Forever);
    }

    /// The caller hears none of them any more.
    fn quiet(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        if std::mem::take(&mut self.tone) {
            core.stop_play(hands, core.caller().id);
        }
        if self.heard.take().is_some() {
            core.close_room(hands);
        }
    }

    /// Nobody rings any more: nothing is to be heard of it.
    fn quiet_if_alone(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        if self.all.is_empty() {
            self.quiet(core, hands);
        }
    }

    /// Something happened to a leg.
    pub(super) fn on_leg(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        leg: LegId,
        event: LegEvent,
    ) -> News {
        if let Some(talk) = &mut self.talk {
            let next = talk.on_leg(core, hands, leg, event);
            return match next {
                Next::End(..) => self.talk_is_over(core, hands),
                Next::Become(_) | Next::Stay => News::new(),
            };
        }
        let Some(place) = self.all.iter().position(|one| one.legs.contains(&leg)) else {
            return News::new();
        };
        match event {
            LegEvent::Answered => self.answered(core, hands, place, leg),
            LegEvent::Progress(how) => self.rings(core, hands, place, (leg, how)),
            LegEvent::Ended => self.gone(core, hands, place, 200),
            LegEvent::Failed(status) => self.failed(core, hands, place, (leg, status)),
        }
    }

    fn answered(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        place: usize,
        leg: LegId,
    ) -> News {
        let Some(party) = self.all.get_mut(place) else {
            return News::new();
        };
        let number = party.asked.leg;
        for other in std::mem::take(&mut party.legs) {
            if other != leg {
                let cause = Cause::answered_elsewhere();
                core.hang_up(hands, other, Side::Switch, cause);
            }
        }
        party.legs = vec![leg];
        party.answered = Some(leg);
        if let Some(keys) = &mut party.keys {
            keys.begin(hands.now);
        }
        // What it hears and says before it is connected is nobody else's.
        if self.heard.take().is_some() {
            core.close_room(hands);
            self.ring_back(core, hands);
        }
        vec![(number, LegNews::Answered)]
    }

    fn rings(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        place: usize,
        (leg, how): (LegId, Rings),
    ) -> News {
        let arrives = core.caller().progress == Progress::Arriving;
        let session = core.caller().session;
        match how {
            Rings::EarlyMedia if arrives && core.caller().remote_offer.is_some() => {
                self.hear_early(core, hands, leg);
            }
            _ if arrives => hands.ua.ring(hands.now, session, 180, &[], None),
            Rings::EarlyMedia => self.hear_early(core, hands, leg),
            Rings::Tone => {}
        }
        let Some(party) = self.all.get_mut(place) else {
            return News::new();
        };
        match std::mem::replace(&mut party.has_rung, true) {
            true => News::new(),
            false => vec![(party.asked.leg, LegNews::Ringing)],
        }
    }

    /// Lets the caller hear what the far end sends before it answers; of several the first.
    fn hear_early(&mut self, core: &mut Core, hands: &mut Hands<'_>, leg: LegId) {
        if core.room.is_some() {
            return;
        }
        let caller = core.caller().id;
        if core.caller().progress == Progress::Arriving {
            let Ok(body) = core.answer_body(hands, caller) else {
                return;
            };
            let session = core.caller().session;
            hands.ua.ring(hands.now, session, 183, &[], Some(body));
        }
        self.quiet(core, hands);
        core.join(hands, caller);
        core.join(hands, leg);
        self.heard = Some(leg);
    }

    fn failed(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        place: usize,
        (leg, status): (LegId, u16),
    ) -> News {
        if self.heard.take_if(|heard| *heard == leg).is_some() {
            core.close_room(hands);
            self.ring_back(core, hands);
        }
        let Some(party) = self.all.get_mut(place) else {
            return News::new();
        };
        party.legs.retain(|other| *other != leg);
        let shown = shown_by(core, &party.asked);
        let next = core.showing(shown, |core| core.ring_next_trunk(hands, leg, status));
        if let Some(next) = next {
            party.legs.push(next);
            return News::new();
        }
        let busy = matches!(status, 486 | 600);
        if party.refused.is_none() || busy {
            party.refused = Some(status);
        }
        // RFC 3261 §16.7 step 5: a 6xx speaks for the callee, wherever else it rings.
        if !party.legs.is_empty() && status < 600 {
            return News::new();
        }
        let status = party.refused.unwrap_or(status);
        self.gone(core, hands, place, status)
    }

    /// A party is not there any more.
    fn gone(&mut self, core: &mut Core, hands: &mut Hands<'_>, place: usize, status: u16) -> News {
        let mut party = self.all.remove(place);
        for leg in std::mem::take(&mut party.legs) {
            core.hang_up(hands, leg, Side::Switch, Cause::from_status(487));
        }
        if let Some(mut whisper) = party.whisper.take() {
            whisper.leave(core, hands);
        }
        self.quiet_if_alone(core, hands);
        vec![(party.asked.leg, LegNews::Ended { status })]
    }

    /// One is not wanted any more.
    pub(super) fn cancel(&mut self, core: &mut Core, hands: &mut Hands<'_>, number: u64) {
        let Some(place) = self.all.iter().position(|one| one.asked.leg == number) else {
            return;
        };
        let is_peer = self.all.get(place).is_some_and(|party| {
            let peer = self.talk.as_ref().map(|talk| talk.peer());
            peer.is_some_and(|peer| party.legs.contains(&peer))
        });
        let is_elsewhere = self.all.iter().any(|other| other.answered.is_some());
        let mut party = self.all.remove(place);
        if let Some(mut whisper) = party.whisper.take() {
            whisper.leave(core, hands);
        }
        let cause = match (party.answered, is_elsewhere) {
            (Some(_), _) => Cause::normal(),
            (None, true) => Cause::answered_elsewhere(),
            (None, false) => Cause::no_answer(),
        };
        if is_peer {
            self.talk = None;
            core.close_room(hands);
            // Whoever joined the conversation meanwhile has nobody to talk with.
            let others: Vec<LegId> = core.others().map(|leg| leg.id).collect();
            for leg in others {
                core.hang_up(hands, leg, Side::Switch, cause.clone());
            }
        }
        for leg in party.legs {
            core.hang_up(hands, leg, Side::Switch, cause.clone());
        }
        self.quiet_if_alone(core, hands);
    }

    /// The caller and a party are to hear each other; whether they do: keys may be pressed before.
    pub(super) fn bridge(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        number: u64,
    ) -> Result<bool, u16> {
        let party = self.all.iter_mut().find(|one| one.asked.leg == number);
        let Some((leg, party)) = party.and_then(|party| Some((party.answered?, party))) else {
            return Ok(false);
        };
        party.is_wanted = true;
        if party.keys.as_ref().is_some_and(|keys| !keys.are_pressed()) {
            return Ok(false);
        }
        self.quiet(core, hands);
        core.answer_caller(hands)?;
        let mut talk = Box::new(Talk::with_callee(leg, None));
        talk.enter(core, hands);
        self.talk = Some(talk);
        Ok(true)
    }

    /// Of the party that the caller talked with nobody is left.
    fn talk_is_over(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> News {
        self.talk = None;
        core.close_room(hands);
        let talked = self.all.iter().position(|party| party.answered.is_some());
        match talked {
            Some(place) => self.gone(core, hands, place, 200),
            None => News::new(),
        }
    }

    /// When to call [`Parties::handle_timeout`].
    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        let parties = self.all.iter().flat_map(|party| {
            let whisper = party.whisper.as_ref().and_then(|one| one.poll_timeout());
            [whisper, party.keys.as_ref().and_then(Keys::poll_timeout)]
        });
        let talk = self.talk.as_ref().and_then(|talk| talk.poll_timeout());
        parties.chain([talk]).flatten().min()
    }

    /// Time has passed: news, and the party that can be connected now.
    pub(super) fn handle_timeout(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
    ) -> (News, Option<u64>) {
        let mut news = News::new();
        if let Some(talk) = &mut self.talk
            && let Next::End(..) = talk.handle_timeout(core, hands)
        {
            news.extend(self.talk_is_over(core, hands));
        }
        let mut ready = None;
        for party in &mut self.all {
            if let (Some(keys), Some(leg)) = (&mut party.keys, party.answered)
                && keys.press(hands, leg)
                && party.is_wanted
            {
                ready = Some(party.asked.leg);
            }
        }
        let wake = |whisper: &mut Reading, core: &mut Core, hands: &mut Hands<'_>| {
            if whisper.poll_timeout().is_some_and(|at| at <= hands.now) {
                whisper.handle_timeout(core, hands);
            }
        };
        news.extend(self.with_whispers(core, hands, wake));
        (news, ready)
    }

    /// The call was rebuilt: whoever rang heard nothing of it, and rings anew. Who cannot be rung
    /// any more is told of.
    pub(super) fn restored(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> News {
        let mut news = News::new();
        self.heard = None;
        if let Some(talk) = &mut self.talk {
            talk.restored(core, hands);
            return news;
        }
        core.close_room(hands);
        let mut left = Vec::new();
        for mut party in std::mem::take(&mut self.all) {
            if party.answered.is_some() {
                if let Some(whisper) = &mut party.whisper {
                    whisper.restored(core, hands);
                }
                left.push(party);
                continue;
            }
            match place_legs(core, hands, &party.asked) {
                Ok(legs) => {
                    party.legs = legs;
                    left.push(party);
                }
                Err(status) => news.push((party.asked.leg, LegNews::Ended { status })),
            }
        }
        self.all = left;
        self.quiet_if_alone(core, hands);
        news
    }

    /// The call ends.
    pub(super) fn leave(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        if let Some(mut talk) = self.talk.take() {
            talk.leave(core, hands);
        }
        for mut party in std::mem::take(&mut self.all) {
            if let Some(whisper) = &mut party.whisper {
                whisper.leave(core, hands);
            }
        }
    }
}

/// What a leg is to show, when that is not the caller's own number.
fn shown_by(core: &Core, asked: &Ringing) -> Option<String> {
    let own = &core.from;
    let is_own = asked.caller_id == *own
        || asked.caller_id.starts_with("sip")
        || asked.caller_id.starts_with("client:");
    (!is_own && !asked.caller_id.is_empty()).then(|| asked.caller_id.clone())
}

/// Rings whoever is asked for: the legs, or what a phone would be told instead.
fn place_legs(core: &mut Core, hands: &mut Hands<'_>, asked: &Ringing) -> Result<Vec<LegId>, u16> {
    let shown = shown_by(core, asked);
    core.showing(shown, |core| super::dialled::ring(core, hands, &asked.kind))
}
