//! Agents at their phones, in virtual time, before a router that does what it is told.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use proptest::prelude::*;

use super::order::{AgentOrder, Told};
use super::room::DeskRoom;
use super::seats::Seats;
use super::session::{Around, Output, Session};
use super::standing::Standing;
use super::terms::{ActivityTerms, AgentTerms, DeskTerms};
use crate::base::Pin;
use crate::base::Timestamp;
use crate::router::{NOT_ANSWERING, WorkerState};
use crate::trunk::AgentService;

/// A desk with its phones, and what the router holds of agents.
struct Office {
    now: Timestamp,
    terms: DeskTerms,
    room: DeskRoom,
    standings: BTreeMap<String, Standing>,
    /// What the router makes of an order; `None` when it says nothing.
    answers: fn(&AgentOrder) -> Option<Told>,
    orders: Vec<AgentOrder>,
    /// Where agents sat when the router was to be told.
    seats: Vec<(String, Option<String>)>,
    outcomes: Vec<(Option<String>, &'static str)>,
}

/// Somebody's call to a code.
struct Line {
    session: Session,
    heard: Vec<String>,
    is_secret: bool,
    is_over: bool,
    is_playing: bool,
}

fn agent(phone: &str, pin: Option<&str>) -> AgentTerms {
    AgentTerms {
        phone: phone.to_owned(),
        number: phone.to_owned(),
        pin: pin.and_then(Pin::new),
        language: None,
    }
}

fn activity(name: &str, available: bool, code: &str) -> ActivityTerms {
    ActivityTerms {
        name: name.to_owned(),
        available,
        code: Some(code.to_owned()),
        sound: (name == "lunch").then(|| "agent-lunch".to_owned()),
    }
}

impl Office {
    fn new() -> Self {
        let agents = [
            ("sato", agent("1001", Some("4711"))),
            ("suzuki", agent("1002", None)),
            ("emma", agent("1003", Some("0815"))),
        ];
        let standing = Standing {
            activity: "away".to_owned(),
            available: false,
            reachable: true,
            state: WorkerState::Away,
            waiting: 3,
            next: None,
        };
        Self {
            now: Timestamp::ZERO,
            terms: DeskTerms {
                activities: vec![
                    activity("available", true, "1"),
                    activity("away", false, "2"),
                    activity("lunch", false, "3"),
                ],
                agents: (agents.into_iter())
                    .map(|(name, it)| (name.to_owned(), it))
                    .collect(),
                ..DeskTerms::default()
            },
            room: DeskRoom::default(),
            standings: agents_of(["sato", "suzuki", "emma"], &standing),
            answers: |_| None,
            orders: Vec::new(),
            seats: Vec::new(),
            outcomes: Vec::new(),
        }
    }

    fn dial(&mut self, service: AgentService, phone: &str, digits: &str) -> Line {
        let session = Session::new(service, phone.to_owned(), digits.to_owned());
        let mut line = Line {
            session,
            heard: Vec::new(),
            is_secret: false,
            is_over: false,
            is_playing: false,
        };
        self.with(&mut line, Session::start);
        line
    }

