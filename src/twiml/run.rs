//! The execution of documents for one leg: top to bottom, until a document hands over to another,
//! the call ends, or somebody else takes it.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::action::{Action, Prompt, Utterance};
use super::document::Document;
use super::facts::{CallStatus, Direction, Facts, Form};
use super::fault::Fault;
use super::link::Link;
use super::notice::{Progress, add, recording_url, seconds};
use super::sid::Sid;
use super::terms::{Source, Terms};
use super::verb::{Play, Playable, ProgressEvent, RecordingCallback, Say, Verb};
use crate::base::{Cause, Timestamp};
use conference::Conferring;
use dial::Dialling;
use ending::Parting;
use gather::Question;
use queue::Queueing;
use role::Role;
pub use story::Visit;

mod conference;
mod dial;
mod ending;
mod fetch;
mod gather;
mod inner;
mod input;
mod queue;
mod record;
mod role;
mod story;

/// One leg's documents. Serialisable at every moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    facts: Facts,
    terms: Terms,
    role: Role,
    status: CallStatus,
    progress: Progress,
    began: Option<Timestamp>,
    answered: Option<Timestamp>,
    document: Document,
    /// URL of the document: what relative ones start from, and what is asked again when a verb
    /// names no other.
    base: Option<Link>,
    /// The next verb.
    next: usize,
    position: Position,
    deadline: Option<Timestamp>,
    actions: VecDeque<Action>,
    numbers: Numbers,
    pace: Pace,
    remarks: Vec<Fault>,
    /// What requests say besides: where the caller stands.
    more: Form,
    /// The last recording, and who is told of what is being recorded.
    recording: Option<(Sid, Duration)>,
    callback: Option<RecordingCallback>,
    /// Verbs that were executed and not told of.
    #[serde(default)]
    visits: VecDeque<Visit>,
}

/// What the leg is at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Position {
    Conferring(Box<Conferring>),
    Dialling(Box<Dialling>),
    Fetching {
        request: u64,
        link: Link,
        is_fallback: bool,
    },
    Gathering(Box<Question>),
    /// Silence until somebody else does something.
    Idle,
    Over,
    Pausing,
    Playing {
        play: u64,
        /// What was said is that the application failed: the end.
        is_last: bool,
    },
    Queueing(Box<Queueing>),
    Recording {
        record: u64,
        action: Option<Link>,
    },
    Referring {
        action: Option<Link>,
    },
    Waiting,
}

/// Counts requests of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Numbers {
    legs: u64,
    listens: u64,
    plays: u64,
    records: u64,
    requests: u64,
}

/// How fast documents follow each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Pace {
    last: Timestamp,
    /// Documents one after the other that took no time.
    hurried: u32,
    /// Whether the present one has done anything that takes time.
    took_time: bool,
}

/// What follows a verb.
enum Turn {
    /// The next one.
    Next,
    /// It takes time, or the run went elsewhere.
    Stay,
}

/// Documents in a row that may follow each other without anything that takes a second: more is a
/// loop, and ends as too many redirects do.
pub const MAX_HURRIED: u32 = 20;
/// Most remarks kept of a call.
const MAX_REMARKS: usize = 100;

impl Run {
    /// A leg whose documents say what becomes of it. Nothing happens before [`Run::start`].
    pub fn new(facts: Facts, terms: Terms) -> Self {
        Self::of(Role::Call, facts, terms)
    }

    /// A called party who hears documents before it is connected. The run ends with
    /// [`Action::Finished`], or hangs up.
    pub fn whisper(facts: Facts, terms: Terms) -> Self {
        let mut run = Self::of(Role::Whisper, facts, terms);
        run.status = CallStatus::InProgress;
        run
    }

    /// A caller who waited hears documents before he is connected, and what he is in is no document.
    /// The run ends with [`Action::Finished`].
    pub fn whisper_in_line(facts: Facts, terms: Terms) -> Self {
        let mut run = Self::of(Role::QueueWhisper, facts, terms);
        run.status = CallStatus::InProgress;
        run
    }

