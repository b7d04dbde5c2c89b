//! The locator against zones written down: every rule of RFC 3263 §4, and every way to fail.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::*;
use crate::base::{Entropy, Timestamp};
use crate::sip::{Protocol, Uri};

/// Questions as `name KIND`, and what a server says to them.
type Zones = HashMap<String, Answer>;

struct World {
    now: Timestamp,
    locator: Locator,
    zones: Zones,
    /// Questions that reached the server.
    asked: Vec<String>,
}

const ALL: [(Protocol, &str); 3] = [
    (Protocol::Udp, "192.0.2.1:5060"),
    (Protocol::Tcp, "192.0.2.1:5060"),
    (Protocol::Tls, "192.0.2.1:5061"),
];

impl World {
    fn new(zones: &str) -> Self {
        Self::with(&ALL, zones)
    }

    fn with(listeners: &[(Protocol, &str)], zones: &str) -> Self {
        let listeners: Vec<(Protocol, SocketAddr)> = listeners
            .iter()
            .map(|(protocol, at)| (*protocol, at.parse().expect("an address")))
            .collect();
        let means = Means::new(&listeners);
        Self {
            now: Timestamp::from_millis(1_000_000),
            locator: Locator::new(Settings::default(), means, Entropy::from_seed(1)),
            zones: parse(zones),
            asked: Vec::new(),
        }
    }

    /// Answers all questions, as long as there are any.
    fn serve(&mut self) {
        while let Some(question) = self.locator.poll_question() {
            self.asked.push(question.to_string());
            let nothing = Answer::Nothing(Duration::from_secs(60));
            let answer = self.zones.get(&question.to_string());
            let answer = answer.cloned().unwrap_or(nothing);
            self.locator.handle_answer(self.now, &question, answer);
        }
    }

    fn locate(&mut self, uri: &str) -> Result<Vec<String>, NoLocation> {
        let uri = Uri::parse(uri).expect("a URI");
        let destination = Destination::of(&uri).expect("a destination");
        match self.locator.locate(self.now, &destination, Urgency::Usual) {
            Located::Now(result) => result.map(shown),
            Located::Later(id) => {
                self.serve();
                let (ask, result) = self.locator.poll_located().expect("served");
                assert_eq!(ask, id);
                result.map(shown)
            }
        }
    }

    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(next) = self.locator.poll_timeout().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.locator.handle_timeout(self.now);
        }
        self.now = end;
    }
}

fn shown(hops: Vec<Hop>) -> Vec<String> {
    let shown = hops
        .iter()
        .map(|hop| format!("{} {}", hop.protocol, hop.address));
    shown.collect()
}

/// One record a line: `name KIND data`; `ttl=N` in front changes the life, `!` fails.
fn parse(zones: &str) -> Zones {
    let mut parsed = Zones::new();
    for line in zones.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        let mut life = 300;
        if let Some(ttl) = words[0].strip_prefix("ttl=") {
            life = ttl.parse().expect("seconds");
            words.remove(0);
        }
        let key = format!("{} {}", words[0], words[1]);
        let number = |at: usize| words[at].parse().expect("a number");
        let record = match (words[1], words[2]) {
            (_, "!") => {
                parsed.insert(key, Answer::Failed);
                continue;
            }
            (_, "CNAME") => Record::Alias(words[3].into()),
            ("A" | "AAAA", address) => Record::Address(address.parse().expect("an address")),
            ("SRV", _) => Record::Srv(Srv {
                priority: number(2),
                weight: number(3),
                port: number(4),
                target: words[5].trim_end_matches('.').into(),
            }),
            _ => Record::Naptr(Naptr {
                order: number(2),
                preference: number(3),
                flags: words[4].to_owned(),
                service: words[5].to_owned(),
                has_regexp: false,
                replacement: words[6].into(),
            }),
        };
        let life = Duration::from_secs(life);
        match parsed
            .entry(key)
            .or_insert(Answer::Records(Vec::new(), life))
        {
            Answer::Records(records, shortest) => {
                records.push(record);
                *shortest = life.min(*shortest);
            }
            _ => panic!("fails and answers"),
        }
    }
    parsed
}

