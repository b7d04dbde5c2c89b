//! What says what becomes of a caller: it put him where he is, and goes on when he leaves there.
//! Queues and conversations are the same for all of them.

use serde::{Deserialize, Serialize};

use super::{Application, Stage, Treatment};
use crate::base::{Cause, LegId, Party, Timestamp};
use crate::call::core::Core;
use crate::call::hands::Hands;
use crate::call::inquiry::Supply;
use crate::call::reading::Reading;
use crate::flow::{self, QueueOutcome, Reply};
use crate::media::PlayId;
use crate::twiml::{self, Link, Modification, QueueNews, Sid};
use crate::waiting::LeaveWhy;

/// What a caller's stages follow each other by.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Script {
    /// Documents of the user's web application.
    Documents(Box<Reading>),
    /// A flow of the configuration.
    Flow(Box<flow::Run>),
}

impl Script {
    /// The flow, when it is one.
    pub(super) fn flow(&self) -> Option<&flow::Run> {
        match self {
            Self::Documents(_) => None,
            Self::Flow(run) => Some(run),
        }
    }

    /// A flow beside it, which knows what it knows.
    pub(super) fn beside(
        &self,
        core: &Core,
        hands: &Hands<'_>,
        document: &std::sync::Arc<flow::Document>,
    ) -> flow::Run {
        match self {
            Self::Documents(_) => core.run_beside(hands, document),
            Self::Flow(run) => run.beside(std::sync::Arc::clone(document)),
        }
    }

    /// What a flow beside it has set and taken away.
    pub(super) fn learn(&mut self, core: &Core, beside: &flow::Run) {
        if let Self::Flow(run) = self {
            run.learn(beside.attributes(), &core.attributes);
        }
    }

    /// The queue's own flow let the caller out: where he goes on.
    pub(super) fn let_out(self, hands: &Hands<'_>) -> Stage {
        match self {
            Self::Flow(run) => {
                let input = flow::Input::QueueLeft(QueueOutcome::Left);
                Stage::Treatment(Box::new(Treatment::resume(*run, input)))
            }
            documents @ Self::Documents(_) => documents.unserved(hands, LeaveWhy::Nobody),
        }
    }

    /// An agent took the caller out of the queue.
    pub(super) fn answered(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        match self {
            Self::Documents(reading) => {
                reading.handle(hands, twiml::Input::Queue(QueueNews::Bridged));
                // What the caller heard ends; nothing else follows.
                while reading.poll(core, hands).is_some() {}
            }
            Self::Flow(run) => {
                let outcome = flow::Input::QueueLeft(QueueOutcome::Answered);
                run.handle(hands.now, outcome);
            }
        }
    }

    /// Somebody has claimed the caller: what he hears before he is connected with that leg. Its end
    /// is documents' [`twiml::Action::WhisperDone`]; a flow has no such documents.
    pub(super) fn hears_before(&mut self, hands: &Hands<'_>, link: Link, by: Sid) {
        let news = QueueNews::Whisper { link, by };
        self.hears(hands, twiml::Input::Queue(news));
    }

    /// Whoever had claimed the caller gave up before that: he waits on.
    pub(super) fn waits_on(&mut self, hands: &Hands<'_>) {
        self.hears(hands, twiml::Input::Queue(QueueNews::GivenBack));
    }

    /// The caller leaves the queue unserved: where he goes on.
    pub(super) fn unserved(self, hands: &Hands<'_>, why: LeaveWhy) -> Stage {
        match self {
            Self::Documents(_) => {
                let words = match why {
                    LeaveWhy::MaxWait => "the caller has waited as long as one may",
                    LeaveWhy::Nobody => "nobody can take the caller",
                };
                self.failed(hands, words.to_owned())
            }
            Self::Flow(run) => {
                let outcome = match why {
                    LeaveWhy::MaxWait => QueueOutcome::TimedOut,
                    LeaveWhy::Nobody => QueueOutcome::Nobody,
                };
                let flow = Treatment::resume(*run, flow::Input::QueueLeft(outcome));
                Stage::Treatment(Box::new(flow))
            }
        }
    }

    /// Whether a caller whom nobody served would only be hung up.
    pub(super) fn ends_after(&self, why: LeaveWhy) -> bool {
        self.flow().is_some_and(|run| {
            run.ends_after(match why {
                LeaveWhy::MaxWait => QueueOutcome::TimedOut,
                LeaveWhy::Nobody => QueueOutcome::Nobody,
            })
        })
    }

