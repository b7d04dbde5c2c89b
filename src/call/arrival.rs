//! A new INVITE: who calls, may they, and what does the number lead to.

use std::sync::Arc;

use super::arriving::{self, Arriving};
use super::breadth::Breadth;
use super::desk::Session;
use super::exchange::Exchange;
use super::feature::{Application, Desk, Dial, Mailbox, Service, ServiceKind, Stage, Treatment};
use super::gate::Closed;
use super::identity::{Identity, caller_name};
use super::leg::Leg;
use super::machine::Call;
use super::negotiate;
use super::{CallKey, Generation};
use crate::base::{Pii, Timestamp};
use crate::call::core::Core;
use crate::events::{Direction, Fact, Role, Stretch};
use crate::flow::{Context, Run};
use crate::media::LegPorts;
use crate::sdp::{self, Description, LocalCrypto, LocalMedia};
use crate::sip::guard::Attack;
use crate::sip::ua::{Manners, SessionId, Terms};
use crate::sip::{Flow, HeaderName, Message, Uri};
use crate::trunk::{AgentService, Destination, Origin, Way, calling};
use crate::twiml::Terms as DocumentTerms;

/// Who calls, once that is settled.
pub(super) enum Caller {
    /// A phone that proved its password, by number.
    Phone(String),
    /// A trunk, by name.
    Trunk(String),
}

impl Caller {
    fn as_origin(&self) -> Origin<'_> {
        match self {
            Caller::Phone(number) => Origin::Phone(number),
            Caller::Trunk(name) => Origin::Trunk(name),
        }
    }
}

/// Why an INVITE was refused: the status and the headers that go with it.
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) headers: Vec<(HeaderName, String)>,
}

impl From<u16> for Refusal {
    fn from(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
        }
    }
}

impl Exchange {
    pub(super) fn on_incoming(
        &mut self,
        now: Timestamp,
        session: SessionId,
        flow: Flow,
        request: &Message,
    ) {
        if request.header(HeaderName::Replaces).is_some() {
            return self.on_replacement(now, session, flow, request);
        }
        match self.arrive(now, &flow, request) {
            Ok(arrival) => {
                if let Err(status) = self.ua.set_terms(now, session, arrival.terms) {
                    return tracing::info!(status, from = %Pii(flow.remote), "terms refused");
                }
                if let Some(manners) = &arrival.manners {
                    self.ua.set_manners(session, manners.clone());
                }
                self.open_call(now, session, flow, request, arrival);
            }
            Err(Refusal { status, headers }) => {
                // A challenge is half of an ordinary call, not a refusal.
                if status == 401 {
                    tracing::debug!(status, from = %Pii(flow.remote), "call challenged");
                } else {
                    tracing::info!(status, from = %Pii(flow.remote), "call refused");
                }
                self.ua.reject(now, session, status, &headers);
            }
        }
    }

    /// Whether media keeps up, and can record where no call may go without.
    pub(super) fn can_serve(&self, generation: &Generation) -> bool {
        let recorded = || match self.media.can_record() {
            Ok(()) => true,
            Err(why) => {
                tracing::warn!(why, "recorder not ready: calls are refused");
                false
            }
        };
        self.media.ready() && (!generation.recording.required || recorded())
    }

