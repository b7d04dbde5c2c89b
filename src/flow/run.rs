//! One caller's walk through a document.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::document::{Document, HANG_UP, Step};
use crate::base::{Cause, Timestamp};
use crate::ivr::{self, Answer, BargeIn, Collect, Question, is_key};
use crate::router::Destination;

/// What is known about the call when its flow begins.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Context {
    /// Caller's number, normalised.
    pub from: String,
    /// Caller's name, when it is known and not withheld.
    #[serde(default)]
    pub from_name: Option<String>,
    /// Number that led to the flow, normalised.
    pub to: String,
    /// Trunk the call came in by.
    pub trunk: Option<String>,
    /// Attributes of the number; they outrank the document's.
    pub attributes: Map<String, Value>,
}

/// What the run wants done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Action {
    /// Answer the call; asked once, before anything is to be heard.
    Answer,
    /// Play these sounds one after the other; report [`Input::PlayDone`] with the same number.
    Play {
        /// Number of this request, rising within the run.
        play: u64,
        /// Names of sounds.
        sounds: Vec<String>,
    },
    /// Stop what plays; its end need not be reported.
    StopPlay,
    /// Set attributes of the call.
    SetAttributes(Map<String, Value>),
    /// Stand in a queue; report [`Input::QueueLeft`].
    Enqueue {
        /// Queue, or the workflow that leads into queues.
        to: Destination,
        /// All attributes of the call, with `from`, `from_name`, `to`, `trunk` and `flow`.
        attributes: Map<String, Value>,
        /// Higher is served first.
        priority: i64,
    },
    /// Call a number and join the caller with it; report [`Input::DialEnded`].
    Dial {
        /// Number, as a phone would dial it.
        number: String,
        /// How long it may ring.
        ring_timeout: Duration,
    },
    /// End the call; nothing follows.
    HangUp {
        /// Why; a refusal when the call was never answered.
        cause: Cause,
    },
}

/// What the run is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Input {
    /// The caller is gone: nothing more is asked.
    CallerLeft,
    /// A [`Action::Dial`] has its result.
    DialEnded(DialOutcome),
    /// The caller pressed a key.
    Digit(char),
    /// The play of this number came to its end by itself. Ends of other plays are ignored.
    PlayDone {
        /// Number from [`Action::Play`].
        play: u64,
    },
    /// A [`Action::Enqueue`] has its result.
    QueueLeft(QueueOutcome),
    /// The party the caller talked with hung up; the caller is still there.
    TalkEnded,
}

/// How a stand in a queue ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueOutcome {
    /// An agent answered; the caller talks.
    Answered,
    /// Nobody can ever take the call, or the queue is gone.
    Nobody,
    /// The longest wait is over.
    TimedOut,
}

/// How a call to a number ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DialOutcome {
    /// Answered; the caller talks.
    Answered,
    /// Busy, silent, refused or not dialable.
    Failed,
}

/// One caller's walk. Serialisable at every moment, document and all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    document: Arc<Document>,
    context: Context,
    attributes: Map<String, Value>,
    position: Position,
    answered: bool,
    plays: u64,
    typed_ahead: String,
    steps_taken: u32,
    deadline: Option<Timestamp>,
    actions: VecDeque<Action>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Position {
    Asking { step: String, collect: Box<Collect> },
    Dialling { step: String },
    Over,
    Playing { step: String, barge_in: BargeIn },
    Queueing { step: String },
    Talking { step: String },
    Waiting,
}

/// Steps one call may take; a caller who repeats a menu for an hour takes about a thousand.
const MAX_STEPS: u32 = 5000;
/// Keys kept for the next question; longer than any path through nested menus.
const MAX_TYPED_AHEAD: usize = 16;
/// Longest an announcement may go on before its end is taken for lost.
const PLAY_LIMIT: Duration = Duration::from_secs(600);

