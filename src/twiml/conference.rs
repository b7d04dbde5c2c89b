//! What applications are told of a conference: who came and went, when it began and why it ended.

use serde::{Deserialize, Serialize};

use super::action::Notice;
use super::facts::Form;
use super::link::Link;
use super::notice::{add, notice, rfc_2822};
use super::sid::Sid;
use super::verb::ConferenceEvent;
use crate::base::Timestamp;

/// Who is told what happens in a conference, in whose account: as whoever came first wanted it.
/// Counts what was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConferenceTeller {
    /// Where; the URL is absolute.
    link: Link,
    /// Of what; of nothing when nothing is named.
    events: Vec<ConferenceEvent>,
    account: Sid,
    sequence: u32,
}

/// A participant, as applications see him.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Participant {
    /// His call.
    pub call: Sid,
    /// His label.
    pub label: Option<String>,
    /// Whether nobody hears him.
    pub muted: bool,
    /// Whether he is on hold.
    pub held: bool,
    /// The call he coaches.
    pub coaches: Option<Sid>,
    /// Whether the conference begins with him.
    pub starts: bool,
    /// Whether it ends with him.
    pub ends: bool,
}

/// Why a conference is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConferenceEnd {
    /// Somebody wanted it by the REST API.
    Api,
    /// One who ends it when he goes was taken out.
    EnderKicked,
    /// One who ends it when he goes has gone.
    EnderLeft,
    /// The last one was taken out.
    LastKicked,
    /// The last one has gone.
    LastLeft,
}

/// Why a participant is no longer there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParticipantEnd {
    /// The conference is over by the REST API.
    Api,
    /// He was taken out.
    Kicked,
    /// He went.
    Left,
    /// Whoever ends the conference when he goes has gone.
    Moderator,
}

