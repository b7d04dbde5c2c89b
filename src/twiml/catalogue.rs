//! Which public ids a call has: its own, its legs', its recordings'.

use super::sid::{Sid, SidKind};
use crate::events::{CallRecord, Role};

/// Every public id of a call: what is looked for by one of them is in its record.
pub fn sids_of(record: &CallRecord) -> impl Iterator<Item = Sid> {
    let own = Sid::derive(SidKind::Call, record.id.as_str());
    std::iter::once(own)
        .chain(legs(record))
        .chain(recordings(record))
}

/// Whether a public id is one of a call's.
pub fn has_sid(record: &CallRecord, sid: &Sid) -> bool {
    if sid.is(SidKind::Recording) {
        return recordings(record).any(|other| other == *sid);
    }
    sid.is(SidKind::Call)
        && (Sid::derive(SidKind::Call, record.id.as_str()) == *sid
            || legs(record).any(|other| other == *sid))
}

fn legs(record: &CallRecord) -> impl Iterator<Item = Sid> {
    let dialled = record.legs.iter().filter(|leg| leg.role != Role::Caller);
    dialled.map(|leg| Sid::derive(SidKind::Call, &format!("{}/{}", record.id, leg.leg.0)))
}

fn recordings(record: &CallRecord) -> impl Iterator<Item = Sid> {
    let all = record.recordings.iter();
    all.map(|it| Sid::derive(SidKind::Recording, it.recording.as_str()))
}
