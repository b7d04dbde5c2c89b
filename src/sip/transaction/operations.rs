//! Lists of operations for the four machines: whatever happens to a transaction, in whatever
//! order and whenever, it says each thing once, repeats no more than its figure allows, and ends.
//!
//! One second a machine, or `FUZZ_SECONDS` (for each) from `FUZZ_SEED` on; a failing seed is told.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::table::{Arrival, Reaction, Table};
use super::{Failure, Timing, TransactionId};
use crate::base::{Entropy, Timestamp};
use crate::sip::Flow;

/// One transaction and all it ever said.
struct Life {
    table: Table<()>,
    timing: Timing,
    flow: Flow,
    id: TransactionId,
    now: Timestamp,
    entropy: Entropy,
    heard: Heard,
    list: Vec<String>,
}

/// What the user and the network got from it.
#[derive(Debug, Default)]
struct Heard {
    accepted: usize,
    failed: Option<Failure>,
    provisional: usize,
    refused: usize,
    acknowledged: usize,
    /// Sent again by a timer.
    repeated: usize,
}

impl Life {
    fn new(seed: u64) -> Self {
        let mut entropy = Entropy::from_seed(seed);
        let [local, remote] = [1u8, 2].map(|last| ([127, 0, 0, last], 5060).into());
        let flow = match entropy.below(3) {
            0 => Flow::tcp(local, remote, None),
            _ => Flow::udp(local, remote),
        };
        let timing = Timing::default();
        Self {
            table: Table::new(timing),
            timing,
            flow,
            id: TransactionId::MIN,
            now: Timestamp::ZERO,
            entropy,
            heard: Heard::default(),
            list: vec![format!("seed {seed} {}", flow.protocol)],
        }
    }

    fn note(&mut self, what: impl Into<String>) {
        let at = self.now.as_millis();
        self.list.push(format!("{at} ms: {}", what.into()));
    }

    /// Time passes: a moment, to the next timer, or beyond several.
    fn pass(&mut self) {
        let next = self.table.next_timeout();
        self.now = match (self.entropy.below(3), next) {
            (0, Some(next)) => self.now.max(next),
            (1, _) => self.now + Duration::from_millis(self.entropy.below(40_000)),
            _ => self.now + Duration::from_millis(self.entropy.below(700)),
        };
        self.note("time");
        self.fire();
    }

    fn fire(&mut self) {
        let mut fired = 0;
        while let Some(reaction) = self.table.handle_timeout(self.now) {
            fired += 1;
            assert!(fired < 100, "a timer that never stops: {:?}", self.list);
            self.heard.repeated += usize::from(reaction.step.send);
            self.take(&reaction, None);
        }
        assert!(self.table.next_timeout().is_none_or(|next| next > self.now));
    }

    fn take(&mut self, reaction: &Reaction<()>, status: Option<u16>) {
        let step = reaction.step;
        if step.deliver {
            match status {
                Some(100..=199) => self.heard.provisional += 1,
                Some(200..=299) => self.heard.accepted += 1,
                Some(_) => self.heard.refused += 1,
                None => {}
            }
        }
        if let Some(failure) = step.failure {
            assert_eq!(self.heard.failed, None, "fails twice: {:?}", self.list);
            self.heard.failed = Some(failure);
        }
        self.heard.acknowledged += usize::from(step.acknowledge);
        assert_eq!(reaction.over, self.table.flow(self.id).is_none());
    }

    fn status(&mut self) -> u16 {
        const STATUSES: [u16; 10] = [100, 180, 183, 199, 200, 202, 302, 404, 487, 603];
        STATUSES[self.entropy.below(STATUSES.len() as u64) as usize]
    }

    fn response(&mut self) {
        let status = self.status();
        self.note(format!("response {status}"));
        if let Some(reaction) = self.table.handle_response(self.now, self.id, status) {
            self.take(&reaction, Some(status));
        }
    }

    fn respond(&mut self, status: u16) {
        self.note(format!("respond {status}"));
        let bytes = Bytes::from(status.to_string());
        if self
            .table
            .respond(self.now, self.id, status, bytes)
            .is_some()
        {
            match status {
                100..=199 => self.heard.provisional += 1,
                200..=299 => self.heard.accepted += 1,
                _ => self.heard.refused += 1,
            }
        }
    }

    fn request(&mut self, is_ack: bool) {
        self.note(if is_ack { "ACK" } else { "repeat" });
        if let Some(reaction) = self.table.handle_request(self.now, self.id, is_ack) {
            self.take(&reaction, None);
        }
    }

    fn break_stream(&mut self) {
        self.note("stream broken");
        let broken = self.flow;
        for reaction in self.table.handle_transport_error(self.now, &broken) {
            self.take(&reaction, None);
        }
    }

    fn start_client(&mut self, is_invite: bool) {
        let request = (self.flow, Bytes::from_static(b"request"));
        self.table
            .start_client(self.now, self.id, is_invite, request, ());
    }

    fn start_server(&mut self, is_invite: bool) {
        let arrival = Arrival {
            id: self.id,
            is_invite,
            flow: self.flow,
            fallback: None,
            merge: Some(1),
        };
        self.table.start_server(self.now, arrival, ());
    }

