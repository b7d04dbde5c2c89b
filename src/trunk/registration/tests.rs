//! Registrations against a registrar that answers as told, on a clock of their own.

use bytes::Bytes;

use super::*;
use crate::sip::auth::Credentials;
use crate::trunk::Profile;

struct World {
    machine: Registrations,
    carriers: Carriers,
    now: Timestamp,
}

impl World {
    fn new(trunks: &[Arc<Trunk>]) -> Self {
        let carriers = Carriers::new();
        let mut machine = Registrations::new(carriers.clone(), Entropy::from_seed(7));
        let now = Timestamp::from_millis(1_000_000);
        machine.commit(now, trunks);
        Self {
            machine,
            carriers,
            now,
        }
    }

    /// The next order, and how long it was waited for.
    fn next(&mut self) -> (Order, Duration) {
        let before = self.now;
        loop {
            if let Some(order) = self.machine.poll_order() {
                return (order, self.now.since(before));
            }
            self.now = self.machine.poll_timeout().expect("something to do");
            self.machine.handle_timeout(self.now);
        }
    }

    fn answer(&mut self, order: &Order, status: u16, headers: &str) {
        let cseq = order.series.cseq;
        let text = format!(
            "SIP/2.0 {status} Words\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\n\
             To: <sip:a@b>;tag=2\r\nCall-ID: c\r\nCSeq: {cseq} REGISTER\r\n{headers}\r\n"
        );
        let response = Message::parse(Bytes::from(text)).expect("a response");
        let ours = response
            .contacts()
            .ok()
            .and_then(|contacts| {
                contacts
                    .first()
                    .and_then(|it| it.params.value("expires")?.parse().ok())
            })
            .map(Duration::from_secs);
        let outcome = Outcome::Answer {
            response: &response,
            ours,
        };
        self.machine.handle_outcome(self.now, &order.key, outcome);
    }

    fn state(&self, trunk: &Arc<Trunk>, user: &str) -> Option<AccountState> {
        self.carriers
            .view(self.now, trunk)
            .accounts
            .get(user)
            .cloned()
    }
}

fn trunk(name: &str, profile: &str, users: &[&str]) -> Arc<Trunk> {
    let mut trunk = crate::trunk::carrier::tests::trunk(name, &[]);
    trunk.profile = Profile::built_in(profile).expect(profile);
    trunk.accounts = users
        .iter()
        .map(|user| Account {
            user: (*user).to_owned(),
            credentials: Some(Credentials::new(user, "secret")),
        })
        .collect();
    Arc::new(trunk)
}

const BOUND: &str = "Contact: <sip:a@h>;expires=3600\r\n";

#[test]
fn refreshes_at_its_share_of_what_was_granted() {
    for (profile, share) in [("ntt-ngn", 0.4), ("telnyx", 0.8)] {
        let line = trunk("a", profile, &["1"]);
        let mut world = World::new(std::slice::from_ref(&line));
        let (order, wait) = world.next();
        assert!(wait <= Duration::from_millis(START_JITTER_MS));
        assert_eq!((order.expires.as_secs(), order.series.cseq), (3600, 1));
        world.answer(&order, 200, "Contact: <sip:a@h>;expires=1000\r\n");
        let until = world.now + Duration::from_secs(1_000);
        assert_eq!(
            world.state(&line, "1"),
            Some(AccountState::Registered { until })
        );
        let (again, wait) = world.next();
        let share_waited = wait.as_secs_f64() / 1000.0;
        assert!(
            share_waited <= share && share_waited > share * 0.94,
            "{share_waited}"
        );
        assert_eq!(again.series.call_id, order.series.call_id);
        assert_eq!(again.series.cseq, 2);
    }
}

#[test]
fn failures_back_off_with_chance_up_to_half_an_hour_and_a_success_forgets_them() {
    let line = trunk("a", "telnyx", &["1"]);
    let mut world = World::new(std::slice::from_ref(&line));
    let mut longest = FIRST_WAIT;
    let (mut order, _) = world.next();
    for round in 0..14 {
        let outcome = if round % 2 == 0 {
            Outcome::Silence
        } else {
            Outcome::Unsent
        };
        world.machine.handle_outcome(world.now, &order.key, outcome);
        let state = world.state(&line, "1");
        assert!(
            matches!(state, Some(AccountState::Failed { failures, .. }) if failures == round + 1)
        );
        let (next, wait) = world.next();
        assert!(
            wait <= longest && wait * 2 >= longest,
            "{wait:?} of {longest:?}"
        );
        longest = (longest * 2).min(LONGEST_WAIT);
        order = next;
    }
    world.answer(&order, 200, BOUND);
    let (order, _) = world.next();
    world
        .machine
        .handle_outcome(world.now, &order.key, Outcome::Silence);
    assert!(
        matches!(
            world.state(&line, "1"),
            Some(AccountState::Registered { .. })
        ),
        "the binding still lives"
    );
    let (next, wait) = world.next();
    // What was not heard of may have been challenged and sent again.
    assert!(next.series.cseq > order.series.cseq + 3);
    assert!(wait <= FIRST_WAIT);
}

#[test]
fn interval_too_brief_is_answered_at_once_and_only_once() {
    let mut world = World::new(&[trunk("a", "telnyx", &["1"])]);
    let (order, _) = world.next();
    world.answer(&order, 423, "Min-Expires: 7200\r\n");
    let (order, wait) = world.next();
    assert_eq!(order.expires.as_secs(), 7200);
    assert!(wait <= Duration::from_secs(1), "the pace, no more");
    world.answer(&order, 423, "Min-Expires: 9000\r\n");
    let (_, wait) = world.next();
    assert!(wait >= FIRST_WAIT / 2);
}

