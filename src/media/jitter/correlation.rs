//! Where a piece of sound resembles another best: what stretching and concealment stand on.

/// The best place found.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Match {
    /// Where in the field it begins.
    pub(super) at: usize,
    /// Normalised correlation there, -1..=1; 0 where there is nothing to compare.
    pub(super) quality: f32,
}

/// Looks for `reference` in `field`. With a `stride` above 1 only each so manieth place is looked
/// at, and of it each so manieth sample, then the neighbourhood of the best fully.
pub(super) fn find(reference: &[i16], field: &[i16], stride: usize) -> Match {
    let Some(last) = field.len().checked_sub(reference.len()) else {
        return Match::default();
    };
    let coarse = best(reference, field, 0..=last, stride);
    if stride <= 1 {
        return coarse;
    }
    let near = coarse.at.saturating_sub(stride - 1)..=last.min(coarse.at + stride - 1);
    best(reference, field, near, 1)
}

fn best(
    reference: &[i16],
    field: &[i16],
    places: std::ops::RangeInclusive<usize>,
    stride: usize,
) -> Match {
    let own = energy(reference, stride);
    let mut found = Match {
        at: *places.start(),
        quality: -1.0,
    };
    for at in places.step_by(stride) {
        let other = &field[at..at + reference.len()];
        let (mut product, mut energy) = (0i64, 0i64);
        for (a, b) in reference.iter().zip(other).step_by(stride) {
            product += i64::from(i32::from(*a) * i32::from(*b));
            energy += i64::from(i32::from(*b) * i32::from(*b));
        }
        let norm = (own as f32 * energy as f32).sqrt();
        let quality = if norm > 0.0 {
            product as f32 / norm
        } else {
            0.0
        };
        if quality > found.quality {
            found = Match { at, quality };
        }
    }
    found
}

/// Sum of squares of each `stride`th sample.
pub(super) fn energy(samples: &[i16], stride: usize) -> i64 {
    samples
        .iter()
        .step_by(stride)
        .map(|sample| i64::from(i32::from(*sample) * i32::from(*sample)))
        .sum()
}
