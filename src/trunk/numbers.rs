//! The number plan: what a dialled number means, to a phone and to a trunk.
//!
//! Numbers are dialled whole (RFC 3261 has no overlap dialling here), so a number never hides a
//! longer one. An exact number outranks a range or an outbound prefix it lies in only where the
//! plan says so: exact numbers and ranges must not meet, and both outrank prefixes; among
//! prefixes the longest wins, and of equal ones that which names kinds of numbers.
//!
//! With a [`Site`] a number is known in whatever form it is dialled, and calls for help outrank
//! everything.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::pattern::{Pattern, normalise};
use super::{NumberKind, Site};

/// Who dials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin<'a> {
    /// A flow's `dial` step: what phones may dial, but for agents' own services.
    Flow,
    /// A registered phone, by number.
    Phone(&'a str),
    /// A trunk, by name.
    Trunk(&'a str),
}

/// Where a dialled number leads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    /// The agent on the dialling phone becomes available.
    AgentAvailable,
    /// The agent on the dialling phone goes away.
    AgentAway,
    /// A conference room, by its number.
    Conference(String),
    /// What is said comes back.
    Echo,
    /// A flow.
    Flow {
        /// Name of the flow.
        name: String,
        /// The number that leads to it, in its first form.
        number: String,
        /// Attributes the number gives to its calls.
        attributes: Map<String, Value>,
    },
    /// Hold music.
    HoldMusic,
    /// A phone, by number.
    Phone(String),
    /// A steady tone of 1004 Hz.
    Tone,
    /// Out by a trunk.
    Trunk {
        /// Names of the trunks, in the order they are tried.
        trunks: Vec<String>,
        /// Number as the trunk shall get it.
        number: String,
    },
}

/// Who reaches an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    /// Whether phones (and flows) do.
    pub phones: bool,
    /// Which trunks do.
    pub trunks: TrunkReach,
}

/// Which trunks reach an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrunkReach {
    /// Every trunk.
    All,
    /// These, by name.
    Named(Vec<String>),
    /// None.
    None,
}

/// What an entry means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// A flow.
    Flow {
        /// Name of the flow.
        name: String,
        /// The number in its first form.
        number: String,
        /// Attributes the number gives to its calls.
        attributes: Map<String, Value>,
    },
    /// Out by a trunk.
    Outbound {
        /// Names of the trunks, in the order they are tried.
        trunks: Vec<String>,
        /// Whether the prefix is taken off.
        strip: Strip,
        /// Put in front of what is left.
        prepend: String,
        /// Kinds of numbers that go this way; empty: all, known to the plan or not.
        kinds: Vec<NumberKind>,
    },
    /// The phone of that number.
    Phone,
    /// Something the switch does itself.
    Service(Service),
}

/// What becomes of an outbound prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strip {
    /// The trunk gets it too.
    Keep,
    /// It is taken off.
    TakeOff,
}

/// Something the switch does itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    /// The dialling agent becomes available.
    AgentAvailable,
    /// The dialling agent goes away.
    AgentAway,
    /// A conference room of the dialled number.
    Conference,
    /// What is said comes back.
    Echo,
    /// Hold music.
    HoldMusic,
    /// A steady tone of 1004 Hz.
    Tone,
}

impl Service {
    /// Every word a plan may use, with its meaning.
    pub const WORDS: [(&'static str, Service); 6] = [
        ("agent_available", Service::AgentAvailable),
        ("agent_away", Service::AgentAway),
        ("conference", Service::Conference),
        ("echo", Service::Echo),
        ("hold_music", Service::HoldMusic),
        ("tone", Service::Tone),
    ];

    /// The sound it plays, by name.
    pub const fn sound(self) -> Option<&'static str> {
        match self {
            Service::AgentAvailable => Some("agent-available"),
            Service::AgentAway => Some("agent-away"),
            Service::Conference | Service::HoldMusic => Some("music"),
            Service::Echo => None,
            Service::Tone => Some("tone-1004"),
        }
    }
}

