//! Random documents and random callers: every run ends, and nothing is asked after its end.

use proptest::prelude::*;

use super::*;

fn said() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("<Say>a</Say>".to_owned()),
        Just("<Play loop=\"0\">a.wav</Play>".to_owned()),
        Just("<Play/>".to_owned()),
        (1_u32..20).prop_map(|length| format!("<Pause length=\"{length}\"/>")),
    ]
}

fn any_verb() -> impl Strategy<Value = String> {
    let attributes = prop::sample::select(vec![
        "",
        "action=\"/a\"",
        "action=\"\"",
        "action=\"http://[\"",
        "action=\"/a\" method=\"GET\"",
        "timeout=\"3\"",
    ]);
    let nouns = prop::sample::select(vec![
        "12",
        "<Number>1</Number><Client>b</Client>",
        "<Sip>sip:a@b</Sip>",
        "<Queue url=\"/w\">q</Queue>",
        "<Conference waitUrl=\"/w\">r</Conference>",
        "<Conference>r</Conference>",
        "",
        "<Number url=\"/w\" statusCallback=\"/s\">1</Number>",
    ]);
    let flags = prop::sample::select(vec![
        "",
        "sequential=\"true\"",
        "hangupOnStar=\"true\"",
        "answerOnBridge=\"true\"",
        "record=\"record-from-ringing\"",
        "callerId=\"+1555\"",
        "timeLimit=\"9\"",
    ]);
    let asks = prop::sample::select(vec![
        "",
        "numDigits=\"2\"",
        "input=\"dtmf speech\"",
        "actionOnEmptyResult=\"true\"",
        "finishOnKey=\"\"",
    ]);
    prop_oneof![
        4 => said(),
        3 => (attributes.clone(), asks, prop::collection::vec(said(), 0..3))
            .prop_map(|(a, b, nested)| format!("<Gather {a} {b}>{}</Gather>", nested.concat())),
        2 => attributes.clone().prop_map(|a| format!("<Record {a}/>")),
        4 => (attributes.clone(), flags, nouns).prop_map(|(a, b, nouns)| {
            format!("<Dial {a} {b}>{nouns}</Dial>")
        }),
        2 => (attributes.clone(), any::<bool>())
            .prop_map(|(a, wait)| format!("<Enqueue {} {}>q</Enqueue>", a.replace("timeout=\"3\"", ""), if wait { "waitUrl=\"/w\"" } else { "" })),
        1 => Just("<Redirect>/next</Redirect>".to_owned()),
        1 => Just("<Redirect/>".to_owned()),
        1 => Just("<Hangup/>".to_owned()),
        1 => Just("<Reject/>".to_owned()),
        1 => Just("<Leave/>".to_owned()),
        1 => Just("<Refer action=\"/r\"><Sip>sip:a@b</Sip></Refer>".to_owned()),
        1 => Just("<Speak/>".to_owned()),
    ]
}

fn documents() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(
        prop::collection::vec(any_verb(), 0..5).prop_map(|verbs| response(&verbs.concat())),
        1..5,
    )
}

/// One thing the caller, the line, a leg or somebody else does.
fn happening() -> impl Strategy<Value = u8> {
    0_u8..30
}

/// What is under way at a leg, by the actions seen.
#[derive(Default)]
struct Seen {
    plays: Vec<u64>,
    legs: Vec<u64>,
    requests: Vec<u64>,
    listens: Vec<u64>,
    records: Vec<u64>,
}

impl Seen {
    fn see(&mut self, action: &Action) {
        match action {
            Action::Play { play, .. } => self.plays.push(*play),
            Action::Ring(ringing) => self.legs.push(ringing.leg),
            Action::Fetch(fetch) => self.requests.push(fetch.request),
            Action::Listen { listen, .. } => self.listens.push(*listen),
            Action::Record { record, .. } => self.records.push(*record),
            _ => {}
        }
    }
}

