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
