//! Lines of the plan that claim the same number: a plan with such lines is refused.

use std::collections::HashMap;

use super::Entry;
use crate::trunk::pattern::Pattern;

/// Two entries of the plan that claim the same number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlap {
    /// Index of the earlier entry.
    pub first: usize,
    /// Index of the later entry.
    pub second: usize,
    /// One number both claim.
    pub number: String,
}

/// Every pair that meets. Exact numbers, of which there may be thousands, are found by hash.
pub(super) fn overlaps(entries: &[Entry]) -> Vec<Overlap> {
    let mut exact: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut others: Vec<usize> = Vec::new();
    let mut overlaps = Vec::new();
    for (second, entry) in entries.iter().enumerate() {
        let mut earlier: Vec<usize> = match &entry.pattern {
            Pattern::Exact(number) => {
                let same = exact.entry(number).or_default();
                let candidates = same.iter().chain(&others).copied().collect();
                same.push(second);
                candidates
            }
            _ => {
                others.push(second);
                (0..second).collect()
            }
        };
        earlier.sort_unstable();
        for first in earlier {
            let other = &entries[first];
            let number = other.pattern.meets(&entry.pattern);
            let meet = other.reach.meets(&entry.reach) && other.meaning.meets(&entry.meaning);
            if let Some(number) = number.filter(|_| meet) {
                overlaps.push(Overlap {
                    first,
                    second,
                    number,
                });
            }
        }
    }
    overlaps
}
