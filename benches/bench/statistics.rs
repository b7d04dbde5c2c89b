//! Medians and percentiles of what was measured.

use std::fmt;

/// The middle of some measurements, and their range.
pub(crate) struct Spread {
    pub(crate) median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    /// Of at least one value.
    pub(crate) fn of(values: &[f64]) -> Self {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        Self {
            median: values[values.len() / 2],
            least: values[0],
            most: values[values.len() - 1],
        }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(2);
        let Self {
            median,
            least,
            most,
        } = self;
        write!(f, "{median:.digits$} [{least:.digits$}-{most:.digits$}]")
    }
}

/// p50 and p99 of some durations in nanoseconds, as microseconds.
pub(crate) fn p50_p99(nanoseconds: &mut [u64]) -> (f64, f64) {
    nanoseconds.sort_unstable();
    let at = |share: f64| match nanoseconds.len() {
        0 => f64::NAN,
        count => nanoseconds[((count - 1) as f64 * share) as usize] as f64 / 1000.0,
    };
    (at(0.5), at(0.99))
}
