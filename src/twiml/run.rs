//! The execution of documents for one leg: top to bottom, until a document hands over to another,
//! the call ends, or somebody else takes it.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::action::{Action, Input, LegNews, Modification, Prompt, Utterance};
use super::document::Document;
use super::facts::{CallStatus, Direction, Facts, Form};
use super::fault::Fault;
use super::link::Link;
use super::notice::{Progress, add, recording_url, seconds};
use super::sid::Sid;
use super::verb::{Play, Playable, ProgressEvent, RecordingCallback, Say, StatusCallback, Verb};
use crate::base::{Cause, Timestamp};
use conference::Conferring;
use dial::Dialling;
use gather::Question;
use queue::Queueing;

mod conference;
mod dial;
mod fetch;
mod gather;
mod inner;
mod queue;
mod record;

/// Where a leg's first document comes from, and what holds for all of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    /// The first document.
    pub source: Source,
    /// What is asked when a document cannot be had or is none; absolute.
    pub fallback: Option<Link>,
    /// Who is told how the call goes; absolute.
    pub status: Option<StatusCallback>,
    /// How long the call may last from its answer; [`Terms::LONGEST`] when nothing is said.
    pub time_limit: Duration,
    /// Numbers of ours, and others that were verified: what `callerId` may name.
    pub caller_ids: Vec<String>,
    /// Where the REST API is: `https://host`.
    pub api: String,
}

/// Where a document comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Source {
    /// It was handed over.
    Document(Box<Document>),
    /// It is fetched from here; absolute.
    Url(Link),
}

impl Terms {
    /// Longest call when nothing is said: four hours, as on the public platform.
    pub const LONGEST: Duration = Duration::from_secs(14_400);

    /// A document at a URL, and all else as when nothing is said.
    pub fn of_url(link: Link) -> Self {
        Self {
            source: Source::Url(link),
            fallback: None,
            status: None,
            time_limit: Self::LONGEST,
            caller_ids: Vec::new(),
            api: String::new(),
        }
    }
}

/// What the documents of a run are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Role {
    /// They say what becomes of the call.
    Call,
    /// A caller hears them before a conference begins; they end in silence.
    ConferenceWait,
    /// A caller hears them in a line; they begin again at their end.
    QueueWait,
    /// A caller who waited hears them before he is connected.
    QueueWhisper,
    /// A called party hears them before it is connected.
    Whisper,
}