/// One line of the plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Which numbers.
    pub pattern: Pattern,
    /// Who reaches it.
    pub reach: Reach,
    /// What it means.
    pub meaning: Meaning,
}

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

/// The whole plan, ready for look-ups.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Numbers {
    entries: Vec<Entry>,
    exact: HashMap<String, Vec<usize>>,
    ranges: Vec<usize>,
    /// Longest first.
    prefixes: Vec<usize>,
    /// Inbound numbers by E.164.
    inbound: HashMap<String, Vec<usize>>,
    /// The plan by which numbers are read; without one they are only what is written.
    site: Option<Site>,
    /// Trunk of emergency calls; they go the way of other numbers without one.
    emergency: Option<String>,
}

/// Shortest number sent to a trunk: emergency and service numbers have three digits.
const MIN_OUTBOUND: usize = 3;

impl Reach {
    /// Phones and flows, no trunk.
    pub const PHONES: Reach = Reach {
        phones: true,
        trunks: TrunkReach::None,
    };

    fn includes(&self, origin: Origin<'_>) -> bool {
        match (origin, &self.trunks) {
            (Origin::Flow | Origin::Phone(_), _) => self.phones,
            (Origin::Trunk(_), TrunkReach::All) => true,
            (Origin::Trunk(name), TrunkReach::Named(names)) => {
                names.iter().any(|named| named == name)
            }
            (Origin::Trunk(_), TrunkReach::None) => false,
        }
    }

    fn meets(&self, other: &Self) -> bool {
        let trunks = match (&self.trunks, &other.trunks) {
            (TrunkReach::None, _) | (_, TrunkReach::None) => false,
            (TrunkReach::All, _) | (_, TrunkReach::All) => true,
            (TrunkReach::Named(ours), TrunkReach::Named(theirs)) => {
                ours.iter().any(|name| theirs.contains(name))
            }
        };
        trunks || (self.phones && other.phones)
    }
}

impl Numbers {
    /// The plan of these entries; every pair that claims the same number for the same dialler.
    pub fn new(entries: Vec<Entry>) -> Result<Self, Vec<Overlap>> {
        let overlaps = overlaps(&entries);
        if !overlaps.is_empty() {
            return Err(overlaps);
        }
        let mut plan = Self::default();
        for (index, entry) in entries.iter().enumerate() {
            match &entry.pattern {
                Pattern::Exact(number) => {
                    plan.exact.entry(number.clone()).or_default().push(index);
                }
                Pattern::Prefix(_) => plan.prefixes.push(index),
                Pattern::Range { .. } => plan.ranges.push(index),
            }
        }
        plan.prefixes
            .sort_by_key(|&index| match &entries[index].pattern {
                Pattern::Prefix(prefix) => {
                    let all_kinds = entries[index].meaning.kinds().is_empty();
                    (std::cmp::Reverse(prefix.len()), all_kinds)
                }
                _ => (std::cmp::Reverse(0), true),
            });
        plan.entries = entries;
        Ok(plan)
    }

    /// The same plan for a site: inbound numbers are known in every form, numbers have kinds, and
    /// emergency calls go out by `emergency`. Two inbound numbers that are one in E.164 and lead to
    /// different flows are overlaps.
    pub fn for_site(
        mut self,
        site: Option<Site>,
        emergency: Option<String>,
    ) -> Result<Self, Vec<Overlap>> {
        let mut overlaps = Vec::new();
        for (second, entry) in self.entries.iter().enumerate() {
            let (Pattern::Exact(text), Meaning::Flow { .. }) = (&entry.pattern, &entry.meaning)
            else {
                continue;
            };
            let Some(e164) = site.as_ref().and_then(|site| site.e164(text)) else {
                continue;
            };
            let same = self.inbound.entry(e164.clone()).or_default();
            for &first in same.iter() {
                let other = &self.entries[first];
                if other.meaning != entry.meaning && other.reach.meets(&entry.reach) {
                    overlaps.push(Overlap {
                        first,
                        second,
                        number: e164.clone(),
                    });
                }
            }
            same.push(second);
        }
        (self.site, self.emergency) = (site, emergency);
        if overlaps.is_empty() {
            Ok(self)
        } else {
            Err(overlaps)
        }
    }