    /// Lets the session see something; then what the router makes of its orders.
    fn with(&mut self, line: &mut Line, act: impl FnOnce(&mut Session, &mut Around<'_>)) {
        let mut told: VecDeque<Told> = self.step(line, act).into();
        while let Some(word) = told.pop_front() {
            let more = self.step(line, |session, around| session.handle_told(around, word));
            told.extend(more);
        }
    }

    fn step(
        &mut self,
        line: &mut Line,
        act: impl FnOnce(&mut Session, &mut Around<'_>),
    ) -> Vec<Told> {
        let standings = self.standings.clone();
        let mut around = Around {
            now: self.now,
            terms: &self.terms,
            room: &mut self.room,
            standing: &|agent| standings.get(agent).cloned(),
        };
        act(&mut line.session, &mut around);
        let mut told = Vec::new();
        while let Some(output) = line.session.poll_output() {
            match output {
                Output::End => line.is_over = true,
                Output::LoggedIn { agent, outcome } => {
                    self.outcomes.push((agent, outcome.as_str()));
                }
                Output::Order(order) => {
                    if let AgentOrder::Seat { agent } = &order {
                        let phone = self.room.seats.phone_of(&self.terms, agent);
                        let phone = phone.map(str::to_owned);
                        self.seats.push((agent.clone(), phone));
                    }
                    told.extend((self.answers)(&order).or_else(|| self.obey(&order)));
                    self.orders.push(order);
                }
                Output::Play(sounds) => {
                    line.heard.extend(sounds);
                    line.is_playing = true;
                }
                Output::Secret(on) => line.is_secret = on,
                Output::StopPlay => line.is_playing = false,
            }
        }
        told
    }

    /// A router that does everything, and tells of the session's agent.
    fn obey(&mut self, order: &AgentOrder) -> Option<Told> {
        match order {
            AgentOrder::Activity {
                agent, activity, ..
            } => {
                let available = activity == "available";
                let standing = self.standings.get_mut(agent).expect("known");
                standing.activity.clone_from(activity);
                standing.available = available;
                standing.state = match available {
                    true => WorkerState::Free,
                    false => WorkerState::Away,
                };
                Some(Told::Changed {
                    activity: activity.clone(),
                    available,
                    reachable: standing.reachable,
                    state: standing.state,
                })
            }
            AgentOrder::EndWrap { .. } => Some(self.in_state(WorkerState::Free)),
            AgentOrder::StartWrap { .. } => Some(self.in_state(WorkerState::WrapUp)),
            _ => None,
        }
    }

    fn in_state(&mut self, state: WorkerState) -> Told {
        Told::Changed {
            activity: "available".to_owned(),
            available: true,
            reachable: true,
            state,
        }
    }

    fn press(&mut self, line: &mut Line, keys: &str) {
        for key in keys.chars() {
            self.with(line, |session, around| session.handle_digit(around, key));
        }
    }

    /// Lets what plays come to its end.
    fn hear(&mut self, line: &mut Line) -> Vec<String> {
        while std::mem::take(&mut line.is_playing) {
            self.with(line, Session::handle_play_done);
        }
        std::mem::take(&mut line.heard)
    }

    /// Lets the next deadline come.
    fn wait(&mut self, line: &mut Line) -> Duration {
        let at = line.session.poll_timeout().expect("a deadline");
        let waited = at.since(self.now);
        self.now = at;
        self.with(line, Session::handle_timeout);
        waited
    }

    fn activities(&self) -> Vec<(&str, &str)> {
        let orders = self.orders.iter().filter_map(|order| match order {
            AgentOrder::Activity {
                agent, activity, ..
            } => Some((agent.as_str(), activity.as_str())),
            _ => None,
        });
        orders.collect()
    }

    /// What was ordered so far is seen.
    fn forget(&mut self) {
        self.orders.clear();
        self.seats.clear();
    }

    fn seats(&self) -> Vec<(&str, Option<&str>)> {
        let seats = self.seats.iter();
        let seats = seats.map(|(agent, phone)| (agent.as_str(), phone.as_deref()));
        seats.collect()
    }
}

fn agents_of<const N: usize>(names: [&str; N], standing: &Standing) -> BTreeMap<String, Standing> {
    names.map(|name| (name.to_owned(), standing.clone())).into()
}

#[test]
fn who_becomes_available_is_told_so_and_how_many_wait() {
    let mut office = Office::new();
    let mut line = office.dial(AgentService::Available, "1001", "");
    assert_eq!(office.activities(), [("sato", "available")]);
    let heard = office.hear(&mut line);
    assert_eq!(heard, ["agent-available", "agent-waiting-3"]);
    assert!(line.is_over);
}

#[test]
fn what_one_is_is_said_as_the_router_shows_it() {
    let said = |change: fn(&mut Standing)| {
        let mut office = Office::new();
        change(office.standings.get_mut("emma").expect("known"));
        let mut line = office.dial(AgentService::State, "1003", "");
        assert_eq!(office.orders, [], "who asks changes nothing");
        let heard = office.hear(&mut line);
        assert!(line.is_over);
        heard.join(" ")
    };
    assert_eq!(said(|_| {}), "agent-away");
    assert_eq!(
        said(|it| it.activity = NOT_ANSWERING.to_owned()),
        "agent-not-answering"
    );
    assert_eq!(said(|it| it.activity = "lunch".to_owned()), "agent-lunch");
    assert_eq!(
        said(|it| (it.available, it.state, it.waiting) = (true, WorkerState::Free, 11)),
        "agent-available agent-waiting-many"
    );
    assert_eq!(
        said(|it| (it.available, it.reachable) = (true, false)),
        "agent-available agent-unreachable"
    );
    assert_eq!(said(|it| it.state = WorkerState::Talking), "agent-busy");
    assert_eq!(said(|it| it.state = WorkerState::WrapUp), "agent-wrap-up");
    let next = said(|it| {
        it.state = WorkerState::Talking;
        it.next = Some("lunch".to_owned());
    });
    assert_eq!(next, "agent-busy agent-after-this agent-lunch");
}

#[test]
fn away_is_at_once_and_the_reason_may_follow() {
    let mut office = Office::new();
    let mut line = office.dial(AgentService::Away, "1001", "");
    assert_eq!(office.activities(), [("sato", "away")]);
    assert_eq!(line.heard, ["agent-away", "agent-reason"]);
    office.press(&mut line, "3");
    assert_eq!(office.activities(), [("sato", "away"), ("sato", "lunch")]);
    assert_eq!(office.hear(&mut line).last().expect("heard"), "agent-lunch");
    assert!(line.is_over);
}

#[test]
fn who_gives_no_reason_stays_away_without_one() {
    let mut office = Office::new();
    let mut line = office.dial(AgentService::Away, "1001", "");
    for _ in 0..2 {
        office.hear(&mut line);
        assert_eq!(office.wait(&mut line), Duration::from_secs(8));
    }
    assert!(line.is_over);
    assert_eq!(office.activities(), [("sato", "away")]);
}

#[test]
fn a_reason_dialled_with_the_code_is_taken_without_a_question() {
    let mut office = Office::new();
    let mut line = office.dial(AgentService::Away, "1001", "3");
    assert_eq!(office.activities(), [("sato", "lunch")]);
    assert_eq!(office.hear(&mut line), ["agent-lunch"]);
    assert!(line.is_over);
    // Neither an activity that takes calls nor one that does not exist is a reason.
    for wrong in ["1", "9"] {
        let mut office = Office::new();
        let line = office.dial(AgentService::Away, "1001", wrong);
        assert_eq!(office.activities(), [("sato", "away")]);
        assert_eq!(line.heard, ["no-match", "agent-away", "agent-reason"]);
    }
}

#[test]
fn a_log_in_at_his_own_phone_takes_his_pin() {
    let mut office = Office::new();
    let mut line = office.dial(AgentService::LogIn, "1001", "");
    assert_eq!(line.heard, ["agent-number"]);
    office.press(&mut line, "#");
    assert!(line.is_secret, "nobody sees a PIN");
    office.press(&mut line, "4711");
    assert_eq!(office.activities(), [], "digits may follow");
    office.press(&mut line, "#");
    assert!(!line.is_secret);
    assert_eq!(office.activities(), [("sato", "available")]);
    assert_eq!(office.seats(), [("sato", Some("1001"))]);
    let heard = office.hear(&mut line).split_off(2);
    let expected = ["agent-logged-in", "agent-available", "agent-waiting-3"];
    assert_eq!(heard, expected);
    assert_eq!(office.outcomes, [(Some("sato".to_owned()), "accepted")]);
}

#[test]
fn an_agent_without_a_pin_is_known_by_his_phone_and_by_no_other() {
    let mut office = Office::new();
    office.dial(AgentService::LogIn, "1002", "1002");
    assert_eq!(office.activities(), [("suzuki", "available")]);
    let mut office = Office::new();
    let mut line = office.dial(AgentService::LogIn, "1001", "1002");
    office.press(&mut line, "1234#");
    assert_eq!(office.activities(), []);
    assert_eq!(office.outcomes, [(Some("suzuki".to_owned()), "wrong")]);
}

#[test]
fn three_wrong_pins_close_the_phone_and_the_guest_for_five_minutes() {
    let mut office = Office::new();
    let mut line = office.dial(AgentService::LogIn, "1001", "1003");
    for wrong in ["1111#", "2222#", "3333#"] {
        assert!(line.is_secret && !line.is_over);
        office.press(&mut line, wrong);
    }
    assert!(!line.is_secret);
    let heard = office.hear(&mut line);
    assert_eq!(heard.last().expect("heard"), "agent-locked");
    assert!(line.is_over);
    let words: Vec<&str> = office
        .outcomes
        .iter()
        .map(|(_, outcome)| *outcome)
        .collect();
    assert_eq!(words, ["wrong", "wrong", "locked"]);
    // Not from that phone, not for her from a third, not even with the right PIN.
    for (phone, number) in [("1001", "1003"), ("1001", "1001"), ("1002", "1003")] {
        let line = office.dial(AgentService::LogIn, phone, number);
        assert_eq!(line.heard, ["agent-locked"], "{number} at {phone}");
    }
    // She herself, at her own phone, is not kept out by somebody's guesses.
    let mut own = office.dial(AgentService::LogIn, "1003", "");
    office.press(&mut own, "#0815#");
    assert_eq!(office.activities(), [("emma", "available")]);
    office.now = office.now + Duration::from_secs(299);
    let line = office.dial(AgentService::LogIn, "1001", "");
    assert_eq!(line.heard, ["agent-number"]);
    let line = office.dial(AgentService::LogIn, "1001", "1001");
    assert_eq!(line.heard, ["agent-locked"], "a second too early");
    office.now = office.now + Duration::from_secs(1);
    let mut line = office.dial(AgentService::LogIn, "1001", "1001");
    office.press(&mut line, "4711#");
    assert_eq!(office.outcomes.last().expect("one").1, "accepted");
}

#[test]
fn tries_are_counted_over_calls_and_a_right_pin_ends_the_count() {
    let mut office = Office::new();
    for _ in 0..2 {
        let mut line = office.dial(AgentService::LogIn, "1001", "1001");
        office.press(&mut line, "9999#");
        assert_eq!(line.heard, ["agent-pin", "agent-wrong", "agent-pin"]);
    }
    let mut line = office.dial(AgentService::LogIn, "1001", "1001");
    office.press(&mut line, "4711#");
    let mut line = office.dial(AgentService::LogIn, "1001", "1001");
    office.press(&mut line, "9999#9999#");
    assert!(!line.is_over);
    office.press(&mut line, "9999#");
    assert_eq!(line.heard.last().expect("heard"), "agent-locked");
}

#[test]
fn his_own_right_pin_takes_back_nothing_that_he_guessed_of_others() {
    // At his own phone, and at hers.
    for phone in ["1001", "1003"] {
        let mut office = Office::new();
        let mut try_pin = |number: &str, pin: &str| {
            let mut line = office.dial(AgentService::LogIn, phone, number);
            office.press(&mut line, pin);
            office.outcomes.last().expect("one").1
        };
        assert_eq!(try_pin("1003", "1111#"), "wrong");
        assert_eq!(try_pin("1003", "2222#"), "wrong");
        assert_eq!(try_pin("1001", "4711#"), "accepted");
        assert_eq!(try_pin("1003", "3333#"), "locked", "at {phone}");
    }
}

#[test]
fn guesses_at_the_agents_own_phone_count_for_him_elsewhere() {
    let mut office = Office::new();
    for (phone, pin) in [("1003", "1111#"), ("1003", "2222#"), ("1001", "3333#")] {
        let mut line = office.dial(AgentService::LogIn, phone, "1003");
        office.press(&mut line, pin);
    }
    assert_eq!(office.outcomes.last().expect("one").1, "locked");
    // At his own phone one is left, and the right one opens it.
    let mut line = office.dial(AgentService::LogIn, "1003", "1003");
    office.press(&mut line, "0815#");
    assert_eq!(office.outcomes.last().expect("one").1, "accepted");
    let line = office.dial(AgentService::LogIn, "1002", "1003");
    assert_eq!(line.heard, ["agent-pin"], "two of three are taken back");
}

#[test]
fn a_number_that_nobody_has_is_asked_for_a_pin_like_any_other() {
    let mut office = Office::new();
    let mut unknown = office.dial(AgentService::LogIn, "1001", "7777");
    let mut known = office.dial(AgentService::LogIn, "1002", "1003");
    for line in [&mut unknown, &mut known] {
        office.press(line, "9999#9999#9999#");
    }
    assert_eq!(unknown.heard, known.heard);
    assert_eq!(office.activities(), []);
    // And from a phone that guessed nothing yet.
    for number in ["7777", "1003"] {
        let line = office.dial(AgentService::LogIn, "1009", number);
        assert_eq!(line.heard, ["agent-locked"], "{number}");
    }
    let line = office.dial(AgentService::LogIn, "1009", "8888");
    assert_eq!(line.heard, ["agent-pin"]);
}

#[test]
fn a_guest_who_is_no_agent_any_more_keeps_nobody_from_his_phone() {
    let mut office = Office::new();
    office.room.seats.sit(&office.terms, "sato", "1003");
    assert_eq!(office.room.seats.phone_of(&office.terms, "emma"), None);
    let emma = agent("1003", None);
    office.terms.agents = [("emma".to_owned(), emma)].into_iter().collect();
    let phone_of = |name| office.room.seats.phone_of(&office.terms, name);
    assert_eq!((phone_of("emma"), phone_of("sato")), (Some("1003"), None));
    assert_eq!(
        office.room.seats.agent_at(&office.terms, "1003"),
        Some("emma")
    );
}

#[test]
fn a_guest_takes_the_phone_and_gives_it_back() {
    let mut office = Office::new();
    let sato = office.standings.get_mut("sato").expect("known");
    (sato.available, sato.state) = (true, WorkerState::Free);
    let mut line = office.dial(AgentService::LogIn, "1001", "1003");
    office.press(&mut line, "0815#");
    // Who sat there is logged out before the phone is another's.
    assert_eq!(
        office.activities(),
        [("sato", "away"), ("emma", "available")]
    );
    assert_eq!(office.seats(), [("emma", Some("1001")), ("sato", None)]);
    office.forget();

    // What is dialled at the phone is hers now.
    office.dial(AgentService::Away, "1001", "3");
    assert_eq!(office.activities(), [("emma", "lunch")]);
    let line = office.dial(AgentService::Away, "1003", "");
    assert_eq!(line.heard, ["agent-nobody"], "nobody at her own");
    office.forget();

    office.dial(AgentService::LogOut, "1001", "");
    assert_eq!(office.activities(), [("emma", "away")]);
    let seats = [("emma", Some("1003")), ("sato", Some("1001"))];
    assert_eq!(office.seats(), seats);
    assert_eq!(
        office.outcomes.last().expect("one"),
        &(Some("emma".to_owned()), "logged_out")
    );
}

#[test]
fn the_owner_takes_his_phone_back_and_the_guest_goes_home() {
    let mut office = Office::new();
    let mut line = office.dial(AgentService::LogIn, "1001", "1003");
    office.press(&mut line, "0815#");
    office.forget();
    let mut line = office.dial(AgentService::LogIn, "1001", "1001");
    office.press(&mut line, "4711#");
    assert_eq!(
        office.activities(),
        [("emma", "away"), ("sato", "available")]
    );
    let seats = [("emma", Some("1003")), ("sato", Some("1001"))];
    assert_eq!(office.seats(), seats);
}

#[test]
fn who_sits_where_is_written_when_somebody_moves_and_read_back() {
    let mut office = Office::new();
    office.dial(AgentService::LogOut, "1001", "");
    assert_eq!(office.room.seats.written(), None, "he was at home");
    let mut line = office.dial(AgentService::LogIn, "1001", "1003");
    office.press(&mut line, "0815#");
    let written = office.room.seats.written().expect("she moved");
    assert_eq!(office.room.seats.written(), None, "once");
    let seats = Seats::read(&written);
    assert_eq!(seats, office.room.seats);
    assert_eq!(seats.agent_at(&office.terms, "1001"), Some("emma"));
    assert_eq!(Seats::read("{"), Seats::default());
}

#[test]
fn a_phone_whose_agent_is_in_a_call_is_not_taken() {
    for state in [
        WorkerState::Reserved,
        WorkerState::Talking,
        WorkerState::WrapUp,
    ] {
        let mut office = Office::new();
        office.standings.get_mut("sato").expect("known").state = state;
        let mut line = office.dial(AgentService::LogIn, "1001", "1003");
        office.press(&mut line, "0815#");
        assert_eq!(line.heard.last().expect("heard"), "agent-phone-in-use");
        assert_eq!(office.orders, []);
    }
}

#[test]
fn what_follows_is_noted_while_one_is_busy_and_done_at_once_when_not() {
    let mut office = Office::new();
    office.standings.get_mut("sato").expect("known").state = WorkerState::Talking;
    let mut line = office.dial(AgentService::Next, "1001", "");
    office.press(&mut line, "3");
    let next = |activity: Option<&str>| AgentOrder::NextActivity {
        agent: "sato".to_owned(),
        activity: activity.map(str::to_owned),
        by: "phone 1001".to_owned(),
    };
    assert_eq!(office.orders, [next(Some("lunch"))]);
    assert_eq!(office.wait(&mut line), Duration::from_millis(200));
    assert_eq!(
        office.hear(&mut line),
        ["agent-next", "agent-after-this", "agent-lunch"]
    );
    let mut line = office.dial(AgentService::Next, "1001", "0");
    assert_eq!(office.orders.last(), Some(&next(None)));
    office.wait(&mut line);
    assert_eq!(office.hear(&mut line), ["agent-next-none", "agent-busy"]);

    let mut office = Office::new();
    office.dial(AgentService::Next, "1001", "1");
    assert_eq!(office.activities(), [("sato", "available")]);
}

#[test]
fn what_the_router_refuses_is_said() {
    let mut office = Office::new();
    office.answers = |_| Some(Told::Refused);
    office.standings.get_mut("sato").expect("known").state = WorkerState::Talking;
    let mut line = office.dial(AgentService::Next, "1001", "3");
    assert_eq!(office.hear(&mut line), ["agent-refused"]);
    assert!(line.is_over);
}

#[test]
fn a_router_that_says_nothing_is_waited_for_a_second() {
    let mut office = Office::new();
    office.answers = |_| {
        Some(Told::Changed {
            activity: "away".to_owned(),
            available: false,
            reachable: true,
            state: WorkerState::Away,
        })
    };
    let mut line = office.dial(AgentService::Available, "1001", "");
    assert_eq!(office.hear(&mut line), [] as [&str; 0]);
    assert_eq!(office.wait(&mut line), Duration::from_secs(1));
    assert_eq!(office.hear(&mut line), ["agent-away"], "what he is");
}

#[test]
fn a_wrap_up_code_is_asked_for_until_it_is_right() {
    let mut office = Office::new();
    office.standings.get_mut("sato").expect("known").state = WorkerState::WrapUp;
    office.answers = |order| match order {
        AgentOrder::EndWrap { code: None, .. } => Some(Told::CodeWanted),
        AgentOrder::EndWrap { code, .. } if code.as_deref() != Some("12") => {
            Some(Told::CodeUnknown)
        }
        _ => None,
    };
    let mut line = office.dial(AgentService::Done, "1001", "");
    office.press(&mut line, "99#");
    office.press(&mut line, "12#");
    let heard = office.hear(&mut line);
    assert_eq!(
        heard,
        [
            "agent-code",
            "no-match",
            "agent-code",
            "agent-available",
            "agent-waiting-3"
        ]
    );
    let codes: Vec<_> = office.orders.iter().collect();
    assert_eq!(codes.len(), 3);
    // With the code dialled behind it nothing is asked.
    let mut line = office.dial(AgentService::Done, "1001", "12");
    assert_eq!(office.hear(&mut line)[0], "agent-available");
}

#[test]
fn after_call_work_begins_by_hand_and_is_made_longer() {
    let mut office = Office::new();
    let mut line = office.dial(AgentService::Wrap, "1001", "");
    assert_eq!(office.hear(&mut line), ["agent-wrap-up", "agent-waiting-3"]);
    office.standings.get_mut("sato").expect("known").state = WorkerState::WrapUp;
    let mut line = office.dial(AgentService::Wrap, "1001", "");
    office.wait(&mut line);
    assert_eq!(office.hear(&mut line), ["agent-longer", "agent-wrap-up"]);
    let by = Duration::from_secs(60);
    let agent = "sato".to_owned();
    assert_eq!(
        office.orders,
        [
            AgentOrder::StartWrap {
                agent: agent.clone()
            },
            AgentOrder::ExtendWrap { agent, by },
        ]
    );
}

#[test]
fn keys_before_the_question_and_after_the_end_do_nothing() {
    let mut office = Office::new();
    let mut line = office.dial(AgentService::State, "1001", "");
    office.press(&mut line, "123*#");
    office.hear(&mut line);
    office.press(&mut line, "45");
    assert!(line.is_over);
    assert_eq!(office.orders, []);
}

#[test]
fn a_session_that_is_stored_has_forgotten_the_pin() {
    let mut office = Office::new();
    let mut line = office.dial(AgentService::LogIn, "1001", "1001");
    office.press(&mut line, "47");
    let stored = serde_json::to_string(&line.session).expect("stored");
    assert!(!stored.contains("47") && !format!("{:?}", line.session).contains("47"));
}

/// What may happen to somebody's call.
#[derive(Clone, Debug)]
enum Step {
    Hear,
    /// His own PIN where one is asked for; else the end of what was asked.
    Pin,
    Press(char),
    Tell(Told),
    Wait,
}

fn step() -> impl Strategy<Value = Step> {
    let changed = (
        prop::sample::select(vec!["available", "away", "lunch", "gone"]),
        any::<bool>(),
        prop::sample::select(vec![
            WorkerState::Away,
            WorkerState::Free,
            WorkerState::Talking,
            WorkerState::WrapUp,
        ]),
    );
    let changed = changed.prop_map(|(activity, reachable, state)| Told::Changed {
        activity: activity.to_owned(),
        available: activity == "available",
        reachable,
        state,
    });
    let told = prop_oneof![
        changed,
        Just(Told::CodeUnknown),
        Just(Told::CodeWanted),
        Just(Told::Refused),
    ];
    prop_oneof![
        1 => Just(Step::Hear),
        4 => prop::char::ranges(vec!['0'..='9', '#'..='#', '*'..='*', 'A'..='D'].into())
            .prop_map(Step::Press),
        1 => Just(Step::Pin),
        1 => told.prop_map(Step::Tell),
        1 => Just(Step::Wait),
    ]
}

proptest! {
    /// Whatever is dialled, pressed and said: nobody but a proven agent is logged in, keys are kept
    /// only while a PIN is asked for, orders are about whoever sits at the phone, and the end
    /// comes when nobody does anything more.
    #[test]
    fn whatever_happens_a_session_stays_within_its_bounds(
        service in prop::sample::select(vec![
            AgentService::Available,
            AgentService::Away,
            AgentService::Done,
            AgentService::LogIn,
            AgentService::LogOut,
            AgentService::Next,
            AgentService::State,
            AgentService::Wrap,
        ]),
        digits in "[0-9*#]{0,6}",
        steps in prop::collection::vec(step(), 0..60),
    ) {
        let mut office = Office::new();
        let mut line = office.dial(service, "1001", &digits);
        for step in steps {
            match step {
                Step::Hear => drop(office.hear(&mut line)),
                Step::Press(key) => office.press(&mut line, &key.to_string()),
                Step::Pin if line.is_secret => office.press(&mut line, "4711#"),
                Step::Pin => office.press(&mut line, "#"),
                Step::Tell(told) => {
                    office.with(&mut line, |session, around| session.handle_told(around, told));
                }
                Step::Wait => {
                    // No prompt lasts as long as the limit that guards a lost end.
                    office.hear(&mut line);
                    if line.session.poll_timeout().is_some() {
                        office.wait(&mut line);
                    }
                }
            }
            prop_assert!(line.heard.len() < 2_000);
        }
        // Nobody does anything more: it ends by itself.
        for _ in 0..50 {
            office.hear(&mut line);
            if line.session.poll_timeout().is_some() {
                office.wait(&mut line);
            }
        }
        prop_assert!(line.is_over && !line.is_secret);
        for (agent, _) in office.activities() {
            prop_assert!(agent == "sato", "{agent} was never there");
        }
        for (agent, outcome) in &office.outcomes {
            let is_he = agent.as_deref() == Some("sato");
            prop_assert!(*outcome != "accepted" || is_he, "{agent:?} has another PIN");
        }
        let wrong = office.outcomes.iter().filter(|(_, outcome)| *outcome == "wrong");
        prop_assert!(wrong.count() <= 2);
    }
}
