//! What a trunk has done since the start: seizures, answers, lengths (ITU-T E.425).

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Way;

/// Counters of one trunk.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Calls from the carrier.
    pub calls_in: u64,
    /// Calls to the carrier.
    pub calls_out: u64,
    /// Calls that a limit or the carrier's wish for rest turned away; not among the others.
    pub turned_away: u64,
    /// Calls that ended, answered or not.
    pub ended: u64,
    /// Of those, answered.
    pub answered: u64,
    /// Of those, settled by people and not by the network: answered, busy, no answer, declined.
    pub effective: u64,
    /// Time talked, milliseconds, of the answered ones.
    pub talked_ms: u64,
    /// Ended calls by final status; statuses beyond the usual count as their class's x00.
    pub by_status: BTreeMap<u16, u64>,
}

impl Figures {
    pub(super) fn attempt(&mut self, way: Way) {
        match way {
            Way::In => self.calls_in += 1,
            Way::Out => self.calls_out += 1,
        }
    }

    pub(super) fn ended(&mut self, status: u16, talked: Option<Duration>) {
        self.ended += 1;
        if let Some(talked) = talked {
            self.answered += 1;
            let ms = u64::try_from(talked.as_millis()).unwrap_or(u64::MAX);
            self.talked_ms = self.talked_ms.saturating_add(ms);
        }
        if talked.is_some() || EFFECTIVE.contains(&status) {
            self.effective += 1;
        }
        *self.by_status.entry(bounded(status)).or_default() += 1;
    }

    /// Answer-seizure ratio, 0 to 1; `None` before the first call ended.
    pub fn asr(&self) -> Option<f64> {
        ratio(self.answered, self.ended)
    }

    /// Network effectiveness ratio, 0 to 1.
    pub fn ner(&self) -> Option<f64> {
        ratio(self.effective, self.ended)
    }

    /// Mean length of the answered calls, seconds.
    pub fn mean_length(&self) -> Option<f64> {
        ratio(self.talked_ms, self.answered).map(|ms| ms / 1000.0)
    }
}

fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// People's own refusals: nobody there, busy, given up, declined (E.425's user busy, ring no
/// answer and terminal rejection).
const EFFECTIVE: [u16; 6] = [480, 486, 487, 600, 603, 607];

/// Statuses with a row of their own; what a peer can invent must not add rows.
const USUAL: [u16; 34] = [
    200, 302, 400, 401, 403, 404, 405, 407, 408, 410, 415, 420, 421, 422, 423, 433, 480, 481, 482,
    483, 484, 486, 487, 488, 491, 500, 501, 502, 503, 504, 600, 603, 604, 606,
];

fn bounded(status: u16) -> u16 {
    if USUAL.contains(&status) {
        status
    } else {
        status.clamp(100, 699) / 100 * 100
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_those_of_e425() {
        let mut figures = Figures::default();
        assert_eq!(figures.asr(), None);
        figures.ended(200, Some(Duration::from_secs(90)));
        figures.ended(200, Some(Duration::from_secs(30)));
        figures.ended(486, None);
        figures.ended(503, None);
        assert_eq!(figures.asr(), Some(0.5));
        assert_eq!(figures.ner(), Some(0.75));
        assert_eq!(figures.mean_length(), Some(60.0));
    }

    #[test]
    fn no_peer_can_add_rows_without_end() {
        let mut figures = Figures::default();
        for status in 0..=u16::MAX {
            figures.ended(status, None);
        }
        assert!(figures.by_status.len() <= USUAL.len() + 6);
    }
}
