//! What an operator may do to a living call from outside: add a party, drop one, end it, move its
//! media to another worker.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::exchange::Exchange;
use super::feature::{Next, Stage, Target, Wish};
use super::hands::Hands;
use super::machine::Call;
use crate::base::{CallId, Cause, LegId, Party, RecordingId, Timestamp};
use crate::events::{Role, TransferKind};
use crate::media::recorder::Channel;
use crate::media::{self, Command, Standing};
use crate::trunk::{Destination, Origin};
use crate::twiml::{Modification, ParticipantEnd, RecordingCallback, Track};

/// One wish about one call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Control {
    /// Ring a number and let it join the conversation.
    AddParty {
        /// Number as a flow would dial it.
        number: String,
    },
    /// Play sounds to everybody in the conversation, over it; or to one leg in its place.
    Announce {
        /// Names of sounds, played one after the other.
        sounds: Vec<String>,
        /// Leg, as the record names it; everybody when `None`.
        #[serde(default)]
        leg: Option<LegId>,
    },
    /// Hang up one leg; the others stay.
    DropParty {
        /// Leg, as the record names it.
        leg: LegId,
    },
    /// End the conference that the call is in, for everybody who is.
    EndConference,
    /// End the call.
    HangUp,
    /// Take a leg out of the conversation for a while, with music, or back into it.
    Hold {
        /// Leg, as the record names it.
        leg: LegId,
        /// Whether it waits from now on.
        on: bool,
    },
    /// Take the call out of the conference it is in. Whoever dialled in is hung up; a document goes
    /// on.
    LeaveConference,
    /// Move the call's conference to another media worker.
    Migrate {
        /// Number of the worker.
        worker: usize,
    },
    /// Keep nothing of what is said in the recording; silence and a mark instead.
    PauseRecording {
        /// One channel, from 0 as the record names them; all of them when missing.
        #[serde(default)]
        channel: Option<Channel>,
    },
    /// Keep it again.
    ResumeRecording {
        /// As it was paused.
        #[serde(default)]
        channel: Option<Channel>,
    },
    /// Let nobody hear a leg, or everybody again.
    Mute {
        /// Leg, as the record names it.
        leg: LegId,
        /// Whether nobody hears it from now on.
        on: bool,
    },
    /// Set how loud one leg is for another.
    SetGain {
        /// Leg that speaks.
        from: LegId,
        /// Leg that hears it so.
        to: LegId,
        /// Decibels, -72 to 18, 0 being as it comes; `None`: not heard.
        #[serde(default)]
        db: Option<i8>,
    },
    /// Record a leg from now on: what it says and what it hears, on a channel each.
    StartRecording {
        /// Leg, as the record names it; the one the call is for when missing.
        #[serde(default)]
        leg: Option<LegId>,
        /// Whether what it hears is recorded, too. A wish of the REST API alone.
        #[serde(skip)]
        track: Track,
        /// Who is told. A wish of the REST API alone.
        #[serde(skip)]
        callback: Option<RecordingCallback>,
    },
    /// End a recording for good.
    StopRecording {
        /// As the record names it; all that run when missing.
        #[serde(default)]
        recording: Option<RecordingId>,
    },
    /// Let a leg listen only, coach another, or be a party like any other.
    SetRole {
        /// Leg, as the record names it.
        leg: LegId,
        /// Its part from now on.
        role: media::Role,
    },
    /// Ring a number and let it listen to the conversation, heard by nobody or by one leg.
    Supervise {
        /// Number as a flow would dial it.
        number: String,
        /// The leg that hears it: coaching; nobody when `None`.
        #[serde(default)]
        coach: Option<LegId>,
    },
    /// Send the caller to a number; whoever talks with the caller leaves when it is answered.
    Transfer {
        /// Number as a flow would dial it.
        number: String,
        /// The leg that leaves, as the record names it; whom the caller talks with when `None`.
        #[serde(default)]
        leg: Option<LegId>,
    },
    /// Let only one other leg hear a party, or everybody again.
    Whisper {
        /// Leg that whispers, as the record names it.
        leg: LegId,
        /// The only one to hear it; everybody when `None`.
        #[serde(default)]
        to: Option<LegId>,
    },
}

