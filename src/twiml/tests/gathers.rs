//! `<Gather>`, `<Record>`, `<Play>`, `<Say>`, `<Pause>` under way.

use super::*;

fn gathering(attributes: &str, nested: &str) -> Line {
    let mut line = Line::with(&format!("<Gather {attributes}>{nested}</Gather><Reject/>"));
    assert!(line.run.status() == CallStatus::InProgress);
    if nested.is_empty() {
        line.actions();
    }
    line
}

/// The document went on behind the question.
fn fell_through(line: &mut Line) -> bool {
    hang_up_status(&line.actions()) == Some(200)
}

#[test]
fn gather_digits_go_to_the_action() {
    let mut line = gathering("action=\"/got\" numDigits=\"3\"", "");
    line.keys("12");
    assert_eq!(line.actions(), []);
    line.keys("3");
    let fetch = line.fetched();
    assert_eq!(
        (fetch.url.as_str(), fetch.method),
        ("https://app.example/got", Method::Post)
    );
    assert_eq!(value(&fetch.form, "Digits"), Some("123"));
    assert_eq!(value(&fetch.form, "CallStatus"), Some("in-progress"));
}

#[test]
fn gather_without_action_asks_the_same_document() {
    let mut line = gathering("", "");
    line.keys("1#");
    assert_eq!(line.fetched().url, "https://app.example/start#rc=2");
}

#[test]
fn gather_finish_key_is_not_part_of_the_answer() {
    let mut line = gathering("", "");
    line.keys("12#");
    assert_eq!(value(&line.fetched().form, "Digits"), Some("12"));
    let mut line = gathering("finishOnKey=\"*\"", "");
    line.keys("1#2*");
    assert_eq!(value(&line.fetched().form, "Digits"), Some("1#2"));
    let mut line = gathering("finishOnKey=\"\"", "");
    line.keys("#*");
    line.pass_s(5);
    assert_eq!(value(&line.fetched().form, "Digits"), Some("#*"));
}

#[test]
fn gather_only_a_finish_key_is_no_input() {
    let mut line = gathering("", "");
    line.keys("#");
    assert!(fell_through(&mut line));
}

#[test]
fn gather_timeout_begins_without_prompts_at_once() {
    let mut line = gathering("timeout=\"7\"", "");
    line.pass(Duration::from_millis(6_999));
    assert_eq!(line.actions(), []);
    line.pass(Duration::from_millis(1));
    assert!(fell_through(&mut line));
}

#[test]
fn gather_timeout_begins_after_nested_prompts() {
    let mut line = gathering(
        "",
        "<Say>a</Say><Pause length=\"2\"/><Play loop=\"2\">b.wav</Play>",
    );
    line.pass_s(300);
    let actions = line.actions();
    let Some(Action::Play { play, prompts }) = actions.last() else {
        panic!("{actions:?}")
    };
    assert_eq!(prompts.len(), 3);
    assert_eq!(prompts[1].what, Utterance::Silence(Duration::from_secs(2)));
    let expected = Prompt {
        what: Utterance::Url("https://app.example/b.wav".to_owned()),
        times: 2,
    };
    assert_eq!(prompts[2], expected);
    line.tell(Input::PlayDone { play: *play });
    line.pass(Duration::from_millis(4_999));
    assert_eq!(line.actions(), []);
    line.pass(Duration::from_millis(1));
    assert!(fell_through(&mut line));
}

#[test]
fn gather_timeout_begins_anew_with_each_key() {
    let mut line = gathering("", "<Say>a</Say>");
    line.actions();
    line.keys("1");
    assert_eq!(line.actions(), [Action::StopPlay]);
    line.pass_s(4);
    line.keys("2");
    line.pass_s(4);
    assert_eq!(line.actions(), []);
    line.pass_s(1);
    assert_eq!(value(&line.fetched().form, "Digits"), Some("12"));
}

#[test]
fn gather_barge_in_can_be_forbidden() {
    let mut line = gathering("bargeIn=\"false\"", "<Say>a</Say>");
    line.keys("1");
    line.played();
    line.keys("2#");
    assert_eq!(value(&line.fetched().form, "Digits"), Some("2"));
}

