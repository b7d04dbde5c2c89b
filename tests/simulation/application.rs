//! Calls in an application: what its documents say happens, what callers and called parties do is
//! told, and nobody stays behind, whenever somebody hangs up or the switch dies.

use std::time::Duration;

use tsunagu::base::LegId;
use tsunagu::call::Subject;
use tsunagu::config::Office;
use tsunagu::events::{Direction, Fact, Stretch};
use tsunagu::flow::Reply;
use tsunagu::twiml::{Fetch, Fetched, Link, Modification};
use tsunagu::webhook::Content;

use crate::ear::{level, likeness, listen};
use crate::judge::stretches;
use crate::office::{changed, spoken};
use crate::peer::Manners;
use crate::script::{CUSTOMER, OFFICE};
use crate::world::World;

const START: &str = "https://app.example/start";
/// What voices say here, whatever the text.
const SAID: &str = "ja/greeting";

/// The demo office with an application at its number.
fn office() -> Office {
    let number = "url = \"https://app.example/start\"\n\
        fallback_url = \"https://app.example/fallback\"\n\
        status_callback = \"https://app.example/status\"\n\
        status_callback_events = [\"answered\", \"completed\"]\n\
        # ";
    changed(&[("numbers.toml", "flow = \"main\"", number)])
}

/// The user's web application: documents by URL, and what it was asked.
struct Application {
    pages: Vec<(&'static str, String)>,
    asked: Vec<Fetch>,
}

impl Application {
    /// With these pages: path and what stands in `<Response>`.
    fn new(pages: &[(&'static str, &str)]) -> Self {
        let whole = |inside: &str| format!("<Response>{inside}</Response>");
        let pages = pages.iter().map(|(path, inside)| (*path, whole(inside)));
        Self {
            pages: pages.collect(),
            asked: Vec::new(),
        }
    }

    /// Answers whatever is asked.
    fn answer(&mut self, world: &mut World) {
        for inquiry in std::mem::take(&mut world.inquiries) {
            let (now, exchange) = (world.now, &mut world.switch.exchange);
            let (call, request) = (&inquiry.call, inquiry.request);
            match inquiry.subject {
                Subject::Document(fetch) => {
                    let path = fetch.url.strip_prefix("https://app.example/");
                    let page = self.pages.iter().find(|(known, _)| Some(*known) == path);
                    let result = match page {
                        Some((_, text)) => Fetched::Reply {
                            content_type: Some("text/xml".to_owned()),
                            body: text.clone().into_bytes(),
                            url: fetch.url.clone(),
                        },
                        None => Fetched::Failed {
                            code: 11_200,
                            words: "status 500".to_owned(),
                        },
                    };
                    self.asked.push(fetch);
                    let supply = tsunagu::call::Supply::Document(result);
                    exchange.supplied(now, call, request, &supply);
                }
                Subject::Sound(_) => {
                    let supply = tsunagu::call::Supply::Sound(Ok("ja/goodbye".to_owned()));
                    exchange.supplied(now, call, request, &supply);
                }
                Subject::Text(_) => {
                    let sound = SAID.to_owned();
                    exchange.told(now, call, request, &Reply::Said { sound });
                }
                subject @ (Subject::Closing(_) | Subject::Endpoint { .. }) => panic!("{subject:?}"),
            }
            world.collect();
        }
    }

    fn run(&mut self, world: &mut World, ms: u64) {
        let until = world.now + Duration::from_millis(ms);
        while world.now < until {
            world.run_for(20);
            self.answer(world);
        }
    }

    fn until(&mut self, world: &mut World, what: &str, is_so: impl Fn(&World) -> bool) {
        for _ in 0..6000 {
            if is_so(world) {
                return;
            }
            self.run(world, 20);
        }
        panic!("never: {what}\n{}", world.tell());
    }

    /// Until everybody has hung up.
    fn finish(&mut self, world: &mut World) {
        for _ in 0..10_000 {
            if world.peers.iter().all(|peer| peer.live() == 0) {
                break;
            }
            self.run(world, 20);
        }
        self.answer(world);
        world.finish();
    }

    /// A parameter of the last request for a path.
    fn said(&self, path: &str, name: &str) -> Option<&str> {
        let url = format!("https://app.example/{path}");
        let fetch = self.asked.iter().rfind(|fetch| fetch.url == url);
        let fetch = fetch.unwrap_or_else(|| panic!("{url} was not asked: {:?}", self.asked));
        value(&fetch.form, name)
    }
}

fn value<'f>(form: &'f [(String, String)], name: &str) -> Option<&'f str> {
    let found = form.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str())
}