#[test]
fn a_stale_nonce_is_tried_again_at_once_and_a_wrong_password_slowly() {
    let line = trunk("a", "telnyx", &["1"]);
    let mut world = World::new(std::slice::from_ref(&line));
    let (order, _) = world.next();
    world.answer(
        &order,
        401,
        "WWW-Authenticate: Digest realm=\"x\", nonce=\"n\", stale=TRUE\r\n",
    );
    let (order, wait) = world.next();
    assert!(wait <= Duration::from_secs(1));
    world.answer(
        &order,
        401,
        "WWW-Authenticate: Digest realm=\"x\", nonce=\"m\"\r\n",
    );
    let state = world.state(&line, "1");
    assert!(
        matches!(state, Some(AccountState::Failed { status: 401, .. })),
        "{state:?}"
    );
    let (order, wait) = world.next();
    assert!(wait >= REFUSED_WAIT);
    world.answer(&order, 403, "");
    assert!(world.next().1 >= REFUSED_WAIT);
}

#[test]
fn retry_after_is_respected() {
    let mut world = World::new(&[trunk("a", "telnyx", &["1"])]);
    let (order, _) = world.next();
    world.answer(&order, 503, "Retry-After: 120 (maintenance)\r\n");
    assert!(world.next().1 >= Duration::from_secs(120));
}

#[test]
fn many_accounts_come_at_the_pace_of_their_registrar_also_after_a_restart() {
    let users: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    let users: Vec<&str> = users.iter().map(String::as_str).collect();
    let mut world = World::new(&[trunk("a", "telnyx", &users), trunk("b", "telnyx", &["x"])]);
    let started = world.now;
    let mut times: Vec<(String, Duration)> = Vec::new();
    for _ in 0..51 {
        let (order, _) = world.next();
        times.push((order.key.trunk.clone(), world.now.since(started)));
        world.answer(&order, 200, BOUND);
    }
    let of_b = times
        .iter()
        .find(|(trunk, _)| trunk == "b")
        .expect("b registers");
    assert!(
        of_b.1 < Duration::from_secs(2),
        "one trunk does not wait for another"
    );
    let of_a: Vec<Duration> = times
        .iter()
        .filter(|(trunk, _)| trunk == "a")
        .map(|it| it.1)
        .collect();
    assert_eq!(of_a.len(), 50);
    for pair in of_a.windows(2) {
        assert!(pair[1] - pair[0] >= Duration::from_secs(1), "{pair:?}");
    }
}

#[test]
fn a_reload_touches_only_what_changed() {
    let (kept, changed) = (trunk("a", "telnyx", &["1"]), trunk("b", "telnyx", &["2"]));
    let gone = trunk("c", "telnyx", &["3"]);
    let mut world = World::new(&[kept.clone(), changed.clone(), gone]);
    for _ in 0..3 {
        let (order, _) = world.next();
        world.answer(&order, 200, BOUND);
    }
    let mut newer = Trunk::clone(&changed);
    newer.accounts[0].credentials = Some(Credentials::new("2", "other"));
    let now = world.now + Duration::from_secs(5);
    world.now = now;
    world.machine.commit(now, &[kept.clone(), Arc::new(newer)]);
    let mut seen = Vec::new();
    for _ in 0..2 {
        let (order, _) = world.next();
        seen.push((order.key.trunk.clone(), order.expires.is_zero()));
        world.answer(&order, 200, BOUND);
    }
    seen.sort();
    assert_eq!(seen, [("b".to_owned(), false), ("c".to_owned(), true)]);
    let quiet = world.machine.poll_timeout().expect("refreshes");
    assert!(
        quiet.since(world.now) > Duration::from_secs(1_000),
        "nobody else asks"
    );
}

#[test]
fn a_stop_takes_every_binding_back() {
    let line = trunk("a", "ntt-ngn", &["1", "2"]);
    let mut world = World::new(std::slice::from_ref(&line));
    for _ in 0..2 {
        let (order, _) = world.next();
        world.answer(&order, 200, BOUND);
    }
    assert!(world.carriers.is_registered_anywhere());
    world.machine.stop(world.now);
    for _ in 0..2 {
        let (order, _) = world.next();
        assert!(order.expires.is_zero());
        world.answer(&order, 200, "");
    }
    assert!(world.machine.is_idle());
    assert!(!world.carriers.is_registered_anywhere());
}

#[test]
fn path_and_service_route_are_kept_in_order() {
    let line = trunk("a", "ntt-ngn", &["1"]);
    let mut world = World::new(&[line]);
    let (order, _) = world.next();
    world.answer(
        &order,
        200,
        "Contact: <sip:a@h>;expires=3600\r\nPath: <sip:p.example;lr>\r\n\
         Service-Route: <sip:s1.example;lr>, <sip:s2.example;lr>\r\n\
         P-Associated-URI: <sip:1@given.example>\r\n",
    );
    let granted = world.carriers.granted("a", "1").expect("granted");
    let routes: Vec<String> = granted.routes.iter().map(ToString::to_string).collect();
    assert_eq!(
        routes,
        [
            "<sip:p.example;lr>",
            "<sip:s1.example;lr>",
            "<sip:s2.example;lr>"
        ]
    );
    assert_eq!(
        granted.host.map(|host| host.to_string()),
        Some("given.example".to_owned())
    );
    assert!(
        world.carriers.granted("a", "2").is_some(),
        "any account's when none is named"
    );
}
