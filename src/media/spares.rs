//! Pairs of ports that rest with their sockets bound, until another leg takes them over.
//!
//! Two sockets a leg, each to be made, sized, bound and closed, cost more than all the parsing of a
//! call. A pair has to rest anyway ([`super::ports`]); here it rests open. What a vanished caller
//! still sends meanwhile is thrown away when the pair is taken, and refused by its traces after that.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::io::Socket;
use super::ports::Lease;
use crate::base::Timestamp;

/// A pair with its sockets.
#[derive(Debug)]
pub(crate) struct Spare {
    /// The pair; marked as resting while it is kept.
    pub(crate) lease: Lease,
    /// Bound to the even port.
    pub(crate) rtp: Socket,
    /// Bound to the odd port.
    pub(crate) rtcp: Socket,
    /// Where they are bound.
    pub(crate) ip: IpAddr,
    /// When the leg ended.
    pub(crate) since: Timestamp,
}

/// The pairs kept, oldest first.
#[derive(Debug)]
pub(crate) struct Spares {
    kept: VecDeque<Spare>,
    quarantine: Duration,
    most: usize,
}

/// How long a rested pair stays open for a call to come. Under load one comes at once.
const KEEP: Duration = Duration::from_secs(1);
/// Pairs closed at once when descriptors run out.
const GIVEN_UP: usize = 64;
/// Datagrams thrown away in one socket: more than its buffer holds.
const STALE: usize = 512;

impl Spares {
    /// None yet; each is to rest for `quarantine`, and `most` are kept.
    pub(crate) fn new(quarantine: Duration, most: usize) -> Self {
        Self {
            kept: VecDeque::new(),
            quarantine,
            most,
        }
    }

    /// Keeps a pair whose leg is over, unless as many as may be are kept already.
    pub(crate) fn keep(&mut self, spare: Spare) {
        if self.kept.len() < self.most {
            self.kept.push_back(spare);
        } else {
            spare.close();
        }
    }

    /// The pair that has rested longest, if it has rested enough, of those at this address whose
    /// ports lie in `band`; emptied of what came for its last leg.
    pub(crate) fn take(
        &mut self,
        now: Timestamp,
        ip: IpAddr,
        band: Option<&RangeInclusive<u16>>,
    ) -> Option<Spare> {
        let fits = |spare: &Spare| {
            spare.ip == ip
                && band.is_none_or(|band| {
                    band.contains(&spare.lease.rtp()) && band.contains(&spare.lease.rtcp())
                })
        };
        let rested = |spare: &&Spare| spare.since + self.quarantine <= now;
        let place = self.kept.iter().take_while(rested).position(fits)?;
        let spare = self.kept.remove(place)?;
        drain(&spare.rtp);
        drain(&spare.rtcp);
        spare.lease.wake();
        Some(spare)
    }

    /// Closes those that nobody came for; says when to look again, if any is left.
    pub(crate) fn trim(&mut self, now: Timestamp) -> Option<Timestamp> {
        let longest = self.quarantine + KEEP;
        while let Some(first) = self.kept.front() {
            if first.since + longest > now {
                return Some(first.since + longest);
            }
            if let Some(spare) = self.kept.pop_front() {
                spare.close();
            }
        }
        None
    }

    /// Closes the oldest, because the system has no more descriptors; says whether there were any.
    pub(crate) fn give_up(&mut self) -> bool {
        let count = self.kept.len().min(GIVEN_UP);
        self.kept.drain(..count).for_each(Spare::close);
        count > 0
    }

