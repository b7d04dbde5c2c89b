//! One subscriber at a telephone: which mailbox, may he, and what is spoken to him.
//!
//! What follows once the mailbox is open is in `listen` and `greeting`.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::listen::DELETE;
use super::{Clip, Message, VoicemailTerms, Wish, Word};
use crate::base::{Language, Timestamp};
use crate::ivr::{self, Accept, Answer, Collect, Question, Take, TakeOutput};
use crate::media::Sound;
pub use crate::trunk::MailboxService as Service;

/// What a session may look at for the length of one event.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// When.
    pub now: Timestamp,
    /// What the office says.
    pub terms: &'a VoicemailTerms,
    /// Language that dates and numbers are said in.
    pub language: Language,
    /// Where the clock is that times are said by.
    pub zone: &'a TimeZone,
}

/// What a session wants done.
#[derive(Clone, Debug)]
pub enum Output {
    /// Ask the mailboxes; their word goes to [`Session::handle_word`].
    Ask(Wish),
    /// Call this number instead of going on.
    CallBack(String),
    /// The call is over.
    End,
    /// Play these sounds one after the other and tell when they are over.
    Play(Vec<String>),
    /// Play this sound and tell when it is over.
    PlaySound(Arc<Sound>),
    /// Record a greeting for this mailbox from now on; file it when it is stored.
    Record(String),
    /// Whether keys are to be kept from everybody from now on.
    Secret(bool),
    /// Stop what plays.
    StopPlay,
    /// The recording is over.
    StopRecord,
}

/// A subscriber's session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session {
    service: Service,
    /// The phone he calls from.
    phone: String,
    /// Digits dialled after the code.
    digits: String,
    /// The mailbox that is open, or a number that none has.
    pub(super) mailbox: String,
    /// PINs he may still try.
    tries: u32,
    pub(super) step: Step,
    /// Messages in the order they are heard.
    pub(super) messages: Vec<Message>,
    /// The one he is at.
    pub(super) at: usize,
    pub(super) has_greeting: bool,
    /// Said before what is said next.
    prefix: Vec<String>,
    /// Words that are of no interest any more.
    pub(super) unheeded: u32,
    /// Keys pressed while the mailboxes were asked.
    #[serde(skip)]
    typed_ahead: VecDeque<char>,
    #[serde(skip)]
    outputs: VecDeque<Output>,
}

/// Where a session is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Step {
    /// Something was asked.
    Asking(Asked, Box<Collect>),
    /// A message: when it came and from whom, or the message itself.
    Hearing { is_message: bool },
    /// Nothing follows.
    Over,
    /// The greeting plays.
    PlayingGreeting,
    /// Something is said; keys are not looked at.
    Speaking(Then),
    /// A greeting is recorded.
    Taking(Box<Take>),
    /// The mailboxes were asked.
    Waiting { want: Want, until: Timestamp },
}

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Asked {
    /// What is to be done with the greeting.
    Greeting,
    /// Number of the mailbox.
    Mailbox,
    /// What is to be done with the message.
    Menu,
    /// The PIN.
    Pin,
}

/// What follows something that is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Then {
    End,
    Record,
}

/// What the mailboxes were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Want {
    Deleted,
    GreetingDropped,
    GreetingLoaded,
    MessageLoaded,
    Opened,
    Saved,
}

/// How long the mailboxes may take for a word.
const PATIENCE: Duration = Duration::from_secs(10);
/// Keys kept while they take it; no path through the menus is longer.
const MAX_TYPED_AHEAD: usize = 16;
/// PINs a session takes.
const PINS: u32 = 3;

impl Session {
    /// Somebody at `phone` dialled a code, and `digits` after it.
    pub fn new(service: Service, phone: String, digits: String) -> Self {
        Self {
            service,
            phone,
            digits,
            mailbox: String::new(),
            tries: PINS,
            step: Step::Over,
            messages: Vec::new(),
            at: 0,
            has_greeting: false,
            prefix: Vec::new(),
            unheeded: 0,
            typed_ahead: VecDeque::new(),
            outputs: VecDeque::new(),
        }
    }

