//! Hands letters to the server, one after the other over one connection, each within a bounded time.

use std::time::Duration;

use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, CertificateStore, TlsParameters, TlsVersion,
};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::{self};
use tokio::time::timeout;

use super::{Letter, Security, Server};

/// Why a letter was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The server cannot be spoken with: no other letter would fare better.
    #[error("{0}")]
    Away(String),
    /// Not now: a reply 4xx to this letter.
    #[error("{0}")]
    Deferred(String),
    /// Never: a reply 5xx to this letter, or it cannot be written.
    #[error("{0}")]
    Refused(String),
}

/// A connection to a server, as long as it is good.
#[derive(Default)]
pub struct Client {
    open: Option<(Server, AsyncSmtpConnection)>,
}

/// How long a server may take to say good bye.
const FAREWELL: Duration = Duration::from_secs(2);
/// Of the server, not of the letter: it closes the channel (RFC 5321 §4.2.2), or wants another log-in
/// (RFC 4954 §6).
const OF_SERVER: [&str; 5] = ["421", "530", "534", "535", "538"];
/// A letter of more octets may be too much for the way there, which is good enough for others.
const LARGE: usize = 1 << 20;
/// Octets a second that a letter may be handed over with at the slowest.
const SLOWEST: u64 = 20_000;

impl Client {
    /// Hands a letter over. Once it returns `Ok` the server has taken the letter upon itself (RFC 5321
    /// §6.1). Takes at most twice the server's `timeout`.
    ///
    /// # Errors
    ///
    /// Why it was not taken. When the connection broke behind the last line of the letter nobody
    /// knows whether it was.
    pub async fn send(&mut self, server: &Server, letter: &Letter) -> Result<(), Fault> {
        let (envelope, text) = letter.compose().map_err(Fault::Refused)?;
        if self.open.as_ref().is_none_or(|(known, _)| known != server) {
            self.close().await;
            let connecting = timeout(server.timeout, connect(server)).await;
            let connection = connecting.unwrap_or_else(|_| Err(too_slow(server)))?;
            self.open = Some((server.clone(), connection));
        }
        // Taken out, so that a connection which is given up in the middle is never used again.
        let Some((known, mut connection)) = self.open.take() else {
            return Err(Fault::Away("there is no connection".to_owned()));
        };
        let handing_over = connection.send(&envelope, &text);
        // A long letter takes long; and if it takes too long, others need not.
        let more = text.len().saturating_sub(LARGE) as u64;
        let limit = server.timeout + Duration::from_secs(more / SLOWEST);
        match timeout(limit, handing_over).await {
            Err(_) if text.len() > LARGE => Err(Fault::Deferred(format!(
                "{}:{}: it was not taken within {} s",
                server.host,
                server.port,
                limit.as_secs()
            ))),
            Err(_) => Err(too_slow(server)),
            Ok(Ok(_)) => {
                if !connection.has_broken() {
                    self.open = Some((known, connection));
                }
                Ok(())
            }
            Ok(Err(error)) => Err(of_letter(&error)),
        }
    }

    /// Says good bye.
    pub async fn close(&mut self) {
        if let Some((_, mut connection)) = self.open.take() {
            // Whatever it says, all is handed over.
            let _ = timeout(FAREWELL, connection.quit()).await;
        }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let server = self.open.as_ref().map(|(server, _)| server);
        f.debug_struct("Client").field("open", &server).finish()
    }
}

async fn connect(server: &Server) -> Result<AsyncSmtpConnection, Fault> {
    let (host, port) = (server.host.as_str(), server.port);
    let away = |error: smtp::Error| Fault::Away(format!("{host}:{port}: {}", words(&error)));
    let hello = hello();
    let wrapped = match server.tls {
        Security::Implicit => Some(tls(server).map_err(away)?),
        _ => None,
    };
    let limit = Some(server.timeout);
    let connecting =
        AsyncSmtpConnection::connect_tokio1((host, port), limit, &hello, wrapped, None);
    let mut connection = connecting.await.map_err(away)?;
    match server.tls {
        Security::Required if !connection.can_starttls() => {
            let words = format!("{host}:{port}: it offers no STARTTLS, and tls = \"required\"");
            return Err(Fault::Away(words));
        }
        Security::Required | Security::Opportunistic if connection.can_starttls() => {
            let parameters = tls(server).map_err(away)?;
            connection
                .starttls(parameters, &hello)
                .await
                .map_err(away)?;
        }
        _ => {}
    }
    if let Some(account) = &server.account {
        let credentials = Credentials::new(account.user.clone(), account.password.clone());
        // A wrong password is our fault, not the letter's: it goes when the password is right.
        connection
            .auth(DEFAULT_MECHANISMS, &credentials)
            .await
            .map_err(away)?;
    }
    Ok(connection)
}

fn tls(server: &Server) -> Result<TlsParameters, smtp::Error> {
    let mut parameters = TlsParameters::builder(server.host.clone())
        .certificate_store(CertificateStore::None)
        .set_min_tls_version(TlsVersion::Tlsv12);
    for root in server.roots.certificates() {
        parameters = parameters.add_root_certificate(root.clone());
    }
    parameters.build_rustls()
}

/// Who we are: the name of the machine when it is one of the DNS, else an address (RFC 5321 §4.1.3).
fn hello() -> ClientId {
    let system = rustix::system::uname();
    let name = system.nodename().to_string_lossy();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    match name.contains('.') && name.chars().all(is_name) {
        true => ClientId::Domain(name.into_owned()),
        false => ClientId::Ipv4(std::net::Ipv4Addr::LOCALHOST),
    }
}

fn too_slow(server: &Server) -> Fault {
    let seconds = server.timeout.as_secs_f32();
    Fault::Away(format!(
        "{}:{}: it took longer than {seconds} s",
        server.host, server.port
    ))
}

fn of_letter(error: &smtp::Error) -> Fault {
    let words = words(error);
    match error.status() {
        Some(code) if OF_SERVER.contains(&code.to_string().as_str()) => Fault::Away(words),
        Some(_) if error.is_permanent() => Fault::Refused(words),
        Some(_) => Fault::Deferred(words),
        None => Fault::Away(words),
    }
}

/// What the server or the system said, at most a few lines of it.
fn words(error: &smtp::Error) -> String {
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let more = error.to_string();
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        cause = error.source();
    }
    let one_line = |c: char| if c.is_control() { ' ' } else { c };
    words.chars().map(one_line).take(LONGEST_WORDS).collect()
}

/// Longest reason that is kept, characters.
const LONGEST_WORDS: usize = 300;
