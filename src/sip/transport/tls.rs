//! TLS for streams: certificates as they are read from PEM, rustls set up with them, and the
//! handle by which a reload replaces them under running listeners.
//!
//! TLS 1.2 and 1.3. A server's certificate is verified for the name that was asked for, by
//! RFC 5922 §7 instead of rustls' rules for the web. Not here: revocation, OCSP.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName as TlsName, UnixTime};
use serde::{Deserialize, Serialize};
use tokio_rustls::rustls;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature,
    verify_tls13_signature,
};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, ServerConfig,
    SignatureScheme,
};

use super::certificate::{Certificate, Subject, Wildcards};
use crate::sip::Flow;

/// Whether those who connect to us show a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientCertificates {
    /// It is not asked for.
    #[default]
    Off,
    /// It is asked for; a wrong one ends the handshake, none does not.
    Requested,
    /// Without a good one there is no connection.
    Required,
}

/// PEM texts that TLS is set up from.
#[derive(Clone, Default)]
pub struct TlsMaterial {
    /// Our certificate, then those that lead from it towards a root.
    pub certificate: Vec<u8>,
    /// The certificate's private key: PKCS#8, PKCS#1 or SEC1.
    pub key: Vec<u8>,
    /// Whether clients are asked for a certificate.
    pub clients: ClientCertificates,
    /// Roots of clients' certificates.
    pub client_roots: Vec<u8>,
    /// Roots of servers' certificates.
    pub roots: Vec<u8>,
    /// Whether servers' certificates may have wildcards.
    pub wildcards: Wildcards,
    /// Takes any certificate of any server: for trying things out, never for the switch.
    pub gullible: bool,
}

impl fmt::Debug for TlsMaterial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsMaterial").finish_non_exhaustive()
    }
}

/// Which of the texts is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// The certificate's file.
    #[error("{0}")]
    Certificate(String),
    /// The key's file.
    #[error("{0}")]
    Key(String),
    /// The key is another certificate's.
    #[error("the key does not belong to the certificate")]
    KeyDoesNotFit,
    /// The file of clients' roots.
    #[error("{0}")]
    ClientRoots(String),
    /// The file of servers' roots.
    #[error("{0}")]
    Roots(String),
}

/// Both sides of TLS, ready for handshakes.
#[derive(Clone)]
pub struct TlsConfig {
    server: Option<Arc<ServerConfig>>,
    client: Arc<ClientConfig>,
    certificate: Option<Certificate>,
}

impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConfig")
            .field("certificate", &self.certificate)
            .finish_non_exhaustive()
    }
}

impl TlsConfig {
    /// Reads the texts. Without a certificate it is good for connecting only.
    ///
    /// # Errors
    ///
    /// The first text that is not what it should be.
    pub fn new(material: &TlsMaterial) -> Result<Self, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let roots = roots(&material.roots).map_err(TlsError::Roots)?;
        let verifier = Verifier {
            roots,
            algorithms: provider.signature_verification_algorithms,
            wildcards: material.wildcards,
            gullible: material.gullible,
        };
        let client = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::Roots(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        if material.certificate.is_empty() {
            return Ok(Self {
                server: None,
                client: Arc::new(client.with_no_client_auth()),
                certificate: None,
            });
        }
        let chain = chain(&material.certificate)?;
        let certificate = chain
            .first()
            .and_then(|first| Certificate::read(first))
            .ok_or_else(|| TlsError::Certificate("the certificate cannot be read".to_owned()))?;
        let key = PrivateKeyDer::from_pem_slice(&material.key)
            .map_err(|_| TlsError::Key("there is no private key in it (PEM)".to_owned()))?;
        let client = client
            .with_client_auth_cert(chain.clone(), key.clone_key())
            .map_err(unfit)?;
        let server = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::Certificate(error.to_string()))?;
        let server = match material.clients {
            ClientCertificates::Off => server.with_no_client_auth(),
            asked => server.with_client_cert_verifier(client_verifier(material, asked, provider)?),
        };
        let server = server.with_single_cert(chain, key).map_err(unfit)?;
        Ok(Self {
            server: Some(Arc::new(server)),
            client: Arc::new(client),
            certificate: Some(certificate),
        })
    }

    /// Our own certificate.
    pub fn certificate(&self) -> Option<&Certificate> {
        self.certificate.as_ref()
    }
}