const CARRIER: &str = "
    carrier.example NAPTR 50 50 s SIPS+D2T _sips._tcp.carrier.example
    carrier.example NAPTR 90 50 s SIP+D2T _sip._tcp.carrier.example
    carrier.example NAPTR 100 50 s SIP+D2U _sip._udp.carrier.example
    _sips._tcp.carrier.example SRV 0 1 5061 tls.carrier.example
    _sip._tcp.carrier.example SRV 0 1 5060 one.carrier.example
    _sip._tcp.carrier.example SRV 1 1 5062 two.carrier.example
    _sip._udp.carrier.example SRV 0 1 5060 one.carrier.example
    tls.carrier.example A 203.0.113.9
    one.carrier.example A 203.0.113.1
    two.carrier.example A 203.0.113.2
    carrier.example A 203.0.113.80";

#[test]
fn a_numeric_host_asks_nobody() {
    let mut world = World::new("");
    for (uri, hop) in [
        ("sip:203.0.113.5", "UDP 203.0.113.5:5060"),
        ("sip:203.0.113.5:5070", "UDP 203.0.113.5:5070"),
        ("sip:203.0.113.5;transport=tcp", "TCP 203.0.113.5:5060"),
        ("sip:203.0.113.5;transport=tls", "TLS 203.0.113.5:5061"),
        ("sips:203.0.113.5", "TLS 203.0.113.5:5061"),
        ("sips:203.0.113.5;transport=tcp", "TLS 203.0.113.5:5061"),
        (
            "sip:a@carrier.example;maddr=203.0.113.6",
            "UDP 203.0.113.6:5060",
        ),
    ] {
        assert_eq!(world.locate(uri), Ok(vec![hop.to_owned()]), "{uri}");
    }
    assert_eq!(
        world.locate("sip:[2001:db8::1]"),
        Err(NoLocation::NoTransport)
    );
    assert!(world.asked.is_empty());
}

#[test]
fn naptr_says_which_transport_and_srv_which_host() {
    let mut world = World::new(CARRIER);
    let all = [
        "TLS 203.0.113.9:5061",
        "TCP 203.0.113.1:5060",
        "TCP 203.0.113.2:5062",
        "UDP 203.0.113.1:5060",
    ];
    assert_eq!(
        world.locate("sip:carrier.example"),
        Ok(all.map(str::to_owned).to_vec())
    );
    // `sips:` takes nothing but TLS.
    assert_eq!(
        world.locate("sips:carrier.example"),
        Ok(vec![all[0].to_owned()])
    );
}

#[test]
fn transports_we_have_not_are_passed_over() {
    let mut world = World::with(&ALL[..1], CARRIER);
    let found = world.locate("sip:carrier.example");
    assert_eq!(found, Ok(vec!["UDP 203.0.113.1:5060".to_owned()]));
    assert_eq!(
        world.locate("sips:carrier.example"),
        Err(NoLocation::NoTransport)
    );
    let only_tls = "
        a.example NAPTR 1 1 s SIPS+D2T _sips._tcp.a.example
        _sips._tcp.a.example SRV 0 0 5061 a.example
        a.example A 203.0.113.1";
    let mut world = World::with(&ALL[..2], only_tls);
    assert_eq!(world.locate("sip:a.example"), Err(NoLocation::NoTransport));
}

#[test]
fn a_written_port_asks_for_addresses_only() {
    let mut world = World::new(CARRIER);
    let found = world.locate("sip:carrier.example:5090");
    assert_eq!(found, Ok(vec!["UDP 203.0.113.80:5090".to_owned()]));
    let found = world.locate("sip:carrier.example:5090;transport=tcp");
    assert_eq!(found, Ok(vec!["TCP 203.0.113.80:5090".to_owned()]));
    let found = world.locate("sips:carrier.example:5090");
    assert_eq!(found, Ok(vec!["TLS 203.0.113.80:5090".to_owned()]));
    assert_eq!(world.asked, ["carrier.example A"]);
}

#[test]
fn a_written_transport_asks_its_srv_records_only() {
    let mut world = World::new(CARRIER);
    let found = world.locate("sip:carrier.example;transport=udp");
    assert_eq!(found, Ok(vec!["UDP 203.0.113.1:5060".to_owned()]));
    assert_eq!(
        world.asked,
        ["_sip._udp.carrier.example SRV", "one.carrier.example A"]
    );
    let found = world.locate("sip:carrier.example;transport=tls");
    assert_eq!(found, Ok(vec!["TLS 203.0.113.9:5061".to_owned()]));
}

#[test]
fn without_naptr_every_transport_of_ours_is_asked_for() {
    let zone = "
        _sip._tcp.a.example SRV 0 0 5070 h.example
        h.example A 203.0.113.1";
    let mut world = World::new(zone);
    assert_eq!(
        world.locate("sip:a.example"),
        Ok(vec!["TCP 203.0.113.1:5070".to_owned()])
    );
    assert_eq!(
        world.asked[1..4],
        [
            "_sip._udp.a.example SRV",
            "_sip._tcp.a.example SRV",
            "_sips._tcp.a.example SRV",
        ]
    );
}

