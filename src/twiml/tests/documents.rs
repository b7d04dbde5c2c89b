//! Reading: what the official library writes, what is wrong and where, limits, content types.

use std::path::Path;

use super::*;
use crate::base::Entropy;
use crate::twiml::verb::Verb;

fn samples() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/twiml/sdk");
    let entries = std::fs::read_dir(folder).expect("the library's documents");
    let mut samples: Vec<(String, String)> = entries
        .map(|entry| {
            let path = entry.expect("a readable folder").path();
            let name = path
                .file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            (
                name,
                std::fs::read_to_string(path).expect("a readable file"),
            )
        })
        .collect();
    samples.sort();
    samples
}

/// Attributes that are known and have no effect, as docs/twiml.md lists them.
const UNSUPPORTED: [&str; 15] = [
    "amdStatusCallback",
    "amdStatusCallbackMethod",
    "byoc",
    "debug",
    "eventCallbackUrl",
    "events",
    "machineDetection",
    "machineDetectionSilenceTimeout",
    "machineDetectionSpeechEndThreshold",
    "machineDetectionSpeechThreshold",
    "machineDetectionTimeout",
    "passports",
    "recordingConfigurationId",
    "transcribe",
    "transcribeCallback",
];

#[test]
fn all_that_the_official_library_writes_is_read() {
    let samples = samples();
    assert!(samples.len() > 40, "{}", samples.len());
    for (name, text) in samples {
        let read = Document::parse(&text);
        if name.starts_with("unsupported-") {
            let fault = read.unwrap_err();
            assert!(fault.words.contains("not supported"), "{name}: {fault}");
            assert!(fault.at.is_some(), "{name}: {fault}");
            continue;
        }
        let document = read.unwrap_or_else(|fault| panic!("{name}: {fault}"));
        for remark in &document.remarks {
            let word = remark.words.split_whitespace().next().unwrap_or_default();
            let known = UNSUPPORTED.contains(&word)
                || remark.words.starts_with("<Parameter> of <Client>")
                || remark.words.starts_with("<Dial> says whom") && name == "dial-bare"
                || remark.words.starts_with("<Say> has no text") && name == "say-bare"
                || remark.words.starts_with("<Play> has neither") && name == "play-bare";
            assert!(known, "{name}: {remark}");
        }
    }
}

#[test]
fn the_official_librarys_values_arrive() {
    let samples = samples();
    let read = |wanted: &str| {
        let (_, text) = samples
            .iter()
            .find(|(name, _)| name == wanted)
            .expect("it is written");
        Document::parse(text)
            .expect("it is read")
            .verbs
            .remove(0)
            .verb
    };
    let Verb::Dial(dial) = read("dial-number") else {
        panic!()
    };
    assert_eq!(dial.timeout, Duration::from_secs(7));
    assert_eq!(
        dial.action.as_ref().map(|link| link.url.as_str()),
        Some("/action?x=1&y=2")
    );
    let expected = TargetKind::Number {
        number: "+819012345678".to_owned(),
        send_digits: Some("wwww1928".to_owned()),
    };
    assert_eq!(dial.targets[0].kind, expected);
    assert_eq!(
        dial.targets[0]
            .status
            .as_ref()
            .map(|status| status.events.len()),
        Some(4)
    );
    let Verb::Enqueue(enqueue) = read("enqueue-task") else {
        panic!()
    };
    let verb::Line::Workflow { workflow, task } = enqueue.line else {
        panic!()
    };
    assert!(workflow.starts_with("WW"));
    assert_eq!(task.attributes["note"], "a < b & c");
    let Verb::Say(say) = read("say") else {
        panic!()
    };
    assert_eq!(
        (say.text.as_str(), say.ssml),
        ("Good morning & welcome <here>", None)
    );
    let Verb::Say(say) = read("say-ssml") else {
        panic!()
    };
    assert!(say.ssml.is_some_and(|ssml| ssml.contains("<break ")));
}

