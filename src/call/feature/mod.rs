//! What a call can be doing: one small machine a file. The call dispatches, the feature decides.

mod application;
mod briefing;
mod closing;
mod conferring;
mod dequeuing;
mod desk;
mod dial;
mod holding;
mod in_line;
mod mailbox;
mod message;
mod parting;
mod placed;
mod ringing;
mod script;
mod served;
mod service;
mod talk;
mod transfer;
mod treatment;
mod trunk_test;
mod waiting;

pub(crate) use application::Application;
pub(crate) use application::facts::of_caller;
pub(crate) use briefing::Briefing;
pub(crate) use closing::ByHand;
pub(crate) use conferring::Conferring;
pub(crate) use dequeuing::Dequeuing;
pub(crate) use desk::Desk;
pub(crate) use dial::Dial;
pub(crate) use in_line::InLine;
pub(crate) use mailbox::Mailbox;
pub(crate) use message::Message;
pub(crate) use parting::Parting;
pub(crate) use placed::Placed;
pub(crate) use script::Script;
pub(crate) use served::Served;
pub(crate) use service::{Service, ServiceKind};
pub(crate) use talk::Talk;
pub(crate) use transfer::{Target, Transfer, Wish};
pub(crate) use treatment::Treatment;
pub(crate) use trunk_test::TrunkTest;
pub(crate) use waiting::Waiting;

use serde::{Deserialize, Serialize};

use super::core::Core;
use super::hands::Hands;
use super::inquiry::Supply;
use super::reading::Reading;
use crate::base::{Cause, LegId, Party, Timestamp};
use crate::flow::Reply;
use crate::media::PlayId;
use crate::media::recorder::Closed;
use crate::router;
use crate::twiml::{Input, Modification};
use crate::voicemail::Word;

/// The stage a call is in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Stage {
    /// An application of the user's says what becomes of it.
    Application(Box<Application>),
    /// In a conference that a document put it into.
    Conferring(Box<Conferring>),
    /// An agent has answered: he, or the caller, is told something before they are joined.
    Briefing(Box<Briefing>),
    /// Closes a calendar by hand, or takes that back.
    Closing(Box<ByHand>),
    /// An agent tells the switch something, or asks it.
    Desk(Box<Desk>),
    /// To be connected with the first of a line.
    Dequeuing(Box<Dequeuing>),
    /// Ringing another phone or a trunk.
    Dial(Box<Dial>),
    /// In a line that documents made.
    InLine(Box<InLine>),
    /// Hears what is in a mailbox, or speaks its greeting.
    Mailbox(Box<Mailbox>),
    /// Leaves a message, or is recorded by a flow.
    Message(Box<Message>),
    /// Over: nothing more is decided.
    Over,
    /// Rung on behalf of the REST API.
    Placed(Box<Placed>),
    /// Over, but for its disconnect flow.
    Parting(Box<Parting>),
    /// With whoever claimed him by the reservation of his task.
    Served(Box<Served>),
    /// In one of the switch's own services.
    Service(Service),
    /// With another party.
    Talk(Box<Talk>),
    /// Being transferred.
    Transfer(Box<Transfer>),
    /// The switch tries out a trunk.
    Test(Box<TrunkTest>),
    /// In a flow.
    Treatment(Box<Treatment>),
    /// In a queue.
    Waiting(Box<Waiting>),
}

/// What a feature wants next.
pub(crate) enum Next {
    /// Go over to another stage.
    Become(Stage),
    /// End the call.
    End(Party, Cause),
    /// Nothing changes.
    Stay,
}

/// What a stage hears about a leg other than the caller's (whose end is the call's end).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LegEvent {
    /// Answered; its media is agreed.
    Answered,
    /// Had been answered and hung up.
    Ended,
    /// Refused or never answered, with the SIP status.
    Failed(u16),
    /// Rings, or sends early media.
    Progress(Ringing),
}

/// How a far end says that it rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ringing {
    /// 183 or 180 with a description: what it sends is to be heard.
    EarlyMedia,
    /// Plain 180: the caller's side makes the tone.
    Tone,
}

