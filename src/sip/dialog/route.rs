//! Where a dialog's request goes: Request-URI, Route headers, next hop (RFC 3261 §12.2.1.1).

use std::net::{IpAddr, SocketAddr};

use crate::sip::location::Hop;
use crate::sip::{Flow, NameAddr, Protocol, Scheme, ServerName, Uri};

/// Request-URI and Route headers. A first route without `;lr` is a strict router of RFC 2543: it
/// becomes the Request-URI, and the target the last route.
pub(super) fn apply<'a>(target: &'a Uri, routes: &'a [NameAddr]) -> (&'a Uri, Vec<String>) {
    match routes.split_first() {
        Some((first, rest)) if !first.uri.is_loose_router() => {
            let mut written: Vec<_> = rest.iter().map(ToString::to_string).collect();
            written.push(format!("<{target}>"));
            (&first.uri, written)
        }
        _ => (target, routes.iter().map(ToString::to_string).collect()),
    }
}

/// The flow to `peer`, the first route or the target; `located` says where it is when it is a
/// name. We trust no address a NAT has hidden: then, and while a name is not located, the flow the
/// other side was heard on is the way back.
pub(super) fn next_hop(peer: &Uri, located: Option<&Hop>, heard_on: Flow) -> Flow {
    let uri = peer;
    if heard_on.connection.is_some() {
        // RFC 5923 §5: what came over a connection is answered over it.
        return heard_on;
    }
    let located = located.filter(|_| uri.host.address().is_none());
    let address = uri.host.address();
    let Some(address) = address.or(located.map(|hop| hop.address.ip())) else {
        return heard_on;
    };
    let is_same_family = address.is_ipv4() == heard_on.local.is_ipv4();
    let is_hidden = is_private(address) && !is_private(heard_on.remote.ip());
    // A socket of the loopback interface reaches nothing else, and nothing else reaches it.
    let is_elsewhere = address.is_loopback() != heard_on.remote.ip().is_loopback();
    if !is_same_family || is_hidden || is_elsewhere {
        return heard_on;
    }
    // RFC 5626 §4.3: who writes `ob` is reached by the flow he was heard on.
    if uri.params.has("ob") {
        return heard_on;
    }
    if let Some(hop) = located {
        let name = hop.name.as_deref().filter(|_| hop.protocol.is_secure());
        let number = name.map(ServerName::met);
        if number == Some(None) {
            // Nothing can be verified for it.
            return heard_on;
        }
        return Flow::new(hop.protocol, heard_on.local, hop.address).named(number.flatten());
    }
    let protocol = match uri.params.value("transport") {
        Some(transport) => Protocol::parse(transport),
        // What began behind TLS does not come out of it (RFC 3261 §26.2.2 wishes so for `sips`).
        None if heard_on.protocol.is_secure() => Some(Protocol::Tls),
        None => Some(Protocol::Udp),
    };
    let Some(protocol) = protocol else {
        return heard_on;
    };
    let protocol = match uri.scheme {
        Scheme::Sips => Protocol::Tls,
        _ => protocol,
    };
    let port = uri.port.unwrap_or(protocol.default_port());
    Flow::new(protocol, heard_on.local, SocketAddr::new(address, port)).named(heard_on.name)
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            address.is_private()
                || address.is_link_local()
                || address.is_loopback()
                // RFC 6598: behind a carrier's NAT.
                || (address.octets()[0] == 100 && address.octets()[1] & 0xc0 == 64)
        }
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(remote: &str) -> Flow {
        let local = "192.0.2.1:5060".parse().unwrap();
        Flow::udp(local, remote.parse().unwrap())
    }

    fn hop(target: &str, routes: &[&str], heard_on: Flow) -> String {
        let routes: Vec<_> = routes
            .iter()
            .map(|route| NameAddr::parse(route).unwrap())
            .collect();
        let target = Uri::parse(target).unwrap();
        let peer = routes.first().map_or(&target, |route| &route.uri);
        let flow = next_hop(peer, None, heard_on);
        format!("{} {}", flow.protocol, flow.remote)
    }

    #[test]
    fn the_target_is_reached_directly_unless_a_nat_hides_it() {
        let public = heard("198.51.100.9:40000");
        assert_eq!(
            hop("sip:a@203.0.113.5:5070", &[], public),
            "UDP 203.0.113.5:5070"
        );
        assert_eq!(
            hop("sip:a@192.168.1.5:5070", &[], public),
            "UDP 198.51.100.9:40000"
        );
        assert_eq!(
            hop("sip:a@phone.example", &[], public),
            "UDP 198.51.100.9:40000"
        );
        let local = heard("127.0.0.1:40000");
        assert_eq!(hop("sip:a@10.0.0.7", &[], local), "UDP 127.0.0.1:40000");
        let inside = heard("10.0.0.9:5060");
        assert_eq!(
            hop("sip:a@10.0.0.7;transport=tcp", &[], inside),
            "TCP 10.0.0.7:5060"
        );
        assert_eq!(
            hop("sip:a@10.0.0.7", &["<sip:10.0.0.1:5061;lr>"], inside),
            "UDP 10.0.0.1:5061"
        );
    }

    #[test]
    fn what_is_behind_tls_stays_there_and_flows_are_kept_when_asked() {
        let inside = heard("10.0.0.9:5060");
        assert_eq!(hop("sips:a@10.0.0.7", &[], inside), "TLS 10.0.0.7:5061");
        assert_eq!(
            hop("sip:a@10.0.0.7:5071;transport=TLS", &[], inside),
            "TLS 10.0.0.7:5071"
        );
        let secret = Flow::new(Protocol::Tls, inside.local, inside.remote);
        assert_eq!(hop("sip:a@10.0.0.7", &[], secret), "TLS 10.0.0.7:5061");
        assert_eq!(hop("sip:a@10.0.0.7;ob", &[], inside), "UDP 10.0.0.9:5060");
        assert_eq!(
            hop("sip:a@10.0.0.7;transport=sctp", &[], inside),
            "UDP 10.0.0.9:5060"
        );
        let six = Flow::udp(
            "[2001:db8::1]:5060".parse().unwrap(),
            "[2001:db8::9]:5060".parse().unwrap(),
        );
        assert_eq!(
            hop("sip:a@[2001:db8::7]:5070", &[], six),
            "UDP [2001:db8::7]:5070"
        );
        assert_eq!(hop("sip:a@10.0.0.7", &[], six), "UDP [2001:db8::9]:5060");
    }

    #[test]
    fn a_strict_router_takes_the_request_uri() {
        let target = Uri::parse("sip:a@a").unwrap();
        let routes = ["<sip:strict>", "<sip:p2;lr>"].map(|r| NameAddr::parse(r).unwrap());
        let (uri, written) = apply(&target, &routes);
        assert_eq!(uri.to_string(), "sip:strict");
        assert_eq!(written, ["<sip:p2;lr>", "<sip:a@a>"]);
    }
}