#[test]
fn what_is_wrong_is_told_with_number_and_place() {
    for (text, code, line, column, words) in [
        ("<Response>\n <Say>a</say>\n</Response>", 12100, 2, 0, "XML"),
        ("<Response><Say>a</Response>", 12100, 1, 0, "XML"),
        ("<Response><Say>a & b</Say></Response>", 12100, 1, 0, "XML"),
        (
            "<Response><Say>&nbsp;</Say></Response>",
            12100,
            1,
            16,
            "&nbsp;",
        ),
        ("<Response>", 12100, 1, 11, "never closed"),
        ("", 12100, 1, 1, "empty"),
        ("hello", 12100, 1, 1, "outside"),
        ("<Response/><Response/>", 12100, 1, 12, "second element"),
        ("<Response/>x", 12100, 1, 12, "outside"),
        ("<response/>", 12102, 1, 1, "<response>"),
        ("<VoiceResponse/>", 12102, 1, 1, "not <Response>"),
        (
            "<Response>\n\n  <say>a</say></Response>",
            12200,
            3,
            3,
            "did you mean <Say>?",
        ),
        (
            "<Response><Speak/></Response>",
            12200,
            1,
            11,
            "no verb <Speak>",
        ),
        (
            "<Response><Start/></Response>",
            12200,
            1,
            11,
            "not supported",
        ),
        (
            "<Response><Gather><Dial>1</Dial></Gather></Response>",
            13320,
            1,
            19,
            "<Dial> cannot stand in <Gather>",
        ),
        (
            "<Response><Dial><Fax>1</Fax></Dial></Response>",
            13215,
            1,
            17,
            "<Fax>",
        ),
        (
            "<Response><Pause a=\"1\" a=\"2\"/></Response>",
            12100,
            1,
            11,
            "attribute",
        ),
        (
            "<Response><Pause a=1/></Response>",
            12100,
            1,
            11,
            "attribute",
        ),
        (
            "<Response><Pause a=\"<\"/></Response>",
            12100,
            1,
            11,
            "&lt;",
        ),
        (
            "<Response><Say>\u{1}</Say></Response>",
            12100,
            1,
            16,
            "U+0001",
        ),
        ("<Response><Say>&#1;</Say></Response>", 12100, 1, 16, "&#1;"),
        (
            " <?xml version=\"1.0\"?><Response/>",
            12100,
            1,
            2,
            "come first",
        ),
    ] {
        let fault = Document::parse(text).expect_err(text);
        let at = fault.at.unwrap_or_else(|| panic!("{text}: {fault}"));
        assert_eq!((fault.code, at.line), (code, line), "{text}: {fault}");
        assert!(column == 0 || at.column == column, "{text}: {fault}");
        assert!(fault.words.contains(words), "{text}: {fault}");
    }
}

#[test]
fn document_types_and_entity_bombs_are_refused() {
    let bomb = "<?xml version=\"1.0\"?>\n<!DOCTYPE lolz [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]>\n\
                <Response><Say>&b;</Say></Response>";
    let fault = Document::parse(bomb).unwrap_err();
    assert_eq!(
        (fault.code, fault.at.map(|at| at.line)),
        (12100, Some(2)),
        "{fault}"
    );
    let outside = "<!DOCTYPE x SYSTEM \"file:///etc/passwd\"><Response/>";
    assert!(
        Document::parse(outside)
            .unwrap_err()
            .words
            .contains("DOCTYPE")
    );
}

#[test]
fn limits_hold_and_one_less_is_read() {
    let verbs = |count: usize| response(&"<Leave/>".repeat(count));
    assert_eq!(
        Document::parse(&verbs(MAX_VERBS)).unwrap().verbs.len(),
        MAX_VERBS
    );
    let fault = Document::parse(&verbs(MAX_VERBS + 1)).unwrap_err();
    assert_eq!(fault.code, 12200, "{fault}");
    let fault = Document::parse(&verbs(10_000)).unwrap_err();
    assert_eq!(fault.code, 11750, "{fault}");

    let said = |octets: usize| response(&format!("<Say>{}</Say>", " ".repeat(octets)));
    let frame = said(0).len();
    assert!(Document::parse(&said(64 * 1024 - frame)).is_ok());
    assert_eq!(
        Document::parse(&said(64 * 1024 - frame + 1))
            .unwrap_err()
            .code,
        11750
    );

    let deep = |levels: usize| {
        let (open, close) = ("<p>".repeat(levels), "</p>".repeat(levels));
        response(&format!("<Say>{open}a{close}</Say>"))
    };
    assert!(Document::parse(&deep(14)).is_ok());
    let fault = Document::parse(&deep(15)).unwrap_err();
    assert!(fault.words.contains("deeper"), "{fault}");
    assert!(Document::parse(&deep(8_000)).is_err());

    let many = |count: usize| {
        let all: Vec<String> = (0..count).map(|number| format!("a{number}=\"\"")).collect();
        response(&format!("<Hangup {}/>", all.join(" ")))
    };
    assert_eq!(Document::parse(&many(64)).unwrap().remarks.len(), 64);
    assert!(Document::parse(&many(65)).is_err());
    let elements = response(&format!("<Say>{}</Say>", "<s/>".repeat(4_999)));
    assert!(
        Document::parse(&elements)
            .unwrap_err()
            .words
            .contains("5000 elements")
    );
}

#[test]
fn call_twiml_parameter_4000_characters() {
    let said = |characters: usize| response(&format!("<Say>{}</Say>", "繋".repeat(characters)));
    let frame = said(0).chars().count();
    assert!(Document::parse_inline(&said(MAX_INLINE - frame)).is_ok());
    assert_eq!(
        Document::parse_inline(&said(MAX_INLINE - frame + 1))
            .unwrap_err()
            .code,
        11750
    );
}

