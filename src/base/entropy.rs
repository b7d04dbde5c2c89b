//! Chance as an argument: unpredictable in the running switch, repeatable in a test.

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// A source of random numbers and tokens (tags, branches, nonces, SSRCs).
#[derive(Clone, Debug)]
pub struct Entropy(ChaCha12Rng);

impl Entropy {
    /// Seeded from the operating system; not predictable from outside.
    pub fn from_os() -> Self {
        Self(ChaCha12Rng::from_os_rng())
    }

    /// Seeded by a number: the same numbers every time.
    pub fn from_seed(seed: u64) -> Self {
        Self(ChaCha12Rng::seed_from_u64(seed))
    }

    /// A new source that depends only on this one's state.
    pub fn fork(&mut self) -> Self {
        Self(ChaCha12Rng::from_rng(&mut self.0))
    }

    /// 32 random bits.
    pub fn u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// 64 random bits.
    pub fn u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number in `0..bound`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        // Lemire's multiply-shift; the bias for our small bounds is below 2^-40.
        ((u128::from(self.u64()) * u128::from(bound)) >> 64) as u64
    }

    /// `length` characters of 5 random bits each (lower-case letters and digits 2-7).
    pub fn token(&mut self, length: usize) -> String {
        const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        let mut token = String::with_capacity(length);
        let (mut bits, mut left) = (0u64, 0u32);
        for _ in 0..length {
            if left < 5 {
                bits = self.u64();
                left = 64;
            }
            token.push(char::from(ALPHABET[(bits & 31) as usize]));
            bits >>= 5;
            left -= 5;
        }
        token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_tokens() {
        let (mut a, mut b) = (Entropy::from_seed(7), Entropy::from_seed(7));
        assert_eq!(a.token(20), b.token(20));
        assert_ne!(a.token(20), Entropy::from_seed(8).token(20));
        assert!((0..100).all(|_| a.below(3) < 3));
    }
}
