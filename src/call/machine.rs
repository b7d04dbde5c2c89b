//! One call: dispatches what happens to its legs to the stage it is in. Decides nothing itself
//! but what is true in every stage: the caller's end is the call's end, and hold is hold.

use serde::{Deserialize, Serialize};

use super::core::Core;
use super::feature::{Feature, LegEvent, Next, Parting, Stage};
use super::hands::Hands;
use super::keys::{Form, Key};
use super::leg::Progress;
use super::negotiate;
use super::reason;
use crate::base::{Cause, LegId, Party, RecordingId, Timestamp};
use crate::events::Fact;
use crate::flow::Reply;
use crate::media::recorder::Closed;
use crate::media::{Command, Notice};
use crate::router;
use crate::sip::ua::{EndWhy, Event, ReferId, Unreached};
use crate::sip::{Contacts, Message};
use crate::voicemail::{self, Finished, Wish, Word};

/// One logical call.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Call {
    pub(crate) core: Core,
    pub(crate) stage: Stage,
}

impl Call {
    /// Begins the first stage.
    pub(crate) fn start(&mut self, hands: &mut Hands<'_>, stage: Stage) {
        self.follow(hands, Next::Become(stage));
    }

    /// Takes an event of one leg's SIP session.
    pub(crate) fn on_session(&mut self, hands: &mut Hands<'_>, leg: LegId, event: Event) {
        match event {
            Event::Acknowledged { body, .. } => self.on_ack(hands, leg, &body),
            Event::Answered { response, .. } => self.on_answer(hands, leg, &response),
            Event::Cancelled { reason, .. } => {
                let cause = reason::read(reason.as_deref(), Cause::from_status(487));
                self.core.leg_over(hands, leg, Party::Caller, cause.clone());
                self.end(hands, Party::Caller, &cause);
            }
            Event::Info { request, .. } => self.on_info(hands, leg, &request),
            Event::EarlyAnswer { request, .. } => self.on_ack(hands, leg, &request),
            Event::EarlyEnded { tag, .. } => self.on_early_ended(hands, leg, &tag),
            Event::Ended { why, .. } => self.on_ended(hands, leg, why),
            Event::Failed {
                status,
                unreached,
                response,
                ..
            } => {
                self.note_redirection(leg, status, response.as_ref());
                self.core
                    .note_refusal(hands, leg, status, response.as_ref());
                self.on_failed(hands, leg, status, unreached);
            }
            Event::Notified {
                refer,
                status,
                is_over,
                ..
            } => self.on_notified(hands, refer, (status, is_over)),
            Event::ReferAnswered { refer, status, .. } if status >= 300 => {
                self.on_notified(hands, refer, (Some(status), true));
            }
            Event::Progress { response, .. } => self.on_progress(hands, leg, &response),
            Event::Reanswered { response, .. } => self.on_reanswered(hands, leg, &response),
            Event::Reoffer { request, .. } => self.on_reoffer(hands, leg, &request),
            Event::Incoming { .. }
            | Event::Refer { .. }
            | Event::ReferAnswered { .. }
            | Event::ReofferFailed { .. }
            | Event::Request { .. }
            | Event::Response { .. } => {}
        }
    }

