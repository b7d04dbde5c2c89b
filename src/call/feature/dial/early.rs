//! What the caller hears of whoever rings, before anybody answers.

use super::Dial;
use crate::base::LegId;
use crate::call::core::{Core, Looped};
use crate::call::hands::Hands;

impl Dial {
    /// Lets the caller hear what the far end sends before it answers. A caller who made no offer
    /// hears of ringing only: a 183 is no place for ours (RFC 3261 §13.2.1).
    pub(super) fn pass_early_media(&mut self, core: &mut Core, hands: &mut Hands<'_>, leg: LegId) {
        let caller = core.caller().id;
        if core.caller().remote_offer.is_none() {
            hands
                .ua
                .ring(hands.now, core.caller().session, 180, &[], None);
            return;
        }
        // Of several contacts the first is heard.
        if core.room.is_some() {
            return;
        }
        if let Ok(body) = core.answer_body(hands, caller) {
            hands
                .ua
                .ring(hands.now, core.caller().session, 183, &[], Some(body));
            self.replace_tone(core, hands, leg);
        }
    }

    /// Whoever hears our tone hears the far end instead of it (RFC 3960 §3.2).
    pub(super) fn replace_tone(&mut self, core: &mut Core, hands: &mut Hands<'_>, leg: LegId) {
        if core.room.is_some() {
            return;
        }
        if std::mem::take(&mut self.tone) {
            core.stop_play(hands, core.caller().id);
        }
        core.join(hands, core.caller().id);
        core.join(hands, leg);
        self.heard = Some(leg);
    }

    /// Whoever was heard gave up while others may still answer, or is not for the caller's ears any
    /// more: another may be heard, and until then the caller hears our tone again.
    pub(super) fn listen_no_more(&mut self, core: &mut Core, hands: &mut Hands<'_>, leg: LegId) {
        if self.heard.take_if(|heard| *heard == leg).is_some() {
            core.close_room(hands);
            self.ring_back(core, hands);
        }
    }

    /// A caller whose own phone does not ring hears that it rings.
    pub(super) fn ring_back(&mut self, core: &mut Core, hands: &mut Hands<'_>) {
        if core.caller().hears_us() && !self.tone {
            self.tone = true;
            core.play(hands, core.caller().id, ["ringback"], Looped::Forever);
        }
    }
}
