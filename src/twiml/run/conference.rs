//! `<Dial><Conference>` under way.

use serde::{Deserialize, Serialize};

use super::super::action::{Action, ConferenceNews, Joining, WaitSound};
use super::super::facts::{CallStatus, Form};
use super::super::fault::Fault;
use super::super::link::Link;
use super::super::notice::{add, recording_url};
use super::super::verb::{Conference, Dial};
use super::{Parting, Position, Role, Run, Turn};
use crate::base::Timestamp;

/// A caller in a conference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Conferring {
    action: Option<Link>,
    hangup_on_star: bool,
    wait: Option<Link>,
    started: bool,
    recorded: bool,
    pub(super) inner: Option<Box<Run>>,
    /// What he hears on hold.
    #[serde(default)]
    hold: Option<Link>,
}

impl Conferring {
    fn hears(&self, role: Role) -> bool {
        self.inner.as_ref().is_some_and(|inner| inner.role == role)
    }
}

impl Run {
    /// Joins a conference. `callerId` and `timeout` of the Dial have no effect.
    pub(super) fn join(&mut self, now: Timestamp, dial: Dial, mut conference: Conference) -> Turn {
        self.answer(now);
        let silence = conference
            .wait
            .as_ref()
            .is_some_and(|wait| wait.url.is_empty());
        let wait = conference.wait.take().filter(|wait| !wait.url.is_empty());
        let wait = self.absolute(wait.as_ref());
        let sound = match (&wait, silence) {
            (Some(_), _) => WaitSound::Document,
            (None, true) => WaitSound::Silence,
            (None, false) => WaitSound::Music,
        };
        conference.wait.clone_from(&wait);
        conference.status = self.absolute(conference.status.as_ref());
        conference.recording = self.recording_callback(conference.recording);
        let callback = self.recording_callback(dial.recording);
        if dial.record.is_some() {
            self.callback.clone_from(&callback);
            self.recording = None;
        }
        self.push(Action::Join(Box::new(Joining {
            conference,
            wait: sound,
            record: dial.record,
            callback,
        })));
        self.deadline = Some(now + dial.time_limit);
        self.position = Position::Conferring(Box::new(Conferring {
            action: dial.action,
            hangup_on_star: dial.hangup_on_star,
            wait,
            started: false,
            recorded: dial.record.is_some(),
            inner: None,
            hold: None,
        }));
        Turn::Stay
    }

    pub(super) fn handle_conference(&mut self, now: Timestamp, news: ConferenceNews) {
        let Position::Conferring(conferring) = &mut self.position else {
            return;
        };
        match news {
            ConferenceNews::Waiting => {
                let is_new = conferring.inner.is_none() && !conferring.started;
                if let Some(wait) = conferring.wait.clone().filter(|_| is_new) {
                    let inner = self.inside(now, Role::ConferenceWait, wait, Form::new());
                    if let Position::Conferring(conferring) = &mut self.position {
                        conferring.inner = Some(inner);
                    }
                    self.absorb(now);
                }
            }
            ConferenceNews::Started => {
                conferring.started = true;
                let inner = conferring.inner.take();
                self.stop_inside(now, inner);
                self.hold_again(now);
            }
            ConferenceNews::Left => self.finish_conference(now),
            ConferenceNews::Refused { code } => {
                let inner = conferring.inner.take();
                self.stop_inside(now, inner);
                self.remark(Fault::new(code, "the conference did not let the caller in"));
                self.advance(now);
            }
        }
    }

    /// The caller hears a document once in place of the others.
    pub(super) fn announce(&mut self, now: Timestamp, link: Link) {
        self.hear_in_place(now, Role::Announcement, link);
    }

    /// What the caller hears on hold from now on; `None` when he is on hold no more.
    pub(super) fn hear_on_hold(&mut self, now: Timestamp, link: Option<Link>) {
        let Position::Conferring(conferring) = &mut self.position else {
            return;
        };
        conferring.hold = link;
        if conferring.hears(Role::Hold) {
            let inner = conferring.inner.take();
            self.stop_inside(now, inner);
        }
        self.hold_again(now);
    }

    /// Nothing else is to be heard: what is heard on hold is, where he is.
    pub(super) fn hold_again(&mut self, now: Timestamp) {
        if let Position::Conferring(conferring) = &self.position
            && conferring.inner.is_none()
            && let Some(link) = conferring.hold.clone()
        {
            self.hear_in_place(now, Role::Hold, link);
        }
    }

    fn hear_in_place(&mut self, now: Timestamp, role: Role, link: Link) {
        let Position::Conferring(conferring) = &mut self.position else {
            return;
        };
        // Before it begins there is nothing to be heard in place of.
        if !conferring.started {
            return;
        }
        let before = conferring.inner.take();
        self.stop_inside(now, before);
        let inner = self.inside(now, role, link, Form::new());
        if let Position::Conferring(conferring) = &mut self.position {
            conferring.inner = Some(inner);
        }
        self.absorb(now);
    }

    /// The caller's star; says whether it ended his part.
    pub(super) fn conference_star(&mut self, now: Timestamp) -> bool {
        let ends =
            matches!(&self.position, Position::Conferring(conferring) if conferring.hangup_on_star);
        if ends {
            self.leave_conference(now);
        }
        ends
    }

    pub(super) fn leave_conference(&mut self, now: Timestamp) {
        self.push(Action::LeaveConference);
        self.finish_conference(now);
    }

    fn finish_conference(&mut self, now: Timestamp) {
        let Position::Conferring(mut conferring) =
            std::mem::replace(&mut self.position, Position::Idle)
        else {
            return;
        };
        let inner = conferring.inner.take();
        self.stop_inside(now, inner);
        self.deadline = None;
        let form = self.conference_form(&conferring);
        match &conferring.action {
            Some(action) => self.transfer(now, Some(action), form),
            None => self.advance(now),
        }
    }

    fn conference_form(&self, conferring: &Conferring) -> Form {
        let mut form = Form::new();
        add(&mut form, "DialCallStatus", "answered");
        if conferring.recorded
            && let Some((recording, _)) = &self.recording
        {
            let url = recording_url(&self.terms.api, &self.facts.account, recording);
            add(&mut form, "RecordingUrl", url);
        }
        form
    }

    pub(super) fn put_down_conference(
        &mut self,
        now: Timestamp,
        mut conferring: Conferring,
        parting: Parting,
    ) {
        let inner = conferring.inner.take();
        if parting == Parting::GoesOn {
            self.stop_inside(now, inner);
            self.push(Action::LeaveConference);
            return;
        }
        let form = self.conference_form(&conferring);
        self.tell_action(conferring.action.as_ref(), form, CallStatus::Completed);
    }
}
