//! The watchdog of one-way sound: which direction of a leg is dead, and why.
//!
//! It watches only while sound is due: signalling says that the leg is answered, and both sides
//! agreed to send and to receive. What counts as life is any packet that was believed, comfort noise
//! and keys among them. A far end that has shown that it pauses between words is not dead while it
//! pauses, unless its own reports or refused packets say that it speaks.

use std::net::SocketAddr;
use std::time::Duration;

use crate::base::Timestamp;
use crate::events::{Deafness, Way};

/// Sound is missed after this long: about when people begin to ask "hello?".
const PATIENCE: Duration = Duration::from_secs(2);

/// Refused packets that are a stream and not a stray: 100 ms of speech.
const A_STREAM: u32 = 5;

/// Packets we must have sent for a report of nothing received to mean anything: 2 s.
const ENOUGH_SENT: u64 = 100;

/// Reports in a row without a word of our stream that mean that nothing of it arrives.
const MUTE_REPORTS: u8 = 2;

/// Why a packet was not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// From a source that is neither negotiated nor latched.
    Elsewhere(SocketAddr),
    /// Not RTP at all.
    NotRtp,
    /// A payload type that was not negotiated.
    PayloadType(u8),
    /// It could not be decrypted or was tampered with.
    Srtp,
}

/// A direction that is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// Which.
    pub way: Way,
    /// When it was last heard, or expected first.
    pub since: Timestamp,
    /// Our own RTP port.
    pub port: u16,
    /// Where the far end is to be, when it said so.
    pub remote: Option<SocketAddr>,
    /// Why.
    pub why: Why,
}

/// Why a direction is dead, with what is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Packets come from here and are ignored.
    Elsewhere(SocketAddr),
    /// The far end's sender reports count nothing.
    Idle,
    /// The far end's sender reports count packets that do not arrive.
    LostOnTheWay,
    /// Packets are no RTP.
    NotRtp,
    /// Nothing ever came.
    NothingArrives,
    /// Packets cannot be decrypted.
    SrtpFails,
    /// Packets came and come no more.
    Stopped,
    /// The far end's reports tell of nothing received.
    Unheard,
    /// The network takes nothing.
    Unsent,
    /// Packets are of this payload type.
    WrongPayloadType(u8),
}

impl Outage {
    /// The cause as metrics and records name it.
    pub fn cause(&self) -> Deafness {
        match self.why {
            Why::Elsewhere(_) => Deafness::Elsewhere,
            Why::Idle => Deafness::Idle,
            Why::LostOnTheWay => Deafness::LostOnTheWay,
            Why::NotRtp => Deafness::NotRtp,
            Why::NothingArrives => Deafness::NothingArrives,
            Why::SrtpFails => Deafness::SrtpFails,
            Why::Stopped => Deafness::Stopped,
            Why::Unheard => Deafness::Unheard,
            Why::Unsent => Deafness::Unsent,
            Why::WrongPayloadType(_) => Deafness::WrongPayloadType,
        }
    }

    /// The cause in words, with the addresses.
    pub fn words(&self) -> String {
        let remote = self
            .remote
            .map_or_else(|| "the far end".to_owned(), |remote| remote.to_string());
        let port = self.port;
        match self.why {
            Why::Elsewhere(from) => {
                format!("no RTP from {remote}; packets arrive from {from}, ignored")
            }
            Why::Idle => format!("no RTP from {remote}, which reports that it sends nothing"),
            Why::LostOnTheWay => {
                format!("nothing arrives at port {port}, although {remote} reports that it sends")
            }
            Why::NotRtp => format!("what arrives at port {port} is no RTP"),
            Why::NothingArrives => format!("nothing arrives at port {port} from {remote} at all"),
            Why::SrtpFails => format!("RTP arrives from {remote}, but SRTP fails"),
            Why::Stopped => format!("RTP from {remote} stopped"),
            Why::Unheard => format!("{remote} reports that it receives nothing of ours"),
            Why::Unsent => format!("the network takes no packets to {remote}"),
            Why::WrongPayloadType(number) => {
                format!("RTP from {remote} has the wrong payload type {number}")
            }
        }
    }
}

