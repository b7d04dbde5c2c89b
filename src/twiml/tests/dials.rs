//! `<Dial>` under way: legs, whispers, recordings, conferences.

use super::*;

/// A caller whose dial has begun, with the legs that ring.
fn dialling(dial: &str) -> (Line, Vec<Ringing>) {
    dialling_by(facts(), dial)
}

fn dialling_by(facts: Facts, dial: &str) -> (Line, Vec<Ringing>) {
    let mut line = Line::by(facts, terms(), &format!("{dial}<Reject/>"));
    let rings = rung(&line.actions());
    (line, rings)
}

/// The form the action gets.
fn told(line: &mut Line) -> Form {
    let fetch = line.fetched();
    assert_eq!(fetch.url, "https://app.example/done");
    fetch.form
}

fn status(form: &Form) -> &str {
    value(form, "DialCallStatus").expect("it is always told")
}

const NUMBER: &str = "<Dial action=\"/done\">+81312340000</Dial>";

#[test]
fn dial_connects_and_tells_the_action() {
    let (mut line, rings) = dialling(NUMBER);
    assert_eq!(rings.len(), 1);
    assert_eq!(rings[0].caller_id, "+819012345678", "the caller's own");
    assert_eq!(rings[0].timeout, Duration::from_secs(30));
    line.begun(1);
    line.leg(1, LegNews::Ringing);
    line.leg(1, LegNews::Answered);
    assert_eq!(line.actions(), [Action::Bridge { leg: 1 }]);
    line.pass(Duration::from_millis(65_500));
    line.ended(1, 200);
    let form = told(&mut line);
    assert_eq!(status(&form), "completed");
    assert_eq!(
        value(&form, "DialCallSid"),
        Some(sid(SidKind::Call, "1/1").as_str())
    );
    assert_eq!(value(&form, "DialCallDuration"), Some("65"));
    assert_eq!(value(&form, "DialBridged"), Some("true"));
}

#[test]
fn dial_without_action_goes_on_with_the_next_verb() {
    let (mut line, _) = dialling("<Dial>+81312340000</Dial>");
    line.leg(1, LegNews::Answered);
    line.actions();
    line.ended(1, 200);
    assert_eq!(hang_up_status(&line.actions()), Some(200));
}

#[test]
fn dial_call_status_busy_no_answer_failed() {
    for (sip, word) in [
        (486, "busy"),
        (600, "busy"),
        (480, "no-answer"),
        (408, "no-answer"),
        (404, "failed"),
        (503, "failed"),
    ] {
        let (mut line, _) = dialling(NUMBER);
        line.begun(1);
        line.ended(1, sip);
        let form = told(&mut line);
        assert_eq!(
            (status(&form), value(&form, "DialBridged")),
            (word, Some("false")),
            "{sip}"
        );
        assert_eq!(value(&form, "DialCallDuration"), None);
    }
}

#[test]
fn dial_call_status_canceled_when_the_caller_gives_up() {
    let (mut line, _) = dialling(NUMBER);
    line.tell(Input::CallerLeft);
    let notices = line.notices();
    assert_eq!(notices[0].url, "https://app.example/done");
    assert_eq!(status(&notices[0].form), "canceled");
    assert_eq!(value(&notices[0].form, "CallStatus"), Some("completed"));
    let (mut line, _) = dialling(NUMBER);
    line.leg(1, LegNews::Answered);
    line.pass_s(9);
    line.tell(Input::CallerLeft);
    let notices = line.notices();
    assert_eq!(
        (
            status(&notices[0].form),
            value(&notices[0].form, "DialCallDuration")
        ),
        ("completed", Some("9"))
    );
}

#[test]
fn dial_timeout_ends_the_ringing_exactly() {
    let (mut line, _) = dialling("<Dial action=\"/done\" timeout=\"10\">1</Dial>");
    line.pass(Duration::from_millis(9_999));
    assert_eq!(line.actions(), []);
    line.pass(Duration::from_millis(1));
    let actions = line.actions();
    assert_eq!(actions[0], Action::Cancel { leg: 1 });
    let Action::Fetch(fetch) = &actions[1] else {
        panic!("{actions:?}")
    };
    assert_eq!(status(&fetch.form), "no-answer");
}

