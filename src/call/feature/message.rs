//! A caller who is recorded: a message for a mailbox, or what a flow wants taken down.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Feature, Next, Stage, Treatment};
use crate::base::{Cause, LegId, Party, RecordingId, Timestamp};
use crate::call::core::{Core, Looped};
use crate::call::hands::Hands;
use crate::events::Stretch;
use crate::flow::{self, Input, RecordTerms, Reply, Run};
use crate::ivr::{Take, TakeOutput, TakeTerms, Taken};
use crate::media::PlayId;
use crate::media::recorder::Closed;
use crate::recording::{plain_name, stem};
use crate::voicemail::{self, Filed, Wish, Word};

/// A caller who is to say something.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Message {
    /// Mailbox it is for; `None` for a recording that only the flow is told of.
    mailbox: Option<String>,
    terms: TakeTerms,
    /// The flow that goes on afterwards, and the number of its request.
    run: Option<(Run, u64)>,
    /// Whether the greeting has been said.
    is_greeted: bool,
    step: Step,
    play: Option<PlayId>,
    recording: Option<RecordingId>,
    /// Whether it was too short to count.
    is_too_short: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Step {
    /// Whether the mailbox takes messages is asked.
    Arriving { until: Timestamp },
    /// The greeting plays.
    Greeting,
    /// The caller speaks.
    Taking(Box<Take>),
    /// The last words to him.
    Speaking,
}

/// How long the mailboxes may take until the caller is spoken to without their word.
const PATIENCE: Duration = Duration::from_secs(3);

/// Key that leads past a greeting to the tone.
const SKIP: char = '#';

impl Message {
    /// A message for the mailbox of a phone that does not answer.
    pub(crate) fn for_phone(mailbox: String, terms: &voicemail::VoicemailTerms) -> Self {
        let terms = TakeTerms {
            longest: terms.longest,
            silence: terms.silence,
            terminators: "#".to_owned(),
            beep: true,
        };
        Self::new(Some(mailbox), terms, None)
    }

    /// Something a flow asks for; `None` when it asks for something else.
    pub(crate) fn for_flow(run: &Run, request: u64, about: &flow::Request) -> Option<Self> {
        let run = Some((run.clone(), request));
        match about {
            flow::Request::Record(terms) => Some(Self::new(None, of_flow(terms), run)),
            flow::Request::Voicemail {
                mailbox,
                terms,
                is_greeted,
            } => Some(Self {
                is_greeted: *is_greeted,
                ..Self::new(Some(mailbox.clone()), of_flow(terms), run)
            }),
            _ => None,
        }
    }

    fn new(mailbox: Option<String>, terms: TakeTerms, run: Option<(Run, u64)>) -> Self {
        Self {
            mailbox,
            terms,
            run,
            is_greeted: false,
            step: Step::Speaking,
            play: None,
            recording: None,
            is_too_short: false,
        }
    }

    fn greet(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        recorded: Option<std::sync::Arc<crate::media::Sound>>,
    ) -> Next {
        if self.is_greeted {
            return self.take(core, hands);
        }
        let caller = core.caller().id;
        self.step = Step::Greeting;
        self.play = Some(match recorded {
            Some(sound) => core.play_sound(hands, caller, sound),
            None => {
                let generation = hands.generations.get(&core.generation);
                let terms = generation.map(|now| &now.voicemail.mailboxes);
                let own = self.mailbox.as_ref().and_then(|name| terms?.get(name));
                let names = own.map(|own| own.greeting.clone()).unwrap_or_default();
                core.play(
                    hands,
                    caller,
                    names.iter().map(String::as_str),
                    Looped::Once,
                )
            }
        });
        Next::Stay
    }

    fn take(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        let take = Take::start(self.terms.clone(), hands.now);
        self.step = Step::Taking(Box::new(take));
        self.follow(core, hands)
    }

    /// Lets what is taken down see something, then does what it wants.
    fn with_take(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        act: impl FnOnce(&mut Take, Timestamp),
    ) -> Next {
        if let Step::Taking(take) = &mut self.step {
            act(take, hands.now);
        }
        self.follow(core, hands)
    }

