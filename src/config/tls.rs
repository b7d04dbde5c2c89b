//! `[sip.tls]` of `node.toml`: certificates, whose they are and whom they must be for.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::notes::Notes;
use super::section::{At, Section};
use super::source::Place;
use crate::sip::transport::{
    Certificate, ClientCertificates, TlsConfig, TlsError, TlsMaterial, Wildcards,
};

/// Where certificates are, and what is asked of others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsSettings {
    /// Our certificate and its intermediates, PEM.
    pub certificate: Option<PathBuf>,
    /// Its private key, PEM.
    pub key: Option<PathBuf>,
    /// Whether clients show certificates. Default off.
    pub client_certificates: ClientCertificates,
    /// Roots of clients' certificates, PEM.
    pub client_ca: Option<PathBuf>,
    /// Roots of the certificates of those we connect to, PEM. Default the system's.
    pub roots: Option<PathBuf>,
    /// Whether those may have wildcards. Default not.
    pub wildcards: Wildcards,
    /// Digest of what was in the files.
    pub fingerprint: String,
}

/// Settings and what was made of the files.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) settings: TlsSettings,
    /// `None` when something was noted.
    pub(super) config: Option<Arc<TlsConfig>>,
}

/// Reads the section; `listener` is the first that needs it.
pub(super) fn read(
    sip: &Section<'_>,
    directory: &Path,
    listener: Option<&Place>,
    notes: &Notes,
) -> Option<Read> {
    let Some(tls) = sip.section("tls", "[sip.tls]") else {
        if let Some(listener) = listener {
            let help = "add [sip.tls] with certificate = \"...\" and key = \"...\"";
            notes.error(listener, "TLS needs a certificate", help);
        }
        return None;
    };
    let files = Files { directory, notes };
    if listener.is_some() || tls.text("key").is_some() {
        tls.demand("certificate", "\"tls/certificate.pem\"");
    }
    let certificate = tls.text("certificate");
    if certificate.is_some() {
        tls.demand("key", "\"tls/key.pem\"");
    }
    let key = tls.text("key");
    let words = [
        ("off", ClientCertificates::Off),
        ("requested", ClientCertificates::Requested),
        ("required", ClientCertificates::Required),
    ];
    let clients = tls.one_of("client_certificates", &words);
    let clients = clients.map_or(ClientCertificates::Off, |at| at.value);
    if clients != ClientCertificates::Off {
        tls.demand("client_ca", "\"tls/clients.pem\"");
    }
    let client_ca = tls.text("client_ca");
    let roots = tls.text("roots");
    let wildcards = match tls.flag("wildcards") {
        Some(At { value: true, .. }) => Wildcards::FirstLabel,
        _ => Wildcards::Never,
    };
    let section = tls.place().clone();
    tls.close();

    let material = TlsMaterial {
        certificate: files.content(certificate.as_ref()),
        key: files.content(key.as_ref()),
        clients: match &client_ca {
            Some(_) => clients,
            None => ClientCertificates::Off,
        },
        client_roots: files.content(client_ca.as_ref()),
        roots: match &roots {
            Some(_) => files.content(roots.as_ref()),
            None => std::fs::read(SYSTEM_ROOTS).unwrap_or_default(),
        },
        wildcards,
        gullible: false,
    };
    let mut digest = Sha256::new();
    for part in [
        &material.certificate,
        &material.key,
        &material.client_roots,
        &material.roots,
    ] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    let place = |file: &Option<At<String>>| match file {
        Some(file) => file.place.clone(),
        None => section.clone(),
    };
    let is_whole = certificate.is_some() == key.is_some()
        && material.certificate.is_empty() == material.key.is_empty();
    let certificate_file = certificate.clone();
    let config = match TlsConfig::new(&material) {
        _ if !is_whole => None,
        Ok(config) => {
            if let Some(certificate) = config.certificate() {
                files.check_time(certificate, &place(&certificate_file));
            }
            Some(Arc::new(config))
        }
        Err(error) => {
            let (place, help) = match &error {
                TlsError::Certificate(_) => (place(&certificate), CERTIFICATE_HELP),
                TlsError::Key(_) => (place(&key), KEY_HELP),
                TlsError::KeyDoesNotFit => (place(&key), FIT_HELP),
                TlsError::ClientRoots(_) => (place(&client_ca), ROOTS_HELP),
                TlsError::Roots(_) => (place(&roots), ROOTS_HELP),
            };
            notes.error(&place, error.to_string(), help);
            None
        }
    };
    let path = |file: Option<At<String>>| file.map(|file| directory.join(file.value));
    Some(Read {
        settings: TlsSettings {
            certificate: path(certificate),
            key: path(key),
            client_certificates: clients,
            client_ca: path(client_ca),
            roots: path(roots),
            wildcards,
            fingerprint: hex::encode(&digest.finalize()[..8]),
        },
        config,
    })
}

/// Where files are, and whom to tell.
pub(super) struct Files<'a> {
    pub(super) directory: &'a Path,
    pub(super) notes: &'a Notes,
}

impl Files<'_> {
    /// What is in the file; nothing, and a note, when it cannot be read.
    pub(super) fn content(&self, file: Option<&At<String>>) -> Vec<u8> {
        let Some(file) = file else { return Vec::new() };
        let path = self.directory.join(&file.value);
        let size = std::fs::metadata(&path).map_or(0, |about| about.len());
        let why = match std::fs::read(&path) {
            _ if size > MAX_FILE => format!("{} is too large", path.display()),
            Ok(content) if content.is_empty() => format!("{} is empty", path.display()),
            Ok(content) => return content,
            Err(error) => format!("cannot read {}: {error}", path.display()),
        };
        let help = "create it, readable for the user tsunagu runs as; a relative path begins at \
                    the configuration directory";
        self.notes.error(&file.place, why, help);
        Vec::new()
    }

    fn check_time(&self, certificate: &Certificate, place: &Place) {
        let left = certificate.seconds_left();
        let day = 86_400;
        let message = if left < 0 {
            "the certificate has expired: nobody will connect".to_owned()
        } else if left < WARN_DAYS * day {
            format!("the certificate expires in {} days", left / day)
        } else {
            return;
        };
        let help = "replace the file, then `tsunagu reload`: no connection is dropped";
        self.notes.warning(place, message, help);
    }
}

/// File where Debian and its kin keep the roots that browsers trust.
pub const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";
/// Longest file; all roots of a system are 200 KiB.
const MAX_FILE: u64 = 4 << 20;
/// From here on an expiry is told of at each start and reload.
const WARN_DAYS: i64 = 14;
pub(super) const CERTIFICATE_HELP: &str = "it holds our certificate first, then its intermediates, each \
                                between BEGIN CERTIFICATE and END CERTIFICATE";
pub(super) const KEY_HELP: &str =
    "it holds one private key without a password: PKCS#8, PKCS#1 or SEC1";
const FIT_HELP: &str = "use the key the certificate was asked for with; `openssl x509 -pubkey` and \
                        `openssl pkey -pubout` show the same";
pub(super) const ROOTS_HELP: &str = "it holds one or more root certificates, each between BEGIN CERTIFICATE \
                          and END CERTIFICATE";