    /// Decides everything that can be decided before a call is made.
    fn arrive(
        &mut self,
        now: Timestamp,
        flow: &Flow,
        request: &Message,
    ) -> Result<Arrival, Refusal> {
        let generation = self.generation().clone();
        let closed = self
            .gate
            .check(generation.max_calls, self.can_serve(&generation));
        if let Err(closed) = closed
            && !self.is_emergency(request)
        {
            return Err(self.shut_out(closed));
        }
        let caller = self.identify(now, &generation, flow, request)?;
        let mut arriving = arriving::of_caller(&generation, &caller, request)?;
        let dialled = arriving::dialled_by(&generation, &caller, request).ok_or(404_u16)?;
        let tested = match &caller {
            Caller::Trunk(name) if self.is_test(name, request, &dialled, &arriving.from) => {
                Some(name)
            }
            _ => None,
        };
        let (dialled, destination) = match tested {
            Some(_) => (dialled, Destination::Echo),
            None => lead(&generation, &caller, dialled, &mut arriving.identity).ok_or(404_u16)?,
        };
        let offer = match request.body() {
            [] => None,
            body => Some(self.read_offer(now, flow, body)?),
        };
        if let Some(offer) = &offer {
            // Only to learn whether an answer exists; the real one is made when a port is open.
            let ports = LegPorts {
                rtp: flow.local,
                rtcp: flow.local,
            };
            let terms = match &caller {
                Caller::Phone(number) => generation.media_of(None, number),
                Caller::Trunk(name) => generation.media_of(Some(name), ""),
            };
            let probe = terms.map_or_else(
                || negotiate::local_media(ports, 0),
                |terms| negotiate::media_on(ports, 0, terms),
            );
            let probe = LocalMedia {
                crypto: LocalCrypto::new(generation.srtp_with(&caller), &mut self.entropy),
                ..probe
            };
            sdp::answer(&probe, offer, None).map_err(|_| 488_u16)?;
        }
        let stage = match tested {
            Some(name) => Stage::Service(Service::new(ServiceKind::Loop(name.clone()))),
            None => self.first_stage(&generation, &caller, &arriving, &destination)?,
        };
        let trunk = match &caller {
            Caller::Trunk(name) => generation.trunks.get(name),
            Caller::Phone(_) => None,
        };
        let terms = trunk.map_or(generation.terms, |trunk| trunk.profile.terms);
        let manners = trunk.map(|trunk| trunk.profile.manners.clone());
        Ok(Arrival {
            terms,
            manners,
            caller,
            arriving,
            dialled,
            destination,
            offer,
            stage,
        })
    }

    fn shut_out(&self, closed: Closed) -> Refusal {
        self.gate.refused();
        let mut headers = vec![(HeaderName::RetryAfter, closed.retry_after().to_string())];
        if closed == Closed::Journal {
            tracing::warn!("the router's journal cannot be written: a call for a flow is refused");
            // Q.850 41, temporary failure (RFC 3326 §2).
            let reason = "Q.850;cause=41;text=\"the journal cannot be written\"";
            headers.push((HeaderName::Reason, reason.to_owned()));
        }
        let status = 503;
        Refusal { status, headers }
    }

    fn read_offer(&self, now: Timestamp, flow: &Flow, body: &[u8]) -> Result<Description, Refusal> {
        Description::parse(body).map_err(|error| {
            if matches!(error, sdp::Error::TooLarge | sdp::Error::TooManyMedia) {
                self.guard.note(now, Attack::SdpBomb, flow.remote.ip());
            }
            Refusal::from(400)
        })
    }

    /// Whether a call is a trunk test's own, led back to us.
    fn is_test(&self, trunk: &str, request: &Message, dialled: &str, from: &str) -> bool {
        let to = request.to().ok().and_then(|to| user_of(&to.uri));
        let numbers = [dialled, to.as_deref().unwrap_or(dialled)];
        self.carriers.came_back(trunk, &numbers, from)
    }

