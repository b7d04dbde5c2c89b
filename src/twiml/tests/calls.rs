//! The call: parameters, statuses, hand-over, fallback, limits, what the REST API does to it.

use super::*;

fn failing(line: &mut Line) {
    line.answer_fetch(Fetched::Failed {
        code: 11205,
        words: "connection refused".to_owned(),
    });
}

#[test]
fn request_parameters() {
    let facts = Facts {
        forwarded_from: Some("+81311111111".to_owned()),
        caller_name: Some("Yuki 山田".to_owned()),
        parent: Some(sid(SidKind::Call, "0")),
        token: Some("t".to_owned()),
        more: vec![("FromCountry".to_owned(), "JP".to_owned())],
        ..facts()
    };
    let mut line = Line::of(facts.clone(), terms());
    let fetch = line.fetched();
    assert_eq!((fetch.request, fetch.method), (1, Method::Post));
    assert_eq!(
        fetch.url, "https://app.example/start#rc=2",
        "the fragment says how it is retried"
    );
    for (name, expected) in [
        ("CallSid", facts.call.as_str()),
        ("AccountSid", facts.account.as_str()),
        ("From", "+819012345678"),
        ("To", "+81312345678"),
        ("Caller", "+819012345678"),
        ("Called", "+81312345678"),
        ("CallStatus", "ringing"),
        ("ApiVersion", "2010-04-01"),
        ("Direction", "inbound"),
        ("ForwardedFrom", "+81311111111"),
        ("CallerName", "Yuki 山田"),
        ("ParentCallSid", sid(SidKind::Call, "0").as_str()),
        ("CallToken", "t"),
        ("FromCountry", "JP"),
    ] {
        assert_eq!(value(&fetch.form, name), Some(expected), "{name}");
    }
    let form = Line::of(super::facts(), terms()).fetched().form;
    for absent in ["ForwardedFrom", "CallerName", "ParentCallSid", "CallToken"] {
        assert_eq!(value(&form, absent), None, "{absent}");
    }
}

#[test]
fn call_directions_and_statuses() {
    let words = [
        Direction::Inbound,
        Direction::OutboundApi,
        Direction::OutboundDial,
    ]
    .map(Direction::as_str);
    assert_eq!(words, ["inbound", "outbound-api", "outbound-dial"]);
    for (status, word) in [
        (CallStatus::Queued, "queued"),
        (CallStatus::Ringing, "ringing"),
        (CallStatus::InProgress, "in-progress"),
        (CallStatus::Completed, "completed"),
        (CallStatus::Busy, "busy"),
        (CallStatus::Failed, "failed"),
        (CallStatus::NoAnswer, "no-answer"),
        (CallStatus::Canceled, "canceled"),
    ] {
        assert_eq!(status.as_str(), word);
    }
    for (sip, status) in [
        (486, CallStatus::Busy),
        (603, CallStatus::Busy),
        (480, CallStatus::NoAnswer),
        (408, CallStatus::NoAnswer),
        (404, CallStatus::Failed),
        (503, CallStatus::Failed),
    ] {
        assert_eq!(CallStatus::of_refusal(sip), status, "{sip}");
    }
}

#[test]
fn verbs_are_executed_top_to_bottom_and_the_end_hangs_up() {
    let mut line = Line::with("<Pause/><Pause length=\"2\"/>");
    line.pass(Duration::from_millis(2_999));
    assert_eq!(line.actions(), []);
    line.pass(Duration::from_millis(1));
    let actions = line.actions();
    assert_eq!(
        (is_answered(&actions), hang_up_status(&actions)),
        (true, Some(200))
    );
    assert!(line.run.is_over());
    assert_eq!(line.run.status(), CallStatus::Completed);
    assert_eq!(line.run.poll_timeout(), None);
}

#[test]
fn hangup_answers_and_ends_and_nothing_follows() {
    let mut line = Line::with("<Hangup/><Say>never</Say>");
    let actions = line.actions();
    assert_eq!(actions.len(), 2, "{actions:?}");
    assert_eq!(
        (is_answered(&actions), hang_up_status(&actions)),
        (true, Some(200))
    );
    line.tell(Input::Digit('1'));
    line.tell(Input::CallerLeft);
    assert_eq!(line.actions(), []);
}

