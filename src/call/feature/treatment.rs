//! A call in a flow: carries out what the flow asks for, tells it what the caller did.

use serde::{Deserialize, Serialize};
use serde_json::Map;

use super::{
    Application, Dial, Feature, Message, Next, Script, Service, ServiceKind, Stage, Waiting,
};
use crate::base::{Cause, LegId, Party, Timestamp};
use crate::call::core::{Core, Looped};
use crate::call::hands::Hands;
use crate::call::inquiry::inquire;
use crate::events::{Fact, Stretch};
use crate::flow::{self, Action, Input, Reply, Run};
use crate::media::PlayId;
use crate::twiml::{Link, StatusCallback, Terms};
use crate::webhook;

/// A flow under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Treatment {
    run: Run,
    /// What the flow hears when the stage begins again; `None` at its first start.
    resume: Option<Input>,
    /// The play under way: media's number and the flow's.
    play: Option<(PlayId, u64)>,
    /// Who hung up and why, when the flow goes on because a conversation ended and says no more.
    because: Option<(Party, Cause)>,
    /// Whether the record says that the caller is in the flow.
    entered: bool,
}

impl Treatment {
    /// A flow at its start.
    pub(crate) fn new(run: Run) -> Self {
        Self {
            run,
            resume: None,
            play: None,
            because: None,
            entered: false,
        }
    }

    /// A flow that goes on with what became of its last request.
    pub(crate) fn resume(run: Run, input: Input) -> Self {
        Self {
            run,
            resume: Some(input),
            play: None,
            because: None,
            entered: false,
        }
    }

    /// A flow that goes on because the caller's conversation ended.
    pub(crate) fn after_talk(run: Run, by: Party, cause: Cause) -> Self {
        Self {
            run,
            resume: Some(Input::TalkEnded),
            play: None,
            because: Some((by, cause)),
            entered: false,
        }
    }

    fn carry_out(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        let next = self.follow_run(core, hands);
        core.ask_secret(hands, self.run.is_secret());
        next
    }

    fn follow_run(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        let caller = core.caller().id;
        while let Some(action) = self.run.poll_action() {
            if !matches!(action, Action::Enter { .. } | Action::HangUp { .. }) {
                self.note_entry(core, hands);
            }
            match action {
                Action::Application(wanted) => {
                    let terms = terms_of(core, hands, *wanted);
                    let application = Application::of_caller(terms, Map::new());
                    return Next::Become(Stage::Application(Box::new(application)));
                }
                Action::Conference { room } => {
                    let service = Service::new(ServiceKind::Conference(room));
                    return Next::Become(Stage::Service(service));
                }
                Action::Consult { request, about } => {
                    if let Some(message) = Message::for_flow(&self.run, request, &about) {
                        return Next::Become(Stage::Message(Box::new(message)));
                    }
                    let reply = inquire(core, hands, &self.run, (request, about));
                    if let Some(reply) = reply {
                        self.run.handle(hands.now, Input::Told { request, reply });
                    }
                }
                Action::Enter { flow, step } => {
                    core.emit(hands, Fact::StepEntered { flow, step });
                }
                Action::Answer => {
                    if let Err(status) = core.answer_caller(hands) {
                        return Next::End(Party::Switch, Cause::from_status(status));
                    }
                }
                Action::Dial(terms) => {
                    let dial = Dial::from_flow(self.run.clone(), *terms);
                    return Next::Become(Stage::Dial(Box::new(dial)));
                }
                Action::Enqueue {
                    to,
                    attributes,
                    priority,
                } => {
                    core.note_attributes(hands, attributes);
                    let script = Script::Flow(Box::new(self.run.clone()));
                    let waiting = Waiting::new(script, to, priority);
                    return Next::Become(Stage::Waiting(Box::new(waiting)));
                }
                Action::HangUp { cause } => {
                    // A flow that just ends has no reason of its own: the conversation's stands.
                    let (by, before) = self.because.take().unzip();
                    let cause = before.filter(|_| cause == Cause::normal()).unwrap_or(cause);
                    return Next::End(by.unwrap_or(Party::Switch), cause);
                }
                Action::Play { play, sounds } => {
                    self.because = None;
                    let names = sounds.iter().map(String::as_str);
                    self.play = Some((core.play(hands, caller, names, Looped::Once), play));
                }
                // `check` lets nobody leave a queue he is not in.
                Action::Leave => {}
                Action::SetAttributes(attributes) => core.note_attributes(hands, attributes),
                Action::StopPlay => {
                    if self.play.take().is_some() {
                        core.stop_play(hands, caller);
                    }
                }
            }
        }
        self.note_entry(core, hands);
        Next::Stay
    }

    /// Says once that the caller is in the flow; a flow that only hangs up is no stretch.
    fn note_entry(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        if !std::mem::replace(&mut self.entered, true) {
            core.caller_enters(hands, Stretch::Ivr, &self.run.document().name);
        }
    }
}

impl Feature for Treatment {
    fn enter(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        match self.resume.take() {
            None => {
                let (id, started) = (core.id.as_str(), core.record.started);
                self.run = self.run.clone().of_call(id, started, hands.entropy.u64());
                self.run.start(hands.now);
            }
            Some(input) => self.run.handle(hands.now, input),
        }
        // A flow that only hangs up after a conversation is no stretch of the caller's time.
        if self.because.is_none() || !self.run.is_over() {
            core.caller_enters(hands, Stretch::Ivr, &self.run.document().name.clone());
        }
        self.carry_out(core, hands)
    }

    fn on_digit(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        leg: LegId,
        digit: char,
    ) -> Next {
        if leg == core.caller().id {
            self.run.handle(hands.now, Input::Digit(digit));
        }
        self.carry_out(core, hands)
    }

    fn on_play_done(&mut self, core: &mut Core, hands: &mut Hands<'_>, play: PlayId) -> Next {
        let Some((_, number)) = self.play.filter(|(mine, _)| *mine == play) else {
            return Next::Stay;
        };
        self.play = None;
        self.run.handle(hands.now, Input::PlayDone { play: number });
        self.carry_out(core, hands)
    }

    fn on_told(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        request: u64,
        reply: &Reply,
    ) -> Next {
        let reply = reply.clone();
        self.run.handle(hands.now, Input::Told { request, reply });
        self.carry_out(core, hands)
    }

    fn handle_timeout(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        self.run.handle_timeout(hands.now);
        self.carry_out(core, hands)
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        self.run.poll_timeout()
    }
}

/// What holds for an application that a flow leads to.
fn terms_of(core: &Core, hands: &Hands<'_>, wanted: flow::Application) -> Terms {
    let link = |(url, method): (String, webhook::Method)| Link {
        url,
        method: method.into(),
    };
    // The flow made them, of what it knew of the call: the call goes on without one that is none.
    let checked = |key, it: Option<_>| {
        let link = link(it?).resolve(None);
        link.inspect_err(|fault| tracing::warn!(call = %core.id, key, %fault, "flow.no_url"))
            .ok()
    };
    let generation = hands.generations.get(&core.generation);
    let first = link(wanted.first);
    let mut terms = match generation {
        Some(generation) => generation.applications.terms_of(first),
        None => Terms::of_url(first),
    };
    terms.fallback = checked("fallback_url", wanted.fallback);
    let events = wanted.events.iter().filter_map(|word| word.parse().ok());
    let status = checked("status_callback", wanted.status);
    terms.status = status.map(|link| StatusCallback::new(link, events.collect()));
    terms
}
