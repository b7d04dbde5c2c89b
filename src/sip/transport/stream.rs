//! TCP: listeners, and one task per connection that reads, frames and writes.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Buf, Bytes};
use socket2::{Domain, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::sip::{Flow, Frame, StreamFramer, StreamLimits};

use super::TransportLimits;

/// What the tasks tell the pump.
#[derive(Debug)]
pub(super) enum Notice {
    Accepted {
        socket: TcpStream,
        local: SocketAddr,
        remote: SocketAddr,
    },
    Message(Flow, Bytes),
    /// The other side wants to know whether we are there (RFC 5626 §3.5.1).
    Ping(Flow),
    Ended {
        flow: Flow,
        /// It had been open.
        connected: bool,
        /// We ended it because the other side misbehaved.
        cut: bool,
    },
}

/// The pump's end of one connection.
#[derive(Debug)]
pub(super) struct Connection {
    flow: Flow,
    /// The socket, for writing at once; only accepted ones have it.
    socket: Option<Arc<TcpStream>>,
    queue: mpsc::UnboundedSender<Bytes>,
    /// Bytes handed to the task and not yet written: what bounds the queue.
    queued: Arc<AtomicUsize>,
    limit: usize,
    task: AbortHandle,
}

impl Connection {
    /// Opens a connection; what is sent meanwhile waits in its queue.
    pub(super) fn open(
        flow: Flow,
        limits: &TransportLimits,
        notifier: mpsc::Sender<Notice>,
    ) -> Self {
        let (queue, waiting) = mpsc::unbounded_channel();
        let queued = Arc::new(AtomicUsize::new(0));
        let wire = Wire::new(flow, limits, notifier, waiting, Arc::clone(&queued));
        let patience = limits.connect;
        let task = tokio::spawn(async move {
            match timeout(patience, connect(flow)).await {
                Ok(Ok(socket)) => wire.run(Arc::new(socket)).await,
                _ => wire.ended(false, false).await,
            }
        });
        Self {
            flow,
            socket: None,
            queue,
            queued,
            limit: limits.write_queue,
            task: task.abort_handle(),
        }
    }

    /// Takes over an accepted connection.
    pub(super) fn accepted(
        flow: Flow,
        socket: TcpStream,
        limits: &TransportLimits,
        notifier: mpsc::Sender<Notice>,
    ) -> Self {
        let (queue, waiting) = mpsc::unbounded_channel();
        let queued = Arc::new(AtomicUsize::new(0));
        let wire = Wire::new(flow, limits, notifier, waiting, Arc::clone(&queued));
        tune(&socket);
        let socket = Arc::new(socket);
        let task = tokio::spawn(wire.run(Arc::clone(&socket)));
        Self {
            flow,
            socket: Some(socket),
            queue,
            queued,
            limit: limits.write_queue,
            task: task.abort_handle(),
        }
    }

    pub(super) fn flow(&self) -> Flow {
        self.flow
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

/// The task's end of one connection.
struct Wire {
    flow: Flow,
    idle: Duration,
    message: Duration,
    notifier: mpsc::Sender<Notice>,
    waiting: mpsc::UnboundedReceiver<Bytes>,
    queued: Arc<AtomicUsize>,
}

/// How a connection came to its end.
enum Ending {
    /// By the other side, or for idleness.
    Closed,
    /// By us, for what the other side did or left undone.
    Cut,
}

impl Wire {
    fn new(
        flow: Flow,
        limits: &TransportLimits,
        notifier: mpsc::Sender<Notice>,
        waiting: mpsc::UnboundedReceiver<Bytes>,
        queued: Arc<AtomicUsize>,
    ) -> Self {
        Self {
            flow,
            idle: limits.idle,
            message: limits.message,
            notifier,
            waiting,
            queued,
        }
    }

    async fn run(mut self, socket: Arc<TcpStream>) {
        let reading = read(
            &socket,
            self.flow,
            (self.idle, self.message),
            &self.notifier,
        );
        let writing = write(&socket, &mut self.waiting, &self.queued);
        let ending = tokio::select! {
            ending = reading => ending,
            ending = writing => ending,
        };
        self.ended(true, matches!(ending, Ending::Cut)).await;
    }

    async fn ended(self, connected: bool, cut: bool) {
        // Before a connection was open, those who asked for it did not know its number.
        let notice = Notice::Ended {
            flow: self.flow,
            connected,
            cut,
        };
        let _ = self.notifier.send(notice).await;
    }
}

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
pub(super) async fn accept(listener: TcpListener, notifier: mpsc::Sender<Notice>) {
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
            socket,
            local,
            remote,
        };
        if notifier.send(notice).await.is_err() {
            return;
        }
    }
}

async fn connect(flow: Flow) -> io::Result<TcpStream> {
    let socket = match flow.remote {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    let local: IpAddr = flow.local.ip();
    if !local.is_unspecified() && local.is_ipv4() == flow.remote.is_ipv4() {
        socket.bind(SocketAddr::new(local, 0))?;
    }
    let socket = socket.connect(flow.remote).await?;
    tune(&socket);
    Ok(socket)
}

fn tune(socket: &TcpStream) {
    // Both only make failures show sooner; a socket without them still works.
    let _ = socket.set_nodelay(true);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE);
    let _ = SockRef::from(socket).set_tcp_keepalive(&keepalive);
}

async fn read(
    socket: &TcpStream,
    flow: Flow,
    (idle, patience): (Duration, Duration),
    notifier: &mpsc::Sender<Notice>,
) -> Ending {
    let mut framer = StreamFramer::new(StreamLimits::default());
    let mut buffer = vec![0; READ_BUFFER];
    // A peer must prove with one whole message that it speaks SIP; later, what it begins it must
    // end. In between it may be silent.
    let mut complete_by = Some(Instant::now() + patience);
    loop {
        let deadline = complete_by.unwrap_or_else(|| Instant::now() + idle);
        match timeout_at(deadline, socket.readable()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Ending::Closed,
            Err(_) if complete_by.is_some() => return Ending::Cut,
            Err(_) => return Ending::Closed,
        }
        let length = match socket.try_read(&mut buffer) {
            Ok(0) => return Ending::Closed,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(_) => return Ending::Closed,
        };
        framer.push(&buffer[..length]);
        loop {
            let notice = match framer.next() {
                None => break,
                Some(Ok(Frame::Message(message))) => {
                    // A copy: a slice would keep the whole buffer alive as long as its dialog.
                    Notice::Message(flow, Bytes::copy_from_slice(&message))
                }
                Some(Ok(Frame::KeepAlive)) => Notice::Ping(flow),
                Some(Err(_)) => return Ending::Cut,
            };
            complete_by = None;
            if notifier.send(notice).await.is_err() {
                return Ending::Closed;
            }
        }
        if framer.buffered() == 0 {
            continue;
        }
        complete_by = complete_by.or_else(|| Some(Instant::now() + patience));
    }
}

async fn write(
    socket: &TcpStream,
    waiting: &mut mpsc::UnboundedReceiver<Bytes>,
    queued: &AtomicUsize,
) -> Ending {
    while let Some(mut message) = waiting.recv().await {
        let length = message.len();
        while !message.is_empty() {
            if socket.writable().await.is_err() {
                return Ending::Closed;
            }
            match socket.try_write(&message) {
                Ok(written) => message.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Ending::Closed,
            }
        }
        queued.fetch_sub(length, Ordering::AcqRel);
    }
    Ending::Closed
}

/// Connections waiting to be accepted.
const BACKLOG: i32 = 1024;
/// Long enough not to spin while descriptors are short, short enough not to be noticed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Finds dead peers within a few minutes.
const KEEPALIVE: Duration = Duration::from_secs(120);
/// Holds several requests of the usual size.
const READ_BUFFER: usize = 8 * 1024;