    /// Nothing happens any more: what is left must end by its timers.
    fn run_out(&mut self, limit: Duration) {
        let until = self.now + limit;
        while let Some(next) = self.table.next_timeout() {
            assert!(next <= until, "still running at {next:?}: {:?}", self.list);
            self.now = self.now.max(next);
            self.fire();
        }
        assert_eq!(self.table.len(), 0, "left over: {:?}", self.list);
        assert!(
            !self.table.is_merged(1),
            "a merge left over: {:?}",
            self.list
        );
    }

    fn is_reliable(&self) -> bool {
        self.flow.protocol.is_reliable()
    }
}

fn invite_client(seed: u64) {
    let mut life = Life::new(seed);
    life.start_client(true);
    for _ in 0..life.entropy.below(24) {
        match life.entropy.below(8) {
            0..=2 => life.pass(),
            3 => life.break_stream(),
            4 => {
                life.note("limit");
                life.table.limit(life.now, life.id);
            }
            _ => life.response(),
        }
    }
    life.table.limit(life.now, life.id);
    // Timer B or M, then D.
    life.run_out(2 * life.timing.patience());
    let (heard, list) = (&life.heard, &life.list);
    assert!(heard.refused <= 1, "{list:?}");
    assert!(heard.refused == 0 || heard.accepted == 0, "{list:?}");
    let ends =
        heard.refused + usize::from(heard.accepted > 0) + usize::from(heard.failed.is_some());
    assert_eq!(ends, 1, "one outcome: {heard:?} {list:?}");
    assert_eq!(heard.acknowledged, heard.refused, "{list:?}");
    // Timer A doubles from T1: six repeats before timer B (RFC 3261 §17.1.1.2).
    let most = if life.is_reliable() { 0 } else { 6 };
    assert!(heard.repeated <= most, "{heard:?} {list:?}");
}

fn invite_server(seed: u64) {
    let mut life = Life::new(seed);
    life.start_server(true);
    for _ in 0..life.entropy.below(24) {
        match life.entropy.below(8) {
            0..=2 => life.pass(),
            3 => life.break_stream(),
            4 => life.request(true),
            5 => life.request(false),
            _ => {
                let status = life.status();
                life.respond(status);
            }
        }
    }
    if life.table.is_proceeding(life.id) {
        life.respond(487);
    }
    life.run_out(2 * life.timing.patience());
    let (heard, list) = (&life.heard, &life.list);
    assert!(heard.refused <= 1, "{list:?}");
    assert_eq!(heard.refused == 0, heard.accepted > 0, "{heard:?} {list:?}");
    // Timer G doubles from T1 up to T2 until timer H: ten repeats.
    let most = if life.is_reliable() { 0 } else { 10 };
    assert!(heard.repeated <= most, "{heard:?} {list:?}");
    assert!(
        heard.failed.is_none() || heard.refused == 1,
        "{heard:?} {list:?}"
    );
}

fn client(seed: u64) {
    let mut life = Life::new(seed);
    life.start_client(false);
    for _ in 0..life.entropy.below(24) {
        match life.entropy.below(6) {
            0..=2 => life.pass(),
            3 => life.break_stream(),
            _ => life.response(),
        }
    }
    life.run_out(2 * life.timing.patience());
    let (heard, list) = (&life.heard, &life.list);
    let finals = heard.accepted + heard.refused + usize::from(heard.failed.is_some());
    assert_eq!(finals, 1, "one outcome: {heard:?} {list:?}");
    // Timer E doubles from T1 up to T2 until timer F: ten repeats.
    let most = if life.is_reliable() { 0 } else { 10 };
    assert!(heard.repeated <= most, "{heard:?} {list:?}");
}

fn server(seed: u64) {
    let mut life = Life::new(seed);
    life.start_server(false);
    for _ in 0..life.entropy.below(24) {
        match life.entropy.below(6) {
            0..=2 => life.pass(),
            3 => life.break_stream(),
            4 => life.request(false),
            _ => {
                let status = life.status();
                life.respond(status);
            }
        }
    }
    life.run_out(life.timing.patience());
    let (heard, list) = (&life.heard, &life.list);
    assert!(heard.accepted + heard.refused <= 1, "{heard:?} {list:?}");
    assert_eq!(heard.repeated, 0, "{list:?}");
}

/// Runs lists, one a seed, until the time is over.
pub(crate) fn fuzz(machine: &str, run: fn(u64)) {
    let variable = |name| std::env::var(name).ok()?.parse::<u64>().ok();
    let first = variable("FUZZ_SEED").unwrap_or(0);
    let time = Duration::from_secs(variable("FUZZ_SECONDS").unwrap_or(1));
    let started = Instant::now();
    let mut count = 0;
    while started.elapsed() < time {
        for _ in 0..16 {
            run(first.wrapping_add(count));
            count += 1;
        }
    }
    println!("{machine}: {count} lists from seed {first} on");
}

#[test]
fn fuzz_invite_client() {
    fuzz("INVITE client transaction", invite_client);
}

#[test]
fn fuzz_invite_server() {
    fuzz("INVITE server transaction", invite_server);
}

#[test]
fn fuzz_client() {
    fuzz("client transaction", client);
}

#[test]
fn fuzz_server() {
    fuzz("server transaction", server);
}