impl Run {
    /// A caller at the door; nothing happens before [`Run::start`].
    pub fn new(document: Arc<Document>, context: Context) -> Self {
        let mut attributes = document.attributes.clone();
        attributes.extend(context.attributes.clone());
        Self {
            document,
            context,
            attributes,
            position: Position::Waiting,
            answered: false,
            plays: 0,
            typed_ahead: String::new(),
            steps_taken: 0,
            deadline: None,
            actions: VecDeque::new(),
        }
    }

    /// Takes the first step; later calls do nothing.
    pub fn start(&mut self, now: Timestamp) {
        if self.position != Position::Waiting {
            return;
        }
        if !self.attributes.is_empty() {
            self.push(Action::SetAttributes(self.attributes.clone()));
        }
        let first = self.document.start.clone();
        self.enter(now, first);
    }

    /// Something happened. What does not fit the present step is ignored.
    pub fn handle(&mut self, now: Timestamp, input: Input) {
        match input {
            Input::CallerLeft => self.finish(),
            Input::DialEnded(outcome) => self.handle_dial_ended(now, outcome),
            Input::Digit(key) => self.handle_digit(now, key),
            Input::PlayDone { play } if play == self.plays => self.handle_play_done(now),
            Input::PlayDone { .. } => {}
            Input::QueueLeft(outcome) => self.handle_queue_left(now, outcome),
            Input::TalkEnded => self.handle_talk_ended(now),
        }
    }