#[test]
fn gather_action_on_empty_result_is_told() {
    let mut line = gathering("actionOnEmptyResult=\"true\"", "");
    line.pass_s(5);
    assert_eq!(value(&line.fetched().form, "Digits"), Some(""));
}

#[test]
fn gather_input_speech_result_and_confidence() {
    let mut line = gathering(
        "input=\"speech\" partialResultCallback=\"/part\"",
        "<Say>a</Say>",
    );
    let actions = line.actions();
    let listens = actions
        .iter()
        .filter(|action| matches!(action, Action::Listen { listen: 1, .. }));
    assert_eq!(listens.count(), 1, "{actions:?}");
    line.keys("5");
    assert_eq!(line.actions(), [], "keys are not listened for");
    let partial = |text: &str| Input::Speech {
        listen: 1,
        news: SpeechNews::Partial {
            text: text.to_owned(),
            stability: 0.5,
        },
    };
    line.tell(partial("hel"));
    line.tell(partial("hello"));
    let actions = line.actions();
    assert_eq!(actions[0], Action::StopPlay);
    let Action::Notify(notice) = &actions[2] else {
        panic!("{actions:?}")
    };
    assert_eq!(notice.url, "https://app.example/part");
    assert_eq!(value(&notice.form, "UnstableSpeechResult"), Some("hello"));
    assert_eq!(
        (
            value(&notice.form, "Stability"),
            value(&notice.form, "SequenceNumber")
        ),
        (Some("0.500"), Some("1"))
    );
    line.pass_s(59);
    let news = SpeechNews::Final {
        text: "hello there".to_owned(),
        confidence: 7.0,
    };
    line.tell(Input::Speech { listen: 1, news });
    let form = line.fetched().form;
    assert_eq!(
        (value(&form, "SpeechResult"), value(&form, "Confidence")),
        (Some("hello there"), Some("1.000"))
    );
    assert_eq!(value(&form, "Digits"), None);
}

#[test]
fn gather_speech_lasts_60_s_at_most() {
    let mut line = gathering("input=\"speech\"", "");
    line.tell(Input::Speech {
        listen: 1,
        news: SpeechNews::Began,
    });
    line.pass_s(59);
    assert_eq!(line.actions(), []);
    line.pass_s(1);
    assert!(line.actions().contains(&Action::StopListening));
}

#[test]
fn gather_input_both_first_detected_wins() {
    let mut line = gathering("input=\"dtmf speech\"", "");
    line.keys("1");
    assert_eq!(line.actions(), [Action::StopListening]);
    let news = SpeechNews::Final {
        text: "one".to_owned(),
        confidence: 0.9,
    };
    line.tell(Input::Speech { listen: 1, news });
    line.keys("#");
    assert_eq!(value(&line.fetched().form, "Digits"), Some("1"));
}

#[test]
fn say_and_play_are_heard_by_answered_callers_one_after_the_other() {
    let mut line = Line::with("<Say loop=\"2\">a</Say><Play>/b.wav</Play><Play digits=\"1w2\"/>");
    let actions = line.actions();
    assert_eq!(actions[0], Action::Answer);
    let Action::Play { play, prompts } = &actions[1] else {
        panic!("{actions:?}")
    };
    assert_eq!((actions.len(), prompts[0].times), (2, 2));
    line.keys("1");
    assert_eq!(line.actions(), [], "keys do not stop them");
    line.tell(Input::PlayDone { play: *play });
    let heard: Vec<Action> = line.actions();
    let Action::Play { play, prompts } = &heard[0] else {
        panic!("{heard:?}")
    };
    assert_eq!(
        prompts[0].what,
        Utterance::Url("https://app.example/b.wav".to_owned())
    );
    let words = "no such file".to_owned();
    line.tell(Input::PlayFailed {
        play: *play,
        code: 11200,
        words,
    });
    assert_eq!(
        line.run.remarks().last().map(|fault| fault.code),
        Some(11200)
    );
    let heard = line.actions();
    let Action::Play { prompts, .. } = &heard[0] else {
        panic!("{heard:?}")
    };
    assert_eq!(prompts[0].what, Utterance::Digits("1w2".to_owned()));
    line.tell(Input::PlayDone { play: 1 });
    assert_eq!(line.actions(), [], "another play's end is nothing");
}

