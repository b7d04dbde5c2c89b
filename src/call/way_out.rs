//! A number out: its trunks one after the other, until one carries the call or the callee has
//! spoken.

use serde::{Deserialize, Serialize};

use super::core::Core;
use super::hands::Hands;
use super::refusal;
use crate::base::{LegId, Pii};
use crate::sip::{HeaderName, Message};

/// The trunks of a way out that were not tried yet; kept by the leg that was.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct WayOut {
    /// As the trunk shall get it.
    number: String,
    /// In the order they are tried.
    left: Vec<String>,
}

impl Core {
    /// Rings a number by the first of these trunks that takes the call.
    pub(crate) fn ring_by_trunks(
        &mut self,
        hands: &mut Hands<'_>,
        trunks: Vec<String>,
        number: String,
    ) -> Result<LegId, u16> {
        let left = trunks;
        self.ring_way(hands, WayOut { number, left })
    }

    /// Rings by the next trunk of the way a leg went that failed, when its status leaves room for
    /// another; `None` when there is none.
    pub(crate) fn ring_next_trunk(
        &mut self,
        hands: &mut Hands<'_>,
        failed: LegId,
        status: u16,
    ) -> Option<LegId> {
        let generation = hands.generations.get(&self.generation);
        let leg = self.legs.iter_mut().find(|leg| leg.id == failed)?;
        let way = leg.way.take()?;
        let name = leg.trunk.as_deref()?;
        let trunk = generation.and_then(|now| now.trunks.get(name))?;
        if !trunk.profile.failover.allows(status, leg.is_unreached) {
            return None;
        }
        tracing::info!(call = %self.id, trunk = name, status, "next trunk");
        self.ring_way(hands, *way).ok()
    }

    /// Rings by the next trunk that takes the call: those that are well first, in their order;
    /// when none is, the others all the same. The status of the last refusal when none takes it.
    fn ring_way(&mut self, hands: &mut Hands<'_>, mut way: WayOut) -> Result<LegId, u16> {
        let mut refused = 503;
        while !way.left.is_empty() {
            let generation = hands.generations.get(&self.generation).ok_or(500_u16)?;
            let is_well = |name: &String| {
                let trunk = generation.trunks.get(name);
                trunk.is_some_and(|trunk| hands.carriers.is_well(hands.now, trunk))
            };
            let place = way.left.iter().position(is_well).unwrap_or(0);
            let trunk = way.left.remove(place);
            match self.ring_trunk(hands, &trunk, &way.number) {
                Ok(id) => {
                    let more = !way.left.is_empty();
                    if let Some(leg) = self.leg_mut(id).filter(|_| more) {
                        leg.way = Some(Box::new(way));
                    }
                    return Ok(id);
                }
                Err(status) => {
                    let number = Pii(&way.number);
                    tracing::info!(call = %self.id, trunk, status, %number, "trunk passed over");
                    refused = status;
                }
            }
        }
        Err(refused)
    }
}

impl Core {
    /// Keeps what a refusal says beyond its status: whether anybody spoke at all, in what words,
    /// and how long the trunk wants rest (RFC 3261 §20.33).
    pub(crate) fn note_refusal(
        &mut self,
        hands: &mut Hands<'_>,
        leg: LegId,
        status: u16,
        response: Option<&Message>,
    ) {
        let Some(leg) = self.leg_mut(leg) else { return };
        leg.is_unreached = response.is_none() && status != 487;
        leg.refusal = response.and_then(refusal::words);
        let Some(name) = leg.trunk.clone() else {
            return;
        };
        let trunk = hands
            .generations
            .get(&self.generation)
            .and_then(|generation| generation.trunks.get(&name));
        let Some(trunk) = trunk.filter(|trunk| trunk.profile.failover.retry_after) else {
            return;
        };
        // Of a refusal by the callee (480, 486, 600) it says when to call him again.
        if !matches!(status, 500 | 503) {
            return;
        }
        let rest = response
            .and_then(|response| response.header_text(HeaderName::RetryAfter))
            .and_then(|text| seconds(&text));
        if let Some(rest) = rest {
            tracing::warn!(trunk = trunk.name, seconds = rest, "trunk wants rest");
            hands.carriers.rest(
                &name,
                hands.now + std::time::Duration::from_secs(rest.min(LONGEST_REST)),
            );
        }
    }
}

/// A trunk that says more is not believed: an hour of silence is as good as an outage.
const LONGEST_REST: u64 = 3600;

/// Delta-seconds before a comment or parameters.
pub(super) fn seconds(text: &str) -> Option<u64> {
    let digits = text.trim_start();
    let end = digits.find(|c: char| !c.is_ascii_digit());
    digits[..end.unwrap_or(digits.len())].parse().ok()
}
