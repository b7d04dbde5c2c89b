//! The task of one connection: opens it or shakes hands, reads and frames, writes, asks for signs
//! of life (RFC 5626 §4.4.1), and cuts off who is too slow.

use std::future::pending;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Buf, Bytes};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf, split};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use super::TransportLimits;
use super::certificate::Certificate;
use super::stream::{Ending, Notice};
use super::tls::subject_of;
use crate::sip::{Flow, Frame, StreamFramer, StreamLimits};

/// How a connection begins.
pub(super) enum Begin {
    /// It is opened; inside TLS when there is a connector, not at all when there should be one.
    Connect {
        connector: Option<Option<TlsConnector>>,
    },
    /// Accepted, and TLS begins.
    Handshake {
        socket: TcpStream,
        acceptor: Option<TlsAcceptor>,
    },
    /// Accepted, and that is all.
    Plain { socket: Arc<TcpStream> },
}

/// The task's end of one connection.
pub(super) struct Wire {
    pub(super) flow: Flow,
    pub(super) limits: TransportLimits,
    /// How long the other side may be silent.
    pub(super) idle: watch::Receiver<Duration>,
    pub(super) notifier: mpsc::Sender<Notice>,
    /// The other end of `waiting`, for signs of life.
    pub(super) queue: mpsc::UnboundedSender<Bytes>,
    pub(super) waiting: mpsc::UnboundedReceiver<Bytes>,
    pub(super) queued: Arc<AtomicUsize>,
}

impl Wire {
    pub(super) async fn run(self, begin: Begin) {
        let (flow, notifier) = (self.flow, self.notifier.clone());
        let how = self.live(begin).await;
        // Before a connection was open, those who asked for it did not know its number.
        let _ = notifier.send(Notice::Ended { flow, how }).await;
    }

    async fn live(self, begin: Begin) -> Ending {
        let is_ours = matches!(begin, Begin::Connect { .. });
        let (reading, writing) = match self.begin(begin).await {
            Ok(both) => both,
            Err(ending) => return ending,
        };
        let Self {
            flow,
            limits,
            idle,
            notifier,
            queue,
            mut waiting,
            queued,
        } = self;
        let reader = Reader {
            flow,
            limits: &limits,
            idle,
            notifier,
            framer: StreamFramer::new(StreamLimits::default()),
            pulse: is_ours.then(|| Pulse::new(&flow, &limits, queue, Arc::clone(&queued))),
        };
        tokio::select! {
            ending = reader.read(reading) => ending,
            ending = write(writing, limits.write, &mut waiting, &queued) => ending,
        }
    }

    async fn begin(&self, begin: Begin) -> Result<(Reading, Writing), Ending> {
        match begin {
            Begin::Plain { socket } => Ok((Reading::Plain(socket.clone()), Writing::Plain(socket))),
            Begin::Handshake { socket, acceptor } => {
                let acceptor = acceptor.ok_or(Ending::Handshake)?;
                let shaking = timeout(self.limits.handshake, acceptor.accept(socket));
                let stream = match shaking.await {
                    Ok(Ok(stream)) => stream,
                    Ok(Err(error)) => {
                        // Whoever knocks decides how often: not a line for everybody.
                        tracing::debug!(%error, "TLS handshake refused");
                        return Err(Ending::Handshake);
                    }
                    Err(_) => return Err(Ending::Handshake),
                };
                let shown = stream.get_ref().1.peer_certificates();
                let peer = shown.and_then(|chain| Certificate::read(chain.first()?));
                if let Some(peer) = peer {
                    let known = Notice::Known(self.flow, Box::new(peer));
                    let _ = self.notifier.send(known).await;
                }
                Ok(halves(TlsStream::Server(stream)))
            }
            Begin::Connect { connector } => self.connect(connector).await,
        }
    }

    async fn connect(
        &self,
        connector: Option<Option<TlsConnector>>,
    ) -> Result<(Reading, Writing), Ending> {
        let remote = crate::base::Pii(self.flow.remote);
        let socket = match timeout(self.limits.connect, connect(self.flow)).await {
            Ok(Ok(socket)) => socket,
            Ok(Err(_)) | Err(_) => return Err(Ending::Unreachable),
        };
        let Some(connector) = connector else {
            let socket = Arc::new(socket);
            return Ok((Reading::Plain(socket.clone()), Writing::Plain(socket)));
        };
        let Some(connector) = connector else {
            tracing::warn!(%remote, "TLS is not set up: [sip.tls] in node.toml");
            return Err(Ending::Handshake);
        };
        let shaking = connector.connect(subject_of(&self.flow), socket);
        match timeout(self.limits.handshake, shaking).await {
            Ok(Ok(stream)) => Ok(halves(TlsStream::Client(stream))),
            Ok(Err(error)) => {
                tracing::warn!(%remote, %error, "TLS handshake failed");
                Err(Ending::Handshake)
            }
            Err(_) => {
                tracing::warn!(%remote, "TLS handshake not in time");
                Err(Ending::Handshake)
            }
        }
    }
}

