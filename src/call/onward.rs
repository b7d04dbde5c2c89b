//! Ringing whom a redirection points to, as far as the one who redirects may call there.

use std::collections::VecDeque;

use super::Generation;
use super::core::Core;
use super::diversions::SentOn;
use super::hands::Hands;
use super::redirection::Redirections;
use crate::base::LegId;
use crate::events::{Diverted, Fact, Role};
use crate::sip::{DivertReason, Host, Uri};
use crate::trunk::{Destination, Origin, Redirects};

/// Who redirected a call, and where to.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Onward {
    by: Redirector,
    uri: Uri,
    status: u16,
}

/// Who redirects.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) enum Redirector {
    /// Somebody at a foreign address.
    Foreign,
    /// A phone of ours, by number.
    Phone(String),
    /// Whoever a trunk reached.
    Trunk(String),
}

/// Where a call has been sent on to, and where it may be sent on to yet.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct Trail {
    redirections: Redirections,
    /// Not tried yet, the best first.
    ahead: VecDeque<Onward>,
}

impl Trail {
    /// Notes a number that is rung.
    pub(crate) fn note(&mut self, number: &str) {
        self.redirections.note(number);
    }

    /// Rings where a leg's 3xx points, if its far end may send calls on; `None` when nobody rings
    /// for it. What stood against it becomes the refusal of the call, unless there is one.
    pub(crate) fn follow(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        (leg, status): (LegId, u16),
        refused: &mut Option<u16>,
    ) -> Option<Vec<LegId>> {
        let (by, mode) = core.redirector(hands, leg);
        if mode != Redirects::Follow {
            return None;
        }
        let moved = core.leg(leg).map(|leg| leg.moved.clone());
        let uris = match self.redirections.take(&moved.unwrap_or_default()) {
            Ok(uris) => uris,
            Err(why) => {
                tracing::info!(call = %core.id, %why, "redirection not followed");
                refused.get_or_insert(why.status());
                return None;
            }
        };
        for uri in uris.into_iter().rev() {
            let by = by.clone();
            self.ahead.push_front(Onward { by, uri, status });
        }
        self.next(core, hands, refused)
    }

    /// Rings the next of those the call was sent on to; `None` when nobody is left.
    pub(crate) fn next(
        &mut self,
        core: &mut Core,
        hands: &mut Hands<'_>,
        refused: &mut Option<u16>,
    ) -> Option<Vec<LegId>> {
        while let Some(onward) = self.ahead.pop_front() {
            match core.ring_onward(hands, &onward) {
                Ok(legs) => return Some(legs),
                Err(status) => {
                    tracing::info!(call = %core.id, status, "redirection not permitted or possible");
                    refused.get_or_insert(status);
                }
            }
        }
        None
    }
}

impl Core {
    /// Who redirects by answering 3xx on a leg, and what is to become of it.
    pub(crate) fn redirector(&self, hands: &Hands<'_>, leg: LegId) -> (Redirector, Redirects) {
        let leg = self.leg(leg);
        let generation = hands.generations.get(&self.generation);
        let trunk = leg.and_then(|leg| leg.trunk.as_deref());
        if let (Some(name), Some(generation)) = (trunk, generation) {
            let mode = generation.trunks.get(name).map(|trunk| trunk.redirects);
            let mode = mode.unwrap_or(Redirects::Refuse);
            return (Redirector::Trunk(name.to_owned()), mode);
        }
        let party = leg.map_or("", |leg| leg.party.as_str());
        let known = hands.with_phone(self.generation, party);
        match known.and_then(|one| one.phones.get(party)) {
            Some(phone) => (Redirector::Phone(party.to_owned()), phone.redirects),
            None => (Redirector::Foreign, Redirects::Follow),
        }
    }