/// A stage's machine. Every method defaults to "not my concern".
pub(crate) trait Feature {
    /// The stage begins.
    fn enter(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next;

    /// Something happened to a leg that is not the caller's.
    fn on_leg(&mut self, _: &mut Core, _: &mut Hands<'_>, _: LegId, _: LegEvent) -> Next {
        Next::Stay
    }

    /// The documents that are read to the caller meanwhile, of a stage that has nothing else to hear
    /// them with: what happens is theirs, and then [`Feature::read_on`] is asked.
    fn reading(&mut self) -> Option<&mut Reading> {
        None
    }

    /// Does what the documents want by now.
    fn read_on(&mut self, _: &mut Core, _: &mut Hands<'_>) -> Next {
        Next::Stay
    }

    /// A leg pressed a key.
    fn on_digit(&mut self, core: &mut Core, hands: &mut Hands<'_>, leg: LegId, key: char) -> Next {
        let Some(reading) = self.reading() else {
            return Next::Stay;
        };
        reading.on_digit(core, hands, leg, key);
        self.read_on(core, hands)
    }

    /// The call's present play came to its natural end.
    fn on_play_done(&mut self, core: &mut Core, hands: &mut Hands<'_>, play: PlayId) -> Next {
        let Some(reading) = self.reading() else {
            return Next::Stay;
        };
        reading.on_play_done(core, hands, play);
        self.read_on(core, hands)
    }

    /// A leg whose voice alone is recorded began to speak, or fell silent.
    fn on_speaking(&mut self, _: &mut Core, _: &mut Hands<'_>, _: LegId, _: bool) -> Next {
        Next::Stay
    }

    /// Whether nothing at all was said in the recording that just ended.
    fn said_nothing(&self) -> bool {
        false
    }

    /// One of the call's recordings is published, or could not be.
    fn on_recording(&mut self, _: &mut Core, _: &mut Hands<'_>, _: &Closed) -> Next {
        Next::Stay
    }

    /// The mailboxes said something.
    fn on_voicemail(&mut self, _: &mut Core, _: &mut Hands<'_>, _: Word) -> Next {
        Next::Stay
    }

    /// The router said something about the call.
    fn on_router(&mut self, _: &mut Core, _: &mut Hands<'_>, _: &router::Output) -> Next {
        Next::Stay
    }

    /// A question that the call's flow put is answered.
    fn on_told(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        ticket: u64,
        reply: &Reply,
    ) -> Next {
        let Some(reading) = self.reading() else {
            return Next::Stay;
        };
        reading.on_told(core, hands, ticket, reply);
        self.read_on(core, hands)
    }

    /// A question that the call's document put is answered.
    fn on_supply(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        ticket: u64,
        supply: &Supply,
    ) -> Next {
        let Some(reading) = self.reading() else {
            return Next::Stay;
        };
        reading.on_supply(core, hands, ticket, supply);
        self.read_on(core, hands)
    }

    /// The REST API wants something else of the call; `None` where no application has it.
    fn modify(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        wish: Modification,
    ) -> Option<Next> {
        let reading = self.reading()?;
        reading.handle(hands, Input::Modify(wish));
        Some(self.read_on(core, hands))
    }

    /// What the call stands in with others, a line or a conference, has changed: it is to look.
    fn on_rouse(&mut self, _: &mut Core, _: &mut Hands<'_>) -> Next {
        Next::Stay
    }

    /// The deadline came.
    fn handle_timeout(&mut self, _: &mut Core, _: &mut Hands<'_>) -> Next {
        Next::Stay
    }

    /// When to be woken.
    fn poll_timeout(&self) -> Option<Timestamp> {
        None
    }

    /// The call was rebuilt from a checkpoint in this stage: legs, room and plays are there
    /// again, legs that were only ringing are not.
    fn restored(&mut self, _: &mut Core, _: &mut Hands<'_>) {}

    /// The call ends in this stage: give back what lies outside the call's own legs.
    fn leave(&mut self, _: &mut Core, _: &mut Hands<'_>) {}
}

impl Stage {
    /// The machine of the stage; `None` when the call is over.
    pub(crate) fn feature(&mut self) -> Option<&mut dyn Feature> {
        match self {
            Stage::Application(application) => Some(application.as_mut()),
            Stage::Conferring(conferring) => Some(conferring.as_mut()),
            Stage::Dequeuing(dequeuing) => Some(dequeuing.as_mut()),
            Stage::Briefing(briefing) => Some(briefing.as_mut()),
            Stage::Desk(desk) => Some(desk.as_mut()),
            Stage::Dial(dial) => Some(dial.as_mut()),
            Stage::InLine(line) => Some(line.as_mut()),
            Stage::Closing(closing) => Some(closing.as_mut()),
            Stage::Mailbox(mailbox) => Some(mailbox.as_mut()),
            Stage::Message(message) => Some(message.as_mut()),
            Stage::Over => None,
            Stage::Placed(placed) => Some(placed.as_mut()),
            Stage::Parting(parting) => Some(parting.as_mut()),
            Stage::Served(served) => Some(served.as_mut()),
            Stage::Service(service) => Some(service),
            Stage::Talk(talk) => Some(talk.as_mut()),
            Stage::Transfer(transfer) => Some(transfer.as_mut()),
            Stage::Test(test) => Some(test.as_mut()),
            Stage::Treatment(treatment) => Some(treatment.as_mut()),
            Stage::Waiting(waiting) => Some(waiting.as_mut()),
        }
    }

    /// The conversation, where there is one.
    pub(crate) fn talk_mut(&mut self) -> Option<&mut Talk> {
        match self {
            Stage::Application(application) => application.talk_mut(),
            Stage::Talk(talk) => Some(talk),
            _ => None,
        }
    }

    /// When the stage wants to be woken.
    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        match self {
            Stage::Application(application) => application.poll_timeout(),
            Stage::Conferring(conferring) => conferring.poll_timeout(),
            Stage::Dequeuing(dequeuing) => dequeuing.poll_timeout(),
            Stage::Briefing(briefing) => briefing.poll_timeout(),
            Stage::Desk(desk) => desk.poll_timeout(),
            Stage::Dial(dial) => dial.poll_timeout(),
            Stage::InLine(line) => line.poll_timeout(),
            Stage::Closing(closing) => closing.poll_timeout(),
            Stage::Mailbox(mailbox) => mailbox.poll_timeout(),
            Stage::Message(message) => message.poll_timeout(),
            Stage::Over => None,
            Stage::Placed(placed) => placed.poll_timeout(),
            Stage::Parting(parting) => parting.poll_timeout(),
            Stage::Served(served) => served.poll_timeout(),
            Stage::Service(service) => service.poll_timeout(),
            Stage::Talk(talk) => talk.poll_timeout(),
            Stage::Transfer(transfer) => transfer.poll_timeout(),
            Stage::Test(test) => test.poll_timeout(),
            Stage::Treatment(treatment) => treatment.poll_timeout(),
            Stage::Waiting(waiting) => waiting.poll_timeout(),
        }
    }

    /// One word for logs and the live view.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Stage::Application(_) => "application",
            Stage::Conferring(_) => "conference",
            Stage::Dequeuing(_) => "dequeue",
            Stage::Briefing(_) => "briefing",
            Stage::Desk(_) => "desk",
            Stage::Dial(_) => "dial",
            Stage::InLine(_) => "line",
            Stage::Closing(_) => "closing",
            Stage::Mailbox(_) => "mailbox",
            Stage::Message(_) => "message",
            Stage::Over => "over",
            Stage::Placed(_) => "placed",
            Stage::Parting(_) => "disconnect flow",
            Stage::Served(_) => "served",
            Stage::Service(_) => "service",
            Stage::Talk(_) => "talk",
            Stage::Transfer(_) => "transfer",
            Stage::Test(_) => "trunk test",
            Stage::Treatment(_) => "flow",
            Stage::Waiting(_) => "queue",
        }
    }
}