/// What was told to a path: the forms, in their order.
fn told(world: &World, path: &str) -> Vec<Vec<(String, String)>> {
    let url = format!("https://app.example/{path}");
    let notices = world.notices.iter();
    let notices = notices.filter(|notice| notice.to == tsunagu::webhook::To::Url(url.clone()));
    notices
        .map(|notice| match &notice.content {
            Content::Form(form) => form.clone(),
            other => panic!("{other:?}"),
        })
        .collect()
}

/// A customer calls the application's number.
fn calling(seed: u64) -> (World, usize) {
    let mut world = World::with(seed, office());
    let carrier = world.carrier();
    world.with_peer(carrier, |peer, now| peer.call(now, OFFICE, CUSTOMER));
    (world, carrier)
}

/// Whether a talk heard a sound.
fn hears(world: &World, (peer, talk): (usize, usize), name: &str) -> bool {
    let said = spoken(name);
    let loud = said.iter().position(|sample| sample.abs() > 1000);
    let begin = loud.expect("loud");
    let piece = &said[begin..(begin + 1000).min(said.len())];
    let heard = listen(&world.peers[peer].talks[talk].voice.got);
    heard.len() > piece.len() && likeness(piece, &heard) > 0.9
}

fn press(world: &mut World, (peer, talk): (usize, usize), keys: &str) {
    world.peers[peer].talks[talk].voice.press(keys);
}

fn is_answered(world: &World, (peer, talk): (usize, usize)) -> bool {
    let talk = world.peers[peer].talks.get(talk);
    talk.is_some_and(|talk| talk.is_answered)
}

#[test]
fn a_caller_is_asked_and_his_keys_lead_on() {
    let (mut world, carrier) = calling(1801);
    let mut application = Application::new(&[
        (
            "start",
            "<Gather action=\"/menu\" numDigits=\"2\"><Say>1 or 2?</Say></Gather><Say>nothing</Say>",
        ),
        (
            "menu",
            "<Play>https://sounds.example/bye.wav</Play><Hangup/>",
        ),
    ]);
    application.until(&mut world, "answered", |world| {
        is_answered(world, (carrier, 0))
    });
    application.run(&mut world, 1000);
    press(&mut world, (carrier, 0), "12");
    application.finish(&mut world);
    assert!(hears(&world, (carrier, 0), SAID), "{}", world.tell());
    assert!(
        hears(&world, (carrier, 0), "ja/goodbye"),
        "{}",
        world.tell()
    );
    for (name, expected) in [
        ("From", CUSTOMER),
        ("To", OFFICE),
        ("Direction", "inbound"),
        ("CallStatus", "ringing"),
        ("ApiVersion", "2010-04-01"),
    ] {
        assert_eq!(application.said("start", name), Some(expected), "{name}");
    }
    let call = application
        .said("start", "CallSid")
        .expect("there")
        .to_owned();
    assert!(call.starts_with("CA") && call.len() == 34, "{call}");
    assert_eq!(application.said("menu", "Digits"), Some("12"));
    assert_eq!(application.said("menu", "CallStatus"), Some("in-progress"));
    let status = told(&world, "status");
    let status: Vec<_> = status
        .iter()
        .map(|form| (value(form, "CallStatus"), value(form, "SequenceNumber")))
        .collect();
    let expected = [
        (Some("in-progress"), Some("0")),
        (Some("completed"), Some("1")),
    ];
    assert_eq!(status, expected);
    let record = world.record();
    let steps: Vec<_> = record.steps.iter().map(|it| it.step.as_str()).collect();
    assert_eq!(steps, ["Gather", "Play", "Hangup"]);
    assert_eq!(record.steps[0].flow, START);
    assert_eq!(stretches(record), [Stretch::Ivr]);
    assert_eq!(record.direction, Some(Direction::Inbound));
}

#[test]
fn a_pause_leaves_the_call_unanswered_and_a_refusal_says_busy() {
    let (mut world, carrier) = calling(1802);
    let mut application =
        Application::new(&[("start", "<Pause length=\"3\"/><Reject reason=\"busy\"/>")]);
    application.finish(&mut world);
    assert_eq!(world.peers[carrier].talks[0].heard.last(), Some(&486));
    let record = world.record();
    assert!(record.answered.is_none());
    assert!((3000..3200).contains(&record.duration_ms.expect("over")));
    let status = told(&world, "status");
    assert_eq!(value(&status[0], "CallStatus"), Some("busy"));
}

