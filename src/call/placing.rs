//! A call from nothing: somebody is called on behalf of the REST API, and hears a document when he
//! answers.

use std::net::IpAddr;
use std::time::Duration;

use super::CallKey;
use super::core::Core;
use super::exchange::Exchange;
use super::feature::{Placed, Stage};
use super::generation::Generation;
use super::machine::Call;
use crate::base::Timestamp;
use crate::events::{CallRecord, Direction, Fact, Stretch};
use crate::trunk::{Destination, Origin, Wish, WishSource};
use crate::twiml::{self, Facts, RecordingCallback, Run, Sid, SidKind, Terms};

/// A call that is to be placed.
#[derive(Clone, Debug, PartialEq)]
pub struct Placing {
    /// Whom it shows: a number of ours, or a phone as `client:1001` or `sip:1001@host`.
    pub from: String,
    /// Who is called: a number as a flow would dial it, or a phone as above.
    pub to: String,
    /// The first document, and what holds for all. Where the API is and which numbers are ours is
    /// filled in here.
    pub terms: Terms,
    /// How long it may ring.
    pub timeout: Duration,
    /// Keys pressed when it is answered, before the document: also `w` (0.5 s) and `W` (1 s).
    pub digits: String,
    /// Whether it is recorded from its answer, both ways, on a channel each.
    pub record: bool,
    /// Who is told of the recording.
    pub recording: Option<RecordingCallback>,
}

/// Why a call is not placed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// No number or phone of ours.
    #[error("{0} is no number of ours")]
    From(String),
    /// No call comes in now.
    #[error("no more calls are taken now")]
    Full,
    /// It leads nowhere.
    #[error("{0} leads nowhere")]
    To(String),
}

impl Exchange {
    /// Places a call. Its record as it begins; how it goes on, who is to know is told.
    ///
    /// # Errors
    ///
    /// See [`PlaceError`]; nobody is called then. That somebody cannot be reached is none: the call
    /// is made, and fails.
    pub fn place(&mut self, now: Timestamp, placing: Placing) -> Result<CallRecord, PlaceError> {
        let generation = self.generation().clone();
        let is_able = self.can_serve(&generation);
        if self.gate.check(generation.max_calls, is_able).is_err() {
            return Err(PlaceError::Full);
        }
        let Placing {
            from,
            to,
            terms,
            timeout,
            digits,
            record,
            recording,
        } = placing;
        let own: Vec<IpAddr> = self.listeners.iter().map(|(_, at)| at.ip()).collect();
        let target = generation
            .called(&to, &own)
            .ok_or_else(|| PlaceError::To(to.clone()))?;
        let Some(caller) = generation.own_caller(&from, &own) else {
            return Err(PlaceError::From(from));
        };
        self.next_key += 1;
        let key = CallKey(self.next_key);
        let id = self.ids.call(now);
        let facts = Facts {
            call: Sid::derive(SidKind::Call, id.as_str()),
            account: generation.applications.account.clone(),
            from: from.clone(),
            to: to.clone(),
            direction: twiml::Direction::OutboundApi,
            forwarded_from: None,
            caller_name: None,
            parent: None,
            token: None,
            more: twiml::Form::new(),
        };
        let terms = Terms {
            caller_ids: generation.applications.caller_ids.clone(),
            api: generation.applications.api.clone(),
            ..terms
        };
        let numbers = (caller.clone(), to.clone());
        let direction = Direction::Outbound;
        let mut core = Core::new((id.clone(), key), generation.number, direction, numbers);
        if !generation.phones.contains_key(&caller) {
            let source = WishSource::Api;
            core.identity.ask_to_show(
                &caller,
                Wish {
                    number: caller.clone(),
                    source,
                },
            );
        }
        let run = Run::new(facts, terms);
        let stage = Placed::new(run, target, timeout, digits, record.then_some(recording));
        tracing::info!(call = %id, "call placed by the REST API");
        self.admit(Box::new(Call {
            core,
            stage: Stage::Over,
        }));
        let origin = self.ids.origin().clone();
        let mut begun = None;
        self.with_call(now, key, |call, hands| {
            let started = Fact::CallStarted {
                region: origin.region,
                node: origin.node,
                direction,
                from,
                to: to.clone(),
                trunk: None,
                generation: generation.number,
            };
            call.core.emit(hands, started);
            call.core.caller_enters(hands, Stretch::Ring, &to);
            call.start(hands, Stage::Placed(Box::new(stage)));
            begun = Some(call.core.record.clone());
        });
        self.pump(now);
        begun.ok_or(PlaceError::Full)
    }