    /// There is no place for the caller in the queue: where he goes on.
    pub(super) fn turned_away(self, hands: &Hands<'_>) -> Stage {
        match self {
            Self::Documents(mut reading) => {
                reading.handle(hands, twiml::Input::Queue(QueueNews::Full));
                Stage::Application(Box::new(Application::go_on(*reading)))
            }
            flow @ Self::Flow(_) => flow.unserved(hands, LeaveWhy::Nobody),
        }
    }

    /// There is no such queue, or the router wants nothing of the caller: where he goes on.
    fn failed(self, hands: &Hands<'_>, words: String) -> Stage {
        match self {
            Self::Documents(mut reading) => {
                let news = QueueNews::Failed { words, own: false };
                reading.handle(hands, twiml::Input::Queue(news));
                Stage::Application(Box::new(Application::go_on(*reading)))
            }
            flow @ Self::Flow(_) => flow.unserved(hands, LeaveWhy::Nobody),
        }
    }

    /// The caller's conversation is over, and he is still there: where he goes on.
    pub(super) fn after_talk(self, hands: &Hands<'_>, by: Party, cause: Cause) -> Stage {
        match self {
            Self::Documents(mut reading) => {
                reading.handle(hands, twiml::Input::Queue(QueueNews::BridgeEnded));
                Stage::Application(Box::new(Application::go_on(*reading)))
            }
            Self::Flow(run) => {
                let flow = Treatment::after_talk(*run, by, cause);
                Stage::Treatment(Box::new(flow))
            }
        }
    }

    /// Documents that want something else than a place in a line go on with it.
    pub(super) fn go_on(self) -> Option<Stage> {
        match self {
            Self::Documents(reading) => {
                Some(Stage::Application(Box::new(Application::go_on(*reading))))
            }
            Self::Flow(_) => None,
        }
    }

    /// Where the caller stands in the line, for documents.
    pub(super) fn stands(&mut self, hands: &Hands<'_>, standing: twiml::Standing) {
        self.hears(hands, twiml::Input::Queue(QueueNews::Standing(standing)));
    }

    /// Tells documents something; flows are told otherwise.
    fn hears(&mut self, hands: &Hands<'_>, input: twiml::Input) {
        if let Self::Documents(reading) = self {
            reading.handle(hands, input);
        }
    }

    /// What documents want that their reading does not do by itself; a flow under way wants nothing
    /// while the caller is elsewhere.
    pub(super) fn poll(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Option<twiml::Action> {
        match self {
            Self::Documents(reading) => reading.poll(core, hands),
            Self::Flow(_) => None,
        }
    }

    /// A leg pressed a key.
    pub(super) fn on_digit(&mut self, core: &Core, hands: &Hands<'_>, leg: LegId, key: char) {
        if let Self::Documents(reading) = self {
            reading.on_digit(core, hands, leg, key);
        }
    }

    /// A play of the call came to its end.
    pub(super) fn on_play_done(&mut self, core: &mut Core, hands: &mut Hands<'_>, play: PlayId) {
        if let Self::Documents(reading) = self {
            reading.on_play_done(core, hands, play);
        }
    }

    /// A voice has said something for a document, or has not.
    pub(super) fn on_told(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        ticket: u64,
        reply: &Reply,
    ) {
        if let Self::Documents(reading) = self {
            reading.on_told(core, hands, ticket, reply);
        }
    }

    /// The web application has supplied something, or has not.
    pub(super) fn on_supply(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        ticket: u64,
        supply: &Supply,
    ) {
        if let Self::Documents(reading) = self {
            reading.on_supply(core, hands, ticket, supply);
        }
    }

    /// The REST API wants something else of the call; false where no application has it.
    pub(super) fn modify(&mut self, hands: &Hands<'_>, wish: Modification) -> bool {
        let is_applications = matches!(self, Self::Documents(_));
        self.hears(hands, twiml::Input::Modify(wish));
        is_applications
    }

    /// Documents' deadline came.
    pub(super) fn handle_timeout(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        if let Self::Documents(reading) = self {
            reading.handle_timeout(core, hands);
        }
    }

    /// When to be woken for documents.
    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        match self {
            Self::Documents(reading) => reading.poll_timeout(),
            Self::Flow(_) => None,
        }
    }

    /// The call was rebuilt.
    pub(super) fn restored(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        if let Self::Documents(reading) = self {
            reading.restored(core, hands);
        }
    }

    /// The caller is gone, or goes on without it.
    pub(super) fn leave(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        if let Self::Documents(reading) = self {
            reading.leave(core, hands);
        }
    }
}