#[test]
fn reject_before_answer_busy_486_rejected_603() {
    for (verbs, status, came_to) in [
        ("<Reject/>", 603, CallStatus::Busy),
        ("<Reject reason=\"busy\"/>", 486, CallStatus::Busy),
    ] {
        let mut line = Line::with(verbs);
        let actions = line.actions();
        assert_eq!(
            (hang_up_status(&actions), is_answered(&actions)),
            (Some(status), false)
        );
        assert_eq!(line.run.status(), came_to);
    }
}

#[test]
fn redirect_hands_over_and_the_rest_is_unreachable() {
    let mut line = Line::with("<Redirect method=\"GET\">menu/two?x=1</Redirect><Say>never</Say>");
    let fetch = line.fetched();
    assert_eq!(
        (fetch.url.as_str(), fetch.method),
        ("https://app.example/menu/two?x=1", Method::Get)
    );
    line.reply("<Redirect>three</Redirect>");
    assert_eq!(line.fetched().url, "https://app.example/menu/three");
    let result = Fetched::Reply {
        content_type: Some("text/xml".to_owned()),
        body: response("<Redirect>five</Redirect>").into_bytes(),
        url: "https://other.example/moved/four".to_owned(),
    };
    line.answer_fetch(result);
    assert_eq!(
        line.fetched().url,
        "https://other.example/moved/five",
        "the reply's URL is the base"
    );
}

#[test]
fn redirects_in_a_circle_end() {
    let mut line = Line::of(facts(), terms());
    let mut documents = 0;
    while !line
        .actions()
        .iter()
        .any(|action| matches!(action, Action::Play { .. }))
    {
        documents += 1;
        assert!(documents < 100);
        line.pass(Duration::from_millis(300));
        line.reply("<Redirect/>");
    }
    assert_eq!(documents, MAX_HURRIED);
    assert_eq!(
        line.run.remarks().last().map(|fault| fault.code),
        Some(11215)
    );
}

#[test]
fn a_menu_may_come_back_as_often_as_the_caller_likes() {
    let mut line = Line::of(facts(), terms());
    for _ in 0..200 {
        line.fetched();
        line.reply("<Gather numDigits=\"1\"/>");
        line.pass_s(1);
        line.keys("9");
    }
    assert_eq!(line.run.remarks(), []);
}

#[test]
fn fallback_when_the_primary_fails() {
    let with_fallback = || Terms {
        fallback: Some(Link {
            url: "https://backup.example/f".to_owned(),
            method: Method::Get,
        }),
        ..terms()
    };
    let mut line = Line::of(facts(), with_fallback());
    line.fetched();
    failing(&mut line);
    let fetch = line.fetched();
    assert_eq!(
        (fetch.url.as_str(), fetch.method),
        ("https://backup.example/f", Method::Get)
    );
    assert_eq!(value(&fetch.form, "ErrorCode"), Some("11205"));
    assert_eq!(
        value(&fetch.form, "ErrorUrl"),
        Some("https://app.example/start#rc=2")
    );
    assert_eq!(value(&fetch.form, "CallStatus"), Some("ringing"));
    line.reply("<Reject reason=\"busy\"/>");
    assert_eq!(hang_up_status(&line.actions()), Some(486));

    // Bad TwiML, a wrong type, silence.
    for (content_type, body, code) in [
        ("text/xml", "<Response><Speak/></Response>", "12200"),
        ("text/xml", "<Response>", "12100"),
        ("text/xml", "<Answer/>", "12102"),
        ("application/json", "{}", "12300"),
    ] {
        let mut line = Line::of(facts(), with_fallback());
        line.fetched();
        line.reply_with(content_type, body.as_bytes());
        assert_eq!(
            value(&line.fetched().form, "ErrorCode"),
            Some(code),
            "{body}"
        );
    }
    let mut line = Line::of(facts(), with_fallback());
    line.fetched();
    line.pass_s(60);
    assert_eq!(value(&line.fetched().form, "ErrorCode"), Some("11200"));
}

