//! Placing legs: to every registered contact of a phone, or out by a trunk.

use std::net::SocketAddr;

use super::answering::{open_local, sdp_body};
use super::carrier_address::CarrierAddress;
use super::core::Core;
use super::hands::{Hands, own_address};
use super::keys::Keys;
use super::refer::referred_by;
use crate::base::LegId;
use crate::events::Role;
use crate::registrar::Binding;
use crate::sdp::{self, LocalCrypto, SrtpPolicy};
use crate::sip::location::Urgency;
use crate::sip::ua::{Invite, NextHop, Targets, Terms};
use crate::sip::{Flow, HeaderName, Host, NameAddr, Uri};
use crate::trunk::Target;
use crate::trunk::Way;
use crate::trunk::profile::MediaTerms;

impl Core {
    /// Rings all contacts a phone has registered; first answer wins. The status to tell the
    /// caller when there is none: 404 for an unknown phone, 480 for one that is not registered.
    /// A phone that came with a later configuration is rung as that one has it.
    pub(crate) fn ring_phone(
        &mut self,
        hands: &mut Hands<'_>,
        phone: &str,
        role: Role,
        agent: Option<&str>,
    ) -> Result<Vec<LegId>, u16> {
        let generation = hands.with_phone(self.generation, phone).ok_or(404_u16)?;
        let srtp = generation.phones.get(phone).ok_or(404_u16)?.srtp;
        let generation = generation.clone();
        let bindings = hands.registrar().targets(phone);
        let mut legs = Vec::with_capacity(bindings.len());
        let mut refusal = 480;
        let (allowed, share) = self.breadth.split(bindings.len())?;
        for binding in bindings.into_iter().take(allowed) {
            // RFC 3327 §5.2: the first proxy is where the call goes, whichever way the REGISTER came.
            let proxy = binding.path.first();
            let (here, next_hop) = match proxy.and_then(|proxy| Target::of(&proxy.uri)) {
                Some(proxy) => {
                    let here = own_address(hands.listeners, None, &proxy);
                    let next_hop = NextHop::from(vec![proxy]);
                    (here.unwrap_or(binding.flow.local), next_hop)
                }
                None => (binding.flow.local, binding.flow.into()),
            };
            let host = (Host::from(here.ip()), Some(here.port()));
            let (from, mut headers) = self.inward_from(&generation, phone, &host.0, host.1);
            headers.extend(share.header());
            let target = Placed {
                to: None,
                routes: binding.path.clone(),
                media: generation.media_of(None, phone).cloned(),
                srtp,
                uri: binding.contact.clone(),
                here,
                next_hop,
                binding: Some(Box::new(binding)),
                role,
                party: phone.to_owned(),
                agent: agent.map(str::to_owned),
                trunk: None,
                names_referrer: true,
                from,
                headers,
                credentials: None,
                manners: None,
                terms: generation.terms,
            };
            match self.place(hands, target) {
                Ok(leg) => legs.push(leg),
                Err(status) => refusal = status,
            }
        }
        if legs.is_empty() {
            Err(refusal)
        } else {
            Ok(legs)
        }
    }

    /// Sends a call out by a trunk to a number as the trunk wants it dialled.
    pub(crate) fn ring_trunk(
        &mut self,
        hands: &mut Hands<'_>,
        name: &str,
        number: &str,
    ) -> Result<LegId, u16> {
        let generation = hands.generations.get(&self.generation).ok_or(500_u16)?;
        let trunk = generation.trunks.get(name).cloned().ok_or(404_u16)?;
        let (_, breadth) = self.breadth.split(1)?;
        let admitted = hands.carriers.admit(hands.now, &trunk, Way::Out);
        // Past every limit: somebody may be dying.
        let is_emergency = generation.numbers.is_emergency(number);
        if let Err(closed) = admitted
            && !is_emergency
        {
            return Err(self.trunk_closed(hands, name, closed));
        }
        let destinations = hands.carriers.living(&trunk);
        let first = destinations.first().ok_or(503_u16)?;
        let here = hands.address_towards(&trunk, first).ok_or_else(|| {
            tracing::error!(
                trunk = name,
                "we do not listen where it wants calls to come from"
            );
            503_u16
        })?;
        let caller = trunk.caller_id.clone().unwrap_or_else(|| self.from.clone());
        let ends = (first, here);
        let address = CarrierAddress::new(hands, &trunk, ends, number, &caller);
        let (host, wanted) = (address.from, address.request);
        let outward = self.outward(hands, &trunk, number, host, &wanted)?;
        // Each account has a route of its own, and a password.
        let account = trunk.account_of(&outward.shown);
        let caller = account.map_or(caller, |account| account.user.clone());
        let address = CarrierAddress::new(hands, &trunk, ends, &outward.number, &caller);
        let target = Placed {
            to: Some(address.to),
            routes: address.routes,
            media: Some(trunk.profile.media.clone()),
            srtp: trunk.profile.media.srtp,
            uri: address.request,
            here,
            next_hop: NextHop::Located(Targets {
                destinations,
                try_for: trunk.try_for,
                source_port: trunk.profile.source_port,
                urgency: match is_emergency {
                    true => Urgency::Emergency,
                    false => Urgency::Usual,
                },
            }),
            binding: None,
            role: Role::Callee,
            party: number.to_owned(),
            agent: None,
            trunk: Some(name.to_owned()),
            names_referrer: trunk.transfer.referred_by,
            from: outward.from,
            headers: outward
                .headers
                .into_iter()
                .chain(breadth.header())
                .collect(),
            credentials: trunk.credentials_for(&outward.shown).cloned(),
            manners: Some(trunk.profile.manners.clone()),
            terms: trunk.profile.terms,
        };
        self.place(hands, target)
    }

