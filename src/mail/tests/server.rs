//! A mail server of good or bad manners, on the loopback.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// How it behaves. Commands are called by their first word; `GREETING` is the first line, `END` the one
/// behind the letter.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Manners {
    Good,
    /// Answers one command so.
    Says(&'static str, &'static str),
    /// Answers nothing from a command on.
    SilentAt(&'static str),
    /// Closes the connection at a command.
    HangsUpAt(&'static str),
    /// One octet every 50 ms, and no end of a line.
    Trickles,
    /// Never ends its first line, as fast as it can.
    Floods,
}

/// What it saw.
#[derive(Clone, Debug, Default)]
pub(crate) struct Played {
    pub(crate) connections: usize,
    pub(crate) commands: Vec<String>,
    pub(crate) letters: Vec<String>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Seen(Arc<Mutex<Played>>);

impl Seen {
    pub(crate) fn now(&self) -> Played {
        self.0.lock().expect("whole").clone()
    }
}

pub(crate) async fn start(manners: Manners) -> (u16, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let seen = Seen::default();
    let told = seen.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            told.0.lock().expect("whole").connections += 1;
            let told = told.clone();
            // Whoever is hung up on may be gone already.
            tokio::spawn(async move { serve(stream, manners, &told).await });
        }
    });
    (port, seen)
}

async fn serve(stream: TcpStream, manners: Manners, seen: &Seen) -> Option<()> {
    let mut stream = BufReader::new(stream);
    match manners {
        Manners::Trickles => loop {
            stream.write_all(b"2").await.ok()?;
            tokio::time::sleep(Duration::from_millis(50)).await;
        },
        Manners::Floods => loop {
            stream.write_all(&[b'2'; 4096]).await.ok()?;
        },
        _ => {}
    }
    answer(&mut stream, manners, "GREETING", "220 mail.test").await?;
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let command = line.trim_end().to_owned();
        seen.0.lock().expect("whole").commands.push(command.clone());
        let word = command.split([' ', ':']).next().unwrap_or_default();
        match word {
            "EHLO" => answer(&mut stream, manners, word, "250-mail.test\r\n250 8BITMIME").await?,
            "DATA" => {
                answer(&mut stream, manners, word, "354 go on").await?;
                let mut letter = String::new();
                while !letter.ends_with("\r\n.\r\n") {
                    if stream.read_line(&mut letter).await.ok()? == 0 {
                        return None;
                    }
                }
                seen.0.lock().expect("whole").letters.push(letter);
                answer(&mut stream, manners, "END", "250 taken").await?;
            }
            "QUIT" => return answer(&mut stream, manners, word, "221 bye").await,
            _ => answer(&mut stream, manners, word, "250 fine").await?,
        }
    }
}

async fn answer(
    stream: &mut BufReader<TcpStream>,
    manners: Manners,
    word: &str,
    usual: &str,
) -> Option<()> {
    let reply = match manners {
        Manners::Says(at, reply) if at == word => reply,
        Manners::SilentAt(at) if at == word => std::future::pending().await,
        Manners::HangsUpAt(at) if at == word => return None,
        _ => usual,
    };
    stream
        .write_all(format!("{reply}\r\n").as_bytes())
        .await
        .ok()
}