#[test]
fn pause_waits_and_leaves_the_call_unanswered() {
    let mut line = Line::with("<Pause length=\"9\"/><Reject reason=\"busy\"/>");
    line.pass(Duration::from_millis(8_999));
    assert_eq!(line.actions(), []);
    line.pass(Duration::from_millis(1));
    let actions = line.actions();
    assert_eq!(
        (hang_up_status(&actions), is_answered(&actions)),
        (Some(486), false)
    );
}

fn recorded(recording: Option<&str>, seconds: u64, ended: RecordEnd) -> Input {
    Input::Recorded {
        record: 1,
        recording: recording.map(|id| sid(SidKind::Recording, id)),
        length: Duration::from_secs(seconds),
        ended,
    }
}

#[test]
fn record_tells_the_action_what_was_said() {
    let mut line =
        Line::with("<Record action=\"/rec\" recordingStatusCallback=\"/file\" maxLength=\"30\"/>");
    let actions = line.actions();
    let Some(Action::Record {
        record: 1,
        terms,
        callback,
        ..
    }) = actions.last()
    else {
        panic!("{actions:?}")
    };
    assert_eq!(
        (terms.longest, terms.silence, terms.beep),
        (Duration::from_secs(30), Duration::from_secs(5), true)
    );
    let callback = callback.clone().expect("it was asked for");
    assert_eq!(callback.link.url, "https://app.example/file");
    line.tell(recorded(Some("r"), 12, RecordEnd::Key('*')));
    let fetch = line.fetched();
    assert_eq!(fetch.url, "https://app.example/rec");
    let recording = sid(SidKind::Recording, "r");
    let url = format!(
        "https://pbx.example/2010-04-01/Accounts/{}/Recordings/{recording}",
        facts().account
    );
    assert_eq!(value(&fetch.form, "RecordingUrl"), Some(url.as_str()));
    assert_eq!(value(&fetch.form, "RecordingDuration"), Some("12"));
    assert_eq!(value(&fetch.form, "Digits"), Some("*"));

    let news = |event| RecordingNews {
        recording: recording.clone(),
        event,
        length: Duration::from_secs(12),
        channels: 1,
        source: "RecordVerb".to_owned(),
    };
    line.tell(Input::Recording(news(RecordingEvent::InProgress)));
    assert_eq!(
        line.notices(),
        [],
        "only completed is told when nothing is said"
    );
    line.tell(Input::Recording(news(RecordingEvent::Completed)));
    let notices = line.notices();
    assert_eq!(
        value(&notices[0].form, "RecordingStatus"),
        Some("completed")
    );
    assert_eq!(
        value(&notices[0].form, "RecordingSource"),
        Some("RecordVerb")
    );
    assert_eq!(value(&notices[0].form, "RecordingUrl"), Some(url.as_str()));
    // The same when the run is long over.
    let later = callback.notice(
        &facts(),
        "https://pbx.example/",
        &news(RecordingEvent::Completed),
        line.now,
    );
    assert_eq!(later.as_ref(), notices.first());
}

#[test]
fn record_of_silence_goes_on() {
    let mut line = Line::with("<Record/><Reject/>");
    line.tell(recorded(None, 0, RecordEnd::Silence));
    assert!(fell_through(&mut line));
}

#[test]
fn record_ended_by_hanging_up_is_told() {
    let mut line = Line::with("<Record/>");
    line.actions();
    line.tell(recorded(Some("r"), 3, RecordEnd::HungUp));
    line.tell(Input::CallerLeft);
    let notices = line.notices();
    assert_eq!(notices.len(), 1);
    assert_eq!(notices[0].url, "https://app.example/start#rc=2");
    assert_eq!(value(&notices[0].form, "Digits"), Some("hangup"));
    assert_eq!(value(&notices[0].form, "CallStatus"), Some("completed"));
}

#[test]
fn record_that_is_never_told_of_ends_too() {
    let mut line = Line::with("<Record maxLength=\"10\"/><Reject/>");
    line.actions();
    line.pass_s(40);
    let actions = line.actions();
    assert_eq!(actions[0], Action::StopRecording);
    assert_eq!(hang_up_status(&actions), Some(200));
}