#[test]
fn an_application_that_fails_is_replaced_by_its_fallback_and_that_by_words_of_ours() {
    let (mut world, carrier) = calling(1803);
    let mut application = Application::new(&[("fallback", "<Play>/bye.wav</Play>")]);
    application.finish(&mut world);
    assert_eq!(application.said("fallback", "ErrorCode"), Some("11200"));
    assert_eq!(application.said("fallback", "ErrorUrl"), Some(START));
    assert!(hears(&world, (carrier, 0), "ja/goodbye"));

    let (mut world, carrier) = calling(1804);
    let mut application = Application::new(&[]);
    application.finish(&mut world);
    assert_eq!(application.asked.len(), 2);
    assert!(
        hears(&world, (carrier, 0), "ja/error-technical"),
        "{}",
        world.tell()
    );
    assert_eq!(world.record().sip, Some(503));

    // One that says nothing at all costs a minute, and no more.
    let (mut world, _) = calling(1805);
    world.run_for(130_000);
    world.finish();
    assert!(world.record().duration_ms.expect("over") < 130_000);
}

#[test]
fn a_message_is_taken_down_and_who_asked_for_it_is_told() {
    let (mut world, carrier) = calling(1806);
    let mut application = Application::new(&[
        (
            "start",
            "<Record action=\"/taken\" maxLength=\"30\" finishOnKey=\"#\" \
             recordingStatusCallback=\"/recording\" \
             recordingStatusCallbackEvent=\"in-progress completed\"/>",
        ),
        ("taken", "<Hangup/>"),
    ]);
    application.until(&mut world, "recorded", |world| {
        !recordings(world).is_empty()
    });
    world.peers[carrier].talks[0].voice.words = Some(spoken("ja/greeting").to_vec().into());
    application.run(&mut world, 2500);
    press(&mut world, (carrier, 0), "#");
    application.finish(&mut world);
    assert_eq!(application.said("taken", "Digits"), Some("#"));
    assert_eq!(application.said("taken", "RecordingDuration"), Some("2"));
    let sid = application.said("taken", "RecordingSid").expect("one");
    assert!(sid.starts_with("RE"));
    let news = told(&world, "recording");
    let statuses: Vec<_> = news.iter().map(|it| value(it, "RecordingStatus")).collect();
    assert_eq!(statuses, [Some("in-progress"), Some("completed")]);
    assert_eq!(value(&news[1], "RecordingSid"), Some(sid));
    assert_eq!(value(&news[1], "RecordingDuration"), Some("2"));
    assert_eq!(world.record().recordings.len(), 1);
}

fn recordings(world: &World) -> Vec<()> {
    world.facts(|fact| matches!(fact, Fact::RecordingStarted { .. }).then_some(()))
}

#[test]
fn who_hangs_up_while_he_is_recorded_has_left_his_message() {
    let (mut world, carrier) = calling(1807);
    let mut application = Application::new(&[(
        "start",
        "<Record action=\"/taken\" playBeep=\"false\" recordingStatusCallback=\"/recording\"/>",
    )]);
    application.until(&mut world, "recorded", |world| {
        !recordings(world).is_empty()
    });
    world.peers[carrier].talks[0].voice.words = Some(spoken("ja/greeting").to_vec().into());
    application.run(&mut world, 2200);
    world.hang_up(carrier, 0);
    application.finish(&mut world);
    let taken = told(&world, "taken");
    assert_eq!(value(&taken[0], "Digits"), Some("hangup"));
    assert_eq!(value(&taken[0], "RecordingDuration"), Some("2"));
    let news = told(&world, "recording");
    assert_eq!(value(&news[0], "RecordingStatus"), Some("completed"));
    let status = told(&world, "status");
    let last = status.last().expect("told");
    assert_eq!(value(last, "RecordingSid"), value(&news[0], "RecordingSid"));
}

const DIAL: &str = "<Dial action=\"/after\" timeout=\"20\"><Client>1005</Client></Dial>";