/// What is read from; reading may be cancelled.
enum Reading {
    Plain(Arc<TcpStream>),
    Secret(ReadHalf<TlsStream<TcpStream>>),
}

enum Writing {
    Plain(Arc<TcpStream>),
    Secret(WriteHalf<TlsStream<TcpStream>>),
}

fn halves(stream: TlsStream<TcpStream>) -> (Reading, Writing) {
    let (reading, writing) = split(stream);
    (Reading::Secret(reading), Writing::Secret(writing))
}

impl Reading {
    async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let socket = match self {
            Reading::Secret(stream) => return stream.read(buffer).await,
            Reading::Plain(socket) => socket,
        };
        loop {
            socket.readable().await?;
            match socket.try_read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
        }
    }
}

impl Writing {
    async fn write(&mut self, mut message: Bytes) -> io::Result<()> {
        let socket = match self {
            Writing::Secret(stream) => {
                stream.write_all(&message).await?;
                return stream.flush().await;
            }
            Writing::Plain(socket) => socket,
        };
        while !message.is_empty() {
            socket.writable().await?;
            match socket.try_write(&message) {
                Ok(written) => message.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

async fn write(
    mut writing: Writing,
    patience: Duration,
    waiting: &mut mpsc::UnboundedReceiver<Bytes>,
    queued: &AtomicUsize,
) -> Ending {
    while let Some(message) = waiting.recv().await {
        let length = message.len();
        match timeout(patience, writing.write(message)).await {
            Ok(Ok(())) => queued.fetch_sub(length, Ordering::AcqRel),
            Ok(Err(_)) => return Ending::Closed,
            Err(_) => return Ending::Cut,
        };
    }
    Ending::Closed
}

/// Reads, frames, and watches the time.
struct Reader<'a> {
    flow: Flow,
    limits: &'a TransportLimits,
    idle: watch::Receiver<Duration>,
    notifier: mpsc::Sender<Notice>,
    framer: StreamFramer,
    /// Only on connections we opened: the client asks (RFC 5626 §3.5).
    pulse: Option<Pulse>,
}

impl Reader<'_> {
    async fn read(mut self, mut reading: Reading) -> Ending {
        let mut buffer = vec![0; READ_BUFFER];
        // A peer must prove with one whole message that it speaks SIP; later, what it begins it
        // must end. In between it may be silent.
        let mut complete_by = Some(Instant::now() + self.limits.message);
        let mut heard = Instant::now();
        let mut asked = Asked::default();
        loop {
            let silent_until = heard + *self.idle.borrow_and_update();
            let wake = complete_by.unwrap_or(silent_until);
            let pulse = self.pulse.as_ref().map(Pulse::next);
            let read = tokio::select! {
                read = reading.read(&mut buffer) => read,
                () = sleep_until(wake) => {
                    return if complete_by.is_some() { Ending::Cut } else { Ending::Closed };
                }
                () = beat(pulse) => {
                    match self.pulse.as_mut().map(|pulse| pulse.beat(&mut self.framer)) {
                        Some(false) => return Ending::Cut,
                        _ => continue,
                    }
                }
                // The pump is gone, or another patience counts from now on.
                changed = self.idle.changed() => {
                    if changed.is_err() {
                        return Ending::Closed;
                    }
                    continue;
                }
            };
            let length = match read {
                Ok(0) | Err(_) => return Ending::Closed,
                Ok(length) => length,
            };
            heard = Instant::now();
            self.framer.push(buffer.get(..length).unwrap_or_default());
            loop {
                let notice = match self.framer.next() {
                    None => break,
                    Some(Ok(Frame::Message(message))) => {
                        complete_by = None;
                        // A copy: a slice would keep the whole buffer alive as long as its dialog.
                        Notice::Message(self.flow, Bytes::copy_from_slice(&message))
                    }
                    Some(Ok(Frame::KeepAlive)) => match asked.answer(heard) {
                        Answer::Now => Notice::Ping(self.flow),
                        Answer::Not => continue,
                        Answer::Cut => return Ending::Cut,
                    },
                    Some(Ok(Frame::Pong)) => {
                        self.pulse.iter_mut().for_each(Pulse::answered);
                        continue;
                    }
                    Some(Err(_)) => return Ending::Broken,
                };
                if self.notifier.send(notice).await.is_err() {
                    return Ending::Closed;
                }
            }
            if self.framer.is_inside_message() {
                complete_by = complete_by.or_else(|| Some(heard + self.limits.message));
            }
        }
    }
}

async fn beat(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => pending().await,
    }
}

/// Signs of life we ask for on a connection of ours. Who never answered one is not held to it:
/// he may not know RFC 5626.
struct Pulse {
    interval: Duration,
    pong: Duration,
    at: Instant,
    is_waiting: bool,
    knows_pongs: bool,
    queue: mpsc::UnboundedSender<Bytes>,
    queued: Arc<AtomicUsize>,
}

impl Pulse {
    fn new(
        flow: &Flow,
        limits: &TransportLimits,
        queue: mpsc::UnboundedSender<Bytes>,
        queued: Arc<AtomicUsize>,
    ) -> Self {
        // RFC 5626 §4.4.1 wants 80 to 100 % of the interval, at random, so that a thousand
        // connections opened at once do not ask at once. Their numbers are spread well enough.
        let number = flow.connection.map_or(0, |connection| connection.0);
        let share = u32::try_from(number.wrapping_mul(0x9e37_79b9) >> 16 & 0xff).unwrap_or(0);
        let interval = limits.ping - limits.ping / 5 * share / 255;
        Self {
            interval,
            pong: limits.pong,
            at: Instant::now() + interval,
            is_waiting: false,
            knows_pongs: false,
            queue,
            queued,
        }
    }

