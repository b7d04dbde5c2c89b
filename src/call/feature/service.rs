//! The switch's own services: echo, hold music, test tone, conferences.

use serde::{Deserialize, Serialize};

use super::{Feature, Next};
use crate::base::{Cause, LegId, Party};
use crate::call::core::{Core, Looped};
use crate::call::hands::Hands;
use crate::events::Stretch;
use crate::media::{Command, Standing};

/// One service a caller is in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Service {
    kind: ServiceKind,
}

/// Which service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ServiceKind {
    /// A conference by number.
    Conference(String),
    /// What is said comes back.
    Echo,
    /// The same for a trunk test's own call, led back to us by this trunk.
    Loop(String),
    /// Hold music.
    Music,
    /// A 1004 Hz tone.
    Tone,
}

impl Service {
    pub(crate) fn new(kind: ServiceKind) -> Self {
        Self { kind }
    }

    fn name(&self) -> String {
        match &self.kind {
            ServiceKind::Conference(number) => format!("conference {number}"),
            ServiceKind::Echo => "echo".to_owned(),
            ServiceKind::Loop(_) => "trunk test".to_owned(),
            ServiceKind::Music => "music".to_owned(),
            ServiceKind::Tone => "tone".to_owned(),
        }
    }
}

impl Feature for Service {
    fn enter(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        if let Err(status) = core.answer_caller(hands) {
            return Next::End(Party::Switch, Cause::from_status(status));
        }
        core.caller_enters(hands, Stretch::Service, &self.name());
        let leg = core.caller().id;
        match &self.kind {
            ServiceKind::Conference(number) => {
                core.conference = Some(number.clone());
                hands.enter_conference(number, (leg, Standing::default()), core.generation);
                hands.announce_entry(number, core.generation);
            }
            ServiceKind::Echo | ServiceKind::Loop(_) => {
                hands.tell(Command::Echo { leg, on: true });
            }
            ServiceKind::Music => {
                core.play(hands, leg, ["music"], Looped::Forever);
            }
            ServiceKind::Tone => {
                core.play(hands, leg, ["tone-1004"], Looped::Forever);
            }
        }
        Next::Stay
    }

    fn restored(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        let leg = core.caller().id;
        match &self.kind {
            ServiceKind::Conference(number) => {
                // Those who are back had not left: they stand as they stood, and nobody is told.
                let (standing, is_held) = (core.caller().standing, core.caller().is_held);
                hands.enter_conference(number, (leg, standing), core.generation);
                if let (true, Some(room)) = (is_held, hands.conference_room(number)) {
                    let sound = Some(core.music(hands));
                    hands.tell(Command::HoldMusic { room, leg, sound });
                }
            }
            ServiceKind::Echo | ServiceKind::Loop(_) => {
                hands.tell(Command::Echo { leg, on: true });
            }
            ServiceKind::Music | ServiceKind::Tone => {}
        }
    }

    fn on_digit(&mut self, _: &mut Core, hands: &mut Hands<'_>, _: LegId, digit: char) -> Next {
        if let ServiceKind::Loop(trunk) = &self.kind {
            hands.carriers.key_came_back(trunk, digit);
        }
        Next::Stay
    }
}
