//! What nobody may keep: keys and voices while a flow asks for something secret, or while somebody has
//! paused the recording, or a channel of it.

use super::core::Core;
use super::hands::Hands;
use crate::base::LegId;
use crate::media::Command;

impl Core {
    /// Whether keys are shown as `*`, in facts and in the record.
    pub(crate) fn is_secret(&self) -> bool {
        self.asks_secret || !self.pauses.is_empty()
    }

    /// A flow begins to ask for something secret, or no longer does. Recordings are of conversations,
    /// and a flow is none; one that runs all the same is paused meanwhile.
    pub(crate) fn ask_secret(&mut self, hands: &mut Hands<'_>, on: bool) {
        if self.asks_secret == on {
            return;
        }
        let is_recorded = self.room.is_some() && !self.recordings.is_empty();
        if on {
            self.asks_secret = true;
            self.pauses_for_secret = is_recorded && !self.pauses.contains(&None);
            if self.pauses_for_secret {
                self.pause_recording(hands, None, true);
            }
        } else {
            self.asks_secret = false;
            if std::mem::take(&mut self.pauses_for_secret) {
                self.pause_recording(hands, None, false);
            }
        }
        self.conceal(hands);
    }

    /// Tells media, when it is to be another than before, what captures may see.
    pub(crate) fn conceal(&mut self, hands: &mut Hands<'_>) {
        let on = self.is_secret();
        if self.is_concealed == on {
            return;
        }
        self.is_concealed = on;
        let with_media = |leg: &&super::leg::Leg| leg.local.is_some() && leg.is_live();
        let legs: Vec<LegId> = (self.legs.iter().filter(with_media))
            .map(|leg| leg.id)
            .collect();
        for leg in legs {
            hands.tell(Command::Conceal { leg, on });
        }
    }

    /// The same after a restore, when media knows nothing of it.
    pub(crate) fn conceal_again(&mut self, hands: &mut Hands<'_>) {
        self.is_concealed = false;
        self.conceal(hands);
    }
}