    /// Takes a notice about one of the call's media legs or recordings.
    pub(crate) fn on_notice(&mut self, hands: &mut Hands<'_>, notice: Notice) {
        let is_over = |leg: LegId| self.core.leg(leg).is_none_or(|leg| !leg.is_live());
        match notice {
            // Media sounds on for a moment when a leg has ended; what is measured then would come
            // after the end in the record. Its summary holds it.
            Notice::AudioBack { leg, .. }
            | Notice::AudioLost { leg, .. }
            | Notice::Quality { leg, .. }
            | Notice::Talking { leg, .. }
                if is_over(leg) => {}
            Notice::AudioBack { leg, way, after } => {
                self.core.audio_back(hands, leg, way, after);
            }
            Notice::AudioLost { leg, outage } => self.core.audio_lost(hands, leg, &outage),
            Notice::Quality { leg, media } => {
                let media = *media;
                self.core.emit(hands, Fact::LegMeasured { leg, media });
            }
            Notice::Digit {
                leg,
                digit,
                in_band,
                passed_on,
            } => {
                let form = match in_band {
                    false => Form::Event,
                    true => Form::Tone,
                };
                let key = Key {
                    digit,
                    form,
                    passed_on,
                };
                self.on_key(hands, leg, key);
            }
            Notice::LegCheckpoint { leg, state } => {
                if let Some(leg) = self.core.leg_mut(leg) {
                    leg.media = Some(state);
                }
            }
            Notice::LegClosed { leg, summary } => self.core.leg_closed(hands, leg, *summary),
            Notice::Talking { leg, talking } => {
                self.core.spoke(hands, leg, talking);
                self.core.emit(hands, Fact::LegTalking { leg, talking });
            }
            Notice::PlayDone {
                play,
                finished: true,
                ..
            } => {
                self.with_stage(hands, |stage, core, hands| {
                    stage.on_play_done(core, hands, play)
                });
            }
            Notice::Speaking { leg, speaking } => {
                self.with_stage(hands, |stage, core, hands| {
                    stage.on_speaking(core, hands, leg, speaking)
                });
            }
            Notice::FirstPacket { .. }
            | Notice::Overloaded { .. }
            | Notice::PlayDone { .. }
            | Notice::RecordingClosed(_)
            | Notice::RecordingTrouble { .. }
            | Notice::Silent { .. } => {}
        }
    }

    /// Takes a finished recording into the record.
    pub(crate) fn on_recording(&mut self, hands: &mut Hands<'_>, closed: &Closed) {
        self.core.recording_closed(&closed.recording);
        let recording = closed.facts();
        self.core
            .emit(hands, Fact::RecordingPublished { recording });
        let is_empty = match self.stage.feature() {
            Some(stage) => stage.said_nothing(),
            None => voicemail::is_greeting(&closed.path),
        };
        self.core.settle_commission(hands, closed, is_empty);
        if voicemail::is_in_a_mailbox(&closed.path) {
            let finished = Finished::of(closed, is_empty);
            hands.ask_voicemail(&self.core.id, Wish::File(finished));
        } else {
            self.with_stage(hands, |stage, core, hands| {
                stage.on_recording(core, hands, closed)
            });
        }
        // Nothing was recorded at all.
        if let (Some(why), 0) = (&closed.defect, closed.bytes) {
            self.end_unrecorded(hands, why);
        }
    }

    /// A recording cannot be written, or can again.
    pub(crate) fn on_recording_trouble(
        &mut self,
        hands: &mut Hands<'_>,
        recording: RecordingId,
        why: Option<String>,
    ) {
        let Some(why) = why else {
            let fact = Fact::RecordingRecovered { recording };
            return self.core.emit(hands, fact);
        };
        tracing::error!(call = %self.core.id, %recording, why, "call.recording_failing");
        let reason = why.clone();
        self.core
            .emit(hands, Fact::RecordingFailing { recording, why });
        self.end_unrecorded(hands, &reason);
    }

    /// No recording, no call, where the office wants it so.
    fn end_unrecorded(&mut self, hands: &mut Hands<'_>, why: &str) {
        let generation = hands.generations.get(&self.core.generation);
        if generation.is_some_and(|now| now.recording.required) {
            let words = format!("the call cannot be recorded: {why}");
            let cause = Cause::from_status(503).with_words(words);
            self.end(hands, Party::Switch, &cause);
        }
    }

    /// Takes what the mailboxes say.
    pub(crate) fn on_voicemail(&mut self, hands: &mut Hands<'_>, word: Word) {
        self.with_stage(hands, |stage, core, hands| {
            stage.on_voicemail(core, hands, word)
        });
    }

