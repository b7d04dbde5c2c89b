//! A number out: its trunks one after the other, until one carries the call or the callee has
//! spoken.

use serde::{Deserialize, Serialize};

use super::core::Core;
use super::hands::Hands;
use crate::base::{LegId, Pii};
use crate::sip::{HeaderName, Message};

/// The trunks of a way out that were not tried yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct WayOut {
    /// As the trunk shall get it.
    number: String,
    /// In the order they are tried.
    left: Vec<String>,
}

impl WayOut {
    pub(crate) fn new(trunks: Vec<String>, number: String) -> Self {
        Self {
            number,
            left: trunks,
        }
    }

    /// Rings by the next trunk that takes the call: those that are well first, in their order;
    /// when none is, the others all the same. The status of the last refusal when none takes it.
    pub(crate) fn next(&mut self, core: &mut Core, hands: &mut Hands<'_>) -> Result<LegId, u16> {
        let mut refused = 503;
        while !self.left.is_empty() {
            let generation = hands.generations.get(&core.generation).ok_or(500_u16)?;
            let is_well = |name: &String| {
                let trunk = generation.trunks.get(name);
                trunk.is_some_and(|trunk| hands.carriers.is_well(hands.now, trunk))
            };
            let place = self.left.iter().position(is_well).unwrap_or(0);
            let trunk = self.left.remove(place);
            match core.ring_trunk(hands, &trunk, &self.number) {
                Ok(leg) => return Ok(leg),
                Err(status) => {
                    tracing::info!(
                        call = %core.id, trunk, status, number = %Pii(&self.number), "trunk passed over"
                    );
                    refused = status;
                }
            }
        }
        Err(refused)
    }

    /// Whether a failed leg leaves room for another trunk.
    pub(crate) fn may_go_on(
        &self,
        core: &Core,
        hands: &Hands<'_>,
        leg: LegId,
        status: u16,
    ) -> bool {
        let Some(leg) = core.leg(leg).filter(|_| !self.left.is_empty()) else {
            return false;
        };
        let generation = hands.generations.get(&core.generation);
        let trunk = leg
            .trunk
            .as_ref()
            .and_then(|name| generation?.trunks.get(name));
        let goes_on =
            trunk.is_some_and(|trunk| trunk.profile.failover.allows(status, leg.is_unreached));
        if goes_on {
            tracing::info!(call = %core.id, trunk = leg.trunk, status, "next trunk");
        }
        goes_on
    }
}

impl Core {
    /// Keeps what a refusal says beyond its status: whether anybody spoke at all, and how long
    /// the trunk wants rest (RFC 3261 §20.33).
    pub(crate) fn note_refusal(
        &mut self,
        hands: &mut Hands<'_>,
        leg: LegId,
        status: u16,
        response: Option<&Message>,
    ) {
        let Some(leg) = self.leg_mut(leg) else { return };
        leg.is_unreached = response.is_none() && status != 487;
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
