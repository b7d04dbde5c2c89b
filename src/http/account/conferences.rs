//! `Conferences` and their `Participants`: those that are open now.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::fault::{Fault, code};
use super::page::{Page, Wanted};
use super::{Asked, shown, written};
use crate::base::LegId;
use crate::call::{ConferenceView, Control, ControlError, Seat};
use crate::http::answer::answer;
use crate::media::Role;
use crate::twiml::{API_VERSION, Link, Method, Modification, Sid, SidKind};

impl Asked<'_> {
    /// A page of the conferences that are open, the latest first.
    pub(super) fn list_conferences(&self) -> Result<Response, Fault> {
        let said = &self.said;
        let wanted = Wanted::read(said)?;
        let created = said.span("DateCreated")?;
        let (name, status) = (said.get("FriendlyName"), said.get("Status"));
        let mut open = self.sources.live.conferences();
        open.retain(|it| {
            name.is_none_or(|name| it.name == name)
                && status.is_none_or(|word| status_of(it) == word)
                && created.has(it.opened)
        });
        open.sort_by(|a, b| (b.opened, &b.name).cmp(&(a.opened, &a.name)));
        let all = open.iter().map(|it| self.conference_shown(it)).collect();
        let page = Page::of_few(all, &wanted);
        Ok(page.answer("conferences", &self.uri("Conferences"), &wanted, said))
    }

    /// One conference.
    pub(super) fn fetch_conference(&self, sid: &str) -> Result<Response, Fault> {
        Ok(shown(&self.conference_shown(&self.conference(sid)?)))
    }

    /// Ends a conference, or lets everybody in it hear something.
    pub(super) fn modify_conference(&self, sid: &str) -> Result<Response, Fault> {
        let open = self.conference(sid)?;
        let announcement = self.announcement(&open)?;
        match (self.said.get("Status"), announcement) {
            (Some("completed"), _) => {}
            (None, Some(link)) => {
                let tell = |seat| self.modify_seat(seat, Modification::Announce(link.clone()));
                let told: Vec<_> = open.participants.iter().map(tell).collect();
                // Who is in it without a document hears none; others may be gone by now.
                if let Some(Err(fault)) = told.into_iter().reduce(Result::or) {
                    return Err(fault);
                }
                return Ok(shown(&self.conference_shown(&open)));
            }
            _ => {
                let words = "Status=completed or AnnounceUrl is required";
                return Err(Fault::bad(code::PARAMETER, words));
            }
        }
        let one = open.participants.first().ok_or_else(|| self.gone())?;
        self.control(one, Control::EndConference)?;
        let mut ended = self.conference_shown(&open);
        ended["status"] = "completed".into();
        ended["reason_conference_ended"] = "conference-ended-via-api".into();
        Ok(shown(&ended))
    }

    /// `AnnounceUrl` with `AnnounceMethod`, of a conference that has begun.
    fn announcement(&self, open: &ConferenceView) -> Result<Option<Link>, Fault> {
        let said = &self.said;
        let link = said.link("AnnounceUrl", "AnnounceMethod", code::URL)?;
        match (&link, open.began) {
            (Some(_), None) => {
                let words = "The conference has not begun: nobody would hear it";
                Err(Fault::bad(code::STATE, words))
            }
            _ => Ok(link),
        }
    }

    /// `HoldUrl` with `HoldMethod`, GET when nothing is said.
    fn hold_document(&self) -> Result<Option<Link>, Fault> {
        let said = &self.said;
        let link = said.link("HoldUrl", "HoldMethod", code::URL)?;
        let is_said = said.get("HoldMethod").is_some();
        Ok(link.map(|link| match is_said {
            true => link,
            false => Link {
                method: Method::Get,
                ..link
            },
        }))
    }

    /// A page of who is in a conference, in the order they came.
    pub(super) fn list_participants(&self, conference: &str) -> Result<Response, Fault> {
        let said = &self.said;
        let wanted = Wanted::read(said)?;
        let open = self.conference(conference)?;
        let (muted, hold) = (said.flag("Muted")?, said.flag("Hold")?);
        let coaching = said.flag("Coaching")?;
        let is_wanted = |seat: &&Seat| {
            muted.is_none_or(|muted| seat.muted == muted)
                && hold.is_none_or(|hold| seat.held == hold)
                && coaching.is_none_or(|coaching| seat.coaches.is_some() == coaching)
        };
        let seats = open.participants.iter().filter(is_wanted);
        let all = seats.map(|seat| self.participant_shown(&open, seat));
        let page = Page::of_few(all.collect(), &wanted);
        let path = self.uri(&format!("Conferences/{conference}/Participants"));
        Ok(page.answer("participants", &path, &wanted, said))
    }

    /// One participant, by his call or his label.
    pub(super) fn fetch_participant(
        &self,
        conference: &str,
        name: &str,
    ) -> Result<Response, Fault> {
        let open = self.conference(conference)?;
        let seat = self.seat(&open, name)?;
        Ok(shown(&self.participant_shown(&open, seat)))
    }

    /// Changes how somebody is in a conference.
    pub(super) fn modify_participant(
        &self,
        conference: &str,
        name: &str,
    ) -> Result<Response, Fault> {
        let said = &self.said;
        let open = self.conference(conference)?;
        let seat = self.seat(&open, name)?;
        for unknown in ["BeepOnExit", "EndConferenceOnExit", "WaitUrl"] {
            if said.get(unknown).is_some() {
                let words = format!("{unknown} of one who is in is not supported");
                return Err(Fault::bad(code::PARAMETER, words));
            }
        }
        let leg = seat.leg;
        let (mut wishes, mut documents) = (Vec::new(), Vec::new());
        if let Some(on) = said.flag("Muted")? {
            wishes.push(Control::Mute { leg, on });
        }
        if let Some(on) = said.flag("Hold")? {
            wishes.push(Control::Hold { leg, on });
            let link = self.hold_document()?.filter(|_| on);
            documents.extend(link.map(|link| Modification::HoldDocument(Some(link))));
        }
        documents.extend(self.announcement(&open)?.map(Modification::Announce));
        let coached = said.get("CallSidToCoach");
        let coaching = said.flag("Coaching")?;
        if coaching.is_some() || coached.is_some() {
            let role = match (coaching, coached) {
                (Some(false), _) => Role::Normal,
                (_, Some(call)) => Role::Coach(self.coached(&open, call)?),
                (_, None) => {
                    let words = "CallSidToCoach is required";
                    return Err(Fault::bad(NOBODY_TO_COACH, words));
                }
            };
            wishes.push(Control::SetRole { leg, role });
        }
        if wishes.is_empty() && documents.is_empty() {
            let words =
                "Muted, Hold, Coaching or AnnounceUrl is required; others are not known here";
            return Err(Fault::bad(code::PARAMETER, words));
        }
        for wish in wishes {
            self.control(seat, wish)?;
        }
        for wish in documents {
            self.modify_seat(seat, wish)?;
        }
        let open = self.conference(conference)?;
        let seat = self.seat(&open, name)?;
        Ok(shown(&self.participant_shown(&open, seat)))
    }

    /// Takes somebody out of a conference; his document goes on.
    pub(super) fn delete_participant(
        &self,
        conference: &str,
        name: &str,
    ) -> Result<Response, Fault> {
        let open = self.conference(conference)?;
        let seat = self.seat(&open, name)?;
        self.control(seat, Control::LeaveConference)?;
        Ok(StatusCode::NO_CONTENT.into_response())
    }

    /// Calls somebody into a conference, which is opened when it is not; named by its SID or its
    /// name.
    pub(super) fn create_participant(&self, conference: &str) -> Result<Response, Fault> {
        let said = &self.said;
        let is_sid = conference.parse::<Sid>().is_ok();
        let live = &self.sources.live;
        let name = match self.conference(conference) {
            Ok(open) => open.name,
            // Who was called before may not have answered yet.
            Err(gone) if is_sid => live.promised_conference(conference).ok_or(gone)?,
            Err(_) => conference.to_owned(),
        };
        let document = self.conference_document(&name)?;
        let call = self.placed(&document)?;
        // It is opened by whoever answers first, and knows its SID before.
        let sid = live.promise_conference(&name);
        let place = sid.as_ref().map_or(conference, Sid::as_str);
        let answered = json!({
            "account_sid": self.account.sid.as_str(),
            "call_sid": call.sid.as_str(),
            "call_sid_to_coach": said.get("CallSidToCoach"),
            "coaching": said.flag("Coaching")?.unwrap_or(false),
            "conference_sid": sid.as_ref().map(Sid::as_str),
            "date_created": written(call.started),
            "date_updated": written(call.updated),
            "end_conference_on_exit": said.flag("EndConferenceOnExit")?.unwrap_or(false),
            "hold": false,
            "label": said.get("Label"),
            "muted": said.flag("Muted")?.unwrap_or(false),
            "queue_time": null,
            "start_conference_on_enter": said.flag("StartConferenceOnEnter")?.unwrap_or(true),
            "status": call.status.as_str(),
            "uri": self.uri(&format!("Conferences/{place}/Participants/{}", call.sid)),
        });
        Ok(answer(StatusCode::CREATED, &answered))
    }

    /// The document that whoever is called into a conference hears.
    fn conference_document(&self, name: &str) -> Result<String, Fault> {
        let said = &self.said;
        let mut attributes = String::new();
        let mut add = |attribute: &str, value: &str| {
            attributes.push_str(&format!(" {attribute}=\"{}\"", escaped(value)));
        };
        for (parameter, attribute) in [
            ("Muted", "muted"),
            ("StartConferenceOnEnter", "startConferenceOnEnter"),
            ("EndConferenceOnExit", "endConferenceOnExit"),
        ] {
            if let Some(on) = said.flag(parameter)? {
                add(attribute, if on { "true" } else { "false" });
            }
        }
        for (parameter, attribute) in [
            ("Beep", "beep"),
            ("ConferenceRecord", "record"),
            (
                "ConferenceRecordingStatusCallback",
                "recordingStatusCallback",
            ),
            (
                "ConferenceRecordingStatusCallbackMethod",
                "recordingStatusCallbackMethod",
            ),
            ("ConferenceStatusCallback", "statusCallback"),
            ("ConferenceStatusCallbackMethod", "statusCallbackMethod"),
            ("Label", "participantLabel"),
            ("MaxParticipants", "maxParticipants"),
            ("WaitMethod", "waitMethod"),
            ("WaitUrl", "waitUrl"),
        ] {
            if let Some(value) = said.get(parameter) {
                add(attribute, value);
            }
        }
        for (parameter, attribute) in [
            (
                "ConferenceRecordingStatusCallbackEvent",
                "recordingStatusCallbackEvent",
            ),
            ("ConferenceStatusCallbackEvent", "statusCallbackEvent"),
        ] {
            let events = said.all(parameter).join(" ");
            if !events.is_empty() {
                add(attribute, &events);
            }
        }
        if said.flag("Coaching")? == Some(true) {
            add("coach", said.get("CallSidToCoach").unwrap_or_default());
        }
        let name = escaped(name);
        Ok(format!(
            "<Response><Dial><Conference{attributes}>{name}</Conference></Dial></Response>"
        ))
    }

    pub(super) fn conference(&self, sid: &str) -> Result<ConferenceView, Fault> {
        let open = self.sources.live.conferences();
        let mut found = open
            .into_iter()
            .filter(|it| it.sid.as_str() == sid || it.name == sid);
        found.next().ok_or_else(|| self.gone())
    }

    fn seat<'o>(&self, open: &'o ConferenceView, name: &str) -> Result<&'o Seat, Fault> {
        let is_he =
            |seat: &&Seat| call_sid(seat).as_str() == name || seat.label.as_deref() == Some(name);
        open.participants
            .iter()
            .find(is_he)
            .ok_or_else(|| self.gone())
    }

    fn coached(&self, open: &ConferenceView, call: &str) -> Result<LegId, Fault> {
        let is_he = |seat: &&Seat| call_sid(seat).as_str() == call;
        let found = open.participants.iter().find(is_he);
        found.map(|seat| seat.leg).ok_or_else(|| {
            Fault::bad(
                NOBODY_TO_COACH,
                "The call to coach is not in the conference",
            )
        })
    }

    fn control(&self, seat: &Seat, wish: Control) -> Result<(), Fault> {
        let done = self.sources.live.control(seat.call.as_str(), wish);
        done.map(|_| ()).map_err(|error| match error {
            ControlError::NoCall | ControlError::NoConference | ControlError::NoLeg => self.gone(),
            error => Fault::bad(code::STATE, error.to_string()),
        })
    }

    /// What only a call in an application can: documents are read to him there.
    fn modify_seat(&self, seat: &Seat, wish: Modification) -> Result<(), Fault> {
        let done = self.sources.live.modify(seat.call.as_str(), wish);
        done.map_err(|error| match error {
            ControlError::NoCall => self.gone(),
            ControlError::NoApplication => {
                let words = "No application has this call: it hears no documents";
                Fault::bad(code::STATE, words)
            }
            error => Fault::bad(code::STATE, error.to_string()),
        })
    }

    fn conference_shown(&self, open: &ConferenceView) -> Value {
        let sid = open.sid.as_str();
        let own = |below: &str| self.uri(&format!("Conferences/{sid}{below}"));
        json!({
            "account_sid": self.account.sid.as_str(),
            "api_version": API_VERSION,
            "call_sid_ending_conference": null,
            "date_created": written(open.opened),
            "date_updated": written(open.began.unwrap_or(open.opened)),
            "friendly_name": open.name,
            "reason_conference_ended": null,
            "region": null,
            "sid": sid,
            "status": status_of(open),
            "subresource_uris": {
                "participants": own("/Participants"),
                "recordings": own("/Recordings"),
            },
            "uri": own(""),
        })
    }

    fn participant_shown(&self, open: &ConferenceView, seat: &Seat) -> Value {
        let call = call_sid(seat);
        let coached = seat.coaches.as_ref();
        let coached = coached.map(|call| Sid::derive(SidKind::Call, call.as_str()));
        json!({
            "account_sid": self.account.sid.as_str(),
            "call_sid": call.as_str(),
            "call_sid_to_coach": coached.as_ref().map(Sid::as_str),
            "coaching": coached.is_some(),
            "conference_sid": open.sid.as_str(),
            "date_created": written(seat.since),
            "date_updated": written(seat.since),
            "end_conference_on_exit": seat.ends,
            "hold": seat.held,
            "label": seat.label,
            "muted": seat.muted,
            "queue_time": null,
            "start_conference_on_enter": seat.starts,
            "status": "connected",
            "uri": self.uri(&format!("Conferences/{}/Participants/{call}", open.sid)),
        })
    }
}

fn status_of(open: &ConferenceView) -> &'static str {
    match open.began {
        Some(_) => "in-progress",
        None => "init",
    }
}

fn call_sid(seat: &Seat) -> Sid {
    Sid::derive(SidKind::Call, seat.call.as_str())
}

/// A text as it may stand in a document.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Number in the public platform's error dictionary.
const NOBODY_TO_COACH: u32 = 13240;