    fn follow(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        while let Step::Taking(take) = &mut self.step {
            match take.poll_output() {
                None => return Next::Stay,
                Some(TakeOutput::Play(names)) => {
                    let (caller, names) = (core.caller().id, names.iter().map(String::as_str));
                    self.play = Some(core.play(hands, caller, names, Looped::Once));
                }
                Some(TakeOutput::Begin) => self.begin(core, hands),
                Some(TakeOutput::Stop) => core.stop_recording(hands),
                Some(TakeOutput::Done(taken)) => return self.done(core, hands, taken),
            }
        }
        Next::Stay
    }

    fn begin(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        let id = hands.ids.recording(hands.now);
        let (stem, format) = match &self.mailbox {
            Some(mailbox) => {
                let generation = hands.generations.get(&core.generation);
                let format = generation.and_then(|now| now.voicemail.format);
                (voicemail::stem(mailbox, &id), format)
            }
            None => (stem(&id, hands.now), None),
        };
        core.record_alone(hands, &id, stem, format, self.mailbox.as_deref());
        self.recording = Some(id);
    }

    /// Whether a file is of the recording under way.
    fn is_own(&self, path: &Path) -> bool {
        let name = self.recording.as_ref().map(|id| plain_name(id.as_str()));
        name.is_some_and(|name| path.file_stem().is_some_and(|stem| *stem == *name))
    }

    fn done(&mut self, core: &mut Core, hands: &mut Hands<'_>, taken: Taken) -> Next {
        let reply = match (&taken, &self.recording) {
            (Taken::Stored { length }, Some(name)) => Reply::Recorded {
                name: name.to_string(),
                length: *length,
            },
            (Taken::Stored { .. }, None) => Reply::Failed("nothing was recorded".to_owned()),
            (Taken::Failed(why), _) => Reply::Failed(why.clone()),
        };
        let words = match &reply {
            Reply::Recorded { .. } => "vm-recorded",
            _ if self.is_too_short => "vm-too-short",
            _ => "error-technical",
        };
        self.finish(core, hands, reply, words)
    }

    /// The flow goes on, or the caller is told and let go.
    fn finish(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        reply: Reply,
        words: &str,
    ) -> Next {
        if let Some((run, request)) = self.run.take() {
            let input = Input::Told { request, reply };
            return Next::Become(Stage::Treatment(Box::new(Treatment::resume(run, input))));
        }
        self.step = Step::Speaking;
        let caller = core.caller().id;
        self.play = Some(core.play(hands, caller, [words], Looped::Once));
        Next::Stay
    }
}

impl Feature for Message {
    fn enter(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        if let Err(status) = core.answer_caller(hands) {
            return Next::End(Party::Switch, Cause::from_status(status));
        }
        let with = match &self.mailbox {
            Some(mailbox) => format!("voicemail {mailbox}"),
            None => "recording".to_owned(),
        };
        core.caller_enters(hands, Stretch::Service, &with);
        match self.mailbox.clone() {
            Some(mailbox) => {
                let until = hands.now + PATIENCE;
                self.step = Step::Arriving { until };
                hands.ask_voicemail(&core.id, Wish::Arrive { mailbox });
                Next::Stay
            }
            None => self.take(core, hands),
        }
    }

    fn on_digit(&mut self, core: &mut Core, hands: &mut Hands<'_>, leg: LegId, key: char) -> Next {
        if leg != core.caller().id {
            return Next::Stay;
        }
        match &self.step {
            Step::Greeting if key == SKIP => {
                self.play = None;
                core.stop_play(hands, leg);
                self.take(core, hands)
            }
            Step::Taking(_) => self.with_take(core, hands, |take, now| take.handle_digit(now, key)),
            Step::Arriving { .. } | Step::Greeting | Step::Speaking => Next::Stay,
        }
    }

