//! On loopback, with ports the kernel chooses.

mod limits;
mod tls;

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::timeout;

use super::*;
use crate::base::{Entropy, Timestamp};
use crate::sip::guard::Rules;

/// The first moment, for ever.
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::ZERO
    }
}

const MESSAGE: &[u8] = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 4\r\n\r\nbody";

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async { timeout(Duration::from_secs(20), test).await.unwrap() });
}

async fn bind(listeners: &[(Protocol, &str)], limits: TransportLimits) -> Transport {
    let listeners: Vec<_> = listeners
        .iter()
        .map(|(protocol, address)| (*protocol, address.parse().unwrap()))
        .collect();
    Transport::bind(&listeners, limits).await.unwrap()
}

async fn both() -> (Transport, SocketAddr, SocketAddr) {
    let listeners = [
        (Protocol::Udp, "127.0.0.1:0"),
        (Protocol::Tcp, "127.0.0.1:0"),
    ];
    let transport = bind(&listeners, TransportLimits::default()).await;
    let locals = transport.local_addrs();
    (transport, locals[0].1, locals[1].1)
}

#[test]
fn datagrams_go_both_ways_over_both_families() {
    run(async {
        let listeners = [(Protocol::Udp, "127.0.0.1:0"), (Protocol::Udp, "[::1]:0")];
        let mut transport = bind(&listeners, TransportLimits::default()).await;
        for (_, local) in transport.local_addrs() {
            let any = SocketAddr::new(local.ip(), 0);
            let peer = UdpSocket::bind(any).await.unwrap();
            peer.send_to(MESSAGE, local).await.unwrap();
            let Incoming::Datagram(flow, bytes) = transport.recv().await else {
                panic!("no datagram");
            };
            assert_eq!(bytes, MESSAGE);
            assert_eq!(flow, Flow::udp(local, peer.local_addr().unwrap()));
            transport.send(&flow, Bytes::from_static(b"back"));
            let mut buffer = [0; 100];
            let (length, from) = peer.recv_from(&mut buffer).await.unwrap();
            assert_eq!((&buffer[..length], from), (&b"back"[..], local));
        }
    });
}

#[test]
fn a_burst_of_datagrams_is_taken_at_once_and_in_order() {
    run(async {
        let (mut transport, local, _) = both().await;
        let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        for number in 0..200u8 {
            peer.send_to(&[number], local).await.unwrap();
        }
        let mut seen = Vec::new();
        let Incoming::Datagram(_, first) = transport.recv().await else {
            panic!("no datagram");
        };
        seen.push(first[0]);
        while let Some(incoming) = transport.try_recv() {
            let Incoming::Datagram(_, bytes) = incoming else {
                panic!("{incoming:?}");
            };
            seen.push(bytes[0]);
        }
        assert_eq!(seen, (0..200).collect::<Vec<u8>>());
    });
}

