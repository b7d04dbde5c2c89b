//! The rules of RFC 3261 §10.3 as facts.

use super::*;
use crate::base::Entropy;

const PHONE: &str = "1001";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

fn source() -> Flow {
    Flow::udp(
        "192.0.2.1:5060".parse().unwrap(),
        "198.51.100.7:40000".parse().unwrap(),
    )
}

fn message(call_id: &str, cseq: u32, more: &str) -> Message {
    let text = format!(
        "REGISTER sip:office SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\n\
        From: <sip:1001@office>;tag=1\r\nTo: <sip:1001@office>\r\nUser-Agent: test\r\n\
        Call-ID: {call_id}\r\nCSeq: {cseq} REGISTER\r\n{more}\r\n"
    );
    Message::parse(text.into()).unwrap()
}

/// A registrar and the requests of one phone.
struct Office {
    registrar: Registrar,
    cseq: u32,
}

impl Office {
    fn new() -> Self {
        Self {
            registrar: Registrar::new(Limits::default()),
            cseq: 0,
        }
    }

    fn register(&mut self, seconds: i64, more: &str) -> Reply {
        self.cseq += 1;
        let message = message("call-1", self.cseq, more);
        self.registrar
            .register(at(seconds), &message, &source(), PHONE)
    }

    fn contacts(&self) -> Vec<String> {
        let bindings = self.registrar.bindings(PHONE);
        bindings.iter().map(|b| b.contact.to_string()).collect()
    }
}

fn registered() -> Vec<Change> {
    vec![Change::Registered {
        phone: PHONE.to_owned(),
    }]
}

fn unregistered() -> Vec<Change> {
    vec![Change::Unregistered {
        phone: PHONE.to_owned(),
    }]
}

#[test]
fn a_phone_comes_is_refreshed_and_goes() {
    let mut office = Office::new();
    let reply = office.register(0, "Contact: <sip:1001@10.0.0.1>;expires=600\r\n");
    assert_eq!((reply.status, reply.changes), (200, registered()));
    assert_eq!(
        reply.headers,
        [
            (
                HeaderName::Contact,
                "<sip:1001@10.0.0.1>;expires=600".to_owned()
            ),
            (HeaderName::Supported, "path, outbound".to_owned())
        ]
    );
    let binding = &office.registrar.bindings(PHONE)[0];
    assert_eq!(binding.flow, source());
    assert_eq!(binding.user_agent.as_deref(), Some("test"));

    let reply = office.register(100, "Contact: <sip:1001@10.0.0.1>\r\nExpires: 300\r\n");
    assert_eq!((reply.status, reply.changes), (200, Vec::new()));
    assert_eq!(office.registrar.poll_timeout(), Some(at(400)));

    let reply = office.register(150, "");
    assert_eq!(reply.headers[0].1, "<sip:1001@10.0.0.1>;expires=250");

    let reply = office.register(200, "Contact: <sip:1001@10.0.0.1>;expires=0\r\n");
    assert_eq!((reply.status, &reply.changes), (200, &unregistered()));
    assert_eq!(header(&reply, "Contact"), None);
    assert_eq!(office.registrar.poll_timeout(), None);
}

#[test]
fn bindings_end_each_in_its_time() {
    let mut office = Office::new();
    office.register(0, "Contact: <sip:a@h>;expires=60, <sip:b@h>;expires=90\r\n");
    assert!(office.registrar.handle_timeout(at(59)).is_empty());
    assert!(office.registrar.handle_timeout(at(60)).is_empty());
    assert_eq!(office.contacts(), ["sip:b@h"]);
    assert_eq!(office.registrar.handle_timeout(at(90)), unregistered());
    assert!(!office.registrar.is_registered(PHONE));
}

#[test]
fn times_are_defaulted_cut_and_refused() {
    let mut office = Office::new();
    office.register(0, "Contact: <sip:a@h>\r\n");
    assert_eq!(office.registrar.poll_timeout(), Some(at(3600)));
    office.register(0, "Contact: <sip:a@h>;expires=99999\r\n");
    assert_eq!(office.registrar.poll_timeout(), Some(at(7200)));
    office.register(0, "Contact: <sip:a@h>;expires=280297596632815\r\n");
    assert_eq!(office.registrar.poll_timeout(), Some(at(3600)));
    let reply = office.register(0, "Contact: <sip:a@h>;expires=59\r\n");
    assert_eq!(reply.status, 423);
    assert_eq!(reply.headers, [(HeaderName::MinExpires, "60".to_owned())]);
    assert_eq!(office.registrar.poll_timeout(), Some(at(3600)));
}

