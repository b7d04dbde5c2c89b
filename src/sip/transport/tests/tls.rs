//! TLS between two transports and against a client of rustls, with certificates made here.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::sip::ServerName;

/// A certificate authority of the test's own.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            pem,
            issuer: Issuer::new(params, key),
        }
    }

    /// Certificate and key for these names and addresses; `sip:` begins a URI.
    fn certify(&self, names: &[&str]) -> (Vec<u8>, Vec<u8>) {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        for name in names {
            params
                .subject_alt_names
                .push(match name.parse::<std::net::IpAddr>() {
                    Ok(address) => SanType::IpAddress(address),
                    Err(_) if name.starts_with("sip:") => SanType::URI((*name).try_into().unwrap()),
                    Err(_) => SanType::DnsName((*name).try_into().unwrap()),
                });
        }
        let key = KeyPair::generate().unwrap();
        let made = params.signed_by(&key, &self.issuer).unwrap();
        (made.pem().into_bytes(), key.serialize_pem().into_bytes())
    }

    fn material(&self, names: &[&str]) -> TlsMaterial {
        let (certificate, key) = self.certify(names);
        TlsMaterial {
            certificate,
            key,
            client_roots: self.pem.clone().into_bytes(),
            roots: self.pem.clone().into_bytes(),
            ..TlsMaterial::default()
        }
    }
}

fn tls(material: &TlsMaterial) -> Tls {
    let tls = Tls::default();
    tls.set(Some(Arc::new(TlsConfig::new(material).unwrap())));
    tls
}

async fn node(address: &str, material: &TlsMaterial) -> (Transport, SocketAddr) {
    let mut transport = bind(&[(Protocol::Tls, address)], TransportLimits::default()).await;
    transport.set_tls(tls(material));
    let local = transport.local_addrs()[0].1;
    (transport, local)
}

/// Lets both work until one has something to say.
async fn either(a: &mut Transport, b: &mut Transport) -> (char, Incoming) {
    tokio::select! {
        incoming = a.recv() => ('a', incoming),
        incoming = b.recv() => ('b', incoming),
    }
}

fn flow(from: SocketAddr, to: SocketAddr, name: &str) -> Flow {
    Flow::new(Protocol::Tls, from, to).named(ServerName::new(name))
}

#[test]
fn messages_go_both_ways_over_one_connection_on_both_families() {
    run(async {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let authority = Authority::new();
            let (mut a, here) = node(address, &authority.material(&["a.example"])).await;
            let (mut b, there) = node(address, &authority.material(&["sip:b.example"])).await;
            a.send(&flow(here, there, "b.example"), MESSAGE.into());
            let ('b', Incoming::Datagram(from, bytes)) = either(&mut a, &mut b).await else {
                panic!("no message");
            };
            assert_eq!((from.protocol, &bytes[..]), (Protocol::Tls, MESSAGE));
            b.send(&from, MESSAGE.into());
            let ('a', Incoming::Datagram(back, _)) = either(&mut a, &mut b).await else {
                panic!("no answer");
            };
            assert_eq!(
                (back.remote, back.name),
                (there, ServerName::new("b.example"))
            );
            // The same name finds the open connection, another name does not.
            a.send(&flow(here, there, "b.example"), MESSAGE.into());
            assert!(matches!(
                either(&mut a, &mut b).await,
                ('b', Incoming::Datagram(..))
            ));
            let opened = |node: &Transport| node.stats().connections_opened.load(Ordering::Relaxed);
            assert_eq!(opened(&a), 1);
            let other = flow(here, there, "c.example");
            a.send(&other, MESSAGE.into());
            assert_eq!(opened(&a), 2);
            loop {
                match either(&mut a, &mut b).await {
                    ('a', Incoming::Failed(failed)) => break assert_eq!(failed.name, other.name),
                    ('a', other) => panic!("{other:?}"),
                    _ => {}
                }
            }
        }
    });
}