/// One leg's watchdog. Fixed size.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Watch {
    /// Whether signalling says that people talk: the leg is answered.
    is_answered: bool,
    /// Since when sound is due both ways.
    due_since: Option<Timestamp>,
    /// Outages told and not over: of what is said, of what is heard.
    said_lost: Option<Timestamp>,
    heard_lost: Option<Timestamp>,
    /// Refused packets since the last good one, and the reason of the newest.
    refused: u32,
    refusal: Option<Refusal>,
    /// Whether the far end stops sending between words.
    pauses: bool,
    /// Packets its last sender report counted, and when a report last counted more than one before.
    far_sent: Option<u32>,
    far_sent_more: Option<Timestamp>,
    far_sent_same: Option<Timestamp>,
    /// What the far end last reported of our stream: highest number, and how much we had sent.
    far_heard: Option<(u32, u64)>,
    /// Whether that number stood still while we sent.
    is_stuck: bool,
    mute_reports: u8,
    /// Packets the network did not take, and how many there were, and were sent, at the last look.
    unsent: u64,
    looked: (u64, u64),
}

impl Watch {
    /// Signalling says that the leg is answered.
    pub(crate) fn answered(&mut self) {
        self.is_answered = true;
    }

    /// What was agreed has changed, or the leg was answered: whether both sides are to send now.
    pub(crate) fn agree(&mut self, now: Timestamp, both_ways: bool) {
        let is_due = self.is_answered && both_ways;
        self.due_since = match self.due_since {
            Some(since) if is_due => Some(since),
            _ => is_due.then_some(now),
        };
    }

    /// The far end is another, or at another place: nothing is known of it.
    pub(crate) fn moved(&mut self, now: Timestamp) {
        *self = Self {
            is_answered: self.is_answered,
            due_since: self.due_since.map(|_| now),
            said_lost: self.said_lost,
            heard_lost: self.heard_lost,
            unsent: self.unsent,
            looked: self.looked,
            ..Self::default()
        };
    }

    /// A packet was not taken in.
    pub(crate) fn refuse(&mut self, refusal: Refusal) {
        self.refused = self.refused.saturating_add(1);
        self.refusal = Some(refusal);
    }

    /// Whether the next good packet has something to tell, or there is something to forget.
    pub(crate) fn is_stirred(&self) -> bool {
        self.refused > 0 || self.said_lost.is_some()
    }

    /// A packet was taken in; how long there was none, when that was told.
    pub(crate) fn hear(&mut self, now: Timestamp) -> Option<Duration> {
        (self.refused, self.refusal) = (0, None);
        let since = self.said_lost.take()?;
        Some(now.since(since))
    }

    /// The far end stopped sending and went on where it was: it sends no silence.
    pub(crate) fn pause(&mut self) {
        self.pauses = true;
    }

    /// The network did not take a packet.
    pub(crate) fn unsent(&mut self) {
        self.unsent += 1;
    }

    /// A sender report of the far end came.
    pub(crate) fn sender_report(&mut self, now: Timestamp, packets: u32) {
        match self.far_sent.replace(packets) {
            Some(before) if before == packets => self.far_sent_same = Some(now),
            Some(before) if packets.wrapping_sub(before) < u32::MAX / 2 => {
                self.far_sent_more = Some(now);
            }
            _ => {}
        }
    }

    /// A report of the far end about our stream came, when we had sent so much; how long it
    /// received nothing, when that was told.
    pub(crate) fn receiver_report(
        &mut self,
        now: Timestamp,
        highest: u32,
        sent: u64,
    ) -> Option<Duration> {
        self.mute_reports = 0;
        if let Some((before, sent_before)) = self.far_heard
            && before == highest
        {
            self.is_stuck = sent.saturating_sub(sent_before) >= ENOUGH_SENT;
            return None;
        }
        (self.far_heard, self.is_stuck) = (Some((highest, sent)), false);
        let since = self.heard_lost.take()?;
        Some(now.since(since))
    }

    /// A report came that says nothing of our stream.
    pub(crate) fn mute_report(&mut self, sent: u64) {
        if sent >= ENOUGH_SENT {
            self.mute_reports = self.mute_reports.saturating_add(1);
        }
    }

