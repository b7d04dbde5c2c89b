//! What needs real sockets: TCP and TLS on loopback, by the same code as in the running switch.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use super::world::{MemoryShelf, Turned, at_home, json, ok_json, read_request, with_terms};
use crate::base::{Entropy, patience};
use crate::webhook::{
    Content, Failure, FailureKind, Reply, Terms, TlsClient, TlsTexts, To, WebTask,
};

/// A certificate authority of the test's.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    fn root(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a name or address, and its key.
    fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

/// A TLS server's side; with `clients`, who must show certificates of it.
fn acceptor((certificate, key): (String, String), clients: Option<&Authority>) -> TlsAcceptor {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            let root = authority.root();
            roots
                .add(CertificateDer::from_pem_slice(root.as_bytes()).unwrap())
                .unwrap();
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.unwrap())
        }
    };
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    TlsAcceptor::from(Arc::new(builder.with_single_cert(chain, key).unwrap()))
}

/// A server on loopback with a runtime of its own.
struct Server {
    address: SocketAddr,
    _runtime: Runtime,
}

impl Server {
    fn start(tls: Option<TlsAcceptor>, answer: String) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let answer = Arc::new(answer);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, answer) = (tls.clone(), answer.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, &answer).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, &answer).await;
                            }
                        }
                    }
                });
            }
        });
        Self {
            address,
            _runtime: runtime,
        }
    }

    fn url(&self, scheme: &str, fragment: &str) -> String {
        format!("{scheme}://localhost:{}/{fragment}", self.address.port())
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, answer: &str) {
    while read_request(&mut stream).await.is_some() {
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Asks as the running switch does.
fn ask(url: &str, terms: Terms) -> Result<Reply, Failure> {
    let clock = Arc::new(Turned::real());
    let shelf = Arc::new(MemoryShelf::default());
    let task = WebTask::start(with_terms(terms), clock, Entropy::from_os(), shelf).unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    let asked = task.web().put(json(url), move |came| async move {
        tell.send(came).unwrap();
    });
    let came = patience::told(&told);
    drop(asked);
    task.stop(Duration::ZERO);
    came
}

fn believing(authority: &Authority, own: Option<(String, String)>) -> Terms {
    let (certificate, key) = own.unwrap_or_default();
    let root = authority.root();
    let texts = TlsTexts {
        roots: root.as_bytes(),
        certificate: certificate.as_bytes(),
        key: key.as_bytes(),
    };
    Terms {
        tls: Arc::new(TlsClient::new(texts).unwrap()),
        ..at_home()
    }
}

#[test]
fn a_server_on_loopback_answers_when_its_network_is_allowed() {
    let server = Server::start(None, ok_json("{\"b\":2}"));
    let reply = ask(&server.url("http", ""), at_home()).unwrap();
    assert_eq!((reply.status, &reply.body[..]), (200, &b"{\"b\":2}"[..]));
    assert_eq!(reply.media_type(), "application/json");
    let failure = ask(&server.url("http", ""), Terms::default()).unwrap_err();
    assert_eq!(failure.kind, FailureKind::DeniedAddress);
    assert!(failure.words.contains("loopback"), "{failure}");
}

#[test]
fn a_port_where_nobody_listens() {
    let port = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap().port()
    };
    let failure = ask(&format!("http://127.0.0.1:{port}/#rc=0"), at_home()).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Refused);
}

#[test]
fn ten_megabytes_are_cut_off() {
    let server = Server::start(None, ok_json(&"x".repeat(10 << 20)));
    let failure = ask(&server.url("http", ""), at_home()).unwrap_err();
    assert_eq!(failure.kind, FailureKind::TooLarge);
}

#[test]
fn a_listener_that_never_accepts_is_ended_by_the_read_timeout() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let failure = ask(&format!("http://127.0.0.1:{port}/#rt=150"), at_home()).unwrap_err();
    assert_eq!(failure.kind, FailureKind::ReadTimeout);
    // TLS hangs in the handshake.
    let url = format!("https://127.0.0.1:{port}/#ct=150&rc=0");
    let failure = ask(&url, at_home()).unwrap_err();
    assert_eq!(failure.kind, FailureKind::ConnectTimeout);
    assert!(failure.words.contains("TLS handshake"), "{failure}");
}

