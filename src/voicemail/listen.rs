//! Hearing messages: how many, when and from whom, the message, and what is to become of it.

use jiff::Timestamp as Instant;

use super::session::{Around, Asked, Output, Session, Step, Want, choice};
use super::{Clip, Message, Wish};
use crate::ivr::say::{Spoken, say};

/// Keys of the menu: again, next, save, delete, call back; `#` is next, too, and `*` ends.
const KEYS: &str = "12345#*";
/// The one of them that deletes.
pub(super) const DELETE: char = '4';

impl Session {
    /// The mailbox is open: new messages first, each kind from the oldest on.
    pub(super) fn begin_listening(&mut self, around: &Around<'_>, mut messages: Vec<Message>) {
        messages.sort_by_key(|message| (message.heard, message.at));
        let new = messages.iter().filter(|message| !message.heard).count();
        self.messages = messages;
        self.at = 0;
        if self.messages.is_empty() {
            return self.say(["vm-no-messages"]);
        }
        let count = i64::try_from(new).unwrap_or(i64::MAX);
        let mut words = vec!["vm-you-have".to_owned()];
        words.extend(say(around.language, &Spoken::Number(count)));
        let noun = match new {
            1 => "vm-new-message",
            _ => "vm-new-messages",
        };
        words.push(noun.to_owned());
        self.first_say(words);
        self.announce(around);
    }

    /// Says when the message came and from whom; or that there is none any more.
    fn announce(&mut self, around: &Around<'_>) {
        let Some(message) = self.messages.get(self.at) else {
            return self.say(["vm-end"]);
        };
        let words = announcement(around, message);
        self.play(words);
        self.step = Step::Hearing { is_message: false };
    }

    pub(super) fn load_message(&mut self, around: &Around<'_>) {
        let Some(id) = self.messages.get(self.at).map(|message| message.id.clone()) else {
            return self.say(["vm-end"]);
        };
        self.load(around, Want::MessageLoaded, Clip::Message(id));
    }

    /// The message was played to its end.
    pub(super) fn heard_out(&mut self, around: &Around<'_>) {
        self.note_heard();
        self.ask_menu(around);
    }

    pub(super) fn ask_menu(&mut self, around: &Around<'_>) {
        self.ask(around, Asked::Menu, choice("vm-menu", KEYS));
    }

    /// A key while a message or what is said of it plays.
    pub(super) fn interrupt(&mut self, around: &Around<'_>, key: char) {
        if !KEYS.contains(key) {
            return;
        }
        if matches!(self.step, Step::Hearing { is_message: true }) {
            self.note_heard();
        }
        self.put_out(Output::StopPlay);
        self.choose(around, key);
    }

    /// Does with the message what a key says.
    pub(super) fn choose(&mut self, around: &Around<'_>, key: char) {
        let Some(message) = self.messages.get(self.at).cloned() else {
            return self.say(["vm-end"]);
        };
        let (mailbox, id) = (self.mailbox.clone(), message.id.clone());
        match key {
            '1' => self.announce(around),
            '2' | '#' => {
                self.at += 1;
                self.announce(around);
            }
            '3' => {
                let wish = Wish::Mark {
                    mailbox,
                    message: id,
                    heard: true,
                    saved: Some(true),
                };
                self.wait(around, Want::Saved, wish);
            }
            DELETE => {
                let message = id;
                let wish = Wish::Delete { mailbox, message };
                self.wait(around, Want::Deleted, wish);
            }
            '5' if is_dialable(&message.from) => {
                self.step = Step::Over;
                self.put_out(Output::CallBack(message.from));
            }
            '5' => {
                self.first_say(["error-unknown-number".to_owned()]);
                self.ask_menu(around);
            }
            _ => self.say(["goodbye"]),
        }
    }

    pub(super) fn saved(&mut self, around: &Around<'_>) {
        self.first_say(["vm-saved".to_owned()]);
        self.at += 1;
        self.announce(around);
    }

    pub(super) fn deleted(&mut self, around: &Around<'_>) {
        if self.at < self.messages.len() {
            self.messages.remove(self.at);
        }
        self.first_say(["vm-deleted".to_owned()]);
        self.announce(around);
    }

    /// The number to call back leads nowhere.
    pub fn cannot_call_back(&mut self, around: &Around<'_>) {
        self.first_say(["error-unknown-number".to_owned()]);
        self.ask_menu(around);
    }

    /// Nobody waits for this to be written.
    fn note_heard(&mut self) {
        let mailbox = self.mailbox.clone();
        let Some(message) = self.messages.get_mut(self.at) else {
            return;
        };
        if std::mem::replace(&mut message.heard, true) {
            return;
        }
        let message = message.id.clone();
        self.unheeded += 1;
        self.put_out(Output::Ask(Wish::Mark {
            mailbox,
            message,
            heard: true,
            saved: None,
        }));
    }
}

/// When a message came and from whom.
fn announcement(around: &Around<'_>, message: &Message) -> Vec<String> {
    let mut words = vec!["vm-received".to_owned()];
    if let Ok(instant) = Instant::from_microsecond(message.at.as_micros()) {
        let local = instant.to_zoned(around.zone.clone());
        let today = Instant::from_microsecond(around.now.as_micros())
            .map(|now| now.to_zoned(around.zone.clone()).date());
        if today.is_ok_and(|today| today != local.date()) {
            words.extend(say(around.language, &Spoken::Date(local.date())));
        }
        words.extend(say(around.language, &Spoken::Time(local.time())));
    }
    if is_dialable(&message.from) {
        let digits = say(around.language, &Spoken::Digits(&message.from));
        // What comes from whom is said in another order in Japanese.
        let from = "vm-from".to_owned();
        match around.language {
            crate::base::Language::English => {
                words.push(from);
                words.extend(digits);
            }
            crate::base::Language::Japanese => {
                words.extend(digits);
                words.push(from);
            }
        }
    }
    words
}

fn is_dialable(number: &str) -> bool {
    let digits = number.strip_prefix('+').unwrap_or(number);
    !digits.is_empty()
        && digits
            .bytes()
            .all(|c| c.is_ascii_digit() || b"*#".contains(&c))
}