    /// The plan by which numbers are read.
    pub fn site(&self) -> Option<&Site> {
        self.site.as_ref()
    }

    /// Name of the trunk of emergency calls; `None` when they go the way of other numbers.
    pub fn emergency_trunk(&self) -> Option<&str> {
        self.emergency.as_deref()
    }

    /// Whether a phone that dials `text` calls for help: by the number itself, or behind an
    /// outbound prefix. Such calls are exempt from every limit.
    pub fn is_emergency(&self, text: &str) -> bool {
        normalise(text).is_some_and(|number| self.emergency_number(&number).is_some())
    }

    /// The short number behind whatever stands before it.
    fn emergency_number(&self, number: &str) -> Option<String> {
        let site = self.site.as_ref()?;
        let read = |text: &str| {
            let read = site.read(text).ok()?;
            (read.kind == NumberKind::Emergency).then_some(read.written)
        };
        if let Some(found) = read(number) {
            return Some(found);
        }
        if self.exact.contains_key(number) {
            return None;
        }
        self.prefixes.iter().find_map(|&index| {
            let entry = self.entries.get(index)?;
            match (&entry.pattern, &entry.meaning) {
                (
                    Pattern::Prefix(prefix),
                    Meaning::Outbound {
                        strip: Strip::TakeOff,
                        ..
                    },
                ) => read(number.strip_prefix(prefix.as_str())?),
                _ => None,
            }
        })
    }

    fn emergency_call(&self, origin: Origin<'_>, number: &str) -> Option<Destination> {
        if matches!(origin, Origin::Trunk(_)) {
            return None;
        }
        let trunk = self.emergency.clone()?;
        let number = self.emergency_number(number)?;
        Some(Destination::Trunk {
            trunks: vec![trunk],
            number,
        })
    }

    fn covers(&self, index: usize, number: &str) -> bool {
        let entry = self.entries.get(index);
        entry.is_some_and(|entry| entry.pattern.covers(number))
    }

    /// Where `text`, dialled by `origin`, leads; `None` when the number is not assigned.
    pub fn dialled(&self, origin: Origin<'_>, text: &str) -> Option<Destination> {
        let number = normalise(text)?;
        if let Some(emergency) = self.emergency_call(origin, &number) {
            return Some(emergency);
        }
        let site = self.site.as_ref();
        let e164 = site.and_then(|site| site.e164(&number));
        let inbound = e164.and_then(|e164| self.inbound.get(&e164));
        let exact = self.exact.get(&number).into_iter().flatten();
        let written = exact
            .chain(&self.ranges)
            .filter(|index| self.covers(**index, &number));
        written
            .chain(inbound.into_iter().flatten())
            .chain(
                self.prefixes
                    .iter()
                    .filter(|index| self.covers(**index, &number)),
            )
            .filter_map(|&index| self.entries.get(index))
            .filter(|entry| entry.reach.includes(origin))
            .find_map(|entry| entry.destination(origin, &number, site))
    }

