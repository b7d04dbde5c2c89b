//! Recording a greeting, hearing it, and dropping it.

use super::session::{Around, Asked, Session, Step, Then, Want, choice};
use super::{Clip, Filed, Wish};

impl Session {
    /// The mailbox is open: what is to be done with its greeting.
    pub(super) fn begin_greeting(&mut self, around: &Around<'_>) {
        match self.has_greeting {
            true => self.ask_greeting(around),
            false => self.ask_to_record(),
        }
    }

    pub(super) fn ask_greeting(&mut self, around: &Around<'_>) {
        self.ask(around, Asked::Greeting, choice("vm-greeting-menu", "123#*"));
    }

    /// Hear, record again, drop; anything else keeps it.
    pub(super) fn choose_greeting(&mut self, around: &Around<'_>, key: char) {
        match key {
            '1' => self.load(around, Want::GreetingLoaded, Clip::Greeting),
            '2' => self.ask_to_record(),
            '3' => {
                let mailbox = self.mailbox.clone();
                let wish = Wish::DropGreeting { mailbox };
                self.wait(around, Want::GreetingDropped, wish);
            }
            _ => self.say(["goodbye"]),
        }
    }

    /// What was recorded is stored and in use, or is not.
    pub(super) fn greeting_filed(&mut self, around: &Around<'_>, filed: &Filed) {
        match filed {
            Filed::Greeting | Filed::Kept(_) => {
                self.has_greeting = true;
                self.first_say(["saved".to_owned()]);
                self.ask_greeting(around);
            }
            Filed::TooShort => self.say(["too-short"]),
            Filed::Failed(_) => self.greeting_failed(around),
        }
    }

    pub(super) fn greeting_failed(&mut self, _: &Around<'_>) {
        self.say(["error-technical"]);
    }

    fn ask_to_record(&mut self) {
        self.play(vec!["vm-greeting-record".to_owned()]);
        self.step = Step::Speaking(Then::Record);
    }
}