#[test]
fn two_talk_and_the_application_says_what_follows() {
    let (mut world, carrier) = calling(1808);
    let phone = world.phone("1005", Manners::Answers(3000));
    let dial = "<Dial action=\"/after\" record=\"record-from-answer-dual\" \
        recordingStatusCallback=\"/recording\"><Client statusCallback=\"/leg\" \
        statusCallbackEvent=\"initiated ringing answered completed\">1005</Client></Dial>";
    let mut application = Application::new(&[("start", dial), ("after", "<Play>/bye.wav</Play>")]);
    application.until(&mut world, "talk", World::is_talking);
    application.run(&mut world, 3000);
    let heard = listen(&world.peers[carrier].talks[0].voice.got);
    assert!(level(&heard[heard.len() - 8000..], 880.0) > -14.0);
    let heard = listen(&world.peers[phone].talks[0].voice.got);
    assert!(level(&heard[heard.len() - 8000..], 440.0) > -14.0);
    world.hang_up(phone, 0);
    application.finish(&mut world);
    assert!(
        hears(&world, (carrier, 0), "ja/goodbye"),
        "{}",
        world.tell()
    );
    for (name, expected) in [
        ("DialCallStatus", "completed"),
        ("DialBridged", "true"),
        ("DialCallDuration", "3"),
    ] {
        assert_eq!(application.said("after", name), Some(expected), "{name}");
    }
    assert!(application.said("after", "RecordingUrl").is_some());
    let leg = told(&world, "leg");
    let statuses: Vec<_> = leg.iter().map(|it| value(it, "CallStatus")).collect();
    let expected = ["initiated", "ringing", "in-progress", "completed"].map(Some);
    assert_eq!(statuses, expected);
    assert_eq!(
        value(&leg[0], "ParentCallSid"),
        application.said("start", "CallSid")
    );
    assert_eq!(
        value(&leg[3], "CallSid"),
        application.said("after", "DialCallSid")
    );
    let news = told(&world, "recording");
    assert_eq!(value(&news[0], "RecordingChannels"), Some("2"));
    assert_eq!(value(&news[0], "RecordingDuration"), Some("3"));
    assert_eq!(
        stretches(world.record()),
        [Stretch::Ivr, Stretch::Ring, Stretch::Talk, Stretch::Ivr]
    );
}

#[test]
fn of_several_the_first_to_answer_talks_and_the_others_are_let_be() {
    let (mut world, carrier) = calling(1809);
    world.phone("1005", Manners::Rings);
    let quick = world.phone("1006", Manners::Answers(2000));
    let dial = "<Dial><Client>1005</Client><Number>1006</Number></Dial><Hangup/>";
    let mut application = Application::new(&[("start", dial)]);
    application.until(&mut world, "talk", World::is_talking);
    application.run(&mut world, 500);
    assert!(world.peers[1].talks[0].is_over, "{}", world.tell());
    world.hang_up(carrier, 0);
    application.finish(&mut world);
    assert!(world.peers[quick].talks[0].is_over);
}

#[test]
fn one_after_the_other_until_somebody_answers_and_what_they_came_to() {
    let (mut world, carrier) = calling(1810);
    world.phone("1005", Manners::Refuses(486));
    world.phone("1006", Manners::Answers(1000));
    let dial = "<Dial sequential=\"true\"><Client>1005</Client><Client>1006</Client></Dial>";
    let mut application = Application::new(&[("start", dial)]);
    application.until(&mut world, "talk", World::is_talking);
    world.hang_up(carrier, 0);
    application.finish(&mut world);

    for (seed, manners, status) in [
        (1811, Manners::Refuses(486), "busy"),
        (1812, Manners::Rings, "no-answer"),
        (1813, Manners::Refuses(500), "failed"),
    ] {
        let (mut world, carrier) = calling(seed);
        world.phone("1005", manners);
        let mut application =
            Application::new(&[("start", DIAL), ("after", "<Play>/bye.wav</Play>")]);
        application.finish(&mut world);
        assert_eq!(application.said("after", "DialCallStatus"), Some(status));
        assert_eq!(application.said("after", "DialBridged"), Some("false"));
        assert!(hears(&world, (carrier, 0), "ja/goodbye"), "{status}");
    }
    // Nobody is there at all.
    let (mut world, _) = calling(1814);
    let mut application = Application::new(&[("start", DIAL), ("after", "<Hangup/>")]);
    application.finish(&mut world);
    assert_eq!(
        application.said("after", "DialCallStatus"),
        Some("no-answer")
    );
}

const WHISPER: &str =
    "<Dial action=\"/after\"><Client url=\"/whisper\">1005</Client></Dial><Hangup/>";