fn input(number: u8, seen: &Seen, documents: &[String], turn: usize) -> Option<Input> {
    let last = |numbers: &[u64]| numbers.last().copied();
    let leg = |news: LegNews| last(&seen.legs).map(|leg| Input::Leg { leg, news });
    let queue = sid(SidKind::Queue, "q");
    let call = sid(SidKind::Call, "x");
    let standing = Standing {
        queue,
        position: 1,
        size: 1,
        max_size: 9,
        average_wait: Duration::ZERO,
    };
    Some(match number {
        0..=4 => {
            let request = last(&seen.requests)?;
            let body = documents[turn % documents.len()].clone().into_bytes();
            let content_type = Some("text/xml".to_owned());
            let url = String::new();
            Input::Fetched {
                request,
                result: Fetched::Reply {
                    content_type,
                    body,
                    url,
                },
            }
        }
        5 => Input::Fetched {
            request: last(&seen.requests)?,
            result: Fetched::Failed {
                code: 11200,
                words: "no".to_owned(),
            },
        },
        6 | 7 => Input::PlayDone {
            play: last(&seen.plays)?,
        },
        8 => Input::Digit('1'),
        9 => Input::Digit('*'),
        10 => Input::Digit('#'),
        11 => leg(LegNews::Initiated { call })?,
        12 => leg(LegNews::Answered)?,
        13 => leg(LegNews::Ended { status: 486 })?,
        14 => leg(LegNews::WhisperOver { goes_on: true })?,
        15 => Input::Queue(QueueNews::Standing(standing)),
        16 => Input::Queue(QueueNews::Bridged),
        17 => Input::Queue(QueueNews::BridgeEnded),
        18 => Input::Queue(QueueNews::Whisper {
            link: Link::post("https://app.example/w"),
            by: call,
        }),
        19 => Input::Conference(ConferenceNews::Waiting),
        20 => Input::Conference(ConferenceNews::Started),
        21 => Input::Speech {
            listen: last(&seen.listens)?,
            news: SpeechNews::Final {
                text: "yes".to_owned(),
                confidence: 0.5,
            },
        },
        22 => Input::Recorded {
            record: last(&seen.records)?,
            recording: Some(sid(SidKind::Recording, "r")),
            length: Duration::from_secs(1),
            ended: RecordEnd::Silence,
        },
        23 => leg(LegNews::CallsForHelp)?,
        24 => Input::Modify(Modification::Announce(Link::post("https://app.example/a"))),
        25 => Input::Modify(Modification::HoldDocument(Some(Link::post(
            "https://app.example/h",
        )))),
        26 => Input::Modify(Modification::HoldDocument(None)),
        27 => Input::Modify(Modification::Fallback(Link::post("https://app.example/f"))),
        28 => Input::Modify(Modification::StatusCallback(StatusCallback::new(
            Link::post("https://app.example/s"),
            Vec::new(),
        ))),
        _ => Input::Modify(Modification::Redirect(Link::post("https://app.example/m"))),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_run_ends_and_asks_for_nothing_afterwards(
        documents in documents(),
        happenings in prop::collection::vec((happening(), 0_u64..4_000), 0..60),
        leaves in any::<bool>(),
    ) {
        let mut line = Line::of(facts(), terms());
        let mut seen = Seen::default();
        let mut answers = 0;
        let mut hung_up = 0;
        let mut bound = 0_u32;
        for (turn, (number, milliseconds)) in happenings.into_iter().enumerate() {
            line.pass(Duration::from_millis(milliseconds));
            if let Some(input) = input(number, &seen, &documents, turn) {
                line.tell(input);
            }
            for action in line.actions() {
                seen.see(&action);
                answers += u32::from(action == Action::Answer);
                hung_up += u32::from(matches!(action, Action::HangUp { .. }));
                bound += 1;
            }
            // What is stored is the same run.
            let stored = serde_json::to_string(&line.run).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Run>(&stored).unwrap(), &line.run);
        }
        prop_assert!(answers <= 1 && bound < 5_000);
        // Somebody ends it: the caller, or the limit of the call, which holds once it is
        // answered. Documents that are fetched no more have given up by then.
        if leaves {
            line.tell(Input::CallerLeft);
        } else {
            // Who calls for help has no limit but the far end's.
            for leg in seen.legs {
                line.ended(leg, 487);
            }
            line.pass(Duration::from_secs(600));
            let last = line.actions().iter().filter_map(|action| match action {
                Action::Play { play, .. } => Some(*play),
                _ => None,
            }).next_back();
            if let Some(play) = last {
                line.tell(Input::PlayDone { play });
            }
            line.pass(Terms::LONGEST);
        }
        prop_assert!(line.run.is_over(), "{:?}", line.run);
        for action in line.actions() {
            hung_up += u32::from(matches!(action, Action::HangUp { .. }));
        }
        prop_assert!(hung_up <= 1);
        line.keys("1*#");
        line.tell(Input::CallerLeft);
        line.pass(Terms::LONGEST);
        prop_assert_eq!(line.actions(), vec![]);
        prop_assert_eq!(line.run.poll_timeout(), None);
    }

    #[test]
    fn whatever_text_there_is_is_read_or_refused(text in ".{0,200}") {
        let _ = Document::parse(&text);
        let _ = Document::parse(&response(&text));
        let _ = Document::read(Some("text/plain"), text.as_bytes(), "https://app.example/");
    }
}