#[test]
fn without_srv_the_name_itself_has_the_address() {
    let mut world = World::new("a.example A 203.0.113.1");
    assert_eq!(
        world.locate("sip:A.Example"),
        Ok(vec!["UDP 203.0.113.1:5060".to_owned()])
    );
    let found = world.locate("sip:a.example;transport=tcp");
    assert_eq!(found, Ok(vec!["TCP 203.0.113.1:5060".to_owned()]));
    assert_eq!(
        world.locate("sips:a.example"),
        Ok(vec!["TLS 203.0.113.1:5061".to_owned()])
    );
}

#[test]
fn both_families_are_asked_where_we_listen_on_both() {
    let zone = "
        a.example A 203.0.113.1
        a.example AAAA 2001:db8::1";
    let mut listeners = ALL[..1].to_vec();
    listeners.push((Protocol::Udp, "[2001:db8::99]:5060"));
    let mut world = World::with(&listeners, zone);
    let found = world.locate("sip:a.example:5060").expect("located");
    assert_eq!(found, ["UDP [2001:db8::1]:5060", "UDP 203.0.113.1:5060"]);
}

#[test]
fn a_service_that_is_decidedly_absent_is_not_sought() {
    let mut world = World::new("_sip._udp.a.example SRV 0 0 0 .\na.example A 203.0.113.1");
    let found = world.locate("sip:a.example;transport=udp");
    assert_eq!(found, Err(NoLocation::NoTransport));
}

#[test]
fn aliases_are_followed_but_not_in_a_circle() {
    let zone = "
        a.example A CNAME b.example
        b.example A CNAME c.example
        c.example A 203.0.113.1
        x.example A CNAME y.example
        y.example A CNAME x.example";
    let mut world = World::new(zone);
    let found = world.locate("sip:a.example:5060");
    assert_eq!(found, Ok(vec!["UDP 203.0.113.1:5060".to_owned()]));
    assert_eq!(world.locate("sip:x.example:5060"), Err(NoLocation::Circle));
}

#[test]
fn what_is_not_there_is_remembered() {
    let mut world = World::new("");
    assert_eq!(
        world.locate("sip:no.example:5060"),
        Err(NoLocation::NoAddress)
    );
    assert_eq!(
        world.locate("sip:no.example:5060"),
        Err(NoLocation::NoAddress)
    );
    assert_eq!(world.asked.len(), 1);
    world.wait(Duration::from_secs(60));
    world.zones = parse("no.example A 203.0.113.1");
    assert!(world.locate("sip:no.example:5060").is_ok());
}

#[test]
fn a_ttl_that_is_over_asks_again_and_sees_what_changed() {
    let mut world = World::new("ttl=10 a.example A 203.0.113.1");
    assert!(world.locate("sip:a.example:5060").is_ok());
    world.zones = parse("a.example A 203.0.113.2");
    world.wait(Duration::from_secs(9));
    assert_eq!(
        world.locate("sip:a.example:5060"),
        Ok(vec!["UDP 203.0.113.1:5060".to_owned()])
    );
    world.wait(Duration::from_secs(1));
    assert_eq!(
        world.locate("sip:a.example:5060"),
        Ok(vec!["UDP 203.0.113.2:5060".to_owned()])
    );
    assert_eq!(world.asked.len(), 2);
}

#[test]
fn a_silent_server_fails_in_time_and_old_records_serve_meanwhile() {
    let mut world = World::new("ttl=10 a.example A 203.0.113.1");
    let destination = |uri: &str| Destination::of(&Uri::parse(uri).expect("a URI")).expect("one");
    let known = destination("sip:a.example:5060");
    let strange = destination("sip:b.example:5060");
    assert!(world.locate("sip:a.example:5060").is_ok());
    world.wait(Duration::from_secs(20));
    let start = world.now;
    let Located::Later(old) = world.locator.locate(world.now, &known, Urgency::Usual) else {
        panic!("its time is over");
    };
    let Located::Later(new) = world.locator.locate(world.now, &strange, Urgency::Usual) else {
        panic!("never asked");
    };
    world.wait(Settings::default().stale_after);
    let (ask, result) = world.locator.poll_located().expect("old records");
    assert_eq!(
        (ask, result.map(shown)),
        (old, Ok(vec!["UDP 203.0.113.1:5060".to_owned()]))
    );
    assert_eq!(world.locator.poll_located(), None);
    world.wait(Settings::default().patience);
    assert_eq!(
        world.locator.poll_located(),
        Some((new, Err(NoLocation::NoAnswer)))
    );
    assert!(world.now.since(start) < Duration::from_secs(6));
    assert_eq!(
        world.locator.poll_timeout(),
        None,
        "nothing is left under way"
    );
    // While the failure is fresh nobody waits again.
    let failed = world.locator.locate(world.now, &strange, Urgency::Usual);
    assert_eq!(failed, Located::Now(Err(NoLocation::NoAnswer)));
}

