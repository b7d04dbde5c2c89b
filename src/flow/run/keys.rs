//! Keys: questions under way, and what is pressed before they are asked.

use super::{Action, Position, Run};
use crate::base::Timestamp;
use crate::flow::step::Heard;
use crate::ivr::{self, BargeIn, Collect, Question, is_key};

/// Keys kept for the next questions; longer than any path through nested menus with a number at its
/// end.
const MAX_TYPED_AHEAD: usize = 32;
/// Announcements in a row that keys typed ahead pass over.
const MAX_PASSED_OVER: usize = 32;

impl Run {
    pub(super) fn handle_digit(&mut self, now: Timestamp, key: char) {
        if !is_key(key) || self.late.take().is_some_and(|late| late.is(now, key)) {
            return;
        }
        self.passed_over.clear();
        match &mut self.position {
            Position::Asking { collect, .. } => {
                collect.handle_digit(now, key);
                self.follow_question(now);
            }
            Position::Playing {
                barge_in: BargeIn::Interrupts,
                step,
            } => {
                let step = step.clone();
                self.passed_over
                    .push((self.part_document().name.clone(), step));
                if self.typed_ahead.len() < MAX_TYPED_AHEAD {
                    self.typed_ahead.push(key);
                }
                self.push(Action::StopPlay);
                self.hear(now, Heard::PlayDone);
            }
            Position::Consulting { .. } | Position::Pausing { .. }
                if self.typed_ahead.len() < MAX_TYPED_AHEAD =>
            {
                self.typed_ahead.push(key);
            }
            _ => {}
        }
    }

    /// Asks whether what was pressed is right; the step is told.
    pub(in crate::flow) fn confirm(
        &mut self,
        now: Timestamp,
        at: &str,
        question: Question,
        digits: String,
    ) {
        self.pose(now, at, question, Some(digits));
    }

    /// Asks; the step is told the answer.
    pub(in crate::flow) fn ask(&mut self, now: Timestamp, at: &str, question: Question) {
        self.answer();
        self.pose(now, at, question, None);
    }

    fn pose(&mut self, now: Timestamp, at: &str, question: Question, confirming: Option<String>) {
        let typed_ahead = std::mem::take(&mut self.typed_ahead);
        // What was pressed before was no secret yet, and stands in the record.
        let typed_ahead = if question.secure { "" } else { &*typed_ahead };
        let mut collect = Box::new(Collect::start(question, now));
        self.typed_ahead = collect.handle_typed_ahead(now, typed_ahead);
        self.passed_over.clear();
        self.position = Position::Asking {
            step: at.to_owned(),
            collect,
            confirming,
        };
        self.follow_question(now);
    }

    /// Whether something that is about to be said is passed over, because keys were typed ahead for a
    /// question behind it. Keys before something that must be heard are for no question, and so are those
    /// that lead back here without having met one.
    pub(in crate::flow) fn passes_over(&mut self, at: &str, barge_in: BargeIn) -> bool {
        let here = (self.part_document().name.clone(), at.to_owned());
        let again = self.passed_over.len() >= MAX_PASSED_OVER || self.passed_over.contains(&here);
        if barge_in == BargeIn::Ignored || again {
            self.forget_keys();
        }
        if self.typed_ahead.is_empty() {
            return false;
        }
        self.answer();
        self.passed_over.push(here);
        true
    }

    /// Passes on what the question wants, and leaves it when it is over.
    pub(super) fn follow_question(&mut self, now: Timestamp) {
        loop {
            let Position::Asking {
                collect,
                confirming,
                ..
            } = &mut self.position
            else {
                return;
            };
            match collect.poll_output() {
                None => return,
                Some(ivr::Output::Play(sounds)) => self.play(sounds),
                Some(ivr::Output::StopPlay) => self.push(Action::StopPlay),
                Some(ivr::Output::Done(answer)) => {
                    self.late = collect.late_terminator().cloned();
                    let heard = match confirming.take() {
                        None => Heard::Answer(answer),
                        Some(digits) => Heard::Confirmed(digits, answer),
                    };
                    return self.hear(now, heard);
                }
            }
        }
    }

    /// Keys typed ahead are for no question.
    pub(in crate::flow) fn forget_keys(&mut self) {
        self.typed_ahead.clear();
    }
}