#[test]
fn attributes_and_verbs_are_case_sensitive() {
    let (_, remarks) = verb("<Record maxlength=\"5\"/>");
    assert_eq!((remarks.len(), remarks[0].code), (1, 12200), "{remarks:?}");
    assert!(remarks[0].words.contains("maxlength"), "{remarks:?}");
    assert_eq!(refused("<GATHER/>").code, 12200);
}

#[test]
fn namespaces_comments_instructions_and_cdata_are_no_matter() {
    let text = "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\"?><!-- a --><?php x?>\
                <Response xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
                xsi:noNamespaceSchemaLocation=\"x\"><!-- b --><Say><![CDATA[a < b]]> &amp; c</Say></Response>";
    let document = Document::parse(text).unwrap();
    let Verb::Say(say) = &document.verbs[0].verb else {
        panic!()
    };
    assert_eq!(say.text, "a < b & c");
}

#[test]
fn reply_content_types() {
    let read = |content_type: Option<&str>, body: &str| {
        Document::read(content_type, body.as_bytes(), "https://app.example/a.mp3")
    };
    for xml in [
        "text/xml",
        "application/xml; charset=utf-8",
        "text/html",
        "application/twiml+xml",
        "TEXT/XML",
    ] {
        assert_eq!(
            read(Some(xml), "<Response><Leave/></Response>")
                .unwrap()
                .verbs
                .len(),
            1,
            "{xml}"
        );
        assert_eq!(read(Some(xml), "hello").unwrap_err().code, 12100, "{xml}");
    }
    for sound in ["audio/mpeg", "audio/wav", "audio/basic"] {
        let document = read(Some(sound), "ID3").unwrap();
        let Verb::Play(play) = &document.verbs[0].verb else {
            panic!()
        };
        assert_eq!(
            play.what,
            Some(Playable::Url("https://app.example/a.mp3".to_owned()))
        );
    }
    let spoken = read(Some("text/plain"), " Hello there\n").unwrap();
    let Verb::Say(say) = &spoken.verbs[0].verb else {
        panic!()
    };
    assert_eq!(say.text, "Hello there");
    let document = read(Some("text/plain"), "<Response><Hangup/></Response>").unwrap();
    assert_eq!(document.verbs[0].verb, Verb::Hangup);
    for other in [
        Some("application/json"),
        Some("video/mp4"),
        Some("image/png"),
        None,
    ] {
        assert_eq!(
            read(other, "<Response/>").unwrap_err().code,
            12300,
            "{other:?}"
        );
    }
    let fault = Document::read(Some("text/xml"), b"<Response>\n\xff</Response>", "").unwrap_err();
    assert_eq!((fault.code, fault.at.map(|at| at.line)), (12100, Some(2)));
}

#[test]
fn a_thousand_damaged_documents_are_read_or_refused_with_a_place() {
    let samples = samples();
    let mut chance = Entropy::from_seed(6);
    let (mut read, mut refused) = (0, 0);
    for _ in 0..1_000 {
        let number = usize::try_from(chance.below(samples.len() as u64)).unwrap();
        let mut octets = samples[number].1.clone().into_bytes();
        for _ in 0..=chance.below(3) {
            damage(&mut octets, &mut chance);
        }
        match Document::read(Some("text/xml"), &octets, "https://app.example/") {
            Ok(_) => read += 1,
            Err(fault) => {
                refused += 1;
                assert!(fault.at.is_some() && fault.code > 11_000, "{fault}");
            }
        }
    }
    assert!(
        read > 100 && refused > 100,
        "{read} read, {refused} refused"
    );
}

fn damage(octets: &mut Vec<u8>, chance: &mut Entropy) {
    let bound = |length: usize| u64::try_from(length.max(1)).unwrap();
    let at = usize::try_from(chance.below(bound(octets.len())))
        .unwrap()
        .min(octets.len());
    let to = (at + usize::try_from(chance.below(20)).unwrap()).min(octets.len());
    match chance.below(5) {
        0 => {
            octets.drain(at..to);
        }
        1 => {
            let piece = octets[at..to].to_vec();
            let other = usize::try_from(chance.below(bound(octets.len()))).unwrap();
            octets.splice(other..other, piece);
        }
        2 => octets.insert(
            at,
            b"<>&\"'=/ \0\xff1a"[usize::try_from(chance.below(12)).unwrap()],
        ),
        3 => octets.truncate(at),
        _ => {
            if let Some(octet) = octets.get_mut(at) {
                *octet ^= 1 << chance.below(8);
            }
        }
    }
}
