//! Nonces that carry their own proof: time, chance, and a keyed hash over both (RFC 7616 §5.4).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::digest::is_equal;
use crate::base::{Entropy, Timestamp};

/// Makes nonces, knows its own again, and lets no count be used twice.
#[derive(Debug)]
pub(super) struct Nonces {
    key: [u8; 64],
    lifetime: Duration,
    used: BTreeMap<(Timestamp, u64), u32>,
    /// Nonces made at or before it are stale: their counts may have been forgotten.
    floor: Timestamp,
}

impl Nonces {
    pub(super) fn new(lifetime: Duration, entropy: &mut Entropy) -> Self {
        let mut key = [0; 64];
        for part in key.chunks_exact_mut(8) {
            part.copy_from_slice(&entropy.u64().to_be_bytes());
        }
        Self {
            key,
            lifetime,
            used: BTreeMap::new(),
            floor: Timestamp::from_micros(i64::MIN),
        }
    }

    pub(super) fn set_lifetime(&mut self, lifetime: Duration) {
        self.lifetime = lifetime;
    }

    /// A new nonce for whoever is at `source`, good for the lifetime.
    pub(super) fn make(&self, now: Timestamp, source: IpAddr, entropy: &mut Entropy) -> String {
        let mut head = format!("{:016x}{:016x}", now.as_micros(), entropy.u64());
        head += &self.mark(&head, source);
        let proof = self.proof(head.as_bytes());
        head + &hex::encode(proof)
    }

    /// Reads a nonce of ours; `None` for any other.
    pub(super) fn read(&self, nonce: &str, source: IpAddr) -> Option<Nonce> {
        let (head, proof) = nonce.split_at_checked(40)?;
        let expected = hex::encode(self.proof(head.as_bytes()));
        if !is_equal(proof.as_bytes(), expected.as_bytes()) {
            return None;
        }
        let (head, mark) = head.split_at_checked(32)?;
        let (time, chance) = head.split_at_checked(16)?;
        let time = u64::from_str_radix(time, 16).ok()?;
        let chance = u64::from_str_radix(chance, 16).ok()?;
        Some(Nonce {
            made: Timestamp::from_micros(time as i64),
            chance,
            is_sources: mark == self.mark(head, source),
        })
    }

    /// Whether `nonce` is fresh, and `count` the highest ever used with it; notes the count.
    pub(super) fn take(&mut self, now: Timestamp, nonce: &Nonce, count: u32) -> bool {
        let id = (nonce.made, nonce.chance);
        if !self.is_fresh(now, nonce) {
            return false;
        }
        let last = self.used.get(&id).copied().unwrap_or(0);
        if count <= last {
            return false;
        }
        self.used.insert(id, count);
        self.forget(now);
        true
    }

    /// Whether it is neither too old nor from the future.
    pub(super) fn is_fresh(&self, now: Timestamp, nonce: &Nonce) -> bool {
        let made = nonce.made;
        made > self.floor && made <= now && now.since(made) <= self.lifetime
    }

    /// Whether it is time for the next one: half its life is over.
    pub(super) fn is_ageing(&self, now: Timestamp, nonce: &Nonce) -> bool {
        now.since(nonce.made) > self.lifetime / 2
    }

    /// A value no one outside can predict, for work on users who do not exist.
    pub(super) fn decoy(&self, user: &str) -> String {
        hex::encode(self.proof(user.as_bytes()))
    }

    /// Binds a nonce to the address it was given to, so that whoever uses it there has received
    /// what we sent there.
    fn mark(&self, head: &str, source: IpAddr) -> String {
        let proof = self.proof(format!("{head} {}", source.to_canonical()).as_bytes());
        hex::encode(&proof[..4])
    }

    fn forget(&mut self, now: Timestamp) {
        while let Some(oldest) = self.used.first_entry() {
            let (made, _) = *oldest.key();
            let is_over = now.since(made) > self.lifetime;
            if !is_over && self.used.len() <= MAX_USED {
                return;
            }
            self.used.pop_first();
            self.floor = self.floor.max(made);
        }
    }

