//! Where the phone's switch is, as the command line says it.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};

use crate::sip::ServerName;

/// The value of `--server`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) ip: IpAddr,
    /// The transport's when none is given.
    pub(super) port: Option<u16>,
    /// The name it was found by: the one its certificate must be for.
    pub(super) name: Option<ServerName>,
}

impl Server {
    /// Reads `HOST[:PORT]`, and asks the system where a name is.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if let Ok(ip) = text.parse() {
            return Ok(Self::at(ip, None));
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self::at(address.ip(), Some(address.port())));
        }
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) => {
                let port = port.parse().map_err(|_| format!("{port:?} is no port"))?;
                (name, Some(port))
            }
            None => (text, None),
        };
        let mut found = (name, 0).to_socket_addrs().map_err(|e| e.to_string())?;
        let ip = found.next().ok_or_else(|| "no address".to_owned())?.ip();
        Ok(Self {
            name: ServerName::new(name),
            ..Self::at(ip, port)
        })
    }

    fn at(ip: IpAddr, port: Option<u16>) -> Self {
        Self {
            ip,
            port,
            name: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_an_address_a_name_or_either_with_a_port() {
        for (text, ip, port) in [
            ("127.0.0.2", "127.0.0.2", None),
            ("127.0.0.2:99", "127.0.0.2", Some(99)),
            ("::1", "::1", None),
            ("[::1]:99", "::1", Some(99)),
        ] {
            let wanted = Server::at(ip.parse().unwrap(), port);
            assert_eq!(Server::parse(text), Ok(wanted), "{text}");
        }
        let named = Server::parse("localhost:99").unwrap();
        assert_eq!(
            (named.name, named.port),
            (ServerName::new("localhost"), Some(99))
        );
        assert!(Server::parse("127.0.0.1:99999").is_err());
    }
}