#[test]
fn without_a_fallback_the_caller_hears_that_something_failed() {
    let fallback = Some(Link::post("https://backup.example/f"));
    for fallback in [None, fallback] {
        let has_fallback = fallback.is_some();
        let mut line = Line::of(
            facts(),
            Terms {
                fallback,
                ..terms()
            },
        );
        line.fetched();
        failing(&mut line);
        if has_fallback {
            line.fetched();
            failing(&mut line);
        }
        let actions = line.actions();
        assert_eq!(actions[0], Action::Answer);
        let Action::Play { play, prompts } = &actions[1] else {
            panic!("{actions:?}")
        };
        assert_eq!(prompts[0].what, Utterance::Trouble);
        line.tell(Input::PlayDone { play: *play });
        assert_eq!(hang_up_status(&line.actions()), Some(503));
    }
}

#[test]
fn urls_that_lead_nowhere_are_11100() {
    let mut line = Line::with("<Redirect>ftp://a.example/</Redirect>");
    line.actions();
    assert_eq!(line.run.remarks()[0].code, 11100);
}

#[test]
fn an_audio_reply_is_played_and_the_call_ends() {
    let mut line = Line::of(facts(), terms());
    line.fetched();
    line.reply_with("audio/mpeg", b"ID3");
    line.played();
    assert_eq!(hang_up_status(&line.actions()), Some(200));
}

fn told(events: Vec<ProgressEvent>) -> Terms {
    let link = Link {
        url: "https://app.example/status".to_owned(),
        method: Method::Get,
    };
    Terms {
        status: Some(StatusCallback::new(link, events)),
        ..terms()
    }
}

#[test]
fn status_callback_completed_is_the_default() {
    let mut line = Line::by(facts(), told(vec![]), "<Play>a.wav</Play>");
    line.actions();
    line.pass(Duration::from_millis(61_900));
    line.tell(Input::CallerLeft);
    let notices = line.notices();
    assert_eq!(notices.len(), 1);
    let Notice {
        url,
        method,
        form,
        what,
    } = &notices[0];
    assert_eq!(
        (url.as_str(), *method, what.as_str()),
        ("https://app.example/status", Method::Get, "call completed")
    );
    for (name, expected) in [
        ("CallStatus", "completed"),
        ("CallDuration", "61"),
        ("SequenceNumber", "0"),
        ("CallbackSource", "call-progress-events"),
        ("CallSid", facts().call.as_str()),
        ("Timestamp", "Fri, 20 Nov 2026 01:03:04 +0000"),
    ] {
        assert_eq!(value(form, name), Some(expected), "{name}");
    }
}

#[test]
fn status_callback_adds_the_recording() {
    let mut line = Line::by(facts(), told(vec![]), "<Record/>");
    line.tell(Input::Recorded {
        record: 1,
        recording: Some(sid(SidKind::Recording, "r")),
        length: Duration::from_secs(4),
        ended: RecordEnd::Silence,
    });
    line.fetched();
    line.reply("<Hangup/>");
    let notices = line.notices();
    assert_eq!(value(&notices[0].form, "RecordingDuration"), Some("4"));
    assert_eq!(
        value(&notices[0].form, "RecordingSid"),
        Some(sid(SidKind::Recording, "r").as_str())
    );
    assert!(value(&notices[0].form, "RecordingUrl").is_some());
}

#[test]
fn outbound_calls_tell_their_progress_in_order() {
    let facts = Facts {
        direction: Direction::OutboundApi,
        ..facts()
    };
    let all = vec![
        ProgressEvent::Initiated,
        ProgressEvent::Ringing,
        ProgressEvent::Answered,
        ProgressEvent::Completed,
    ];
    let mut line = Line::of(facts.clone(), told(all));
    assert_eq!(line.run.status(), CallStatus::Queued);
    assert_eq!(line.actions(), []);
    let call = facts.call.clone();
    line.tell(Input::Outbound(LegNews::Initiated { call }));
    line.tell(Input::Outbound(LegNews::Ringing));
    line.tell(Input::Outbound(LegNews::Answered));
    let actions = line.actions();
    line.reply("<Hangup/>");
    let mut forms: Vec<Form> = actions
        .into_iter()
        .chain(line.actions())
        .filter_map(|action| match action {
            Action::Notify(notice) => Some(notice.form),
            Action::Answer => panic!("it has answered itself"),
            _ => None,
        })
        .collect();
    let seen: Vec<(String, String)> = forms
        .drain(..)
        .map(|form| {
            let get = |name: &str| value(&form, name).unwrap_or_default().to_owned();
            (get("CallStatus"), get("SequenceNumber"))
        })
        .collect();
    let expected = [
        ("initiated", "0"),
        ("ringing", "1"),
        ("in-progress", "2"),
        ("completed", "3"),
    ];
    assert_eq!(
        seen,
        expected.map(|(status, number)| (status.to_owned(), number.to_owned()))
    );

    for (sip, status) in [(486, "busy"), (480, "no-answer"), (404, "failed")] {
        let mut line = Line::of(facts.clone(), told(vec![]));
        line.tell(Input::Outbound(LegNews::Ended { status: sip }));
        assert_eq!(value(&line.notices()[0].form, "CallStatus"), Some(status));
        assert!(line.run.is_over());
    }
}