    fn on_play_done(&mut self, core: &mut Core, hands: &mut Hands<'_>, play: PlayId) -> Next {
        if self.play != Some(play) {
            return Next::Stay;
        }
        self.play = None;
        match &self.step {
            Step::Arriving { .. } => Next::Stay,
            Step::Greeting => self.take(core, hands),
            Step::Taking(_) => self.with_take(core, hands, Take::handle_play_done),
            Step::Speaking => Next::End(Party::Switch, Cause::normal()),
        }
    }

    fn on_speaking(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        leg: LegId,
        speaking: bool,
    ) -> Next {
        if leg != core.caller().id {
            return Next::Stay;
        }
        self.with_take(core, hands, |take, now| take.handle_speaking(now, speaking))
    }

    fn said_nothing(&self) -> bool {
        matches!(&self.step, Step::Taking(take) if take.is_empty())
    }

    fn on_recording(&mut self, core: &mut Core, hands: &mut Hands<'_>, closed: &Closed) -> Next {
        if self.recording.as_ref() != Some(&closed.recording) {
            return Next::Stay;
        }
        let taken = match &closed.defect {
            _ if self.said_nothing() => Taken::Failed("nothing was said".to_owned()),
            Some(defect) if closed.bytes == 0 => Taken::Failed(defect.clone()),
            _ => Taken::Stored {
                length: Duration::from_millis(closed.duration_ms),
            },
        };
        self.with_take(core, hands, |take, _| take.handle_stored(taken))
    }

    fn on_voicemail(&mut self, core: &mut Core, hands: &mut Hands<'_>, word: Word) -> Next {
        match (&self.step, word) {
            (Step::Arriving { .. }, Word::Arrived { is_full: true, .. }) => {
                let reply = Reply::Failed("the mailbox is full".to_owned());
                self.finish(core, hands, reply, "nobody-available")
            }
            (Step::Arriving { .. }, Word::Arrived { greeting, .. }) => {
                self.greet(core, hands, greeting)
            }
            // What was said before a restart, or in an earlier step of the flow, is another's.
            (Step::Taking(_), Word::Filed { path, filed }) if self.is_own(&path) => {
                let taken = match filed {
                    Filed::Kept(message) => Taken::Stored {
                        length: Duration::from_millis(message.length_ms),
                    },
                    Filed::TooShort => {
                        self.is_too_short = true;
                        Taken::Failed("the message is too short".to_owned())
                    }
                    Filed::Greeting => Taken::Failed("not a message".to_owned()),
                    Filed::Failed(why) => Taken::Failed(why),
                };
                self.with_take(core, hands, |take, _| take.handle_stored(taken))
            }
            _ => Next::Stay,
        }
    }

    fn handle_timeout(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        match &self.step {
            Step::Arriving { until } if *until <= hands.now => self.greet(core, hands, None),
            Step::Taking(_) => self.with_take(core, hands, Take::handle_timeout),
            Step::Arriving { .. } | Step::Greeting | Step::Speaking => Next::Stay,
        }
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        match &self.step {
            Step::Arriving { until } => Some(*until),
            Step::Taking(take) => take.poll_timeout(),
            Step::Greeting | Step::Speaking => None,
        }
    }

    /// What was said before the switch died is a message; what is said now is another.
    fn restored(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        self.is_greeted = self.is_greeted || matches!(self.step, Step::Taking(_));
        self.recording = None;
        if !matches!(self.step, Step::Speaking) {
            let until = hands.now + PATIENCE;
            self.step = Step::Arriving { until };
            match self.mailbox.clone() {
                Some(mailbox) => hands.ask_voicemail(&core.id, Wish::Arrive { mailbox }),
                None => {
                    let until = hands.now;
                    self.is_greeted = true;
                    self.step = Step::Arriving { until };
                }
            }
        }
    }
}

fn of_flow(terms: &RecordTerms) -> TakeTerms {
    TakeTerms {
        longest: terms.longest,
        silence: terms.silence,
        terminators: terms.terminators.clone(),
        beep: terms.beep,
    }
}