#[test]
fn a_server_that_refuses_is_a_clear_failure() {
    let mut world = World::new("a.example A !");
    assert_eq!(
        world.locate("sip:a.example:5060"),
        Err(NoLocation::NoAnswer)
    );
}

#[test]
fn many_askers_share_one_question() {
    let mut world = World::new(CARRIER);
    let uri = Uri::parse("sip:carrier.example:5060").expect("a URI");
    let destination = Destination::of(&uri).expect("a destination");
    for _ in 0..100 {
        let later = world
            .locator
            .locate(world.now, &destination, Urgency::Usual);
        assert!(matches!(later, Located::Later(_)));
    }
    world.serve();
    assert_eq!(world.asked, ["carrier.example A"]);
    let mut located = 0;
    while let Some((_, result)) = world.locator.poll_located() {
        assert!(result.is_ok());
        located += 1;
    }
    assert_eq!(located, 100);
}

#[test]
fn whoever_is_forgotten_hears_nothing_and_leaves_nothing() {
    let mut world = World::new(CARRIER);
    let uri = Uri::parse("sip:carrier.example:5060").expect("a URI");
    let destination = Destination::of(&uri).expect("a destination");
    let Located::Later(ask) = world
        .locator
        .locate(world.now, &destination, Urgency::Usual)
    else {
        panic!("never asked");
    };
    world.locator.forget(ask);
    world.serve();
    assert_eq!(world.locator.poll_located(), None);
    assert_eq!(
        (world.locator.poll_timeout(), world.locator.waiting()),
        (None, 0)
    );
}

#[test]
fn answers_nobody_asked_for_are_not_believed() {
    let mut world = World::new("");
    let question = Question::new("a.example", Kind::A);
    let forged = Answer::Records(
        vec![Record::Address([198, 51, 100, 66].into())],
        Duration::from_secs(3600),
    );
    world.locator.handle_answer(world.now, &question, forged);
    assert_eq!(world.locator.cached(), 0);
    assert_eq!(
        world.locate("sip:a.example:5060"),
        Err(NoLocation::NoAddress)
    );
}

#[test]
fn a_flood_of_names_is_bounded() {
    let mut world = World::new("");
    let mut busy = 0;
    for number in 0..10_000 {
        let uri = Uri::parse(&format!("sip:n{number}.example:5060")).expect("a URI");
        let destination = Destination::of(&uri).expect("a destination");
        match world
            .locator
            .locate(world.now, &destination, Urgency::Usual)
        {
            Located::Now(Err(NoLocation::Busy)) => busy += 1,
            Located::Now(other) => panic!("{other:?}"),
            Located::Later(_) => {}
        }
    }
    assert!(busy > 0 && world.locator.waiting() <= locator::MAX_ASKS);
    world.wait(Duration::from_secs(10));
    assert_eq!(
        (world.locator.waiting(), world.locator.poll_timeout()),
        (0, None)
    );
    // A hundred servers with thirty addresses each are cut to what one call may try.
    let mut zone = String::new();
    for server in 0..100 {
        zone += &format!("_sip._udp.big.example SRV 0 1 5060 s{server}.example\n");
        for address in 0..30 {
            zone += &format!("s{server}.example A 203.0.113.{address}\n");
        }
    }
    let mut world = World::new(&zone);
    let hops = world
        .locate("sip:big.example;transport=udp")
        .expect("located");
    assert!(hops.len() <= plan::MAX_HOPS, "{}", hops.len());
}