    fn of(role: Role, facts: Facts, terms: Terms) -> Self {
        let status = match facts.direction {
            Direction::Inbound => CallStatus::Ringing,
            Direction::OutboundApi | Direction::OutboundDial => CallStatus::Queued,
        };
        Self {
            progress: Progress::new(terms.status.clone()),
            facts,
            terms,
            role,
            status,
            began: None,
            answered: None,
            document: Document::default(),
            base: None,
            next: 0,
            position: Position::Waiting,
            deadline: None,
            actions: VecDeque::new(),
            numbers: Numbers::default(),
            pace: Pace::default(),
            remarks: Vec::new(),
            more: Form::new(),
            recording: None,
            callback: None,
            visits: VecDeque::new(),
        }
    }

    /// The same for a call that has got its id: what applications are told of it.
    pub fn of_call(mut self, facts: Facts) -> Self {
        self.facts = facts;
        self
    }

    /// What holds for all of its documents.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Begins; later calls do nothing. A leg that is called by us begins when it answers, which
    /// [`Input::Outbound`](super::action::Input::Outbound) tells.
    pub fn start(&mut self, now: Timestamp) {
        if self.position != Position::Waiting {
            return;
        }
        self.pace.last = now;
        self.began = Some(now);
        if self.role == Role::Call && self.facts.direction != Direction::Inbound {
            self.position = Position::Idle;
            return;
        }
        if self.role != Role::Call {
            self.answered = Some(now);
        }
        self.begin(now);
    }