/// Why a wish could not be carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// The call is over or never was.
    #[error("no such call")]
    NoCall,
    /// The call is in no conference.
    #[error("the call is in no conference")]
    NoConference,
    /// No application says what becomes of the call.
    #[error("the call is in no application")]
    NoApplication,
    /// The call has no such living leg (the caller's leg ends with the call).
    #[error("no such party in the call")]
    NoLeg,
    /// The leg is recorded already, and nothing beside would be.
    #[error("the leg is recorded already")]
    AlreadyRecorded,
    /// Nobody has answered yet.
    #[error("the leg is not answered")]
    NotAnswered,
    /// The call is not recorded.
    #[error("the call is not recorded")]
    NotRecorded,
    /// There is no sound of that name.
    #[error("no sound {name}")]
    NoSound {
        /// Name.
        name: String,
    },
    /// The call is not in a conversation.
    #[error("the call is not in a conversation")]
    NotTalking,
    /// The number leads nowhere, or nobody can be rung there.
    #[error("cannot ring {number}: SIP status {status}")]
    Unreachable {
        /// Number.
        number: String,
        /// What ringing it would have been answered with.
        status: u16,
    },
}

impl Exchange {
    /// The REST API wants something else of a call that is in an application.
    ///
    /// # Errors
    ///
    /// [`ControlError::NoCall`] and [`ControlError::NoApplication`].
    pub fn modify(
        &mut self,
        now: Timestamp,
        call: &CallId,
        wish: Modification,
    ) -> Result<(), ControlError> {
        let key = *self.index.calls.get(call).ok_or(ControlError::NoCall)?;
        let mut outcome = Err(ControlError::NoCall);
        self.with_call(now, key, |call, hands| {
            if call.core.ended.is_some() {
                return;
            }
            outcome = Err(ControlError::NoApplication);
            call.with_stage(hands, |stage, core, hands| {
                let next = stage.modify(core, hands, wish);
                outcome = match next {
                    Some(_) => Ok(()),
                    None => Err(ControlError::NoApplication),
                };
                next.unwrap_or(Next::Stay)
            });
        });
        self.pump(now);
        outcome
    }

    /// Carries out a wish. The leg that was added, if one was.
    pub fn control(
        &mut self,
        now: Timestamp,
        call: &CallId,
        wish: Control,
    ) -> Result<Option<LegId>, ControlError> {
        let key = *self.index.calls.get(call).ok_or(ControlError::NoCall)?;
        let mut outcome = Err(ControlError::NoCall);
        self.with_call(now, key, |call, hands| {
            outcome = match wish {
                _ if call.core.ended.is_some() => Err(ControlError::NoCall),
                Control::Migrate { .. } if !matches!(call.stage, Stage::Talk(_)) => {
                    Err(ControlError::NotTalking)
                }
                Control::AddParty { number } => {
                    let standing = Standing::default();
                    call.add_party(hands, number, standing).map(Some)
                }
                Control::Supervise { number, coach } => {
                    let role = coach.map_or(media::Role::Listener, media::Role::Coach);
                    let standing = Standing {
                        role,
                        ..Standing::default()
                    };
                    call.add_party(hands, number, standing).map(Some)
                }
                Control::Announce { sounds, leg } => {
                    call.announce(hands, &sounds, leg).map(|()| None)
                }
                Control::Hold { leg, on } => call.hold(hands, leg, on).map(|()| None),
                Control::Mute { leg, on } => {
                    let change = |standing: &mut Standing| standing.muted = on;
                    call.stand(hands, leg, change).map(|()| None)
                }
                Control::SetGain { from, to, db } => {
                    call.set_gain(hands, (from, to), db).map(|()| None)
                }
                Control::SetRole { leg, role } => {
                    let change = |standing: &mut Standing| standing.role = role;
                    call.stand(hands, leg, change).map(|()| None)
                }
                Control::Whisper { leg, to } => {
                    let change = |standing: &mut Standing| standing.whispers_to = to;
                    call.stand(hands, leg, change).map(|()| None)
                }
                Control::DropParty { leg } => {
                    let living = call.core.others().any(|other| other.id == leg);
                    if living {
                        call.drop_leg(hands, leg);
                        Ok(None)
                    } else {
                        Err(ControlError::NoLeg)
                    }
                }
                Control::EndConference | Control::LeaveConference
                    if call.core.conference.is_none() =>
                {
                    Err(ControlError::NoConference)
                }
                Control::EndConference => {
                    call.core.end_conference(hands);
                    call.look(hands);
                    Ok(None)
                }
                Control::LeaveConference => {
                    call.core.leave_conference(hands, ParticipantEnd::Kicked);
                    call.look(hands);
                    Ok(None)
                }
                Control::HangUp => {
                    let cause = Cause::normal().with_words("ended by the operator");
                    call.end(hands, Party::Switch, &cause);
                    Ok(None)
                }
                Control::PauseRecording { channel } => call.pause(hands, channel, true),
                Control::ResumeRecording { channel } => call.pause(hands, channel, false),
                Control::StartRecording {
                    leg,
                    track,
                    callback,
                } => {
                    let began = call.core.record_by_order(hands, leg, track, callback);
                    began.map(|()| None)
                }
                Control::StopRecording { recording } => {
                    let stopped = call.core.stop_by_order(hands, recording.as_ref());
                    stopped.map(|()| None)
                }
                Control::Transfer { number, leg } => {
                    call.transfer_to(hands, number, leg).map(|()| None)
                }
                Control::Migrate { worker } => {
                    if let Some(room) = call.core.room {
                        hands.tell(Command::Migrate { room, worker });
                    }
                    Ok(None)
                }
            };
        });
        self.pump(now);
        outcome
    }
}

