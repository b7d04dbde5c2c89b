//! A document being read to one leg of a call: what the web application is asked and told, what the
//! leg hears, which keys it presses. What concerns more than the leg is for the stage that holds it.

mod recital;

use serde::{Deserialize, Serialize};

use super::core::Core;
use super::hands::Hands;
use super::inquiry::{Inquiry, Subject, Supply};
use super::{Exchange, Output};
use crate::base::{CallId, LegId, Timestamp};
use crate::events::Fact;
use crate::flow::Reply;
use crate::media::PlayId;
use crate::twiml::{Action, Fetch, Input, Notice, Run, Visit};
use crate::webhook::{self, Content, To};
use recital::{Recital, Recited};

/// A run of documents and the leg it is for. Whoever holds one passes on what happens to the leg and
/// then asks [`Reading::poll`] until nothing is wanted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Reading {
    run: Run,
    /// Who hears it; the leg the call is for when `None`.
    leg: Option<LegId>,
    recital: Option<Recital>,
    /// The document that is waited for, and the ticket of the question.
    fetch: Option<(u64, Fetch)>,
}

impl Reading {
    /// To the leg the call is for, whichever that is by then.
    pub(crate) fn to_caller(run: Run) -> Self {
        Self {
            run,
            leg: None,
            recital: None,
            fetch: None,
        }
    }

    /// To another leg: a whisper.
    pub(crate) fn to_leg(run: Run, leg: LegId) -> Self {
        Self {
            leg: Some(leg),
            ..Self::to_caller(run)
        }
    }

    /// The run, to look at.
    pub(crate) fn run(&self) -> &Run {
        &self.run
    }

    /// The run, to tell it something that is none of the leg's: [`Reading::poll`] follows.
    pub(crate) fn run_mut(&mut self) -> &mut Run {
        &mut self.run
    }

    /// Tells the run something.
    pub(crate) fn handle(&mut self, hands: &Hands<'_>, input: Input) {
        self.run.handle(hands.now, input);
    }

    /// Whether a leg is the one that hears it.
    pub(crate) fn is_for(&self, core: &Core, leg: LegId) -> bool {
        self.listener(core) == leg
    }

    fn listener(&self, core: &Core) -> LegId {
        self.leg.unwrap_or_else(|| core.caller().id)
    }

