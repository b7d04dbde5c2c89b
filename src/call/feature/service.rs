//! The switch's own services: echo, hold music, test tone, conferences.

use serde::{Deserialize, Serialize};

use super::{Feature, Next};
use crate::base::{Cause, LegId, Party};
use crate::call::conferences::Seat;
use crate::call::core::{Core, Looped};
use crate::call::hands::Hands;
use crate::call::seating::Terms;
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
                let seat = Seat {
                    dialled_in: true,
                    ..core.seat(hands)
                };
                let entered = core.enter_conference(hands, number, seat, Terms::default());
                let Ok(entered) = entered else {
                    let cause = Cause::from_status(486).with_words("the conference is full");
                    return Next::End(Party::Switch, cause);
                };
                hands.seat_in_room(entered.room, leg, Standing::default());
                if entered.is_alone {
                    hands.wait_with_music(leg, core.generation);
                }
                hands.announce_entry(entered.room, core.generation);
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
                let seat = Seat {
                    dialled_in: true,
                    ..core.seat(hands)
                };
                let entered = core.enter_conference_again(hands, number, seat, None);
                hands.seat_in_room(entered.room, leg, standing);
                if entered.is_alone {
                    hands.wait_with_music(leg, core.generation);
                }
                if is_held {
                    let (room, sound) = (entered.room, Some(core.music(hands)));
                    hands.tell(Command::HoldMusic { room, leg, sound });
                }
            }
            ServiceKind::Echo | ServiceKind::Loop(_) => {
                hands.tell(Command::Echo { leg, on: true });
            }
            ServiceKind::Music | ServiceKind::Tone => {}
        }
    }

    fn on_rouse(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        let ServiceKind::Conference(number) = &self.kind else {
            return Next::Stay;
        };
        if hands.conferences().standing(number, &core.id).is_some() {
            return Next::Stay;
        }
        core.conference = None;
        let cause = Cause::normal().with_words("the conference is over");
        Next::End(Party::Switch, cause)
    }

    fn on_digit(&mut self, _: &mut Core, hands: &mut Hands<'_>, _: LegId, digit: char) -> Next {
        if let ServiceKind::Loop(trunk) = &self.kind {
            hands.carriers.key_came_back(trunk, digit);
        }
        Next::Stay
    }
}