    /// Time has passed; does nothing before [`Run::poll_timeout`].
    pub fn handle_timeout(&mut self, now: Timestamp) {
        if let Position::Asking { collect, .. } = &mut self.position {
            collect.handle_timeout(now);
            self.follow_question(now);
        } else if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.handle_play_done(now);
        }
    }

    /// When to call [`Run::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        match &self.position {
            Position::Asking { collect, .. } => collect.poll_timeout(),
            _ => self.deadline,
        }
    }

    /// The next thing wanted.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Whether the run asks for nothing any more: it hung up or the caller left.
    pub fn is_over(&self) -> bool {
        self.position == Position::Over
    }

    /// The document this call began with.
    pub fn document(&self) -> &Arc<Document> {
        &self.document
    }

    /// Attributes of the call as the run has set them.
    pub fn attributes(&self) -> &Map<String, Value> {
        &self.attributes
    }

    /// The step the caller is in; `None` before the first and after the last.
    pub fn step(&self) -> Option<&str> {
        match &self.position {
            Position::Asking { step, .. }
            | Position::Dialling { step }
            | Position::Playing { step, .. }
            | Position::Queueing { step }
            | Position::Talking { step } => Some(step),
            Position::Over | Position::Waiting => None,
        }
    }

    /// Whether what the caller presses and says is not to be kept anywhere.
    pub fn is_secret(&self) -> bool {
        let Position::Asking { step, .. } = &self.position else {
            return false;
        };
        let step = self.document.steps.get(step);
        matches!(step, Some(Step::Collect(collecting)) if collecting.secure)
    }

    fn handle_digit(&mut self, now: Timestamp, key: char) {
        match &mut self.position {
            Position::Asking { collect, .. } => {
                collect.handle_digit(now, key);
                self.follow_question(now);
            }
            Position::Playing {
                barge_in: BargeIn::Interrupts,
                step,
            } if is_key(key) => {
                let step = step.clone();
                if self.typed_ahead.len() < MAX_TYPED_AHEAD {
                    self.typed_ahead.push(key);
                }
                self.push(Action::StopPlay);
                self.leave_speech(now, &step);
            }
            _ => {}
        }
    }

    fn handle_play_done(&mut self, now: Timestamp) {
        match &mut self.position {
            Position::Asking { collect, .. } => {
                collect.handle_play_done(now);
                self.follow_question(now);
            }
            Position::Playing { step, .. } => {
                let step = step.clone();
                self.leave_speech(now, &step);
            }
            _ => {}
        }
    }

    fn handle_queue_left(&mut self, now: Timestamp, outcome: QueueOutcome) {
        let Position::Queueing { step } = &self.position else {
            return;
        };
        let step = step.clone();
        let Some(Step::Queue(queueing)) = self.document.steps.get(&step) else {
            return;
        };
        let next = match outcome {
            QueueOutcome::Answered => {
                self.position = Position::Talking { step };
                return;
            }
            QueueOutcome::Nobody => queueing.nobody.clone(),
            QueueOutcome::TimedOut => queueing.timeout.clone(),
        };
        self.enter(now, next);
    }

    fn handle_dial_ended(&mut self, now: Timestamp, outcome: DialOutcome) {
        let Position::Dialling { step } = &self.position else {
            return;
        };
        let step = step.clone();
        match (outcome, self.document.steps.get(&step)) {
            (DialOutcome::Answered, _) => {
                self.answered = true;
                self.position = Position::Talking { step };
            }
            (DialOutcome::Failed, Some(Step::Dial(dialling))) => {
                let next = dialling.failed.clone();
                self.enter(now, next);
            }
            (DialOutcome::Failed, _) => {}
        }
    }

    fn handle_talk_ended(&mut self, now: Timestamp) {
        let Position::Talking { step } = &self.position else {
            return;
        };
        let next = match self.document.steps.get(step) {
            Some(Step::Queue(queueing)) => queueing.after.clone(),
            Some(Step::Dial(dialling)) => dialling.after.clone(),
            _ => HANG_UP.to_owned(),
        };
        self.enter(now, next);
    }

    fn leave_speech(&mut self, now: Timestamp, step: &str) {
        if let Some(Step::Play(speech)) = self.document.steps.get(step) {
            let next = speech.next.clone();
            self.enter(now, next);
        }
    }

    /// Walks on until a step takes time or the call ends.
    fn enter(&mut self, now: Timestamp, first: String) {
        self.deadline = None;
        let document = Arc::clone(&self.document);
        let mut at = first;
        loop {
            self.steps_taken += 1;
            if self.steps_taken > MAX_STEPS {
                let words = format!("flow {} took more than {MAX_STEPS} steps", document.name);
                return self.hang_up(Cause::from_status(500).with_words(words));
            }
            let Some(step) = document.steps.get(&at) else {
                // `Document::check` leaves only the built-in step without an entry.
                return self.end(super::Rejection::Normal);
            };
            match step {
                Step::Set { attributes, next } => {
                    self.set(attributes);
                    at.clone_from(next);
                }
                Step::Play(speech) if speech.sounds.is_empty() => at.clone_from(&speech.next),
                Step::Play(speech) => {
                    self.answer();
                    self.play(speech.sounds.clone());
                    self.deadline = Some(now + PLAY_LIMIT);
                    self.position = Position::Playing {
                        barge_in: speech.barge_in,
                        step: at,
                    };
                    return;
                }
                Step::Menu(menu) => return self.ask(now, at, menu.question()),
                Step::Collect(collecting) => return self.ask(now, at, collecting.question()),
                Step::Queue(queueing) => {
                    self.answer();
                    self.typed_ahead.clear();
                    self.set(&queueing.attributes);
                    self.push(Action::Enqueue {
                        to: queueing.to.clone(),
                        attributes: self.task_attributes(),
                        priority: queueing.priority,
                    });
                    self.position = Position::Queueing { step: at };
                    return;
                }
                Step::Dial(dialling) => {
                    self.typed_ahead.clear();
                    self.push(Action::Dial {
                        number: dialling.number.clone(),
                        ring_timeout: dialling.ring_timeout,
                    });
                    self.position = Position::Dialling { step: at };
                    return;
                }
                Step::Hangup { cause } => return self.end(*cause),
            }
        }
    }

    fn ask(&mut self, now: Timestamp, step: String, question: Question) {
        self.answer();
        let typed_ahead = std::mem::take(&mut self.typed_ahead);
        // What was pressed before was no secret yet, and stands in the record.
        let typed_ahead = if question.secure { "" } else { &*typed_ahead };
        let mut collect = Box::new(Collect::start(question, now));
        for key in typed_ahead.chars() {
            collect.handle_digit(now, key);
        }
        self.position = Position::Asking { step, collect };
        self.follow_question(now);
    }

    /// Passes on what the question wants, and leaves it when it is over.
    fn follow_question(&mut self, now: Timestamp) {
        loop {
            let Position::Asking { step, collect } = &mut self.position else {
                return;
            };
            match collect.poll_output() {
                None => return,
                Some(ivr::Output::Play(sounds)) => self.play(sounds),
                Some(ivr::Output::StopPlay) => self.push(Action::StopPlay),
                Some(ivr::Output::Done(answer)) => {
                    let step = step.clone();
                    return self.leave_question(now, &step, answer);
                }
            }
        }
    }

    fn leave_question(&mut self, now: Timestamp, step: &str, answer: Answer) {
        let document = Arc::clone(&self.document);
        let next = match (document.steps.get(step), answer) {
            (Some(Step::Menu(menu)), Answer::Digits(digits)) => menu.choices.get(&digits),
            (Some(Step::Menu(menu)), Answer::Failed(_)) => Some(&menu.patience.failed),
            (Some(Step::Collect(collecting)), Answer::Digits(digits)) => {
                let shown = match collecting.secure {
                    true => "*".repeat(digits.len()),
                    false => digits,
                };
                let number = (collecting.into.clone(), Value::String(shown));
                self.set(&Map::from_iter([number]));
                Some(&collecting.next)
            }
            (Some(Step::Collect(collecting)), Answer::Failed(_)) => {
                Some(&collecting.patience.failed)
            }
            _ => None,
        };
        let next = next.map_or(HANG_UP, String::as_str).to_owned();
        self.enter(now, next);
    }

    /// What the router sees of the call.
    fn task_attributes(&self) -> Map<String, Value> {
        let mut attributes = Map::new();
        attributes.insert("from".to_owned(), self.context.from.clone().into());
        if let Some(name) = &self.context.from_name {
            attributes.insert("from_name".to_owned(), name.clone().into());
        }
        attributes.insert("to".to_owned(), self.context.to.clone().into());
        if let Some(trunk) = &self.context.trunk {
            attributes.insert("trunk".to_owned(), trunk.clone().into());
        }
        attributes.insert("flow".to_owned(), self.document.name.clone().into());
        attributes.extend(self.attributes.clone());
        attributes
    }

    fn set(&mut self, attributes: &Map<String, Value>) {
        if !attributes.is_empty() {
            self.attributes.extend(attributes.clone());
            self.push(Action::SetAttributes(attributes.clone()));
        }
    }

    fn answer(&mut self) {
        if !self.answered {
            self.answered = true;
            self.push(Action::Answer);
        }
    }

    fn play(&mut self, sounds: Vec<String>) {
        self.plays += 1;
        let play = self.plays;
        self.push(Action::Play { play, sounds });
    }

    fn end(&mut self, how: super::Rejection) {
        let cause = if self.answered {
            how.cause()
        } else {
            how.refusal()
        };
        self.hang_up(cause);
    }

    fn hang_up(&mut self, cause: Cause) {
        self.push(Action::HangUp { cause });
        self.position = Position::Over;
        self.deadline = None;
    }

    fn finish(&mut self) {
        self.actions.clear();
        self.position = Position::Over;
        self.deadline = None;
    }

    fn push(&mut self, action: Action) {
        // A prompt answered beforehand, by keys typed ahead, is not even begun.
        if action == Action::StopPlay && matches!(self.actions.back(), Some(Action::Play { .. })) {
            self.actions.pop_back();
            return;
        }
        self.actions.push_back(action);
    }
}

