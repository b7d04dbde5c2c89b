//! An agent who dialled a feature code: plays what his session says, gives its orders.

use serde::{Deserialize, Serialize};

use super::{Feature, Next};
use crate::base::{Cause, LegId, Party, Pii, Timestamp};
use crate::call::core::{Core, Looped};
use crate::call::desk::{Around, Output, Session, Standing, Told};
use crate::call::hands::Hands;
use crate::events::{Fact, Stretch};
use crate::media::PlayId;
use crate::router;

/// An agent's session on the line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Desk {
    session: Session,
    /// The play under way.
    play: Option<PlayId>,
}

impl Desk {
    pub(crate) fn new(session: Session) -> Self {
        Self {
            session,
            play: None,
        }
    }

    /// Lets the session see something, then does what it wants.
    fn with_session(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        act: impl FnOnce(&mut Session, &mut Around<'_>),
    ) -> Next {
        let Some(generation) = hands.generations.get(&core.generation).cloned() else {
            return Next::End(Party::Switch, Cause::from_status(500));
        };
        let desks = hands.desks.clone();
        let view = desks.view();
        let mut room = desks.room();
        let mut around = Around {
            now: hands.now,
            terms: &generation.desk,
            room: &mut room,
            standing: &|agent| Standing::of(&view, agent),
        };
        act(&mut self.session, &mut around);
        desks.save(around.room);
        // This very call is at the phone of whoever logs in by it: said before he is available.
        let phone = self.session.phone();
        let seated = around.room.seats.agent_at(&generation.desk, phone);
        hands.phone_reseated(phone, seated);
        let caller = core.caller().id;
        let mut is_over = false;
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::End => is_over = true,
                Output::LoggedIn { agent, outcome } => {
                    let (outcome, phone) = (outcome.as_str(), Pii(&core.from));
                    let name = agent.as_deref().unwrap_or_default();
                    tracing::info!(call = %core.id, agent = name, %phone, outcome, "agent.login");
                    let outcome = outcome.to_owned();
                    core.emit(hands, Fact::AgentLogin { agent, outcome });
                }
                Output::Order(order) => {
                    if let Some(agent) = self.session.agent() {
                        hands.index.desks.insert(agent.to_owned(), core.key);
                    }
                    hands.outbox.push_back(order.output());
                }
                Output::Play(names) => {
                    let language = generation.desk.language_of(self.session.agent());
                    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
                    names.retain(|name| generation.sounds.has(name));
                    self.play = None;
                    if names.is_empty() {
                        self.session.handle_play_done(&mut around);
                    } else {
                        let spoken = core.play_in(language, hands, caller, names, Looped::Once);
                        self.play = Some(spoken);
                    }
                }
                Output::Secret(on) => core.ask_secret(hands, on),
                Output::StopPlay => {
                    self.play = None;
                    core.stop_play(hands, caller);
                }
            }
        }
        match is_over {
            true => Next::End(Party::Switch, Cause::normal()),
            false => Next::Stay,
        }
    }
}

impl Feature for Desk {
    fn enter(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        if let Err(status) = core.answer_caller(hands) {
            return Next::End(Party::Switch, Cause::from_status(status));
        }
        core.caller_enters(hands, Stretch::Service, self.session.service().words());
        self.with_session(core, hands, Session::start)
    }

    fn on_digit(&mut self, core: &mut Core, hands: &mut Hands<'_>, _: LegId, digit: char) -> Next {
        self.with_session(core, hands, |session, around| {
            session.handle_digit(around, digit);
        })
    }

    fn on_play_done(&mut self, core: &mut Core, hands: &mut Hands<'_>, play: PlayId) -> Next {
        if self.play != Some(play) {
            return Next::Stay;
        }
        self.play = None;
        self.with_session(core, hands, Session::handle_play_done)
    }

    fn on_router(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        output: &router::Output,
    ) -> Next {
        match Told::from_router(output) {
            Some(told) => self.with_session(core, hands, |session, around| {
                session.handle_told(around, told);
            }),
            None => Next::Stay,
        }
    }

    fn handle_timeout(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        self.with_session(core, hands, Session::handle_timeout)
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        self.session.poll_timeout()
    }

    fn leave(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        core.ask_secret(hands, false);
        if let Some(agent) = self.session.agent() {
            // A later session of his may listen by now.
            if hands.index.desks.get(agent) == Some(&core.key) {
                hands.index.desks.remove(agent);
            }
        }
    }
}
