//! How much louder or softer one is made: a factor in steps of 1/4096, so that sums stay whole
//! numbers and unity and silence are exact.

/// A factor on samples, 0 (not heard at all) to 8 (+18 dB).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gain(u16);

impl Gain {
    /// 0 dB: nothing changes.
    pub const UNITY: Self = Self(1 << SHIFT);

    /// Minus infinity: not heard.
    pub const SILENT: Self = Self(0);

    /// The most, +18 dB.
    pub const MOST: Self = Self(8 << SHIFT);

    /// The factor of so many decibels; more than +18 dB is +18 dB, less than -72 dB (or not a
    /// number) is silence.
    pub fn from_db(db: f32) -> Self {
        // Never true of what is not a number.
        if db >= -72.0 {
            Self::from_factor(10f32.powf(db / 20.0))
        } else {
            Self::SILENT
        }
    }

    /// The nearest step to a factor.
    pub(super) fn from_factor(factor: f32) -> Self {
        let steps = (factor * f32::from(Self::UNITY.0)).round();
        Self(steps.clamp(0.0, f32::from(Self::MOST.0)) as u16)
    }

    /// The factor in steps of 1/4096.
    pub(super) fn steps(self) -> i32 {
        i32::from(self.0)
    }
}

impl Default for Gain {
    fn default() -> Self {
        Self::UNITY
    }
}

/// Bits of the fraction.
const SHIFT: u32 = 12;

/// A sample times a factor in steps of 1/4096; exact for whole factors.
pub(super) fn scale(sample: i16, steps: i32) -> i32 {
    (i32::from(sample) * steps) >> SHIFT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decibels_become_factors_with_exact_ends() {
        assert_eq!(Gain::from_db(0.0), Gain::UNITY);
        assert_eq!(Gain::from_db(f32::NEG_INFINITY), Gain::SILENT);
        assert_eq!(Gain::from_db(f32::NAN), Gain::SILENT);
        assert_eq!(Gain::from_db(90.0), Gain::MOST);
        assert_eq!(Gain::from_db(-6.0).steps(), 2053);
        for sample in [i16::MIN, -1, 0, 1, i16::MAX] {
            assert_eq!(scale(sample, Gain::UNITY.steps()), i32::from(sample));
            assert_eq!(scale(sample, -Gain::UNITY.steps()), -i32::from(sample));
            assert_eq!(scale(sample, Gain::MOST.steps()), 8 * i32::from(sample));
        }
    }
}
