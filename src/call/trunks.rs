//! Keeps the trunks of the node, on one of its shards: sends what registrations and OPTIONS
//! order, and gives them the answers. When and why is decided in the trunk room.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::exchange::Exchange;
use crate::base::Timestamp;
use crate::sip::auth::Credentials;
use crate::sip::location::Urgency;
use crate::sip::ua::{NextHop, OutOfDialog, OwnContact, RequestId, Series, Targets};
use crate::sip::{Failure, HeaderName, Host, Message, Method, NameAddr, Uri};
use crate::trunk::profile::RouteMode;
use crate::trunk::qualify::{Probes, Question, TargetKey};
use crate::trunk::registration::{AccountKey, Order, Outcome, Registrations};
use crate::trunk::{Target, Trunk};

/// Registrations and OPTIONS of all trunks.
#[derive(Debug)]
pub(super) struct Keeper {
    registrations: Registrations,
    probes: Probes,
    /// What each request under way is for.
    requests: HashMap<RequestId, Purpose>,
}

#[derive(Clone, Debug)]
enum Purpose {
    Registration(AccountKey),
    Question(TargetKey, u64),
}

impl Keeper {
    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        let timeouts = [
            self.registrations.poll_timeout(),
            self.probes.poll_timeout(),
        ];
        timeouts.into_iter().flatten().min()
    }
}

impl Exchange {
    /// From now on this shard keeps the trunks: it registers and asks.
    pub fn begin_trunks(&mut self, now: Timestamp) {
        self.keeper = Some(Box::new(Keeper {
            registrations: Registrations::new(self.carriers.clone(), self.entropy.fork()),
            probes: Probes::new(self.carriers.clone(), self.entropy.fork()),
            requests: HashMap::new(),
        }));
        self.commit_trunks(now);
    }

    /// The newest generation's trunks are kept from now on.
    pub fn commit_trunks(&mut self, now: Timestamp) {
        let generation = self.generation().clone();
        let Some(keeper) = &mut self.keeper else {
            return;
        };
        self.carriers
            .retain(generation.trunks.keys().map(String::as_str));
        keeper.registrations.commit(now, generation.trunks.values());
        keeper.probes.commit(now, generation.trunks.values());
        self.send_orders(now);
        self.pump(now);
    }

    /// Asks a trunk's registrar anew, for a test.
    pub(super) fn renew_registration(&mut self, now: Timestamp, trunk: &str) {
        if let Some(keeper) = &mut self.keeper {
            keeper.registrations.renew(now, trunk);
            self.send_orders(now);
        }
    }

    /// Does what is due.
    pub(super) fn keep_trunks(&mut self, now: Timestamp) {
        if let Some(keeper) = &mut self.keeper {
            keeper.registrations.handle_timeout(now);
            keeper.probes.handle_timeout(now);
            self.send_orders(now);
        }
    }

    /// The switch stops: bindings are taken back.
    pub(super) fn leave_trunks(&mut self, now: Timestamp) {
        if let Some(keeper) = &mut self.keeper {
            keeper.registrations.stop(now);
            keeper.probes.commit(now, []);
            self.send_orders(now);
        }
    }

    /// Takes the end of a request outside dialogs.
    pub(super) fn on_response(
        &mut self,
        now: Timestamp,
        request: RequestId,
        response: &Result<Message, Failure>,
    ) {
        let Some(keeper) = &mut self.keeper else {
            return;
        };
        match keeper.requests.remove(&request) {
            None => {}
            Some(Purpose::Registration(key)) => {
                let outcome = match response {
                    Err(Failure::Timeout) => Outcome::Silence,
                    Err(Failure::Transport) => Outcome::Unsent,
                    Ok(response) => Outcome::Answer {
                        response,
                        ours: own_life(&self.ua, response, &key.user),
                    },
                };
                keeper.registrations.handle_outcome(now, &key, outcome);
            }
            Some(Purpose::Question(key, number)) => {
                let status = response.as_ref().ok().and_then(Message::status);
                keeper.probes.handle_answer(now, &key, number, status);
            }
        }
        self.send_orders(now);
    }

    fn send_orders(&mut self, now: Timestamp) {
        loop {
            let Some(keeper) = &mut self.keeper else {
                return;
            };
            if let Some(order) = keeper.registrations.poll_order() {
                self.send_register(now, order);
            } else if let Some(question) = keeper.probes.poll_question() {
                self.send_options(now, question);
            } else {
                return;
            }
        }
    }

