//! A caller whom a document has put into a line that only documents know: he hears what it says of
//! waiting until somebody dials the line, and talks with whoever did.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Application, Feature, Next, Stage};
use crate::base::{Cause, Party, Timestamp};
use crate::call::core::{Core, Looped};
use crate::call::hands::Hands;
use crate::call::lines::{NoPlace, Place, Taken};
use crate::call::reading::Reading;
use crate::events::{Fact, Stretch};
use crate::media::Command;
use crate::twiml::{Action, Enqueueing, Input, QueueNews, Sid, SidKind, Standing, WaitSound};

/// A place in a line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct InLine {
    reading: Reading,
    name: String,
    max_size: Option<u32>,
    wait: WaitSound,
    since: Timestamp,
    /// What the documents were last told.
    stands: Option<Standing>,
    /// Who took him out of the line.
    taken: Option<Taken>,
    /// When he looks by himself: the word that something changed may have been lost.
    looks_at: Option<Timestamp>,
    /// The call was rebuilt: the room is opened by the other's, perhaps after him.
    #[serde(skip)]
    sits_again: bool,
}

/// How often one looks by himself.
pub(super) const LOOKS: Duration = Duration::from_secs(5);

impl InLine {
    /// On his way in, as a document wants it.
    pub(crate) fn new(reading: Reading, name: String, enqueueing: &Enqueueing) -> Self {
        Self {
            reading,
            name,
            max_size: enqueueing.max_size,
            wait: enqueueing.wait,
            since: Timestamp::ZERO,
            stands: None,
            taken: None,
            looks_at: None,
            sits_again: false,
        }
    }

    /// What has changed?
    fn look(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        self.looks_at = Some(hands.now + LOOKS);
        if std::mem::take(&mut self.sits_again)
            && let Some(taken) = self.taken.as_ref().filter(|taken| taken.has_come)
        {
            let (leg, standing) = (core.caller().id, core.caller().standing);
            hands.seat_in_room(taken.room, leg, standing);
        }
        let place = hands.lines().place(hands.now, &self.name, &core.id);
        match (place, self.has_come()) {
            (Some(Place::Standing(standing)), _) => {
                let is_given_back = self.taken.take().is_some();
                if is_given_back {
                    let news = Input::Queue(QueueNews::GivenBack);
                    self.reading.handle(hands, news);
                }
                self.tell_standing(hands, standing);
                let next = self.follow(core, hands);
                // What was whispered has ended by now, and not what is heard from here on.
                if is_given_back && matches!(next, Next::Stay) && self.wait == WaitSound::Music {
                    self.hear_music(core, hands);
                }
                next
            }
            // Whoever took him first may have given up, and another come.
            (Some(Place::Taken(taken)), _) if !self.is_with(&taken) => {
                self.is_taken(core, hands, taken)
            }
            (Some(Place::Taken(_)), _) => self.follow(core, hands),
            (None, true) => self.go_on(core, hands, QueueNews::BridgeEnded),
            (None, false) => {
                let words = "the line is gone".to_owned();
                self.go_on(core, hands, QueueNews::Failed { words, own: true })
            }
        }
    }

    fn is_with(&self, taken: &Taken) -> bool {
        let own = self.taken.as_ref().map(|own| (&own.by, own.room));
        own == Some((&taken.by, taken.room))
    }

    fn has_come(&self) -> bool {
        self.taken.as_ref().is_some_and(|taken| taken.has_come)
    }

    fn tell_standing(&mut self, hands: &Hands<'_>, standing: Standing) {
        let same =
            |told: &Standing| (told.position, told.size) == (standing.position, standing.size);
        if !self.stands.as_ref().is_some_and(same) {
            self.stands = Some(standing.clone());
            let news = Input::Queue(QueueNews::Standing(standing));
            self.reading.handle(hands, news);
        }
    }

    fn hear_music(&self, core: &mut Core, hands: &mut Hands<'_>) {
        let caller = core.caller().id;
        core.play(hands, caller, ["music"], Looped::Forever);
    }

    /// Somebody takes the caller: he hears what there is to hear before, or the other at once.
    fn is_taken(&mut self, core: &mut Core, hands: &mut Hands<'_>, taken: Taken) -> Next {
        let whisper = taken.whisper.clone();
        let by = Sid::derive(SidKind::Call, taken.by.as_str());
        self.taken = Some(taken);
        if self.wait == WaitSound::Music {
            core.stop_play(hands, core.caller().id);
        }
        match whisper {
            Some(link) => {
                let news = Input::Queue(QueueNews::Whisper { link, by });
                self.reading.handle(hands, news);
                self.follow(core, hands)
            }
            None => self.come(core, hands),
        }
    }

