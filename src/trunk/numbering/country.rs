//! One country's plan, as data.

use super::NumberKind;
use super::{germany, japan, north_america};

/// What is dialled in a country and what it means.
///
/// Shapes are written digit by digit: a digit stands for itself, `N` for 2 to 9, `Z` for 1 to 9,
/// `X` for any.
#[derive(Debug)]
pub struct Country {
    /// ISO 3166 letters, small: how a configuration names it.
    pub name: &'static str,
    /// Country code (E.164), without `+`.
    pub code: &'static str,
    /// What stands before a national number when it is dialled.
    pub trunk_prefix: &'static str,
    /// Whether a national number is dialled without the trunk prefix, too.
    pub trunk_prefix_may_be_left_out: bool,
    /// What stands before a country code when it is dialled; the first is the one written.
    pub international: &'static [&'static str],
    /// Shapes that choose a carrier, before a national or international number.
    pub carriers: &'static [&'static str],
    /// What keeps the caller's number from whom is called, for one call.
    pub withhold: &'static [&'static str],
    /// What shows the caller's number to whom is called, for one call.
    pub show: &'static [&'static str],
    /// Short numbers by shape, whole as dialled. The first that fits counts.
    pub short: &'static [(&'static str, NumberKind)],
    /// National numbers, by how they begin. The first that fits counts.
    pub ranges: &'static [Range],
    /// How a number of one's own area begins when it is dialled alone.
    pub subscriber: &'static str,
    /// Fewest and most digits of a number dialled alone within its area.
    pub subscriber_digits: (usize, usize),
}

/// National numbers that begin in one way.
#[derive(Debug)]
pub struct Range {
    /// Shape of the first digits, without the trunk prefix.
    pub begins: &'static str,
    /// Fewest and most digits in all, without the trunk prefix.
    pub digits: (usize, usize),
    /// What they reach; `None` where nothing is assigned.
    pub kind: Option<NumberKind>,
}

impl Country {
    /// Every country known.
    pub const ALL: [&'static Country; 3] = [
        &germany::GERMANY,
        &japan::JAPAN,
        &north_america::NORTH_AMERICA,
    ];

    /// The country of this name.
    pub fn named(name: &str) -> Option<&'static Country> {
        Self::ALL.into_iter().find(|country| country.name == name)
    }

    /// Short numbers that call for help.
    pub fn emergency_numbers(&self) -> impl Iterator<Item = &'static str> {
        let emergency = |kind: &NumberKind| *kind == NumberKind::Emergency;
        self.short
            .iter()
            .filter(move |(_, kind)| emergency(kind))
            .map(|(number, _)| *number)
    }
}

/// Whether `digits` begins with the shape.
pub(super) fn begins_with(digits: &str, shape: &str) -> bool {
    digits.len() >= shape.len()
        && digits
            .bytes()
            .zip(shape.bytes())
            .all(|(digit, place)| match place {
                b'N' => (b'2'..=b'9').contains(&digit),
                b'X' => digit.is_ascii_digit(),
                b'Z' => (b'1'..=b'9').contains(&digit),
                literal => digit == literal,
            })
}

/// A range of a fixed number of digits.
pub(super) const fn fixed(begins: &'static str, digits: usize, kind: NumberKind) -> Range {
    between(begins, (digits, digits), kind)
}

/// A range of so many digits.
pub(super) const fn between(
    begins: &'static str,
    digits: (usize, usize),
    kind: NumberKind,
) -> Range {
    Range {
        begins,
        digits,
        kind: Some(kind),
    }
}

/// Nothing is assigned here.
pub(super) const fn unassigned(begins: &'static str) -> Range {
    Range {
        begins,
        digits: (0, 0),
        kind: None,
    }
}
