//! Listening for connections.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::stream::Notice;
use crate::sip::Protocol;

/// Listens for connections.
pub(super) fn listen(address: SocketAddr, reuse_port: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    if reuse_port {
        socket.set_reuse_port(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Hands accepted connections to the pump.
pub(super) async fn accept(
    protocol: Protocol,
    listener: TcpListener,
    notifier: mpsc::Sender<Notice>,
) {
    loop {
        let Ok((socket, remote)) = listener.accept().await else {
            // Out of descriptors, most likely: connections wait in the backlog meanwhile.
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let Ok(local) = socket.local_addr() else {
            continue;
        };
        let notice = Notice::Accepted {
            protocol,
            socket,
            local,
            remote,
        };
        if notifier.send(notice).await.is_err() {
            return;
        }
    }
}

/// Connections waiting to be accepted.
const BACKLOG: i32 = 1024;
/// Long enough not to spin while descriptors are short, short enough not to be noticed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