#[test]
fn a_star_removes_all_and_needs_expires_zero() {
    let mut office = Office::new();
    office.register(0, "Contact: <sip:a@h>, <sip:b@h>\r\n");
    assert_eq!(office.register(1, "Contact: *\r\n").status, 400);
    assert_eq!(
        office.register(1, "Contact: *\r\nExpires: 60\r\n").status,
        400
    );
    let mixed = "Contact: *\r\nContact: <sip:a@h>\r\nExpires: 0\r\n";
    assert_eq!(office.register(1, mixed).status, 400);
    assert_eq!(office.contacts().len(), 2);
    let reply = office.register(1, "Contact: *\r\nExpires: 0\r\n");
    assert_eq!((reply.status, reply.changes), (200, unregistered()));
}

#[test]
fn requests_out_of_order_change_nothing() {
    let mut office = Office::new();
    office.cseq = 10;
    office.register(0, "Contact: <sip:a@h>\r\n");
    let mut register = |call_id, cseq, more| {
        let message = message(call_id, cseq, more);
        let reply = office.registrar.register(at(1), &message, &source(), PHONE);
        (reply.status, office.registrar.bindings(PHONE).len())
    };
    let remove = "Contact: <sip:a@h>;expires=0\r\n";
    let star = "Contact: *\r\nExpires: 0\r\n";
    assert_eq!(register("call-1", 11, remove), (500, 1));
    assert_eq!(register("call-1", 10, star), (500, 1));
    // One part out of order undoes the whole.
    let both = "Contact: <sip:new@h>, <sip:a@h>\r\n";
    assert_eq!(register("call-1", 9, both), (500, 1));
    // Another Call-ID is another life of the phone.
    assert_eq!(register("call-2", 1, remove), (200, 0));
}

#[test]
fn a_phone_that_keeps_flows_replaces_its_contact() {
    let mut office = Office::new();
    let with = |port: u16, id: u8| {
        format!(
            "Supported: outbound\r\n\
            Contact: <sip:1001@10.0.0.1:{port}>;+sip.instance=\"<urn:uuid:1>\";reg-id={id}\r\n"
        )
    };
    office.register(0, &with(1000, 1));
    office.register(1, &with(2000, 1));
    office.register(2, &with(3000, 2));
    assert_eq!(
        office.contacts(),
        ["sip:1001@10.0.0.1:3000", "sip:1001@10.0.0.1:2000"]
    );
}

#[test]
fn equal_contacts_are_one_and_preference_orders_them() {
    let mut office = Office::new();
    office.register(0, "Contact: <sip:%61@HOST;x=1>;q=0.5, <sip:b@h>;q=0.7\r\n");
    office.register(1, "Contact: <sip:a@host>;q=0.6\r\n");
    assert_eq!(office.contacts(), ["sip:b@h", "sip:a@host"]);
}

#[test]
fn contacts_are_bounded_and_only_callable_ones_kept() {
    let mut office = Office::new();
    for number in 0..12 {
        let contact = format!("Contact: <sip:{number}@h>\r\n");
        assert_eq!(office.register(number, &contact).status, 200);
    }
    let contacts = office.contacts();
    assert_eq!(contacts.len(), 10);
    assert_eq!(contacts.last().map(String::as_str), Some("sip:2@h"));
    let many: Vec<String> = (0..11).map(|n| format!("<sip:{n}@x>")).collect();
    let many = format!("Contact: {}\r\n", many.join(","));
    assert_eq!(office.register(20, &many).status, 403);
    assert_eq!(office.register(20, "Contact: <name:x>\r\n").status, 400);
    assert_eq!(office.register(20, "Contact: <sip:a@h\r\n").status, 400);
    let hidden = "Contact: <sip:z@h?Route=%3Csip:evil%3E>\r\n";
    office.register(21, hidden);
    assert_eq!(office.contacts()[0], "sip:z@h");
}

#[test]
fn a_closed_connection_takes_its_bindings_along() {
    let mut registrar = Registrar::new(Limits::default());
    let tcp = Flow::tcp(source().local, source().remote, Some(ConnectionId(7)));
    let message = message("c", 1, "Contact: <sip:a@h>\r\n");
    registrar.register(at(0), &message, &tcp, PHONE);
    assert_eq!(registrar.handle_closed(ConnectionId(8)), Closed::default());
    assert_eq!(registrar.handle_closed(ConnectionId(7)), gone());
    assert!(registrar.connections.is_empty());
}

