//! Germany (+49): an open plan, lengths vary (Nummernplan der Bundesnetzagentur).

use super::Country;
use super::NumberKind::{Emergency, Freephone, Geographic, Ip, Mobile, Premium, Special};
use super::country::{Range, between, fixed, unassigned};

/// Germany.
pub(super) static GERMANY: Country = Country {
    name: "de",
    code: "49",
    trunk_prefix: "0",
    trunk_prefix_may_be_left_out: false,
    international: &["00"],
    carriers: &["0100XX", "010XX"],
    withhold: &["*31#"],
    show: &["#31#"],
    short: SHORT,
    ranges: RANGES,
    subscriber: "N",
    subscriber_digits: (3, 9),
};

const SHORT: &[(&str, super::NumberKind)] = &[
    ("110", Emergency),
    ("112", Emergency),
    // The authorities, and harmonised services of social value (116117 doctors).
    ("115", Special),
    ("116XXX", Special),
    // Directory enquiries.
    ("118XXX", Premium),
    ("118XX", Premium),
];

const RANGES: &[Range] = &[
    // Mobiles: 015 has eleven digits, 016 and 017 ten or eleven.
    fixed("15", 11, Mobile),
    between("160", (10, 11), Mobile),
    between("162", (10, 11), Mobile),
    between("163", (10, 11), Mobile),
    between("164", (7, 12), Mobile),
    between("168", (7, 12), Mobile),
    between("169", (7, 12), Mobile),
    between("17", (10, 11), Mobile),
    // Services.
    between("12", (5, 11), Premium),
    between("137", (7, 10), Premium),
    between("180", (7, 10), Premium),
    between("18", (7, 12), Special),
    between("19", (4, 12), Special),
    fixed("700", 11, Special),
    between("800", (10, 11), Freephone),
    fixed("900", 10, Premium),
    // National subscriber numbers: telephones over IP without a place.
    fixed("32", 11, Ip),
    // 031 is a test, 01 has nothing but what stands above.
    unassigned("31"),
    unassigned("1"),
    unassigned("700"),
    unassigned("80"),
    unassigned("90"),
    // Areas of two to five digits; numbers of old exchanges are short, in-dialling makes long ones.
    between("N", (5, 13), Geographic),
];
