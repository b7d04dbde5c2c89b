//! The order among servers of unequal priority and weight (RFC 2782, "Usage rules").

use crate::base::Entropy;

/// Puts `servers` in the order they are to be tried: priorities rising, and within one priority
/// drawn by weight without putting back.
pub(super) fn by_priority_and_weight<T>(
    servers: impl IntoIterator<Item = T>,
    rank: impl Fn(&T) -> (u16, u16),
    entropy: &mut Entropy,
) -> Vec<T> {
    let mut left: Vec<T> = servers.into_iter().collect();
    // Stable; those of weight 0 stand first, so that they are drawn when the number is 0.
    left.sort_by_key(|server| {
        let (priority, weight) = rank(server);
        (priority, weight != 0)
    });
    let mut ordered = Vec::with_capacity(left.len());
    while let Some(first) = left.first() {
        let priority = rank(first).0;
        let same = left.iter().take_while(|server| rank(server).0 == priority);
        let weights: Vec<u64> = same.map(|server| u64::from(rank(server).1)).collect();
        let sum: u64 = weights.iter().sum();
        let drawn = if weights.len() > 1 {
            entropy.below(sum + 1)
        } else {
            0
        };
        let mut running = 0;
        let place = weights.iter().position(|weight| {
            running += weight;
            running >= drawn
        });
        ordered.push(left.remove(place.unwrap_or(0)));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(servers: &[(&'static str, u16, u16)], seed: u64) -> Vec<&'static str> {
        let mut entropy = Entropy::from_seed(seed);
        let servers = servers.iter().copied();
        let ordered = by_priority_and_weight(servers, |one| (one.1, one.2), &mut entropy);
        ordered.into_iter().map(|one| one.0).collect()
    }

    #[test]
    fn a_lower_priority_comes_first_whatever_its_weight() {
        for seed in 0..100 {
            let ordered = order(&[("b", 20, 65_535), ("a", 10, 0), ("c", 30, 1)], seed);
            assert_eq!(ordered, ["a", "b", "c"]);
        }
    }

    #[test]
    fn within_a_priority_weights_are_shares() {
        let mut firsts = [0_u32; 3];
        for seed in 0..4000 {
            let ordered = order(&[("a", 1, 60), ("b", 1, 30), ("c", 1, 10)], seed);
            assert_eq!(ordered.len(), 3);
            let first = ["a", "b", "c"].iter().position(|name| *name == ordered[0]);
            firsts[first.expect("one of them")] += 1;
        }
        // 4000 draws: three standard deviations are less than 100.
        for (count, expected) in firsts.into_iter().zip([2400, 1200, 400]) {
            assert!(count.abs_diff(expected) < 100, "{firsts:?}");
        }
    }

    #[test]
    fn weight_zero_is_rarely_first_and_equals_are_equal() {
        let first = |servers: &[_]| {
            (0..2000)
                .filter(|seed| order(servers, *seed)[0] == "z")
                .count()
        };
        let rare = first(&[("a", 1, 100), ("z", 1, 0)]);
        assert!((1..60).contains(&rare), "{rare}");
        // RFC 2782 draws 0..=sum and takes the first whose running sum reaches it.
        let all_zero = first(&[("z", 1, 0), ("a", 1, 0)]);
        assert_eq!(all_zero, 2000, "without weights the order given stays");
    }

    #[test]
    fn the_largest_weights_do_not_overflow() {
        let servers = [("a", 0, u16::MAX); 32];
        assert_eq!(order(&servers, 1).len(), 32);
    }
}
