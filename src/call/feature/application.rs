//! A call in an application: documents of the user's own web application say what becomes of it.

mod dialled;
pub(super) mod facts;
mod parties;
mod recorder;
mod tape;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::waiting::care;
use super::{Conferring, Dequeuing, Feature, InLine, LegEvent, Next, Stage, Talk, Waiting};
use crate::base::{Cause, LegId, Party, Timestamp};
use crate::call::core::Core;
use crate::call::hands::Hands;
use crate::call::inquiry::Supply;
use crate::call::reading::Reading;
use crate::events::Stretch;
use crate::flow::Reply;
use crate::media::PlayId;
use crate::media::recorder::Closed;
use crate::router::Destination;
use crate::sip::Uri;
use crate::sip::ua::ReferId;
use crate::twiml::{
    Action, Enqueueing, Input, LegNews, Modification, Ringing, Run, TargetKind, Terms,
};
use parties::{News, Parties};
use recorder::Recorder;
use tape::{Order, Tape};

/// An application under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Application {
    reading: Reading,
    beginning: Option<Beginning>,
    /// Whom it calls for the caller.
    #[serde(default)]
    parties: Parties,
    /// The caller, being recorded.
    #[serde(default)]
    recorder: Option<Box<Recorder>>,
    /// The conversation, being recorded or to be.
    #[serde(default)]
    order: Option<Order>,
    #[serde(default)]
    tape: Option<Tape>,
    /// Asks the caller's side to go elsewhere.
    #[serde(skip)]
    referral: Option<ReferId>,
    /// What the run is told next: a call that is rebuilt hears it when its time comes.
    #[serde(default)]
    untold: News,
    /// Whether the record says that the caller is in the application, and nowhere else.
    #[serde(default)]
    is_alone: bool,
}

/// What the run hears when the stage begins.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Beginning {
    /// It goes on with what became of its last request.
    Again(Box<Input>),
    /// It begins, and does not know yet of which call; what the number gives it.
    OfCaller(Map<String, Value>),
}

impl Application {
    /// An application that goes on with what became of its last request.
    pub(crate) fn resume(run: Run, input: Input) -> Self {
        Self::beginning(run, Beginning::Again(Box::new(input)))
    }

    /// An application that goes on where its documents are.
    pub(crate) fn go_on(reading: Reading) -> Self {
        Self::of(reading, None)
    }

    /// The application of a number or a flow, for whoever calls there.
    pub(crate) fn of_caller(terms: Terms, attributes: Map<String, Value>) -> Self {
        let run = Run::new(facts::unknown(), terms);
        Self::beginning(run, Beginning::OfCaller(attributes))
    }

    fn beginning(run: Run, beginning: Beginning) -> Self {
        Self::of(Reading::to_caller(run), Some(beginning))
    }

    fn of(reading: Reading, beginning: Option<Beginning>) -> Self {
        Self {
            reading,
            beginning,
            parties: Parties::default(),
            recorder: None,
            order: None,
            tape: None,
            referral: None,
            untold: News::new(),
            is_alone: false,
        }
    }

    /// The run, to look at.
    pub(crate) fn run(&self) -> &Run {
        self.reading.run()
    }

    /// The conversation with somebody it called, where there is one.
    pub(crate) fn talk_mut(&mut self) -> Option<&mut Talk> {
        self.parties.talk_mut()
    }

    /// Whether the caller talks with somebody it called.
    pub(crate) fn is_talking(&self) -> bool {
        self.parties.is_talking()
    }

    /// Whether a leg that refers the caller elsewhere is listened to: the application says what
    /// follows.
    pub(crate) fn hears_referral(&self, leg: LegId) -> bool {
        self.parties.peer() == Some(leg) && self.run().hears_referral()
    }

    /// A leg wants the caller to be connected with somebody else.
    pub(crate) fn on_referral(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        leg: LegId,
        to: String,
    ) -> Next {
        if let Some(number) = self.parties.number_of(leg) {
            self.tell(hands, vec![(number, LegNews::Refers { to })]);
        }
        self.follow(core, hands)
    }

