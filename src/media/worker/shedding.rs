//! What a worker leaves out when it has too much to do, and when.
//!
//! A tick that is late is heard by everybody on the worker, so it gives up what is heard least:
//! first its own figures (RTCP reports wait), then all but the two loudest talkers of a room.
//! Signalling opens no new legs on a worker that sheds anything.

use crate::media::mixer::LOUDEST;

/// How much a worker leaves out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shed {
    /// Nothing: it keeps time.
    #[default]
    Nothing,
    /// RTCP reports.
    Figures,
    /// Those, and in every mix all but the two loudest talkers.
    Talkers,
}

impl Shed {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Figures => "RTCP reports",
            Self::Talkers => "RTCP reports and all but the two loudest talkers",
        }
    }

    /// Talkers a mix may have.
    pub(super) fn talkers(self) -> usize {
        match self {
            Self::Talkers => 2,
            Self::Nothing | Self::Figures => LOUDEST,
        }
    }

    /// Of the last 64 ticks, how many badly late ones lead here.
    fn entered_at(self) -> u32 {
        match self {
            Self::Nothing => 0,
            Self::Figures => 8,
            Self::Talkers => 16,
        }
    }
}

/// The lateness of a worker.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Load {
    /// Of the last ticks, one bit each, the newest lowest: whether it was badly late.
    late: u64,
    shed: Shed,
}

impl Load {
    /// What is left out now.
    pub(super) fn shed(&self) -> Shed {
        self.shed
    }

    /// Takes a tick in; what is left out from now on, if that has changed.
    pub(super) fn judge(&mut self, is_badly_late: bool) -> Option<Shed> {
        self.late = self.late << 1 | u64::from(is_badly_late);
        let count = self.late.count_ones();
        let steps = [Shed::Talkers, Shed::Figures];
        // A step is left at half of what entered it, so that it does not flap.
        let stays = |step: &Shed| {
            count >= step.entered_at() || self.shed >= *step && count >= step.entered_at() / 2
        };
        let shed = steps.into_iter().find(stays).unwrap_or_default();
        let before = std::mem::replace(&mut self.shed, shed);
        (shed != before).then_some(shed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_go_first_then_talkers_and_they_come_back_in_turn() {
        let mut load = Load::default();
        let mut told = Vec::new();
        for tick in 0..100 {
            told.extend(load.judge(tick < 20).map(|shed| (tick, shed)));
        }
        assert_eq!(
            told,
            [
                (7, Shed::Figures),
                (15, Shed::Talkers),
                // Twenty were late; the seventeenth of them is forgotten 64 ticks later.
                (76, Shed::Figures),
                (80, Shed::Nothing),
            ]
        );
    }
}
