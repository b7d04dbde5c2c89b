//! A set of places, 64 to the word: who serves a queue, who is free, whom a step is for.

/// A set of places. No trailing zero words are kept, so equal sets are equal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Bits(Vec<u64>);

impl Bits {
    pub(super) fn has(&self, place: usize) -> bool {
        let word = self.0.get(place / 64).copied().unwrap_or(0);
        word >> (place % 64) & 1 == 1
    }

    pub(super) fn set(&mut self, place: usize, is_in: bool) {
        let word = place / 64;
        if is_in {
            if self.0.len() <= word {
                self.0.resize(word + 1, 0);
            }
            self.0[word] |= 1 << (place % 64);
        } else if let Some(bits) = self.0.get_mut(word) {
            *bits &= !(1 << (place % 64));
            while self.0.last() == Some(&0) {
                self.0.pop();
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn count(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// How many places are in both.
    pub(super) fn count_shared(&self, other: &Bits) -> usize {
        let both = self.0.iter().zip(&other.0);
        both.map(|(a, b)| (a & b).count_ones() as usize).sum()
    }

    /// Whether any place is in both.
    pub(super) fn meets(&self, other: &Bits) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
    }

    /// The places in both.
    pub(super) fn both(&self, other: &Bits) -> Self {
        let mut words: Vec<u64> = self.0.iter().zip(&other.0).map(|(a, b)| a & b).collect();
        while words.last() == Some(&0) {
            words.pop();
        }
        Self(words)
    }

    /// Adds the places of another.
    pub(super) fn unite(&mut self, other: &Bits) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (word, more) in self.0.iter_mut().zip(&other.0) {
            *word |= more;
        }
    }

    /// The places, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        let words = self.0.iter().copied().enumerate();
        words.flat_map(|(at, word)| ones(at, word))
    }

    /// The places in both, ascending.
    pub(super) fn shared<'a>(&'a self, other: &'a Bits) -> impl Iterator<Item = usize> + 'a {
        let words = self.0.iter().zip(&other.0).enumerate();
        words.flat_map(|(at, (a, b))| ones(at, a & b))
    }
}

impl FromIterator<usize> for Bits {
    fn from_iter<I: IntoIterator<Item = usize>>(places: I) -> Self {
        let mut bits = Self::default();
        for place in places {
            bits.set(place, true);
        }
        bits
    }
}

/// The places of one word's bits.
fn ones(at: usize, mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = word.trailing_zeros() as usize;
        (word != 0).then(|| {
            word &= word - 1;
            at * 64 + bit
        })
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set(
            steps in proptest::collection::vec((any::<bool>(), 0..300usize), 0..200),
            other in proptest::collection::btree_set(0..300usize, 0..100),
        ) {
            let (mut bits, mut set) = (Bits::default(), BTreeSet::new());
            for (is_in, place) in steps {
                bits.set(place, is_in);
                match is_in {
                    true => set.insert(place),
                    false => set.remove(&place),
                };
            }
            let others: Bits = other.iter().copied().collect();
            prop_assert!(bits.iter().eq(set.iter().copied()));
            prop_assert!(bits.shared(&others).eq(set.intersection(&other).copied()));
            prop_assert_eq!(bits.count(), set.len());
            prop_assert_eq!(bits.count_shared(&others), set.intersection(&other).count());
            let both: Bits = set.intersection(&other).copied().collect();
            prop_assert_eq!(bits.both(&others), both);
            let mut all = bits.clone();
            all.unite(&others);
            prop_assert_eq!(all, set.union(&other).copied().collect::<Bits>());
            prop_assert_eq!(bits.meets(&others), !set.is_disjoint(&other));
            prop_assert_eq!(bits.is_empty(), set.is_empty());
            prop_assert!((0..300).all(|place| bits.has(place) == set.contains(&place)));
        }
    }
}
