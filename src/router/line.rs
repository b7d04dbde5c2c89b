//! A line in order, with the place of each: what a caller hears as "you are number three".

/// Keys in ascending order, kept in chunks: the place of one is counted over chunks, not over keys.
/// A hundred thousand keys are some 400 chunks.
#[derive(Clone, Debug)]
pub(super) struct Line<K> {
    /// None empty; each sorted, and all of one before all of the next.
    chunks: Vec<Vec<K>>,
    length: usize,
}

/// A chunk that grows beyond this is split.
const LONGEST: usize = 512;
/// Two neighbours that together are shorter become one.
const SHORTEST: usize = 128;

impl<K: Ord + Copy> Line<K> {
    /// How many stand in it.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Adds a key; false when it is there already.
    pub(super) fn insert(&mut self, key: K) -> bool {
        let place = self.chunk_of(&key);
        let Some(chunk) = self.chunks.get_mut(place) else {
            self.chunks.push(vec![key]);
            self.length = 1;
            return true;
        };
        let Err(at) = chunk.binary_search(&key) else {
            return false;
        };
        chunk.insert(at, key);
        self.length += 1;
        if chunk.len() > LONGEST {
            let second = chunk.split_off(LONGEST / 2);
            self.chunks.insert(place + 1, second);
        }
        true
    }

    /// Takes a key out; false when it is not there.
    pub(super) fn remove(&mut self, key: &K) -> bool {
        let place = self.chunk_of(key);
        let Some(chunk) = self.chunks.get_mut(place) else {
            return false;
        };
        let Ok(at) = chunk.binary_search(key) else {
            return false;
        };
        chunk.remove(at);
        self.length -= 1;
        if chunk.is_empty() {
            self.chunks.remove(place);
        } else {
            self.join(place);
            if place > 0 {
                self.join(place - 1);
            }
        }
        true
    }

    /// Makes one of a chunk and the next when both are short.
    fn join(&mut self, place: usize) {
        let of = |at: usize| self.chunks.get(at).map_or(usize::MAX, Vec::len);
        if of(place).saturating_add(of(place + 1)) < SHORTEST {
            let next = self.chunks.remove(place + 1);
            self.chunks[place].extend(next);
        }
    }

    /// How many stand before a key, be it in the line or not.
    pub(super) fn before(&self, key: &K) -> usize {
        let place = self.chunk_of(key);
        let whole: usize = self.chunks.iter().take(place).map(Vec::len).sum();
        let part = self.chunks.get(place);
        whole + part.map_or(0, |chunk| chunk.partition_point(|other| other < key))
    }

    /// All, in order.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = K> + '_ {
        self.chunks.iter().flatten().copied()
    }

    /// The chunk a key is in or belongs into: the last that does not begin after it.
    fn chunk_of(&self, key: &K) -> usize {
        let after = self.chunks.partition_point(|chunk| chunk[0] <= *key);
        after.saturating_sub(1)
    }
}

impl<K> Default for Line<K> {
    fn default() -> Self {
        Self {
            chunks: Vec::new(),
            length: 0,
        }
    }
}

impl<K: PartialEq> PartialEq for Line<K> {
    /// How the keys are cut into chunks does not matter.
    fn eq(&self, other: &Self) -> bool {
        self.length == other.length
            && self
                .chunks
                .iter()
                .flatten()
                .eq(other.chunks.iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_sorted_set_that_knows_places(
            steps in proptest::collection::vec((any::<bool>(), 0..3_000u32), 0..4_000),
        ) {
            let (mut line, mut set) = (Line::default(), BTreeSet::new());
            for (is_added, key) in steps {
                match is_added {
                    true => prop_assert_eq!(line.insert(key), set.insert(key)),
                    false => prop_assert_eq!(line.remove(&key), set.remove(&key)),
                }
                prop_assert_eq!(line.before(&key), set.range(..key).count());
            }
            prop_assert_eq!(line.len(), set.len());
            prop_assert!(line.iter().eq(set.iter().copied()));
        }
    }

    #[test]
    fn chunks_stay_few() {
        let mut line = Line::default();
        for key in 0..100_000u32 {
            line.insert(key);
        }
        assert!(line.chunks.len() <= 2 * 100_000 / LONGEST + 1);
        for key in (0..100_000).filter(|key| key % 100 != 0) {
            line.remove(&key);
        }
        assert!(
            line.chunks.len() <= 2 * 1_000 / SHORTEST + 1,
            "{}",
            line.chunks.len()
        );
    }
}