/// The phone's last flow went.
fn gone() -> Closed {
    Closed {
        changes: unregistered(),
        is_news: true,
    }
}

#[test]
fn who_is_on_a_connection_is_known_at_any_time() {
    let mut entropy = Entropy::from_seed(5);
    let mut registrar = Registrar::new(Limits::default());
    for step in 0..2000 {
        let phone = entropy.below(4).to_string();
        let connection = match entropy.below(4) {
            0 => None,
            some => Some(ConnectionId(some)),
        };
        let flow = Flow::tcp(source().local, source().remote, connection);
        let contact = format!(
            "Contact: <sip:{}@h>;expires={}\r\n",
            entropy.below(4),
            60 * entropy.below(2)
        );
        registrar.register(
            at(step),
            &message("c", step as u32, &contact),
            &flow,
            &phone,
        );
        if entropy.below(5) == 0 {
            let closed = ConnectionId(1 + entropy.below(3));
            registrar.handle_closed(closed);
            assert!(!registrar.connections.contains_key(&closed));
        }
        registrar.handle_timeout(at(step));
        let mut wanted: HashMap<ConnectionId, BTreeSet<String>> = HashMap::new();
        for (phone, bindings) in &registrar.phones {
            for connection in bindings
                .iter()
                .filter_map(|binding| binding.flow.connection)
            {
                wanted.entry(connection).or_default().insert(phone.clone());
            }
        }
        assert_eq!(registrar.connections, wanted);
    }
}

#[test]
fn a_phone_behind_a_proxy_does_not_depend_on_the_connection_between() {
    let mut office = Office::new();
    let path = "Via: SIP/2.0/TCP b;branch=z9hG4bK2\r\nPath: <sip:edge.example;lr;ob>\r\n";
    let reply = keep(&mut office, 7, 1, path);
    assert_eq!((reply.status, reply.silence), (200, None));
    assert_eq!(header(&reply, "Require").as_deref(), Some("outbound"));
    assert_eq!(header(&reply, "Flow-Timer"), None);
    let closed = office.registrar.handle_closed(ConnectionId(7));
    assert_eq!(closed, Closed::default());
    let binding = office.registrar.bindings(PHONE)[0].clone();
    assert_eq!(binding.flow.connection, None);
    // As it was written down before, with the connection.
    let mut snapshot = office.registrar.snapshot();
    let all = snapshot.phones.values_mut().flatten();
    all.for_each(|binding| binding.flow.connection = Some(ConnectionId(7)));
    let restored = Registrar::restore(Limits::default(), snapshot);
    assert_eq!(restored.bindings(PHONE), [binding]);
}

#[test]
fn of_two_flows_by_one_proxy_only_the_dead_one_goes() {
    let mut office = Office::new();
    let edge = "Supported: path\r\nPath: <sip:edge.example;lr>\r\n";
    office.register(0, &format!("{edge}Contact: <sip:a@10.0.0.1>\r\n"));
    office.register(1, &format!("{edge}Contact: <sip:b@10.0.0.2>\r\n"));
    office.registrar.take_unsaved(9);
    let dead = office.registrar.bindings(PHONE)[0].clone();
    let closed = office.registrar.handle_dead_flow(PHONE, &dead);
    assert_eq!((closed.changes.len(), closed.is_news), (0, true));
    assert_eq!(office.contacts(), ["sip:a@10.0.0.1"]);
    assert_eq!(office.registrar.take_unsaved(9).len(), 1);
}

#[test]
fn a_restored_table_is_the_same_but_for_connections() {
    let mut registrar = Registrar::new(Limits::default());
    let tcp = Flow::tcp(source().local, source().remote, Some(ConnectionId(7)));
    for (phone, flow) in [("1001", source()), ("1002", tcp)] {
        let message = message("c", 1, "Contact: <sip:a@h>;q=0.2, <sip:b@h>\r\n");
        registrar.register(at(0), &message, &flow, phone);
    }
    let json = serde_json::to_string(&registrar.snapshot()).unwrap();
    let snapshot = serde_json::from_str(&json).unwrap();
    let mut restored = Registrar::restore(Limits::default(), snapshot);
    assert_eq!(restored.bindings("1001"), registrar.bindings("1001"));
    assert!(restored.bindings("1002").is_empty());
    assert_eq!(restored.poll_timeout(), registrar.poll_timeout());
    assert_eq!(restored.handle_timeout(at(3600)).len(), 1);
}

