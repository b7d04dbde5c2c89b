//! `<Enqueue>` under way: what the line is told, what the caller hears, how it ends.

use serde_json::json;

use super::*;
use crate::router::Destination;

fn standing(position: u32) -> Input {
    Input::Queue(QueueNews::Standing(Standing {
        queue: sid(SidKind::Queue, "q"),
        position,
        size: 5,
        max_size: 1000,
        average_wait: Duration::from_secs(42),
    }))
}

/// A caller in a line, with what the line was told.
fn waiting(verb: &str) -> (Line, Enqueueing) {
    let mut line = Line::with(&format!("{verb}<Reject/>"));
    let actions = line.actions();
    assert!(is_answered(&actions));
    match actions.last() {
        Some(Action::Enqueue(enqueueing)) => (line, enqueueing.clone()),
        other => panic!("{other:?}"),
    }
}

/// One that has a wait document at hand.
fn hearing(verbs: &str) -> Line {
    let (mut line, _) = waiting("<Enqueue action=\"/done\" waitUrl=\"/wait\">q</Enqueue>");
    line.tell(standing(3));
    line.fetched();
    line.reply(verbs);
    line
}

fn result(form: &Form) -> &str {
    value(form, "QueueResult").expect("it is always told")
}

#[test]
fn enqueue_names_a_queue() {
    let (_, enqueueing) = waiting("<Enqueue maxQueueSize=\"7\">Support</Enqueue>");
    assert_eq!(enqueueing.to, Destination::Queue("Support".to_owned()));
    assert_eq!(
        (enqueueing.max_size, enqueueing.priority, enqueueing.timeout),
        (Some(7), 0, None)
    );
    assert_eq!(enqueueing.wait, WaitSound::Music);
    let (_, enqueueing) = waiting("<Enqueue waitUrl=\"\">q</Enqueue>");
    assert_eq!(enqueueing.wait, WaitSound::Silence);
}

#[test]
fn enqueue_workflow_sid_makes_a_task_with_attributes_merged() {
    let (_, enqueueing) = waiting(
        "<Enqueue workflowSid=\"WW1\"><Task priority=\"9\" timeout=\"60\">{\"skill\":\"x\",\"from\":\"mine\"}</Task></Enqueue>",
    );
    assert_eq!(enqueueing.to, Destination::Workflow("WW1".to_owned()));
    assert_eq!(
        (enqueueing.priority, enqueueing.timeout),
        (9, Some(Duration::from_secs(60)))
    );
    let expected = json!({
        "call_sid": facts().call.as_str(),
        "account_sid": facts().account.as_str(),
        "from": "mine",
        "to": "+81312345678",
        "caller": "+819012345678",
        "called": "+81312345678",
        "direction": "inbound",
        "call_status": "in-progress",
        "api_version": "2010-04-01",
        "skill": "x",
    });
    assert_eq!(serde_json::Value::Object(enqueueing.attributes), expected);
}

#[test]
fn enqueue_wait_url_is_told_where_the_caller_stands_and_loops() {
    let (mut line, _) = waiting("<Enqueue waitUrl=\"/wait\" waitUrlMethod=\"GET\">q</Enqueue>");
    line.pass_s(2);
    assert_eq!(line.actions(), [], "not before he is in");
    line.tell(standing(3));
    let fetch = line.fetched();
    assert_eq!(
        (fetch.url.as_str(), fetch.method),
        ("https://app.example/wait", Method::Get)
    );
    for (name, expected) in [
        ("QueuePosition", "3"),
        ("QueueSid", sid(SidKind::Queue, "q").as_str()),
        ("QueueTime", "2"),
        ("AvgQueueTime", "42"),
        ("CurrentQueueSize", "5"),
        ("MaxQueueSize", "1000"),
        ("CallStatus", "in-progress"),
    ] {
        assert_eq!(value(&fetch.form, name), Some(expected), "{name}");
    }
    line.reply("<Play>music.mp3</Play>");
    let heard = line.actions();
    let Action::Play { play, .. } = &heard[0] else {
        panic!("{heard:?}")
    };
    line.tell(standing(2));
    line.pass_s(30);
    line.tell(Input::PlayDone { play: *play });
    let fetch = line.fetched();
    assert_eq!(
        (
            value(&fetch.form, "QueuePosition"),
            value(&fetch.form, "QueueTime")
        ),
        (Some("2"), Some("32"))
    );
}