#[test]
fn tls_believes_its_roots_and_the_right_name_alone() {
    let authority = Authority::new();
    let good = Server::start(
        Some(acceptor(authority.issue("localhost"), None)),
        ok_json("{}"),
    );
    ask(&good.url("https", ""), believing(&authority, None)).unwrap();
    let stranger = believing(&Authority::new(), None);
    let failure = ask(&good.url("https", "#rc=0"), stranger).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Tls, "{failure}");

    let tls = acceptor(authority.issue("other.test"), None);
    let wrong = Server::start(Some(tls), ok_json("{}"));
    let failure = ask(&wrong.url("https", "#rc=0"), believing(&authority, None)).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Tls);
    assert!(failure.words.contains("not valid for name"), "{failure}");
    let named = Terms {
        server_name: Some("other.test".into()),
        ..believing(&authority, None)
    };
    ask(&wrong.url("https", ""), named.clone()).unwrap();
    ask(&wrong.url("https", "#sni=n"), named).unwrap();
}

#[test]
fn plain_text_where_tls_was_meant() {
    let server = Server::start(None, ok_json("{}"));
    let authority = Authority::new();
    let failure = ask(
        &server.url("https", "#rc=0&ct=300"),
        believing(&authority, None),
    );
    let kind = failure.unwrap_err().kind;
    assert!(
        matches!(kind, FailureKind::Tls | FailureKind::ConnectTimeout),
        "{kind}"
    );
}

#[test]
fn a_server_that_wants_our_certificate_gets_it() {
    let authority = Authority::new();
    let tls = acceptor(authority.issue("localhost"), Some(&authority));
    let server = Server::start(Some(tls), ok_json("{}"));
    let failure = ask(&server.url("https", "#rc=0"), believing(&authority, None)).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Tls, "{failure}");
    let own = authority.issue("switch.test");
    ask(&server.url("https", ""), believing(&authority, Some(own))).unwrap();
}

#[test]
fn texts_that_are_no_certificates_are_told_apart() {
    let (certificate, key) = Authority::new().issue("x.test");
    let new = |roots: &str, certificate: &str, key: &str| {
        let texts = TlsTexts {
            roots: roots.as_bytes(),
            certificate: certificate.as_bytes(),
            key: key.as_bytes(),
        };
        TlsClient::new(texts).map_err(|error| error.to_string())
    };
    assert!(new("", &certificate, &key).is_ok());
    let words = new("nothing", "", "").unwrap_err();
    assert_eq!(words, "there is no root certificate in it (PEM)");
    let words = new("", "nothing", &key).unwrap_err();
    assert_eq!(words, "there is no certificate in it (PEM)");
    let words = new("", &certificate, "nothing").unwrap_err();
    assert_eq!(words, "there is no private key in it (PEM)");
    let (_, other) = Authority::new().issue("x.test");
    assert!(new("", &certificate, &other).is_err());
}

#[test]
fn a_switch_that_stops_keeps_what_it_could_not_say() {
    let clock = Arc::new(Turned::real());
    let shelf = MemoryShelf::default();
    let kept = Arc::new(shelf.clone());
    let task = WebTask::start(with_terms(at_home()), clock, Entropy::from_os(), kept).unwrap();
    task.web().notify(crate::webhook::Notice {
        to: To::Url("http://127.0.0.1:1/".into()),
        method: None,
        content: Content::Nothing,
        call: None,
        what: "status callback".into(),
    });
    task.stop(Duration::from_millis(1));
    assert_eq!(shelf.0.lock().unwrap().len(), 1);
}

#[test]
fn another_server_is_not_shown_our_certificate() {
    let authority = Authority::new();
    let wanting = acceptor(authority.issue("localhost"), Some(&authority));
    let elsewhere = Server::start(Some(wanting), ok_json("{}"));
    let location = format!("Location: {}\r\n", elsewhere.url("https", ""));
    let redirect = super::world::reply(307, &location, "");
    let first = Server::start(Some(acceptor(authority.issue("localhost"), None)), redirect);
    let own = authority.issue("switch.test");
    let terms = believing(&authority, Some(own));
    let failure = ask(&first.url("https", "#rc=0"), terms).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Tls, "{failure}");
}