    /// Takes what the router says about the call.
    pub(crate) fn on_router(&mut self, hands: &mut Hands<'_>, output: &router::Output) {
        if let router::Output::WrapEnded {
            task,
            worker,
            code: Some(code),
            ..
        } = output
        {
            let (task, agent, code) = (task.clone(), worker.clone(), code.clone());
            self.core
                .emit(hands, Fact::WrapUpCoded { task, agent, code });
        }
        // `WrapUp::None`: the queue has no after-call work any more, whatever it had when the
        // call came in.
        if let router::Output::WrapEnded { task, .. }
        | router::Output::TaskEnded {
            task,
            wrap_up: router::WrapUp::None,
            ..
        } = output
        {
            self.core.wrap_ended(hands, Some(task));
        }
        self.with_stage(hands, |stage, core, hands| {
            stage.on_router(core, hands, output)
        });
    }

    /// A question of the call's flow is answered.
    pub(crate) fn on_told(&mut self, hands: &mut Hands<'_>, request: u64, reply: &Reply) {
        self.with_stage(hands, |stage, core, hands| {
            stage.on_told(core, hands, request, reply)
        });
    }

    /// The stage's deadline came.
    pub(crate) fn handle_timeout(&mut self, hands: &mut Hands<'_>) {
        self.with_stage(hands, |stage, core, hands| {
            stage.handle_timeout(core, hands)
        });
    }