#[cfg(test)]
mod tests {
    use indexmap::IndexMap;
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::Rejection;
    use super::super::document::{Collecting, Dialling, Menu, Patience, Queueing, Speech};
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::ZERO + Duration::from_secs(seconds)
    }

    fn text(word: &str) -> String {
        word.to_owned()
    }

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    fn play(sound: &str, next: &str) -> Step {
        Step::Play(Speech {
            sounds: vec![text(sound)],
            barge_in: BargeIn::Interrupts,
            next: text(next),
        })
    }

    fn patience() -> Patience {
        Patience {
            prompt: vec![text("menu")],
            barge_in: BargeIn::Interrupts,
            timeout: Duration::from_secs(5),
            digit_timeout: Duration::from_secs(3),
            tries: 2,
            no_input: vec![text("no-input")],
            no_match: vec![text("no-match")],
            failed: text("goodbye"),
        }
    }

    fn queue(name: &str) -> Step {
        Step::Queue(Queueing {
            to: Destination::Queue(text(name)),
            attributes: map(json!({"topic": name})),
            priority: 3,
            nobody: text("nobody"),
            timeout: text("nobody"),
            after: text(HANG_UP),
        })
    }

    fn document() -> Arc<Document> {
        let choices = [
            ("1", "sales"),
            ("2", "number"),
            ("9", "menu"),
            ("0", "desk"),
        ];
        let choices = choices.iter().map(|(key, to)| (text(key), text(to)));
        let steps = [
            ("greeting", play("greeting", "menu")),
            (
                "menu",
                Step::Menu(Menu {
                    patience: patience(),
                    choices: choices.collect(),
                }),
            ),
            ("sales", queue("sales")),
            (
                "number",
                Step::Collect(Collecting {
                    patience: patience(),
                    min: 2,
                    max: 4,
                    terminators: text("#"),
                    into: text("customer"),
                    secure: false,
                    next: text("support"),
                }),
            ),
            ("support", queue("support")),
            (
                "desk",
                Step::Dial(Dialling {
                    number: text("1001"),
                    ring_timeout: Duration::from_secs(20),
                    failed: text("busy"),
                    after: text(HANG_UP),
                }),
            ),
            (
                "busy",
                Step::Hangup {
                    cause: Rejection::Busy,
                },
            ),
            ("nobody", play("nobody-available", HANG_UP)),
            ("goodbye", play("goodbye", HANG_UP)),
        ];
        let steps = steps.into_iter().map(|(name, step)| (text(name), step));
        let document = Document {
            name: text("main"),
            start: text("greeting"),
            attributes: map(json!({"language": "ja"})),
            steps: steps.collect::<IndexMap<_, _>>(),
        };
        assert_eq!(document.check(), []);
        Arc::new(document)
    }

    fn context() -> Context {
        Context {
            from: text("+819012345678"),
            from_name: Some(text("Yuki 山田")),
            to: text("+81312345678"),
            trunk: Some(text("demo")),
            attributes: map(json!({"vip": true})),
        }
    }

    fn started() -> Run {
        let mut run = Run::new(document(), context());
        run.start(at(0));
        run
    }

    fn drain(run: &mut Run) -> Vec<Action> {
        std::iter::from_fn(|| run.poll_action()).collect()
    }

    fn said(play: u64, sounds: &[&str]) -> Action {
        Action::Play {
            play,
            sounds: sounds.iter().map(|&sound| text(sound)).collect(),
        }
    }

    fn hung_up() -> Action {
        Action::HangUp {
            cause: Cause::normal(),
        }
    }

    #[test]
    fn a_caller_is_greeted_asked_and_queued_with_attributes() {
        let mut run = started();
        assert_eq!(
            drain(&mut run),
            [
                Action::SetAttributes(map(json!({"language": "ja", "vip": true}))),
                Action::Answer,
                said(1, &["greeting"])
            ]
        );
        run.handle(at(3), Input::PlayDone { play: 1 });
        assert_eq!(drain(&mut run), [said(2, &["menu"])]);
        run.handle(at(4), Input::Digit('1'));
        let expected = json!({
            "from": "+819012345678", "from_name": "Yuki 山田", "to": "+81312345678",
            "trunk": "demo", "flow": "main",
            "language": "ja", "vip": true, "topic": "sales"
        });
        assert_eq!(
            drain(&mut run),
            [
                Action::StopPlay,
                Action::SetAttributes(map(json!({"topic": "sales"}))),
                Action::Enqueue {
                    to: Destination::Queue(text("sales")),
                    attributes: map(expected),
                    priority: 3
                }
            ]
        );
        run.handle(at(9), Input::QueueLeft(QueueOutcome::Answered));
        assert_eq!((drain(&mut run), run.is_over()), (vec![], false));
        run.handle(at(60), Input::TalkEnded);
        assert_eq!((drain(&mut run), run.is_over()), (vec![hung_up()], true));
    }

    #[test]
    fn a_key_during_the_greeting_answers_the_menu() {
        let mut run = started();
        drain(&mut run);
        run.handle(at(1), Input::Digit('1'));
        let actions = drain(&mut run);
        assert_eq!(actions[0], Action::StopPlay);
        assert!(
            matches!(actions.last(), Some(Action::Enqueue { to: Destination::Queue(queue), .. }) if queue == "sales")
        );
        assert!(
            !actions
                .iter()
                .any(|action| matches!(action, Action::Play { .. }))
        );
    }

    #[test]
    fn the_end_of_an_older_play_is_ignored() {
        let mut run = started();
        drain(&mut run);
        run.handle(at(1), Input::PlayDone { play: 1 });
        run.handle(at(1), Input::PlayDone { play: 1 });
        drain(&mut run);
        assert!(run.poll_timeout() > Some(at(100)), "the menu still plays");
        run.handle(at(2), Input::PlayDone { play: 2 });
        assert_eq!(run.poll_timeout(), Some(at(7)));
    }

    #[test]
    fn nine_repeats_the_menu_with_all_its_tries() {
        let mut run = started();
        run.handle(at(1), Input::PlayDone { play: 1 });
        drain(&mut run);
        for _ in 0..5 {
            run.handle(at(2), Input::Digit('9'));
            assert_eq!(run.step(), Some("menu"));
        }
        drain(&mut run);
        run.handle(at(3), Input::Digit('7'));
        assert!(drain(&mut run).iter().any(
            |action| matches!(action, Action::Play { sounds, .. } if sounds[0] == "no-match")
        ));
    }

    #[test]
    fn silence_ends_in_goodbye() {
        let mut run = started();
        run.handle(at(1), Input::PlayDone { play: 1 });
        run.handle(at(2), Input::PlayDone { play: 2 });
        run.handle_timeout(at(7));
        drain(&mut run);
        run.handle(at(9), Input::PlayDone { play: 3 });
        run.handle_timeout(at(14));
        assert_eq!(drain(&mut run), [said(4, &["goodbye"])]);
        run.handle(at(15), Input::PlayDone { play: 4 });
        assert_eq!(drain(&mut run), [hung_up()]);
    }

    #[test]
    fn digits_become_an_attribute() {
        let mut run = started();
        drain(&mut run);
        for key in "2".chars().chain("123#".chars()) {
            run.handle(at(1), Input::Digit(key));
        }
        assert_eq!(run.attributes()["customer"], json!("123"));
        assert_eq!(run.step(), Some("support"));
    }

    #[test]
    fn a_queue_nobody_serves_ends_in_an_announcement() {
        let mut run = started();
        run.handle(at(1), Input::Digit('1'));
        drain(&mut run);
        run.handle(at(2), Input::QueueLeft(QueueOutcome::Nobody));
        assert_eq!(drain(&mut run), [said(3, &["nobody-available"])]);
    }

    #[test]
    fn an_unanswered_call_is_refused_not_hung_up_normally() {
        for (step, status) in [(HANG_UP, 480), ("busy", 486)] {
            let mut document = (*document()).clone();
            document.start = text(step);
            document.attributes.clear();
            let mut run = Run::new(Arc::new(document), Context::default());
            run.start(at(0));
            let cause = Cause::from_status(status);
            assert_eq!(drain(&mut run), [Action::HangUp { cause }]);
        }
    }

    #[test]
    fn a_dialled_number_that_is_busy_leads_on() {
        let mut run = started();
        run.handle(at(1), Input::Digit('0'));
        assert!(
            matches!(drain(&mut run).last(), Some(Action::Dial { number, .. }) if number == "1001")
        );
        run.handle(at(2), Input::DialEnded(DialOutcome::Failed));
        assert!(matches!(&drain(&mut run)[..], [Action::HangUp { cause }] if cause.q850 == 17));
    }

    #[test]
    fn a_secret_number_becomes_stars_and_takes_nothing_typed_before() {
        let mut document = Document::clone(&document());
        let Some(Step::Collect(collecting)) = document.steps.get_mut("number") else {
            panic!("it collects")
        };
        collecting.secure = true;
        document.start = text("greeting");
        if let Some(Step::Play(speech)) = document.steps.get_mut("greeting") {
            speech.next = text("number");
        }
        let mut run = Run::new(Arc::new(document), Context::default());
        run.start(at(0));
        assert!(!run.is_secret());
        run.handle(at(1), Input::Digit('9'));
        assert!(run.is_secret());
        for key in "1234".chars() {
            run.handle(at(2), Input::Digit(key));
        }
        assert!(!run.is_secret());
        assert_eq!(run.attributes()["customer"], "****");
        assert!(!format!("{run:?}").contains("1234"));
    }

    #[test]
    fn a_caller_who_left_is_asked_nothing_more() {
        let mut run = started();
        run.handle(at(1), Input::CallerLeft);
        run.handle(at(2), Input::PlayDone { play: 1 });
        run.handle(at(2), Input::Digit('1'));
        run.handle_timeout(at(9999));
        assert_eq!((drain(&mut run), run.is_over()), (vec![], true));
        assert_eq!(run.poll_timeout(), None);
    }

    fn any_input() -> impl Strategy<Value = Option<Input>> {
        prop_oneof![
            Just(None),
            prop::sample::select("0123456789*#x".chars().collect::<Vec<_>>())
                .prop_map(|key| Some(Input::Digit(key))),
            (0u64..30).prop_map(|play| Some(Input::PlayDone { play })),
            Just(Some(Input::QueueLeft(QueueOutcome::Answered))),
            Just(Some(Input::QueueLeft(QueueOutcome::Nobody))),
            Just(Some(Input::QueueLeft(QueueOutcome::TimedOut))),
            Just(Some(Input::DialEnded(DialOutcome::Answered))),
            Just(Some(Input::DialEnded(DialOutcome::Failed))),
            Just(Some(Input::TalkEnded)),
        ]
    }

    proptest! {
        /// A run stored and read back at every step behaves as the one that was not; it answers at
        /// most once, before anything else is heard; after the hang-up nothing follows; and as
        /// long as it is not over, something will move it: a deadline or a report it waits for.
        #[test]
        fn any_inputs_keep_the_promises(inputs in prop::collection::vec(any_input(), 0..60)) {
            let mut run = started();
            let mut twin = run.clone();
            let (mut now, mut answered, mut over) = (at(0), false, false);
            for input in inputs {
                for action in drain(&mut run) {
                    prop_assert!(!over);
                    match action {
                        Action::Answer => prop_assert!(!std::mem::replace(&mut answered, true)),
                        Action::Play { .. } | Action::Enqueue { .. } => prop_assert!(answered),
                        Action::HangUp { .. } => over = true,
                        _ => {}
                    }
                }
                drain(&mut twin);
                let stored = serde_json::to_string(&twin).expect("a run can be stored");
                twin = serde_json::from_str(&stored).expect("and read back");
                prop_assert_eq!(&run, &twin);
                for run in [&mut run, &mut twin] {
                    match &input {
                        Some(input) => run.handle(now, input.clone()),
                        None => {
                            now = now.max(run.poll_timeout().unwrap_or(now));
                            run.handle_timeout(now);
                        }
                    }
                }
                let waits = matches!(run.step(), Some("sales" | "support" | "desk"));
                prop_assert!(run.is_over() || waits || run.poll_timeout().is_some());
            }
        }
    }
}
