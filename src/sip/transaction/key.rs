//! Which transaction a message belongs to (RFC 3261 §17.1.3, §17.2.3).

use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};

use crate::base::Entropy;
use crate::sip::{Message, Method, Via};

/// Identity of a transaction: a keyed hash of what RFC 3261 compares. Among 200,000 transactions a
/// new one is mistaken for another once in 10^14 times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TransactionId(u64);

impl TransactionId {
    pub(crate) const MIN: Self = Self(0);
    pub(crate) const MAX: Self = Self(u64::MAX);
}

/// The secrets that keep outsiders from choosing colliding identities.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keys([u64; 2]);

impl Keys {
    pub(crate) fn new(entropy: &mut Entropy) -> Self {
        Self([entropy.u64(), entropy.u64()])
    }

    /// The transaction a response of ours to come belongs to.
    pub(crate) fn client(&self, branch: &str, method: &Method) -> TransactionId {
        TransactionId(self.hash(|to| {
            CLIENT.hash(to);
            branch.hash(to);
            method.hash(to);
        }))
    }

    /// The transaction a request belongs to; an ACK belongs to its INVITE's.
    pub(crate) fn server(&self, via: &Via, request: &Message, method: &Method) -> TransactionId {
        let method = match method {
            Method::Ack => &Method::Invite,
            method => method,
        };
        TransactionId(self.hash(|to| {
            SERVER.hash(to);
            via.branch().hash(to);
            via.host.hash(to);
            via.port.hash(to);
            method.hash(to);
            if !via.has_magic_cookie() {
                // A peer of RFC 2543: its branch need not be unique, if there is one at all.
                request.request_uri_raw().hash(to);
                request.call_id().ok().hash(to);
                request.cseq().ok().map(|cseq| cseq.number).hash(to);
                let from = request.from().ok();
                from.as_ref().and_then(|from| from.tag()).hash(to);
            }
        }))
    }

    /// Identity of a request whatever way it came (RFC 3261 §8.2.2.2).
    pub(crate) fn merge(&self, from_tag: &str, call_id: &str, cseq: u32, method: &Method) -> u64 {
        self.hash(|to| {
            MERGE.hash(to);
            from_tag.hash(to);
            call_id.hash(to);
            cseq.hash(to);
            method.hash(to);
        })
    }

    /// A To tag for a response without a dialog: the same each time the request is repeated.
    pub(crate) fn tag(&self, id: TransactionId) -> u64 {
        self.hash(|to| {
            TAG.hash(to);
            id.hash(to);
        })
    }

    /// A number for what belongs to a transaction and a remote tag: the same each time.
    pub(crate) fn companion(&self, id: TransactionId, remote_tag: &str) -> u64 {
        self.hash(|to| {
            COMPANION.hash(to);
            id.hash(to);
            remote_tag.hash(to);
        })
    }

    fn hash(&self, feed: impl FnOnce(&mut DefaultHasher)) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.0.hash(&mut hasher);
        feed(&mut hasher);
        hasher.finish()
    }
}

const CLIENT: u8 = 0;
const SERVER: u8 = 1;
const MERGE: u8 = 2;
const TAG: u8 = 3;
const COMPANION: u8 = 4;

/// For maps whose keys are hashes already.
pub(crate) type IdHash = BuildHasherDefault<IdHasher>;

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(via: &str, uri: &str) -> Message {
        let text = format!(
            "INVITE {uri} SIP/2.0\r\nVia: {via}\r\nFrom: <sip:a@a>;tag=1\r\nTo: <sip:b@b>\r\n\
             Call-ID: c\r\nCSeq: 7 INVITE\r\n\r\n"
        );
        Message::parse(text.into()).unwrap()
    }

    fn id(keys: &Keys, message: &Message, method: Method) -> TransactionId {
        keys.server(message.top_via().unwrap(), message, &method)
    }

    #[test]
    fn branch_sent_by_and_method_tell_transactions_apart() {
        let keys = Keys::new(&mut Entropy::from_seed(1));
        let invite = request("SIP/2.0/UDP h:5060;branch=z9hG4bKx", "sip:b@b");
        let other = request("SIP/2.0/UDP h:5061;branch=z9hG4bKx", "sip:b@b");
        let id_of = |method| id(&keys, &invite, method);
        assert_eq!(id_of(Method::Invite), id_of(Method::Ack));
        assert_ne!(id_of(Method::Invite), id_of(Method::Cancel));
        assert_ne!(id_of(Method::Invite), id(&keys, &other, Method::Invite));
    }

    #[test]
    fn old_peers_are_told_apart_by_the_request() {
        let keys = Keys::new(&mut Entropy::from_seed(1));
        let one = request("SIP/2.0/UDP h", "sip:b@b");
        let two = request("SIP/2.0/UDP h", "sip:c@b");
        assert_ne!(
            id(&keys, &one, Method::Invite),
            id(&keys, &two, Method::Invite)
        );
        assert_eq!(
            id(&keys, &one, Method::Invite),
            id(&keys, &one, Method::Ack)
        );
    }
}