    /// Closes the pair of a port that a checkpoint claims.
    pub(crate) fn close(&mut self, rtp: u16) {
        let place = self.kept.iter().position(|spare| spare.lease.rtp() == rtp);
        if let Some(spare) = place.and_then(|place| self.kept.remove(place)) {
            spare.close();
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.kept.len()
    }
}

impl Spare {
    /// Closes the sockets; the pair goes on resting from the end of its leg.
    pub(crate) fn close(self) {
        drop((self.rtp, self.rtcp));
        let traces = self.lease.traces();
        self.lease.release(self.since, traces);
    }
}

fn drain(socket: &Socket) {
    let mut octet = [0; 1];
    for _ in 0..STALE {
        if socket.receive(&mut octet).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::media::io::{Network, VirtualNet};
    use crate::media::ports::Ports;

    const REST: Duration = Duration::from_secs(5);

    struct Bench {
        net: VirtualNet,
        ports: Arc<Ports>,
        spares: Spares,
    }

    fn ip() -> IpAddr {
        [192, 0, 2, 1].into()
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds as i64 * 1000)
    }

    impl Bench {
        fn new() -> Self {
            Self {
                net: VirtualNet::new(),
                ports: Arc::new(Ports::new(10_000..=10_007, REST)),
                spares: Spares::new(REST, 2),
            }
        }

        fn end_a_leg(&mut self, now: Timestamp) -> u16 {
            let network = Network::Virtual(self.net.clone());
            let lease = self.ports.take(now, None).expect("free");
            let bind = |port| network.bind((ip(), port).into()).expect("free");
            let (rtp, rtcp) = (bind(lease.rtp()), bind(lease.rtcp()));
            let traces = lease.traces();
            lease.rest(now, traces);
            let port = lease.rtp();
            let spare = Spare {
                lease,
                rtp,
                rtcp,
                ip: ip(),
                since: now,
            };
            self.spares.keep(spare);
            port
        }
    }

    #[test]
    fn a_pair_is_taken_over_when_it_has_rested_and_holds_nothing_old() {
        let mut bench = Bench::new();
        let port = bench.end_a_leg(at(1));
        let stranger = bench.net.endpoint(([192, 0, 2, 9], 7).into());
        stranger.send((ip(), port).into(), b"old");
        bench.net.advance(at(2));
        assert!(bench.spares.take(at(5), ip(), None).is_none(), "rests");
        assert_eq!(bench.ports.count(at(5)), (0, 1));
        let spare = bench.spares.take(at(6), ip(), None).expect("rested");
        assert_eq!(spare.lease.rtp(), port);
        assert_eq!(bench.ports.count(at(6)), (1, 0));
        assert!(spare.rtp.receive(&mut [0; 8]).is_err(), "nothing old");
    }

    #[test]
    fn nobody_else_takes_a_pair_that_is_kept() {
        let mut bench = Bench::new();
        let port = bench.end_a_leg(at(1));
        let others: Vec<_> = std::iter::from_fn(|| bench.ports.take(at(60), None)).collect();
        assert_eq!(others.len(), 3);
        assert!(others.iter().all(|lease| lease.rtp() != port));
    }

    #[test]
    fn band_and_address_are_kept_to() {
        let mut bench = Bench::new();
        let (first, second) = (bench.end_a_leg(at(1)), bench.end_a_leg(at(1)));
        let band = second..=second + 1;
        let elsewhere = IpAddr::from([192, 0, 2, 2]);
        assert!(bench.spares.take(at(9), elsewhere, None).is_none());
        let taken = bench.spares.take(at(9), ip(), Some(&band)).expect("in it");
        assert_eq!(taken.lease.rtp(), second);
        assert!(bench.spares.take(at(9), ip(), Some(&band)).is_none());
        let taken = bench.spares.take(at(9), ip(), None).expect("the other");
        assert_eq!(taken.lease.rtp(), first);
    }

    #[test]
    fn what_nobody_takes_is_closed_and_free_for_all() {
        let mut bench = Bench::new();
        let port = bench.end_a_leg(at(1));
        assert_eq!(bench.spares.trim(at(6)), Some(at(7)));
        assert_eq!(bench.spares.trim(at(7)), None);
        assert_eq!(bench.spares.len(), 0);
        let network = Network::Virtual(bench.net.clone());
        assert!(network.bind((ip(), port).into()).is_ok(), "closed");
        assert!(bench.ports.take_again(port, at(7)).is_some());
    }

    #[test]
    fn no_more_are_kept_than_there_is_room_for() {
        let mut bench = Bench::new();
        for _ in 0..3 {
            bench.end_a_leg(at(1));
        }
        assert_eq!(bench.spares.len(), 2);
        assert_eq!(bench.ports.count(at(2)), (0, 3));
        bench.spares.close(10_000);
        assert_eq!(bench.spares.len(), 1);
        assert!(bench.spares.give_up());
        assert!(!bench.spares.give_up());
        assert_eq!(bench.ports.count(at(2)), (0, 3), "they go on resting");
    }
}
