//! Japan (+81): 0AB-J, 0A0 and 1XY numbers (電気通信番号計画, 令和元年総務省告示第6号).

use super::Country;
use super::NumberKind::{Emergency, Freephone, Geographic, Ip, Mobile, Premium, Special};
use super::country::{Range, fixed, unassigned};

/// Japan.
pub(super) static JAPAN: Country = Country {
    name: "jp",
    code: "81",
    trunk_prefix: "0",
    trunk_prefix_may_be_left_out: false,
    international: &["010"],
    // 00XY and 002YZ choose the carrier of one call.
    carriers: &["0033", "0061", "001"],
    withhold: &["184"],
    show: &["186"],
    short: SHORT,
    ranges: RANGES,
    subscriber: "N",
    subscriber_digits: (5, 8),
};

const SHORT: &[(&str, super::NumberKind)] = &[
    ("110", Emergency),
    ("118", Emergency),
    ("119", Emergency),
    // 100 operator, 104 directory, 113 faults, 114 busy test, 115 telegrams, 116 the company,
    // 117 time, 136 who called last, 141 voice mail, 142 forwarding, 144 nuisance calls,
    // 147 and 148 who calls, 159 camping on, 161 fax, 165 mail, 171 messages in disasters,
    // 177 weather, 188 consumers, 189 children in danger.
    ("10X", Special),
    ("11X", Special),
    ("12X", Special),
    ("13X", Special),
    ("14X", Special),
    ("15X", Special),
    ("16X", Special),
    ("17X", Special),
    ("188", Special),
    ("189", Special),
    // #7119 ambulance or not, #8000 sick children, #9110 police matters, and their like.
    ("#XXXX", Special),
];

const RANGES: &[Range] = &[
    // 0A0: no place, eleven digits with the 0.
    fixed("60", 10, Mobile),
    fixed("70", 10, Mobile),
    // 0800 is free of charge, not a mobile: it comes before 080.
    fixed("800", 10, Freephone),
    fixed("80", 10, Mobile),
    fixed("90Z", 10, Mobile),
    fixed("50", 10, Ip),
    // 0200 has fourteen digits: machines.
    fixed("200", 13, Mobile),
    fixed("20", 10, Mobile),
    // 0AB0: services, ten digits with the 0.
    fixed("120", 9, Freephone),
    fixed("170", 9, Special),
    fixed("180", 9, Premium),
    fixed("570", 9, Premium),
    fixed("990", 9, Premium),
    fixed("910", 9, Special),
    // No area begins with 0A0.
    unassigned("10"),
    unassigned("30"),
    unassigned("40"),
    unassigned("90"),
    // 0AB-J: ten digits with the 0, the area in two to five of them.
    fixed("Z", 9, Geographic),
];