#[test]
fn dial_for_help_is_ended_by_no_limit() {
    let dial = "<Dial action=\"/done\" timeout=\"10\" timeLimit=\"60\">\
        <Number>119</Number><Number>1</Number></Dial>";
    let ring = || {
        let (mut line, _) = dialling(dial);
        line.begun(1);
        line.leg(1, LegNews::CallsForHelp);
        line.begun(2);
        line.pass_s(10);
        assert_eq!(
            line.actions(),
            [Action::Cancel { leg: 2 }],
            "its time is over"
        );
        // Longer than a call may last.
        line.pass_s(20_000);
        assert_eq!(line.actions(), []);
        line
    };
    let mut line = ring();
    line.leg(1, LegNews::Answered);
    assert_eq!(line.actions(), [Action::Bridge { leg: 1 }]);
    line.pass_s(3_600);
    assert_eq!(line.actions(), []);
    line.tell(Input::CallerLeft);
    assert_eq!(status(&line.notices()[0].form), "completed");
    let mut line = ring();
    line.ended(1, 503);
    // Nothing keeps a call any more that has lasted longer than it may.
    assert_eq!(hang_up_status(&line.actions()), None);
    line.pass_s(0);
    assert_eq!(hang_up_status(&line.actions()), Some(200));
}

#[test]
fn dial_for_help_that_fails_is_told_as_what_it_was() {
    for (numbers, expected) in [
        ("<Number>119</Number>", "failed"),
        ("<Number>119</Number><Number>1</Number>", "no-answer"),
    ] {
        let dial = format!("<Dial action=\"/done\" timeout=\"10\">{numbers}</Dial>");
        let (mut line, _) = dialling(&dial);
        line.leg(1, LegNews::CallsForHelp);
        line.pass_s(60);
        line.actions();
        line.ended(1, 503);
        assert_eq!(status(&told(&mut line)), expected, "{numbers}");
    }
}

#[test]
fn dial_time_limit_ends_the_talk() {
    let (mut line, _) = dialling("<Dial action=\"/done\" timeLimit=\"60\">1</Dial>");
    line.leg(1, LegNews::Answered);
    line.actions();
    line.pass_s(60);
    let actions = line.actions();
    assert_eq!(actions[0], Action::Cancel { leg: 1 });
    let Action::Fetch(fetch) = &actions[1] else {
        panic!("{actions:?}")
    };
    assert_eq!(
        (status(&fetch.form), value(&fetch.form, "DialCallDuration")),
        ("completed", Some("60"))
    );
}

#[test]
fn dial_hangup_on_star_leaves_the_caller() {
    let (mut line, _) = dialling(NUMBER);
    line.leg(1, LegNews::Answered);
    line.actions();
    line.keys("*");
    assert_eq!(line.actions(), [], "not without the attribute");
    let (mut line, _) = dialling("<Dial action=\"/done\" hangupOnStar=\"true\">1</Dial>");
    line.leg(1, LegNews::Answered);
    line.actions();
    line.keys("1*");
    assert_eq!(line.actions()[0], Action::Cancel { leg: 1 });
    assert!(!line.run.is_over());
}

#[test]
fn dial_answer_on_bridge_answers_with_the_callee() {
    let mut line = Line::with("<Dial>1</Dial>");
    assert!(is_answered(&line.actions()));
    let mut line = Line::with("<Dial answerOnBridge=\"true\">1</Dial>");
    assert!(!is_answered(&line.actions()));
    line.leg(1, LegNews::Ringing);
    assert_eq!(line.actions(), []);
    line.leg(1, LegNews::Answered);
    assert_eq!(line.actions(), [Action::Answer, Action::Bridge { leg: 1 }]);
}

const THREE: &str = "<Number>1</Number><Client>joe</Client><Sip>sip:a@b</Sip>";

#[test]
fn dial_nouns_ring_in_parallel_and_the_first_answer_wins() {
    let (mut line, rings) = dialling(&format!("<Dial>{THREE}</Dial>"));
    assert_eq!(
        rings.iter().map(|ring| ring.kind.to()).collect::<Vec<_>>(),
        ["1", "client:joe", "sip:a@b"]
    );
    line.ended(3, 486);
    line.leg(2, LegNews::Answered);
    assert_eq!(
        line.actions(),
        [Action::Cancel { leg: 1 }, Action::Bridge { leg: 2 }]
    );
    line.leg(1, LegNews::Answered);
    assert_eq!(line.actions(), [], "it came too late");
}