#[test]
fn enqueue_wait_may_gather_redirect_pause_and_no_dial() {
    let mut line =
        hearing("<Dial>1</Dial><Gather action=\"/key\" numDigits=\"1\"><Say>a</Say></Gather>");
    assert_eq!(line.run.remarks().len(), 1);
    line.actions();
    line.keys("5");
    let actions = line.actions();
    assert_eq!(actions[0], Action::StopPlay);
    let Action::Fetch(fetch) = &actions[1] else {
        panic!("{actions:?}")
    };
    assert_eq!(
        (fetch.url.as_str(), value(&fetch.form, "Digits")),
        ("https://app.example/key", Some("5"))
    );
    assert!(value(&fetch.form, "QueueTime").is_some());
    line.reply("<Pause length=\"3\"/><Redirect>/again</Redirect>");
    line.pass_s(3);
    assert_eq!(line.fetched().url, "https://app.example/again");
}

#[test]
fn enqueue_wait_that_takes_no_time_becomes_silence_and_keeps_the_place() {
    let mut line = hearing("");
    for _ in 0..100 {
        if line.actions().is_empty() {
            break;
        }
        line.reply("");
    }
    assert_eq!(
        line.run.remarks().last().map(|fault| fault.code),
        Some(11215)
    );
    assert!(!line.run.is_over());
    line.tell(Input::Queue(QueueNews::Bridged));
    line.tell(Input::Queue(QueueNews::BridgeEnded));
    assert_eq!(result(&line.fetched().form), "bridged");
}

#[test]
fn enqueue_wait_that_fails_becomes_silence_and_keeps_the_place() {
    let mut line = hearing("<Speak/>");
    assert_eq!(line.actions(), []);
    assert!(!line.run.is_over());
}

#[test]
fn queue_result_leave() {
    let mut line = hearing("<Pause length=\"4\"/><Leave/>");
    line.pass_s(4);
    let actions = line.actions();
    assert_eq!(actions[0], Action::LeaveQueue);
    let Action::Fetch(fetch) = &actions[1] else {
        panic!("{actions:?}")
    };
    assert_eq!(fetch.url, "https://app.example/done");
    assert_eq!(
        (result(&fetch.form), value(&fetch.form, "QueueTime")),
        ("leave", Some("4"))
    );
    assert_eq!(
        value(&fetch.form, "QueueSid"),
        Some(sid(SidKind::Queue, "q").as_str())
    );
    line.reply("<Hangup/>");
    assert_eq!(hang_up_status(&line.actions()), Some(200));
}

#[test]
fn queue_result_bridged_action_only_once_after_the_bridge_ends() {
    let mut line = hearing("<Play>a.mp3</Play>");
    line.actions();
    line.pass_s(10);
    line.tell(Input::Queue(QueueNews::Bridged));
    assert_eq!(line.actions(), [Action::StopPlay]);
    line.pass_s(100);
    assert_eq!(line.actions(), []);
    line.tell(Input::Queue(QueueNews::BridgeEnded));
    let form = line.fetched().form;
    assert_eq!(
        (result(&form), value(&form, "QueueTime")),
        ("bridged", Some("10"))
    );
    line.tell(Input::Queue(QueueNews::BridgeEnded));
    assert_eq!(line.actions(), []);
}

#[test]
fn queue_result_hangup_by_the_caller_and_by_the_document() {
    let mut line = hearing("<Play>a.mp3</Play>");
    line.tell(Input::CallerLeft);
    let notices = line.notices();
    assert_eq!((notices.len(), result(&notices[0].form)), (1, "hangup"));
    assert_eq!(value(&notices[0].form, "CallStatus"), Some("completed"));
    let mut line = hearing("<Hangup/>");
    let actions = line.actions();
    assert_eq!(hang_up_status(&actions), Some(200));
    let Action::Notify(notice) = &actions[0] else {
        panic!("{actions:?}")
    };
    assert_eq!(result(&notice.form), "hangup");
}

#[test]
fn queue_result_queue_full_error_and_system_error() {
    let failed = |own| QueueNews::Failed {
        words: "gone".to_owned(),
        own,
    };
    for (news, word) in [
        (QueueNews::Full, "queue-full"),
        (failed(false), "error"),
        (failed(true), "system-error"),
    ] {
        let (mut line, _) = waiting("<Enqueue action=\"/done\">q</Enqueue>");
        line.tell(Input::Queue(news));
        assert_eq!(result(&line.fetched().form), word);
    }
    let (mut line, _) = waiting("<Enqueue>q</Enqueue>");
    line.tell(Input::Queue(QueueNews::Full));
    assert_eq!(
        hang_up_status(&line.actions()),
        Some(200),
        "without action the next verb follows"
    );
}

