//! What the phone says once a call is answered: sounds and keys; and that it is recorded.

use std::sync::Arc;

use super::keys::{Keys, Step};
use super::line::Line;
use super::news::News;
use super::talk::Stage;
use super::tape;
use crate::base::{Clock as _, LegId, Timestamp};
use crate::call::leg_flow;
use crate::media::{Command, PlayId, Sound, Tape};
use crate::sdp::Negotiated;

impl Line {
    /// Media begins.
    pub(super) fn begin(&mut self, agreed: &Negotiated) {
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
            flow: leg_flow(agreed, None),
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
        let channels = vec!["heard".to_owned(), "said".to_owned()];
        let tape = Tape {
            stem: recording.to_string(),
            channels,
            labels: Default::default(),
            format: None,
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

    pub(super) fn play(&mut self, sound: Arc<Sound>, looped: bool) {
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

    pub(super) fn press_later(&mut self, keys: Keys) {
        let now = self.clock.now();
        let Some(call) = self.call.as_mut() else {
            return;
        };
        call.keys.append(keys);
        call.keys_at.get_or_insert(now);
    }

    pub(super) fn press(&mut self, now: Timestamp) {
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
}
