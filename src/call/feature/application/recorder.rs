//! A caller who is recorded for an application: a tone, his words, and what ended them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{RecordingId, Timestamp};
use crate::call::commission::Commission;
use crate::call::core::{Core, Looped};
use crate::call::hands::Hands;
use crate::flow::RecordTerms;
use crate::ivr::{Take, TakeOutput, TakeTerms, Taken};
use crate::media::recorder::Closed;
use crate::media::{Command, PlayId};
use crate::recording::stem;
use crate::twiml::{Input, RecordEnd, RecordingCallback, Run, Sid, SidKind};

/// A recording under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Recorder {
    /// The run's number of it.
    number: u64,
    terms: RecordTerms,
    callback: Option<RecordingCallback>,
    take: Take,
    play: Option<PlayId>,
    recording: Option<(RecordingId, Timestamp)>,
    ended: RecordEnd,
}

impl Recorder {
    /// Begins.
    pub(super) fn new(
        number: u64,
        terms: RecordTerms,
        callback: Option<RecordingCallback>,
        now: Timestamp,
    ) -> Self {
        let take = TakeTerms {
            longest: terms.longest,
            silence: terms.silence,
            terminators: terms.terminators.clone(),
            beep: terms.beep,
        };
        Self {
            number,
            terms,
            callback,
            take: Take::start(take, now),
            play: None,
            recording: None,
            ended: RecordEnd::Length,
        }
    }

    /// Does what is wanted; what the run is told when it is over.
    pub(super) fn follow(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        run: &Run,
    ) -> Option<Input> {
        loop {
            match self.take.poll_output()? {
                TakeOutput::Play(names) => {
                    let (caller, names) = (core.caller().id, names.iter().map(String::as_str));
                    self.play = Some(core.play(hands, caller, names, Looped::Once));
                }
                TakeOutput::Begin => {
                    let id = hands.ids.recording(hands.now);
                    core.record_alone(hands, &id, stem(&id, hands.now), None, None);
                    let commission =
                        Commission::new(&id, run, self.callback.clone(), "RecordVerb", 1);
                    core.commission(hands, commission);
                    self.recording = Some((id, hands.now));
                }
                TakeOutput::Stop => self.stop(hands),
                TakeOutput::Done(taken) => {
                    let length = match taken {
                        Taken::Stored { length } => length,
                        Taken::Failed(_) => Duration::ZERO,
                    };
                    return Some(self.recorded(length, self.ended));
                }
            }
        }
    }

    fn recorded(&self, length: Duration, ended: RecordEnd) -> Input {
        let id = self.recording.as_ref().filter(|_| !length.is_zero());
        Input::Recorded {
            record: self.number,
            recording: id.map(|(id, _)| Sid::derive(SidKind::Recording, id.as_str())),
            length,
            ended,
        }
    }

    /// Ends the recording.
    pub(super) fn stop(&self, hands: &Hands<'_>) {
        if let Some((recording, _)) = &self.recording {
            hands.tell(Command::StopRecord {
                recording: recording.clone(),
                at: hands.now,
            });
        }
    }

    /// The caller hung up meanwhile: what the run is told of it.
    pub(super) fn hung_up(&self, now: Timestamp) -> Input {
        let began = self.recording.as_ref().map(|(_, began)| *began);
        let length = began.map_or(Duration::ZERO, |began| now.since(began));
        self.recorded(length, RecordEnd::HungUp)
    }

    /// The caller pressed a key.
    pub(super) fn on_digit(&mut self, now: Timestamp, key: char) {
        if self.terms.terminators.contains(key) && self.recording.is_some() {
            self.ended = RecordEnd::Key(key);
        }
        self.take.handle_digit(now, key);
    }

    /// A play of the call came to its end.
    pub(super) fn on_play_done(&mut self, now: Timestamp, play: PlayId) {
        if self.play.take_if(|mine| *mine == play).is_some() {
            self.take.handle_play_done(now);
        }
    }

    /// The caller began to speak, or fell silent.
    pub(super) fn on_speaking(&mut self, now: Timestamp, speaking: bool) {
        self.take.handle_speaking(now, speaking);
    }

    /// A recording of the call is over.
    pub(super) fn on_recording(&mut self, closed: &Closed) {
        let is_it = |(id, _): &(RecordingId, Timestamp)| *id == closed.recording;
        if !self.recording.as_ref().is_some_and(is_it) {
            return;
        }
        let taken = match &closed.defect {
            _ if self.take.is_empty() => Taken::Failed("nothing was said".to_owned()),
            Some(defect) if closed.bytes == 0 => Taken::Failed(defect.clone()),
            _ => Taken::Stored {
                length: Duration::from_millis(closed.duration_ms),
            },
        };
        self.take.handle_stored(taken);
    }

    /// Whether nothing at all was said.
    pub(super) fn is_empty(&self) -> bool {
        self.take.is_empty()
    }

    /// When to call [`Recorder::handle_timeout`].
    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        self.take.poll_timeout()
    }

    /// Time has passed.
    pub(super) fn handle_timeout(&mut self, now: Timestamp) {
        if let Some((_, began)) = &self.recording
            && !matches!(self.ended, RecordEnd::Key(_))
        {
            self.ended = match now >= *began + self.terms.longest {
                true => RecordEnd::Length,
                false => RecordEnd::Silence,
            };
        }
        self.take.handle_timeout(now);
    }

    /// The call was rebuilt: what was said before is a recording of its own, and it begins again.
    pub(super) fn again(self, now: Timestamp) -> Self {
        Self::new(self.number, self.terms, self.callback, now)
    }
}