    /// Who calls: a phone that proves it, or a trunk by its address. A From that names one of our
    /// phones is always challenged, wherever it comes from.
    pub(super) fn identify(
        &mut self,
        now: Timestamp,
        generation: &Generation,
        flow: &Flow,
        request: &Message,
    ) -> Result<Caller, Refusal> {
        let claimed = request
            .from()
            .ok()
            .and_then(|from| user_of(&from.uri))
            .filter(|user| generation.phones.contains_key(user));
        let contact = request.request_uri().and_then(Result::ok);
        let contact = contact.and_then(user_of);
        let trunks = generation.trunks.values().map(Arc::as_ref);
        let source = flow.remote.ip();
        let is_at = |host: &str| self.ua.is_host_at(host, source);
        let user = contact.as_deref().unwrap_or_default();
        let trunk = calling(trunks, (source, user), is_at);
        match (claimed, trunk) {
            (None, Some(trunk)) => {
                if let Err(closed) = self.carriers.admit(now, trunk, Way::In) {
                    self.gate.refused();
                    // RFC 3261 §21.5.4: this trunk's share of us is used up for now.
                    let retry = (HeaderName::RetryAfter, closed.retry_after().to_string());
                    return Err(Refusal {
                        status: 503,
                        headers: vec![retry],
                    });
                }
                let name = trunk.name.clone();
                self.know(flow);
                Ok(Caller::Trunk(name))
            }
            (claimed, _) => {
                let user = self.authenticate(now, generation, flow, request)?.user;
                match claimed {
                    Some(claimed) if claimed != user => {
                        Err(arriving::other_identity(&user, &claimed))
                    }
                    // Another From asks for privacy, or to show another number.
                    _ if generation.may_be_at(&user, flow) => Ok(Caller::Phone(user)),
                    _ => Err(Refusal::from(403)),
                }
            }
        }
    }

    fn first_stage(
        &self,
        generation: &Generation,
        caller: &Caller,
        arriving: &Arriving,
        destination: &Destination,
    ) -> Result<Stage, Refusal> {
        let service = |kind| Ok(Stage::Service(Service::new(kind)));
        match destination {
            Destination::Agent(service, digits) => {
                let Caller::Phone(phone) = caller else {
                    return Err(Refusal::from(404));
                };
                let is_somebody = self.desks.agent_at(&generation.desk, phone).is_some();
                if !is_somebody && *service != AgentService::LogIn {
                    return Err(Refusal::from(404));
                }
                let session = Session::new(*service, phone.clone(), digits.clone());
                Ok(Stage::Desk(Box::new(Desk::new(session))))
            }
            Destination::Application { number, attributes } => {
                let known = generation.applications.numbers.get(number);
                let terms = DocumentTerms::clone(known.ok_or(500_u16)?);
                let application = Application::of_caller(terms, attributes.clone());
                Ok(Stage::Application(Box::new(application)))
            }
            Destination::Mailbox(service, digits) => {
                let Caller::Phone(phone) = caller else {
                    return Err(Refusal::from(404));
                };
                let mailbox = Mailbox::new(*service, phone.clone(), digits.clone());
                Ok(Stage::Mailbox(Box::new(mailbox)))
            }
            Destination::Conference(number) => service(ServiceKind::Conference(number.clone())),
            Destination::Echo => service(ServiceKind::Echo),
            Destination::Flow {
                name,
                number,
                attributes,
                calendar,
            } => {
                self.gate
                    .check_router()
                    .map_err(|closed| self.shut_out(closed))?;
                let document = generation.flows.get(name).ok_or(500_u16)?.clone();
                let context = Context {
                    from: arriving.from.clone(),
                    from_name: caller_name(generation, &arriving.from, Some(&arriving.identity)),
                    to: number.clone(),
                    trunk: match caller {
                        Caller::Trunk(name) => Some(name.clone()),
                        Caller::Phone(_) => None,
                    },
                    attributes: attributes.clone(),
                    calendar: calendar.clone(),
                    language: generation.sounds.language().to_owned(),
                    ..Context::default()
                };
                let run = Run::new(document, context);
                Ok(Stage::Treatment(Box::new(Treatment::new(run))))
            }
            Destination::HoldMusic => service(ServiceKind::Music),
            Destination::Phone(number) => Ok(Stage::Dial(Box::new(Dial::phone(number.clone())))),
            Destination::Tone => service(ServiceKind::Tone),
            Destination::Trunk { trunks, number } => Ok(Stage::Dial(Box::new(Dial::trunk(
                trunks.clone(),
                number.clone(),
            )))),
        }
    }