    /// The caller's side says how far it is with going elsewhere.
    pub(crate) fn on_notified(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        refer: ReferId,
        (status, is_over): (Option<u16>, bool),
    ) -> Next {
        if self.referral != Some(refer) {
            return Next::Stay;
        }
        // RFC 3515 §2.4.5: the subscription ended, and nothing was said of success.
        let status = match (status, is_over) {
            (Some(status @ 200..), _) => status,
            (_, true) => 500,
            (_, false) => return Next::Stay,
        };
        self.referral = None;
        self.reading.handle(hands, Input::Referred { status });
        self.follow(core, hands)
    }

    /// Tells the run what became of those it called.
    fn tell(&mut self, hands: &Hands<'_>, news: News) {
        self.look_at_tape(hands.now);
        for (leg, news) in news {
            self.reading.handle(hands, Input::Leg { leg, news });
        }
    }

    /// The run knows how long the recording of the conversation is by now.
    fn look_at_tape(&mut self, now: Timestamp) {
        if let Some(tape) = &self.tape {
            let (recording, length) = tape.so_far(now);
            self.reading.run_mut().note_recording(recording, length);
        }
    }

    /// Does what the run wants, until it waits.
    fn follow(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        loop {
            while let Some(action) = self.reading.poll(core, hands) {
                if let Some(end) = self.carry_out(core, hands, action) {
                    return end;
                }
            }
            let recorder = self.recorder.as_mut();
            let run = self.reading.run();
            match recorder.and_then(|recorder| recorder.follow(core, hands, run)) {
                None => break,
                Some(recorded) => {
                    self.recorder = None;
                    self.reading.handle(hands, recorded);
                }
            }
        }
        if !self.parties.is_talking() {
            (self.tape, self.order) = (None, self.order.take_if(|_| self.parties.are_any()));
        }
        if !self.parties.are_any() && !std::mem::replace(&mut self.is_alone, true) {
            core.caller_enters(hands, Stretch::Ivr, APPLICATION);
        }
        Next::Stay
    }

    /// Carries out one thing; the end of the call when that was it.
    fn carry_out(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        action: Action,
    ) -> Option<Next> {
        match action {
            Action::Answer => {
                if let Err(status) = core.answer_caller(hands) {
                    return Some(Next::End(Party::Switch, Cause::from_status(status)));
                }
            }
            Action::Bridge { leg } => return self.bridge(core, hands, leg),
            Action::Cancel { leg } => self.parties.cancel(core, hands, leg),
            Action::Finished => return Some(Next::End(Party::Switch, Cause::normal())),
            Action::HangUp { cause } => return Some(Next::End(Party::Switch, cause)),
            Action::Record {
                record,
                terms,
                callback,
                ..
            } => {
                let recorder = Recorder::new(record, terms, callback, hands.now);
                self.recorder = Some(Box::new(recorder));
            }
            Action::RecordCall {
                recording,
                callback,
            } => {
                self.order = Some(Order::new(recording, callback));
                self.begin_tape(core, hands);
            }
            Action::Refer { to } => self.refer(core, hands, &to),
            Action::Ring(ringing) => match &ringing.kind {
                TargetKind::Queue { .. } => {
                    let dequeuing = Dequeuing::new(self.reading.clone(), *ringing);
                    return Some(Next::Become(Stage::Dequeuing(Box::new(dequeuing))));
                }
                _ => self.ring(core, hands, *ringing),
            },
            Action::StopRecording => {
                if let Some(recorder) = self.recorder.take() {
                    recorder.stop(hands);
                }
            }
            Action::Whisper { leg, link } => {
                let (parties, run) = (&mut self.parties, self.reading.run());
                let news = parties.whisper(core, hands, (leg, link), run);
                self.tell(hands, news);
            }
            Action::Enqueue(enqueueing) => {
                return Some(Next::Become(self.stand_in(core, hands, enqueueing)));
            }
            Action::Join(joining) => {
                let conferring = Conferring::new(self.reading.clone(), *joining);
                return Some(Next::Become(Stage::Conferring(Box::new(conferring))));
            }
            Action::LeaveConference | Action::LeaveQueue | Action::WhisperDone => {}
            // What concerns the caller's leg alone is carried out by the reading.
            Action::Fetch(_)
            | Action::Listen { .. }
            | Action::Notify(_)
            | Action::Play { .. }
            | Action::StopListening
            | Action::StopPlay => {}
        }
        None
    }

