//! What a caller in a queue hears: its music and announcements, its flow, or what a document says.

use std::time::Duration;

use super::{Waiting, care};
use crate::base::Party;
use crate::call::aside::{Aside, Course};
use crate::call::core::{Core, Looped};
use crate::call::feature::Next;
use crate::call::hands::Hands;
use crate::flow::Document;
use crate::twiml::{self, Sid, SidKind, Standing};
use crate::waiting::{Action, Line, LineConfig};

impl Waiting {
    /// Hears what waiting in the queue sounds like.
    pub(super) fn hear_queue(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        let since = *self.entered.get_or_insert(hands.now);
        let care = self
            .queue
            .as_ref()
            .and_then(|queue| care(core, hands, queue));
        let terms = match (care, &self.line) {
            (Some(care), _) => care.line.clone(),
            // The router leads on into a queue before a configuration with it was heard of.
            (None, Some(_)) => return,
            (None, None) => LineConfig::default(),
        };
        let flow = care.and_then(|care| care.flows.waiting.clone());
        let flow = flow.filter(|_| self.wait.is_none());
        let document = flow.and_then(|name| core.document(hands, &name));
        self.music = Some(terms.music.clone()).filter(|_| self.wait.is_none());
        let mut line = Line::new(match (&self.wait, &document) {
            (None, None) => terms,
            // The caller hears something else; how long he may wait holds all the same.
            _ => LineConfig {
                first_announce: None,
                nobody_sound: None,
                ..terms
            },
        });
        self.has_music = false;
        let is_other =
            |flow: &Aside, document: &Document| flow.run().document().name != document.name;
        let goes_on = match (&self.flow, &document) {
            (Some(flow), Some(document)) => !is_other(flow, document),
            _ => false,
        };
        if let Some(flow) = self.flow.as_mut().filter(|_| !goes_on) {
            flow.stop(core, hands);
        }
        if !goes_on {
            let caller = core.caller().id;
            let flow = document.map(|document| {
                let run = self.script.beside(core, hands, &document);
                Box::new(Aside::of_caller(caller, run))
            });
            self.flow = flow;
            self.begins = self.flow.is_some();
        }
        line.entered(hands.now, since);
        self.line = Some(line);
        self.play = None;
    }

    /// Tells documents where the caller stands: last in the line when the router has not said.
    pub(super) fn tell_standing(
        &mut self,
        core: &Core,
        hands: &Hands<'_>,
        place: Option<(usize, usize)>,
    ) {
        let Some(queue) = &self.queue else { return };
        let view = hands.desks.view();
        let waiting = view.queues.iter().find(|view| view.name == *queue);
        let behind = || waiting.map_or(1, |queue| queue.waiting + 1);
        let (position, size) = place.unwrap_or_else(|| (behind(), behind()));
        let waits = view
            .tasks
            .iter()
            .filter(|task| task.queue == *queue && !task.assigned && !task.wrapping);
        let waits: Vec<Duration> = waits.map(|task| hands.now.since(task.entered)).collect();
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let max_size = care(core, hands, queue).map_or(0, |care| care.max_waiting);
        self.script.stands(
            hands,
            Standing {
                queue: Sid::derive(SidKind::Queue, queue),
                position: count(position),
                size: count(size),
                max_size: count(max_size),
                average_wait: waits
                    .iter()
                    .sum::<Duration>()
                    .checked_div(count(waits.len()))
                    .unwrap_or_default(),
            },
        );
    }

    /// Does what documents want beside what the caller hears.
    pub(super) fn follow(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        while let Some(action) = self.script.poll(core, hands) {
            match action {
                twiml::Action::LeaveQueue => {
                    self.withdraw(core, hands, "left");
                    return self.script.clone().go_on().map_or(Next::Stay, Next::Become);
                }
                twiml::Action::HangUp { cause } => return Next::End(Party::Switch, cause),
                _ => {}
            }
        }
        Next::Stay
    }

    /// The queue's own flow takes something in; what the caller hears follows it.
    pub(super) fn tell_flow(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        tell: impl FnOnce(&mut Aside, &mut Core, &mut Hands<'_>) -> Course,
    ) -> Next {
        let Some(mut flow) = self.flow.take() else {
            return Next::Stay;
        };
        let how = tell(&mut flow, core, hands);
        self.script.learn(core, flow.run());
        match how {
            Course::Under => {}
            Course::HungUp(cause) => return Next::End(Party::Switch, cause),
            Course::Left => {
                self.withdraw(core, hands, "left");
                return Next::Become(self.script.clone().let_out(hands));
            }
            // Whoever comes to its end hears the queue's music from then on.
            Course::Returned => flow.stop(core, hands),
        }
        let is_quiet = flow.is_quiet();
        self.flow = Some(flow);
        match &self.music {
            Some(music) if is_quiet && !self.has_music => {
                let (caller, music) = (core.caller().id, music.clone());
                core.play(hands, caller, [music.as_str()], Looped::Forever);
                self.has_music = true;
            }
            _ if !is_quiet => {
                // What it plays is heard instead; after a restore, too.
                self.has_music = false;
                core.playing = None;
            }
            _ => {}
        }
        Next::Stay
    }

    /// Does what the line machine asks for.
    pub(super) fn serve(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Next {
        let caller = core.caller().id;
        while let Some(action) = self.line.as_mut().and_then(Line::poll_action) {
            match action {
                Action::Announce(sounds) => {
                    let names = sounds.iter().map(String::as_str);
                    self.play = Some(core.play(hands, caller, names, Looped::Once));
                }
                // The caller hears a document, or nothing.
                Action::Music(_) if self.wait.is_some() || self.flow.is_some() => {}
                Action::Music(sound) => {
                    self.play = None;
                    core.play(hands, caller, [sound.as_str()], Looped::Forever);
                }
                Action::Leave(why) => return self.give_up(core, hands, why),
            }
        }
        if std::mem::take(&mut self.begins) {
            match self.tell_flow(core, hands, Aside::begin) {
                Next::Stay => {}
                next => return next,
            }
        }
        self.follow(core, hands)
    }
}