    /// Begins.
    pub fn start(&mut self, around: &Around<'_>) {
        let own = around.terms.phones.get(&self.phone);
        let own = own.map(|phone| phone.mailbox.clone());
        match (self.digits.as_str(), own) {
            ("", Some(own)) => self.approach(around, own),
            ("", None) => {
                let question = Question::digits(vec!["enter-number-then-hash".to_owned()], 1..=15);
                self.ask(around, Asked::Mailbox, question);
            }
            (_, _) => {
                let number = self.digits.clone();
                self.approach_numbered(around, number);
            }
        }
    }

    /// He pressed a key.
    pub fn handle_digit(&mut self, around: &Around<'_>, key: char) {
        match &mut self.step {
            Step::Asking(_, collect) => {
                collect.handle_digit(around.now, key);
                self.follow(around);
            }
            Step::Taking(take) => {
                take.handle_digit(around.now, key);
                self.follow_take(around);
            }
            Step::Hearing { .. } => self.interrupt(around, key),
            Step::PlayingGreeting if ivr::is_key(key) => {
                self.put_out(Output::StopPlay);
                self.ask_greeting(around);
            }
            Step::Waiting { want, .. } => {
                let is_meant = match *want {
                    // Whoever presses it again because nothing is heard means the same message.
                    Want::Deleted => key != DELETE,
                    // The end of a PIN that was long enough without.
                    Want::Opened => key != '#',
                    _ => true,
                };
                if ivr::is_key(key) && is_meant && self.typed_ahead.len() < MAX_TYPED_AHEAD {
                    self.typed_ahead.push_back(key);
                }
            }
            Step::Over | Step::PlayingGreeting | Step::Speaking(_) => {}
        }
    }

    /// What was last to be played is over.
    pub fn handle_play_done(&mut self, around: &Around<'_>) {
        match &mut self.step {
            Step::Asking(_, collect) => {
                collect.handle_play_done(around.now);
                self.follow(around);
            }
            Step::Taking(take) => {
                take.handle_play_done(around.now);
                self.follow_take(around);
            }
            Step::Hearing { is_message } => match *is_message {
                true => self.heard_out(around),
                false => self.load_message(around),
            },
            Step::PlayingGreeting => self.ask_greeting(around),
            Step::Speaking(Then::End) => self.end(),
            Step::Speaking(Then::Record) => self.take(around),
            Step::Over | Step::Waiting { .. } => {}
        }
    }

    /// He began to speak, or fell silent; told while a greeting is recorded.
    pub fn handle_speaking(&mut self, around: &Around<'_>, speaking: bool) {
        if let Step::Taking(take) = &mut self.step {
            take.handle_speaking(around.now, speaking);
            self.follow_take(around);
        }
    }

    /// The mailboxes say something.
    pub fn handle_word(&mut self, around: &Around<'_>, word: Word) {
        self.take_word(around, word);
        // What was pressed meanwhile counts now, as far as keys do where he has come to.
        while !matches!(self.step, Step::Waiting { .. })
            && let Some(key) = self.typed_ahead.pop_front()
        {
            self.handle_digit(around, key);
        }
    }

    fn take_word(&mut self, around: &Around<'_>, word: Word) {
        if matches!(word, Word::Done(_)) && self.unheeded > 0 {
            self.unheeded -= 1;
            return;
        }
        if let (Step::Taking(_), Word::Filed { filed, .. }) = (&self.step, &word) {
            return self.greeting_filed(around, &filed.clone());
        }
        let Step::Waiting { want, .. } = self.step else {
            return;
        };
        match (want, word) {
            (
                Want::Opened,
                Word::Opened {
                    messages,
                    has_greeting,
                },
            ) => {
                self.has_greeting = has_greeting;
                match self.service {
                    Service::Listen => self.begin_listening(around, messages),
                    Service::Greeting => self.begin_greeting(around),
                }
            }
            (Want::Opened, Word::Refused { is_locked }) => {
                self.tries = self.tries.saturating_sub(1);
                if is_locked || self.tries == 0 {
                    return self.say([if is_locked { "agent-locked" } else { "goodbye" }]);
                }
                self.prefix.push("vm-wrong-pin".to_owned());
                self.ask_pin(around);
            }
            (Want::MessageLoaded | Want::GreetingLoaded, Word::Loaded(Some(sound))) => {
                self.put_out(Output::PlaySound(sound));
                self.step = match want {
                    Want::MessageLoaded => Step::Hearing { is_message: true },
                    _ => Step::PlayingGreeting,
                };
            }
            (Want::MessageLoaded, Word::Loaded(None)) => {
                self.prefix.push("error-technical".to_owned());
                self.ask_menu(around);
            }
            (Want::Saved, Word::Done(true)) => self.saved(around),
            (Want::Deleted, Word::Done(true)) => self.deleted(around),
            (Want::GreetingDropped, Word::Done(true)) => self.say(["vm-deleted"]),
            (_, _) => self.say(["error-technical"]),
        }
    }

