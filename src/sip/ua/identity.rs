//! What a user agent writes about itself: branches, tags, Call-IDs, addresses.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;

use crate::base::{Entropy, ShardId};
use crate::sip::{Flow, HeaderName, Message, Protocol, RequestBuilder, Uri, Via};

use super::{OwnContact, Settings};

/// The shard whose transaction or dialog a message belongs to, when one of ours says so: by the
/// branch of a response, by the To tag of a request.
///
/// A first INVITE, its CANCEL and other requests outside dialogs have no owner yet.
pub fn owner_shard(message: &Message) -> Option<ShardId> {
    if message.is_request() {
        return shard_in(message.to().ok()?.tag()?);
    }
    let via = message.top_via().ok()?;
    shard_in(via.branch()?.strip_prefix(COOKIE)?)
}

/// The shard that is to have a message: its owner, or else one chosen by Call-ID, so that an INVITE
/// and its CANCEL meet.
pub fn shard_for(message: &Message, shards: u16) -> ShardId {
    let is_there = |shard: &ShardId| shard.0 < shards;
    if let Some(owner) = owner_shard(message).filter(is_there) {
        return owner;
    }
    let mut hasher = DefaultHasher::new();
    message.call_id().unwrap_or_default().hash(&mut hasher);
    let shard = hasher.finish() % u64::from(shards.max(1));
    ShardId(u16::try_from(shard).unwrap_or(0))
}

/// The shard written at the beginning of a tag, a Call-ID or what follows a branch's cookie.
pub(super) fn shard_in(text: &str) -> Option<ShardId> {
    let digits = text.get(..2)?;
    let is_ours = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'));
    if !is_ours {
        return None;
    }
    u16::from_str_radix(digits, 16).ok().map(ShardId)
}

/// The settings with what is drawn at random for them.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) settings: Settings,
    pub(super) entropy: Entropy,
    prefix: String,
}

impl Identity {
    pub(super) fn new(settings: Settings, entropy: Entropy) -> Self {
        let prefix = format!("{:02x}", settings.shard.0 & 0xff);
        Self {
            settings,
            entropy,
            prefix,
        }
    }

    pub(super) fn tag(&mut self) -> String {
        self.own("", 14)
    }

    pub(super) fn call_id(&mut self) -> String {
        self.own("", 24)
    }

    /// A tag that stays the same for the same request.
    pub(super) fn fixed_tag(&self, number: u64) -> String {
        format!("{}{number:016x}", self.prefix)
    }

    /// A branch that stays the same for the same message.
    pub(super) fn fixed_branch(&self, number: u64) -> String {
        format!("{COOKIE}{}{number:016x}", self.prefix)
    }

    /// The Via of a new request of ours.
    pub(super) fn via(&mut self, flow: &Flow) -> Via {
        let branch = self.own(COOKIE, 16);
        self.via_with(flow, &branch)
    }

    pub(super) fn via_with(&self, flow: &Flow, branch: &str) -> Via {
        let mut via = Via::new(flow.protocol, self.address(flow), branch);
        if flow.protocol.is_secure() {
            // RFC 5923 §6: requests may come back over the same connection.
            via.params.push("alias", None);
        }
        via
    }

    /// Our Contact on a flow, as written.
    pub(super) fn contact(&self, user: &str, flow: &Flow) -> String {
        let address = self.address(flow);
        let uri = Uri::sip(user, address.ip().into(), Some(address.port()));
        match flow.protocol {
            Protocol::Udp => format!("<{uri}>"),
            stream => format!("<{uri};transport={}>", stream.uri_param()),
        }
    }

    /// The same with its parameters.
    pub(super) fn own_contact(&self, own: &OwnContact, flow: &Flow) -> String {
        self.contact(&own.user, flow) + &own.params
    }

    pub(super) fn name(&self, builder: RequestBuilder) -> RequestBuilder {
        if self.settings.user_agent.is_empty() {
            return builder;
        }
        builder.header(HeaderName::UserAgent, &self.settings.user_agent)
    }

    fn own(&mut self, start: &str, length: usize) -> String {
        let mut text = String::with_capacity(start.len() + self.prefix.len() + length);
        text.push_str(start);
        text.push_str(&self.prefix);
        text.push_str(&self.entropy.token(length));
        text
    }

    /// Whether we take connections of this protocol from that family.
    pub(super) fn listens(&self, protocol: Protocol, remote: SocketAddr) -> bool {
        let fits = |(offered, address): &(Protocol, SocketAddr)| {
            *offered == protocol && address.is_ipv4() == remote.is_ipv4()
        };
        self.settings.advertised.iter().any(fits)
    }

    fn address(&self, flow: &Flow) -> SocketAddr {
        let mut fallback = flow.local;
        let mut found = false;
        for (protocol, address) in &self.settings.advertised {
            if *protocol != flow.protocol || address.is_ipv4() != flow.remote.is_ipv4() {
                continue;
            }
            if *address == flow.local {
                return *address;
            }
            if !found {
                fallback = *address;
                found = true;
            }
        }
        fallback
    }
}

/// RFC 3261 §8.1.1.7.
const COOKIE: &str = "z9hG4bK";

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(shard: u16) -> Identity {
        let settings = Settings {
            shard: ShardId(shard),
            advertised: vec![(Protocol::Udp, "192.0.2.1:5060".parse().unwrap())],
            ..Settings::default()
        };
        Identity::new(settings, Entropy::from_seed(1))
    }

    #[test]
    fn any_message_finds_its_shard() {
        let mut identity = identity(0xa3);
        let flow = Flow::udp(
            "10.0.0.1:5060".parse().unwrap(),
            "10.0.0.2:5060".parse().unwrap(),
        );
        let via = identity.via(&flow);
        let response = format!("SIP/2.0 200 OK\r\nVia: {via}\r\nCSeq: 1 BYE\r\n\r\n");
        let response = Message::parse(response.into()).unwrap();
        assert_eq!(owner_shard(&response), Some(ShardId(0xa3)));
        let tag = identity.tag();
        let bye = format!("BYE sip:a SIP/2.0\r\nTo: <sip:a@b>;tag={tag}\r\n\r\n");
        assert_eq!(
            owner_shard(&Message::parse(bye.into()).unwrap()),
            Some(ShardId(0xa3))
        );
        let invite = "INVITE sip:a SIP/2.0\r\nTo: <sip:a@b>\r\n\r\n";
        let invite = Message::parse(invite.into()).unwrap();
        assert_eq!(owner_shard(&invite), None);
        assert_eq!(shard_for(&invite, 4), shard_for(&invite, 4));
        assert!(shard_for(&response, 4).0 < 4);
        assert_eq!(shard_in(&identity.call_id()), Some(ShardId(0xa3)));
    }

    #[test]
    fn the_advertised_address_goes_into_via_and_contact() {
        let mut identity = identity(0);
        let flow = Flow::udp(
            "0.0.0.0:5060".parse().unwrap(),
            "10.0.0.2:5060".parse().unwrap(),
        );
        assert_eq!(identity.via(&flow).host.to_string(), "192.0.2.1");
        assert_eq!(identity.contact("100", &flow), "<sip:100@192.0.2.1:5060>");
        let v6 = Flow::tcp(
            "[::1]:5060".parse().unwrap(),
            "[::2]:5060".parse().unwrap(),
            None,
        );
        assert_eq!(identity.contact("", &v6), "<sip:[::1]:5060;transport=tcp>");
    }
}