    /// Where a caller is put: a queue with agents when the configuration has one of the name, else a
    /// line that documents make.
    fn stand_in(&self, core: &Core, hands: &Hands<'_>, enqueueing: Enqueueing) -> Stage {
        let reading = self.reading.clone();
        match &enqueueing.to {
            Destination::Queue(name) if care(core, hands, name).is_none() => {
                let line = InLine::new(reading, name.clone(), &enqueueing);
                Stage::InLine(Box::new(line))
            }
            _ => Stage::Waiting(Box::new(Waiting::for_documents(reading, enqueueing))),
        }
    }

    fn ring(&mut self, core: &mut Core, hands: &mut Hands<'_>, ringing: Ringing) {
        self.is_alone = false;
        core.caller_enters(hands, Stretch::Ring, &ringing.kind.to());
        let news = self.parties.ring(core, hands, ringing);
        self.tell(hands, news);
    }

    fn bridge(&mut self, core: &mut Core, hands: &mut Hands<'_>, leg: u64) -> Option<Next> {
        match self.parties.bridge(core, hands, leg) {
            Ok(true) => self.begin_tape(core, hands),
            Ok(false) => {}
            Err(status) => return Some(Next::End(Party::Switch, Cause::from_status(status))),
        }
        None
    }

    /// Records the conversation, when that is wanted and there is one.
    fn begin_tape(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        if let (Some(order), Some(peer), None) = (&self.order, self.parties.peer(), &self.tape) {
            self.tape = order.begin(core, hands, peer, self.reading.run());
            self.look_at_tape(hands.now);
        }
    }

    fn refer(&mut self, core: &mut Core, hands: &mut Hands<'_>, to: &str) {
        let session = core.caller().session;
        let good = to.parse().is_ok_and(|uri: Uri| uri.is_sip());
        let referral = match good {
            true => hands.ua.refer(hands.now, session, &format!("<{to}>"), &[]),
            false => None,
        };
        self.referral = referral;
        if referral.is_none() {
            let status = if good { 500 } else { 416 };
            self.reading.handle(hands, Input::Referred { status });
        }
    }
}

impl Feature for Application {
    fn enter(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        self.is_alone = true;
        core.caller_enters(hands, Stretch::Ivr, APPLICATION);
        match self.beginning.take() {
            None => {}
            Some(Beginning::Again(input)) => self.reading.handle(hands, *input),
            Some(Beginning::OfCaller(attributes)) => {
                core.note_attributes(hands, attributes);
                let run = self.reading.run().clone();
                let mut run = run.of_call(facts::of_caller(core, hands));
                run.start(hands.now);
                self.reading = Reading::to_caller(run);
            }
        }
        self.follow(core, hands)
    }

    fn on_leg(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        leg: LegId,
        event: LegEvent,
    ) -> Next {
        let news = self.parties.on_leg(core, hands, leg, event);
        self.tell(hands, news);
        self.follow(core, hands)
    }