/// One leg's documents. Serialisable at every moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    facts: Facts,
    terms: Terms,
    role: Role,
    status: CallStatus,
    progress: Progress,
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
        }
    }

    /// Begins; later calls do nothing. A leg that is called by us begins when it answers, which
    /// [`Input::Outbound`] tells.
    pub fn start(&mut self, now: Timestamp) {
        if self.position != Position::Waiting {
            return;
        }
        self.pace.last = now;
        if self.role == Role::Call && self.facts.direction != Direction::Inbound {
            self.position = Position::Idle;
            return;
        }
        if self.role != Role::Call {
            self.answered = Some(now);
        }
        self.begin(now);
    }

    /// Something happened.
    pub fn handle(&mut self, now: Timestamp, input: Input) {
        if matches!(self.position, Position::Over | Position::Waiting) {
            return;
        }
        if self.is_late(now) {
            return self.hang_up(now, Cause::normal().with_words("time limit of the call"));
        }
        match input {
            Input::CallerLeft => self.caller_left(now),
            Input::Modify(modification) => self.modify(now, modification),
            Input::Outbound(news) => self.handle_outbound(now, news),
            Input::Recording(news) => {
                if let Some(callback) = &self.callback
                    && let Some(notice) = callback.notice(&self.facts, &self.terms.api, &news, now)
                {
                    self.push(Action::Notify(notice));
                }
                self.recording = Some((news.recording, news.length));
            }
            Input::Conference(news) => self.handle_conference(now, news),
            Input::Leg { leg, news } => self.handle_leg(now, leg, news),
            Input::Queue(news) => self.handle_queue(now, news),
            input if self.has_inner() => self.pass_inside(now, input),
            Input::Digit(key) => self.handle_digit(now, key),
            Input::Fetched { request, result } => self.handle_fetched(now, request, result),
            Input::PlayDone { play } => self.handle_play_done(now, play),
            Input::PlayFailed { play, code, words } => {
                if self.is_playing(play) {
                    self.remark(Fault::new(code, words));
                }
                self.handle_play_done(now, play);
            }
            Input::Recorded {
                record,
                recording,
                length,
                ended,
            } => {
                self.handle_recorded(now, record, recording, length, ended);
            }
            Input::Referred { status } => self.handle_referred(now, status),
            Input::Speech { listen, news } => self.handle_speech(now, listen, news),
        }
    }

    /// Time has passed; does nothing before [`Run::poll_timeout`].
    pub fn handle_timeout(&mut self, now: Timestamp) {
        if self.position == Position::Over {
            return;
        }
        if self.is_late(now) {
            return self.hang_up(now, Cause::normal().with_words("time limit of the call"));
        }
        if self.has_inner() {
            self.wake_inside(now);
        }
        if self.deadline.is_none_or(|deadline| deadline > now) {
            return;
        }
        self.deadline = None;
        match &self.position {
            Position::Fetching { request, .. } => {
                let request = *request;
                self.fetch_is_late(now, request);
            }
            Position::Gathering(_) => self.gather_timed_out(now),
            Position::Pausing => self.advance(now),
            Position::Recording { record, .. } => {
                let record = *record;
                self.record_is_late(now, record);
            }
            Position::Referring { .. } => self.handle_referred(now, 408),
            Position::Dialling(_) => self.dial_timed_out(now),
            Position::Conferring(_) => self.leave_conference(now),
            Position::Idle
            | Position::Over
            | Position::Playing { .. }
            | Position::Queueing(_)
            | Position::Waiting => {}
        }
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

    fn limit(&self) -> Option<Timestamp> {
        // Inner documents end with what they are heard in.
        let answered = self.answered.filter(|_| self.role == Role::Call);
        answered.map(|answered| answered + self.terms.time_limit)
    }

    fn is_late(&self, now: Timestamp) -> bool {
        self.limit().is_some_and(|limit| limit <= now)
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

    fn is_playing(&self, play: u64) -> bool {
        matches!(self.position, Position::Playing { play: mine, .. } if mine == play)
            || matches!(&self.position, Position::Gathering(question) if question.plays(play))
    }

    fn handle_play_done(&mut self, now: Timestamp, play: u64) {
        match &self.position {
            Position::Playing {
                play: mine,
                is_last,
            } if *mine == play => match is_last {
                true => self.hang_up(
                    now,
                    Cause::from_status(503).with_words("the application failed"),
                ),
                false => self.advance(now),
            },
            Position::Gathering(_) => self.gather_prompt_done(now, play),
            _ => {}
        }
    }

    fn handle_digit(&mut self, now: Timestamp, key: char) {
        match &self.position {
            Position::Gathering(_) => self.gather_key(now, key),
            Position::Dialling(_) if key == '*' => self.dial_star(now),
            Position::Conferring(_) if key == '*' => {
                self.conference_star(now);
            }
            _ => {}
        }
    }

    fn handle_referred(&mut self, now: Timestamp, status: u16) {
        let Position::Referring { action } = &self.position else {
            return;
        };
        let Some(action) = action.clone() else {
            return self.advance(now);
        };
        let outcome = match status {
            200..=299 => CallStatus::Completed,
            status => CallStatus::of_refusal(status),
        };
        let mut form = Form::new();
        add(&mut form, "ReferCallStatus", outcome.as_str());
        add(&mut form, "NotifySipResponseCode", status.to_string());
        self.transfer(now, Some(&action), form);
    }

    fn handle_outbound(&mut self, now: Timestamp, news: LegNews) {
        if self.role != Role::Call
            || self.facts.direction == Direction::Inbound
            || self.answered.is_some()
        {
            return;
        }
        match news {
            LegNews::Initiated { .. } => {
                self.status = CallStatus::Initiated;
                self.tell(now, ProgressEvent::Initiated);
            }
            LegNews::Ringing => {
                self.status = CallStatus::Ringing;
                self.tell(now, ProgressEvent::Ringing);
            }
            LegNews::Answered => {
                self.is_answered(now);
                self.begin(now);
            }
            LegNews::Ended { status } => self.over(now, CallStatus::of_refusal(status)),
            LegNews::Refers { .. } | LegNews::WhisperOver { .. } => {}
        }
    }

    fn modify(&mut self, now: Timestamp, modification: Modification) {
        match modification {
            Modification::Cancel => {
                if self.answered.is_none() {
                    self.put_down(now, Parting::Ends);
                    self.push(Action::HangUp {
                        cause: Cause::from_status(487),
                    });
                    self.over(now, CallStatus::Canceled);
                }
            }
            Modification::Complete => self.hang_up(now, Cause::normal()),
            Modification::Document(document) => {
                self.put_down(now, Parting::GoesOn);
                let base = self.base.clone();
                self.execute_document(now, *document, base);
            }
            Modification::Redirect(link) => {
                self.put_down(now, Parting::GoesOn);
                self.transfer(now, Some(&link), Form::new());
            }
            Modification::TimeLimit(limit) => self.terms.time_limit = limit,
        }
    }

    /// Ends what the leg is at: somebody else decides.
    fn put_down(&mut self, now: Timestamp, parting: Parting) {
        self.deadline = None;
        match std::mem::replace(&mut self.position, Position::Idle) {
            Position::Conferring(conferring) => self.put_down_conference(now, *conferring, parting),
            Position::Dialling(dialling) => self.put_down_dial(now, *dialling, parting),
            Position::Gathering(question) => {
                if parting == Parting::GoesOn {
                    self.put_down_question(&question);
                }
            }
            Position::Queueing(queueing) => self.put_down_queue(now, *queueing, parting),
            Position::Playing { .. } if parting == Parting::GoesOn => self.push(Action::StopPlay),
            Position::Recording { .. } if parting == Parting::GoesOn => {
                self.push(Action::StopRecording)
            }
            Position::Fetching { .. }
            | Position::Idle
            | Position::Over
            | Position::Pausing
            | Position::Playing { .. }
            | Position::Recording { .. }
            | Position::Referring { .. }
            | Position::Waiting => {}
        }
    }

    fn caller_left(&mut self, now: Timestamp) {
        self.put_down(now, Parting::Leaves);
        let status = match self.answered {
            Some(_) => CallStatus::Completed,
            None if self.facts.direction == Direction::Inbound => CallStatus::NoAnswer,
            None => CallStatus::Canceled,
        };
        self.over(now, status);
    }

    fn hang_up(&mut self, now: Timestamp, cause: Cause) {
        self.put_down(now, Parting::Ends);
        let status = match self.answered {
            Some(_) => CallStatus::Completed,
            None => CallStatus::of_refusal(cause.sip),
        };
        self.push(Action::HangUp { cause });
        self.over(now, status);
    }

    fn over(&mut self, now: Timestamp, status: CallStatus) {
        self.status = status;
        self.tell(now, ProgressEvent::Completed);
        self.position = Position::Over;
        self.deadline = None;
    }

    /// The document is over, and the leg goes on without it.
    fn finish(&mut self) {
        self.push(Action::Finished);
        self.position = Position::Over;
        self.deadline = None;
    }

    /// `<Leave>` of a wait document; whoever runs it sees it.
    fn leave(&mut self) {
        self.push(Action::LeaveQueue);
        self.position = Position::Over;
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

    fn remark(&mut self, fault: Fault) {
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

/// Why a leg puts down what it is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parting {
    /// We hang up.
    Ends,
    /// It goes on with something else.
    GoesOn,
    /// The caller is gone.
    Leaves,
}

impl Role {
    fn executes(self, verb: &Verb) -> bool {
        match self {
            Self::Call => !matches!(verb, Verb::Leave),
            Self::ConferenceWait | Self::QueueWhisper => matches!(
                verb,
                Verb::Pause(_) | Verb::Play(_) | Verb::Redirect(_) | Verb::Say(_)
            ),
            Self::QueueWait => matches!(
                verb,
                Verb::Gather(_)
                    | Verb::Hangup
                    | Verb::Leave
                    | Verb::Pause(_)
                    | Verb::Play(_)
                    | Verb::Redirect(_)
                    | Verb::Say(_)
            ),
            Self::Whisper => matches!(
                verb,
                Verb::Gather(_)
                    | Verb::Hangup
                    | Verb::Pause(_)
                    | Verb::Play(_)
                    | Verb::Redirect(_)
                    | Verb::Say(_)
            ),
        }
    }

    /// Number in Twilio's error dictionary of a verb that has no place.
    fn misfit(self, verb: &Verb) -> u16 {
        match (self, verb) {
            (Self::ConferenceWait, _) => 13238,
            (Self::Whisper, Verb::Dial(_)) => 13201,
            _ => super::fault::code::SCHEMA,
        }
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
