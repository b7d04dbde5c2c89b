//! TLS towards endpoints: whom it believes and what it shows. TLS 1.2 and 1.3; names are verified
//! as on the web (RFC 6125), unlike SIP's. Not here: revocation.

use std::sync::Arc;

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest as _, Sha256};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// A client's side of TLS, ready for handshakes. The default believes nobody.
#[derive(Clone)]
pub struct TlsClient {
    /// For the endpoint itself: with the server's name in the first message, and without (`sni=n`).
    own: [Arc<ClientConfig>; 2],
    /// The same for others it redirects to, who are shown no certificate.
    foreign: [Arc<ClientConfig>; 2],
    /// Digest of what it was made from.
    fingerprint: [u8; 32],
}

/// PEM texts a client is made from.
#[derive(Clone, Copy, Default)]
pub struct TlsTexts<'a> {
    /// Roots of endpoints' certificates.
    pub roots: &'a [u8],
    /// Our certificate and its intermediates; empty for none.
    pub certificate: &'a [u8],
    /// Its private key.
    pub key: &'a [u8],
}

/// Which of the texts is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsTextError {
    /// Our certificate.
    #[error("{0}")]
    Certificate(String),
    /// Its key.
    #[error("{0}")]
    Key(String),
    /// The roots.
    #[error("{0}")]
    Roots(String),
}

impl TlsClient {
    /// Reads the texts.
    ///
    /// # Errors
    ///
    /// The first that is not what it should be.
    pub fn new(texts: TlsTexts<'_>) -> Result<Self, TlsTextError> {
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsTextError::Roots(error.to_string()))?
            .with_root_certificates(roots(texts.roots)?);
        let foreign = builder.clone().with_no_client_auth();
        let own = if texts.certificate.is_empty() {
            foreign.clone()
        } else {
            let chain: Result<Vec<_>, _> =
                CertificateDer::pem_slice_iter(texts.certificate).collect();
            let chain = chain
                .ok()
                .filter(|chain| !chain.is_empty())
                .ok_or_else(|| {
                    TlsTextError::Certificate("there is no certificate in it (PEM)".to_owned())
                })?;
            let key = PrivateKeyDer::from_pem_slice(texts.key)
                .map_err(|_| TlsTextError::Key("there is no private key in it (PEM)".to_owned()))?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| TlsTextError::Key(error.to_string()))?
        };
        let mut digest = Sha256::new();
        for text in [texts.roots, texts.certificate, texts.key] {
            digest.update((text.len() as u64).to_be_bytes());
            digest.update(text);
        }
        Ok(Self {
            own: both(own),
            foreign: both(foreign),
            fingerprint: digest.finalize().into(),
        })
    }

    pub(super) fn connector(&self, sni: bool, is_foreign: bool) -> TlsConnector {
        let [naming, nameless] = if is_foreign { &self.foreign } else { &self.own };
        TlsConnector::from(if sni { naming } else { nameless }.clone())
    }
}

impl Default for TlsClient {
    fn default() -> Self {
        // Without any text there is none that could be wrong.
        Self::new(TlsTexts::default()).expect("no text is wrong")
    }
}

impl PartialEq for TlsClient {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }
}

impl Eq for TlsClient {}

impl std::fmt::Debug for TlsClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TlsClient({})", hex::encode(&self.fingerprint[..8]))
    }
}

/// With the server's name, and without it.
fn both(mut naming: ClientConfig) -> [Arc<ClientConfig>; 2] {
    naming.alpn_protocols = vec![b"http/1.1".to_vec()];
    let mut nameless = naming.clone();
    nameless.enable_sni = false;
    [Arc::new(naming), Arc::new(nameless)]
}

fn roots(pem: &[u8]) -> Result<RootCertStore, TlsTextError> {
    let wrong = |words: &str| TlsTextError::Roots(words.to_owned());
    let mut store = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(pem) {
        let root = root.map_err(|_| wrong("it is no list of certificates (PEM)"))?;
        // A bundle of a hundred roots is good even when one of them is odd.
        let _ = store.add(root);
    }
    if store.is_empty() && !pem.is_empty() {
        return Err(wrong("there is no root certificate in it (PEM)"));
    }
    Ok(store)
}
