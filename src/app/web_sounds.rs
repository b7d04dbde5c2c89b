//! Sounds of web applications: fetched, read, and kept by what they hold, so that the next caller who
//! is to hear one waits for nothing but the question whether it is still the same.

use sha2::{Digest as _, Sha256};

use crate::base::CallId;
use crate::media::{Codec, Decoder, Kept, Sound, SoundError};
use crate::webhook::{Ask, Content, Expects, Failure, Method, Reply, To, Web};

/// Fetches sounds. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct WebSounds(Kept);

/// The name of a sound of the library; else a number of Twilio's error dictionary, and why.
type Fetched = Result<String, (u16, String)>;

/// Number in Twilio's error dictionary of a reply that is no sound.
const NO_SOUND: u16 = 12_300;
/// The same of a sound that cannot be kept.
const NOT_KEPT: u16 = 11_200;

impl WebSounds {
    /// What is fetched is kept here.
    pub(super) fn new(kept: Kept) -> Self {
        Self(kept)
    }

    /// Fetches the sound of a URL for a call; `tell` gets what came of it, always.
    pub(super) fn fetch<T, F>(&self, web: &Web, (call, url): (CallId, String), tell: T)
    where
        T: FnOnce(Fetched) -> F + Send + 'static,
        F: Future<Output = ()> + Send,
    {
        let mut ask = Ask::new(To::Url(url), Content::Nothing, Expects::Anything);
        ask.method = Some(Method::Get);
        ask.call = Some(call);
        let kept = self.0.clone();
        let take = move |came: Result<Reply, Failure>| async move {
            let sound = match came {
                Err(failure) => Err((failure.kind.twilio_code(), failure.to_string())),
                // Reading a minute of MP3 takes longer than others may wait.
                Ok(reply) => tokio::task::spawn_blocking(move || keep(&kept, &reply))
                    .await
                    .unwrap_or_else(|_| Err((NOT_KEPT, "the switch stops".to_owned()))),
            };
            tell(sound).await;
        };
        web.put(ask, take).detach();
    }
}

/// Reads a reply and keeps it, unless it is there already.
fn keep(kept: &Kept, reply: &Reply) -> Fetched {
    let digest = hex::encode(Sha256::digest(&reply.body));
    let key = format!("web{}", digest.get(..32).unwrap_or_default());
    if kept.sound(&key).is_some() {
        return Ok(Kept::name(&key));
    }
    let sound = read(kept, &key, reply)?;
    kept.put(&key, sound.hz(), sound.samples())
        .map_err(|error| (NOT_KEPT, format!("the sound cannot be kept: {error}")))?;
    Ok(Kept::name(&key))
}

fn read(kept: &Kept, key: &str, reply: &Reply) -> Result<Sound, (u16, String)> {
    let kind = reply.media_type();
    if matches!(
        kind.as_str(),
        "audio/basic" | "audio/ulaw" | "audio/mulaw" | "audio/x-mulaw"
    ) {
        return Ok(of_ulaw(key, &reply.body));
    }
    // Several callers may read the same at a time.
    let file = kept.unfinished(&format!("{key}-{:?}", std::thread::current().id()));
    let written = std::fs::write(&file, &reply.body);
    written.map_err(|error| (NOT_KEPT, format!("the sound cannot be kept: {error}")))?;
    let sound = Sound::read_as(&file, ending(&kind));
    // What is left of it is removed at the next start at the latest.
    let _ = std::fs::remove_file(&file);
    sound.map_err(|error| {
        let why = match error {
            SoundError::File { why, .. } => why,
            SoundError::Long { .. } => "is longer than ten minutes".to_owned(),
            error => error.to_string(),
        };
        (NO_SOUND, format!("what was sent {why}"))
    })
}

/// Mu-law at 8 kHz, without any header (RFC 2046 §4.3).
fn of_ulaw(key: &str, octets: &[u8]) -> Sound {
    let mut decoder = Decoder::new(Codec::Pcmu);
    let mut samples = vec![0; octets.len()];
    for (octets, samples) in octets.chunks(FRAME).zip(samples.chunks_mut(FRAME)) {
        decoder.decode(octets, samples);
    }
    Sound::new(key, samples)
}

/// Samples of 20 ms at 8 kHz.
const FRAME: usize = 160;

/// The ending of files of a media type; what is inside decides where it says nothing.
fn ending(media_type: &str) -> Option<&'static str> {
    Some(match media_type {
        "audio/aiff" | "audio/x-aiff" => "aiff",
        "audio/flac" | "audio/x-flac" => "flac",
        "audio/mp3" | "audio/mpeg" => "mp3",
        "application/ogg" | "audio/ogg" | "audio/opus" => "ogg",
        "audio/vnd.wave" | "audio/wav" | "audio/wave" | "audio/x-wav" => "wav",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn reply(content_type: &str, body: Vec<u8>) -> Reply {
        Reply {
            status: 200,
            content_type: Some(content_type.to_owned()),
            body: body.into(),
            url: None,
            took: Duration::ZERO,
            attempts: 1,
        }
    }

    fn wav() -> Vec<u8> {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 8000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut octets = std::io::Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut octets, spec).unwrap();
        (0..1600).for_each(|_| writer.write_sample(700_i16).unwrap());
        writer.finalize().unwrap();
        octets.into_inner()
    }

    #[test]
    fn a_sound_is_read_whatever_it_is_called_and_kept_once() {
        let directory = tempfile::tempdir().unwrap();
        let kept = Kept::open(directory.path(), 1 << 20).unwrap();
        let name = keep(&kept, &reply("audio/x-wav", wav())).unwrap();
        assert_eq!(keep(&kept, &reply("audio/whatever", wav())).unwrap(), name);
        let key = name.split_once('/').unwrap().1;
        assert_eq!(kept.sound(key).unwrap().samples()[800], 700);
        let names: Vec<_> = std::fs::read_dir(directory.path()).unwrap().collect();
        assert_eq!(names.len(), 1, "{names:?}");
        let plain = keep(&kept, &reply("audio/basic", vec![0x80; 800])).unwrap();
        let key = plain.split_once('/').unwrap().1;
        assert!(kept.sound(key).unwrap().samples()[100] > 30_000);
    }

    #[test]
    fn what_is_no_sound_has_its_number() {
        let directory = tempfile::tempdir().unwrap();
        let kept = Kept::open(directory.path(), 1 << 20).unwrap();
        let (code, words) = keep(&kept, &reply("text/html", b"<p>no</p>".to_vec())).unwrap_err();
        assert_eq!(code, 12_300);
        assert!(words.starts_with("what was sent "), "{words}");
    }
}
