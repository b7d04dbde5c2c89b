//! A call as programs see it: one leg of one of ours.

use serde_json::{Value, json};

use super::{Account, Asked, written};
use crate::base::{Cause, LegId, Party, Timestamp};
use crate::events::record::LegRecord;
use crate::events::{CallRecord, Direction, Role, Stretch};
use crate::twiml::{API_VERSION, CallStatus, Direction as Way, Sid, SidKind};

/// One leg of a call, as applications see it: the one the call is for, or one it dialled.
#[derive(Clone, Debug)]
pub(super) struct PublicLeg {
    pub(super) sid: Sid,
    pub(super) parent: Option<Sid>,
    /// Which leg of the record; `None` when none was placed.
    pub(super) leg: Option<LegId>,
    pub(super) way: Way,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) status: CallStatus,
    pub(super) started: Timestamp,
    pub(super) updated: Timestamp,
    pub(super) answered: Option<Timestamp>,
    pub(super) ended: Option<Timestamp>,
    forwarded_from: Option<String>,
    caller_name: Option<String>,
    queue_ms: u64,
}

/// What is known of a leg's course.
struct Course<'a> {
    ringing: Option<Timestamp>,
    answered: Option<Timestamp>,
    ended: Option<Timestamp>,
    by: Option<Party>,
    cause: Option<&'a Cause>,
}

impl PublicLeg {
    /// Those of a call: first the one it is for, then those it dialled. None of a trunk's test.
    pub(super) fn all_of(record: &CallRecord, account: &Account) -> Vec<Self> {
        let is_test = |part: &crate::events::record::CallerPart| {
            part.stretch == Stretch::Service && part.with == "trunk test"
        };
        if record.is_empty() || record.caller_timeline.first().is_some_and(is_test) {
            return Vec::new();
        }
        let main = Self::main(record, account);
        let mut all = vec![main.clone()];
        for leg in &record.legs {
            // Contacts of a phone that the API called and that rang beside the one that answered.
            let is_beside = main.way == Way::OutboundApi
                && main.answered.is_none_or(|answered| leg.added < answered);
            if leg.role != Role::Caller && Some(leg.leg) != main.leg && !is_beside {
                all.push(Self::dialled(record, leg, &main, account));
            }
        }
        all
    }

    /// The one with this SID.
    pub(super) fn find(record: &CallRecord, account: &Account, sid: &Sid) -> Option<Self> {
        Self::all_of(record, account)
            .into_iter()
            .find(|leg| leg.sid == *sid)
    }

    /// Whether it is over.
    pub(super) fn is_over(&self) -> bool {
        self.ended.is_some()
    }

    fn main(record: &CallRecord, account: &Account) -> Self {
        let is_caller = |leg: &&LegRecord| leg.role == Role::Caller;
        let caller = record.legs.iter().find(is_caller);
        let way = match (caller, record.direction) {
            (None, Some(Direction::Outbound)) => Way::OutboundApi,
            _ => Way::Inbound,
        };
        let is_answered = |leg: &&LegRecord| leg.answered.is_some();
        let rung = || record.legs.iter().find(is_answered).or(record.legs.first());
        let leg = caller.or_else(rung);
        let cause = Cause {
            sip: record.sip.unwrap_or(500),
            q850: record.q850.unwrap_or_default(),
            words: record.cause.clone().unwrap_or_default(),
        };
        let course = Course {
            ringing: leg.and_then(|leg| leg.ringing),
            answered: leg.and_then(|leg| leg.answered),
            ended: record.ended,
            by: record.hung_up_by,
            cause: Some(&cause),
        };
        let (from, to) = match way {
            Way::Inbound => {
                let is_phone =
                    record.trunk.is_none() && caller.is_some_and(|leg| leg.trunk.is_none());
                let from = match is_phone {
                    true => sip_address(&record.from, account),
                    false => record.from.clone(),
                };
                (from, record.to.clone())
            }
            _ => (record.from.clone(), record.to.clone()),
        };
        Self {
            sid: Sid::derive(SidKind::Call, record.id.as_str()),
            parent: None,
            leg: leg.map(|leg| leg.leg),
            way,
            from,
            to,
            status: status(way, &course),
            started: record.started,
            updated: record.updated,
            answered: course.answered,
            ended: record.ended,
            forwarded_from: record.diversions.last().map(|it| it.by.clone()),
            caller_name: record.from_name.clone(),
            queue_ms: record.total_ms(Stretch::Queue),
        }
    }