#[test]
fn a_server_must_show_a_certificate_for_the_name_asked_for() {
    run(async {
        let authority = Authority::new();
        let stranger = Authority::new();
        let wild = TlsMaterial {
            wildcards: Wildcards::FirstLabel,
            ..authority.material(&["us.example"])
        };
        let us = authority.material(&["us.example"]);
        for (what, ours, theirs, name, good) in [
            (
                "its name",
                &us,
                authority.material(&["b.example"]),
                "b.example",
                true,
            ),
            (
                "its address",
                &us,
                authority.material(&["127.0.0.1"]),
                "",
                true,
            ),
            (
                "another name",
                &us,
                authority.material(&["b.example"]),
                "c.example",
                false,
            ),
            (
                "a name, asked for by address",
                &us,
                authority.material(&["b.example"]),
                "",
                false,
            ),
            (
                "nobody's word",
                &us,
                stranger.material(&["b.example"]),
                "b.example",
                false,
            ),
            (
                "a star",
                &us,
                authority.material(&["*.b.example"]),
                "a.b.example",
                false,
            ),
            (
                "a star allowed",
                &wild,
                authority.material(&["*.b.example"]),
                "a.b.example",
                true,
            ),
        ] {
            let (mut a, here) = node("127.0.0.1:0", ours).await;
            let (mut b, there) = node("127.0.0.1:0", &theirs).await;
            a.send(&flow(here, there, name), MESSAGE.into());
            let seen = either(&mut a, &mut b).await;
            match (good, seen) {
                (true, ('b', Incoming::Datagram(..))) | (false, ('a', Incoming::Failed(_))) => {}
                (_, seen) => panic!("{what}: {seen:?}"),
            }
            let failed = a.stats().handshakes_failed.load(Ordering::Relaxed);
            assert_eq!(failed, u64::from(!good), "{what}");
        }
    });
}

/// A client that is not ours.
async fn client(
    authority: &Authority,
    to: SocketAddr,
    own: Option<(Vec<u8>, Vec<u8>)>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let (certificate, key) = own.unwrap_or_default();
    let material = TlsMaterial {
        certificate,
        key,
        roots: authority.pem.clone().into_bytes(),
        ..TlsMaterial::default()
    };
    let connector: TlsConnector = tls(&material).connector().unwrap();
    let socket = TcpStream::connect(to).await.unwrap();
    let name = rustls_pki_types::ServerName::try_from("us.example").unwrap();
    connector.connect(name, socket).await
}

/// Whether a message of the client arrives.
async fn arrives(transport: &mut Transport, client: std::io::Result<TlsStream<TcpStream>>) -> bool {
    let Ok(mut client) = client else { return false };
    // With TLS 1.3 a server's refusal comes after the client believes itself connected.
    let _ = client.write_all(MESSAGE).await;
    let _ = client.flush().await;
    matches!(transport.recv().await, Incoming::Datagram(..))
}

#[test]
fn clients_show_certificates_when_they_must() {
    run(async {
        let (authority, stranger) = (Authority::new(), Authority::new());
        for (asked, with_none, with_good, with_bad) in [
            (ClientCertificates::Off, true, true, true),
            (ClientCertificates::Requested, true, true, false),
            (ClientCertificates::Required, false, true, false),
        ] {
            let material = TlsMaterial {
                clients: asked,
                ..authority.material(&["us.example"])
            };
            for (own, good) in [
                (None, with_none),
                (Some(authority.certify(&["phone.example"])), with_good),
                (Some(stranger.certify(&["phone.example"])), with_bad),
            ] {
                let (mut transport, local) = node("127.0.0.1:0", &material).await;
                let shaking = client(&authority, local, own);
                let client = tokio::select! {
                    client = shaking => client,
                    incoming = transport.recv() => panic!("{incoming:?}"),
                };
                assert_eq!(arrives(&mut transport, client).await, good, "{asked:?}");
            }
        }
    });
}