    /// Rings where a redirection points; the status when it may not, or cannot.
    fn ring_onward(&mut self, hands: &mut Hands<'_>, onward: &Onward) -> Result<Vec<LegId>, u16> {
        let generation = hands
            .generations
            .get(&self.generation)
            .ok_or(500_u16)?
            .clone();
        let by = match &onward.by {
            Redirector::Foreign => "foreign".to_owned(),
            Redirector::Phone(name) | Redirector::Trunk(name) => name.clone(),
        };
        // RFC 5806 §6 has no word for a phone's 302; that of a call sent on before it rang fits.
        let reason = match onward.status {
            301 => DivertReason::Unconditional,
            _ => DivertReason::Deflection,
        };
        // To a carrier, what was called by a trunk is the number that was dialled.
        let shown = match &onward.by {
            Redirector::Phone(phone) => phone.clone(),
            Redirector::Foreign | Redirector::Trunk(_) => self.to.clone(),
        };
        self.identity.diversions.add(SentOn::new(&shown, reason));
        let rung = self.ring_target(hands, onward, &generation);
        if rung.is_err() {
            self.identity.diversions.take_back();
            return rung;
        }
        let diverted = Diverted {
            by,
            reason: reason.as_str().to_owned(),
        };
        self.emit(hands, Fact::CallDiverted { diverted });
        rung
    }

    fn ring_target(
        &mut self,
        hands: &mut Hands<'_>,
        onward: &Onward,
        generation: &Generation,
    ) -> Result<Vec<LegId>, u16> {
        let number = onward.uri.user_decoded().into_owned();
        let is_tel = !onward.uri.is_sip();
        if is_tel || is_ours(hands, &onward.uri.host) {
            let origin = match &onward.by {
                Redirector::Phone(phone) => Origin::Phone(phone),
                Redirector::Trunk(trunk) => Origin::Trunk(trunk),
                Redirector::Foreign => return Err(403),
            };
            match generation.numbers.dialled(origin, &number) {
                Some(Destination::Phone(phone)) => {
                    self.ring_phone(hands, &phone, Role::Callee, None)
                }
                Some(Destination::Trunk { trunks, number }) => {
                    let leg = self.ring_by_trunks(hands, trunks, number)?;
                    Ok(vec![leg])
                }
                Some(_) => Err(403),
                None => Err(404),
            }
        } else if let Redirector::Trunk(name) = &onward.by
            && let Some(trunk) = generation.trunks.get(name)
            && trunk
                .targets
                .iter()
                .any(|target| target.host.is_same(&onward.uri.host))
        {
            self.ring_trunk(hands, name, &number).map(|leg| vec![leg])
        } else if is_permitted(&generation.redirect_domains, &onward.uri.host) {
            self.ring_uri(hands, &onward.uri).map(|leg| vec![leg])
        } else {
            Err(403)
        }
    }
}

/// Whether a host is this switch, as phones and carriers know it.
fn is_ours(hands: &Hands<'_>, host: &Host) -> bool {
    let Some(address) = host.address() else {
        return false;
    };
    hands
        .listeners
        .iter()
        .any(|(_, local)| local.ip() == address)
        || hands.ua.is_advertised(address)
}

/// Whether calls may be sent to a foreign host: `carrier.example` permits itself,
/// `*.carrier.example` everything below.
fn is_permitted(permitted: &[String], host: &Host) -> bool {
    let host = host.to_string().to_ascii_lowercase();
    permitted.iter().any(|one| match one.strip_prefix("*.") {
        Some(domain) => host
            .strip_suffix(domain)
            .is_some_and(|rest| rest.ends_with('.')),
        None => *one == host,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_named_hosts_and_what_is_below_them_are_permitted() {
        let permitted = ["partner.example", "*.carrier.example", "192.0.2.7"].map(str::to_owned);
        for (host, expected) in [
            ("partner.example", true),
            ("PARTNER.example", true),
            ("x.partner.example", false),
            ("a.carrier.example", true),
            ("carrier.example", false),
            ("evilcarrier.example", false),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
        ] {
            let host = Host::parse(host).expect("a host");
            assert_eq!(is_permitted(&permitted, &host), expected, "{host}");
        }
    }
}
