//! Nonces that carry their own proof: time, chance, and a keyed hash over both (RFC 7616 §5.4).

use std::collections::BTreeMap;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::digest::is_equal;
use crate::base::{Entropy, Timestamp};

/// Makes nonces, knows its own again, and lets no count be used twice.
#[derive(Debug)]
pub(super) struct Nonces {
    key: [u8; 64],
    used: BTreeMap<(Timestamp, u64), u32>,
    /// Nonces made at or before it are stale: their counts may have been forgotten.
    floor: Timestamp,
}

impl Nonces {
    pub(super) fn new(entropy: &mut Entropy) -> Self {
        let mut key = [0; 64];
        for part in key.chunks_exact_mut(8) {
            part.copy_from_slice(&entropy.u64().to_be_bytes());
        }
        Self {
            key,
            used: BTreeMap::new(),
            floor: Timestamp::from_micros(i64::MIN),
        }
    }

    /// A new nonce, good for [`LIFETIME`].
    pub(super) fn make(&self, now: Timestamp, entropy: &mut Entropy) -> String {
        let head = format!("{:016x}{:016x}", now.as_micros(), entropy.u64());
        let proof = self.proof(head.as_bytes());
        head + &hex::encode(proof)
    }

    /// Whether `nonce` is ours, fresh, and `count` the highest ever used with it; notes the count.
    pub(super) fn take(&mut self, now: Timestamp, nonce: &str, count: u32) -> bool {
        let Some(id) = self.read(nonce) else {
            return false;
        };
        let (made, _) = id;
        if made <= self.floor || made > now || now.since(made) > LIFETIME {
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

    /// A value no one outside can predict, for work on users who do not exist.
    pub(super) fn decoy(&self, user: &str) -> String {
        hex::encode(self.proof(user.as_bytes()))
    }

    fn read(&self, nonce: &str) -> Option<(Timestamp, u64)> {
        let (head, proof) = nonce.split_at_checked(32)?;
        let expected = hex::encode(self.proof(head.as_bytes()));
        if !is_equal(proof.as_bytes(), expected.as_bytes()) {
            return None;
        }
        let (time, chance) = head.split_at_checked(16)?;
        let time = u64::from_str_radix(time, 16).ok()?;
        let chance = u64::from_str_radix(chance, 16).ok()?;
        Some((Timestamp::from_micros(time as i64), chance))
    }

    fn forget(&mut self, now: Timestamp) {
        while let Some(oldest) = self.used.first_entry() {
            let (made, _) = *oldest.key();
            let is_over = now.since(made) > LIFETIME;
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

/// How long a nonce is good; a phone that waits longer is told `stale` and asks again unseen.
const LIFETIME: Duration = Duration::from_secs(300);

/// Counts remembered; past it the oldest nonces go stale early. About 3 MB.
const MAX_USED: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000_000 + seconds * 1000)
    }

    #[test]
    fn a_nonce_is_ours_for_five_minutes_and_each_count_once() {
        let mut entropy = Entropy::from_seed(1);
        let mut nonces = Nonces::new(&mut entropy);
        let nonce = nonces.make(at(0), &mut entropy);
        assert!(nonces.take(at(1), &nonce, 1));
        assert!(!nonces.take(at(1), &nonce, 1));
        assert!(nonces.take(at(1), &nonce, 3));
        assert!(!nonces.take(at(1), &nonce, 2));
        assert!(nonces.take(at(300), &nonce, 4));
        assert!(!nonces.take(at(301), &nonce, 5));
    }

    #[test]
    fn foreign_and_altered_nonces_are_not_ours() {
        let mut entropy = Entropy::from_seed(1);
        let mut nonces = Nonces::new(&mut entropy);
        let other = Nonces::new(&mut entropy).make(at(0), &mut entropy);
        assert!(!nonces.take(at(0), &other, 1));
        let nonce = nonces.make(at(0), &mut entropy);
        assert!(!nonces.take(at(0), &nonce.replacen('0', "1", 1), 1));
        for bad in ["", "é", &"0".repeat(64), &"é".repeat(32)] {
            assert!(!nonces.take(at(0), bad, 1));
        }
        let future = nonces.make(at(9), &mut entropy);
        assert!(!nonces.take(at(0), &future, 1));
    }

    #[test]
    fn forgetting_makes_stale_and_never_replayable() {
        let mut entropy = Entropy::from_seed(1);
        let mut nonces = Nonces::new(&mut entropy);
        let first = nonces.make(at(0), &mut entropy);
        assert!(nonces.take(at(0), &first, 1));
        for step in 1..=MAX_USED {
            let now = at(0) + Duration::from_micros(step as u64);
            let nonce = nonces.make(now, &mut entropy);
            assert!(nonces.take(now, &nonce, 1));
        }
        assert!(nonces.used.len() <= MAX_USED);
        assert!(!nonces.take(at(1), &first, 1));
        assert!(!nonces.take(at(1), &first, 2));
    }
}