    fn send_register(&mut self, now: Timestamp, order: Order) {
        let Order {
            key,
            trunk,
            account,
            expires,
            series,
        } = order;
        let host = registrar(&trunk);
        let mut headers = vec![(HeaderName::Expires, expires.as_secs().to_string())];
        let mut supported = Vec::new();
        if trunk.profile.route == RouteMode::Registered {
            supported.push("path");
        }
        let mut params = format!(";expires={}", expires.as_secs());
        if trunk.profile.register.outbound {
            supported.extend(["outbound", "path"]);
            supported.sort_unstable();
            supported.dedup();
            let instance = instance(&self.ids.origin().node, &key);
            params.push_str(&format!(";reg-id=1;+sip.instance=\"<{instance}>\""));
        }
        if !supported.is_empty() {
            headers.push((HeaderName::Supported, supported.join(", ")));
        }
        let own = NameAddr::new(Uri::sip(&account.user, host.clone(), None));
        let wanted = Wanted {
            method: Method::Register,
            uri: Uri::sip("", host, None),
            from: own.clone(),
            to: own,
            headers,
            contact: Some(OwnContact {
                user: account.user,
                params,
            }),
            series: Some(series),
            credentials: account.credentials,
        };
        let targets = self.carriers.living(&trunk);
        let sent = self.send_outside(now, &trunk, targets, wanted);
        match (sent, &mut self.keeper) {
            (Some(id), Some(keeper)) => {
                keeper.requests.insert(id, Purpose::Registration(key));
            }
            (None, Some(keeper)) => {
                keeper
                    .registrations
                    .handle_outcome(now, &key, Outcome::Unsent);
            }
            (_, None) => {}
        }
    }

    fn send_options(&mut self, now: Timestamp, question: Question) {
        let Question {
            key,
            number,
            trunk,
            target,
        } = question;
        let local = super::hands::address_towards(&self.listeners, &trunk, &target);
        let Some(local) = local else {
            return self.unanswered(now, &key, number);
        };
        let from = Uri::sip("ping", Host::from(local.ip()), Some(local.port()));
        let wanted = Wanted {
            method: Method::Options,
            uri: target_uri("", &target),
            from: NameAddr::new(from),
            to: NameAddr::new(target_uri("", &target)),
            headers: vec![(HeaderName::Accept, "application/sdp".to_owned())],
            contact: Some(OwnContact {
                user: "ping".to_owned(),
                params: String::new(),
            }),
            series: None,
            credentials: trunk.credentials.clone(),
        };
        match (
            self.send_outside(now, &trunk, vec![target], wanted),
            &mut self.keeper,
        ) {
            (Some(id), Some(keeper)) => {
                keeper.requests.insert(id, Purpose::Question(key, number));
            }
            _ => self.unanswered(now, &key, number),
        }
    }

    fn unanswered(&mut self, now: Timestamp, key: &TargetKey, number: u64) {
        if let Some(keeper) = &mut self.keeper {
            keeper.probes.handle_answer(now, key, number, None);
        }
    }

    fn send_outside(
        &mut self,
        now: Timestamp,
        trunk: &Arc<Trunk>,
        destinations: Vec<Target>,
        wanted: Wanted,
    ) -> Option<RequestId> {
        let request = OutOfDialog {
            method: wanted.method,
            next_hop: NextHop::Located(Targets {
                destinations,
                try_for: trunk.try_for,
                source_port: trunk.profile.source_port,
                urgency: Urgency::Usual,
            }),
            uri: wanted.uri,
            from: wanted.from,
            to: wanted.to,
            routes: Vec::new(),
            contact: wanted.contact,
            series: wanted.series,
            headers: wanted.headers,
            body: None,
            credentials: wanted.credentials,
            manners: Some(trunk.profile.manners.clone()),
        };
        self.ua.request(now, request).ok()
    }
}

/// A request to a trunk outside dialogs.
struct Wanted {
    method: Method,
    uri: Uri,
    from: NameAddr,
    to: NameAddr,
    headers: Vec<(HeaderName, String)>,
    contact: Option<OwnContact>,
    series: Option<Series>,
    credentials: Option<Credentials>,
}

/// Where we register: the carrier's domain, or the address we send to.
fn registrar(trunk: &Trunk) -> Host {
    let domain = trunk.domain.as_deref().and_then(Host::parse);
    let target = || trunk.targets.first().map(|target| target.host.clone());
    domain
        .or_else(target)
        .unwrap_or_else(|| Host::from(std::net::IpAddr::from([0, 0, 0, 0])))
}

fn target_uri(user: &str, target: &Target) -> Uri {
    Uri::sip(user, target.host.clone(), target.port)
}

/// Life of our own Contact in a registrar's answer (RFC 3261 §10.2.4): that of the listed one.
fn own_life(ua: &crate::sip::UserAgent, response: &Message, user: &str) -> Option<Duration> {
    let stated = response.expires();
    let own = response
        .addresses(HeaderName::Contact)
        .into_iter()
        .find(|contact| ua.is_own_contact(&contact.uri, user))?;
    let seconds = own
        .params
        .value("expires")
        .and_then(|text| text.parse().ok())
        .or(stated)?;
    Some(Duration::from_secs(u64::from(seconds)))
}

/// A name for this account on this node that stays the same (RFC 5626 §4.1, RFC 9562 §5.8).
fn instance(node: &str, key: &AccountKey) -> String {
    use sha2::{Digest, Sha256};
    let seed = format!("{node}\n{}\n{}", key.trunk, key.user);
    let mut hash = [0_u8; 16];
    hash.copy_from_slice(&Sha256::digest(seed)[..16]);
    hash[6] = hash[6] & 0x0f | 0x80;
    hash[8] = hash[8] & 0x3f | 0x80;
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "urn:uuid:{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}
