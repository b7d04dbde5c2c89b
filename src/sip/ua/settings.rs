//! What a user agent is told when it is made, and what is asked of it.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::base::ShardId;
use crate::sip::auth::Credentials;
use crate::sip::{HeaderName, Method, NameAddr, Protocol, Timing, Uri, location};

use super::Manners;
use super::terms::Terms;
use super::way::NextHop;

/// A user agent's own facts.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The shard; it is written into every branch, tag and Call-ID of ours.
    pub shard: ShardId,
    /// T1, T2, T4.
    pub timing: Timing,
    /// For User-Agent and Server headers; empty for none.
    pub user_agent: String,
    /// What to write into Via and Contact, by protocol and address family; the flow's own local
    /// address is used when nothing fits.
    pub advertised: Vec<(Protocol, SocketAddr)>,
    /// Octets of the longest request sent as a datagram; longer ones go by TCP (RFC 3261 §18.1.1).
    /// `None`: UDP carries any.
    pub longest_datagram: Option<usize>,
    /// Bounds.
    pub limits: Limits,
    /// Our own sockets: what located requests can be sent by.
    pub listeners: Vec<(Protocol, SocketAddr)>,
    /// How patiently names are located.
    pub location: location::Settings,
    /// How long an address may stay silent before the next one is tried.
    pub try_for: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            shard: ShardId(0),
            timing: Timing::default(),
            user_agent: String::new(),
            advertised: Vec::new(),
            longest_datagram: None,
            limits: Limits::default(),
            listeners: Vec::new(),
            location: location::Settings::default(),
            try_for: TRY_FOR,
        }
    }
}

/// Three repeats over UDP (at 0.5, 1.5 and 3.5 s), and callers wait.
const TRY_FOR: Duration = Duration::from_secs(4);

/// Bounds of a user agent.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Transactions held before new INVITEs and requests are refused with 503; what belongs to a
    /// dialog is served up to twice as many.
    pub transactions: usize,
    /// Seconds in the Retry-After of that 503.
    pub retry_after: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // 2,500 set-ups a second: three transactions of a call rest for 32 s, one for 5 s.
            transactions: 262_144,
            retry_after: 5,
        }
    }
}

/// A message body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// Such as `application/sdp`.
    pub content_type: Cow<'static, str>,
    /// The body.
    pub bytes: Bytes,
}

impl Body {
    /// A session description.
    pub fn sdp(bytes: impl Into<Bytes>) -> Self {
        Self {
            content_type: Cow::Borrowed(SDP),
            bytes: bytes.into(),
        }
    }
}

/// Header lines to be added to a message.
pub type Headers = Vec<(HeaderName, String)>;

/// A call to be placed.
#[derive(Clone, Debug)]
pub struct Invite {
    /// Where to send it.
    pub next_hop: NextHop,
    /// Request-URI.
    pub uri: Uri,
    /// From; its tag is ours to choose.
    pub from: NameAddr,
    /// To.
    pub to: NameAddr,
    /// User part of our Contact.
    pub contact_user: String,
    /// Route headers, in order.
    pub routes: Vec<NameAddr>,
    /// Further headers.
    pub headers: Headers,
    /// The offer; without it the other side makes one.
    pub body: Option<Body>,
    /// For the one 401 or 407 that is answered.
    pub credentials: Option<Credentials>,
    /// How the peer wants us to write; as the node does when `None`.
    pub manners: Option<Arc<Manners>>,
    /// Max-Forwards.
    pub max_forwards: u8,
    /// Cancels the call and reports 408 when nothing final came in this time.
    pub timeout: Option<Duration>,
    /// Extensions offered, demanded or done without.
    pub terms: Terms,
}

/// A request outside any dialog to be sent.
#[derive(Clone, Debug)]
pub struct OutOfDialog {
    /// Method; neither INVITE nor ACK nor CANCEL.
    pub method: Method,
    /// Where to send it.
    pub next_hop: NextHop,
    /// Request-URI.
    pub uri: Uri,
    /// From; its tag is ours to choose.
    pub from: NameAddr,
    /// To.
    pub to: NameAddr,
    /// Route headers, in order.
    pub routes: Vec<NameAddr>,
    /// Our own Contact, when wanted: its user part, and parameters after it.
    pub contact: Option<OwnContact>,
    /// Call-ID and CSeq; new ones when `None`.
    pub series: Option<Series>,
    /// Further headers, Contact among them when wanted.
    pub headers: Headers,
    /// Body.
    pub body: Option<Body>,
    /// For the one 401 or 407 that is answered.
    pub credentials: Option<Credentials>,
    /// How the peer wants us to write; as the node does when `None`.
    pub manners: Option<Arc<Manners>>,
}

/// A Contact of ours to be written for the flow a request takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnContact {
    /// User part.
    pub user: String,
    /// Header parameters, such as `;expires=0`; empty for none.
    pub params: String,
}

/// What requests outside dialogs that belong together share (RFC 3261 §10.2: all REGISTERs of one
/// account have one Call-ID and a rising CSeq).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// Call-ID.
    pub call_id: String,
    /// CSeq of this request; an answered challenge takes the next.
    pub cseq: u32,
}

/// Too many transactions are open; nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many transactions are open")]
pub struct Overload;

pub(super) const SDP: &str = "application/sdp";