#[test]
fn a_new_certificate_is_shown_to_the_next_and_the_old_connection_lives() {
    run(async {
        let (old, new) = (Authority::new(), Authority::new());
        let (mut transport, local) = node("127.0.0.1:0", &old.material(&["us.example"])).await;
        let shared = transport.tls.clone();
        let mut first = tokio::select! {
            client = client(&old, local, None) => client.unwrap(),
            incoming = transport.recv() => panic!("{incoming:?}"),
        };
        let config = TlsConfig::new(&new.material(&["us.example"])).unwrap();
        shared.set(Some(Arc::new(config)));
        tokio::select! {
            refused = client(&old, local, None) => assert!(refused.is_err()),
            incoming = transport.recv() => panic!("{incoming:?}"),
        }
        let second = tokio::select! {
            client = client(&new, local, None) => client.unwrap(),
            _ = async { loop { transport.recv().await; } } => unreachable!(),
        };
        assert!(arrives(&mut transport, Ok(second)).await);
        first.write_all(MESSAGE).await.unwrap();
        first.flush().await.unwrap();
        while !matches!(transport.recv().await, Incoming::Datagram(..)) {}
    });
}

#[test]
fn without_certificates_nobody_is_served() {
    run(async {
        let authority = Authority::new();
        let mut transport = bind(
            &[(Protocol::Tls, "127.0.0.1:0")],
            TransportLimits::default(),
        )
        .await;
        let local = transport.local_addrs()[0].1;
        tokio::select! {
            refused = client(&authority, local, None) => assert!(refused.is_err()),
            // Either side may be the first to notice.
            _ = async { while !matches!(transport.recv().await, Incoming::Datagram(..)) {} } => {
                panic!("served");
            }
        }
        transport.send(&Flow::new(Protocol::Tls, local, local), MESSAGE.into());
        while !matches!(transport.recv().await, Incoming::Failed(_)) {}
    });
}

#[test]
fn only_who_proved_his_name_is_called_back_over_his_connection() {
    run(async {
        let authority = Authority::new();
        let asking = TlsMaterial {
            clients: ClientCertificates::Requested,
            ..authority.material(&["us.example"])
        };
        for (names, host, reused) in [
            (&["peer.example"][..], "peer.example", true),
            (&["127.0.0.1"], "127.0.0.1", true),
            (&["peer.example"], "other.example", false),
            (&["peer.example"], "127.0.0.1", false),
            // His certificate is for an address that is not where he is.
            (&["192.0.2.1"], "192.0.2.1", false),
            (&[], "peer.example", false),
        ] {
            let (mut transport, local) = node("127.0.0.1:0", &asking).await;
            let own = (!names.is_empty()).then(|| authority.certify(names));
            let mut peer = tokio::select! {
                client = client(&authority, local, own) => client.unwrap(),
                incoming = transport.recv() => panic!("{incoming:?}"),
            };
            peer.write_all(MESSAGE).await.unwrap();
            let Incoming::Datagram(from, _) = transport.recv().await else {
                panic!("no message");
            };
            let host = Host::parse(host).unwrap();
            assert_eq!(
                transport.alias(&from, &host, Some(5061)),
                reused,
                "{names:?} {host}"
            );
            assert_eq!(transport.alias(&from, &host, Some(5061)), reused);
            let name = match &host {
                Host::Name(name) => ServerName::new(name),
                _ => None,
            };
            let way = Flow::new(Protocol::Tls, local, "127.0.0.1:5061".parse().unwrap());
            let found = transport.connections.find(&way.named(name));
            assert_eq!(found, from.connection.filter(|_| reused));
            drop(peer);
            assert_eq!(transport.recv().await, Incoming::Closed(from));
            assert_eq!(transport.connections.find(&way.named(name)), None);
        }
    });
}