#[test]
fn a_call_for_help_is_ended_by_no_limit_of_a_document() {
    let dial = "<Dial action=\"/after\" timeout=\"5\" timeLimit=\"10\">\
        <Number>119</Number><Client>1005</Client></Dial>";
    let (mut world, carrier) = calling(1842);
    world.peers[carrier].manners = Manners::Answers(40_000);
    let phone = world.phone("1005", Manners::Rings);
    let mut application = Application::new(&[("start", dial), ("after", "<Hangup/>")]);
    application.until(&mut world, "rings", |world| {
        world.peers[phone].talks.len() == 1
    });
    application.run(&mut world, 6_000);
    assert!(world.peers[phone].talks[0].is_over, "{}", world.tell());
    application.until(&mut world, "help", |world| is_answered(world, (carrier, 1)));
    application.run(&mut world, 15_000);
    assert!(!world.peers[carrier].talks[1].is_over, "{}", world.tell());
    world.hang_up(carrier, 1);
    application.finish(&mut world);
    assert_eq!(
        application.said("after", "DialCallStatus"),
        Some("completed")
    );
}

#[test]
fn a_called_party_hears_who_calls_before_it_is_connected_or_declines() {
    let (mut world, carrier) = calling(1815);
    let phone = world.phone("1005", Manners::Answers(500));
    let whisper = "<Gather numDigits=\"1\" action=\"/choice\"><Say>A call</Say></Gather><Hangup/>";
    let pages = [
        ("start", WHISPER),
        ("whisper", whisper),
        ("choice", "<Say>Connecting</Say>"),
        ("after", "<Play>/bye.wav</Play>"),
    ];
    let mut application = Application::new(&pages);
    application.until(&mut world, "answered", |world| {
        is_answered(world, (phone, 0))
    });
    application.run(&mut world, 1000);
    assert!(!world.is_talking());
    press(&mut world, (phone, 0), "1");
    application.until(&mut world, "talk", World::is_talking);
    assert!(hears(&world, (phone, 0), SAID), "{}", world.tell());
    assert!(!hears(&world, (carrier, 0), SAID));
    assert_eq!(application.said("choice", "Digits"), Some("1"));
    assert_eq!(
        application.said("whisper", "Direction"),
        Some("outbound-dial")
    );
    world.hang_up(carrier, 0);
    application.finish(&mut world);

    // Who presses nothing is let go, and the caller hears what follows.
    let (mut world, carrier) = calling(1816);
    world.phone("1005", Manners::Answers(500));
    let mut application = Application::new(&pages);
    application.finish(&mut world);
    assert_eq!(application.said("after", "DialBridged"), Some("false"));
    assert!(
        hears(&world, (carrier, 0), "ja/goodbye"),
        "{}",
        world.tell()
    );
}

#[test]
fn who_is_not_answered_before_somebody_else_is_hears_his_early_media() {
    let (mut world, carrier) = calling(1817);
    world.phone("1005", Manners::Early(3000));
    let dial = "<Dial answerOnBridge=\"true\"><Client>1005</Client></Dial>";
    let mut application = Application::new(&[("start", dial)]);
    application.run(&mut world, 2000);
    assert!(!is_answered(&world, (carrier, 0)));
    assert!(
        world.peers[carrier].talks[0].heard.contains(&183),
        "{}",
        world.tell()
    );
    application.until(&mut world, "talk", World::is_talking);
    world.hang_up(carrier, 0);
    application.finish(&mut world);
}

#[test]
fn who_heard_early_media_hears_it_ring_while_another_hears_his_document() {
    let (mut world, carrier) = calling(1890);
    let phone = world.phone("1005", Manners::Early(1500));
    let dial =
        "<Dial answerOnBridge=\"true\"><Client url=\"/whisper\">1005</Client></Dial><Hangup/>";
    let whisper = "<Pause length=\"4\"/>";
    let mut application = Application::new(&[("start", dial), ("whisper", whisper)]);
    application.until(&mut world, "answered", |world| {
        is_answered(world, (phone, 0))
    });
    let from = world.peers[carrier].talks[0].voice.got.len();
    application.run(&mut world, 1500);
    assert_eq!(world.peers[carrier].talks[0].heard, [183]);
    let tone = spoken("ringback");
    let loud = tone.iter().position(|sample| sample.abs() > 2000);
    let piece = &tone[loud.expect("a tone")..][..1600];
    let heard = listen(&world.peers[carrier].talks[0].voice.got[from..]);
    assert!(likeness(piece, &heard) > 0.9, "{}", world.tell());
    application.until(&mut world, "talk", World::is_talking);
    world.hang_up(carrier, 0);
    application.finish(&mut world);
}

