//! The sound of a recording: WAV, sent while it is read, once, so that four hours of it take no
//! memory, and begin at once.

use std::io;
use std::path::Path;

use axum::body::{Body, Bytes};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::mpsc;

use super::fault::Fault;
use super::parameters::Parameters;
use super::{Account, Asked};
use crate::http::api::Sources;
use crate::http::ask::ask;
use crate::recording::Reader;
use crate::twiml::API_VERSION;

/// A recording whose sound is wanted.
#[derive(Debug)]
pub(super) struct Wanted {
    sid: String,
    path: String,
    /// All channels as one.
    is_mono: bool,
}

impl Wanted {
    /// `Recordings/{sid}` without an ending, as links to it are, or with `.wav`; `None` when the
    /// path is another.
    pub(super) fn read(
        account: &Account,
        method: &Method,
        path: &str,
        query: Option<&str>,
    ) -> Option<Self> {
        let root = format!("/{API_VERSION}/Accounts/{}/Recordings/", account.sid);
        let name = path.strip_prefix(&root)?;
        let sid = name.strip_suffix(".wav").unwrap_or(name);
        if *method != Method::GET || sid.contains(['/', '.']) {
            return None;
        }
        let said = Parameters::read(query.unwrap_or_default().as_bytes());
        Some(Self {
            sid: sid.to_owned(),
            path: path.to_owned(),
            is_mono: said.get("RequestedChannels") == Some("1"),
        })
    }
}

/// Looks for the file, and sends it.
pub(super) async fn serve(
    sources: Sources,
    account: Account,
    wanted: Wanted,
) -> Result<Response, Fault> {
    let long = sources.long.clone();
    let Ok(place) = long.try_acquire_owned() else {
        return Err(Fault::too_many());
    };
    let Wanted { sid, path, is_mono } = wanted;
    // Whoever gives up still has his place until the file is read through.
    let (file, opened, place) = ask(move || {
        let asked = Asked {
            sources: &sources,
            account: &account,
            path: &path,
            said: Parameters::default(),
        };
        let (_, recording) = asked.recording_of(&sid, None)?;
        let Some(file) = recording.path else {
            return Err(Fault::not_found(&path));
        };
        let file = account.recordings.join(file);
        let opened = Opened::look(&file, is_mono).map_err(|error| {
            tracing::error!(path = %file.display(), %error, "recording cannot be read");
            Fault::internal(format!("the recording cannot be read: {error}"))
        })?;
        Ok((file, opened, place))
    })
    .await??;
    let length = opened.octets();
    let (send, receive) = mpsc::channel(PIECES);
    let reading = std::thread::Builder::new().name("http-sound".into());
    let reading = reading.spawn(move || {
        let _place = place;
        if let Err(error) = opened.send(&send) {
            // Whoever reads it sees that it is too short.
            tracing::warn!(path = %file.display(), %error, "recording not sent to its end");
        }
    });
    if reading.is_err() {
        return Err(Fault::internal("no thread to read the recording"));
    }
    let pieces = futures_util::stream::unfold(receive, |mut receive| async {
        let piece: Option<io::Result<Bytes>> = receive.recv().await;
        piece.map(|piece| (piece, receive))
    });
    let headers = [
        (header::CONTENT_TYPE, "audio/x-wav".to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((StatusCode::OK, headers, Body::from_stream(pieces)).into_response())
}

/// A file that is open, and how it is to be sent.
#[derive(Debug)]
struct Opened {
    reader: Reader,
    /// Instants: samples of each channel.
    instants: u64,
    is_mono: bool,
}

impl Opened {
    fn look(file: &Path, is_mono: bool) -> io::Result<Self> {
        let reader = Reader::open(file)?;
        Ok(Self {
            instants: reader.length()?,
            is_mono: is_mono && reader.channels() > 1,
            reader,
        })
    }

    fn sent_channels(&self) -> usize {
        match self.is_mono {
            true => 1,
            false => self.reader.channels().max(1),
        }
    }

    fn octets(&self) -> u64 {
        // What a damaged file says of its length is no reason to fall over.
        let samples = self.instants.saturating_mul(self.sent_channels() as u64);
        samples.saturating_mul(2).saturating_add(HEADER)
    }

    /// Sends it, no more and no less than was promised; what is damaged ends with an error.
    fn send(mut self, to: &mpsc::Sender<io::Result<Bytes>>) -> io::Result<()> {
        let mut piece = self.header();
        let channels = self.reader.channels().max(1);
        let (mut samples, mut left) = (Vec::new(), self.instants);
        while left > 0 && self.reader.read(&mut samples)? {
            let most = usize::try_from(left).unwrap_or(usize::MAX);
            for instant in samples.chunks_exact(channels).take(most) {
                left -= 1;
                if self.is_mono {
                    let sum: i32 = instant.iter().copied().map(i32::from).sum();
                    let sum = sum.clamp(i16::MIN.into(), i16::MAX.into()) as i16;
                    piece.extend(sum.to_le_bytes());
                } else {
                    piece.extend(instant.iter().flat_map(|sample| sample.to_le_bytes()));
                }
            }
            samples.clear();
            if piece.len() >= PIECE
                && to
                    .blocking_send(Ok(std::mem::take(&mut piece).into()))
                    .is_err()
            {
                // Whoever asked has gone.
                return Ok(());
            }
        }
        let _ = to.blocking_send(Ok(piece.into()));
        match left {
            0 => Ok(()),
            left => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("{left} samples of each channel are missing"),
            )),
        }
    }

    /// RIFF's header of 16-bit samples.
    fn header(&self) -> Vec<u8> {
        let channels = self.sent_channels() as u16;
        let data = u32::try_from(self.octets() - HEADER).unwrap_or(u32::MAX);
        let block = channels * 2;
        let mut header = Vec::with_capacity(PIECE);
        header.extend(b"RIFF");
        header.extend(data.saturating_add(36).to_le_bytes());
        header.extend(b"WAVEfmt ");
        header.extend(16_u32.to_le_bytes());
        header.extend(1_u16.to_le_bytes());
        header.extend(channels.to_le_bytes());
        header.extend(self.reader.hz().to_le_bytes());
        header.extend((self.reader.hz() * u32::from(block)).to_le_bytes());
        header.extend(block.to_le_bytes());
        header.extend(16_u16.to_le_bytes());
        header.extend(b"data");
        header.extend(data.to_le_bytes());
        header
    }
}