#[test]
fn what_changed_is_taken_once_to_be_written_down() {
    let mut registrar = Registrar::new(Limits::default());
    let register = |registrar: &mut Registrar, phone: &str, second: u32| {
        let message = message("c", second, "Contact: <sip:a@h>;expires=60\r\n");
        registrar.register(at(second.into()), &message, &source(), phone);
    };
    register(&mut registrar, "1001", 1);
    register(&mut registrar, "1002", 1);
    let phones = |taken: &[(String, Vec<Binding>)]| -> Vec<(String, usize)> {
        let counted = taken.iter().map(|(phone, all)| (phone.clone(), all.len()));
        counted.collect()
    };
    let some = |phone: &str, count| (phone.to_owned(), count);
    assert_eq!(phones(&registrar.take_unsaved(1)), [some("1001", 1)]);
    register(&mut registrar, "1001", 30);
    let both = [some("1001", 1), some("1002", 1)];
    assert_eq!(phones(&registrar.take_unsaved(9)), both);
    assert!(registrar.take_unsaved(9).is_empty());
    // A phone that is gone is to be forgotten; what could not be written is taken again.
    registrar.handle_timeout(at(61));
    let gone = registrar.take_unsaved(9);
    assert_eq!(phones(&gone), [some("1002", 0)]);
    registrar.put_back_unsaved(gone.into_iter().map(|(phone, _)| phone));
    assert_eq!(phones(&registrar.take_unsaved(9)), [some("1002", 0)]);
}

#[test]
fn whatever_is_registered_the_table_stays_sound() {
    let mut entropy = Entropy::from_seed(4);
    let mut registrar = Registrar::new(Limits::default());
    for step in 0..3000 {
        let now = at(step);
        let phone = entropy.below(4).to_string();
        let expires = [0, 30, 60, 61, 5000, 9000][entropy.below(6) as usize];
        let contact = format!(
            "Contact: <sip:{}@h>;expires={expires}\r\n",
            entropy.below(14)
        );
        let more = match entropy.below(20) {
            0 => "Contact: *\r\nExpires: 0\r\n",
            1 => "",
            _ => contact.as_str(),
        };
        let message = message("c", entropy.below(4000) as u32, more);
        let before = registrar.is_registered(&phone);
        let reply = registrar.register(now, &message, &source(), &phone);
        let after = registrar.is_registered(&phone);
        assert_eq!(reply.changes.len(), usize::from(before != after));
        registrar.handle_timeout(now);
        for phone in ["0", "1", "2", "3"] {
            let bindings = registrar.bindings(phone);
            assert!(bindings.len() <= 10);
            assert!(bindings.iter().all(|binding| binding.expires_at > now));
            assert_eq!(registrar.is_registered(phone), !bindings.is_empty());
        }
        assert!(registrar.poll_timeout().is_none_or(|next| next > now));
    }
}

/// A REGISTER of a phone that keeps its flow, over TCP.
fn keep(office: &mut Office, connection: u64, number: u32, more: &str) -> Reply {
    office.cseq += 1;
    let contact = format!(
        "Supported: path, outbound\r\nContact: <sip:1001@10.0.0.1>;\
        +sip.instance=\"<urn:uuid:1>\";reg-id={number}\r\n{more}"
    );
    let message = message("call-1", office.cseq, &contact);
    let flow = Flow::tcp(
        source().local,
        source().remote,
        Some(ConnectionId(connection)),
    );
    office
        .registrar
        .register(at(i64::from(office.cseq)), &message, &flow, PHONE)
}

fn header(reply: &Reply, name: &str) -> Option<String> {
    let mut headers = reply.headers.iter();
    let found = headers.find(|(known, _)| known.as_str() == name);
    found.map(|(_, value)| value.clone())
}

