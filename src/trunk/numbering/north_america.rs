//! The North American Numbering Plan (+1), as dialled in the United States.
//!
//! Lines and mobiles share their numbers; Canada and the Caribbean share the country code and are
//! not told apart here.

use super::Country;
use super::NumberKind::{Emergency, Freephone, Geographic, Premium, Special};
use super::country::{Range, fixed, unassigned};

/// The United States.
pub(super) static NORTH_AMERICA: Country = Country {
    name: "us",
    code: "1",
    trunk_prefix: "1",
    trunk_prefix_may_be_left_out: true,
    international: &["011"],
    carriers: &["101XXXX"],
    withhold: &["*67"],
    show: &["*82"],
    short: SHORT,
    ranges: RANGES,
    subscriber: "NXX",
    subscriber_digits: (7, 7),
};

const SHORT: &[(&str, super::NumberKind)] = &[
    ("911", Emergency),
    // 933 reads back what a PSAP would see.
    ("933", Special),
    // 988 is the lifeline: not to be charged, yet not dispatched either.
    ("988", Special),
    // 211 help, 311 city, 411 directory, 511 traffic, 611 repair, 711 relay, 811 before digging.
    ("N11", Special),
    // Operators.
    ("0", Special),
    ("00", Special),
];

const RANGES: &[Range] = &[
    // No exchange and no area is an N11 code.
    unassigned("N11"),
    unassigned("NXXN11"),
    // Kept for widening the plan: N9X, 37X and 96X.
    unassigned("N9"),
    unassigned("37"),
    unassigned("96"),
    fixed("800NXX", 10, Freephone),
    fixed("833NXX", 10, Freephone),
    fixed("844NXX", 10, Freephone),
    fixed("855NXX", 10, Freephone),
    fixed("866NXX", 10, Freephone),
    fixed("877NXX", 10, Freephone),
    fixed("888NXX", 10, Freephone),
    fixed("900NXX", 10, Premium),
    // Personal numbers of carriers: 500, 521 to 529, 533, 544, 566, 577, 588.
    fixed("500NXX", 10, Special),
    fixed("52XNXX", 10, Special),
    fixed("533NXX", 10, Special),
    fixed("544NXX", 10, Special),
    fixed("566NXX", 10, Special),
    fixed("577NXX", 10, Special),
    fixed("588NXX", 10, Special),
    fixed("700NXX", 10, Special),
    fixed("NXXNXX", 10, Geographic),
];