#[test]
fn dial_parallel_fails_when_all_have() {
    let (mut line, _) = dialling(&format!("<Dial action=\"/done\">{THREE}</Dial>"));
    line.ended(1, 404);
    line.ended(2, 486);
    assert_eq!(line.actions(), []);
    line.ended(3, 480);
    let form = told(&mut line);
    assert_eq!(
        (status(&form), value(&form, "DialSipResponseCode")),
        ("busy", Some("480"))
    );
}

#[test]
fn dial_sequential_rings_one_after_the_other() {
    let (mut line, rings) = dialling(&format!(
        "<Dial action=\"/done\" sequential=\"true\" timeout=\"5\">{THREE}</Dial>"
    ));
    assert_eq!(rings.len(), 1);
    line.ended(1, 486);
    assert_eq!(rung(&line.actions())[0].leg, 2);
    line.pass_s(5);
    let actions = line.actions();
    assert_eq!(actions[0], Action::Cancel { leg: 2 });
    assert_eq!(rung(&actions)[0].leg, 3);
    line.ended(3, 503);
    assert_eq!(status(&told(&mut line)), "busy");
}

#[test]
fn dial_caller_id_only_own_verified_or_of_the_request() {
    let shown = |facts: Facts, claimed: &str| {
        let dial = format!("<Dial action=\"/done\" callerId=\"{claimed}\">1</Dial>");
        let (line, rings) = dialling_by(facts, &dial);
        match rings.first() {
            Some(ring) => Some(ring.caller_id.clone()),
            None => {
                assert_eq!(line.run.remarks()[0].code, 13214);
                None
            }
        }
    };
    for good in ["+819012345678", "+81312345678", "+81399999999"] {
        assert_eq!(shown(facts(), good).as_deref(), Some(good));
    }
    assert_eq!(shown(facts(), "+15550000000"), None);
    let sip = || Facts {
        from: "sip:joe@b.example".to_owned(),
        ..facts()
    };
    assert_eq!(shown(sip(), "sip:joe@b.example"), None);
    assert_eq!(shown(sip(), "+81312345678"), None);
    assert_eq!(
        shown(sip(), "+81399999999").as_deref(),
        Some("+81399999999")
    );
    let client = Facts {
        from: "client:joe".to_owned(),
        ..facts()
    };
    let (line, rings) = dialling_by(client, NUMBER);
    assert_eq!((rings.len(), line.run.remarks()[0].code), (0, 13214));

    let mut line = Line::with("<Dial action=\"/done\" callerId=\"+1555\">1</Dial>");
    assert_eq!(status(&told(&mut line)), "failed");
}