#[test]
fn a_cancelled_recv_loses_nothing() {
    run(async {
        let (mut transport, local, stream) = both().await;
        let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(stream).await.unwrap();
        let (mut received, mut round) = (0, 0);
        while received < 100 {
            if round < 50 {
                peer.send_to(MESSAGE, local).await.unwrap();
                client.write_all(MESSAGE).await.unwrap();
                round += 1;
            }
            for _ in 0..3 {
                tokio::select! {
                    biased;
                    () = tokio::task::yield_now() => {}
                    incoming = transport.recv() => {
                        assert!(matches!(incoming, Incoming::Datagram(..)));
                        received += 1;
                    }
                }
            }
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn a_stream_yields_whole_messages_and_takes_answers() {
    run(async {
        let (mut transport, _, local) = both().await;
        let mut client = TcpStream::connect(local).await.unwrap();
        client.write_all(&MESSAGE[..30]).await.unwrap();
        let early = timeout(Duration::from_millis(30), transport.recv()).await;
        assert!(early.is_err());
        let rest = [&MESSAGE[30..], MESSAGE].concat();
        client.write_all(&rest).await.unwrap();
        let mut flow = None;
        for _ in 0..2 {
            let Incoming::Datagram(from, bytes) = transport.recv().await else {
                panic!("no message");
            };
            assert_eq!(bytes, MESSAGE);
            flow = Some(from);
        }
        let flow = flow.unwrap();
        assert_eq!(flow.remote, client.local_addr().unwrap());
        assert_eq!(flow.local, local);
        // By connection, and by address alone.
        transport.send(&flow, Bytes::from_static(b"one"));
        let by_address = Flow::tcp(flow.local, flow.remote, None);
        transport.send(&by_address, Bytes::from_static(b"two"));
        let mut buffer = [0; 6];
        let reading = client.read_exact(&mut buffer);
        tokio::select! {
            result = reading => { result.unwrap(); }
            incoming = transport.recv() => panic!("{incoming:?}"),
        }
        assert_eq!(&buffer, b"onetwo");
        drop(client);
        assert_eq!(transport.recv().await, Incoming::Closed(flow));
        transport.send(&flow, Bytes::from_static(b"three"));
        assert_eq!(transport.recv().await, Incoming::Failed(flow));
    });
}

#[test]
fn a_keep_alive_is_answered() {
    run(async {
        let (mut transport, _, local) = both().await;
        let mut client = TcpStream::connect(local).await.unwrap();
        client.write_all(b"\r\n\r\n").await.unwrap();
        let mut buffer = [0; 2];
        tokio::select! {
            result = client.read_exact(&mut buffer) => { result.unwrap(); }
            incoming = transport.recv() => panic!("{incoming:?}"),
        }
        assert_eq!(&buffer, b"\r\n");
    });
}

#[test]
fn a_connection_is_opened_on_demand_and_reused() {
    run(async {
        let (mut transport, _, local) = both().await;
        let peer = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let flow = Flow::tcp(local, peer.local_addr().unwrap(), None);
        for part in ["one", "two", "three"] {
            transport.send(&flow, Bytes::from_static(part.as_bytes()));
        }
        let (mut socket, _) = peer.accept().await.unwrap();
        let mut buffer = [0; 11];
        socket.read_exact(&mut buffer).await.unwrap();
        assert_eq!(&buffer, b"onetwothree");
        socket.write_all(MESSAGE).await.unwrap();
        let Incoming::Datagram(from, bytes) = transport.recv().await else {
            panic!("no message");
        };
        assert_eq!((from.remote, &bytes[..]), (flow.remote, MESSAGE));
        assert!(from.connection.is_some());
        assert_eq!(transport.stats().connections.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_connection_refused_is_reported() {
    run(async {
        let (mut transport, _, local) = both().await;
        let peer = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let remote = peer.local_addr().unwrap();
        drop(peer);
        transport.send(&Flow::tcp(local, remote, None), Bytes::from_static(MESSAGE));
        let Incoming::Failed(flow) = transport.recv().await else {
            panic!("no failure");
        };
        assert_eq!(flow.remote, remote);
    });
}

#[test]
fn connections_are_limited_in_number_and_patience() {
    run(async {
        let limits = TransportLimits {
            connections_per_address: 2,
            message: Duration::from_millis(50),
            ..TransportLimits::default()
        };
        let mut transport = bind(&[(Protocol::Tcp, "127.0.0.1:0")], limits).await;
        let local = transport.local_addrs()[0].1;
        let mut clients = Vec::new();
        for _ in 0..4 {
            clients.push(TcpStream::connect(local).await.unwrap());
        }
        // None of them ever says anything.
        for _ in 0..2 {
            assert!(matches!(transport.recv().await, Incoming::Closed(_)));
        }
        let stats = transport.stats();
        assert_eq!(stats.connections_refused.load(Ordering::Relaxed), 2);
        assert_eq!(stats.connections_cut.load(Ordering::Relaxed), 2);
        assert_eq!(stats.connections.load(Ordering::Relaxed), 0);
    });
}

#[test]
fn a_peer_that_does_not_read_is_cut_off() {
    run(async {
        let limits = TransportLimits {
            write_queue: 100_000,
            ..TransportLimits::default()
        };
        let mut transport = bind(&[(Protocol::Tcp, "127.0.0.1:0")], limits).await;
        let local = transport.local_addrs()[0].1;
        let mut client = TcpStream::connect(local).await.unwrap();
        client.write_all(MESSAGE).await.unwrap();
        let Incoming::Datagram(flow, _) = transport.recv().await else {
            panic!("no message");
        };
        let block = Bytes::from(vec![b'x'; 60_000]);
        let mut sent = 0;
        let failure = loop {
            transport.send(&flow, block.clone());
            sent += 1;
            assert!(sent < 10_000, "nothing stops us");
            if let Some(incoming) = transport.try_recv() {
                break incoming;
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(failure, Incoming::Failed(flow));
        assert_eq!(transport.recv().await, Incoming::Closed(flow));
    });
}

#[test]
fn what_breaks_the_framing_is_cut_off() {
    run(async {
        let (mut transport, _, local) = both().await;
        let mut client = TcpStream::connect(local).await.unwrap();
        let bad = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: nonsense\r\n\r\n";
        client.write_all(bad).await.unwrap();
        assert!(matches!(transport.recv().await, Incoming::Closed(_)));
        let cut = &transport.stats().connections_cut;
        assert_eq!(cut.load(Ordering::Relaxed), 1);
    });
}
