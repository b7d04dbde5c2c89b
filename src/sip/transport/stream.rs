//! The pump's end of one connection, TCP or TLS: writes at once or queues for the task.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;

use super::certificate::Certificate;
use super::tls::Tls;
use super::wire::{Begin, Wire};
use super::{TransportLimits, wire};
use crate::sip::{Flow, Protocol};

/// What the tasks tell the pump.
#[derive(Debug)]
pub(super) enum Notice {
    Accepted {
        protocol: Protocol,
        socket: TcpStream,
        local: SocketAddr,
        remote: SocketAddr,
    },
    /// Who accepts TLS knows whom he talks to: the other side showed a good certificate.
    Known(Flow, Box<Certificate>),
    Message(Flow, Bytes),
    /// The other side wants to know whether we are there (RFC 5626 §3.5.1).
    Ping(Flow),
    Ended {
        flow: Flow,
        how: Ending,
    },
}

/// How a connection came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// By us: what came has no framing, or none within the bounds.
    Broken,
    /// By the other side, or for idleness.
    Closed,
    /// By us, for what the other side did or left undone.
    Cut,
    /// The other side did not pass, or did not finish, the handshake of TLS.
    Handshake,
    /// It could not be opened.
    Unreachable,
}

/// The pump's end of one connection.
#[derive(Debug)]
pub(super) struct Connection {
    flow: Flow,
    /// The socket, for writing at once; only accepted ones without TLS have it.
    socket: Option<Arc<TcpStream>>,
    queue: mpsc::UnboundedSender<Bytes>,
    /// Bytes handed to the task and not yet written: what bounds the queue.
    queued: Arc<AtomicUsize>,
    limit: usize,
    idle: watch::Sender<Duration>,
    /// Whom the other side's certificate is for.
    peer: Option<Box<Certificate>>,
    task: AbortHandle,
}

impl Connection {
    /// Opens a connection; what is sent meanwhile waits in its queue.
    pub(super) fn open(
        flow: Flow,
        limits: &TransportLimits,
        tls: &Tls,
        notifier: mpsc::Sender<Notice>,
    ) -> Self {
        let begin = Begin::Connect {
            connector: flow.protocol.is_secure().then(|| tls.connector()),
        };
        Self::start(flow, None, begin, limits, notifier)
    }

    /// Takes over an accepted connection.
    pub(super) fn accepted(
        flow: Flow,
        socket: TcpStream,
        limits: &TransportLimits,
        tls: &Tls,
        notifier: mpsc::Sender<Notice>,
    ) -> Self {
        wire::tune(&socket);
        if flow.protocol.is_secure() {
            let begin = Begin::Handshake {
                socket,
                acceptor: tls.acceptor(),
            };
            return Self::start(flow, None, begin, limits, notifier);
        }
        let socket = Arc::new(socket);
        let begin = Begin::Plain {
            socket: socket.clone(),
        };
        Self::start(flow, Some(socket), begin, limits, notifier)
    }

    fn start(
        flow: Flow,
        socket: Option<Arc<TcpStream>>,
        begin: Begin,
        limits: &TransportLimits,
        notifier: mpsc::Sender<Notice>,
    ) -> Self {
        let (queue, waiting) = mpsc::unbounded_channel();
        let (idle, patience) = watch::channel(limits.idle);
        let queued = Arc::new(AtomicUsize::new(0));
        let wire = Wire {
            flow,
            limits: limits.clone(),
            idle: patience,
            notifier,
            queue: queue.clone(),
            waiting,
            queued: Arc::clone(&queued),
        };
        let task = tokio::spawn(wire.run(begin));
        Self {
            flow,
            socket,
            queue,
            queued,
            limit: limits.write_queue,
            idle,
            peer: None,
            task: task.abort_handle(),
        }
    }

    pub(super) fn flow(&self) -> Flow {
        self.flow
    }

    pub(super) fn peer(&self) -> Option<&Certificate> {
        self.peer.as_deref()
    }

    pub(super) fn set_peer(&mut self, peer: Box<Certificate>) {
        self.peer = Some(peer);
    }

    /// How long the other side may be silent from now on.
    pub(super) fn set_idle(&self, idle: Duration) {
        // A task that is gone has told so already.
        let _ = self.idle.send(idle);
    }

    /// Writes or queues; false when the connection is gone or its queue full.
    pub(super) fn send(&self, mut message: Bytes) -> bool {
        if self.queued.load(Ordering::Acquire) == 0
            && let Some(socket) = &self.socket
        {
            // Nothing is waiting, so the task is not writing: the order is kept.
            match socket.try_write(&message) {
                Ok(length) => message.advance(length),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return false,
            }
            if message.is_empty() {
                return true;
            }
        }
        let length = message.len();
        let before = self.queued.fetch_add(length, Ordering::AcqRel);
        before + length <= self.limit && self.queue.send(message).is_ok()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}