    /// HMAC-SHA-256 (RFC 2104), the first 16 octets.
    fn proof(&self, text: &[u8]) -> [u8; 16] {
        let inner = Sha256::new()
            .chain_update(self.key.map(|octet| octet ^ 0x36))
            .chain_update(text)
            .finalize();
        let outer = Sha256::new()
            .chain_update(self.key.map(|octet| octet ^ 0x5c))
            .chain_update(inner)
            .finalize();
        let mut proof = [0; 16];
        proof.copy_from_slice(&outer[..16]);
        proof
    }
}

/// A nonce of ours.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nonce {
    made: Timestamp,
    chance: u64,
    /// It was given to the address it now comes from.
    pub(super) is_sources: bool,
}

/// Counts remembered; past it the oldest nonces go stale early. Only right passwords make an
/// entry: two for each of 100,000 phones, about 10 MB.
const MAX_USED: usize = 262_144;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000_000 + seconds * 1000)
    }

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn nonces(entropy: &mut Entropy) -> Nonces {
        Nonces::new(Duration::from_secs(300), entropy)
    }

    fn take(nonces: &mut Nonces, now: Timestamp, nonce: &str, count: u32) -> bool {
        let nonce = nonces.read(nonce, HERE);
        nonce.is_some_and(|nonce| nonces.take(now, &nonce, count))
    }

    #[test]
    fn a_nonce_is_ours_for_its_lifetime_and_each_count_once() {
        let mut entropy = Entropy::from_seed(1);
        let mut nonces = nonces(&mut entropy);
        let nonce = nonces.make(at(0), HERE, &mut entropy);
        assert!(take(&mut nonces, at(1), &nonce, 1));
        assert!(!take(&mut nonces, at(1), &nonce, 1));
        assert!(take(&mut nonces, at(1), &nonce, 3));
        assert!(!take(&mut nonces, at(1), &nonce, 2));
        let read = nonces.read(&nonce, HERE).unwrap();
        assert!(!nonces.is_ageing(at(150), &read) && nonces.is_ageing(at(151), &read));
        assert!(take(&mut nonces, at(300), &nonce, 4));
        assert!(!take(&mut nonces, at(301), &nonce, 5));
    }

    #[test]
    fn foreign_and_altered_nonces_are_not_ours() {
        let mut entropy = Entropy::from_seed(1);
        let other = nonces(&mut entropy).make(at(0), HERE, &mut entropy);
        let mut nonces = nonces(&mut entropy);
        assert!(!take(&mut nonces, at(0), &other, 1));
        let nonce = nonces.make(at(0), HERE, &mut entropy);
        assert!(!take(&mut nonces, at(0), &nonce.replacen('0', "1", 1), 1));
        for bad in ["", "é", &"0".repeat(72), &"é".repeat(36)] {
            assert!(nonces.read(bad, HERE).is_none());
        }
        let future = nonces.make(at(9), HERE, &mut entropy);
        assert!(!take(&mut nonces, at(0), &future, 1));
    }

    #[test]
    fn a_nonce_knows_to_whom_it_was_given() {
        let mut entropy = Entropy::from_seed(1);
        let nonces = nonces(&mut entropy);
        let nonce = nonces.make(at(0), HERE, &mut entropy);
        let is_sources = |from: &str| {
            nonces
                .read(&nonce, from.parse().unwrap())
                .unwrap()
                .is_sources
        };
        assert!(is_sources("192.0.2.1") && is_sources("::ffff:192.0.2.1"));
        assert!(!is_sources("192.0.2.2"));
    }

    #[test]
    fn forgetting_makes_stale_and_never_replayable() {
        let mut entropy = Entropy::from_seed(1);
        let mut nonces = nonces(&mut entropy);
        let first = nonces.make(at(0), HERE, &mut entropy);
        assert!(take(&mut nonces, at(0), &first, 1));
        for step in 1..=MAX_USED {
            let now = at(0) + Duration::from_micros(step as u64);
            let nonce = Nonce {
                made: now,
                chance: 0,
                is_sources: true,
            };
            assert!(nonces.take(now, &nonce, 1));
        }
        assert!(nonces.used.len() <= MAX_USED);
        assert!(!take(&mut nonces, at(1), &first, 1));
        assert!(!take(&mut nonces, at(1), &first, 2));
    }
}