/// What listeners and connections of all shards use for their next handshake; a reload replaces
/// it, and connections that are open stay as they are.
#[derive(Clone, Debug, Default)]
pub struct Tls(Arc<ArcSwapOption<TlsConfig>>);

impl Tls {
    /// Takes these certificates from the next handshake on; `None` for no TLS at all.
    pub fn set(&self, config: Option<Arc<TlsConfig>>) {
        self.0.store(config);
    }

    pub(super) fn acceptor(&self) -> Option<TlsAcceptor> {
        let config = self.0.load();
        Some(TlsAcceptor::from(config.as_ref()?.server.clone()?))
    }

    pub(super) fn connector(&self) -> Option<TlsConnector> {
        let config = self.0.load();
        Some(TlsConnector::from(config.as_ref()?.client.clone()))
    }
}

/// Whose certificate the other side of an outgoing flow must show.
pub(super) fn subject_of(flow: &Flow) -> TlsName<'static> {
    let by_name = flow.name.map(crate::sip::ServerName::as_str);
    let name = by_name.and_then(|name| TlsName::try_from(name).ok());
    name.unwrap_or_else(|| TlsName::from(flow.remote.ip().to_canonical()))
}

fn chain(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        _ => Err(TlsError::Certificate(
            "there is no certificate in it (PEM)".to_owned(),
        )),
    }
}

fn roots(pem: &[u8]) -> Result<Arc<RootCertStore>, String> {
    let mut store = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(pem) {
        let root = root.map_err(|_| "it is no list of certificates (PEM)".to_owned())?;
        // A bundle of a hundred roots is good even when one of them is odd.
        let _ = store.add(root);
    }
    if store.is_empty() && !pem.is_empty() {
        return Err("there is no root certificate in it (PEM)".to_owned());
    }
    Ok(Arc::new(store))
}

fn client_verifier(
    material: &TlsMaterial,
    asked: ClientCertificates,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn rustls::server::danger::ClientCertVerifier>, TlsError> {
    let roots = roots(&material.client_roots).map_err(TlsError::ClientRoots)?;
    let builder = WebPkiClientVerifier::builder_with_provider(roots, provider);
    let builder = match asked {
        ClientCertificates::Required => builder,
        ClientCertificates::Off | ClientCertificates::Requested => builder.allow_unauthenticated(),
    };
    builder
        .build()
        .map_err(|error| TlsError::ClientRoots(error.to_string()))
}

fn unfit(error: Error) -> TlsError {
    match error {
        Error::InconsistentKeys(_) => TlsError::KeyDoesNotFit,
        Error::InvalidCertificate(why) => TlsError::Certificate(why.to_string()),
        other => TlsError::Key(other.to_string()),
    }
}

/// Verifies a server as RFC 5922 §7 wants it.
#[derive(Debug)]
struct Verifier {
    roots: Arc<RootCertStore>,
    algorithms: WebPkiSupportedAlgorithms,
    wildcards: Wildcards,
    gullible: bool,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &TlsName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.gullible {
            return Ok(ServerCertVerified::assertion());
        }
        let certificate = ParsedCertificate::try_from(end_entity)?;
        verify_server_cert_signed_by_trust_anchor(
            &certificate,
            &self.roots,
            intermediates,
            now,
            self.algorithms.all,
        )?;
        let names = Certificate::read(end_entity)
            .ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))?;
        let subject = match server_name {
            TlsName::DnsName(name) => Subject::Name(name.as_ref()),
            TlsName::IpAddress(address) => Subject::Address(IpAddr::from(*address)),
            _ => return Err(Error::InvalidCertificate(CertificateError::NotValidForName)),
        };
        if names.is_for(subject, self.wildcards) {
            return Ok(ServerCertVerified::assertion());
        }
        Err(Error::InvalidCertificate(
            CertificateError::NotValidForNameContext {
                expected: server_name.to_owned(),
                presented: vec![names.names()],
            },
        ))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