#[test]
fn keys_are_pressed_for_the_caller_before_he_is_connected() {
    let (mut world, carrier) = calling(1818);
    let phone = world.phone("1005", Manners::Answers(500));
    let dial = "<Dial><Number sendDigits=\"W12w3\">1005</Number></Dial>";
    let mut application = Application::new(&[("start", dial)]);
    application.until(&mut world, "answered", |world| {
        is_answered(world, (phone, 0))
    });
    application.run(&mut world, 1500);
    assert!(!world.is_talking());
    application.until(&mut world, "talk", World::is_talking);
    world.hang_up(carrier, 0);
    application.finish(&mut world);
}

#[test]
fn a_number_of_ours_is_shown_and_another_is_not() {
    let (mut world, carrier) = calling(1819);
    world.phone("1005", Manners::Answers(500));
    let dial = format!("<Dial callerId=\"{OFFICE}\"><Client>1005</Client></Dial>");
    let mut application = Application::new(&[("start", &dial)]);
    application.until(&mut world, "talk", World::is_talking);
    let invite = world.sent.iter().find(|sent| sent.what == "1005 <- INVITE");
    assert!(
        invite.expect("rung").has(&format!("<sip:{OFFICE}@")),
        "{}",
        world.tell()
    );
    world.hang_up(carrier, 0);
    application.finish(&mut world);

    let (mut world, _) = calling(1820);
    world.phone("1005", Manners::Answers(500));
    let dial = "<Dial callerId=\"+81300000000\" action=\"/after\"><Client>1005</Client></Dial>";
    let mut application = Application::new(&[("start", dial), ("after", "<Hangup/>")]);
    application.finish(&mut world);
    assert_eq!(application.said("after", "DialCallStatus"), Some("failed"));
}

#[test]
fn somebody_else_redirects_a_conversation_or_ends_the_call() {
    let (mut world, carrier) = calling(1821);
    let phone = world.phone("1005", Manners::Answers(500));
    let pages = [("start", DIAL), ("other", "<Play>/bye.wav</Play>")];
    let mut application = Application::new(&pages);
    application.until(&mut world, "talk", World::is_talking);
    let (now, call) = (world.now, world.call_of(0));
    let link = Link::post("https://app.example/other");
    let exchange = &mut world.switch.exchange;
    let modified = exchange.modify(now, &call, Modification::Redirect(link));
    assert_eq!(modified, Ok(()));
    world.collect();
    application.run(&mut world, 500);
    assert!(world.peers[phone].talks[0].is_over, "{}", world.tell());
    application.finish(&mut world);
    assert!(
        hears(&world, (carrier, 0), "ja/goodbye"),
        "{}",
        world.tell()
    );

    let (mut world, _) = calling(1822);
    let mut application = Application::new(&[("start", "<Pause length=\"60\"/>")]);
    application.run(&mut world, 500);
    let (now, call) = (world.now, world.call_of(0));
    let modified = world
        .switch
        .exchange
        .modify(now, &call, Modification::Complete);
    assert_eq!(modified, Ok(()));
    world.collect();
    application.finish(&mut world);
}

/// A position a caller can be in: its name, what the application says, and when he is there.
type Position = (&'static str, &'static str, fn(&World) -> bool);

const POSITIONS: [Position; 8] = [
    ("asking", "", |world| !world.inquiries.is_empty()),
    ("pause", "<Pause length=\"30\"/>", |_| true),
    ("speech", "<Say loop=\"20\">words</Say>", answered),
    (
        "question",
        "<Gather timeout=\"20\"><Say>?</Say></Gather>",
        answered,
    ),
    ("recording", "<Record playBeep=\"false\"/>", |world| {
        !recordings(world).is_empty()
    }),
    ("ringing", "<Dial><Client>1005</Client></Dial>", |world| {
        phones(world) > 0
    }),
    (
        "whisper",
        "<Dial><Client url=\"/whisper\">1006</Client></Dial>",
        |world| legs(world).len() > 1 && is_answered(world, (2, 0)),
    ),
    ("talk", "<Dial><Client>1006</Client></Dial>", |world| {
        world.is_talking()
    }),
];