    /// When the call wants to be woken.
    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        self.stage.poll_timeout()
    }

    /// Ends the call, whatever it is doing.
    pub(crate) fn end(&mut self, hands: &mut Hands<'_>, by: Party, cause: &Cause) {
        if self.core.ended.is_some() {
            return;
        }
        if let Some(stage) = self.stage.feature() {
            stage.leave(&mut self.core, hands);
        }
        self.stage = Stage::Over;
        self.core.end(hands, by, cause);
        if let Some(parting) = Parting::of(&self.core, hands) {
            self.follow(hands, Next::Become(Stage::Parting(Box::new(parting))));
        }
    }

    /// Whether the call is over but for its disconnect flow.
    pub(super) fn is_parting(&self) -> bool {
        matches!(self.stage, Stage::Parting(_))
    }

    /// What has not come by now is waited for no longer.
    pub(super) fn wait_no_longer(&mut self, hands: &mut Hands<'_>) {
        if self.is_parting() {
            tracing::warn!(call = %self.core.id, "disconnect flow cut short");
            self.stage = Stage::Over;
        }
        self.core.wait_no_longer(hands);
    }

    /// Hangs up one leg of a conversation; the stage decides what that means for the others.
    pub(crate) fn drop_leg(&mut self, hands: &mut Hands<'_>, leg: LegId) {
        let cause = Cause::normal().with_words("dropped by the operator");
        self.core.hang_up(hands, leg, Party::Switch, cause);
        self.on_leg(hands, leg, LegEvent::Ended);
    }

    /// The call was rebuilt: the stage goes on, and whoever was on hold hears music again.
    pub(crate) fn restored(&mut self, hands: &mut Hands<'_>) {
        for leg in &mut self.core.legs {
            leg.hears_music = false;
            if leg.is_answered() {
                hands.tell(Command::Answered { leg: leg.id });
            }
        }
        if let Some(stage) = self.stage.feature() {
            stage.restored(&mut self.core, hands);
        }
    }

    /// A leg of an application wants the caller to be connected with somebody else.
    pub(super) fn on_referral(&mut self, hands: &mut Hands<'_>, leg: LegId, to: String) {
        if let Stage::Application(application) = &mut self.stage {
            let next = application.on_referral(&mut self.core, hands, leg, to);
            self.follow(hands, next);
        }
    }

    /// A carrier that was asked to transfer a party of ours says how far it is.
    fn on_notified(&mut self, hands: &mut Hands<'_>, refer: ReferId, told: (Option<u16>, bool)) {
        let next = match &mut self.stage {
            Stage::Application(application) => {
                application.on_notified(&mut self.core, hands, refer, told)
            }
            Stage::Transfer(transfer) => transfer.on_notified(&mut self.core, hands, refer, told),
            _ => return,
        };
        self.follow(hands, next);
    }

    fn on_answer(&mut self, hands: &mut Hands<'_>, leg: LegId, response: &Message) {
        let agreed = self.core.take_final(hands, leg, response);
        let Some(state) = self.core.leg_mut(leg) else {
            return;
        };
        state.heard.note(response);
        state.progress = Progress::Answered;
        let codec = state
            .negotiated
            .as_ref()
            .map_or("", negotiate::codec_name)
            .to_owned();
        if !agreed {
            // RFC 3261 §13.2.2.4: a 2xx whose answer is unusable is ACKed, then ended.
            self.core
                .hang_up(hands, leg, Party::Switch, Cause::from_status(488));
            self.on_leg(hands, leg, LegEvent::Failed(488));
            return;
        }
        self.core.answered(hands, leg, codec);
        self.on_leg(hands, leg, LegEvent::Answered);
    }

    /// Where the far end of a leg said to go instead (RFC 3261 §21.3).
    fn note_redirection(&mut self, leg: LegId, status: u16, response: Option<&Message>) {
        if let (Some(state), 300..=399, Some(Ok(Contacts::Addresses(moved)))) = (
            self.core.leg_mut(leg),
            status,
            response.map(Message::contacts),
        ) {
            state.moved = moved;
        }
    }

    fn on_failed(
        &mut self,
        hands: &mut Hands<'_>,
        leg: LegId,
        status: u16,
        unreached: Option<Unreached>,
    ) {
        let mut cause = Cause::from_status(status);
        if let Some(why) = unreached {
            cause = cause.with_words(why.to_string());
            if let Some(state) = self.core.leg_mut(leg) {
                state.is_unreached = true;
            }
        }
        let by = self
            .core
            .leg(leg)
            .map_or(Party::Switch, |leg| leg.as_party());
        self.core.leg_over(hands, leg, by, cause);
        self.on_leg(hands, leg, LegEvent::Failed(status));
    }

    fn on_ended(&mut self, hands: &mut Hands<'_>, leg: LegId, why: EndWhy) {
        let Some(state) = self.core.leg(leg) else {
            return;
        };
        let (party, is_caller) = (state.as_party(), self.core.is_lead(leg));
        let no_reply = || Cause::from_status(408);
        let (by, cause) = match why {
            EndWhy::Expired => (
                Party::Switch,
                no_reply().with_words("session timer expired"),
            ),
            EndWhy::LocalBye => (party, Cause::normal()),
            EndWhy::NoAck => {
                let words = "the answer was never ACKed";
                (Party::Switch, no_reply().with_words(words))
            }
            EndWhy::NoPrack => {
                let words = "a reliable response was never acknowledged";
                (Party::Switch, Cause::from_status(504).with_words(words))
            }
            EndWhy::RemoteBye { reason, .. } => {
                (party, reason::read(reason.as_deref(), Cause::normal()))
            }
            EndWhy::Timeout => (Party::Switch, no_reply()),
            EndWhy::TransportFailed => (Party::Switch, Cause::from_status(503)),
        };
        self.core.leg_over(hands, leg, by, cause.clone());
        if is_caller {
            self.end(hands, by, &cause);
        } else {
            self.on_leg(hands, leg, LegEvent::Ended);
        }
    }

    pub(super) fn on_leg(&mut self, hands: &mut Hands<'_>, leg: LegId, event: LegEvent) {
        self.with_stage(hands, |stage, core, hands| {
            stage.on_leg(core, hands, leg, event)
        });
    }

    pub(super) fn with_stage(
        &mut self,
        hands: &mut Hands<'_>,
        act: impl FnOnce(&mut dyn Feature, &mut Core, &mut Hands<'_>) -> Next,
    ) {
        let Some(stage) = self.stage.feature() else {
            return;
        };
        let next = act(stage, &mut self.core, hands);
        self.follow(hands, next);
    }

    fn follow(&mut self, hands: &mut Hands<'_>, mut next: Next) {
        loop {
            match next {
                Next::Stay => return,
                Next::End(by, cause) => return self.end(hands, by, &cause),
                Next::Become(stage) => {
                    tracing::debug!(
                        call = %self.core.id, from = self.stage.name(), to = stage.name(), "stage"
                    );
                    self.stage = stage;
                    let Some(stage) = self.stage.feature() else {
                        return;
                    };
                    next = stage.enter(&mut self.core, hands);
                }
            }
        }
    }
}
