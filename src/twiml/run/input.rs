//! What happens to a leg, and time that passes.

use super::role::Role;
use super::{Position, Run};
use crate::base::{Cause, Timestamp};
use crate::twiml::action::{Action, Input, LegNews};
use crate::twiml::facts::{CallStatus, Direction, Form};
use crate::twiml::fault::Fault;
use crate::twiml::notice::add;
use crate::twiml::verb::ProgressEvent;

impl Run {
    /// Something happened.
    pub fn handle(&mut self, now: Timestamp, input: Input) {
        if matches!(self.position, Position::Over | Position::Waiting) {
            return;
        }
        if self.end_if_late(now) {
            return;
        }
        match input {
            Input::CallerLeft => self.caller_left(now),
            Input::Modify(modification) => self.modify(now, modification),
            Input::Outbound(news) => self.handle_outbound(now, news),
            Input::Recording(news) => {
                if let Some(callback) = &self.callback
                    && let Some(notice) = callback.notice(&self.facts, &self.terms.api, &news, now)
                {
                    self.push(Action::Notify(notice));
                }
                self.recording = Some((news.recording, news.length));
            }
            Input::Conference(news) => self.handle_conference(now, news),
            Input::Leg { leg, news } => self.handle_leg(now, leg, news),
            Input::Queue(news) => self.handle_queue(now, news),
            input if self.has_inner() => self.pass_inside(now, input),
            Input::Digit(key) => self.handle_digit(now, key),
            Input::Fetched { request, result } => self.handle_fetched(now, request, result),
            Input::PlayDone { play } => self.handle_play_done(now, play),
            Input::PlayFailed { play, code, words } => {
                if self.is_playing(play) {
                    self.remark(Fault::new(code, words));
                }
                self.handle_play_done(now, play);
            }
            Input::Recorded {
                record,
                recording,
                length,
                ended,
            } => {
                self.handle_recorded(now, record, recording, length, ended);
            }
            Input::Referred { status } => self.handle_referred(now, status),
            Input::Speech { listen, news } => self.handle_speech(now, listen, news),
        }
    }

    /// Time has passed; does nothing before [`Run::poll_timeout`].
    pub fn handle_timeout(&mut self, now: Timestamp) {
        if self.position == Position::Over {
            return;
        }
        if self.end_if_late(now) {
            return;
        }
        if self.has_inner() {
            self.wake_inside(now);
        }
        if self.deadline.is_none_or(|deadline| deadline > now) {
            return;
        }
        self.deadline = None;
        match &self.position {
            Position::Fetching { request, .. } => {
                let request = *request;
                self.fetch_is_late(now, request);
            }
            Position::Gathering(_) => self.gather_timed_out(now),
            Position::Pausing => self.advance(now),
            Position::Recording { record, .. } => {
                let record = *record;
                self.record_is_late(now, record);
            }
            Position::Referring { .. } => self.handle_referred(now, 408),
            Position::Dialling(_) => self.dial_timed_out(now),
            Position::Conferring(_) => self.leave_conference(now),
            Position::Idle
            | Position::Over
            | Position::Playing { .. }
            | Position::Queueing(_)
            | Position::Waiting => {}
        }
    }

    fn is_playing(&self, play: u64) -> bool {
        matches!(self.position, Position::Playing { play: mine, .. } if mine == play)
            || matches!(&self.position, Position::Gathering(question) if question.plays(play))
    }

    fn handle_play_done(&mut self, now: Timestamp, play: u64) {
        match &self.position {
            Position::Playing {
                play: mine,
                is_last,
            } if *mine == play => match is_last {
                true => self.hang_up(
                    now,
                    Cause::from_status(503).with_words("the application failed"),
                ),
                false => self.advance(now),
            },
            Position::Gathering(_) => self.gather_prompt_done(now, play),
            _ => {}
        }
    }

    fn handle_digit(&mut self, now: Timestamp, key: char) {
        match &self.position {
            Position::Gathering(_) => self.gather_key(now, key),
            Position::Dialling(_) if key == '*' => self.dial_star(now),
            Position::Conferring(_) if key == '*' => {
                self.conference_star(now);
            }
            _ => {}
        }
    }

    fn handle_referred(&mut self, now: Timestamp, status: u16) {
        let Position::Referring { action } = &self.position else {
            return;
        };
        let Some(action) = action.clone() else {
            return self.advance(now);
        };
        let outcome = match status {
            200..=299 => CallStatus::Completed,
            status => CallStatus::of_refusal(status),
        };
        let mut form = Form::new();
        add(&mut form, "ReferCallStatus", outcome.as_str());
        add(&mut form, "NotifySipResponseCode", status.to_string());
        self.transfer(now, Some(&action), form);
    }

    /// The leg that was called has answered; its documents begin with [`LegNews::Answered`].
    pub fn pick_up(&mut self, now: Timestamp) {
        if self.answered.is_none() {
            self.is_answered(now);
        }
    }

    fn handle_outbound(&mut self, now: Timestamp, news: LegNews) {
        if self.role != Role::Call
            || self.facts.direction == Direction::Inbound
            || self.position != Position::Idle
        {
            return;
        }
        match news {
            LegNews::Initiated { .. } => {
                self.status = CallStatus::Initiated;
                self.tell(now, ProgressEvent::Initiated);
            }
            LegNews::Ringing => {
                self.status = CallStatus::Ringing;
                self.tell(now, ProgressEvent::Ringing);
            }
            LegNews::Answered => {
                self.pick_up(now);
                self.begin(now);
            }
            LegNews::Ended { .. } if self.answered.is_some() => {
                self.over(now, CallStatus::Completed);
            }
            LegNews::Ended { status } => self.over(now, CallStatus::of_refusal(status)),
            LegNews::CallsForHelp | LegNews::Refers { .. } | LegNews::WhisperOver { .. } => {}
        }
    }
}
