//! From a URL's host to a stream: resolve, check every address, connect to a checked one, TLS.
//!
//! What is checked is what is connected to: no name is resolved twice, so that a name server cannot
//! show one address and lead to another. Addresses are tried as RFC 8305 has it, the next one 250 ms
//! after the last or when it failed.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::LookupIpStrategy;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};
use url::Host;

use super::reply::FailureKind;
use super::settings::Terms;
use super::target::Origin;

/// A boxed future.
pub(super) type Promise<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A kind of failure and its words.
pub(super) type Trouble = (FailureKind, String);

/// Where names lead. The running switch asks the system's name servers.
pub(super) trait Names: Send + Sync {
    /// Every address of a name; why not, in words.
    fn addresses<'a>(&'a self, name: &'a str) -> Promise<'a, Result<Vec<IpAddr>, String>>;
}

/// How streams are opened. The running switch opens TCP.
pub(super) trait Dial: Send + Sync {
    /// A stream to this very address.
    fn open(&self, address: SocketAddr) -> Promise<'static, io::Result<Box<dyn Stream>>>;
}

/// What octets flow through.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// The hosts file and the name servers of the system.
pub(super) struct SystemNames(Option<TokioResolver>);

/// TCP.
pub(super) struct Tcp;

/// Names and ways to addresses.
#[derive(Clone)]
pub(super) struct Connector {
    pub(super) names: Arc<dyn Names>,
    pub(super) dial: Arc<dyn Dial>,
}

/// For one connection: who is to be reached, and how.
pub(super) struct Destination<'a> {
    pub(super) origin: &'a Origin,
    pub(super) terms: &'a Terms,
    /// Whether TLS names the server.
    pub(super) sni: bool,
    /// Whether it is another server than the one `terms` speaks of.
    pub(super) is_foreign: bool,
    /// How long it may take.
    pub(super) patience: Duration,
}

impl Connector {
    pub(super) async fn connect(
        &self,
        destination: &Destination<'_>,
    ) -> Result<Box<dyn Stream>, Trouble> {
        let deadline = Instant::now() + destination.patience;
        let late = |what: &str| {
            let words = format!("no connection within {:?}: {what}", destination.patience);
            (FailureKind::ConnectTimeout, words)
        };
        let addresses = match timeout_at(deadline, self.resolve(destination)).await {
            Ok(addresses) => addresses?,
            Err(_) => {
                return Err((
                    FailureKind::Dns,
                    "no name server answered in time".to_owned(),
                ));
            }
        };
        let stream = match timeout_at(deadline, self.open_one(addresses)).await {
            Ok(stream) => stream?,
            Err(_) => return Err(late("no answer to the TCP handshake")),
        };
        if !destination.origin.secure {
            return Ok(stream);
        }
        match timeout_at(deadline, secure(stream, destination)).await {
            Ok(secured) => secured,
            Err(_) => Err(late("no answer to the TLS handshake")),
        }
    }

    /// The addresses that may be connected to.
    async fn resolve(&self, destination: &Destination<'_>) -> Result<Vec<SocketAddr>, Trouble> {
        let origin = destination.origin;
        let found = match &origin.host {
            Host::Ipv4(address) => vec![IpAddr::V4(*address)],
            Host::Ipv6(address) => vec![IpAddr::V6(*address)],
            Host::Domain(name) => {
                let found = self.names.addresses(name).await;
                found.map_err(|words| (FailureKind::Dns, words))?
            }
        };
        let mut denied = None;
        let mut allowed = Vec::new();
        for address in found.into_iter().take(MOST_ADDRESSES) {
            match destination.terms.addresses.check(address) {
                Ok(()) => allowed.push(SocketAddr::new(address, origin.port)),
                Err(why) => denied = Some(why.to_string()),
            }
        }
        if !allowed.is_empty() {
            return Ok(allowed);
        }
        Err(match denied {
            Some(words) => (FailureKind::DeniedAddress, words),
            None => (FailureKind::Dns, "the name has no address".to_owned()),
        })
    }

    async fn open_one(&self, addresses: Vec<SocketAddr>) -> Result<Box<dyn Stream>, Trouble> {
        let mut waiting = addresses.into_iter();
        let mut trying = JoinSet::new();
        let mut trouble = None;
        loop {
            if let Some(address) = waiting.next() {
                trying.spawn(self.dial.open(address));
            }
            let has_more = waiting.len() > 0;
            let opened = tokio::select! {
                opened = trying.join_next() => opened,
                () = sleep(NEXT_ADDRESS), if has_more => continue,
            };
            match opened {
                Some(Ok(Ok(stream))) => return Ok(stream),
                Some(Ok(Err(error))) => trouble = Some(unopened(&error)),
                // A task that panicked opened nothing.
                Some(Err(_)) => {}
                None if has_more => {}
                None => {
                    let words = || (FailureKind::Unreachable, "no address answers".to_owned());
                    return Err(trouble.unwrap_or_else(words));
                }
            }
        }
    }
}

async fn secure(
    stream: Box<dyn Stream>,
    destination: &Destination<'_>,
) -> Result<Box<dyn Stream>, Trouble> {
    let tls = |words: String| (FailureKind::Tls, words);
    let named = destination.terms.server_name.as_deref();
    let subject = match (named, &destination.origin.host) {
        (Some(name), _) if !destination.is_foreign => ServerName::try_from(name.to_owned()),
        (_, Host::Domain(name)) => ServerName::try_from(name.clone()),
        (_, Host::Ipv4(address)) => Ok(ServerName::from(IpAddr::V4(*address))),
        (_, Host::Ipv6(address)) => Ok(ServerName::from(IpAddr::V6(*address))),
    };
    let subject = subject.map_err(|_| tls("the host is no name of a certificate".to_owned()))?;
    let tls_client = &destination.terms.tls;
    let connector = tls_client.connector(destination.sni, destination.is_foreign);
    match connector.connect(subject, stream).await {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) => Err(tls(format!("TLS handshake: {error}"))),
    }
}

fn unopened(error: &io::Error) -> Trouble {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => (FailureKind::Refused, "nobody listens there".into()),
        _ => (FailureKind::Unreachable, format!("no way there: {error}")),
    }
}

impl SystemNames {
    /// Reads the system's configuration.
    pub(super) fn new() -> Self {
        let built = TokioResolver::builder_tokio().and_then(|mut builder| {
            let options = builder.options_mut();
            options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
            options.timeout = Duration::from_secs(2);
            options.attempts = 1;
            options.cache_size = 256;
            builder.build()
        });
        match built {
            Ok(resolver) => Self(Some(resolver)),
            Err(error) => {
                tracing::warn!(%error, "the system names no name servers: web names lead nowhere");
                Self(None)
            }
        }
    }
}

impl Names for SystemNames {
    fn addresses<'a>(&'a self, name: &'a str) -> Promise<'a, Result<Vec<IpAddr>, String>> {
        Box::pin(async move {
            let Some(resolver) = &self.0 else {
                return Err("this machine has no name servers".to_owned());
            };
            match resolver.lookup_ip(name).await {
                Ok(found) => Ok(found.iter().collect()),
                Err(error) => Err(format!("the name leads nowhere: {error}")),
            }
        })
    }
}

impl Dial for Tcp {
    fn open(&self, address: SocketAddr) -> Promise<'static, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let stream = TcpStream::connect(address).await?;
            // A request is one write; waiting for another would only delay it.
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }
}

/// Addresses of one name that are looked at.
const MOST_ADDRESSES: usize = 16;
/// RFC 8305 §5: Connection Attempt Delay.
const NEXT_ADDRESS: Duration = Duration::from_millis(250);