fn answered(world: &World) -> bool {
    is_answered(world, (0, 0))
}

fn legs(world: &World) -> Vec<LegId> {
    world.legs()
}

fn phones(world: &World) -> usize {
    world
        .peers
        .iter()
        .skip(1)
        .map(|peer| peer.talks.len())
        .sum()
}

fn in_position(seed: u64, index: usize, rung: Manners) -> (World, Application) {
    let (_, document, is_there) = POSITIONS[index];
    let (mut world, _) = calling(seed);
    world.phone("1005", rung);
    world.phone("1006", Manners::Answers(300));
    let mut application = Application::new(&[
        ("start", document),
        ("whisper", "<Say loop=\"50\">words</Say>"),
    ]);
    if document.is_empty() {
        world.run_to("asked", 5000, is_there);
        return (world, application);
    }
    application.until(&mut world, POSITIONS[index].0, is_there);
    application.run(&mut world, 600);
    (world, application)
}

#[test]
fn a_caller_may_leave_at_any_time_and_nothing_is_left() {
    for (index, (position, ..)) in POSITIONS.iter().enumerate() {
        let (mut world, mut application) = in_position(1830 + index as u64, index, Manners::Rings);
        println!("{position}");
        world.hang_up(0, 0);
        application.run(&mut world, 3000);
        application.finish(&mut world);
        let status = told(&world, "status");
        let last = status.last().expect("told");
        let expected = match *position {
            "asking" | "pause" => "no-answer",
            _ => "completed",
        };
        assert_eq!(value(last, "CallStatus"), Some(expected), "{position}");
    }
}

#[test]
fn a_called_party_may_leave_at_any_time_and_the_application_goes_on() {
    for index in [6, 7] {
        let (mut world, mut application) = in_position(1840 + index as u64, index, Manners::Rings);
        world.hang_up(2, 0);
        application.finish(&mut world);
        let status = told(&world, "status");
        assert_eq!(
            value(status.last().expect("told"), "CallStatus"),
            Some("completed")
        );
    }
}

#[test]
fn an_application_outlives_its_process() {
    for (index, (position, ..)) in POSITIONS.iter().enumerate() {
        let (mut world, mut application) =
            in_position(1850 + index as u64, index, Manners::Answers(4000));
        if !answered(&world) {
            // Nothing is kept of a call that was not answered.
            world.hang_up(0, 0);
            application.finish(&mut world);
            continue;
        }
        println!("{position}");
        world.inquiries.clear();
        world.restart();
        application.run(&mut world, 2000);
        assert!(
            answered(&world) && !world.peers[0].talks[0].is_over,
            "{position}\n{}",
            world.tell()
        );
        match *position {
            "speech" | "question" => {
                let got = &world.peers[0].talks[0].voice.got;
                let heard = listen(&got[got.len() - 75..]);
                assert!(heard.iter().any(|sample| sample.abs() > 1000), "{position}");
            }
            "talk" => assert!(world.is_talking(), "{}", world.tell()),
            _ => {}
        }
        world.hang_up(0, 0);
        application.run(&mut world, 3000);
        application.finish(&mut world);
    }
}

/// What happens meanwhile: right before the thing of that number.
type Meanwhile = (usize, fn(&mut World));

/// A whole story: greeting, two who are called, a whisper, a conversation that is recorded, an end.
fn story(seed: u64, meanwhile: Option<Meanwhile>) -> (World, bool) {
    let (mut world, _) = calling(seed);
    world.phone("1005", Manners::Refuses(486));
    world.phone("1006", Manners::Answers(400));
    if let Some((number, act)) = meanwhile {
        let number = world.happened + number;
        world.interrupt(number, act);
    }
    let dial = "<Say>words</Say><Dial record=\"record-from-answer-dual\" action=\"/after\">\
        <Client>1005</Client><Client url=\"/whisper\">1006</Client></Dial>";
    let mut application = Application::new(&[
        ("start", dial),
        ("whisper", "<Say>words</Say>"),
        ("after", "<Hangup/>"),
    ]);
    application.run(&mut world, 8000);
    let talk = world.peers[2].talks.iter().position(|talk| !talk.is_over);
    if let Some(talk) = talk {
        world.hang_up(2, talk);
    }
    application.run(&mut world, 2000);
    if world.peers[0].live() > 0 {
        world.hang_up(0, 0);
    }
    application.finish(&mut world);
    let was_interrupted = !world.is_uninterrupted();
    (world, was_interrupted)
}

