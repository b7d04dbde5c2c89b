//! Whether the legs of a call hear each other: what media's watchdog says, told to record, metrics
//! and log.

use std::time::Duration;

use super::core::Core;
use super::hands::Hands;
use crate::base::{LegId, Pii};
use crate::events::{Fact, Role, Way};
use crate::media::Command;
use crate::media::quality::{Outage, Why};

impl Core {
    /// A leg was answered: from now on sound is due.
    pub(crate) fn answered(&mut self, hands: &mut Hands<'_>, leg: LegId, codec: String) {
        hands.tell(Command::Answered { leg });
        self.emit(hands, Fact::LegAnswered { leg, codec });
    }

    /// A direction of a leg is without sound.
    pub(crate) fn audio_lost(&mut self, hands: &mut Hands<'_>, leg: LegId, outage: &Outage) {
        let Some(role) = self.leg(leg).map(|leg| role_word(leg.role)) else {
            return;
        };
        let from = match outage.why {
            Why::Elsewhere(from) => Some(Pii(from)),
            _ => None,
        };
        tracing::warn!(
            call = %self.id,
            %leg,
            role,
            way = outage.way.as_str(),
            cause = outage.cause().as_str(),
            port = outage.port,
            remote = outage.remote.map(Pii).map(tracing::field::display),
            from = from.map(tracing::field::display),
            "audio lost"
        );
        let fact = Fact::AudioLost {
            leg,
            way: outage.way,
            since: outage.since,
            cause: outage.cause(),
            why: format!("{role} leg: {}", outage.words()),
        };
        self.emit(hands, fact);
    }

    /// A direction told as lost is heard again.
    pub(crate) fn audio_back(
        &mut self,
        hands: &mut Hands<'_>,
        leg: LegId,
        way: Way,
        after: Duration,
    ) {
        let after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        let (call, way_word) = (&self.id, way.as_str());
        tracing::info!(%call, %leg, way = way_word, after_ms, "audio again");
        self.emit(hands, Fact::AudioBack { leg, way, after_ms });
    }
}

fn role_word(role: Role) -> &'static str {
    match role {
        Role::Agent => "agent",
        Role::Callee => "callee",
        Role::Caller => "caller",
    }
}
