//! Requests too long for a datagram (RFC 3261 §18.1.1): they go by TCP, and by UDP after all when
//! nobody listens there.

use bytes::Bytes;

use crate::base::Timestamp;
use crate::sip::{Flow, Message, Protocol, Uri};

use super::UserAgent;

/// What is sent, and what instead when a connection cannot be had.
pub(super) struct Sized {
    pub(super) flow: Flow,
    pub(super) request: Bytes,
    pub(super) instead: Option<(Flow, Bytes)>,
}

impl UserAgent {
    /// Chooses the transport of a request by its length. Only where the other side's own address
    /// is known: through a NAT leads the flow that made it, and no other.
    pub(super) fn by_size(&self, now: Timestamp, flow: Flow, request: Bytes) -> Sized {
        let longest = self
            .identity
            .settings
            .longest_datagram
            .unwrap_or(usize::MAX);
        let stays = request.len() <= longest
            || flow.protocol != Protocol::Udp
            || self
                .deaf_to_tcp
                .get(&flow.remote)
                .is_some_and(|until| *until > now)
            || !self.identity.listens(Protocol::Tcp, flow.remote);
        let by_tcp = match stays {
            true => None,
            false => self.as_tcp(&flow, &request),
        };
        match by_tcp {
            Some((stream, adapted)) => Sized {
                flow: stream,
                request: adapted,
                instead: Some((flow, request)),
            },
            None => Sized {
                flow,
                request,
                instead: None,
            },
        }
    }

    fn as_tcp(&self, flow: &Flow, request: &Bytes) -> Option<(Flow, Bytes)> {
        let message = Message::parse(request.clone()).ok()?;
        let hop: Uri = match message.routes().into_iter().next() {
            Some(route) => route.uri,
            None => message.request_uri()?.ok()?.clone(),
        };
        if hop
            .host
            .address()
            .is_some_and(|address| address != flow.remote.ip())
        {
            return None;
        }
        let stream = Flow::tcp(flow.local, flow.remote, None);
        let via = message.top_via().ok()?;
        let adapted = self.identity.via_with(&stream, via.branch()?);
        let line = b"\r\nVia: ";
        let start = request
            .windows(line.len())
            .position(|window| window == line)?
            + line.len();
        let rest = request.get(start..)?;
        let end = rest.iter().position(|octet| *octet == b'\r')?;
        let adapted = adapted.to_string();
        let request = [request.get(..start)?, adapted.as_bytes(), rest.get(end..)?].concat();
        Some((stream, request.into()))
    }

    /// Nobody listens for TCP there: the next long request does not try.
    pub(super) fn note_deaf(&mut self, now: Timestamp, flow: &Flow) {
        if self.deaf_to_tcp.len() >= MAX_DEAF {
            self.deaf_to_tcp.retain(|_, until| *until > now);
        }
        if self.deaf_to_tcp.len() < MAX_DEAF {
            self.deaf_to_tcp.insert(flow.remote, now + DEAF_FOR);
        }
    }
}

/// How long it is believed that nobody listens.
const DEAF_FOR: std::time::Duration = std::time::Duration::from_secs(600);
/// Addresses remembered.
const MAX_DEAF: usize = 4096;
