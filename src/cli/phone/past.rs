//! The end of a call: media closes, the recording is put in its place, and was it the last?

use std::path::PathBuf;

use super::line::Line;
use super::news::{News, Side};
use super::talk::Stage;
use super::{Outcome, tape};
use crate::base::{Clock as _, LegId, RecordingId};
use crate::events::MediaSummary;
use crate::media::{Command, Notice, recorder};

/// A call that is over, until its media and its recording are.
pub(super) struct Past {
    leg: LegId,
    by: Side,
    answered: bool,
    broke: bool,
    recording: Option<(RecordingId, PathBuf)>,
    is_media_closed: bool,
}

impl Line {
    /// The call is over: the phone is free for another while media closes.
    pub(super) fn end_call(&mut self, by: Option<Side>) {
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
    pub(super) fn has_enough(&self) -> bool {
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
