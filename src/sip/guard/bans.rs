//! Sources that are not listened to for a while.

use std::collections::{BTreeSet, HashMap};

use super::{Attack, Source};
use crate::base::Timestamp;

/// One source that is not listened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ban {
    /// Who.
    pub source: Source,
    /// What for.
    pub attack: Attack,
    /// Since when.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Messages not listened to.
    pub dropped: u64,
}

/// Bans by source, at most [`MAX_BANS`]; past that the one that ends first is lifted early.
#[derive(Debug, Default)]
pub(super) struct Bans {
    by_source: HashMap<Source, Ban>,
    ends: BTreeSet<(Timestamp, Source)>,
}

impl Bans {
    pub(super) fn add(&mut self, ban: Ban) {
        self.lift(ban.source);
        while self.by_source.len() >= MAX_BANS
            && let Some((_, first)) = self.ends.pop_first()
        {
            self.by_source.remove(&first);
        }
        self.ends.insert((ban.until, ban.source));
        self.by_source.insert(ban.source, ban);
    }

    /// Whether a message from `source` is not to be listened to; counts it.
    pub(super) fn holds(&mut self, now: Timestamp, source: Source) -> bool {
        if self.by_source.is_empty() {
            return false;
        }
        match self.by_source.get_mut(&source) {
            Some(ban) if ban.until > now => {
                ban.dropped += 1;
                true
            }
            Some(_) => {
                self.lift(source);
                false
            }
            None => false,
        }
    }

    /// Whether there was one to lift.
    pub(super) fn lift(&mut self, source: Source) -> bool {
        let lifted = self.by_source.remove(&source);
        if let Some(ban) = &lifted {
            self.ends.remove(&(ban.until, source));
        }
        lifted.is_some()
    }

    /// All that hold, the one that ends first at the front.
    pub(super) fn list(&mut self, now: Timestamp) -> Vec<Ban> {
        while let Some((until, source)) = self.ends.first().copied()
            && until <= now
        {
            self.lift(source);
        }
        let banned = self.ends.iter();
        banned
            .filter_map(|(_, source)| self.by_source.get(source).copied())
            .collect()
    }
}

/// A ban needs an answered challenge, so nobody has this many addresses by lying.
const MAX_BANS: usize = 10_000;

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn ban(number: u32, seconds: u64) -> Ban {
        Ban {
            source: Source::of(Ipv4Addr::from_bits(number).into()),
            attack: Attack::PasswordGuessing,
            since: NOW,
            until: NOW + Duration::from_secs(seconds),
            dropped: 0,
        }
    }

    #[test]
    fn a_ban_ends_by_itself_or_by_hand() {
        let mut bans = Bans::default();
        let (short, long) = (ban(1, 10), ban(2, 20));
        bans.add(long);
        bans.add(short);
        assert!(bans.holds(NOW, short.source));
        let later = NOW + Duration::from_secs(10);
        assert_eq!(bans.list(NOW).len(), 2);
        assert!(!bans.holds(later, short.source));
        assert!(bans.holds(later, long.source));
        assert!(bans.lift(long.source) && !bans.lift(long.source));
        assert_eq!(bans.list(NOW), []);
        assert!(bans.ends.is_empty());
    }

    #[test]
    fn there_are_never_more_than_the_table_holds() {
        let mut bans = Bans::default();
        for number in 0..MAX_BANS as u32 + 100 {
            bans.add(ban(number, 1 + u64::from(number)));
        }
        assert_eq!(bans.list(NOW).len(), MAX_BANS);
        assert_eq!(bans.ends.len(), MAX_BANS);
        assert!(!bans.holds(NOW, ban(0, 1).source));
    }
}