#[test]
fn number_url_is_heard_by_the_callee_before_the_bridge() {
    let dial = "<Dial action=\"/done\"><Number url=\"/whisper\" method=\"GET\">1</Number></Dial>";
    let (mut line, _) = dialling(dial);
    line.leg(1, LegNews::Answered);
    let link = Link {
        url: "https://app.example/whisper".to_owned(),
        method: Method::Get,
    };
    assert_eq!(
        line.actions(),
        [Action::Whisper {
            leg: 1,
            link: link.clone()
        }]
    );
    line.pass_s(100);
    line.leg(1, LegNews::WhisperOver { goes_on: true });
    assert_eq!(line.actions(), [Action::Bridge { leg: 1 }]);

    let (mut line, _) = dialling(dial);
    line.leg(1, LegNews::Answered);
    line.leg(1, LegNews::WhisperOver { goes_on: false });
    let form = told(&mut line);
    assert_eq!(
        (status(&form), value(&form, "DialBridged")),
        ("completed", Some("false"))
    );

    // What runs on the callee's leg.
    let child = facts().child(sid(SidKind::Call, "1/1"), "+819012345678", "1");
    let whisper = |verbs: &str| {
        let mut run = Run::whisper(child.clone(), Terms::of_url(link.clone()));
        let now = Timestamp::ZERO;
        run.start(now);
        let Some(Action::Fetch(fetch)) = run.poll_action() else {
            panic!()
        };
        assert_eq!(
            value(&fetch.form, "ParentCallSid"),
            Some(facts().call.as_str())
        );
        assert_eq!(value(&fetch.form, "Direction"), Some("outbound-dial"));
        let body = response(verbs).into_bytes();
        let content_type = Some("text/xml".to_owned());
        let result = Fetched::Reply {
            content_type,
            body,
            url: String::new(),
        };
        run.handle(
            now,
            Input::Fetched {
                request: fetch.request,
                result,
            },
        );
        let actions: Vec<Action> = std::iter::from_fn(|| run.poll_action()).collect();
        (
            actions,
            run.remarks()
                .iter()
                .map(|fault| fault.code)
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(whisper("").0, [Action::Finished]);
    assert_eq!(hang_up_status(&whisper("<Hangup/>").0), Some(200));
    assert_eq!(
        whisper("<Dial>2</Dial>"),
        (vec![Action::Finished], vec![13201])
    );
}

#[test]
fn number_send_digits_go_along() {
    let (_, rings) = dialling("<Dial><Number sendDigits=\"ww12\">1</Number></Dial>");
    let TargetKind::Number { send_digits, .. } = &rings[0].kind else {
        panic!()
    };
    assert_eq!(send_digits.as_deref(), Some("ww12"));
}

#[test]
fn number_status_callback_of_the_child() {
    let (mut line, _) = dialling(
        "<Dial><Number statusCallback=\"/s\" statusCallbackEvent=\"initiated ringing answered completed\">1</Number></Dial>",
    );
    line.begun(1);
    line.leg(1, LegNews::Ringing);
    line.leg(1, LegNews::Answered);
    line.pass_s(5);
    line.ended(1, 200);
    let notices = line.notices();
    let told: Vec<(&str, &str)> = notices
        .iter()
        .map(|notice| {
            assert_eq!(notice.url, "https://app.example/s");
            assert_eq!(
                value(&notice.form, "ParentCallSid"),
                Some(facts().call.as_str())
            );
            assert_eq!(
                value(&notice.form, "CallSid"),
                Some(sid(SidKind::Call, "1/1").as_str())
            );
            assert_eq!(value(&notice.form, "To"), Some("1"));
            (
                value(&notice.form, "CallStatus").unwrap(),
                value(&notice.form, "SequenceNumber").unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("initiated", "0"),
            ("ringing", "1"),
            ("in-progress", "2"),
            ("completed", "3")
        ]
    );
    assert_eq!(value(&notices[3].form, "CallDuration"), Some("5"));

    let (mut line, _) = dialling(&format!(
        "<Dial>{}</Dial>",
        "<Number statusCallback=\"/s\">1</Number>".repeat(2)
    ));
    line.begun(1);
    line.begun(2);
    line.leg(1, LegNews::Answered);
    let notices = line.notices();
    assert_eq!(notices.len(), 1);
    assert_eq!(value(&notices[0].form, "CallStatus"), Some("canceled"));
}

#[test]
fn dial_record_from_answer_or_from_ringing() {
    let recorded = |line: &mut Line| {
        line.actions()
            .iter()
            .any(|action| matches!(action, Action::RecordCall { .. }))
    };
    for (word, at_ringing) in [
        ("record-from-answer", false),
        ("record-from-ringing-dual", true),
    ] {
        let (mut line, _) = dialling(&format!(
            "<Dial action=\"/done\" record=\"{word}\" recordingStatusCallback=\"/r\">1</Dial>"
        ));
        line.leg(1, LegNews::Ringing);
        assert_eq!(recorded(&mut line), at_ringing, "{word}");
        line.leg(1, LegNews::Answered);
        assert_eq!(recorded(&mut line), !at_ringing, "{word}");
        line.tell(Input::Recording(RecordingNews {
            recording: sid(SidKind::Recording, "r"),
            event: RecordingEvent::Completed,
            length: Duration::from_secs(5),
            channels: 2,
            source: "DialVerb".to_owned(),
        }));
        let notices = line.notices();
        assert_eq!(value(&notices[0].form, "RecordingChannels"), Some("2"));
        line.ended(1, 200);
        assert!(value(&told(&mut line), "RecordingUrl").is_some());
    }
    let (mut line, _) = dialling("<Dial record=\"record-from-ringing\">1</Dial>");
    line.leg(1, LegNews::Answered);
    assert!(
        recorded(&mut line),
        "what never rang is recorded from its answer"
    );
}

#[test]
fn dial_refer_url_takes_over() {
    let (mut line, _) = dialling("<Dial referUrl=\"/done\">1</Dial>");
    line.leg(1, LegNews::Answered);
    line.actions();
    line.leg(
        1,
        LegNews::Refers {
            to: "sip:b@c".to_owned(),
        },
    );
    let actions = line.actions();
    assert_eq!(actions[0], Action::Cancel { leg: 1 });
    let Action::Fetch(fetch) = &actions[1] else {
        panic!("{actions:?}")
    };
    assert_eq!(value(&fetch.form, "ReferTransferTarget"), Some("sip:b@c"));
}

#[test]
fn dial_queue_connects_or_times_out_and_an_unknown_queue_fails() {
    let dial = "<Dial action=\"/done\" timeout=\"20\"><Queue url=\"/about\" reservationSid=\"WR1\">q</Queue></Dial>";
    let (mut line, rings) = dialling(dial);
    assert_eq!(
        rings[0].whisper.as_ref().map(|link| link.url.as_str()),
        Some("https://app.example/about")
    );
    let TargetKind::Queue { reservation, .. } = &rings[0].kind else {
        panic!()
    };
    assert_eq!(reservation.as_deref(), Some("WR1"));
    line.begun(1);
    line.leg(1, LegNews::Answered);
    assert_eq!(
        line.actions(),
        [Action::Bridge { leg: 1 }],
        "the caller who waited hears the document, not this leg"
    );
    line.ended(1, 200);
    assert_eq!(status(&told(&mut line)), "completed");

    let (mut line, _) = dialling(dial);
    line.pass_s(20);
    let actions = line.actions();
    let Action::Fetch(fetch) = &actions[1] else {
        panic!("{actions:?}")
    };
    assert_eq!(status(&fetch.form), "no-answer");
    let (mut line, _) = dialling(dial);
    line.ended(1, 404);
    assert_eq!(status(&told(&mut line)), "failed");
}

#[test]
fn conference_dial_call_status_answered_without_sid_and_duration() {
    let mut line = Line::with(
        "<Dial action=\"/done\" callerId=\"+1555\" timeout=\"1\"><Conference statusCallback=\"/c\">room</Conference></Dial>",
    );
    let actions = line.actions();
    let Some(Action::Join(joining)) = actions.last() else {
        panic!("{actions:?}")
    };
    assert_eq!(
        (joining.conference.name.as_str(), joining.wait),
        ("room", WaitSound::Music)
    );
    assert_eq!(
        joining
            .conference
            .status
            .as_ref()
            .map(|link| link.url.as_str()),
        Some("https://app.example/c")
    );
    line.tell(Input::Conference(ConferenceNews::Started));
    line.pass_s(100);
    assert_eq!(
        line.actions(),
        [],
        "neither callerId nor timeout has an effect"
    );
    line.tell(Input::Conference(ConferenceNews::Left));
    let form = told(&mut line);
    assert_eq!(status(&form), "answered");
    assert_eq!(
        (
            value(&form, "DialCallSid"),
            value(&form, "DialCallDuration")
        ),
        (None, None)
    );
}

#[test]
fn conference_time_limit_and_hangup_on_star_have_effect() {
    let dial = "<Dial action=\"/done\" timeLimit=\"30\" hangupOnStar=\"true\"><Conference waitUrl=\"/w\">room</Conference></Dial>";
    let mut line = Line::with(dial);
    line.actions();
    line.pass_s(30);
    assert_eq!(line.actions()[0], Action::LeaveConference);
    let mut line = Line::with(dial);
    line.tell(Input::Conference(ConferenceNews::Waiting));
    line.actions();
    line.keys("*");
    assert_eq!(line.actions()[0], Action::LeaveConference);
}

#[test]
fn conference_refused_goes_to_the_next_verb() {
    let mut line = Line::with(
        "<Dial action=\"/done\"><Conference participantLabel=\"a\">room</Conference></Dial><Reject/>",
    );
    line.tell(Input::Conference(ConferenceNews::Refused { code: 16025 }));
    assert_eq!(hang_up_status(&line.actions()), Some(200));
    assert_eq!(line.run.remarks()[0].code, 16025);
}

#[test]
fn conference_wait_url_ends_in_silence_and_empty_is_silence() {
    let mut line =
        Line::with("<Dial><Conference waitUrl=\"/w\" waitMethod=\"GET\">room</Conference></Dial>");
    let actions = line.actions();
    let Some(Action::Join(joining)) = actions.last() else {
        panic!("{actions:?}")
    };
    assert_eq!(joining.wait, WaitSound::Document);
    line.tell(Input::Conference(ConferenceNews::Waiting));
    let fetch = line.fetched();
    assert_eq!(
        (fetch.url.as_str(), fetch.method),
        ("https://app.example/w", Method::Get)
    );
    line.reply("<Gather/><Play>a.mp3</Play>");
    line.played();
    line.pass_s(60);
    assert_eq!(line.actions(), [], "it does not begin again");
    assert_eq!(
        line.run
            .remarks()
            .iter()
            .map(|fault| fault.code)
            .collect::<Vec<_>>(),
        [13238]
    );
    let mut line = Line::with("<Dial><Conference waitUrl=\"\">room</Conference></Dial>");
    let actions = line.actions();
    let Some(Action::Join(joining)) = actions.last() else {
        panic!("{actions:?}")
    };
    assert_eq!(joining.wait, WaitSound::Silence);
    line.tell(Input::Conference(ConferenceNews::Waiting));
    assert_eq!(line.actions(), []);
}

#[test]
fn conference_wait_stops_when_it_starts() {
    let mut line = Line::with("<Dial><Conference waitUrl=\"/w\">room</Conference></Dial>");
    line.tell(Input::Conference(ConferenceNews::Waiting));
    line.fetched();
    line.reply("<Play>a.mp3</Play><Redirect/>");
    line.actions();
    line.tell(Input::Conference(ConferenceNews::Started));
    assert_eq!(line.actions(), [Action::StopPlay]);
    line.tell(Input::PlayDone { play: 1 });
    assert_eq!(line.actions(), []);
}

#[test]
fn conference_announcement_is_heard_once_and_hold_again_and_again() {
    let url = |path: &str| Link::post(format!("https://app.example/{path}"));
    let announce = || Input::Modify(Modification::Announce(url("announcement")));
    let mut line = Line::with("<Dial><Conference waitUrl=\"\">room</Conference></Dial>");
    line.actions();
    line.tell(announce());
    assert_eq!(line.actions(), [], "it has not begun");
    line.tell(Input::Conference(ConferenceNews::Started));
    assert_eq!(line.actions(), []);
    line.tell(announce());
    assert_eq!(line.fetched().url, url("announcement").url);
    line.reply("<Play>a.mp3</Play><Gather/>");
    assert!(matches!(&line.actions()[..], [Action::Play { .. }]));
    line.tell(Input::PlayDone { play: 1 });
    assert_eq!(line.actions(), [], "it is over, and the conference goes on");

    let hold = |link| Input::Modify(Modification::HoldDocument(link));
    line.tell(hold(Some(url("hold"))));
    for _ in 0..2 {
        assert_eq!(line.fetched().url, url("hold").url);
        line.reply("<Pause length=\"5\"/>");
        line.pass_s(5);
    }
    line.fetched();
    line.reply("<Play>b.mp3</Play>");
    line.actions();
    line.tell(announce());
    assert_eq!(line.actions()[0], Action::StopPlay);
    line.reply("<Play>a.mp3</Play>");
    line.played();
    assert_eq!(line.fetched().url, url("hold").url, "he is still on hold");
    line.reply("<Play>b.mp3</Play>");
    line.actions();
    line.tell(hold(None));
    assert_eq!(line.actions(), [Action::StopPlay]);
    line.tell(Input::Conference(ConferenceNews::Left));
    assert_eq!(hang_up_status(&line.actions()), Some(200));
}

#[test]
fn conference_announcement_that_cannot_be_had_changes_nothing() {
    let mut line = Line::with("<Dial><Conference waitUrl=\"\">room</Conference></Dial>");
    line.tell(Input::Conference(ConferenceNews::Started));
    line.actions();
    let link = Link::post("https://app.example/announcement");
    for wish in [
        Modification::Announce(link.clone()),
        Modification::HoldDocument(Some(link)),
    ] {
        line.tell(Input::Modify(wish));
        line.fetched();
        line.reply_with("text/html", b"<p>");
        line.pass_s(600);
        assert_eq!(line.actions(), []);
    }
}