    /// The call here that has, or had, something with this public id: itself, a leg, a recording.
    /// Looks through all calls of the shard: some ten microseconds for a hundred of them.
    pub fn find(&self, sid: &Sid) -> Option<CallRecord> {
        let records = self.calls.values().map(|call| &call.core.record);
        let mut having = records.filter(|record| twiml::has_sid(record, sid));
        having.next().cloned()
    }
}

impl Generation {
    /// Whom a program means: a phone of ours, or a number that phones may dial.
    fn called(&self, text: &str, own: &[IpAddr]) -> Option<Destination> {
        if let Some(name) = phone_of(text, own) {
            let phone = self.phones.contains_key(name);
            return phone.then(|| Destination::Phone(name.to_owned()));
        }
        match self.numbers.dialled(Origin::Flow, text)? {
            found @ (Destination::Phone(_) | Destination::Trunk { .. }) => Some(found),
            _ => None,
        }
    }

    /// The number, or the phone, that a program may call from; `None` when it is not ours.
    fn own_caller(&self, text: &str, own: &[IpAddr]) -> Option<String> {
        if let Some(name) = phone_of(text, own) {
            return self.phones.contains_key(name).then(|| name.to_owned());
        }
        if self.phones.contains_key(text) {
            return Some(text.to_owned());
        }
        self.own_number(text)
    }

    /// A number in its international form when it is one that the office may show.
    pub(super) fn own_number(&self, text: &str) -> Option<String> {
        let site = self.numbers.site();
        let read = |text: &str| {
            let e164 = site.and_then(|site| site.e164(text));
            e164.unwrap_or_else(|| text.to_owned())
        };
        let number = read(text);
        let is_it = |other: &str| read(other) == number;
        let ours = self.applications.caller_ids.iter().any(|it| is_it(it))
            || self.caller_id.as_deref().is_some_and(is_it)
            || self.caller_ids.covers(&number)
            || self.trunks.values().any(|trunk| {
                trunk.caller_id.as_deref().is_some_and(is_it)
                    || trunk.identity.caller_ids.covers(&number)
            });
        ours.then_some(number)
    }
}

/// The phone that `client:NAME` or `sip:NAME@HOST` names, when the host is ours; an empty name when
/// it is not.
fn phone_of<'t>(text: &'t str, own: &[IpAddr]) -> Option<&'t str> {
    if let Some(name) = text.strip_prefix("client:") {
        return Some(name);
    }
    let address = text.strip_prefix("sip:").or(text.strip_prefix("sips:"))?;
    let address = address.split([';', '?']).next().unwrap_or_default();
    let Some((name, host)) = address.split_once('@') else {
        return Some("");
    };
    let host = match host.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|octet| octet.is_ascii_digit()) => host,
        _ => host,
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let host: Option<IpAddr> = host.parse().ok();
    let is_ours = host.is_some_and(|host| own.contains(&host));
    Some(if is_ours { name } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_is_named_as_a_client_or_by_our_address() {
        let own = ["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
        for (text, expected) in [
            ("client:1001", Some("1001")),
            ("sip:1001@192.0.2.1", Some("1001")),
            ("sip:1001@192.0.2.1:5060;transport=tcp", Some("1001")),
            ("sip:1001@[2001:db8::1]", Some("1001")),
            ("sip:1001@192.0.2.2", Some("")),
            ("sip:1001@evil.example", Some("")),
            ("sip:192.0.2.1", Some("")),
            ("+81312345678", None),
        ] {
            assert_eq!(phone_of(text, &own), expected, "{text}");
        }
    }
}