    fn open_call(
        &mut self,
        now: Timestamp,
        session: SessionId,
        flow: Flow,
        request: &Message,
        arrival: Arrival,
    ) {
        self.next_key += 1;
        let key = CallKey(self.next_key);
        let id = self.ids.call(now);
        let generation = self.generation().number;
        let trunk = match &arrival.caller {
            Caller::Trunk(name) => Some(name.clone()),
            Caller::Phone(_) => None,
        };
        let direction = match (&arrival.caller, &arrival.destination) {
            (Caller::Trunk(_), _) => Direction::Inbound,
            (_, Destination::Trunk { .. }) => Direction::Outbound,
            _ => Direction::Internal,
        };
        let site = self.generation().numbers.site();
        let to = match &arrival.destination {
            Destination::Application { number, .. }
            | Destination::Flow { number, .. }
            | Destination::Phone(number) => number.clone(),
            Destination::Trunk { number, .. } => {
                arriving::normalised(site, number).unwrap_or_else(|| arrival.dialled.clone())
            }
            _ => arrival.dialled.clone(),
        };
        let to_raw = Some(arrival.dialled.clone()).filter(|raw| *raw != to);
        let arriving::Arriving {
            from,
            from_raw,
            identity,
        } = arrival.arriving;
        let identified = identity.facts(from_raw, to_raw);
        let id_of_leg = (self.ids.leg(), session);
        let mut leg = Leg::arriving(id_of_leg, flow, Role::Caller, from.clone());
        leg.trunk.clone_from(&trunk);
        leg.srtp = self.generation().srtp_with(&arrival.caller);
        leg.remote_offer = arrival.offer;
        let numbers = (from.clone(), to.clone());
        let mut core = Core::new((id.clone(), key), generation, direction, numbers);
        core.identity = identity;
        core.breadth = Breadth::of(request);
        core.max_forwards = request.max_forwards().unwrap_or(70).saturating_sub(1);
        tracing::info!(
            call = %id, ?direction, from = %Pii(&from), to = %Pii(&to), "call"
        );
        self.admit(Box::new(Call {
            core,
            stage: Stage::Over,
        }));
        let origin = self.ids.origin().clone();
        self.with_call(now, key, |call, hands| {
            let started = Fact::CallStarted {
                region: origin.region,
                node: origin.node,
                direction,
                from,
                to,
                trunk,
                generation,
            };
            call.core.emit(hands, started);
            for fact in identified {
                call.core.emit(hands, fact);
            }
            call.core.add_leg(hands, leg);
            call.core.caller_enters(hands, Stretch::SetUp, "");
            call.start(hands, arrival.stage);
        });
    }
}

/// Everything known about a call that may come in.
struct Arrival {
    caller: Caller,
    arriving: arriving::Arriving,
    dialled: String,
    destination: Destination,
    offer: Option<Description>,
    stage: Stage,
    terms: Terms,
    /// How a trunk wants us to write.
    manners: Option<Arc<Manners>>,
}

/// Where a number leads, and the number without what was dialled about showing the caller's.
fn lead(
    generation: &Generation,
    caller: &Caller,
    dialled: String,
    identity: &mut Identity,
) -> Option<(String, Destination)> {
    let numbers = &generation.numbers;
    let origin = caller.as_origin();
    if let Some(destination) = numbers.dialled(origin, &dialled) {
        return Some((dialled, destination));
    }
    let (asked, rest) = match caller {
        Caller::Phone(_) => arriving::without_presentation(numbers.site(), &dialled)?,
        Caller::Trunk(_) => return None,
    };
    let destination = numbers.dialled(origin, rest)?;
    identity.ask(asked);
    Some((rest.to_owned(), destination))
}

/// The user part of an address, or the number of a `tel:` one; `None` when empty.
pub(super) fn user_of(uri: &Uri) -> Option<String> {
    Some(uri.user_decoded().into_owned()).filter(|user| !user.is_empty())
}