    /// When to call [`Run::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        if self.position == Position::Over {
            return None;
        }
        let inner = self.inner().and_then(Run::poll_timeout);
        [self.deadline, self.limit(), inner]
            .into_iter()
            .flatten()
            .min()
    }

    /// The next thing wanted.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Whether nothing more will be asked, once [`Run::poll_action`] is empty.
    pub fn is_over(&self) -> bool {
        self.position == Position::Over
    }

    /// How far the leg is.
    pub fn status(&self) -> CallStatus {
        self.status
    }

    /// What applications are told of the leg.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// A recording of the connection grows: what is said of it when the connection ends.
    pub fn note_recording(&mut self, recording: Sid, length: Duration) {
        self.recording = Some((recording, length));
    }

    /// Whether somebody says what follows when the connected leg refers the caller elsewhere.
    pub fn hears_referral(&self) -> bool {
        matches!(&self.position, Position::Dialling(dialling) if dialling.hears_referral())
    }

    /// What was doubtful or went wrong, for whoever writes the documents; the first
    /// hundred.
    pub fn remarks(&self) -> &[Fault] {
        &self.remarks
    }

    fn begin(&mut self, now: Timestamp) {
        match self.terms.source.clone() {
            Source::Document(document) => self.execute_document(now, *document, None),
            Source::Url(link) => self.fetch(now, link, Form::new()),
        }
    }

    /// Walks on until a verb takes time or the run goes elsewhere.
    fn advance(&mut self, now: Timestamp) {
        self.deadline = None;
        self.position = Position::Idle;
        loop {
            let Some(placed) = self.document.verbs.get(self.next).cloned() else {
                return self.end_of_document(now);
            };
            self.next += 1;
            self.note_visit(&placed.verb);
            if !self.role.executes(&placed.verb) {
                let words = format!("<{}> has no place in this document", placed.verb.name());
                let fault = Fault::new(self.role.misfit(&placed.verb), words);
                self.remark(Fault {
                    at: placed.at,
                    ..fault
                });
                continue;
            }
            match self.execute(now, placed.verb) {
                Turn::Next => {}
                Turn::Stay => return,
            }
        }
    }

    fn execute(&mut self, now: Timestamp, verb: Verb) -> Turn {
        self.pace.took_time |= !matches!(verb, Verb::Redirect(_));
        match verb {
            Verb::Dial(dial) => self.dial(now, *dial),
            Verb::Enqueue(enqueue) => self.enqueue(now, *enqueue),
            Verb::Gather(gather) => self.gather(now, *gather),
            Verb::Hangup => {
                self.answer(now);
                self.hang_up(now, Cause::normal());
                Turn::Stay
            }
            Verb::Leave => {
                self.leave();
                Turn::Stay
            }
            Verb::Pause(pause) => {
                self.position = Position::Pausing;
                self.deadline = Some(now + pause.length);
                Turn::Stay
            }
            Verb::Play(play) => self.speak(now, self.sound(play)),
            Verb::Record(record) => self.record(now, *record),
            Verb::Redirect(redirect) => {
                self.transfer(now, Some(&redirect.to), Form::new());
                Turn::Stay
            }
            Verb::Refer(refer) => {
                self.answer(now);
                self.push(Action::Refer { to: refer.to });
                self.position = Position::Referring {
                    action: refer.action,
                };
                self.deadline = Some(now + REFER_LIMIT);
                Turn::Stay
            }
            Verb::Reject(reject) => {
                let cause = match self.answered {
                    None => Cause::from_status(reject.reason.status()),
                    Some(_) => Cause::normal(),
                };
                self.hang_up(now, cause);
                Turn::Stay
            }
            Verb::Say(say) => self.speak(now, spoken(say)),
        }
    }

    /// Plays one thing to an answered caller.
    fn speak(&mut self, now: Timestamp, prompt: Option<Prompt>) -> Turn {
        let Some(prompt) = prompt else {
            return Turn::Next;
        };
        self.answer(now);
        let play = self.play(vec![prompt]);
        self.position = Position::Playing {
            play,
            is_last: false,
        };
        Turn::Stay
    }

    fn play(&mut self, prompts: Vec<Prompt>) -> u64 {
        self.numbers.plays += 1;
        let play = self.numbers.plays;
        self.push(Action::Play { play, prompts });
        play
    }

    /// A sound with its URL made absolute.
    fn sound(&self, play: Play) -> Option<Prompt> {
        let what = match play.what? {
            Playable::Digits(digits) => Utterance::Digits(digits),
            Playable::Url(url) => {
                let link = Link::post(url);
                let resolved = link.resolve(self.base_url());
                // Whoever plays it finds out that it is none, and says so.
                Utterance::Url(resolved.unwrap_or(link).url)
            }
        };
        Some(Prompt {
            what,
            times: play.times,
        })
    }

    fn base_url(&self) -> Option<&str> {
        self.base.as_ref().map(|link| link.url.as_str())
    }

    fn answer(&mut self, now: Timestamp) {
        if self.answered.is_some() {
            return;
        }
        self.push(Action::Answer);
        self.is_answered(now);
    }

    fn is_answered(&mut self, now: Timestamp) {
        self.answered = Some(now);
        self.status = CallStatus::InProgress;
        self.tell(now, ProgressEvent::Answered);
    }

    fn tell(&mut self, now: Timestamp, event: ProgressEvent) {
        let mut more = Form::new();
        if event == ProgressEvent::Completed {
            let talked = self
                .answered
                .map_or(Duration::ZERO, |answered| now.since(answered));
            add(&mut more, "CallDuration", seconds(talked));
            if let Some((recording, length)) = &self.recording {
                let url = recording_url(&self.terms.api, &self.facts.account, recording);
                add(&mut more, "RecordingUrl", url);
                add(&mut more, "RecordingSid", recording.as_str());
                add(&mut more, "RecordingDuration", seconds(*length));
            }
        }
        if let Some(notice) = self
            .progress
            .tell(now, event, &self.facts, self.status, more)
        {
            self.push(Action::Notify(notice));
        }
    }

    /// Something about the document is doubtful, or went wrong; see [`Run::remarks`].
    pub fn remark(&mut self, fault: Fault) {
        if self.remarks.len() < MAX_REMARKS {
            self.remarks.push(fault);
        }
    }

    fn push(&mut self, action: Action) {
        // Nobody would hear what is stopped before it was even asked for.
        if action == Action::StopPlay && matches!(self.actions.back(), Some(Action::Play { .. })) {
            self.actions.pop_back();
            return;
        }
        self.actions.push_back(action);
    }
}

/// Text to be spoken; `None` when there is none.
fn spoken(say: Say) -> Option<Prompt> {
    let times = say.times;
    (!say.text.is_empty()).then_some(Prompt {
        what: Utterance::Speech(say),
        times,
    })
}

/// Longest a caller's side may take to be referred.
const REFER_LIMIT: Duration = Duration::from_secs(60);