#[test]
fn queue_result_redirected_and_redirected_from_bridged() {
    let other = || {
        Input::Modify(Modification::Redirect(Link::post(
            "https://app.example/other",
        )))
    };
    let mut line = hearing("<Play>a.mp3</Play>");
    line.actions();
    line.tell(other());
    let actions = line.actions();
    assert_eq!(actions[..2], [Action::StopPlay, Action::LeaveQueue]);
    let Action::Notify(notice) = &actions[2] else {
        panic!("{actions:?}")
    };
    assert_eq!(
        (result(&notice.form), value(&notice.form, "CallStatus")),
        ("redirected", Some("in-progress"))
    );
    assert!(
        matches!(&actions[3], Action::Fetch(fetch) if fetch.url == "https://app.example/other")
    );
    let mut line = hearing("");
    line.tell(Input::Queue(QueueNews::Bridged));
    line.actions();
    line.tell(other());
    assert_eq!(result(&line.notices()[0].form), "redirected-from-bridged");
}

#[test]
fn queue_result_bridging_in_process() {
    let mut line = hearing("<Play>a.mp3</Play>");
    line.tell(Input::Queue(QueueNews::BridgingInProcess));
    line.tell(Input::CallerLeft);
    assert_eq!(result(&line.notices()[0].form), "bridging-in-process");
}

#[test]
fn queue_url_is_heard_by_the_caller_who_waited() {
    let mut line = hearing("<Play>a.mp3</Play>");
    line.actions();
    let link = Link::post("https://app.example/about");
    let by = sid(SidKind::Call, "agent");
    line.tell(Input::Queue(QueueNews::Whisper {
        link,
        by: by.clone(),
    }));
    let actions = line.actions();
    assert_eq!(actions[0], Action::StopPlay);
    let Action::Fetch(fetch) = &actions[1] else {
        panic!("{actions:?}")
    };
    assert_eq!(value(&fetch.form, "DequeingCallSid"), Some(by.as_str()));
    assert!(value(&fetch.form, "QueueTime").is_some());
    line.reply("<Gather/><Say>You are connected</Say>");
    line.played();
    assert_eq!(
        line.actions(),
        [Action::WhisperDone],
        "nothing but Say, Play, Pause, Redirect"
    );
    line.tell(Input::Queue(QueueNews::Bridged));
    assert_eq!(line.actions(), []);
}

#[test]
fn a_caller_who_is_given_back_hears_of_waiting_again_and_not_the_rest_of_the_whisper() {
    let mut line = hearing("<Play>a.mp3</Play>");
    line.actions();
    line.tell(Input::Queue(QueueNews::Whisper {
        link: Link::post("https://app.example/about"),
        by: sid(SidKind::Call, "agent"),
    }));
    line.actions();
    line.reply("<Play>b.mp3</Play>");
    line.actions();
    line.tell(Input::Queue(QueueNews::GivenBack));
    let actions = line.actions();
    assert_eq!(actions[0], Action::StopPlay);
    let Action::Fetch(fetch) = &actions[1] else {
        panic!("{actions:?}")
    };
    assert_eq!(fetch.url, "https://app.example/wait");
    assert_eq!(value(&fetch.form, "QueuePosition"), Some("3"));
    line.tell(Input::CallerLeft);
    assert_eq!(result(&line.notices()[0].form), "hangup");

    // Without a document of waiting nothing is read.
    let (mut line, _) = waiting("<Enqueue>q</Enqueue>");
    line.tell(Input::Queue(QueueNews::Whisper {
        link: Link::post("https://app.example/about"),
        by: sid(SidKind::Call, "agent"),
    }));
    line.actions();
    line.reply("<Play>b.mp3</Play>");
    line.actions();
    line.tell(Input::Queue(QueueNews::GivenBack));
    assert_eq!(line.actions(), [Action::StopPlay]);
}

#[test]
fn a_waiting_caller_read_back_waits_on() {
    let mut line = hearing("<Gather numDigits=\"2\"/>");
    line.actions();
    line.keys("1");
    let stored = serde_json::to_string(&line.run).unwrap();
    line.run = serde_json::from_str(&stored).unwrap();
    line.keys("2");
    assert_eq!(value(&line.fetched().form, "Digits"), Some("12"));
}