/// Octets of a WAV file before its samples.
const HEADER: u64 = 44;
/// Octets that are sent at a time, at least.
const PIECE: usize = 64 << 10;
/// Pieces that wait for a slow reader.
const PIECES: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::Format;
    use crate::voicemail::tests::Recorder;

    /// What is sent of a file: what was promised, what came, and how it ended.
    fn sent(file: &Path) -> (u64, Vec<u8>, io::Result<()>) {
        let opened = Opened::look(file, false).unwrap();
        let promised = opened.octets();
        let (send, mut receive) = mpsc::channel(PIECES);
        let sending = std::thread::spawn(move || opened.send(&send));
        let mut octets = Vec::new();
        while let Some(piece) = receive.blocking_recv() {
            octets.extend(piece.unwrap());
        }
        (promised, octets, sending.join().unwrap())
    }

    #[test]
    fn what_is_sent_is_as_long_as_was_promised_in_every_format() {
        for format in Format::ALL {
            let folder = tempfile::tempdir().unwrap();
            let recorder = Recorder::new(folder.path(), format);
            for frames in [1, 149, 1_000] {
                let file = recorder.message(&format!("m{frames}"), frames).path;
                let (promised, octets, end) = sent(&file);
                end.unwrap();
                assert_eq!(promised, octets.len() as u64, "{format:?}");
                let reader = hound::WavReader::new(&octets[..]).unwrap();
                assert_eq!(reader.duration(), u32::from(frames) * 160, "{format:?}");
            }
        }
    }

    #[test]
    fn what_was_damaged_ends_too_early_and_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let recorder = Recorder::new(folder.path(), Format::Flac);
        let file = recorder.message("m", 1_000).path;
        let mut octets = std::fs::read(&file).unwrap();
        let middle = octets.len() / 2;
        octets[middle..].fill(0);
        std::fs::write(&file, octets).unwrap();
        let (promised, octets, end) = sent(&file);
        assert!(promised > octets.len() as u64 && octets.len() as u64 > HEADER);
        end.unwrap_err();
    }
}
