//! Numbers of JSON, compared and reckoned with: whole ones exactly, others as doubles.

use std::cmp::Ordering;

use serde_json::Number;

/// A number. Small, for it is passed about in every comparison.
#[derive(Clone, Copy, Debug)]
pub(super) enum Amount {
    Broken(f64),
    /// Above the range of [`Amount::Whole`].
    Huge(u64),
    Whole(i64),
}

impl Amount {
    #[inline]
    pub(super) fn of(number: &Number) -> Option<Self> {
        if let Some(whole) = number.as_i64() {
            return Some(Self::Whole(whole));
        }
        match number.as_u64() {
            Some(huge) => Some(Self::Huge(huge)),
            None => number.as_f64().map(Self::Broken),
        }
    }

    /// The same value as a whole number, if it has no fraction.
    pub(super) fn whole(self) -> Option<i128> {
        match self {
            Self::Whole(whole) => Some(whole.into()),
            Self::Huge(huge) => Some(huge.into()),
            // Above 2^53 every double is whole, and few of them are the number that was meant.
            Self::Broken(value)
                if value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0 =>
            {
                Some(value as i128)
            }
            Self::Broken(_) => None,
        }
    }

    pub(super) fn as_f64(self) -> f64 {
        match self {
            Self::Whole(whole) => whole as f64,
            Self::Huge(huge) => huge as f64,
            Self::Broken(value) => value,
        }
    }

    #[inline]
    pub(super) fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Whole(a), Self::Whole(b)) => Some(a.cmp(&b)),
            (Self::Huge(a), Self::Huge(b)) => Some(a.cmp(&b)),
            (Self::Huge(_), Self::Whole(_)) => Some(Ordering::Greater),
            (Self::Whole(_), Self::Huge(_)) => Some(Ordering::Less),
            _ => self.as_f64().partial_cmp(&other.as_f64()),
        }
    }

    pub(super) fn add(self, other: Self) -> Option<Self> {
        self.exactly(other, i64::checked_add, |a, b| a + b)
    }

    pub(super) fn subtract(self, other: Self) -> Option<Self> {
        self.exactly(other, i64::checked_sub, |a, b| a - b)
    }

    pub(super) fn multiply(self, other: Self) -> Option<Self> {
        self.exactly(other, i64::checked_mul, |a, b| a * b)
    }

    /// `7 / 2` is 3.5; nothing is divided by zero.
    pub(super) fn divide(self, other: Self) -> Option<Self> {
        if let (Self::Whole(a), Self::Whole(b)) = (self, other)
            && a.checked_rem(b) == Some(0)
        {
            return Some(Self::Whole(a / b));
        }
        finite(self.as_f64() / other.as_f64())
    }

    fn exactly(
        self,
        other: Self,
        whole: impl Fn(i64, i64) -> Option<i64>,
        broken: impl Fn(f64, f64) -> f64,
    ) -> Option<Self> {
        if let (Self::Whole(a), Self::Whole(b)) = (self, other)
            && let Some(result) = whole(a, b)
        {
            return Some(Self::Whole(result));
        }
        finite(broken(self.as_f64(), other.as_f64()))
    }
}

fn finite(value: f64) -> Option<Amount> {
    value.is_finite().then_some(Amount::Broken(value))
}