impl Call {
    /// What the call stands in with others has changed.
    pub(super) fn look(&mut self, hands: &mut Hands<'_>) {
        self.with_stage(hands, |stage, core, hands| stage.on_rouse(core, hands));
    }

    fn pause(
        &mut self,
        hands: &mut Hands<'_>,
        channel: Option<Channel>,
        on: bool,
    ) -> Result<Option<LegId>, ControlError> {
        match self.core.pause_recording(hands, channel, on) {
            true => Ok(None),
            false => Err(ControlError::NotRecorded),
        }
    }

    /// Transfers the call as one of its parties would (RFC 5589 §6), but with a flow's rights.
    fn transfer_to(
        &mut self,
        hands: &mut Hands<'_>,
        number: String,
        leg: Option<LegId>,
    ) -> Result<(), ControlError> {
        let Stage::Talk(talk) = &self.stage else {
            return Err(ControlError::NotTalking);
        };
        let leaver = leg.unwrap_or_else(|| talk.peer());
        if !self.core.talking().any(|leg| leg.id == leaver) {
            return Err(ControlError::NoLeg);
        }
        self.transferable(leaver)
            .map_err(|_| ControlError::NotTalking)?;
        let generation = hands.generations.get(&self.core.generation);
        let found = generation.and_then(|now| now.numbers.dialled(Origin::Flow, &number));
        let Some(destination) = found else {
            return Err(ControlError::Unreachable {
                number,
                status: 404,
            });
        };
        let wish = Wish {
            kind: TransferKind::Operator,
            leaver,
            refer: None,
            target: Target::Number {
                destination,
                number,
            },
            consultation: None,
        };
        self.transfer(hands, wish);
        Ok(())
    }

    /// Rings a number on behalf of the conversation; who answers joins. The first leg that rings.
    fn add_party(
        &mut self,
        hands: &mut Hands<'_>,
        number: String,
        standing: Standing,
    ) -> Result<LegId, ControlError> {
        let Some(talk) = self.stage.talk_mut() else {
            return Err(ControlError::NotTalking);
        };
        let core = &mut self.core;
        let generation = hands.generations.get(&core.generation);
        let found = generation.and_then(|now| now.numbers.dialled(Origin::Flow, &number));
        let patience = generation.map_or(Duration::ZERO, |now| now.ring_timeout);
        let rung = match found {
            Some(Destination::Phone(phone)) => core.ring_phone(hands, &phone, Role::Callee, None),
            Some(Destination::Trunk { trunks, number }) => core
                .ring_by_trunks(hands, trunks, number)
                .map(|leg| vec![leg]),
            _ => Err(404),
        };
        match rung.map(|legs| (legs.first().copied(), legs)) {
            Ok((Some(first), legs)) => {
                for leg in &legs {
                    if let Some(leg) = core.leg_mut(*leg) {
                        leg.standing = standing;
                    }
                }
                talk.invite(legs, hands.now + patience);
                Ok(first)
            }
            Ok((None, _)) => Err(ControlError::Unreachable {
                number,
                status: 480,
            }),
            Err(status) => Err(ControlError::Unreachable { number, status }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wish_in_the_documentation_is_understood() {
        let page = include_str!("../../docs/api.md");
        let bodies = page.lines().filter_map(|line| {
            let body = line.strip_prefix("| `{\"do\"")?.split('`').next()?;
            Some(format!("{{\"do\"{body}"))
        });
        let mut understood = 0;
        for body in bodies {
            let wish: Result<Control, _> = serde_json::from_str(&body);
            assert!(wish.is_ok(), "{body}: {wish:?}");
            understood += 1;
        }
        assert!(understood >= 12, "{understood}");
        for role in [r#""normal""#, r#""listener""#, r#"{"coach": 7}"#] {
            let body = format!(r#"{{"do": "set_role", "leg": 9, "role": {role}}}"#);
            assert!(serde_json::from_str::<Control>(&body).is_ok(), "{body}");
        }
    }
}
