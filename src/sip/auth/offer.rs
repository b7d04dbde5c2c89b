//! Which algorithms a user is offered, so that the offer tells nobody whether the user exists.

use sha2::{Digest as _, Sha256};

use super::{Algorithm, Ha1};

/// Algorithms a secret can answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer(u8);

impl Offer {
    /// Whatever is asked for.
    pub const ALL: Self = Self(u8::MAX);

    /// Those the HA1 has a form of.
    pub fn of(ha1: &Ha1) -> Self {
        let known = |algorithm: &Algorithm| ha1.of(*algorithm).is_some();
        let bits = Algorithm::ALL.into_iter().filter(known);
        Self(bits.fold(0, |bits, algorithm| bits | bit(algorithm)))
    }

    pub(super) fn has(self, algorithm: Algorithm) -> bool {
        self.0 & bit(algorithm) != 0
    }
}

fn bit(algorithm: Algorithm) -> u8 {
    1 << algorithm as u8
}

/// What to offer whom. A user we do not know is offered what some user we do know is offered:
/// always the same, chosen by a secret, so that the two cannot be told apart.
#[derive(Clone, Debug)]
pub struct Offers {
    key: [u8; 32],
    spread: Vec<Offer>,
}

impl Offers {
    /// From the secrets of all users; the same ones make the same choices after a restart.
    pub fn new<'a>(users: impl IntoIterator<Item = (&'a str, &'a Ha1)>) -> Self {
        let mut users: Vec<_> = users.into_iter().collect();
        users.sort_unstable_by_key(|(user, _)| *user);
        let mut key = Sha256::new();
        for (user, ha1) in &users {
            key.update(user.as_bytes());
            for algorithm in Algorithm::ALL {
                key.update(ha1.of(algorithm).unwrap_or("-").as_bytes());
            }
        }
        Self {
            key: key.finalize().into(),
            spread: users.iter().map(|(_, ha1)| Offer::of(ha1)).collect(),
        }
    }

    /// What `user` is offered, who is `known` by this secret or not at all.
    pub fn of(&self, user: &str, known: Option<&Ha1>) -> Offer {
        let mark = Sha256::new()
            .chain_update(self.key)
            .chain_update(user.as_bytes())
            .finalize();
        let number = mark
            .iter()
            .take(8)
            .fold(0, |sum, b| sum << 8 | u64::from(*b));
        let place = number.checked_rem(self.spread.len() as u64).unwrap_or(0);
        let decoy = usize::try_from(place)
            .ok()
            .and_then(|place| self.spread.get(place));
        known.map_or_else(|| decoy.copied().unwrap_or(Offer::ALL), Offer::of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_are_offered_what_phones_are_in_the_same_proportion() {
        let (whole, md5) = (
            Ha1::from_password("1001", "r", "p"),
            Ha1::from_hex(&"0".repeat(32)).unwrap(),
        );
        let users = [
            ("1001", &whole),
            ("1002", &whole),
            ("1003", &md5),
            ("1004", &whole),
        ];
        let offers = Offers::new(users);
        let again = Offers::new(users);
        let weak = (0..1000)
            .map(|number| format!("stranger{number}"))
            .filter(|user| {
                let offer = offers.of(user, None);
                assert_eq!(offer, again.of(user, None));
                offer == Offer::of(&md5)
            })
            .count();
        assert!((200..300).contains(&weak), "{weak}");
        assert_eq!(offers.of("1003", Some(&md5)), Offer::of(&md5));
        assert_eq!(Offers::new([]).of("x", None), Offer::ALL);
    }
}