#[test]
fn a_caller_who_gives_up_before_the_answer_is_no_answer() {
    let mut line = Line::by(facts(), told(vec![]), "<Pause length=\"20\"/>");
    line.tell(Input::CallerLeft);
    let notices = line.notices();
    assert_eq!(value(&notices[0].form, "CallStatus"), Some("no-answer"));
    assert_eq!(value(&notices[0].form, "CallDuration"), Some("0"));
}

#[test]
fn call_time_limit_ends_it() {
    let limited = Terms {
        time_limit: Duration::from_secs(90),
        ..terms()
    };
    let mut line = Line::by(facts(), limited, "<Play loop=\"0\">a.wav</Play>");
    line.actions();
    line.pass_s(89);
    assert_eq!(line.actions(), []);
    line.pass_s(1);
    assert_eq!(hang_up_status(&line.actions()), Some(200));
    assert_eq!(Terms::LONGEST, Duration::from_secs(14_400));

    let mut line = Line::with("<Play loop=\"0\">a.wav</Play>");
    line.actions();
    line.tell(Input::Modify(Modification::TimeLimit(Duration::from_secs(
        10,
    ))));
    line.pass_s(10);
    assert_eq!(hang_up_status(&line.actions()), Some(200));
}

#[test]
fn call_update_url_redirects_a_live_call() {
    let mut line = Line::with("<Say>a</Say><Say>b</Say>");
    line.actions();
    line.tell(Input::Modify(Modification::Redirect(Link::post(
        "https://app.example/other",
    ))));
    let actions = line.actions();
    assert_eq!(actions[0], Action::StopPlay);
    assert!(
        matches!(&actions[1], Action::Fetch(fetch) if fetch.url == "https://app.example/other")
    );
    line.tell(Input::PlayDone { play: 1 });
    assert_eq!(line.actions(), []);
}

#[test]
fn call_update_twiml_executes_a_document() {
    let mut line = Line::with("<Pause length=\"60\"/>");
    let document = Document::parse_inline(&response("<Redirect>next</Redirect>")).unwrap();
    line.tell(Input::Modify(Modification::Document(Box::new(document))));
    assert_eq!(line.fetched().url, "https://app.example/next");
    assert_eq!(
        line.run.poll_timeout().map(|at| at.since(line.now)),
        Some(Duration::from_secs(60)),
        "the pause is over"
    );
}

#[test]
fn call_update_status_completed_and_canceled() {
    let mut line = Line::with("<Say>a</Say>");
    line.actions();
    line.tell(Input::Modify(Modification::Cancel));
    assert_eq!(line.actions(), [], "too late: it was answered");
    line.tell(Input::Modify(Modification::Complete));
    assert_eq!(hang_up_status(&line.actions()), Some(200));
    let mut line = Line::with("<Pause length=\"9\"/>");
    line.tell(Input::Modify(Modification::Cancel));
    assert_eq!(hang_up_status(&line.actions()), Some(487));
    assert_eq!(line.run.status(), CallStatus::Canceled);
}

