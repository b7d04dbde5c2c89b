//! A subscriber who dialled his mailbox: plays what his session says, asks the mailboxes for it.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::{Dial, Feature, Next, Stage};
use crate::base::{Cause, Language, LegId, Party, RecordingId, Timestamp};
use crate::call::core::{Core, Looped};
use crate::call::hands::Hands;
use crate::events::Stretch;
use crate::media::PlayId;
use crate::trunk::{Destination, Origin};
use crate::voicemail::{self, Around, Output, Session, Word};

/// A subscriber's session on the line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Mailbox {
    session: Session,
    /// The phone he calls from: what he calls back goes by its rights.
    phone: String,
    play: Option<PlayId>,
    recording: Option<RecordingId>,
}

impl Mailbox {
    pub(crate) fn new(service: voicemail::Service, phone: String, digits: String) -> Self {
        Self {
            session: Session::new(service, phone.clone(), digits),
            phone,
            play: None,
            recording: None,
        }
    }

    /// Lets the session see something, then does what it wants.
    fn with_session(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        act: impl FnOnce(&mut Session, &Around<'_>),
    ) -> Next {
        let Some(generation) = hands.generations.get(&core.generation).cloned() else {
            return Next::End(Party::Switch, Cause::from_status(500));
        };
        let terms = &generation.voicemail;
        let spoken = core.language().unwrap_or(&terms.language).to_owned();
        let zone = TimeZone::system();
        let around = Around {
            now: hands.now,
            terms,
            language: Language::of_locale(&spoken),
            zone: &zone,
        };
        act(&mut self.session, &around);
        let caller = core.caller().id;
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Ask(wish) => hands.ask_voicemail(&core.id, wish),
                Output::CallBack(number) => {
                    let origin = Origin::Phone(&self.phone);
                    let dial = match generation.numbers.dialled(origin, &number) {
                        Some(Destination::Phone(phone)) => Dial::phone(phone),
                        Some(Destination::Trunk { trunks, number }) => Dial::trunk(trunks, number),
                        _ => {
                            self.session.cannot_call_back(&around);
                            continue;
                        }
                    };
                    return Next::Become(Stage::Dial(Box::new(dial)));
                }
                Output::End => return Next::End(Party::Switch, Cause::normal()),
                Output::Play(names) => {
                    let names = names.iter().map(String::as_str);
                    self.play = Some(core.play(hands, caller, names, Looped::Once));
                }
                Output::PlaySound(sound) => {
                    self.play = Some(core.play_sound(hands, caller, sound));
                }
                Output::Record(mailbox) => {
                    let id = hands.ids.recording(hands.now);
                    let stem = voicemail::greeting_stem(&mailbox, &id);
                    core.record_alone(hands, &id, stem, terms.format, Some(&mailbox));
                    self.recording = Some(id);
                }
                Output::Secret(on) => core.ask_secret(hands, on),
                Output::StopPlay => {
                    self.play = None;
                    core.stop_play(hands, caller);
                }
                Output::StopRecord => core.stop_recording(hands),
            }
        }
        Next::Stay
    }
}

impl Feature for Mailbox {
    fn enter(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        if let Err(status) = core.answer_caller(hands) {
            return Next::End(Party::Switch, Cause::from_status(status));
        }
        let with = match self.session.service() {
            voicemail::Service::Greeting => "voicemail greeting",
            voicemail::Service::Listen => "voicemail",
        };
        core.caller_enters(hands, Stretch::Service, with);
        self.with_session(core, hands, Session::start)
    }

    fn on_digit(&mut self, core: &mut Core, hands: &mut Hands<'_>, leg: LegId, key: char) -> Next {
        if leg != core.caller().id {
            return Next::Stay;
        }
        self.with_session(core, hands, |session, around| {
            session.handle_digit(around, key);
        })
    }

    fn on_play_done(&mut self, core: &mut Core, hands: &mut Hands<'_>, play: PlayId) -> Next {
        if self.play != Some(play) {
            return Next::Stay;
        }
        self.play = None;
        self.with_session(core, hands, Session::handle_play_done)
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
        self.with_session(core, hands, |session, around| {
            session.handle_speaking(around, speaking);
        })
    }

    fn said_nothing(&self) -> bool {
        self.session.said_nothing()
    }

    fn on_voicemail(&mut self, core: &mut Core, hands: &mut Hands<'_>, word: Word) -> Next {
        self.with_session(core, hands, |session, around| {
            session.handle_word(around, word);
        })
    }

    fn handle_timeout(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        self.with_session(core, hands, Session::handle_timeout)
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        self.session.poll_timeout()
    }

    /// Whoever was listening begins anew: what he had heard is marked.
    fn restored(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        self.play = None;
        self.with_session(core, hands, Session::restart);
    }

    fn leave(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        core.ask_secret(hands, false);
    }
}
