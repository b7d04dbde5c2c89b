//! Who sent a call on, before it came to us and here (RFC 5806): kept in order for the record and
//! for those who are rung next.

use serde::{Deserialize, Serialize};

use super::core::Core;
use super::hands::Hands;
use super::outward::written;
use crate::events::{Diverted, Fact, Role};
use crate::sip::{Diversion, DivertReason, Host, NameAddr, Uri};
use crate::trunk::{Site, Trunk};

/// The diversions of one call, the latest first (RFC 5806 §4.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Diversions {
    all: Vec<SentOn>,
    /// How many of them, from the first, happened here; the others came with the call.
    own: usize,
}

/// One diversion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SentOn {
    pub(super) by: String,
    pub(super) reason: DivertReason,
    pub(super) is_private: bool,
}

impl SentOn {
    pub(super) fn new(by: &str, reason: DivertReason) -> Self {
        Self {
            by: by.to_owned(),
            reason,
            is_private: false,
        }
    }

    fn as_fact(&self) -> Fact {
        Fact::CallDiverted {
            diverted: Diverted {
                by: self.by.clone(),
                reason: self.reason.as_str().to_owned(),
            },
        }
    }
}

impl Diversions {
    /// Those that came with an INVITE.
    pub(super) fn arrived(diversions: impl Iterator<Item = SentOn>) -> Self {
        Self {
            all: diversions.collect(),
            own: 0,
        }
    }

    /// Who sent the call on last, unless that is private.
    pub(super) fn latest(&self) -> Option<&str> {
        let latest = self.all.first().filter(|sent| !sent.is_private);
        latest.map(|sent| sent.by.as_str())
    }

    /// The facts of all, the earliest first.
    pub(super) fn facts(&self) -> impl Iterator<Item = Fact> {
        self.all.iter().rev().map(SentOn::as_fact)
    }

    /// The next leg is placed because somebody sent the call on.
    pub(super) fn add(&mut self, sent: SentOn) {
        self.insert(0, sent);
    }

    /// No leg was placed for the diversion added last: it did not happen.
    pub(super) fn take_back(&mut self) {
        if self.own > 0 {
            self.own -= 1;
            self.all.remove(0);
        }
    }

    /// The number a call came to sends it out again, before anybody here sent it on; its fact, the
    /// first time.
    fn begin_with(&mut self, number: &str) -> Option<Fact> {
        let mut own = self.all[..self.own].iter();
        if self.own >= MOST_DIVERSIONS || own.any(|sent| sent.by == number) {
            return None;
        }
        let sent = SentOn::new(number, DivertReason::Unconditional);
        let fact = sent.as_fact();
        self.insert(self.own, sent);
        Some(fact)
    }

    fn insert(&mut self, place: usize, sent: SentOn) {
        self.all.insert(place, sent);
        self.all.truncate(MOST_DIVERSIONS);
        self.own = (self.own + 1).min(self.all.len());
    }
}

impl Core {
    /// A call from outside that goes out again was sent on by the number it came to. Whom we called
    /// came to no number: who transfers him is told of by [`Core::diversions_out`].
    pub(super) fn sent_out_again(&mut self, hands: &mut Hands<'_>) {
        if self.caller().role != Role::Caller {
            return;
        }
        if let Some(fact) = self.identity.diversions.begin_with(&self.to) {
            self.emit(hands, fact);
        }
    }

    /// The diversions as this trunk is told of them.
    pub(super) fn diversions_out(
        &self,
        site: Option<&Site>,
        trunk: &Trunk,
        host: &(Host, Option<u16>),
    ) -> Vec<Diversion> {
        // A transfer is told of where the trunk may know who transferred (RFC 3892).
        let transferor = self.referred_by.as_deref();
        let transferor = transferor.filter(|_| trunk.transfer.referred_by);
        let transferred = transferor.map(|by| SentOn::new(by, DivertReason::Deflection));
        let all = transferred.iter().chain(&self.identity.diversions.all);
        all.map(|sent| {
            let by = written(site, trunk, &sent.by);
            let by = NameAddr::new(Uri::sip(&by, host.0.clone(), host.1));
            Diversion {
                is_private: sent.is_private,
                ..Diversion::new(by, sent.reason)
            }
        })
        .collect()
    }
}

/// A call sent on more often goes in circles.
const MOST_DIVERSIONS: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn by(diversions: &Diversions) -> Vec<&str> {
        diversions.all.iter().map(|sent| &*sent.by).collect()
    }

    fn sent(by: &str) -> SentOn {
        SentOn::new(by, DivertReason::Deflection)
    }

    #[test]
    fn the_number_a_call_came_to_stands_behind_whoever_sent_it_on_here() {
        let mut diversions = Diversions::arrived([sent("before")].into_iter());
        diversions.add(sent("1006"));
        assert!(diversions.begin_with("100").is_some());
        assert_eq!(by(&diversions), ["1006", "100", "before"]);
        // The next trunk, and the next who sends it on, change nothing of that.
        diversions.add(sent("1007"));
        assert!(diversions.begin_with("100").is_none());
        assert_eq!(by(&diversions), ["1007", "1006", "100", "before"]);
    }

    #[test]
    fn what_did_not_happen_is_taken_back_and_nothing_else() {
        let mut diversions = Diversions::arrived([sent("before")].into_iter());
        diversions.add(sent("1006"));
        diversions.begin_with("100");
        diversions.take_back();
        assert_eq!(by(&diversions), ["100", "before"]);
        diversions.take_back();
        diversions.take_back();
        assert_eq!(by(&diversions), ["before"]);
    }

    #[test]
    fn of_too_many_the_latest_are_kept() {
        let mut diversions = Diversions::default();
        for number in 0..MOST_DIVERSIONS + 5 {
            diversions.add(sent(&number.to_string()));
        }
        assert!(diversions.begin_with("100").is_none());
        assert_eq!(diversions.all.len(), MOST_DIVERSIONS);
        assert_eq!(diversions.own, MOST_DIVERSIONS);
        assert_eq!(diversions.all[0].by, "14");
    }
}