    fn next(&self) -> Instant {
        self.at
    }

    /// The time has come; false when an answer was due.
    fn beat(&mut self, framer: &mut StreamFramer) -> bool {
        if std::mem::take(&mut self.is_waiting) {
            self.at = Instant::now() + self.interval;
            return !self.knows_pongs;
        }
        framer.expect_pong();
        self.queued.fetch_add(PING.len(), Ordering::AcqRel);
        self.is_waiting = self.queue.send(Bytes::from_static(PING)).is_ok();
        self.at = Instant::now() + self.pong;
        true
    }

    fn answered(&mut self) {
        self.knows_pongs = true;
        self.is_waiting = false;
        self.at = Instant::now() + self.interval;
    }
}

/// Signs of life the other side asks for: a burst is answered, then one a second; who asks
/// hundreds for nothing is cut.
struct Asked {
    credit: f64,
    at: Option<Instant>,
    in_vain: u32,
}

enum Answer {
    Now,
    Not,
    Cut,
}

impl Default for Asked {
    fn default() -> Self {
        Self {
            credit: ASK_BURST,
            at: None,
            in_vain: 0,
        }
    }
}

impl Asked {
    fn answer(&mut self, now: Instant) -> Answer {
        let since = self.at.map_or(Duration::ZERO, |at| now - at);
        self.at = Some(now);
        self.credit = (self.credit + since.as_secs_f64()).min(ASK_BURST);
        if self.credit >= 1.0 {
            self.credit -= 1.0;
            self.in_vain = 0;
            return Answer::Now;
        }
        self.in_vain += 1;
        match self.in_vain > ASK_IN_VAIN {
            true => Answer::Cut,
            false => Answer::Not,
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

pub(super) fn tune(socket: &TcpStream) {
    // All of it only makes failures show sooner; a socket without it still works.
    let _ = socket.set_nodelay(true);
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE);
    let socket = SockRef::from(socket);
    let _ = socket.set_tcp_keepalive(&keepalive);
    let _ = socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
}

/// RFC 5626 §3.5.1.
const PING: &[u8] = b"\r\n\r\n";
/// Finds dead peers within a few minutes.
const KEEPALIVE: Duration = Duration::from_secs(120);
/// What was written and nobody acknowledged for so long will not arrive: twice 64 x T1.
const UNACKNOWLEDGED: Duration = Duration::from_secs(64);
/// Holds several requests of the usual size.
const READ_BUFFER: usize = 8 * 1024;
/// Signs of life answered at once; RFC 5626 §4.4.1 asks for one in two minutes.
const ASK_BURST: f64 = 10.0;
/// Signs of life in a row for which there is no answer.
const ASK_IN_VAIN: u32 = 200;