    /// Both hear each other from now on.
    fn come(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        let Some(taken) = self.taken.as_mut().filter(|taken| !taken.has_come) else {
            return Next::Stay;
        };
        taken.has_come = true;
        let (room, by) = (taken.room, taken.by.clone());
        self.reading.handle(hands, Input::Queue(QueueNews::Bridged));
        let next = self.follow(core, hands);
        let caller = core.caller().id;
        core.stop_play(hands, caller);
        self.unqueue(core, hands, "answered");
        core.caller_enters(hands, Stretch::Talk, &format!("queue {}", self.name));
        let standing = core.caller().standing;
        hands.seat_in_room(room, caller, standing);
        hands.lines().has_come(&self.name, &core.id);
        hands.rouse(&by);
        next
    }

    fn unqueue(&self, core: &mut Core, hands: &mut Hands<'_>, outcome: &str) {
        let (queue, outcome) = (self.name.clone(), outcome.to_owned());
        core.emit(hands, Fact::Unqueued { queue, outcome });
    }

    /// Gives the place up.
    fn withdraw(&mut self, core: &mut Core, hands: &mut Hands<'_>, outcome: &str) {
        if let Some(taken) = self.taken.take_if(|taken| taken.has_come) {
            let (room, leg) = (taken.room, core.caller().id);
            hands.tell(Command::Leave { room, leg });
        } else {
            self.unqueue(core, hands, outcome);
        }
        self.looks_at = None;
        let concerned = hands.lines().leave(&self.name, &core.id);
        for call in concerned {
            hands.rouse(&call);
        }
    }

    /// Out of the line, and on with the documents.
    fn go_on(&mut self, core: &mut Core, hands: &mut Hands<'_>, news: QueueNews) -> Next {
        self.withdraw(core, hands, "failed");
        core.stop_play(hands, core.caller().id);
        self.reading.handle(hands, Input::Queue(news));
        self.end()
    }

    fn end(&self) -> Next {
        let application = Application::go_on(self.reading.clone());
        Next::Become(Stage::Application(Box::new(application)))
    }

    /// Does what the documents want beside what the caller hears.
    fn follow(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        while let Some(action) = self.reading.poll(core, hands) {
            match action {
                Action::LeaveQueue => {
                    self.withdraw(core, hands, "left");
                    core.stop_play(hands, core.caller().id);
                    return self.end();
                }
                Action::WhisperDone => return self.come(core, hands),
                Action::HangUp { cause } => return Next::End(Party::Switch, cause),
                _ => {}
            }
        }
        Next::Stay
    }
}

impl Feature for InLine {
    fn enter(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        if let Err(status) = core.answer_caller(hands) {
            return Next::End(Party::Switch, Cause::from_status(status));
        }
        self.since = hands.now;
        let entered = hands
            .lines()
            .enter(hands.now, &self.name, &core.id, self.max_size);
        if let Err(why) = entered {
            let news = match why {
                NoPlace::Full => QueueNews::Full,
                NoPlace::Lines => QueueNews::Failed {
                    words: why.to_string(),
                    own: true,
                },
            };
            self.reading.handle(hands, Input::Queue(news));
            return self.end();
        }
        core.caller_enters(hands, Stretch::Queue, &self.name);
        let (queue, task) = (self.name.clone(), hands.ids.task(hands.now));
        core.emit(hands, Fact::Queued { queue, task });
        core.save(hands);
        if self.wait == WaitSound::Music {
            self.hear_music(core, hands);
        }
        let takers = hands.lines().waiting_takers(&self.name);
        for taker in takers {
            hands.rouse(&taker);
        }
        self.look(core, hands)
    }

    fn reading(&mut self) -> Option<&mut Reading> {
        Some(&mut self.reading)
    }

    fn read_on(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        self.follow(core, hands)
    }

    fn on_rouse(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        self.look(core, hands)
    }

    fn handle_timeout(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        self.reading.handle_timeout(core, hands);
        match self.follow(core, hands) {
            Next::Stay if self.looks_at.is_some_and(|at| at <= hands.now) => self.look(core, hands),
            next => next,
        }
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        [self.reading.poll_timeout(), self.looks_at]
            .into_iter()
            .flatten()
            .min()
    }

    fn restored(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        let stood = self.stands.as_ref().map(|stands| stands.max_size);
        let max_size = stood.or(self.max_size);
        hands.lines().enter_again(
            &self.name,
            (&core.id, self.since),
            max_size.unwrap_or(crate::call::lines::USUAL_SIZE),
            self.taken.clone(),
        );
        self.sits_again = true;
        self.reading.restored(core, hands);
        // Whoever takes him is there again by then, or never.
        self.looks_at = Some(hands.now);
    }

    fn leave(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        self.withdraw(core, hands, "abandoned");
        self.reading.leave(core, hands);
    }
}