    /// Carries out what concerns the leg alone; the next thing that does not is for the stage.
    pub(crate) fn poll(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Option<Action> {
        loop {
            while let Some(Visit { document, verb }) = self.run.poll_visit() {
                let (flow, step) = (document, verb);
                core.emit(hands, Fact::StepEntered { flow, step });
            }
            match self.run.poll_action()? {
                Action::Fetch(fetch) => {
                    let ticket = core.ticket();
                    ask(core, hands, ticket, Subject::Document(fetch.clone()));
                    self.fetch = Some((ticket, fetch));
                }
                Action::Notify(notice) => core.notify(hands, notice),
                Action::Play { play, prompts } => {
                    self.recital = Some(Recital::new(core, hands, play, prompts));
                    self.recite(core, hands);
                }
                Action::StopPlay => {
                    let recital = self.recital.take();
                    if recital.is_some_and(|recital| recital.is_heard()) {
                        core.stop_play(hands, self.listener(core));
                    }
                }
                // Nothing here listens to speech: it is no input.
                Action::Listen { .. } | Action::StopListening => {}
                action => return Some(action),
            }
        }
    }

    /// Goes on with what is to be heard.
    fn recite(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        let leg = self.listener(core);
        let Some(recital) = &mut self.recital else {
            return;
        };
        let play = recital.number();
        let input = match recital.go_on(core, hands, leg) {
            Recited::NotYet => return,
            Recited::Done => Input::PlayDone { play },
            Recited::Failed(code, words) => Input::PlayFailed { play, code, words },
        };
        self.recital = None;
        self.run.handle(hands.now, input);
    }

    /// A leg pressed a key.
    pub(crate) fn on_digit(&mut self, core: &Core, hands: &Hands<'_>, leg: LegId, key: char) {
        if self.is_for(core, leg) {
            self.run.handle(hands.now, Input::Digit(key));
        }
    }

    /// A play of the call came to its natural end.
    pub(crate) fn on_play_done(&mut self, core: &mut Core, hands: &mut Hands<'_>, play: PlayId) {
        let is_mine = |recital: &mut Recital| recital.on_play_done(play);
        if self.recital.as_mut().is_some_and(is_mine) {
            self.recite(core, hands);
        }
    }

    /// A voice has said a text, or has not.
    pub(crate) fn on_told(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        ticket: u64,
        reply: &Reply,
    ) {
        let said = match reply {
            Reply::Said { sound } => Ok(sound.clone()),
            Reply::Failed(why) => Err((UNSAID, why.clone())),
            _ => return,
        };
        self.on_sound(core, hands, ticket, said);
    }

    /// The web application has supplied something, or has not.
    pub(crate) fn on_supply(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        ticket: u64,
        supply: &Supply,
    ) {
        match supply {
            Supply::Document(result) => {
                let is_it = |(mine, _): &mut (u64, Fetch)| *mine == ticket;
                if let Some((_, fetch)) = self.fetch.take_if(is_it) {
                    let (request, result) = (fetch.request, result.clone());
                    let input = Input::Fetched { request, result };
                    self.run.handle(hands.now, input);
                }
            }
            Supply::Sound(sound) => self.on_sound(core, hands, ticket, sound.clone()),
        }
    }

    fn on_sound(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        ticket: u64,
        sound: Result<String, (u16, String)>,
    ) {
        let takes = |recital: &mut Recital| recital.supply(ticket, sound);
        if self.recital.as_mut().is_some_and(takes) {
            self.recite(core, hands);
        }
    }

    /// When to call [`Reading::handle_timeout`].
    pub(crate) fn poll_timeout(&self) -> Option<Timestamp> {
        let sounds = self.recital.as_ref().and_then(Recital::poll_timeout);
        [self.run.poll_timeout(), sounds]
            .into_iter()
            .flatten()
            .min()
    }

    /// Time has passed.
    pub(crate) fn handle_timeout(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        let is_late = |recital: &mut Recital| recital.handle_timeout(hands.now);
        if self.recital.as_mut().is_some_and(is_late) {
            self.recite(core, hands);
        }
        self.run.handle_timeout(hands.now);
    }

    /// The call was rebuilt: whoever was asked has told a process that is no more.
    pub(crate) fn restored(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        if let Some((ticket, fetch)) = &self.fetch {
            ask(core, hands, *ticket, Subject::Document(fetch.clone()));
        }
        if let Some(recital) = &mut self.recital {
            recital.restored(core, hands);
            self.recite(core, hands);
        }
    }

    /// The leg is gone: who is to know is told.
    pub(crate) fn leave(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        self.run.handle(hands.now, Input::CallerLeft);
        self.recital = None;
        self.fetch = None;
        // Nothing but notices is left, and what would have been done to a leg that is no more.
        while self.poll(core, hands).is_some() {}
        for remark in self.run.remarks() {
            tracing::info!(call = %core.id, %remark, "twiml.remark");
        }
    }
}

impl Exchange {
    /// A question that a call's document put is answered. A call that is gone does not listen.
    pub fn supplied(&mut self, now: Timestamp, call: &CallId, ticket: u64, supply: &Supply) {
        if let Some(key) = self.index.calls.get(call).copied() {
            self.with_call(now, key, |call, hands| {
                call.with_stage(hands, |stage, core, hands| {
                    stage.on_supply(core, hands, ticket, supply)
                });
            });
            self.pump(now);
        }
    }
}

impl Core {
    /// The number of a question that a document puts: none that a flow would give.
    pub(crate) fn ticket(&mut self) -> u64 {
        self.tickets += 1;
        FIRST_TICKET + self.tickets
    }

    /// Tells the web application something.
    pub(crate) fn notify(&self, hands: &mut Hands<'_>, notice: Notice) {
        let notice = webhook::Notice {
            to: To::Url(notice.url),
            method: Some(notice.method.into()),
            content: Content::Form(notice.form),
            call: Some(self.id.clone()),
            what: notice.what,
        };
        hands.outbox.push_back(Output::Notify(Box::new(notice)));
    }
}

/// Asks outside.
fn ask(core: &Core, hands: &mut Hands<'_>, request: u64, subject: Subject) {
    hands.outbox.push_back(Output::Inquire(Box::new(Inquiry {
        call: core.id.clone(),
        request,
        subject,
    })));
}

/// Tickets begin past what a flow's run ever counts to.
const FIRST_TICKET: u64 = 1 << 32;

/// Number in Twilio's error dictionary of a text that no voice says.
const UNSAID: u16 = 13_520;