#[test]
fn who_failed_is_tried_last_and_who_asked_for_a_pause_is_let_be() {
    let mut world = World::new(CARRIER);
    let uri = "sip:carrier.example;transport=tcp";
    let first = Hop {
        protocol: Protocol::Tcp,
        address: "203.0.113.1:5060".parse().expect("an address"),
        name: None,
    };
    let second = Hop {
        address: "203.0.113.2:5062".parse().expect("an address"),
        ..first.clone()
    };
    assert!(world.locator.failed(world.now, &first, Fault::Dead));
    let found = world.locate(uri).expect("located");
    assert_eq!(found, ["TCP 203.0.113.2:5062", "TCP 203.0.113.1:5060"]);
    world.locator.failed(world.now, &first, Fault::Busy(20));
    world.locator.failed(world.now, &second, Fault::Busy(20));
    assert_eq!(world.locate(uri), Err(NoLocation::Resting));
    world.wait(Duration::from_secs(20));
    assert_eq!(world.locate(uri).map(|hops| hops.len()), Ok(2));
}

#[test]
fn an_accepted_host_is_learnt_refreshed_and_kept() {
    let mut world = World::new("ttl=20 sip.carrier.example A 203.0.113.1");
    let hosts = ["SIP.carrier.example".to_owned()];
    let is_at = |world: &World, text: &str| {
        let address = text.parse().expect("an address");
        world.locator.is_at("sip.carrier.example", address)
    };
    world.locator.watch(world.now, &hosts);
    assert!(!is_at(&world, "203.0.113.1"));
    world.serve();
    assert!(is_at(&world, "203.0.113.1") && is_at(&world, "::ffff:203.0.113.1"));
    assert!(!is_at(&world, "203.0.113.2"));
    world.zones = parse("ttl=20 sip.carrier.example A 203.0.113.2");
    for _ in 0..3 {
        world.wait(Duration::from_secs(15));
        world.serve();
    }
    assert!(is_at(&world, "203.0.113.2") && !is_at(&world, "203.0.113.1"));
    // The server dies: what was known stays.
    for _ in 0..10 {
        world.wait(Duration::from_secs(15));
        while world.locator.poll_question().is_some() {}
    }
    assert!(is_at(&world, "203.0.113.2"));
    world.locator.watch(world.now, &[]);
    assert!(!is_at(&world, "203.0.113.2"));
    world.wait(Duration::from_secs(15));
    assert_eq!(world.locator.poll_timeout(), None);
}

#[test]
fn where_a_noted_host_is_is_learnt_when_somebody_goes_there_and_not_asked_before() {
    let mut world = World::new("ttl=20 sip.carrier.example A 203.0.113.1");
    world
        .locator
        .note_hosts(&["SIP.carrier.example".to_owned()]);
    world.serve();
    assert!(world.asked.is_empty());
    assert_eq!(world.locator.take_moved(), None);
    let uri = "sip:sip.carrier.example:5060;transport=udp";
    // Asked of the server, then out of the cache: once is news.
    for news in [Some(vec!["203.0.113.1".parse().expect("an address")]), None] {
        world.locate(uri).expect("found");
        assert_eq!(world.locator.take_moved(), news);
    }
    world.locator.note_hosts(&[]);
    assert_eq!(world.locator.take_moved(), Some(Vec::new()));
}

#[test]
fn whatever_servers_say_a_plan_ends() {
    let mut entropy = Entropy::from_seed(9);
    let names = ["a.example", "b.example", "_sip._udp.a.example", "", "x"];
    for _ in 0..2000 {
        let mut world = World::new("");
        for name in names {
            for kind in ["A", "SRV", "NAPTR"] {
                let name_of = |entropy: &mut Entropy| names[entropy.below(5) as usize];
                let record = match entropy.below(5) {
                    0 => Record::Alias(name_of(&mut entropy).into()),
                    1 => Record::Address([203, 0, 113, 1].into()),
                    2 => Record::Srv(Srv {
                        priority: entropy.below(3) as u16,
                        weight: entropy.below(70_000) as u16,
                        port: entropy.below(70_000) as u16,
                        target: name_of(&mut entropy).into(),
                    }),
                    3 => Record::Naptr(Naptr {
                        order: 1,
                        preference: entropy.below(3) as u16,
                        flags: "s".to_owned(),
                        service: "SIP+D2U".to_owned(),
                        has_regexp: false,
                        replacement: name_of(&mut entropy).into(),
                    }),
                    _ => continue,
                };
                let life = Duration::from_secs(entropy.below(100));
                let answer = Answer::Records(vec![record], life);
                world.zones.insert(format!("{name} {kind}"), answer);
            }
        }
        let _ = world.locate("sip:a.example");
        assert!(world.asked.len() < 60, "{:?}", world.asked);
        assert_eq!(world.locator.waiting(), 0);
    }
}