    fn on_digit(&mut self, core: &mut Core, hands: &mut Hands<'_>, leg: LegId, key: char) -> Next {
        if leg == core.caller().id
            && let Some(recorder) = &mut self.recorder
        {
            recorder.on_digit(hands.now, key);
        }
        self.look_at_tape(hands.now);
        self.reading.on_digit(core, hands, leg, key);
        let pressed = |whisper: &mut Reading, core: &mut Core, hands: &mut Hands<'_>| {
            whisper.on_digit(core, hands, leg, key);
        };
        let news = self.parties.with_whispers(core, hands, pressed);
        self.tell(hands, news);
        self.follow(core, hands)
    }

    fn on_play_done(&mut self, core: &mut Core, hands: &mut Hands<'_>, play: PlayId) -> Next {
        if let Some(recorder) = &mut self.recorder {
            recorder.on_play_done(hands.now, play);
        }
        self.reading.on_play_done(core, hands, play);
        let done = |whisper: &mut Reading, core: &mut Core, hands: &mut Hands<'_>| {
            whisper.on_play_done(core, hands, play);
        };
        let news = self.parties.with_whispers(core, hands, done);
        self.tell(hands, news);
        self.follow(core, hands)
    }

    fn on_speaking(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        leg: LegId,
        speaking: bool,
    ) -> Next {
        if leg == core.caller().id
            && let Some(recorder) = &mut self.recorder
        {
            recorder.on_speaking(hands.now, speaking);
        }
        self.follow(core, hands)
    }

    fn said_nothing(&self) -> bool {
        self.recorder
            .as_ref()
            .is_some_and(|recorder| recorder.is_empty())
    }

    fn on_recording(&mut self, core: &mut Core, hands: &mut Hands<'_>, closed: &Closed) -> Next {
        if let Some(recorder) = &mut self.recorder {
            recorder.on_recording(closed);
        }
        if let Some(tape) = &mut self.tape {
            tape.on_recording(closed);
        }
        self.follow(core, hands)
    }

    fn on_told(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        ticket: u64,
        reply: &Reply,
    ) -> Next {
        self.reading.on_told(core, hands, ticket, reply);
        let told = |whisper: &mut Reading, core: &mut Core, hands: &mut Hands<'_>| {
            whisper.on_told(core, hands, ticket, reply);
        };
        let news = self.parties.with_whispers(core, hands, told);
        self.tell(hands, news);
        self.follow(core, hands)
    }

    fn on_supply(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        ticket: u64,
        supply: &Supply,
    ) -> Next {
        self.reading.on_supply(core, hands, ticket, supply);
        let supplied = |whisper: &mut Reading, core: &mut Core, hands: &mut Hands<'_>| {
            whisper.on_supply(core, hands, ticket, supply);
        };
        let news = self.parties.with_whispers(core, hands, supplied);
        self.tell(hands, news);
        self.follow(core, hands)
    }

    fn modify(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        wish: Modification,
    ) -> Option<Next> {
        self.look_at_tape(hands.now);
        self.reading.handle(hands, Input::Modify(wish));
        Some(self.follow(core, hands))
    }

    fn handle_timeout(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        let untold = std::mem::take(&mut self.untold);
        self.tell(hands, untold);
        if let Some(recorder) = &mut self.recorder {
            recorder.handle_timeout(hands.now);
        }
        let (news, ready) = self.parties.handle_timeout(core, hands);
        self.tell(hands, news);
        if let Some(end) = ready.and_then(|leg| self.bridge(core, hands, leg)) {
            return end;
        }
        self.reading.handle_timeout(core, hands);
        self.follow(core, hands)
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        let untold = (!self.untold.is_empty()).then_some(Timestamp::ZERO);
        let recorder = self.recorder.as_ref().and_then(|it| it.poll_timeout());
        let times = [
            untold,
            recorder,
            self.parties.poll_timeout(),
            self.reading.poll_timeout(),
        ];
        times.into_iter().flatten().min()
    }

    /// What was asked is asked again, whoever rang rings again, what was recorded is recorded anew.
    fn restored(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        if let Some(recorder) = self.recorder.take() {
            self.recorder = Some(Box::new(recorder.again(hands.now)));
        }
        let news = self.parties.restored(core, hands);
        self.untold.extend(news);
        if self.tape.take().is_some() {
            self.begin_tape(core, hands);
        }
        self.reading.restored(core, hands);
        // The recorder begins, and whatever the reading found out is followed, when time goes on.
        if self.recorder.is_some() {
            let run = self.reading.run();
            let recorder = self.recorder.as_mut();
            let over = recorder.and_then(|recorder| recorder.follow(core, hands, run));
            if let Some(recorded) = over {
                self.recorder = None;
                self.reading.handle(hands, recorded);
            }
        }
    }

    fn leave(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        self.look_at_tape(hands.now);
        if let Some(recorder) = self.recorder.take() {
            self.reading.handle(hands, recorder.hung_up(hands.now));
        }
        self.parties.leave(core, hands);
        self.reading.leave(core, hands);
    }
}

/// What the record says the caller is with.
const APPLICATION: &str = "application";
