//! Half-open, silent, slow and chatty peers.

use super::*;

async fn listening(limits: TransportLimits) -> (Transport, SocketAddr) {
    let transport = bind(&[(Protocol::Tcp, "127.0.0.1:0")], limits).await;
    let local = transport.local_addrs()[0].1;
    (transport, local)
}

fn count_of(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

#[test]
fn who_fills_the_house_with_silence_is_cut_first() {
    run(async {
        let (mut transport, local) = listening(TransportLimits {
            half_open: 2,
            ..TransportLimits::default()
        })
        .await;
        let mut silent = Vec::new();
        for _ in 0..2 {
            silent.push(TcpStream::connect(local).await.unwrap());
        }
        let mut good = TcpStream::connect(local).await.unwrap();
        good.write_all(MESSAGE).await.unwrap();
        let first = silent[0].local_addr().unwrap();
        let Incoming::Closed(cut) = transport.recv().await else {
            panic!("nobody cut");
        };
        assert_eq!(cut.remote, first);
        assert!(matches!(transport.recv().await, Incoming::Datagram(..)));
        // Who has spoken is no longer half open, and stays.
        silent.push(TcpStream::connect(local).await.unwrap());
        good.write_all(MESSAGE).await.unwrap();
        assert!(matches!(transport.recv().await, Incoming::Datagram(..)));
        assert_eq!(count_of(&transport.stats().connections_cut), 1);
    });
}

#[test]
fn one_address_has_so_many_half_open_and_no_more() {
    run(async {
        let (mut transport, local) = listening(TransportLimits {
            half_open_per_address: 1,
            ..TransportLimits::default()
        })
        .await;
        let mut one = TcpStream::connect(local).await.unwrap();
        let mut two = TcpStream::connect(local).await.unwrap();
        let mut buffer = [0; 1];
        tokio::select! {
            end = two.read(&mut buffer) => assert!(!matches!(end, Ok(1..))),
            incoming = transport.recv() => panic!("{incoming:?}"),
        }
        one.write_all(MESSAGE).await.unwrap();
        assert!(matches!(transport.recv().await, Incoming::Datagram(..)));
        let mut three = TcpStream::connect(local).await.unwrap();
        three.write_all(MESSAGE).await.unwrap();
        assert!(matches!(transport.recv().await, Incoming::Datagram(..)));
        assert_eq!(count_of(&transport.stats().connections_refused), 1);
    });
}

/// A stream that brought one message.
async fn speaking(transport: &mut Transport, local: SocketAddr) -> (TcpStream, Flow) {
    let mut peer = TcpStream::connect(local).await.unwrap();
    peer.write_all(MESSAGE).await.unwrap();
    loop {
        if let Incoming::Datagram(flow, _) = transport.recv().await {
            return (peer, flow);
        }
    }
}

#[test]
fn when_all_places_are_taken_the_stranger_silent_for_longest_goes() {
    run(async {
        let (mut transport, local) = listening(TransportLimits {
            connections: 3,
            ..TransportLimits::default()
        })
        .await;
        let (_known, known) = speaking(&mut transport, local).await;
        transport.know(&known);
        let (mut first, first_flow) = speaking(&mut transport, local).await;
        let (_second, second_flow) = speaking(&mut transport, local).await;
        // The first says something again: the second is silent for longer now.
        first.write_all(MESSAGE).await.unwrap();
        assert!(matches!(transport.recv().await, Incoming::Datagram(..)));
        for longest in [second_flow, first_flow] {
            let mut new = TcpStream::connect(local).await.unwrap();
            new.write_all(MESSAGE).await.unwrap();
            assert_eq!(transport.recv().await, Incoming::Closed(longest));
            let Incoming::Datagram(flow, _) = transport.recv().await else {
                panic!("the new one is not heard");
            };
            transport.know(&flow);
            std::mem::forget(new);
        }
        // All are known now: who comes next is turned away.
        let mut late = TcpStream::connect(local).await.unwrap();
        let mut buffer = [0; 1];
        tokio::select! {
            end = late.read(&mut buffer) => assert!(!matches!(end, Ok(1..))),
            incoming = transport.recv() => panic!("{incoming:?}"),
        }
        assert_eq!(count_of(&transport.stats().connections_refused), 1);
    });
}

#[test]
fn a_known_address_keeps_its_place_without_a_password() {
    run(async {
        let (mut transport, local) = listening(TransportLimits {
            connections: 1,
            ..TransportLimits::default()
        })
        .await;
        let rules = |exempt: &[&str]| Rules {
            exempt: exempt.iter().map(|one| one.parse().unwrap()).collect(),
            ..Rules::default()
        };
        let guard = Guard::new(rules(&["127.0.0.1"]), &mut Entropy::from_seed(1));
        transport.set_guard(guard, Arc::new(Still));
        let (_carrier, _) = speaking(&mut transport, local).await;
        let mut late = TcpStream::connect(local).await.unwrap();
        let mut buffer = [0; 1];
        tokio::select! {
            end = late.read(&mut buffer) => assert!(!matches!(end, Ok(1..))),
            incoming = transport.recv() => panic!("{incoming:?}"),
        }
    });
}

#[test]
fn who_connects_to_us_takes_no_room_from_those_we_connect_to() {
    run(async {
        let (mut transport, local) = listening(TransportLimits {
            connections: 1,
            connections_begun: 1,
            connections_per_address: 1,
            ..TransportLimits::default()
        })
        .await;
        let _peer = speaking(&mut transport, local).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let remote = listener.local_addr().unwrap();
        transport.send(&Flow::tcp(local, remote, None), MESSAGE.into());
        let (mut carrier, _) = listener.accept().await.unwrap();
        carrier
            .read_exact(&mut vec![0; MESSAGE.len()])
            .await
            .unwrap();
        let other: SocketAddr = "127.0.0.2:9".parse().unwrap();
        transport.send(&Flow::tcp(local, other, None), MESSAGE.into());
        assert!(matches!(transport.recv().await, Incoming::Failed(_)));
        assert_eq!(count_of(&transport.stats().connections_refused), 1);
    });
}

#[test]
fn addresses_of_one_subscriber_count_together() {
    run(async {
        let limits = TransportLimits {
            connections_per_address: 2,
            ..TransportLimits::default()
        };
        let (notifier, _notices) = mpsc::channel(9);
        let mut connections = Connections::default();
        let [first, second, third, other] = [
            "2001:db8:1:2::1",
            "2001:db8:1:2::2",
            "2001:db8:1:2:3::3",
            "2001:db8:1:3::1",
        ]
        .map(|text| text.parse().unwrap());
        let local = "[::1]:5060".parse().unwrap();
        let mut ids = Vec::new();
        for address in [first, second] {
            assert!(connections.may_accept(address, &limits));
            let id = connections.next_id(limits.shard);
            let flow = Flow::tcp(local, SocketAddr::new(address, 5060), Some(id));
            let connection = Connection::open(flow, &limits, &Tls::default(), notifier.clone());
            connections.add(id, connection, Begun::There);
            ids.push(id);
        }
        assert!(!connections.may_accept(third, &limits));
        assert!(connections.may_accept(other, &limits));
        connections.remove(ids[0]);
        assert!(connections.may_accept(third, &limits));
    });
}

#[test]
fn a_message_that_never_ends_is_cut_off_however_busy_it_looks() {
    run(async {
        for drip in ["A: b\r\n", "\r\n\r\n"] {
            let (mut transport, local) = listening(TransportLimits {
                message: Duration::from_millis(60),
                ..TransportLimits::default()
            })
            .await;
            let mut loris = TcpStream::connect(local).await.unwrap();
            let dripping = async {
                if drip.starts_with('A') {
                    loris.write_all(b"OPTIONS sip:a SIP/2.0\r\n").await.unwrap();
                }
                while loris.write_all(drip.as_bytes()).await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                std::future::pending::<()>().await;
            };
            tokio::select! {
                () = dripping => {}
                incoming = transport.recv() => assert!(matches!(incoming, Incoming::Closed(_))),
            }
            assert_eq!(count_of(&transport.stats().connections_cut), 1);
        }
    });
}

#[test]
fn who_asks_for_signs_of_life_all_the_time_gets_few_and_is_cut() {
    run(async {
        let (mut transport, local) = listening(TransportLimits::default()).await;
        let mut peer = TcpStream::connect(local).await.unwrap();
        peer.write_all(&b"\r\n\r\n".repeat(1000)).await.unwrap();
        assert!(matches!(transport.recv().await, Incoming::Closed(_)));
        let stats = transport.stats();
        assert_eq!(count_of(&stats.connections_cut), 1);
        assert!((10..=11).contains(&count_of(&stats.pings_answered)));
    });
}

#[test]
fn an_answer_to_a_sign_of_life_is_no_message_begun() {
    run(async {
        let (mut transport, local) = listening(TransportLimits {
            message: Duration::from_millis(50),
            idle: Duration::from_millis(300),
            ..TransportLimits::default()
        })
        .await;
        let mut peer = TcpStream::connect(local).await.unwrap();
        peer.write_all(MESSAGE).await.unwrap();
        assert!(matches!(transport.recv().await, Incoming::Datagram(..)));
        peer.write_all(b"\r\n").await.unwrap();
        assert!(matches!(transport.recv().await, Incoming::Closed(_)));
        // Idle, not cut.
        assert_eq!(count_of(&transport.stats().connections_cut), 0);
    });
}

#[test]
fn whose_flow_has_a_timer_of_its_own_is_dropped_by_it() {
    run(async {
        let (mut transport, local) = listening(TransportLimits::default()).await;
        let mut peer = TcpStream::connect(local).await.unwrap();
        peer.write_all(MESSAGE).await.unwrap();
        let Incoming::Datagram(flow, _) = transport.recv().await else {
            panic!("no message");
        };
        transport.set_idle(&flow, Duration::from_millis(50));
        assert_eq!(transport.recv().await, Incoming::Closed(flow));
    });
}

/// A connection of ours to a peer that answers signs of life `pongs` times.
async fn kept_alive(pongs: usize) -> (u64, bool) {
    let (mut transport, local) = listening(TransportLimits {
        ping: Duration::from_millis(20),
        pong: Duration::from_millis(200),
        ..TransportLimits::default()
    })
    .await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let remote = listener.local_addr().unwrap();
    transport.send(&Flow::tcp(local, remote, None), MESSAGE.into());
    let peer = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut message = vec![0; MESSAGE.len()];
        socket.read_exact(&mut message).await.unwrap();
        socket.write_all(MESSAGE).await.unwrap();
        let (mut pings, mut buffer) = (0, [0; 4]);
        while pings < 4 {
            if socket.read_exact(&mut buffer).await.is_err() {
                // Our side says so, too.
                std::future::pending::<()>().await;
            }
            assert_eq!(&buffer, b"\r\n\r\n");
            if pings < pongs as u64 {
                socket.write_all(b"\r\n").await.unwrap();
            }
            pings += 1;
        }
        pings
    };
    let ours = async { while !matches!(transport.recv().await, Incoming::Closed(_)) {} };
    tokio::select! {
        pings = peer => (pings, false),
        () = ours => (0, true),
    }
}

#[test]
fn a_connection_of_ours_asks_for_signs_of_life() {
    run(async {
        assert_eq!(kept_alive(4).await, (4, false));
        // Who never answers may not know how to.
        assert_eq!(kept_alive(0).await, (4, false));
        // Who did and no longer does is gone.
        assert_eq!(kept_alive(2).await, (0, true));
    });
}
