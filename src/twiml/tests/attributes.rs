//! Every attribute: its default, its range, what a value out of it does.

use super::*;

/// A value that counts leaves no remark.
fn good(text: &str) -> Verb {
    let (verb, remarks) = verb(text);
    assert_eq!(remarks, [], "{text}");
    verb
}

/// A value that does not is remarked by this number.
fn doubted(text: &str, code: u16) -> Verb {
    let (verb, remarks) = verb(text);
    assert_eq!(
        remarks.iter().map(|remark| remark.code).collect::<Vec<_>>(),
        [code],
        "{text}: {remarks:?}"
    );
    assert!(remarks[0].at.is_some());
    verb
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

macro_rules! rows {
    ($($name:ident: $pattern:pat => $value:expr; $($text:literal $expected:expr),+; $code:literal: $($wrong:literal),*;)*) => {
        $(#[test]
        fn $name() {
            let value = |verb: Verb| match verb {
                $pattern => $value,
                other => panic!("{other:?}"),
            };
            $(assert_eq!(value(good($text)), $expected, "{}", $text);)+
            let texts: &[&str] = &[$($text),+];
            let default = value(good(texts[0]));
            let wrongs: &[&str] = &[$($wrong),*];
            for wrong in wrongs {
                assert_eq!(value(doubted(wrong, $code)), default, "{wrong}");
            }
        })*
    };
}

fn url(link: Option<Link>) -> Option<(String, Method)> {
    link.map(|link| (link.url, link.method))
}

fn at(url: &str, method: Method) -> Option<(String, Method)> {
    Some((url.to_owned(), method))
}

// The first text of each row has the attribute left out: the default.
rows! {
    say_loop: Verb::Say(say) => say.times;
        "<Say>a</Say>" 1, "<Say loop=\"3\">a</Say>" 3, "<Say loop=\"0\">a</Say>" 1000, "<Say loop=\"1000\">a</Say>" 1000;
        13510: "<Say loop=\"-1\">a</Say>", "<Say loop=\"1001\">a</Say>", "<Say loop=\"x\">a</Say>", "<Say loop=\"\">a</Say>";
    say_voice: Verb::Say(say) => say.voice;
        "<Say>a</Say>" None, "<Say voice=\"alice\">a</Say>" Some("alice".to_owned());
        13511: ;
    say_language: Verb::Say(say) => say.language;
        "<Say>a</Say>" None, "<Say language=\"ja-JP\">a</Say>" Some("ja-JP".to_owned());
        13512: "<Say language=\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\">a</Say>";
    play_loop: Verb::Play(play) => play.times;
        "<Play>a.wav</Play>" 1, "<Play loop=\"0\">a.wav</Play>" 1000, "<Play loop=\"7\">a.wav</Play>" 7;
        13410: "<Play loop=\"-2\">a.wav</Play>", "<Play loop=\"1.5\">a.wav</Play>";
    play_digits: Verb::Play(play) => play.what;
        "<Play>a.wav</Play>" Some(Playable::Url("a.wav".to_owned())),
        "<Play digits=\"0123456789ABCD*#wW\"/>" Some(Playable::Digits("0123456789ABCD*#wW".to_owned()));
        12200: "<Play digits=\"12x\">a.wav</Play>", "<Play digits=\"\">a.wav</Play>";
    pause_length: Verb::Pause(pause) => pause.length;
        "<Pause/>" seconds(1), "<Pause length=\"20\"/>" seconds(20);
        13910: "<Pause length=\"0\"/>", "<Pause length=\"1.5\"/>", "<Pause length=\"-1\"/>";
    redirect_method: Verb::Redirect(redirect) => (redirect.to.url, redirect.to.method);
        "<Redirect>/a</Redirect>" ("/a".to_owned(), Method::Post), "<Redirect method=\"GET\">/a</Redirect>" ("/a".to_owned(), Method::Get);
        13710: "<Redirect method=\"PUT\">/a</Redirect>", "<Redirect method=\"get\">/a</Redirect>";
    reject_reason: Verb::Reject(reject) => reject.reason.status();
        "<Reject/>" 603, "<Reject reason=\"rejected\"/>" 603, "<Reject reason=\"busy\"/>" 486;
        12200: "<Reject reason=\"away\"/>";
    refer_action: Verb::Refer(refer) => url(refer.action);
        "<Refer><Sip>sip:a@b</Sip></Refer>" None,
        "<Refer action=\"/r\" method=\"GET\"><Sip>sip:a@b</Sip></Refer>" at("/r", Method::Get);
        12200: ;
    record_action: Verb::Record(record) => url(record.action);
        "<Record/>" None, "<Record action=\"/a\"/>" at("/a", Method::Post), "<Record method=\"GET\" action=\"/a\"/>" at("/a", Method::Get);
        13610: "<Record method=\"PATCH\"/>";
    record_max_length: Verb::Record(record) => record.terms.longest;
        "<Record/>" seconds(3600), "<Record maxLength=\"20\"/>" seconds(20), "<Record maxLength=\"14400\"/>" seconds(14_400);
        13612: "<Record maxLength=\"0\"/>", "<Record maxLength=\"14401\"/>";
    record_timeout: Verb::Record(record) => record.terms.silence;
        "<Record/>" seconds(5), "<Record timeout=\"10\"/>" seconds(10);
        13611: "<Record timeout=\"0\"/>", "<Record timeout=\"soon\"/>";
    record_finish_on_key: Verb::Record(record) => record.terms.terminators;
        "<Record/>" "1234567890*#", "<Record finishOnKey=\"#\"/>" "#", "<Record finishOnKey=\"\"/>" "";
        13613: "<Record finishOnKey=\"x\"/>";
    record_play_beep: Verb::Record(record) => record.terms.beep;
        "<Record/>" true, "<Record playBeep=\"false\"/>" false;
        13616: "<Record playBeep=\"no\"/>";
    record_trim: Verb::Record(record) => record.trim;
        "<Record/>" Trim::Keep, "<Record trim=\"trim-silence\"/>" Trim::Silence, "<Record trim=\"do-not-trim\"/>" Trim::Keep;
        12200: "<Record trim=\"yes\"/>";
    record_transcribe: Verb::Record(record) => record.terms.beep;
        "<Record transcribe=\"false\"/>" true;
        13614: "<Record transcribe=\"true\"/>", "<Record transcribe=\"maybe\"/>";
    record_recording_status_callback: Verb::Record(record) => record.callback.map(|callback| (callback.link.url, callback.link.method, callback.events));
        "<Record/>" None,
        "<Record recordingStatusCallback=\"/r\"/>" Some(("/r".to_owned(), Method::Post, vec![RecordingEvent::Completed])),
        "<Record recordingStatusCallback=\"/r\" recordingStatusCallbackMethod=\"GET\" recordingStatusCallbackEvent=\"in-progress absent\"/>"
            Some(("/r".to_owned(), Method::Get, vec![RecordingEvent::InProgress, RecordingEvent::Absent]));
        12200: "<Record recordingStatusCallbackEvent=\"begun\"/>";
    gather_action: Verb::Gather(gather) => url(gather.action);
        "<Gather/>" None, "<Gather action=\"/g\"/>" at("/g", Method::Post), "<Gather action=\"/g\" method=\"GET\"/>" at("/g", Method::Get);
        13312: "<Gather method=\"DELETE\"/>";
    gather_action_on_empty_result: Verb::Gather(gather) => gather.action_on_empty_result;
        "<Gather/>" false, "<Gather actionOnEmptyResult=\"true\"/>" true;
        12200: "<Gather actionOnEmptyResult=\"1\"/>";
    gather_finish_on_key: Verb::Gather(gather) => gather.finish_on_key;
        "<Gather/>" "#", "<Gather finishOnKey=\"\"/>" "", "<Gather finishOnKey=\"*\"/>" "*";
        13310: "<Gather finishOnKey=\"A\"/>";
    gather_input: Verb::Gather(gather) => gather.detect;
        "<Gather/>" Detect::Dtmf, "<Gather input=\"speech\"/>" Detect::Speech, "<Gather input=\"speech dtmf\"/>" Detect::Both, "<Gather input=\"dtmf\"/>" Detect::Dtmf;
        12200: "<Gather input=\"voice\"/>", "<Gather input=\"\"/>";
    gather_num_digits: Verb::Gather(gather) => gather.num_digits;
        "<Gather/>" None, "<Gather numDigits=\"4\"/>" Some(4);
        13314: "<Gather numDigits=\"0\"/>", "<Gather numDigits=\"four\"/>";
    gather_timeout: Verb::Gather(gather) => gather.timeout;
        "<Gather/>" seconds(5), "<Gather timeout=\"12\"/>" seconds(12);
        13313: "<Gather timeout=\"0\"/>";
    gather_speech_timeout: Verb::Gather(gather) => gather.speech.end;
        "<Gather/>" SpeechEnd::Silence(seconds(5)), "<Gather speechTimeout=\"3\"/>" SpeechEnd::Silence(seconds(3)), "<Gather speechTimeout=\"auto\"/>" SpeechEnd::Auto;
        13327: "<Gather speechTimeout=\"-3\"/>", "<Gather speechTimeout=\"0\"/>";
    gather_language: Verb::Gather(gather) => gather.speech.language;
        "<Gather/>" "en-US", "<Gather language=\"ja-JP\"/>" "ja-JP";
        12200: ;
    gather_hints: Verb::Gather(gather) => gather.speech.hints.len();
        "<Gather/>" 0, "<Gather hints=\"sales, support,returns\"/>" 3;
        13335: ;
    gather_max_speech_time: Verb::Gather(gather) => gather.speech.longest;
        "<Gather/>" seconds(60), "<Gather maxSpeechTime=\"10\"/>" seconds(10);
        12200: "<Gather maxSpeechTime=\"61\"/>";
    gather_profanity_filter: Verb::Gather(gather) => gather.speech.profanity_filter;
        "<Gather/>" true, "<Gather profanityFilter=\"false\"/>" false;
        12200: "<Gather profanityFilter=\"x\"/>";
    gather_speech_model: Verb::Gather(gather) => (gather.speech.model, gather.speech.enhanced);
        "<Gather/>" (None, false), "<Gather speechModel=\"phone_call\" enhanced=\"true\"/>" (Some("phone_call".to_owned()), true);
        12200: "<Gather enhanced=\"x\"/>";
    gather_barge_in: Verb::Gather(gather) => gather.barge_in;
        "<Gather/>" true, "<Gather bargeIn=\"false\"/>" false;
        12200: "<Gather bargeIn=\"0\"/>", "<Gather debug=\"true\"/>";
    gather_partial_result_callback: Verb::Gather(gather) => url(gather.speech.partial);
        "<Gather/>" None, "<Gather partialResultCallback=\"/p\"/>" at("/p", Method::Post),
        "<Gather partialResultCallback=\"/p\" partialResultCallbackMethod=\"GET\"/>" at("/p", Method::Get);
        12200: "<Gather partialResultCallbackMethod=\"x\"/>";
    dial_action: Verb::Dial(dial) => url(dial.action);
        "<Dial>1</Dial>" None, "<Dial action=\"/d\">1</Dial>" at("/d", Method::Post), "<Dial action=\"/d\" method=\"GET\">1</Dial>" at("/d", Method::Get);
        13210: "<Dial method=\"x\">1</Dial>";
    dial_caller_id: Verb::Dial(dial) => dial.caller_id;
        "<Dial>1</Dial>" None, "<Dial callerId=\"+8131\">1</Dial>" Some("+8131".to_owned());
        13214: ;
    dial_timeout: Verb::Dial(dial) => dial.timeout;
        "<Dial>1</Dial>" seconds(30), "<Dial timeout=\"600\">1</Dial>" seconds(600);
        13212: "<Dial timeout=\"0\">1</Dial>", "<Dial timeout=\"601\">1</Dial>";
    dial_time_limit: Verb::Dial(dial) => dial.time_limit;
        "<Dial>1</Dial>" seconds(14_400), "<Dial timeLimit=\"60\">1</Dial>" seconds(60);
        13216: "<Dial timeLimit=\"0\">1</Dial>", "<Dial timeLimit=\"90000\">1</Dial>";
    dial_hangup_on_star: Verb::Dial(dial) => dial.hangup_on_star;
        "<Dial>1</Dial>" false, "<Dial hangupOnStar=\"true\">1</Dial>" true;
        13213: "<Dial hangupOnStar=\"x\">1</Dial>";
    dial_answer_on_bridge: Verb::Dial(dial) => dial.answer_on_bridge;
        "<Dial>1</Dial>" false, "<Dial answerOnBridge=\"true\">1</Dial>" true;
        12200: "<Dial answerOnBridge=\"x\">1</Dial>";
    dial_sequential: Verb::Dial(dial) => dial.sequential;
        "<Dial>1</Dial>" false, "<Dial sequential=\"true\">1</Dial>" true;
        12200: "<Dial sequential=\"x\">1</Dial>";
    dial_record: Verb::Dial(dial) => dial.record.map(|record| (record.from, record.channels));
        "<Dial>1</Dial>" None,
        "<Dial record=\"do-not-record\">1</Dial>" None,
        "<Dial record=\"false\">1</Dial>" None,
        "<Dial record=\"true\">1</Dial>" Some((RecordFrom::Answer, Channels::Mono)),
        "<Dial record=\"record-from-answer\">1</Dial>" Some((RecordFrom::Answer, Channels::Mono)),
        "<Dial record=\"record-from-answer-dual\">1</Dial>" Some((RecordFrom::Answer, Channels::Dual)),
        "<Dial record=\"record-from-ringing\">1</Dial>" Some((RecordFrom::Ringing, Channels::Mono)),
        "<Dial record=\"record-from-ringing-dual\">1</Dial>" Some((RecordFrom::Ringing, Channels::Dual)),
        "<Dial record=\"record-from-answer-dual\" recordingTrack=\"inbound\">1</Dial>" Some((RecordFrom::Answer, Channels::Mono));
        13217: "<Dial record=\"yes\">1</Dial>";
    dial_recording_track: Verb::Dial(dial) => dial.record.map(|record| record.track);
        "<Dial record=\"true\">1</Dial>" Some(Track::Both), "<Dial record=\"true\" recordingTrack=\"inbound\">1</Dial>" Some(Track::Inbound),
        "<Dial record=\"true\" recordingTrack=\"outbound\">1</Dial>" Some(Track::Outbound), "<Dial record=\"true\" recordingTrack=\"both\">1</Dial>" Some(Track::Both);
        12200: "<Dial record=\"true\" recordingTrack=\"x\">1</Dial>";
    dial_trim: Verb::Dial(dial) => dial.record.map(|record| record.trim);
        "<Dial record=\"true\">1</Dial>" Some(Trim::Keep), "<Dial record=\"true\" trim=\"trim-silence\">1</Dial>" Some(Trim::Silence);
        12200: "<Dial record=\"true\" trim=\"x\">1</Dial>";
    dial_recording_status_callback: Verb::Dial(dial) => dial.recording.map(|callback| (callback.link.url, callback.events));
        "<Dial>1</Dial>" None,
        "<Dial recordingStatusCallback=\"/r\">1</Dial>" Some(("/r".to_owned(), vec![RecordingEvent::Completed])),
        "<Dial recordingStatusCallback=\"/r\" recordingStatusCallbackEvent=\"in-progress,completed\">1</Dial>"
            Some(("/r".to_owned(), vec![RecordingEvent::InProgress, RecordingEvent::Completed]));
        12200: "<Dial recordingStatusCallbackMethod=\"x\">1</Dial>";
    dial_ring_tone: Verb::Dial(dial) => dial.ring_tone;
        "<Dial>1</Dial>" None, "<Dial ringTone=\"us-old\">1</Dial>" Some("us-old".to_owned());
        12200: "<Dial ringTone=\"aaaaaaaaaaaaa\">1</Dial>";
    dial_refer_url: Verb::Dial(dial) => url(dial.refer);
        "<Dial>1</Dial>" None, "<Dial referUrl=\"/r\">1</Dial>" at("/r", Method::Post), "<Dial referUrl=\"/r\" referMethod=\"GET\">1</Dial>" at("/r", Method::Get);
        12200: "<Dial referMethod=\"x\">1</Dial>", "<Dial passports=\"x\">1</Dial>";
    number_send_digits: Verb::Dial(dial) => dial.targets[0].kind.clone();
        "<Dial><Number>+81 (3) 1234-5678</Number></Dial>" TargetKind::Number { number: "+81312345678".to_owned(), send_digits: None },
        "<Dial><Number sendDigits=\"wW1#\">+81312345678</Number></Dial>" TargetKind::Number { number: "+81312345678".to_owned(), send_digits: Some("wW1#".to_owned()) };
        13222: "<Dial><Number sendDigits=\"x\">+81312345678</Number></Dial>";
    number_url: Verb::Dial(dial) => url(dial.targets[0].whisper.clone());
        "<Dial><Number>1</Number></Dial>" None, "<Dial><Number url=\"/w\">1</Number></Dial>" at("/w", Method::Post), "<Dial><Number url=\"/w\" method=\"GET\">1</Number></Dial>" at("/w", Method::Get);
        13221: "<Dial><Number method=\"x\">1</Number></Dial>";
    number_status_callback: Verb::Dial(dial) => dial.targets[0].status.clone().map(|status| (status.link.url, status.events));
        "<Dial><Number>1</Number></Dial>" None,
        "<Dial><Number statusCallback=\"/s\">1</Number></Dial>" Some(("/s".to_owned(), vec![ProgressEvent::Completed])),
        "<Dial><Number statusCallback=\"/s\" statusCallbackEvent=\"initiated ringing answered completed\">1</Number></Dial>"
            Some(("/s".to_owned(), vec![ProgressEvent::Initiated, ProgressEvent::Ringing, ProgressEvent::Answered, ProgressEvent::Completed]));
        12200: "<Dial><Number statusCallbackEvent=\"begun\">1</Number></Dial>", "<Dial><Number machineDetection=\"Enable\">1</Number></Dial>";
    sip_username_password: Verb::Dial(dial) => dial.targets[0].kind.clone();
        "<Dial><Sip>sip:a@b?X-A=1</Sip></Dial>" TargetKind::Sip { uri: "sip:a@b?X-A=1".to_owned(), credentials: None },
        "<Dial><Sip username=\"u\" password=\"p\">sip:a@b</Sip></Dial>" TargetKind::Sip { uri: "sip:a@b".to_owned(), credentials: Some(("u".to_owned(), "p".to_owned())) };
        13241: "<Dial><Sip method=\"x\">sip:a@b?X-A=1</Sip></Dial>";
    client_identity: Verb::Dial(dial) => dial.targets[0].kind.to();
        "<Dial><Client>joe</Client></Dial>" "client:joe", "<Dial><Client><Identity>joe</Identity></Client></Dial>" "client:joe";
        12200: "<Dial><Client><Identity>joe</Identity><Parameter name=\"a\" value=\"b\"/></Client></Dial>";
    queue_noun: Verb::Dial(dial) => dial.targets[0].kind.clone();
        "<Dial><Queue>q</Queue></Dial>" TargetKind::Queue { name: "q".to_owned(), reservation: None, post_work_activity: None },
        "<Dial><Queue reservationSid=\"WR1\" postWorkActivitySid=\"WA1\"/></Dial>"
            TargetKind::Queue { name: String::new(), reservation: Some("WR1".to_owned()), post_work_activity: Some("WA1".to_owned()) };
        12200: "<Dial><Queue method=\"x\">q</Queue></Dial>";
    queue_url: Verb::Dial(dial) => url(dial.targets[0].whisper.clone());
        "<Dial><Queue>q</Queue></Dial>" None, "<Dial><Queue url=\"/w\">q</Queue></Dial>" at("/w", Method::Post);
        12200: "<Dial><Queue statusCallback=\"/s\">q</Queue></Dial>";
    enqueue_action: Verb::Enqueue(enqueue) => url(enqueue.action);
        "<Enqueue>q</Enqueue>" None, "<Enqueue action=\"/e\">q</Enqueue>" at("/e", Method::Post), "<Enqueue action=\"/e\" method=\"GET\">q</Enqueue>" at("/e", Method::Get);
        12200: "<Enqueue method=\"x\">q</Enqueue>";
    enqueue_wait_url: Verb::Enqueue(enqueue) => url(enqueue.wait);
        "<Enqueue>q</Enqueue>" None, "<Enqueue waitUrl=\"\">q</Enqueue>" at("", Method::Post), "<Enqueue waitUrl=\"/w\" waitUrlMethod=\"GET\">q</Enqueue>" at("/w", Method::Get);
        12200: "<Enqueue waitUrlMethod=\"x\">q</Enqueue>";
    enqueue_max_queue_size: Verb::Enqueue(enqueue) => match enqueue.line { verb::Line::Queue { max_size, .. } => max_size, other => panic!("{other:?}") };
        "<Enqueue>q</Enqueue>" 1000, "<Enqueue maxQueueSize=\"5000\">q</Enqueue>" 5000, "<Enqueue maxQueueSize=\"1\">q</Enqueue>" 1;
        12200: "<Enqueue maxQueueSize=\"5001\">q</Enqueue>", "<Enqueue maxQueueSize=\"0\">q</Enqueue>";
    enqueue_task: Verb::Enqueue(enqueue) => match enqueue.line { verb::Line::Workflow { task, .. } => (task.priority, task.timeout), other => panic!("{other:?}") };
        "<Enqueue workflowSid=\"WW1\"/>" (0, None),
        "<Enqueue workflowSid=\"WW1\"><Task priority=\"5\" timeout=\"30\">{}</Task></Enqueue>" (5, Some(seconds(30)));
        12200: "<Enqueue workflowSid=\"WW1\"><Task priority=\"-1\">{}</Task></Enqueue>", "<Enqueue workflowSid=\"WW1\"><Task timeout=\"0\"/></Enqueue>";
    conference_muted: Verb::Dial(dial) => dial.conference.map(|room| room.muted);
        "<Dial><Conference>r</Conference></Dial>" Some(false), "<Dial><Conference muted=\"true\">r</Conference></Dial>" Some(true);
        13230: "<Dial><Conference muted=\"x\">r</Conference></Dial>";
    conference_beep: Verb::Dial(dial) => dial.conference.map(|room| room.beep);
        "<Dial><Conference>r</Conference></Dial>" Some(Beep::Both), "<Dial><Conference beep=\"true\">r</Conference></Dial>" Some(Beep::Both),
        "<Dial><Conference beep=\"false\">r</Conference></Dial>" Some(Beep::Never), "<Dial><Conference beep=\"onEnter\">r</Conference></Dial>" Some(Beep::OnEnter),
        "<Dial><Conference beep=\"onExit\">r</Conference></Dial>" Some(Beep::OnExit);
        13235: "<Dial><Conference beep=\"x\">r</Conference></Dial>";
    conference_start_conference_on_enter: Verb::Dial(dial) => dial.conference.map(|room| room.start_on_enter);
        "<Dial><Conference>r</Conference></Dial>" Some(true), "<Dial><Conference startConferenceOnEnter=\"false\">r</Conference></Dial>" Some(false);
        13232: "<Dial><Conference startConferenceOnEnter=\"x\">r</Conference></Dial>";
    conference_end_conference_on_exit: Verb::Dial(dial) => dial.conference.map(|room| room.end_on_exit);
        "<Dial><Conference>r</Conference></Dial>" Some(false), "<Dial><Conference endConferenceOnExit=\"true\">r</Conference></Dial>" Some(true);
        13231: "<Dial><Conference endConferenceOnExit=\"x\">r</Conference></Dial>";
    conference_participant_label: Verb::Dial(dial) => dial.conference.and_then(|room| room.label);
        "<Dial><Conference>r</Conference></Dial>" None, "<Dial><Conference participantLabel=\"boss\">r</Conference></Dial>" Some("boss".to_owned());
        16025: ;
    conference_jitter_buffer_size: Verb::Dial(dial) => dial.conference.map(|room| room.jitter_buffer);
        "<Dial><Conference>r</Conference></Dial>" Some(JitterBuffer::Large), "<Dial><Conference jitterBufferSize=\"off\">r</Conference></Dial>" Some(JitterBuffer::Off),
        "<Dial><Conference jitterBufferSize=\"small\">r</Conference></Dial>" Some(JitterBuffer::Small), "<Dial><Conference jitterBufferSize=\"medium\">r</Conference></Dial>" Some(JitterBuffer::Medium);
        12200: "<Dial><Conference jitterBufferSize=\"huge\">r</Conference></Dial>";
    conference_wait_url: Verb::Dial(dial) => dial.conference.and_then(|room| url(room.wait));
        "<Dial><Conference>r</Conference></Dial>" None, "<Dial><Conference waitUrl=\"\">r</Conference></Dial>" at("", Method::Post),
        "<Dial><Conference waitUrl=\"/w\" waitMethod=\"GET\">r</Conference></Dial>" at("/w", Method::Get);
        13234: "<Dial><Conference waitMethod=\"x\">r</Conference></Dial>";
    conference_max_participants: Verb::Dial(dial) => dial.conference.map(|room| room.max_participants);
        "<Dial><Conference>r</Conference></Dial>" Some(250), "<Dial><Conference maxParticipants=\"2\">r</Conference></Dial>" Some(2);
        12200: "<Dial><Conference maxParticipants=\"1\">r</Conference></Dial>", "<Dial><Conference maxParticipants=\"251\">r</Conference></Dial>";
    conference_record: Verb::Dial(dial) => dial.conference.map(|room| room.record);
        "<Dial><Conference>r</Conference></Dial>" Some(ConferenceRecording::Never),
        "<Dial><Conference record=\"record-from-start\">r</Conference></Dial>" Some(ConferenceRecording::FromStart),
        "<Dial><Conference record=\"do-not-record\">r</Conference></Dial>" Some(ConferenceRecording::Never);
        12200: "<Dial><Conference record=\"x\">r</Conference></Dial>";
    conference_region: Verb::Dial(dial) => dial.conference.and_then(|room| room.region);
        "<Dial><Conference>r</Conference></Dial>" None, "<Dial><Conference region=\"jp1\">r</Conference></Dial>" Some("jp1".to_owned());
        12200: ;
    conference_trim: Verb::Dial(dial) => dial.conference.map(|room| room.trim);
        "<Dial><Conference>r</Conference></Dial>" Some(Trim::Keep), "<Dial><Conference trim=\"trim-silence\">r</Conference></Dial>" Some(Trim::Silence);
        12200: "<Dial><Conference trim=\"x\">r</Conference></Dial>";
    conference_coach: Verb::Dial(dial) => dial.conference.and_then(|room| room.coach);
        "<Dial><Conference>r</Conference></Dial>" None, "<Dial><Conference coach=\"CA1\">r</Conference></Dial>" Some("CA1".to_owned());
        13240: ;
    conference_status_callback: Verb::Dial(dial) => dial.conference.map(|room| (url(room.status), room.events.len()));
        "<Dial><Conference>r</Conference></Dial>" Some((None, 0)),
        "<Dial><Conference statusCallback=\"/s\" statusCallbackMethod=\"GET\" statusCallbackEvent=\"start end join leave mute hold modify speaker announcement\">r</Conference></Dial>"
            Some((at("/s", Method::Get), 9));
        12200: "<Dial><Conference statusCallbackEvent=\"sing\">r</Conference></Dial>";
    conference_recording_status_callback: Verb::Dial(dial) => dial.conference.and_then(|room| room.recording).map(|callback| callback.link.url);
        "<Dial><Conference>r</Conference></Dial>" None, "<Dial><Conference recordingStatusCallback=\"/r\">r</Conference></Dial>" Some("/r".to_owned());
        12200: "<Dial><Conference eventCallbackUrl=\"/x\">r</Conference></Dial>", "<Dial><Conference recordingConfigurationId=\"x\">r</Conference></Dial>";
}

#[test]
fn gather_hints_500_of_100_characters() {
    let hints = |count: usize| {
        format!(
            "<Gather hints=\"{}\"/>",
            vec!["a".repeat(100); count].join(",")
        )
    };
    let Verb::Gather(gather) = good(&hints(500)) else {
        panic!()
    };
    assert_eq!(gather.speech.hints.len(), 500);
    let Verb::Gather(gather) = doubted(&hints(501), 13335) else {
        panic!()
    };
    assert_eq!(gather.speech.hints.len(), 500);
    doubted(&format!("<Gather hints=\"{}\"/>", "a".repeat(101)), 13335);
}

#[test]
fn say_4096_characters() {
    let said = |count: usize| format!("<Say>{}</Say>", "繋".repeat(count));
    good(&said(4096));
    let Verb::Say(say) = doubted(&said(4097), 13521) else {
        panic!()
    };
    assert_eq!(say.text.chars().count(), 4096);
    doubted("<Say/>", 13520);
    doubted("<Say>a <b>c</b></Say>", 13520);
}

#[test]
fn enqueue_names_of_64_characters() {
    good(&format!("<Enqueue>{}</Enqueue>", "q".repeat(64)));
    for wrong in [
        format!("<Enqueue>{}</Enqueue>", "q".repeat(65)),
        "<Enqueue/>".to_owned(),
        "<Enqueue>q<Task/></Enqueue>".to_owned(),
    ] {
        assert_eq!(refused(&wrong).code, 12200, "{wrong}");
    }
    for wrong in ["{", "[]", "7", "{\"a\":}"] {
        let text = format!("<Enqueue workflowSid=\"WW1\"><Task>{wrong}</Task></Enqueue>");
        assert_eq!(refused(&text).code, 14221, "{wrong}");
    }
}

#[test]
fn conference_participant_label_128_characters() {
    let labelled = |count: usize| {
        format!(
            "<Dial><Conference participantLabel=\"{}\">r</Conference></Dial>",
            "l".repeat(count)
        )
    };
    good(&labelled(128));
    doubted(&labelled(129), 16025);
    assert_eq!(refused("<Dial><Conference/></Dial>").code, 13237);
}

#[test]
fn dial_nouns_and_their_company() {
    let Verb::Dial(dial) = good(&format!("<Dial>{}</Dial>", "<Number>1</Number>".repeat(10)))
    else {
        panic!()
    };
    assert_eq!(dial.targets.len(), 10);
    for wrong in [
        format!("<Dial>{}</Dial>", "<Number>1</Number>".repeat(11)),
        "<Dial><Conference>r</Conference><Number>1</Number></Dial>".to_owned(),
        "<Dial><Queue>q</Queue><Client>a</Client></Dial>".to_owned(),
        "<Dial><Conference>r</Conference><Conference>s</Conference></Dial>".to_owned(),
        "<Dial><Sim>DE1</Sim></Dial>".to_owned(),
        "<Dial><Number><Say>x</Say></Number></Dial>".to_owned(),
    ] {
        assert_eq!(refused(&wrong).code, 13215, "{wrong}");
    }
    for wrong in [
        "<Dial>anna</Dial>",
        "<Dial><Number>12a</Number></Dial>",
        "<Dial><Sip>anna@b</Sip></Dial>",
    ] {
        assert_eq!(refused(wrong).code, 13223, "{wrong}");
    }
    doubted("<Dial/>", 13223);
    doubted("<Dial>12<Number>1</Number></Dial>", 13215);
}

#[test]
fn gather_takes_say_play_and_pause_only() {
    let Verb::Gather(gather) = good("<Gather><Say>a</Say><Play>b</Play><Pause/></Gather>") else {
        panic!()
    };
    assert_eq!(gather.nested.len(), 3);
    for wrong in [
        "<Gather><Record/></Gather>",
        "<Gather><Gather/></Gather>",
        "<Gather><Play digits=\"1\"/></Gather>",
    ] {
        assert_eq!(refused(wrong).code, 13320, "{wrong}");
    }
}

#[test]
fn refer_needs_one_sip_uri() {
    for wrong in [
        "<Refer/>",
        "<Refer><Sip>a@b</Sip></Refer>",
        "<Refer><Number>1</Number></Refer>",
        "<Refer><Sip>sip:a</Sip><Sip>sip:b</Sip></Refer>",
    ] {
        assert_eq!(refused(wrong).code, 12200, "{wrong}");
    }
}
