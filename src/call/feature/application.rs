//! A call in an application: documents of the user's own web application say what becomes of it.

mod facts;

use serde::{Deserialize, Serialize};

use super::{Conferring, Feature, Next, Stage, Waiting};
use crate::base::{Cause, LegId, Party, Timestamp};
use crate::call::core::Core;
use crate::call::hands::Hands;
use crate::call::inquiry::Supply;
use crate::call::reading::Reading;
use crate::events::Stretch;
use crate::flow::Reply;
use crate::media::PlayId;
use crate::twiml::{Action, Input, LegNews, Modification, Run, Terms};

/// An application under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Application {
    reading: Reading,
    beginning: Option<Beginning>,
}

/// What the run hears when the stage begins.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Beginning {
    /// It goes on with what became of its last request.
    Again(Box<Input>),
    /// It begins.
    First,
    /// It begins, and does not know yet of which call.
    OfCaller,
}

impl Application {
    /// An application at its start, of a run that knows its call.
    pub(crate) fn new(run: Run) -> Self {
        Self::beginning(run, Beginning::First)
    }

    /// An application that goes on with what became of its last request.
    pub(crate) fn resume(run: Run, input: Input) -> Self {
        Self::beginning(run, Beginning::Again(Box::new(input)))
    }

    /// An application that goes on where its documents are.
    pub(crate) fn go_on(reading: Reading) -> Self {
        Self {
            reading,
            beginning: None,
        }
    }

    /// The application of a number or a flow, for whoever calls there.
    pub(crate) fn of_caller(terms: Terms) -> Self {
        let run = Run::new(facts::unknown(), terms);
        Self::beginning(run, Beginning::OfCaller)
    }

    fn beginning(run: Run, beginning: Beginning) -> Self {
        Self {
            reading: Reading::to_caller(run),
            beginning: Some(beginning),
        }
    }

    /// The run, to look at.
    pub(crate) fn run(&self) -> &Run {
        self.reading.run()
    }

    /// Does what the run wants, until it waits.
    fn follow(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        while let Some(action) = self.reading.poll(core, hands) {
            match action {
                Action::Answer => {
                    if let Err(status) = core.answer_caller(hands) {
                        return Next::End(Party::Switch, Cause::from_status(status));
                    }
                }
                Action::HangUp { cause } => return Next::End(Party::Switch, cause),
                Action::Finished => return Next::End(Party::Switch, Cause::normal()),
                Action::Ring(ringing) => {
                    let (leg, news) = (ringing.leg, LegNews::Ended { status: 501 });
                    self.reading.handle(hands, Input::Leg { leg, news });
                }
                Action::Enqueue(enqueueing) => {
                    let waiting = Waiting::for_documents(self.reading.clone(), enqueueing);
                    return Next::Become(Stage::Waiting(Box::new(waiting)));
                }
                Action::Join(joining) => {
                    let conferring = Conferring::new(self.reading.clone(), *joining);
                    return Next::Become(Stage::Conferring(Box::new(conferring)));
                }
                Action::Refer { .. } => {
                    self.reading.handle(hands, Input::Referred { status: 501 });
                }
                Action::Bridge { .. }
                | Action::Cancel { .. }
                | Action::LeaveConference
                | Action::LeaveQueue
                | Action::Record { .. }
                | Action::RecordCall { .. }
                | Action::StopRecording
                | Action::Whisper { .. }
                | Action::WhisperDone => {}
                // What concerns the caller's leg alone is carried out by the reading.
                Action::Fetch(_)
                | Action::Listen { .. }
                | Action::Notify(_)
                | Action::Play { .. }
                | Action::StopListening
                | Action::StopPlay => {}
            }
        }
        Next::Stay
    }
}

impl Feature for Application {
    fn enter(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        core.caller_enters(hands, Stretch::Ivr, "application");
        match self.beginning.take() {
            None => {}
            Some(Beginning::Again(input)) => self.reading.handle(hands, *input),
            Some(Beginning::First) => self.reading.run_mut().start(hands.now),
            Some(Beginning::OfCaller) => {
                let run = self.reading.run().clone();
                let mut run = run.of_call(facts::of_caller(core, hands));
                run.start(hands.now);
                self.reading = Reading::to_caller(run);
            }
        }
        self.follow(core, hands)
    }

    fn on_digit(&mut self, core: &mut Core, hands: &mut Hands<'_>, leg: LegId, key: char) -> Next {
        self.reading.on_digit(core, hands, leg, key);
        self.follow(core, hands)
    }

    fn on_play_done(&mut self, core: &mut Core, hands: &mut Hands<'_>, play: PlayId) -> Next {
        self.reading.on_play_done(core, hands, play);
        self.follow(core, hands)
    }

    fn on_told(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        ticket: u64,
        reply: &Reply,
    ) -> Next {
        self.reading.on_told(core, hands, ticket, reply);
        self.follow(core, hands)
    }

    fn on_supply(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        ticket: u64,
        supply: &Supply,
    ) -> Next {
        self.reading.on_supply(core, hands, ticket, supply);
        self.follow(core, hands)
    }

    fn modify(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        wish: Modification,
    ) -> Option<Next> {
        self.reading.handle(hands, Input::Modify(wish));
        Some(self.follow(core, hands))
    }

    fn handle_timeout(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        self.reading.handle_timeout(core, hands);
        self.follow(core, hands)
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        self.reading.poll_timeout()
    }

    fn restored(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        self.reading.restored(core, hands);
    }

    fn leave(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        self.reading.leave(core, hands);
    }
}