    /// Whether one of these legs calls for help: such a call rings as long as its caller waits.
    pub(crate) fn calls_for_help(&self, hands: &Hands<'_>, legs: &[LegId]) -> bool {
        let generation = hands.generations.get(&self.generation);
        let mut legs = legs.iter().filter_map(|leg| self.leg(*leg));
        legs.any(|leg| {
            let goes_out = leg.is_live() && leg.trunk.is_some();
            goes_out && generation.is_some_and(|now| now.numbers.is_emergency(&leg.party))
        })
    }

    /// Sends a call to a foreign address.
    pub(crate) fn ring_uri(&mut self, hands: &mut Hands<'_>, uri: &Uri) -> Result<LegId, u16> {
        let generation = hands.generations.get(&self.generation).ok_or(500_u16)?;
        let generation = generation.clone();
        let destination = Target::of(uri).ok_or(416_u16)?;
        let here = own_address(hands.listeners, None, &destination).ok_or(503_u16)?;
        // A stranger is told what a phone without rights would be.
        let own = Host::from(here.ip());
        let (from, headers) = self.inward_from(&generation, "", &own, Some(here.port()));
        let target = Placed {
            to: None,
            from,
            headers,
            routes: Vec::new(),
            media: None,
            srtp: SrtpPolicy::No,
            manners: None,
            names_referrer: false,
            uri: uri.clone().without_headers(),
            here,
            next_hop: vec![destination].into(),
            binding: None,
            role: Role::Callee,
            party: format!("{}@{}", uri.user_decoded(), uri.host),
            agent: None,
            trunk: None,
            // Nobody's passwords go to a stranger.
            credentials: None,
            terms: generation.terms,
        };
        self.place(hands, target)
    }

    fn place(&mut self, hands: &mut Hands<'_>, target: Placed) -> Result<LegId, u16> {
        let id = hands.ids.leg();
        let (media, there) = (target.media.as_ref(), target.here.ip());
        let mut local = open_local(hands, id, self.leg_with_media(), media, there)?;
        let wanted = self.codecs_beside(id);
        local.prefer(&wanted);
        local.crypto = LocalCrypto::new(target.srtp, hands.entropy);
        let method = media.map(|terms| terms.dtmf);
        let body = sdp_body(&sdp::offer(&local));
        let shown_as = target.from.uri.user_decoded().into_owned();
        let to = NameAddr::new(target.to.unwrap_or_else(|| target.uri.clone()));
        let by = self
            .referred_by
            .as_deref()
            .filter(|_| target.names_referrer);
        let mut headers = target.headers;
        headers.extend(by.map(|by| referred_by(by, target.here)));
        let invite = Invite {
            next_hop: target.next_hop,
            uri: target.uri,
            from: target.from,
            to,
            // What was dialled inside is nobody's business outside.
            contact_user: match target.trunk {
                Some(_) => target.party.clone(),
                None => self.to.clone(),
            },
            routes: target.routes,
            headers,
            body: Some(body),
            credentials: target.credentials,
            manners: target.manners,
            max_forwards: self.max_forwards,
            timeout: None,
            terms: target.terms,
        };
        let session = match hands.ua.invite(hands.now, invite) {
            Ok(session) => session,
            Err(overload) => {
                tracing::warn!(%overload, "leg not placed");
                hands.tell(crate::media::Command::CloseLeg { leg: id });
                return Err(503);
            }
        };
        // A session whose way ended before it began is over already: its `Failed` is on its way to
        // us, and closes the leg as any other.
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let flow = hands.ua.flow(session);
        let flow = flow.unwrap_or_else(|| Flow::udp(nowhere, nowhere));
        let mut leg = self.outgoing(id, session, target.role, target.party, flow, local);
        leg.keys = Keys::by(method);
        // One that lists others before it is not asked for it again.
        leg.asked_for = wanted.first().copied().filter(|_| wanted.len() == 1);
        leg.agent = target.agent;
        leg.binding = target.binding;
        leg.trunk = target.trunk;
        leg.shown_as = shown_as;
        self.add_leg(hands, leg);
        Ok(id)
    }
}

/// One leg about to be placed.
struct Placed {
    uri: Uri,
    /// To, when it is not the Request-URI.
    to: Option<Uri>,
    /// Codecs and ports of the trunk or phone.
    media: Option<MediaTerms>,
    /// Whether its media is to be secure.
    srtp: SrtpPolicy,
    /// Proxies on the way (RFC 3327).
    routes: Vec<NameAddr>,
    next_hop: NextHop,
    /// What the phone had registered, when one is rung.
    binding: Option<Box<Binding>>,
    /// Our address towards the far end.
    here: SocketAddr,
    role: Role,
    party: String,
    agent: Option<String>,
    trunk: Option<String>,
    /// Who calls, as the far end is told.
    from: NameAddr,
    /// Headers that go with it.
    headers: Vec<(HeaderName, String)>,
    /// Whether the far end may know who transferred the call.
    names_referrer: bool,
    credentials: Option<crate::sip::auth::Credentials>,
    manners: Option<std::sync::Arc<crate::sip::ua::Manners>>,
    terms: Terms,
}