#[test]
fn call_update_status_callback_turns_to_another_and_counts_on() {
    let told = |url: &str| {
        StatusCallback::new(
            Link::post(url),
            vec![ProgressEvent::Answered, ProgressEvent::Completed],
        )
    };
    let terms = Terms {
        status: Some(told("https://app.example/status")),
        ..terms()
    };
    let mut line = Line::by(facts(), terms, "<Say>a</Say>");
    assert_eq!(line.notices()[0].url, "https://app.example/status");
    let other = told("https://other.example/status");
    line.tell(Input::Modify(Modification::StatusCallback(other.clone())));
    assert_eq!(line.actions(), [], "what is said goes on");
    line.tell(Input::CallerLeft);
    let notices = line.notices();
    assert_eq!(notices.len(), 1);
    assert_eq!(notices[0].url, other.link.url);
    assert_eq!(value(&notices[0].form, "SequenceNumber"), Some("1"));
    assert_eq!(value(&notices[0].form, "CallStatus"), Some("completed"));
    // Who told nobody tells somebody.
    let mut line = Line::with("<Say>a</Say>");
    line.tell(Input::Modify(Modification::StatusCallback(other)));
    line.tell(Input::CallerLeft);
    assert_eq!(value(&line.notices()[0].form, "SequenceNumber"), Some("0"));
}

#[test]
fn call_update_fallback_url_holds_from_the_next_failure() {
    let mut line = Line::with("<Pause length=\"1\"/><Redirect>next</Redirect>");
    let fallback = Link::post("https://other.example/fallback");
    line.tell(Input::Modify(Modification::Fallback(fallback.clone())));
    line.pass_s(1);
    assert_eq!(line.fetched().url, "https://app.example/next");
    failing(&mut line);
    let fetch = line.fetched();
    assert_eq!(fetch.url, fallback.url);
    assert_eq!(value(&fetch.form, "ErrorCode"), Some("11205"));
}

#[test]
fn call_made_with_twiml_needs_no_request() {
    let document = Document::parse_inline(&response("<Say>Hello</Say>")).unwrap();
    let source = Source::Document(Box::new(document));
    let facts = Facts {
        direction: Direction::OutboundApi,
        ..facts()
    };
    let mut line = Line::of(facts, Terms { source, ..terms() });
    line.tell(Input::Outbound(LegNews::Answered));
    let actions = line.actions();
    assert!(matches!(&actions[..], [Action::Play { .. }]), "{actions:?}");
}

#[test]
fn refer_tells_how_it_went() {
    for (status, word) in [
        (200, "completed"),
        (486, "busy"),
        (603, "busy"),
        (404, "failed"),
    ] {
        let mut line = Line::with("<Refer action=\"/ref\"><Sip>sip:a@b.example</Sip></Refer>");
        let actions = line.actions();
        assert_eq!(
            actions[1],
            Action::Refer {
                to: "sip:a@b.example".to_owned()
            }
        );
        line.tell(Input::Referred { status });
        let form = line.fetched().form;
        assert_eq!(value(&form, "ReferCallStatus"), Some(word));
        assert_eq!(
            value(&form, "NotifySipResponseCode"),
            Some(status.to_string().as_str())
        );
    }
    let mut line = Line::with("<Refer><Sip>sip:a@b.example</Sip></Refer><Pause/>");
    line.actions();
    line.pass_s(60);
    line.pass_s(1);
    assert_eq!(hang_up_status(&line.actions()), Some(200));
}

#[test]
fn leave_outside_of_a_line_is_passed_over() {
    let mut line = Line::with("<Leave/><Reject/>");
    assert_eq!(hang_up_status(&line.actions()), Some(603));
    assert_eq!(line.run.remarks()[0].code, 12200);
}

#[test]
fn a_run_read_back_goes_on_where_it_was() {
    let mut line = Line::with("<Gather numDigits=\"2\" action=\"/a\"><Say>a</Say></Gather>");
    line.actions();
    line.keys("1");
    line.actions();
    let stored = serde_json::to_string(&line.run).unwrap();
    let read: Run = serde_json::from_str(&stored).unwrap();
    assert_eq!(read, line.run);
    line.run = read;
    line.keys("2");
    assert_eq!(value(&line.fetched().form, "Digits"), Some("12"));
}

#[test]
fn a_thousand_verbs_that_take_no_time_need_no_deep_stack() {
    let dials = "<Dial callerId=\"+1\">+81312345678</Dial>".repeat(1_000);
    let mut line = Line::with(&dials);
    assert_eq!(hang_up_status(&line.actions()), Some(200));
}
