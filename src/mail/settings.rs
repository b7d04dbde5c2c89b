//! What the office says of its mail: the server, and how long it is tried.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use lettre::transport::smtp::client::Certificate;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use sha2::{Digest as _, Sha256};
use tokio_rustls::rustls::RootCertStore;

use super::Address;

/// How mail is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Who takes it; without one nothing is sent, and what was to be sent waits.
    pub server: Option<Server>,
    /// Pause after the first failure; every further one is twice as long. Default 30 s.
    pub pause: Duration,
    /// Longest pause. Default 30 min (RFC 5321 §4.5.4.1).
    pub longest_pause: Duration,
    /// Age at which a letter that fails is given up. Default 4 days (RFC 5321 §4.5.4.1).
    pub give_up: Duration,
    /// Largest sound that is enclosed, octets. Default 10 MB.
    pub largest: u64,
    /// What links to the API begin with, such as `https://pbx.example`; no links without.
    pub base_url: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            server: None,
            pause: Duration::from_secs(30),
            longest_pause: Duration::from_secs(30 * 60),
            give_up: Duration::from_secs(4 * 86_400),
            largest: 10 << 20,
            base_url: None,
        }
    }
}

/// The server that takes mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its name or address; the name its certificate must be for.
    pub host: String,
    /// TCP port. Default 587, with [`Security::Implicit`] 465.
    pub port: u16,
    /// Whether the way to it is encrypted.
    pub tls: Security,
    /// Who we say we are.
    pub account: Option<Account>,
    /// Whom mail is from.
    pub from: Address,
    /// Who signs certificates.
    pub roots: Roots,
    /// Longest that one letter may take, connecting and handing over each. Default 60 s.
    pub timeout: Duration,
}

/// Whether the way to the server is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Security {
    /// STARTTLS (RFC 3207), and nothing is said without it.
    #[default]
    Required,
    /// STARTTLS when the server offers it; whoever sits in between can take the offer away.
    Opportunistic,
    /// TLS from the first octet on (RFC 8314 §3.3).
    Implicit,
    /// Never.
    None,
}

impl Security {
    /// Every word a configuration may use.
    pub const WORDS: [(&'static str, Self); 4] = [
        ("required", Self::Required),
        ("opportunistic", Self::Opportunistic),
        ("implicit", Self::Implicit),
        ("none", Self::None),
    ];

    /// Whether nothing is ever said in the clear.
    pub fn is_sure(self) -> bool {
        matches!(self, Self::Required | Self::Implicit)
    }
}

/// What the server asks us for.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// User.
    pub user: String,
    /// Password. Shown nowhere.
    pub password: String,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Account({}, …)", self.user)
    }
}

/// Certificates that sign others; the default believes nobody.
#[derive(Clone, Default)]
pub struct Roots {
    certificates: Arc<[Certificate]>,
    fingerprint: [u8; 32],
}

/// Why a text is no list of roots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RootsError {
    /// Not PEM.
    #[error("it is no list of certificates (PEM)")]
    NoList,
    /// None in it.
    #[error("there is no root certificate in it (PEM)")]
    Empty,
}

impl Roots {
    /// Reads PEM; no text at all believes nobody.
    ///
    /// # Errors
    ///
    /// What the text is not.
    pub fn new(pem: &[u8]) -> Result<Self, RootsError> {
        let mut store = RootCertStore::empty();
        let mut certificates = Vec::new();
        for root in CertificateDer::pem_slice_iter(pem) {
            let root = root.map_err(|_| RootsError::NoList)?;
            // A bundle of a hundred roots is good even when one of them is odd.
            if store.add(root.clone()).is_ok()
                && let Ok(certificate) = Certificate::from_der(root.to_vec())
            {
                certificates.push(certificate);
            }
        }
        if certificates.is_empty() && !pem.is_empty() {
            return Err(RootsError::Empty);
        }
        Ok(Self {
            certificates: certificates.into(),
            fingerprint: Sha256::digest(pem).into(),
        })
    }

    pub(super) fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }
}

impl PartialEq for Roots {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }
}

impl Eq for Roots {}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Roots({})", hex::encode(&self.fingerprint[..8]))
    }
}

/// What became of letters since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Taken by the server.
    pub sent: u64,
    /// Tries that failed and are repeated.
    pub deferred: u64,
    /// Given up.
    pub dead: u64,
    /// Waiting now.
    pub waiting: u64,
    /// Whether the server is left alone for a while.
    pub is_away: bool,
}