#[test]
fn names_that_nobody_proved_are_not_kept() {
    run(async {
        let authority = Authority::new();
        let asking = TlsMaterial {
            clients: ClientCertificates::Requested,
            ..authority.material(&["us.example"])
        };
        for own in [None, Some(authority.certify(&["peer.example"]))] {
            let (mut transport, local) = node("127.0.0.1:0", &asking).await;
            let mut peer = tokio::select! {
                client = client(&authority, local, own) => client.unwrap(),
                incoming = transport.recv() => panic!("{incoming:?}"),
            };
            peer.write_all(MESSAGE).await.unwrap();
            let Incoming::Datagram(from, _) = transport.recv().await else {
                panic!("no message");
            };
            let host = Host::parse("made-up-by-a-peer.example").unwrap();
            assert!(!transport.alias(&from, &host, None));
            assert!(!ServerName::is_known("made-up-by-a-peer.example"));
        }
    });
}

#[test]
fn what_we_began_and_could_not_finish_is_nobodys_attack() {
    run(async {
        let authority = Authority::new();
        let (mut a, here) = node("127.0.0.1:0", &authority.material(&["a.example"])).await;
        let (mut b, there) = node("127.0.0.1:0", &authority.material(&["b.example"])).await;
        let guard = || Guard::new(Rules::default(), &mut Entropy::from_seed(1));
        let (guard_a, guard_b) = (guard(), guard());
        let clock = Arc::new(Still);
        a.set_guard(guard_a.clone(), clock.clone());
        b.set_guard(guard_b.clone(), clock);
        for number in 0..30 {
            a.send(
                &flow(here, there, &format!("c{number}.example")),
                MESSAGE.into(),
            );
            while !matches!(either(&mut a, &mut b).await, ('a', Incoming::Failed(_))) {}
        }
        assert_eq!(a.stats().handshakes_failed.load(Ordering::Relaxed), 30);
        assert_eq!(guard_a.tally().of(Attack::SlowStream), 0);
        // Who knocks and does not finish is somebody's.
        while b.stats().handshakes_failed.load(Ordering::Relaxed) < 30 {
            let _ = timeout(Duration::from_millis(20), b.recv()).await;
        }
        assert!(guard_b.tally().of(Attack::SlowStream) > 0);
    });
}

#[test]
fn nobody_is_called_back_over_tcp_for_his_word_alone() {
    run(async {
        let mut transport = bind(
            &[(Protocol::Tcp, "127.0.0.1:0")],
            TransportLimits::default(),
        )
        .await;
        let mut peer = TcpStream::connect(transport.local_addrs()[0].1)
            .await
            .unwrap();
        peer.write_all(MESSAGE).await.unwrap();
        let Incoming::Datagram(from, _) = transport.recv().await else {
            panic!("no message");
        };
        let host = Host::from(from.remote.ip());
        assert!(!transport.alias(&from, &host, Some(5060)));
    });
}

#[test]
fn what_does_not_fit_is_named() {
    let authority = Authority::new();
    let good = authority.material(&["us.example"]);
    let other = authority.material(&["us.example"]);
    let error = |material: TlsMaterial| TlsConfig::new(&material).unwrap_err();
    let with = |change: fn(&mut TlsMaterial)| {
        let mut material = good.clone();
        change(&mut material);
        error(material)
    };
    assert_eq!(
        error(TlsMaterial {
            key: other.key,
            ..good.clone()
        }),
        TlsError::KeyDoesNotFit
    );
    let nonsense = |material: &mut TlsMaterial| material.certificate = b"nonsense".to_vec();
    assert!(matches!(with(nonsense), TlsError::Certificate(_)));
    assert!(matches!(
        with(|material| material.key = Vec::new()),
        TlsError::Key(_)
    ));
    assert!(matches!(
        with(|material| material.roots = b"x".to_vec()),
        TlsError::Roots(_)
    ));
    let no_clients = |material: &mut TlsMaterial| {
        material.clients = ClientCertificates::Required;
        material.client_roots = Vec::new();
    };
    assert!(matches!(with(no_clients), TlsError::ClientRoots(_)));
}