#[test]
fn a_phone_with_two_flows_is_rung_by_one_and_falls_back_to_the_other() {
    let mut office = Office::new();
    let reply = keep(&mut office, 1, 1, "");
    assert_eq!(header(&reply, "Require").as_deref(), Some("outbound"));
    assert_eq!(header(&reply, "Flow-Timer").as_deref(), Some("120"));
    assert_eq!(reply.silence, Some(Duration::from_secs(140)));
    let contact = header(&reply, "Contact").unwrap();
    assert!(
        contact.contains("+sip.instance=\"<urn:uuid:1>\";reg-id=1"),
        "{contact}"
    );
    keep(&mut office, 2, 2, "");
    // The same contact by two flows is two bindings (RFC 5626 §6).
    assert_eq!(office.contacts().len(), 2);
    let rung = |office: &Office| -> Vec<Option<ConnectionId>> {
        let targets = office.registrar.targets(PHONE);
        targets
            .iter()
            .map(|binding| binding.flow.connection)
            .collect()
    };
    assert_eq!(rung(&office), [Some(ConnectionId(2))]);
    let closed = office.registrar.handle_closed(ConnectionId(2));
    assert_eq!((closed.changes.len(), closed.is_news), (0, true));
    assert_eq!(rung(&office), [Some(ConnectionId(1))]);
    // A flow that came back takes its number's place.
    keep(&mut office, 3, 1, "");
    assert_eq!(rung(&office), [Some(ConnectionId(3))]);
    assert_eq!(office.contacts().len(), 1);
    let dead = office.registrar.bindings(PHONE)[0].clone();
    assert_eq!(office.registrar.handle_dead_flow(PHONE, &dead), gone());
    let again = office.registrar.handle_dead_flow(PHONE, &dead);
    assert_eq!(again, Closed::default());
}

#[test]
fn a_flow_is_promised_only_where_it_can_be_kept() {
    let mut office = Office::new();
    let contact = "Contact: <sip:a@h>;+sip.instance=\"<urn:uuid:1>\";reg-id=1\r\n";
    // Over UDP, where it would need STUN.
    let reply = office.register(0, &format!("Supported: outbound\r\n{contact}"));
    assert_eq!((reply.status, header(&reply, "Require")), (200, None));
    assert_eq!(reply.silence, None);
    // Without the option tag reg-id says nothing.
    let reply = office.register(1, contact);
    assert_eq!(reply.status, 200);
    assert_eq!(office.registrar.bindings(PHONE)[0].outbound, None);
    // By a proxy that does not keep flows; by one that does.
    let via = "Via: SIP/2.0/UDP b;branch=z9hG4bK2\r\n";
    assert_eq!(keep(&mut office, 1, 1, via).status, 439);
    let path = format!("{via}Path: <sip:edge.example;lr;ob>\r\n");
    assert_eq!(keep(&mut office, 1, 1, &path).status, 200);
    // Of two contacts with flows nobody knows which is which.
    let second = "Contact: <sip:b@h>;+sip.instance=\"<urn:uuid:1>\";reg-id=2\r\n";
    assert_eq!(keep(&mut office, 1, 1, second).status, 400);
    for number in ["0", "2147483648", "x"] {
        let wrong = contact.replace("reg-id=1", &format!("reg-id={number}"));
        office.register(5, &format!("Supported: outbound\r\n{wrong}"));
        assert_eq!(
            office.registrar.bindings(PHONE)[0].outbound,
            None,
            "{number}"
        );
    }
}

#[test]
fn a_path_is_kept_and_told_to_phones_that_know_of_it() {
    let mut office = Office::new();
    let contact = "Contact: <sip:a@10.0.0.1>\r\n";
    let path = "Path: <sip:p2.example;lr>\r\nPath: <sip:p1.example;lr;ob>\r\n";
    let reply = office.register(0, &format!("{path}{contact}"));
    assert_eq!(reply.status, 420);
    assert_eq!(header(&reply, "Unsupported").as_deref(), Some("path"));
    let reply = office.register(1, &format!("Supported: path\r\n{path}{contact}"));
    assert_eq!(reply.status, 200);
    assert!(header(&reply, "Supported").is_some_and(|tags| tags.contains("path")));
    let told = reply
        .headers
        .iter()
        .filter(|(name, _)| *name == HeaderName::Path);
    assert_eq!(told.count(), 2);
    let binding = &office.registrar.bindings(PHONE)[0];
    let kept: Vec<_> = binding.path.iter().map(ToString::to_string).collect();
    assert_eq!(kept, ["<sip:p2.example;lr>", "<sip:p1.example;lr;ob>"]);
    for bad in ["<sip:strict.example>", "<tel:110>", "nonsense", "<sip:a"] {
        let bad = format!("Supported: path\r\nPath: {bad}\r\n{contact}");
        assert_eq!(office.register(2, &bad).status, 400, "{bad}");
    }
    let many = "Path: <sip:p;lr>\r\n".repeat(9);
    let many = format!("Supported: path\r\n{many}{contact}");
    assert_eq!(office.register(3, &many).status, 400);
    let long = format!("Contact: <sip:{}@h>\r\n", "a".repeat(1100));
    assert_eq!(office.register(4, &long).status, 400);
}
