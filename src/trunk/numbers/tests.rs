//! Offices and what dialling there leads to.

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
            calendar: None,
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
        service("*45", Service::Agent(AgentService::Available)),
        service("*46", Service::Agent(AgentService::Away)),
        Entry {
            pattern: Pattern::Prefix("*46".to_owned()),
            ..service("*46", Service::Agent(AgentService::Away))
        },
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
    let agent = |service, digits: &str| Some(Destination::Agent(service, digits.to_owned()));
    assert_eq!(dial("*45"), agent(AgentService::Available, ""));
    assert_eq!(dial("*451"), None);
    assert_eq!(dial("*46"), agent(AgentService::Away, ""));
    assert_eq!(dial("*4612"), agent(AgentService::Away, "12"));
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

#[test]
fn the_calendar_of_a_number_is_found_in_every_form_of_it() {
    let mut with_calendar = inbound("+81312345678", "demo");
    if let Meaning::Flow { calendar, .. } = &mut with_calendar.meaning {
        *calendar = Some("office".to_owned());
    }
    let plan = Numbers::new(vec![with_calendar]).expect("apart");
    let site = Site::new("jp", Some("3")).ok();
    let plan = plan.for_site(site, None).expect("apart");
    for text in ["+81312345678", "0312345678", "03-1234-5678"] {
        assert_eq!(plan.calendar_of(text), Some("office"), "{text}");
    }
    assert_eq!(plan.calendar_of("0312345679"), None);
    let dialled = plan.dialled(Origin::Trunk("demo"), "0312345678");
    let Some(Destination::Flow { calendar, .. }) = dialled else {
        panic!("{dialled:?}")
    };
    assert_eq!(calendar.as_deref(), Some("office"));
}
