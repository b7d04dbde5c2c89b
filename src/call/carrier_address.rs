//! The addresses an INVITE to a carrier carries, as the trunk's profile wants them.

use std::net::SocketAddr;

use super::hands::Hands;
use crate::sip::{Host, NameAddr, Uri};
use crate::trunk::profile::{HostMode, RouteMode};
use crate::trunk::{Granted, Target, Trunk};

/// What goes where.
#[derive(Clone, Debug)]
pub(super) struct CarrierAddress {
    /// Request-URI.
    pub(super) request: Uri,
    /// To.
    pub(super) to: Uri,
    /// Host and port of From and of what asserts who calls.
    pub(super) from: (Host, Option<u16>),
    /// Route, in order.
    pub(super) routes: Vec<NameAddr>,
}

impl CarrierAddress {
    /// For a call to `number` from `caller`, sent to `target` from our address `local`.
    pub(super) fn new(
        hands: &Hands<'_>,
        trunk: &Trunk,
        (target, local): (&Target, SocketAddr),
        number: &str,
        caller: &str,
    ) -> Self {
        let granted = hands.carriers.granted(&trunk.name, caller);
        let granted = granted.unwrap_or_default();
        let host = |mode| host(mode, trunk, (target, local), &granted);
        let address = |mode| {
            let (host, port) = host(mode);
            Uri::sip(number, host, port)
        };
        let hosts = trunk.profile.hosts;
        Self {
            request: address(hosts.request),
            to: address(hosts.to),
            from: host(hosts.from),
            routes: match trunk.profile.route {
                RouteMode::None => Vec::new(),
                RouteMode::Registered => granted.routes.clone(),
            },
        }
    }
}

fn host(
    mode: HostMode,
    trunk: &Trunk,
    (target, local): (&Target, SocketAddr),
    granted: &Granted,
) -> (Host, Option<u16>) {
    let domain = || trunk.domain.as_deref().and_then(Host::parse);
    let named = match mode {
        HostMode::Own => return (local.ip().into(), Some(local.port())),
        HostMode::Target => None,
        HostMode::Domain => domain(),
        HostMode::Registrar => granted.host.clone().or_else(domain),
    };
    match named {
        Some(host) => (host, None),
        None => (target.host.clone(), target.port),
    }
}