    /// Time has passed; does nothing before [`Session::poll_timeout`].
    pub fn handle_timeout(&mut self, around: &Around<'_>) {
        match &mut self.step {
            Step::Asking(_, collect) => {
                collect.handle_timeout(around.now);
                self.follow(around);
            }
            Step::Taking(take) => {
                take.handle_timeout(around.now);
                self.follow_take(around);
            }
            Step::Waiting { until, .. } if *until <= around.now => self.say(["error-technical"]),
            Step::Waiting { .. }
            | Step::Hearing { .. }
            | Step::Over
            | Step::PlayingGreeting
            | Step::Speaking(_) => {}
        }
    }

    /// When to call [`Session::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        match &self.step {
            Step::Asking(_, collect) => collect.poll_timeout(),
            Step::Taking(take) => take.poll_timeout(),
            Step::Waiting { until, .. } => Some(*until),
            Step::Hearing { .. } | Step::Over | Step::PlayingGreeting | Step::Speaking(_) => None,
        }
    }

    /// The next thing wanted.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// What he wants.
    pub fn service(&self) -> Service {
        self.service
    }

    /// The mailbox he wants to open, once that is known.
    pub fn mailbox(&self) -> &str {
        &self.mailbox
    }

    /// Whether nothing at all was said while a greeting was recorded.
    pub fn said_nothing(&self) -> bool {
        matches!(&self.step, Step::Taking(take) if take.is_empty())
    }

    /// The switch died in the midst of it: begins anew, as if he had just come.
    pub fn restart(&mut self, around: &Around<'_>) {
        *self = Self::new(self.service, self.phone.clone(), self.digits.clone());
        self.start(around);
    }

    pub(super) fn put_out(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    /// Says this before what is said next.
    pub(super) fn first_say(&mut self, sounds: impl IntoIterator<Item = String>) {
        self.prefix.extend(sounds);
    }

    /// Plays sounds, behind those that are to be said first.
    pub(super) fn play(&mut self, sounds: Vec<String>) {
        let mut all = std::mem::take(&mut self.prefix);
        all.extend(sounds);
        self.put_out(Output::Play(all));
    }

    /// Says something, and no more.
    pub(super) fn say<'s>(&mut self, sounds: impl IntoIterator<Item = &'s str>) {
        let sounds = sounds.into_iter().map(str::to_owned).collect();
        self.play(sounds);
        self.step = Step::Speaking(Then::End);
    }

    /// Asks the mailboxes for something that must be known before it goes on.
    pub(super) fn wait(&mut self, around: &Around<'_>, want: Want, wish: Wish) {
        self.put_out(Output::Ask(wish));
        let until = around.now + PATIENCE;
        self.step = Step::Waiting { want, until };
    }

    pub(super) fn ask(&mut self, around: &Around<'_>, asked: Asked, mut question: Question) {
        let mut prompt = std::mem::take(&mut self.prefix);
        prompt.append(&mut question.prompt);
        question.prompt = prompt;
        if question.secure {
            // What was pressed before was no secret.
            self.typed_ahead.clear();
            self.put_out(Output::Secret(true));
        }
        self.step = Step::Asking(asked, Box::new(Collect::start(question, around.now)));
        self.follow(around);
    }

    pub(super) fn load(&mut self, around: &Around<'_>, want: Want, clip: Clip) {
        let mailbox = self.mailbox.clone();
        self.wait(around, want, Wish::Load { mailbox, clip });
    }

    /// Records a greeting.
    pub(super) fn take(&mut self, around: &Around<'_>) {
        let terms = ivr::TakeTerms {
            longest: around.terms.longest,
            silence: around.terms.silence,
            terminators: "#*".to_owned(),
            beep: true,
        };
        self.step = Step::Taking(Box::new(Take::start(terms, around.now)));
        self.follow_take(around);
    }

    /// Nothing follows.
    pub(super) fn end(&mut self) {
        self.step = Step::Over;
        self.put_out(Output::End);
    }

    fn approach_numbered(&mut self, around: &Around<'_>, number: String) {
        match around.terms.numbered(&number) {
            Some(mailbox) => self.approach(around, mailbox.to_owned()),
            None => {
                // Nobody learns which numbers have a mailbox.
                self.mailbox = number;
                self.ask_pin(around);
            }
        }
    }

    fn approach(&mut self, around: &Around<'_>, mailbox: String) {
        let terms = around.terms.mailboxes.get(&mailbox);
        let own = around.terms.phones.get(&self.phone);
        let is_own = own.is_some_and(|own| own.mailbox == mailbox);
        let is_open = is_own && terms.is_some_and(|terms| !terms.asks_own_phone);
        self.mailbox = mailbox;
        match is_open {
            true => self.open(around, None),
            false => self.ask_pin(around),
        }
    }

    fn open(&mut self, around: &Around<'_>, pin: Option<bool>) {
        let mailbox = self.mailbox.clone();
        self.wait(around, Want::Opened, Wish::Open { mailbox, pin });
    }

    fn ask_pin(&mut self, around: &Around<'_>) {
        let question = Question {
            secure: true,
            ..Question::digits(vec!["vm-enter-pin".to_owned()], 1..=12)
        };
        self.ask(around, Asked::Pin, question);
    }

    /// Does what the question under way wants, and goes on when it is answered.
    fn follow(&mut self, around: &Around<'_>) {
        while let Step::Asking(asked, collect) = &mut self.step {
            match collect.poll_output() {
                None => return,
                Some(ivr::Output::Play(sounds)) => self.put_out(Output::Play(sounds)),
                Some(ivr::Output::StopPlay) => self.put_out(Output::StopPlay),
                Some(ivr::Output::Done(answer)) => {
                    let asked = *asked;
                    self.step = Step::Over;
                    self.answered(around, asked, answer);
                }
            }
        }
    }

    fn follow_take(&mut self, around: &Around<'_>) {
        while let Step::Taking(take) = &mut self.step {
            match take.poll_output() {
                None => return,
                Some(TakeOutput::Play(sounds)) => self.put_out(Output::Play(sounds)),
                Some(TakeOutput::Begin) => {
                    let mailbox = self.mailbox.clone();
                    self.put_out(Output::Record(mailbox));
                }
                Some(TakeOutput::Stop) => self.put_out(Output::StopRecord),
                // Only its patience ends it: what is stored is told by the mailboxes.
                Some(TakeOutput::Done(_)) => self.greeting_failed(around),
            }
        }
    }

    fn answered(&mut self, around: &Around<'_>, asked: Asked, answer: Answer) {
        if asked == Asked::Pin {
            self.put_out(Output::Secret(false));
        }
        let digits = match answer {
            Answer::Digits(digits) => digits,
            Answer::Failed(_) => return self.say(["goodbye"]),
        };
        let key = digits.chars().next().unwrap_or('*');
        match asked {
            Asked::Greeting => self.choose_greeting(around, key),
            Asked::Mailbox => self.approach_numbered(around, digits),
            Asked::Menu => self.choose(around, key),
            Asked::Pin => {
                let terms = around.terms.mailboxes.get(&self.mailbox);
                let pin = terms.and_then(|terms| terms.pin.as_ref());
                let is_right = pin.is_some_and(|pin| pin.is(&digits));
                self.open(around, Some(is_right));
            }
        }
    }
}

/// A question for one of these keys.
pub(super) fn choice(prompt: &str, keys: &str) -> Question {
    Question {
        accept: Accept::OneOf(keys.chars().map(String::from).collect()),
        terminators: BTreeSet::new(),
        ..Question::digits(vec![prompt.to_owned()], 1..=1)
    }
}