    /// Every entry, in the order given.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

/// Every pair that meets. Exact numbers, of which there may be thousands, are found by hash.
fn overlaps(entries: &[Entry]) -> Vec<Overlap> {
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

impl Meaning {
    /// Kinds of numbers it is about; empty: all.
    fn kinds(&self) -> &[NumberKind] {
        match self {
            Meaning::Outbound { kinds, .. } => kinds,
            _ => &[],
        }
    }

    /// Whether both may be meant by one number: not when they name kinds that differ, or only one
    /// of them names any.
    fn meets(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.kinds(), other.kinds());
        ours.is_empty() == theirs.is_empty()
            && (ours.is_empty() || ours.iter().any(|kind| theirs.contains(kind)))
    }
}

impl Entry {
    fn destination(
        &self,
        origin: Origin<'_>,
        number: &str,
        site: Option<&Site>,
    ) -> Option<Destination> {
        match &self.meaning {
            Meaning::Flow {
                name,
                number,
                attributes,
            } => Some(Destination::Flow {
                name: name.clone(),
                number: number.clone(),
                attributes: attributes.clone(),
            }),
            Meaning::Outbound {
                trunks,
                strip,
                prepend,
                kinds,
            } => {
                let dialled = match (&self.pattern, strip) {
                    (Pattern::Prefix(prefix), Strip::TakeOff) => number.strip_prefix(prefix)?,
                    _ => number,
                };
                let digits = dialled.strip_prefix('+').unwrap_or(dialled);
                let dialable = digits.len() >= MIN_OUTBOUND
                    && digits.bytes().all(|c| c.is_ascii_digit())
                    && (prepend.is_empty() || digits.len() == dialled.len());
                let read = site.and_then(|site| site.read(dialled).ok());
                let is_of_kind = kinds.is_empty()
                    || read.as_ref().is_some_and(|read| kinds.contains(&read.kind));
                let dialable = dialable || (read.is_some() && prepend.is_empty());
                (dialable && is_of_kind).then(|| Destination::Trunk {
                    trunks: trunks.clone(),
                    number: format!("{prepend}{dialled}"),
                })
            }
            Meaning::Phone => Some(Destination::Phone(number.to_owned())),
            Meaning::Service(service) => match (service, origin) {
                (Service::AgentAvailable, Origin::Phone(_)) => Some(Destination::AgentAvailable),
                (Service::AgentAway, Origin::Phone(_)) => Some(Destination::AgentAway),
                (Service::AgentAvailable | Service::AgentAway, _) => None,
                (Service::Conference, _) => Some(Destination::Conference(number.to_owned())),
                (Service::Echo, _) => Some(Destination::Echo),
                (Service::HoldMusic, _) => Some(Destination::HoldMusic),
                (Service::Tone, _) => Some(Destination::Tone),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn inbound(number: &str, from: &str) -> Entry {
        Entry {
            pattern: Pattern::parse(number).expect("a number"),
            reach: Reach {
                phones: true,
                trunks: TrunkReach::Named(vec![from.to_owned()]),
            },
            meaning: Meaning::Flow {
                name: "main".to_owned(),
                number: "+81312345678".to_owned(),
                attributes: Map::new(),
            },
        }
    }

    fn service(number: &str, service: Service) -> Entry {
        Entry {
            pattern: Pattern::parse(number).expect("a number"),
            reach: Reach::PHONES,
            meaning: Meaning::Service(service),
        }
    }

    fn phone(number: &str) -> Entry {
        Entry {
            pattern: Pattern::Exact(number.to_owned()),
            reach: Reach::PHONES,
            meaning: Meaning::Phone,
        }
    }

    fn outbound(prefix: &str, strip: Strip, prepend: &str) -> Entry {
        Entry {
            pattern: Pattern::Prefix(prefix.to_owned()),
            reach: Reach::PHONES,
            meaning: Meaning::Outbound {
                trunks: vec!["demo".to_owned()],
                strip,
                prepend: prepend.to_owned(),
                kinds: Vec::new(),
            },
        }
    }

    fn office() -> Numbers {
        Numbers::new(vec![
            phone("1001"),
            inbound("+81312345678", "demo"),
            inbound("0312345678", "demo"),
            Entry {
                reach: Reach::PHONES,
                ..inbound("100", "demo")
            },
            service("600", Service::Echo),
            service("3000-3999", Service::Conference),
            service("*45", Service::AgentAvailable),
            outbound("0", Strip::TakeOff, ""),
            outbound("00", Strip::TakeOff, "+"),
        ])
        .expect("a plan without overlaps")
    }

    fn out(number: &str) -> Option<Destination> {
        Some(Destination::Trunk {
            trunks: vec!["demo".to_owned()],
            number: number.to_owned(),
        })
    }

    fn is_main(destination: Option<Destination>) -> bool {
        matches!(destination, Some(Destination::Flow { number, .. }) if number == "+81312345678")
    }

    #[test]
    fn every_way_to_dial_the_main_number_leads_to_its_flow() {
        let numbers = office();
        for text in [
            "+81312345678",
            "0312345678",
            "+81-3-1234-5678",
            "03(1234)5678",
        ] {
            assert!(
                is_main(numbers.dialled(Origin::Trunk("demo"), text)),
                "{text}"
            );
            assert!(
                is_main(numbers.dialled(Origin::Phone("1001"), text)),
                "{text}"
            );
        }
        assert!(is_main(numbers.dialled(Origin::Phone("1001"), "100")));
    }

    #[test]
    fn a_trunk_reaches_inbound_numbers_only() {
        let numbers = office();
        for text in ["100", "1001", "600", "3000", "*45", "0901234567", "nobody"] {
            assert_eq!(numbers.dialled(Origin::Trunk("demo"), text), None, "{text}");
        }
        assert_eq!(
            numbers.dialled(Origin::Trunk("other"), "+81312345678"),
            None
        );
    }

    #[test]
    fn a_phone_dials_phones_services_rooms_and_out() {
        let numbers = office();
        let dial = |text| numbers.dialled(Origin::Phone("1002"), text);
        assert_eq!(dial("1001"), Some(Destination::Phone("1001".to_owned())));
        assert_eq!(dial("600"), Some(Destination::Echo));
        assert_eq!(
            dial("3042"),
            Some(Destination::Conference("3042".to_owned()))
        );
        assert_eq!(dial("*45"), Some(Destination::AgentAvailable));
        assert_eq!(dial("0110"), out("110"));
        assert_eq!(
            dial("009012345678"),
            out("+9012345678"),
            "the longest prefix wins"
        );
        for text in [
            "4000",
            "30001",
            "0",
            "012",
            "0*45",
            "alice",
            "",
            "9999999999999999999999999999999999",
        ] {
            assert_eq!(dial(text), None, "{text}");
        }
        assert_eq!(
            numbers.dialled(Origin::Flow, "*45"),
            None,
            "a flow is no agent"
        );
        assert_eq!(numbers.dialled(Origin::Flow, "1001"), dial("1001"));
    }

    #[test]
    fn overlaps_are_all_found_and_exact_numbers_may_lie_in_a_prefix() {
        let overlaps = Numbers::new(vec![
            phone("3001"),
            service("3000-3999", Service::Conference),
            service("3999-4001", Service::Echo),
            phone("3001"),
            outbound("0", Strip::TakeOff, ""),
            outbound("0", Strip::Keep, ""),
            phone("0110"),
        ])
        .expect_err("overlaps");
        let found: Vec<(usize, usize, &str)> = overlaps
            .iter()
            .map(|overlap| (overlap.first, overlap.second, overlap.number.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                (0, 1, "3001"),
                (1, 2, "3999"),
                (0, 3, "3001"),
                (1, 3, "3001"),
                (4, 5, "0")
            ]
        );
    }

    #[test]
    fn two_trunks_may_have_the_same_number_for_different_flows() {
        let from_trunks_only = |trunk| {
            let mut entry = inbound("0312345678", trunk);
            entry.reach.phones = false;
            entry
        };
        assert!(Numbers::new(vec![from_trunks_only("a"), from_trunks_only("b")]).is_ok());
        assert!(Numbers::new(vec![from_trunks_only("a"), from_trunks_only("a")]).is_err());
    }

    fn kinds(kinds: &[NumberKind], trunk: &str) -> Entry {
        Entry {
            pattern: Pattern::Prefix(String::new()),
            reach: Reach::PHONES,
            meaning: Meaning::Outbound {
                trunks: vec![trunk.to_owned()],
                strip: Strip::Keep,
                prepend: String::new(),
                kinds: kinds.to_vec(),
            },
        }
    }

    fn tokyo(entries: Vec<Entry>, emergency: Option<&str>) -> Numbers {
        let site = Site::new("jp", Some("3")).ok();
        let numbers = Numbers::new(entries).expect("a plan without overlaps");
        let numbers = numbers.for_site(site, emergency.map(str::to_owned));
        numbers.expect("no number twice")
    }

    #[test]
    fn at_a_site_an_inbound_number_is_known_in_every_form() {
        let numbers = tokyo(vec![inbound("+81312345678", "demo"), phone("1001")], None);
        for text in [
            "+81312345678",
            "0312345678",
            "81312345678",
            "03-1234-5678",
            "010-81-3-1234-5678",
        ] {
            assert!(
                is_main(numbers.dialled(Origin::Trunk("demo"), text)),
                "{text}"
            );
            assert!(
                is_main(numbers.dialled(Origin::Phone("1001"), text)),
                "{text}"
            );
        }
        assert_eq!(numbers.dialled(Origin::Trunk("other"), "0312345678"), None);
        assert_eq!(numbers.dialled(Origin::Trunk("demo"), "0312345679"), None);
    }

    #[test]
    fn one_number_in_two_forms_cannot_lead_to_two_flows() {
        let mut other = inbound("0312345678", "demo");
        if let Meaning::Flow { name, .. } = &mut other.meaning {
            *name = "other".to_owned();
        }
        let plan = Numbers::new(vec![inbound("+81312345678", "demo"), other]).expect("apart");
        let site = Site::new("jp", Some("3")).ok();
        let overlaps = plan.for_site(site, None).expect_err("one number");
        assert_eq!(
            (overlaps.len(), overlaps[0].number.as_str()),
            (1, "+81312345678")
        );
    }

    #[test]
    fn kinds_of_numbers_choose_the_trunk() {
        use NumberKind::{Geographic, International, Mobile, Special};
        let numbers = tokyo(
            vec![
                kinds(&[Mobile], "mobile"),
                kinds(&[Geographic, Special], "fixed"),
                kinds(&[International], "abroad"),
            ],
            None,
        );
        let trunk = |text| match numbers.dialled(Origin::Phone("1001"), text) {
            Some(Destination::Trunk { trunks, .. }) => trunks.into_iter().next(),
            _ => None,
        };
        for (text, expected) in [
            ("09012345678", Some("mobile")),
            ("0398765432", Some("fixed")),
            ("177", Some("fixed")),
            ("#7119", Some("fixed")),
            ("010-1-415-555-0100", Some("abroad")),
            ("0120123456", None),
            ("0901234567", None),
            ("alice", None),
        ] {
            assert_eq!(trunk(text).as_deref(), expected, "{text}");
        }
        assert!(
            Numbers::new(vec![
                kinds(&[Mobile], "a"),
                kinds(&[Geographic, Mobile], "b")
            ])
            .is_err()
        );
    }

    #[test]
    fn calls_for_help_go_their_own_way_before_everything_else() {
        let numbers = tokyo(
            vec![outbound("0", Strip::TakeOff, ""), phone("0118")],
            Some("lifeline"),
        );
        let help = |number: &str| {
            Some(Destination::Trunk {
                trunks: vec!["lifeline".to_owned()],
                number: number.to_owned(),
            })
        };
        let dial = |text| numbers.dialled(Origin::Phone("1001"), text);
        assert_eq!((dial("110"), dial("0119")), (help("110"), help("119")));
        assert_eq!(dial("184119"), help("119"), "who calls for help is seen");
        assert_eq!(dial("0118"), Some(Destination::Phone("0118".to_owned())));
        assert_eq!(numbers.dialled(Origin::Trunk("demo"), "110"), None);
        assert!(numbers.is_emergency("119") && numbers.is_emergency("0119"));
        assert!(!numbers.is_emergency("0118") && !numbers.is_emergency("1190"));
        assert!(
            !office().is_emergency("110"),
            "without a site nothing is known"
        );
    }

    proptest! {
        #[test]
        fn any_text_dialled_is_harmless(text in ".{0,40}") {
            let numbers = office();
            numbers.dialled(Origin::Trunk("demo"), &text);
            if let Some(Destination::Trunk { number, .. }) =
                numbers.dialled(Origin::Phone("1001"), &text)
            {
                prop_assert!(number.bytes().all(|c| c.is_ascii_digit() || c == b'+'));
            }
        }
    }
}
