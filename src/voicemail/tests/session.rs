//! A subscriber whose mailbox takes its time.

use std::collections::{BTreeMap, HashMap};

use jiff::tz::TimeZone;

use super::at;
use crate::base::{CallId, Language};
use crate::media::Sound;
use crate::voicemail::{
    Around, Clip, MailboxTerms, Mailing, Message, Output, PhoneMail, Service, Session,
    VoicemailTerms, Wish, Word,
};

/// Phone 1010, whose mailbox is opened without a PIN.
fn terms() -> VoicemailTerms {
    let mailbox = MailboxTerms {
        number: String::new(),
        pin: None,
        asks_own_phone: false,
        greeting: Vec::new(),
        mail: None,
    };
    let phone = PhoneMail {
        mailbox: "1010".to_owned(),
        ring_timeout: None,
        when: Vec::new(),
    };
    VoicemailTerms {
        mailboxes: BTreeMap::from([("1010".to_owned(), mailbox)]),
        phones: HashMap::from([("1010".to_owned(), phone)]),
        ..VoicemailTerms::default()
    }
}

fn message(id: &str) -> Message {
    Message {
        id: id.to_owned(),
        mailbox: "1010".to_owned(),
        from: "1005".to_owned(),
        from_name: None,
        call: CallId::new("c-1"),
        at: at(0),
        length_ms: 2000,
        bytes: 0,
        heard: false,
        saved: false,
        path: std::path::PathBuf::new(),
        defect: None,
        mailing: Box::new(Mailing::default()),
    }
}

/// A session that asks for its mailbox, with these messages in it.
struct Desk {
    terms: VoicemailTerms,
    session: Session,
    messages: Vec<Message>,
}

impl Desk {
    fn new(messages: &[&str]) -> Self {
        let mut desk = Self {
            terms: terms(),
            session: Session::new(Service::Listen, "1010".to_owned(), String::new()),
            messages: messages.iter().map(|id| message(id)).collect(),
        };
        desk.see(|session, around| session.start(around));
        assert_eq!(desk.asked(), ["open"]);
        desk
    }

    fn see(&mut self, act: impl FnOnce(&mut Session, &Around<'_>)) {
        let around = Around {
            now: at(1),
            terms: &self.terms,
            language: Language::English,
            zone: &TimeZone::UTC,
        };
        act(&mut self.session, &around);
    }

    fn press(&mut self, keys: &str) {
        for key in keys.chars() {
            self.see(|session, around| session.handle_digit(around, key));
        }
    }

    fn opened(&mut self) {
        let word = Word::Opened {
            messages: self.messages.clone(),
            has_greeting: false,
        };
        self.see(|session, around| session.handle_word(around, word));
    }

    fn word(&mut self, word: Word) {
        self.see(|session, around| session.handle_word(around, word));
    }

    /// What the mailboxes are asked for.
    fn asked(&mut self) -> Vec<String> {
        let outputs = std::iter::from_fn(|| self.session.poll_output());
        let asked = outputs.filter_map(|output| match output {
            Output::Ask(Wish::Open { .. }) => Some("open".to_owned()),
            Output::Ask(Wish::Delete { message, .. }) => Some(format!("delete {message}")),
            Output::Ask(Wish::Load {
                clip: Clip::Message(id),
                ..
            }) => Some(format!("load {id}")),
            Output::Ask(Wish::Mark { message, saved, .. }) => Some(match saved {
                Some(_) => format!("save {message}"),
                None => format!("heard {message}"),
            }),
            _ => None,
        });
        asked.collect()
    }
}

#[test]
fn keys_pressed_while_the_disk_is_slow_count_when_it_has_answered() {
    let mut desk = Desk::new(&["a", "b", "c"]);
    // Past the first; the other two are saved.
    desk.press("23");
    assert!(desk.asked().is_empty(), "not before the mailbox is open");
    desk.opened();
    assert_eq!(desk.asked(), ["save b"]);
    desk.press("3");
    assert!(desk.asked().is_empty());
    desk.word(Word::Done(true));
    assert_eq!(desk.asked(), ["save c"]);
}

#[test]
fn the_end_of_a_pin_that_was_long_enough_is_for_no_message() {
    let mut desk = Desk::new(&["a", "b"]);
    desk.press("#3");
    desk.opened();
    assert_eq!(desk.asked(), ["save a"]);
}

#[test]
fn a_key_while_the_message_is_read_is_for_that_message() {
    let mut desk = Desk::new(&["a", "b"]);
    desk.opened();
    desk.see(|session, around| session.handle_play_done(around));
    assert_eq!(desk.asked(), ["load a"]);
    desk.press("4");
    assert!(desk.asked().is_empty());
    let sound = Sound::new("message", vec![0; 160]);
    desk.word(Word::Loaded(Some(std::sync::Arc::new(sound))));
    assert_eq!(desk.asked(), ["heard a", "delete a"]);
}

#[test]
fn who_deletes_twice_because_nothing_is_heard_deletes_one() {
    let mut desk = Desk::new(&["a", "b", "c"]);
    desk.opened();
    desk.press("4");
    assert_eq!(desk.asked(), ["delete a"]);
    desk.press("442");
    desk.word(Word::Done(true));
    assert!(desk.asked().is_empty(), "only on to the third");
    desk.press("4");
    assert_eq!(desk.asked(), ["delete c"]);
}

#[test]
fn no_more_keys_are_kept_than_a_path_through_the_menus_has() {
    let ids: Vec<String> = (0..40).map(|number| number.to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut desk = Desk::new(&ids);
    desk.press(&"2".repeat(30));
    desk.opened();
    desk.press("4");
    assert_eq!(desk.asked(), ["delete 16"]);
}