    /// When to look again, if nothing is heard any more; `heard` is when the last packet came.
    pub(crate) fn next_look(&self, now: Timestamp, heard: Timestamp) -> Option<Timestamp> {
        let since = self.due_since?;
        if self.said_lost.is_some() || self.pauses {
            return Some(now + PATIENCE);
        }
        let due = since.max(heard) + PATIENCE;
        Some(if due > now { due } else { now + PATIENCE })
    }

    /// What is dead now and was not told yet. `heard` is when the last packet came, `received` how
    /// many ever did, `sent` how many we sent.
    pub(crate) fn look(
        &mut self,
        now: Timestamp,
        heard: Timestamp,
        (received, sent): (u64, u64),
    ) -> Option<(Way, Timestamp, Why)> {
        let due_since = self.due_since?;
        let since = due_since.max(heard);
        let silent = now.since(since) >= PATIENCE;
        if silent && self.said_lost.is_none() && self.speaks(since) {
            self.said_lost = Some(since);
            return Some((Way::Said, since, self.why_not_said(since, received)));
        }
        if self.heard_lost.is_none()
            && now.since(due_since) >= PATIENCE
            && let Some(why) = self.why_not_heard(sent)
        {
            self.heard_lost = Some(due_since);
            return Some((Way::Heard, due_since, why));
        }
        self.looked = (self.unsent, sent);
        None
    }

    /// Whether silence since then is no pause of a far end that pauses.
    fn speaks(&self, since: Timestamp) -> bool {
        let reports = self.far_sent_more.is_some_and(|at| at > since + PATIENCE);
        !self.pauses || self.refused >= A_STREAM || reports
    }

    fn why_not_said(&self, since: Timestamp, received: u64) -> Why {
        if let Some(refusal) = self.refusal.filter(|_| self.refused >= A_STREAM) {
            return match refusal {
                Refusal::Elsewhere(from) => Why::Elsewhere(from),
                Refusal::NotRtp => Why::NotRtp,
                Refusal::PayloadType(number) => Why::WrongPayloadType(number),
                Refusal::Srtp => Why::SrtpFails,
            };
        }
        let after = |at: Option<Timestamp>| at.is_some_and(|at| at > since);
        match (received > 0, self.far_sent) {
            _ if after(self.far_sent_more) => Why::LostOnTheWay,
            _ if after(self.far_sent_same) => Why::Idle,
            (false, Some(1..)) => Why::LostOnTheWay,
            (true, _) => Why::Stopped,
            (false, _) => Why::NothingArrives,
        }
    }

