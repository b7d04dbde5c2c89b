//! What the wire saw of one call: its SIP messages for a ladder, and a capture of it.

use std::collections::HashSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::live::Live;
use super::pcap::{self, Shown};
use crate::base::{LegId, Timestamp};
use crate::events::{CallRecord, Role};
use crate::sip::trace::{Traced, Way, redact};

/// The signalling of one call, as far as it is still kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ladder {
    /// The call.
    pub id: String,
    /// Whose dialogs are shown.
    pub legs: Vec<LadderLeg>,
    /// The messages, the oldest first.
    pub messages: Vec<LadderMessage>,
}

/// One leg of the call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LadderLeg {
    /// Leg, as the record names it.
    pub leg: LegId,
    /// Its part in the call.
    pub role: Role,
    /// Who it is.
    pub party: String,
    /// Call-ID of its dialog.
    pub sip_call_id: String,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LadderMessage {
    /// When it came or went.
    pub at: Timestamp,
    /// `in` or `out`.
    pub way: String,
    /// `UDP`, `TCP`, `TLS`.
    pub protocol: String,
    /// Our address.
    pub local: String,
    /// Theirs.
    pub remote: String,
    /// Call-ID.
    pub sip_call_id: String,
    /// Its lines, without line ends; secrets are overwritten.
    pub lines: Vec<String>,
}

/// The ladder of a call.
pub(super) fn ladder(live: &dyn Live, record: &CallRecord) -> Ladder {
    let shown = messages(live, record);
    let messages = shown.into_iter().map(|(traced, sip_call_id, octets)| {
        let text = String::from_utf8_lossy(&octets).into_owned();
        LadderMessage {
            at: traced.at,
            way: match traced.way {
                Way::In => "in",
                Way::Out => "out",
            }
            .to_owned(),
            protocol: traced.flow.protocol.to_string(),
            local: traced.flow.local.to_string(),
            remote: traced.flow.remote.to_string(),
            sip_call_id,
            lines: text.lines().map(str::to_owned).collect(),
        }
    });
    Ladder {
        id: record.id.to_string(),
        messages: messages.collect(),
        legs: record
            .legs
            .iter()
            .map(|leg| LadderLeg {
                leg: leg.leg,
                role: leg.role,
                party: leg.party.clone(),
                sip_call_id: leg.sip_call_id.clone(),
            })
            .collect(),
    }
}

/// A capture file of a call: what is kept of its signalling, and its media for some time or until
/// it ends.
pub(super) fn capture(
    live: &dyn Live,
    record: &CallRecord,
    time: Duration,
) -> Result<Vec<u8>, String> {
    let media = match time.is_zero() || record.ended.is_some() {
        true => Vec::new(),
        false => live.watch(record.id.as_str(), time),
    };
    // Legs may have come meanwhile.
    let now = live.call(record.id.as_str());
    let signalling = messages(live, now.as_ref().unwrap_or(record));
    let signalling = signalling.into_iter().map(|(traced, _, payload)| {
        let (from, to) = match traced.way {
            Way::In => (traced.flow.remote, traced.flow.local),
            Way::Out => (traced.flow.local, traced.flow.remote),
        };
        Shown {
            at: traced.at,
            from,
            to,
            payload,
        }
    });
    let media = media.iter().map(|packet| Shown {
        at: packet.at,
        from: packet.from,
        to: packet.to,
        payload: packet.octets().to_vec(),
    });
    pcap::write(signalling.chain(media).collect()).map_err(|error| error.to_string())
}

/// Every kept message of the call's dialogs, with its Call-ID and what may be shown of it.
fn messages(live: &dyn Live, record: &CallRecord) -> Vec<(Traced, String, Vec<u8>)> {
    let ids: HashSet<&str> = record
        .legs
        .iter()
        .map(|leg| leg.sip_call_id.as_str())
        .collect();
    let mut found: Vec<_> = live
        .messages()
        .into_iter()
        .filter_map(|traced| {
            let id = traced.call_id().filter(|id| ids.contains(id.as_str()))?;
            let octets = redact(&traced.bytes, live.numbers());
            Some((traced, id, octets))
        })
        .collect();
    found.sort_by_key(|(traced, ..)| traced.at);
    found
}
