//! The documents that parties hear before they are connected.

use super::{News, Parties};
use crate::base::{Cause, Party as Side};
use crate::call::core::Core;
use crate::call::hands::Hands;
use crate::call::reading::Reading;
use crate::twiml::{Action, LegNews, Link, Run, Terms};

impl Parties {
    /// A party hears a document before it is connected.
    pub(in crate::call::feature::application) fn whisper(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        (number, link): (u64, Link),
        run: &Run,
    ) -> News {
        let Some(place) = self.all.iter().position(|one| one.asked.leg == number) else {
            return News::new();
        };
        let Some(party) = self.all.get_mut(place) else {
            return News::new();
        };
        let Some(leg) = party.answered else {
            return News::new();
        };
        let asked = &party.asked;
        let facts = run
            .facts()
            .child(party.sid.clone(), &asked.caller_id, &asked.kind.to());
        let terms = Terms {
            api: run.terms().api.clone(),
            ..Terms::of_url(link)
        };
        let mut whisper = Run::whisper(facts, terms);
        whisper.start(hands.now);
        party.whisper = Some(Box::new(Reading::to_leg(whisper, leg)));
        self.follow_whispers(core, hands)
    }

    /// Lets every whisper see something, then does what they want.
    pub(in crate::call::feature::application) fn with_whispers(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        mut act: impl FnMut(&mut Reading, &mut Core, &mut Hands<'_>),
    ) -> News {
        for party in &mut self.all {
            if let Some(whisper) = &mut party.whisper {
                act(whisper, core, hands);
            }
        }
        self.follow_whispers(core, hands)
    }

    fn follow_whispers(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> News {
        let mut news = News::new();
        for place in (0..self.all.len()).rev() {
            let Some(party) = self.all.get_mut(place) else {
                continue;
            };
            let Some(whisper) = &mut party.whisper else {
                continue;
            };
            let mut over = None;
            while let Some(action) = whisper.poll(core, hands) {
                match action {
                    Action::Finished => over = Some(true),
                    Action::HangUp { .. } => over = Some(false),
                    // A document for a called party has no other verbs.
                    _ => {}
                }
            }
            let Some(goes_on) = over else {
                continue;
            };
            party.whisper = None;
            news.push((party.asked.leg, LegNews::WhisperOver { goes_on }));
            if !goes_on {
                let mut party = self.all.remove(place);
                for leg in std::mem::take(&mut party.legs) {
                    core.hang_up(hands, leg, Side::Switch, Cause::normal());
                }
                self.quiet_if_alone(core, hands);
            }
        }
        news
    }
}