    fn why_not_heard(&self, sent: u64) -> Option<Why> {
        let (unsent, sent_before) = self.looked;
        let tried = sent.saturating_sub(sent_before);
        if tried >= ENOUGH_SENT / 2 && self.unsent - unsent >= tried {
            return Some(Why::Unsent);
        }
        (self.is_stuck || self.mute_reports >= MUTE_REPORTS).then_some(Why::Unheard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn watch() -> Watch {
        let mut watch = Watch::default();
        watch.answered();
        watch.agree(at(0), true);
        watch
    }

    fn outage(why: Why) -> Outage {
        Outage {
            way: Way::Said,
            since: at(0),
            port: 16_390,
            remote: Some("10.0.0.5:4000".parse().expect("an address")),
            why,
        }
    }

    #[test]
    fn who_is_not_answered_or_on_hold_may_be_silent() {
        let mut ringing = Watch::default();
        ringing.agree(at(0), true);
        assert_eq!(ringing.look(at(60_000), at(0), (0, 0)), None);
        assert_eq!(ringing.next_look(at(60_000), at(0)), None);
        let mut held = watch();
        held.agree(at(100), false);
        assert_eq!(held.look(at(60_000), at(0), (0, 0)), None);
        // Back from hold: the time begins anew.
        held.agree(at(60_000), true);
        assert_eq!(held.look(at(61_999), at(0), (0, 0)), None);
        assert!(held.look(at(62_000), at(0), (0, 0)).is_some());
    }

    #[test]
    fn nothing_at_all_is_told_once_after_two_seconds_and_so_is_its_end() {
        let mut watch = watch();
        assert_eq!(watch.next_look(at(0), at(0)), Some(at(2000)));
        assert_eq!(watch.look(at(1999), at(0), (0, 0)), None);
        let told = watch.look(at(2000), at(0), (0, 0));
        assert_eq!(told, Some((Way::Said, at(0), Why::NothingArrives)));
        assert_eq!(watch.look(at(9000), at(0), (0, 0)), None);
        assert!(watch.is_stirred());
        assert_eq!(watch.hear(at(3400)), Some(Duration::from_millis(3400)));
        assert_eq!(watch.hear(at(3420)), None);
        assert!(!watch.is_stirred());
        let again = watch.look(at(6000), at(3420), (2, 0));
        assert_eq!(again, Some((Way::Said, at(3420), Why::Stopped)));
    }

    #[test]
    fn what_is_refused_names_the_cause() {
        let from = "10.0.0.9:4000".parse().expect("an address");
        for (refusal, why) in [
            (Refusal::Elsewhere(from), Why::Elsewhere(from)),
            (Refusal::NotRtp, Why::NotRtp),
            (Refusal::PayloadType(18), Why::WrongPayloadType(18)),
            (Refusal::Srtp, Why::SrtpFails),
        ] {
            let mut watch = watch();
            for _ in 0..A_STREAM {
                watch.refuse(refusal);
            }
            let told = watch.look(at(2000), at(0), (0, 0));
            assert_eq!(told, Some((Way::Said, at(0), why)));
        }
        assert_eq!(
            outage(Why::Elsewhere(from)).words(),
            "no RTP from 10.0.0.5:4000; packets arrive from 10.0.0.9:4000, ignored"
        );
        // A stray packet is not a stream.
        let mut watch = watch();
        watch.refuse(Refusal::NotRtp);
        let told = watch.look(at(2000), at(0), (0, 0));
        assert_eq!(told, Some((Way::Said, at(0), Why::NothingArrives)));
    }

    #[test]
    fn the_far_ends_reports_say_whether_it_sends() {
        let mut sends = watch();
        sends.sender_report(at(1000), 50);
        let told = sends.look(at(2000), at(0), (0, 0));
        assert_eq!(told, Some((Way::Said, at(0), Why::LostOnTheWay)));
        let mut idle = watch();
        idle.sender_report(at(900), 50);
        idle.sender_report(at(1900), 50);
        let told = idle.look(at(2500), at(500), (20, 0));
        assert_eq!(told, Some((Way::Said, at(500), Why::Idle)));
    }

    #[test]
    fn who_pauses_between_words_is_not_dead_until_something_says_that_he_speaks() {
        let mut watch = watch();
        watch.pause();
        assert_eq!(watch.look(at(60_000), at(500), (20, 0)), None);
        watch.sender_report(at(61_000), 20);
        watch.sender_report(at(66_000), 270);
        let told = watch.look(at(66_020), at(500), (20, 0));
        assert_eq!(told, Some((Way::Said, at(500), Why::LostOnTheWay)));
    }

    #[test]
    fn reports_that_stand_still_say_that_nothing_of_ours_arrives() {
        let mut watch = watch();
        watch.receiver_report(at(1000), 500, 50);
        watch.receiver_report(at(6000), 500, 149);
        assert_eq!(watch.look(at(6020), at(6000), (300, 900)), None);
        watch.receiver_report(at(16_000), 500, 800);
        let told = watch.look(at(16_020), at(16_000), (800, 801));
        assert_eq!(told, Some((Way::Heard, at(0), Why::Unheard)));
        let back = watch.receiver_report(at(20_000), 700, 1000);
        assert_eq!(back, Some(Duration::from_secs(20)));
    }

    #[test]
    fn reports_without_a_word_of_us_say_the_same() {
        let mut watch = watch();
        watch.mute_report(10);
        watch.mute_report(200);
        assert_eq!(watch.look(at(5020), at(5000), (250, 250)), None);
        watch.mute_report(450);
        let told = watch.look(at(10_020), at(10_000), (500, 500));
        assert_eq!(told, Some((Way::Heard, at(0), Why::Unheard)));
    }

    #[test]
    fn a_network_that_takes_nothing_is_named() {
        let mut watch = watch();
        assert_eq!(watch.look(at(2000), at(2000), (100, 0)), None);
        for _ in 0..100 {
            watch.unsent();
        }
        let told = watch.look(at(4000), at(4000), (200, 100));
        assert_eq!(told, Some((Way::Heard, at(0), Why::Unsent)));
    }
}