    fn dialled(record: &CallRecord, leg: &LegRecord, main: &Self, account: &Account) -> Self {
        let course = Course {
            ringing: leg.ringing,
            answered: leg.answered,
            ended: leg.ended,
            by: leg.by,
            cause: leg.cause.as_ref(),
        };
        let to = match leg.trunk {
            Some(_) => leg.party.clone(),
            None => sip_address(&leg.party, account),
        };
        let from = match (&record.shown, &leg.trunk) {
            (Some(shown), Some(_)) => shown.clone(),
            _ => main.from.clone(),
        };
        Self {
            sid: Sid::derive(SidKind::Call, &format!("{}/{}", record.id, leg.leg.0)),
            parent: Some(main.sid.clone()),
            leg: Some(leg.leg),
            way: Way::OutboundDial,
            from,
            to,
            status: status(Way::OutboundDial, &course),
            started: leg.added,
            updated: leg
                .ended
                .or(leg.answered)
                .or(leg.ringing)
                .unwrap_or(leg.added),
            answered: leg.answered,
            ended: leg.ended,
            forwarded_from: None,
            caller_name: None,
            queue_ms: 0,
        }
    }

    /// The resource.
    pub(super) fn shown(&self, asked: &Asked<'_>) -> Value {
        let sid = self.sid.as_str();
        let own = |below: &str| asked.uri(&format!("Calls/{sid}{below}"));
        let talked = self.answered.zip(self.ended);
        let duration = talked.map(|(answered, ended)| ended.since(answered).as_secs().to_string());
        json!({
            "sid": sid,
            "date_created": written(self.started),
            "date_updated": written(self.updated),
            "parent_call_sid": self.parent.as_ref().map(Sid::as_str),
            "account_sid": asked.account.sid.as_str(),
            "to": self.to,
            "to_formatted": self.to,
            "from": self.from,
            "from_formatted": self.from,
            "phone_number_sid": null,
            "status": self.status.as_str(),
            "start_time": written(self.answered.unwrap_or(self.started)),
            "end_time": self.ended.map(written),
            "duration": duration,
            "price": null,
            "price_unit": null,
            "direction": self.way.as_str(),
            "answered_by": null,
            "annotation": null,
            "api_version": API_VERSION,
            "forwarded_from": self.forwarded_from,
            "group_sid": null,
            "caller_name": self.caller_name,
            "queue_time": self.queue_ms.to_string(),
            "trunk_sid": null,
            "uri": own(""),
            "subresource_uris": {"recordings": own("/Recordings")},
        })
    }
}

/// How far a leg is.
fn status(way: Way, course: &Course<'_>) -> CallStatus {
    match (course.ended, course.answered) {
        (None, Some(_)) => CallStatus::InProgress,
        (None, None) if way == Way::Inbound || course.ringing.is_some() => CallStatus::Ringing,
        (None, None) => CallStatus::Queued,
        (Some(_), Some(_)) => CallStatus::Completed,
        (Some(_), None) => {
            let sip = course.cause.map_or(500, |cause| cause.sip);
            // We gave it up ourselves, before anybody answered.
            let is_ours = way != Way::Inbound && course.by == Some(Party::Switch);
            let left = way == Way::Inbound && course.by == Some(Party::Caller);
            match sip {
                _ if left => CallStatus::NoAnswer,
                487 if is_ours => CallStatus::Canceled,
                _ => CallStatus::of_refusal(sip),
            }
        }
    }
}

/// The SIP address of a phone of ours.
fn sip_address(phone: &str, account: &Account) -> String {
    match account.host {
        std::net::IpAddr::V4(host) => format!("sip:{phone}@{host}"),
        std::net::IpAddr::V6(host) => format!("sip:{phone}@[{host}]"),
    }
}