#[test]
fn whoever_leaves_at_any_instant_leaves_nobody_behind() {
    let leave: [fn(&mut World); 3] = [
        |world| world.hang_up(0, 0),
        |world| {
            let talk = world.peers[2].talks.iter().position(|talk| !talk.is_over);
            if let Some(talk) = talk {
                world.hang_up(2, talk);
            }
        },
        |world| {
            let now = world.now;
            world.switch.exchange.end_all(now);
        },
    ];
    for (who, act) in leave.into_iter().enumerate() {
        let mut number = who;
        loop {
            let seed = 1870 + number as u64;
            let (world, was_interrupted) = story(seed, Some((number, act)));
            if !was_interrupted {
                assert!(number > 20, "{number} things at {who}\n{}", world.tell());
                break;
            }
            let status = told(&world, "status");
            let ends = status
                .iter()
                .filter(|form| value(form, "CallStatus") != Some("in-progress"))
                .count();
            assert_eq!(ends, 1, "{who} at {number}\n{}", world.tell());
            number += 3;
        }
    }
}

#[test]
fn what_was_asked_of_the_application_is_asked_again_by_the_next_process() {
    let (mut world, carrier) = calling(1869);
    let gather = "<Gather timeout=\"1\" action=\"/next\" actionOnEmptyResult=\"true\"/>";
    let mut application = Application::new(&[("start", gather), ("next", "<Play>/bye.wav</Play>")]);
    application.until(&mut world, "answered", answered);
    world.run_to("asked", 5000, |world| !world.inquiries.is_empty());
    world.inquiries.clear();
    world.restart();
    assert_eq!(world.inquiries.len(), 1, "{}", world.tell());
    application.finish(&mut world);
    assert_eq!(application.said("next", "Digits"), Some(""));
    assert!(
        hears(&world, (carrier, 0), "ja/goodbye"),
        "{}",
        world.tell()
    );
}

#[test]
fn a_flow_hands_a_caller_over_to_an_application() {
    let steps = "start = \"ask\"\n";
    let step = "[steps.ask]\ndo = \"twiml\"\nurl = \"https://app.example/{{ call.to }}\"\n\n\
        [steps.greeting]\n";
    let office = changed(&[
        ("flows/main.toml", "start = \"greeting\"\n", steps),
        ("flows/main.toml", "[steps.greeting]\n", step),
    ]);
    let mut world = World::with(1868, office);
    let carrier = world.carrier();
    world.with_peer(carrier, |peer, now| peer.call(now, OFFICE, CUSTOMER));
    let mut application = Application::new(&[("+81312345678", "<Play>/bye.wav</Play>")]);
    application.finish(&mut world);
    assert!(
        hears(&world, (carrier, 0), "ja/goodbye"),
        "{}",
        world.tell()
    );
    let steps: Vec<_> = world.record().steps.iter().map(|it| &*it.step).collect();
    assert_eq!(steps, ["ask", "Play"]);
}

#[test]
fn the_step_of_a_flow_has_a_fallback_and_tells_how_the_call_goes() {
    let steps = "start = \"ask\"\n";
    let step = "[steps.ask]\ndo = \"twiml\"\nurl = \"https://app.example/away\"\n\
        fallback_url = \"https://app.example/{{ call.to }}\"\n\
        status_callback = \"https://app.example/status\"\nstatus_callback_method = \"GET\"\n\n\
        [steps.greeting]\n";
    let office = changed(&[
        ("flows/main.toml", "start = \"greeting\"\n", steps),
        ("flows/main.toml", "[steps.greeting]\n", step),
    ]);
    let mut world = World::with(1870, office);
    let carrier = world.carrier();
    world.with_peer(carrier, |peer, now| peer.call(now, OFFICE, CUSTOMER));
    let mut application = Application::new(&[("+81312345678", "<Play>/bye.wav</Play>")]);
    application.finish(&mut world);
    assert!(
        hears(&world, (carrier, 0), "ja/goodbye"),
        "{}",
        world.tell()
    );
    assert_eq!(application.said("+81312345678", "ErrorCode"), Some("11200"));
    let told: Vec<_> = world.notices.iter().map(|notice| &notice.content).collect();
    let [Content::Form(form)] = told[..] else {
        panic!("{told:?}");
    };
    let status = form.iter().find(|(name, _)| name == "CallStatus");
    assert_eq!(status.map(|(_, status)| &**status), Some("completed"));
}