/// What happened in a conference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConferenceFact<'a> {
    /// It is over; who ended it.
    Ended(ConferenceEnd, Option<&'a Participant>),
    /// Somebody is on hold, or no longer.
    Held(&'a Participant),
    /// Somebody came.
    Joined(&'a Participant),
    /// Somebody has gone.
    Left(&'a Participant, ParticipantEnd),
    /// Somebody coaches, or no longer.
    Modified(&'a Participant),
    /// Somebody is not heard, or is again.
    Muted(&'a Participant),
    /// Somebody began to speak, or stopped.
    Spoke(&'a Participant, bool),
    /// It has begun.
    Started,
}

impl ConferenceEnd {
    /// Its name in parameters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "conference-ended-via-api",
            Self::EnderKicked => "participant-with-end-conference-on-exit-kicked",
            Self::EnderLeft => "participant-with-end-conference-on-exit-left",
            Self::LastKicked => "last-participant-kicked",
            Self::LastLeft => "last-participant-left",
        }
    }
}

impl ParticipantEnd {
    /// Its name in parameters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "conference_ended_via_api",
            Self::Kicked => "participant_updated_via_api",
            Self::Left => "participant_hung_up",
            Self::Moderator => "moderator_ended_conference",
        }
    }
}

impl ConferenceTeller {
    /// Tells an application of these events.
    pub fn new(link: Link, events: Vec<ConferenceEvent>, account: Sid) -> Self {
        Self {
            link,
            events,
            account,
            sequence: 0,
        }
    }

    /// The notice of what happened, when it is wanted.
    pub fn tell(
        &mut self,
        at: Timestamp,
        (conference, name): (&Sid, &str),
        fact: ConferenceFact<'_>,
    ) -> Option<Notice> {
        let (event, word) = fact.event();
        if !self.events.contains(&event) {
            return None;
        }
        let mut form = Form::new();
        add(&mut form, "ConferenceSid", conference.as_str());
        add(&mut form, "FriendlyName", name);
        add(&mut form, "AccountSid", self.account.as_str());
        add(&mut form, "SequenceNumber", self.sequence.to_string());
        add(&mut form, "Timestamp", rfc_2822(at));
        add(&mut form, "StatusCallbackEvent", word);
        fact.fill(&mut form);
        self.sequence += 1;
        Some(notice(&self.link, form, word))
    }
}

impl ConferenceFact<'_> {
    /// What it counts as, and its name in parameters.
    fn event(self) -> (ConferenceEvent, &'static str) {
        let either = |is: bool, on, off| if is { on } else { off };
        match self {
            Self::Ended(..) => (ConferenceEvent::End, "conference-end"),
            Self::Held(one) => (
                ConferenceEvent::Hold,
                either(one.held, "participant-hold", "participant-unhold"),
            ),
            Self::Joined(_) => (ConferenceEvent::Join, "participant-join"),
            Self::Left(..) => (ConferenceEvent::Leave, "participant-leave"),
            Self::Modified(_) => (ConferenceEvent::Modify, "participant-modify"),
            Self::Muted(one) => (
                ConferenceEvent::Mute,
                either(one.muted, "participant-mute", "participant-unmute"),
            ),
            Self::Spoke(_, on) => (
                ConferenceEvent::Speaker,
                either(on, "participant-speech-start", "participant-speech-stop"),
            ),
            Self::Started => (ConferenceEvent::Start, "conference-start"),
        }
    }

    fn fill(self, form: &mut Form) {
        match self {
            Self::Ended(why, by) => {
                add(form, "ReasonConferenceEnded", why.as_str());
                if let Some(by) = by {
                    add(form, "CallSidEndingConference", by.call.as_str());
                }
            }
            Self::Held(one)
            | Self::Joined(one)
            | Self::Modified(one)
            | Self::Muted(one)
            | Self::Spoke(one, _) => one.fill(form),
            Self::Left(one, why) => {
                one.fill(form);
                add(form, "ReasonParticipantLeft", why.as_str());
                let status = match why {
                    ParticipantEnd::Left => "completed",
                    _ => "in-progress",
                };
                add(form, "ParticipantCallStatus", status);
            }
            Self::Started => {}
        }
    }
}

impl Participant {
    fn fill(&self, form: &mut Form) {
        add(form, "CallSid", self.call.as_str());
        if let Some(label) = &self.label {
            add(form, "ParticipantLabel", label);
        }
        add(form, "Muted", self.muted.to_string());
        add(form, "Hold", self.held.to_string());
        add(form, "Coaching", self.coaches.is_some().to_string());
        if let Some(coached) = &self.coaches {
            add(form, "CallSidToCoach", coached.as_str());
        }
        add(form, "StartConferenceOnEnter", self.starts.to_string());
        add(form, "EndConferenceOnExit", self.ends.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::super::sid::SidKind;
    use super::*;

    fn teller(events: &[ConferenceEvent]) -> ConferenceTeller {
        let account = Sid::derive(SidKind::Account, "office");
        let link = Link::post("http://app/conference");
        ConferenceTeller::new(link, events.to_vec(), account)
    }

    fn somebody() -> Participant {
        Participant {
            call: Sid::derive(SidKind::Call, "a"),
            label: Some("customer".to_owned()),
            muted: true,
            held: false,
            coaches: None,
            starts: true,
            ends: false,
        }
    }

    fn value<'f>(notice: &'f Notice, name: &str) -> Option<&'f str> {
        let mut form = notice.form.iter();
        form.find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    #[test]
    fn what_is_wanted_is_told_and_counted() {
        let mut teller = teller(&[ConferenceEvent::Join, ConferenceEvent::Leave]);
        let sid = Sid::derive(SidKind::Conference, "1");
        let somebody = somebody();
        let mut tell = |fact| teller.tell(Timestamp::ZERO, (&sid, "room"), fact);
        let joined = tell(ConferenceFact::Joined(&somebody)).expect("wanted");
        assert_eq!(tell(ConferenceFact::Started), None);
        let left = ConferenceFact::Left(&somebody, ParticipantEnd::Moderator);
        let left = tell(left).expect("wanted");
        let said = |name| value(&joined, name).expect("said").to_owned();
        assert_eq!(said("StatusCallbackEvent"), "participant-join");
        assert_eq!(said("FriendlyName"), "room");
        assert_eq!(
            (said("Muted"), said("Hold")),
            ("true".into(), "false".into())
        );
        assert_eq!(said("ParticipantLabel"), "customer");
        assert_eq!(said("SequenceNumber"), "0");
        assert_eq!(value(&left, "SequenceNumber"), Some("1"));
        assert_eq!(
            value(&left, "ReasonParticipantLeft"),
            Some("moderator_ended_conference")
        );
    }

    #[test]
    fn an_end_says_why_and_by_whom() {
        let mut teller = teller(&[ConferenceEvent::End]);
        let sid = Sid::derive(SidKind::Conference, "1");
        let somebody = somebody();
        let fact = ConferenceFact::Ended(ConferenceEnd::EnderLeft, Some(&somebody));
        let told = teller.tell(Timestamp::ZERO, (&sid, "room"), fact);
        let told = told.expect("wanted");
        assert_eq!(
            value(&told, "ReasonConferenceEnded"),
            Some("participant-with-end-conference-on-exit-left")
        );
        assert_eq!(
            value(&told, "CallSidEndingConference"),
            Some(somebody.call.as_str())
        );
    }
}
