//! Reads sound files: WAV, MP3, FLAC, and Vorbis or Opus in Ogg, at any rate, with any channels.
//!
//! What an encoder puts before and after the sound (MP3, Vorbis, Opus) is left out; channels are
//! mixed down to one; loudness stays as it is.

use std::fs::File;
use std::path::{Path, PathBuf};

use symphonia::core::codecs::audio::well_known::CODEC_ID_OPUS;
use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as Symphonia;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;
use symphonia::core::packet::Packet;

use super::conversion::Conversion;
use super::{RATES, Sound};
use crate::media::{Codec, Decoder};

/// Endings of the files that are taken for sounds.
pub(super) const ENDINGS: [&str; 6] = ["wav", "mp3", "flac", "ogg", "oga", "opus"];

/// Longest sound, in seconds.
const MAX_SECONDS: usize = 600;
/// Highest rate of a file, Hz.
const MAX_HZ: u32 = 192_000;

/// Why a sound cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum SoundError {
    /// The directory cannot be read.
    #[error("{}: cannot read the sounds directory: {source}", path.display())]
    Directory {
        /// Directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is none that we can read.
    #[error(
        "{}: {why}; WAV, MP3, FLAC and Ogg (Vorbis, Opus) are read: \
         ffmpeg -i {} -ac 1 OUT.wav",
        path.display(), path.display()
    )]
    File {
        /// File.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The file cannot be opened.
    #[error("{}: {source}", path.display())]
    Open {
        /// File.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Longer than ten minutes.
    #[error("{}: longer than ten minutes; cut it: sox {} OUT.wav trim 0 600", path.display(), path.display())]
    Long {
        /// File.
        path: PathBuf,
    },
    /// Two files have one name.
    #[error(
        "{} and {} are both the sound \"{name}\"; remove one or rename it",
        first.display(), second.display()
    )]
    Twice {
        /// Name.
        name: String,
        /// File.
        first: PathBuf,
        /// The other file.
        second: PathBuf,
    },
}

/// Reads a file; the sound is named like it, without its ending, and not encoded yet.
pub(super) fn read(path: &Path) -> Result<Sound, SoundError> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let source = File::open(path).map_err(|source| SoundError::Open {
        path: path.to_owned(),
        source,
    })?;
    let read = read_samples(source, path.extension().and_then(|ending| ending.to_str()));
    let (hz, samples) = read.map_err(|problem| match problem {
        Problem::Long => SoundError::Long {
            path: path.to_owned(),
        },
        Problem::Wrong(why) => SoundError::File {
            path: path.to_owned(),
            why,
        },
    })?;
    Ok(Sound::plain(hz, name, samples))
}

enum Problem {
    Long,
    Wrong(String),
}

impl From<Symphonia> for Problem {
    fn from(error: Symphonia) -> Self {
        Self::Wrong(error.to_string())
    }
}

impl From<&str> for Problem {
    fn from(why: &str) -> Self {
        Self::Wrong(why.to_owned())
    }
}

/// The rate of a file and what it holds, mixed down.
fn read_samples(source: File, ending: Option<&str>) -> Result<(u32, Vec<i16>), Problem> {
    let stream = MediaSourceStream::new(Box::new(source), Default::default());
    let mut hint = Hint::new();
    if let Some(ending) = ending {
        hint.with_extension(ending);
    }
    let probe = symphonia::default::get_probe();
    let mut format = probe
        .probe(
            &hint,
            stream,
            FormatOptions::default(),
            MetadataOptions::default(),
        )
        .map_err(|_| "is no sound file that is known here")?;
    let track = format
        .default_track(TrackType::Audio)
        .ok_or("has no sound in it")?;
    let parameters = track
        .codec_params
        .as_ref()
        .and_then(|parameters| parameters.audio());
    let mut reader = Reader::new(parameters.ok_or("has no sound in it")?)?;
    let id = track.id;
    while let Some(packet) = next_packet(format.as_mut())? {
        if packet.track_id == id {
            reader.take(&packet)?;
        }
    }
    reader.finish()
}

fn next_packet(format: &mut dyn FormatReader) -> Result<Option<Packet>, Problem> {
    match format.next_packet() {
        Err(Symphonia::ResetRequired) => Err("holds several streams in a row".into()),
        packet => Ok(packet?),
    }
}

/// A file's sound on its way into samples.
struct Reader {
    decoder: Decoding,
    hz: u32,
    samples: Vec<f32>,
    /// Channels of one packet.
    planes: Vec<Vec<f32>>,
}

enum Decoding {
    Opus(Opus),
    Symphonia(Box<dyn AudioDecoder>),
}

impl Reader {
    fn new(parameters: &AudioCodecParameters) -> Result<Self, Problem> {
        let hz = parameters
            .sample_rate
            .ok_or("does not say its sampling rate")?;
        if !(*RATES.start()..=MAX_HZ).contains(&hz) {
            return Err(Problem::Wrong(format!("has {hz} samples a second")));
        }
        let decoder = if parameters.codec == CODEC_ID_OPUS {
            Decoding::Opus(Opus::new(parameters.extra_data.as_deref())?)
        } else {
            let codecs = symphonia::default::get_codecs();
            let options = AudioDecoderOptions::default();
            Decoding::Symphonia(codecs.make_audio_decoder(parameters, &options)?)
        };
        Ok(Self {
            decoder,
            hz,
            samples: Vec::new(),
            planes: Vec::new(),
        })
    }

    fn take(&mut self, packet: &Packet) -> Result<(), Problem> {
        match &mut self.decoder {
            Decoding::Opus(opus) => opus.decode(packet, &mut self.samples)?,
            Decoding::Symphonia(decoder) => {
                let decoded = decoder.decode(packet)?;
                if decoded.spec().rate() != self.hz {
                    return Err("changes its sampling rate on the way".into());
                }
                decoded.copy_to_vecs_planar::<f32>(&mut self.planes);
                mix_down(&self.planes, &mut self.samples);
            }
        }
        if self.samples.len() > MAX_SECONDS * self.hz as usize {
            return Err(Problem::Long);
        }
        Ok(())
    }

    fn finish(self) -> Result<(u32, Vec<i16>), Problem> {
        if self.samples.is_empty() {
            return Err("is empty".into());
        }
        let scaled = self
            .samples
            .iter()
            .map(|sample| (sample * 32_768.0).round() as i16);
        let samples: Vec<i16> = scaled.collect();
        let highest = *RATES.end();
        if self.hz <= highest {
            return Ok((self.hz, samples));
        }
        let length = samples.len() as u64 * u64::from(highest) / u64::from(self.hz);
        let conversion = Conversion::new(self.hz, highest);
        Ok((highest, conversion.convert(&samples, 0..length as usize)))
    }
}

/// The mean of all channels.
fn mix_down(planes: &[Vec<f32>], samples: &mut Vec<f32>) {
    let frames = planes.iter().map(Vec::len).min().unwrap_or(0);
    let share = 1.0 / planes.len().max(1) as f32;
    samples.extend((0..frames).map(|n| planes.iter().map(|plane| plane[n]).sum::<f32>() * share));
}

/// Opus in Ogg (RFC 7845), which symphonia unpacks and we decode.
struct Opus {
    decoder: Decoder,
    gain: f32,
    /// Samples before the sound (§4.2) that are still to come.
    skip: usize,
}

impl Opus {
    /// From the identification header (§5.1).
    fn new(header: Option<&[u8]>) -> Result<Self, Problem> {
        let header = header.and_then(|header| header.first_chunk::<19>());
        let header = header.ok_or("has no Opus header")?;
        // Family 0 is one stream, mono or stereo; our decoder mixes it down (RFC 6716 §2.1.2).
        if header[18] != 0 {
            return Err("has more than two channels".into());
        }
        let gain = i16::from_le_bytes([header[16], header[17]]);
        Ok(Self {
            decoder: Decoder::new(Codec::Opus),
            gain: 10f32.powf(f32::from(gain) / 256.0 / 20.0),
            skip: u16::from_le_bytes([header[10], header[11]]).into(),
        })
    }

    fn decode(&mut self, packet: &Packet, samples: &mut Vec<f32>) -> Result<(), Problem> {
        let mut decoded = [0; OPUS_PACKET];
        let length = self.decoder.decode(&packet.data, &mut decoded);
        if length == 0 {
            return Err("malformed Opus packet".into());
        }
        let skipped = self.skip.min(length);
        self.skip -= skipped;
        let end = length
            .saturating_sub(packet.trim_end.get() as usize)
            .max(skipped);
        let scaled = decoded[skipped..end]
            .iter()
            .map(|sample| f32::from(*sample) / 32_768.0);
        samples.extend(scaled.map(|sample| sample * self.gain));
        Ok(())
    }
}

/// Samples of the longest Opus packet, 120 ms (RFC 6716 §2.1.4).
const OPUS_PACKET: usize = 5760;

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// A second and a third of something that is nowhere like itself: a sweep from 300 Hz on.
    fn sweep(hz: u32, channels: usize) -> Vec<i16> {
        let sample = |n: u32| {
            let t = f64::from(n) / f64::from(hz);
            let angle = std::f64::consts::TAU * (300.0 * t + 900.0 * t * t);
            // Begins and ends softly, as prompts do.
            let swell = (t / 0.05).min((1.333 - t) / 0.05).clamp(0.0, 1.0);
            (8000.0 * swell * angle.sin()).round() as i16
        };
        (0..hz * 4 / 3)
            .flat_map(|n| vec![sample(n); channels])
            .collect()
    }

    fn write(path: &Path, hz: u32, channels: u16, samples: &[i16]) {
        let spec = hound::WavSpec {
            channels,
            sample_rate: hz,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::create(path, spec).unwrap();
        samples
            .iter()
            .for_each(|sample| writer.write_sample(*sample).unwrap());
        writer.finalize().unwrap();
    }

    /// A file that ffmpeg makes of the sweep.
    fn encoded(folder: &Path, hz: u32, ending: &str, options: &[&str]) -> PathBuf {
        let (source, target) = (
            folder.join("source.wav"),
            folder.join(format!("made.{ending}")),
        );
        write(&source, hz, 2, &sweep(hz, 2));
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg
            .args(["-nostdin", "-v", "error", "-y", "-i"])
            .arg(&source);
        let outcome = ffmpeg.args(options).arg(&target).output();
        let outcome = outcome.expect("ffmpeg, which `scripts/set-up test` installs");
        assert!(outcome.status.success(), "{outcome:?}");
        target
    }

    fn db(samples: impl Iterator<Item = f64>) -> f64 {
        10.0 * samples
            .map(|sample| sample * sample)
            .sum::<f64>()
            .max(1e-3)
            .log10()
    }

    /// How far what was read is from the original, dB; and that it is neither shifted nor longer.
    fn distance(sound: &Sound, hz: u32, slack: usize) -> f64 {
        let original = sweep(hz, 1);
        let longer = sound.samples().len() as i64 - original.len() as i64;
        // Padded to whole frames.
        assert!(
            (0..(hz / 50) as i64 + slack as i64).contains(&longer),
            "{longer} longer"
        );
        let difference = |shift: i64| {
            let pairs = original.iter().enumerate().filter_map(|(n, sample)| {
                let place = usize::try_from(n as i64 + shift).ok()?;
                Some(f64::from(*sound.samples().get(place)?) - f64::from(*sample))
            });
            db(pairs)
        };
        let best = (-50..=50).min_by(|a, b| difference(*a).total_cmp(&difference(*b)));
        assert_eq!(best, Some(0), "shifted");
        db(original.iter().map(|sample| f64::from(*sample))) - difference(0)
    }

    #[test]
    fn every_format_is_read_as_it_was_without_a_shift() {
        let folder = tempfile::tempdir().unwrap();
        let cases: [(u32, &str, &[&str], f64); 13] = [
            (8000, "wav", &[], 90.0),
            (44_100, "wav", &["-c:a", "pcm_s24le"], 85.0),
            (48_000, "wav", &["-c:a", "pcm_f32le"], 85.0),
            (8000, "wav", &["-c:a", "pcm_mulaw"], 30.0),
            (8000, "wav", &["-c:a", "pcm_alaw"], 30.0),
            (16_000, "flac", &[], 90.0),
            (44_100, "flac", &["-sample_fmt", "s32"], 85.0),
            (44_100, "mp3", &["-b:a", "128k"], 20.0),
            (16_000, "mp3", &["-b:a", "48k"], 20.0),
            (44_100, "ogg", &["-c:a", "libvorbis", "-q:a", "4"], 15.0),
            (16_000, "ogg", &["-c:a", "libvorbis", "-q:a", "4"], 15.0),
            (48_000, "opus", &["-c:a", "libopus", "-b:a", "64k"], 15.0),
            (
                48_000,
                "ogg",
                &["-c:a", "libopus", "-b:a", "96k", "-ac", "1"],
                15.0,
            ),
        ];
        for (hz, ending, options, least) in cases {
            let sound = read(&encoded(folder.path(), hz, ending, options)).unwrap();
            assert_eq!((sound.hz(), sound.name()), (hz, "made"));
            let distance = distance(&sound, hz, 0);
            println!("{hz} Hz {ending} {options:?}: {distance:.1} dB");
            assert!(
                distance > least,
                "{hz} Hz {ending} {options:?}: {distance:.1} dB"
            );
        }
    }

    #[test]
    fn channels_are_mixed_down_and_high_rates_brought_down() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("two.wav");
        let stereo: Vec<i16> = (0..96_000).flat_map(|_| [9000, 3000]).collect();
        write(&path, 96_000, 2, &stereo);
        let sound = read(&path).unwrap();
        assert_eq!((sound.hz(), sound.frames()), (48_000, 50));
        assert!(
            sound.samples()[100..47_900]
                .iter()
                .all(|sample| (5999..=6001).contains(sample))
        );
    }

    #[test]
    fn what_cannot_be_used_says_why_and_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let whole = encoded(folder.path(), 16_000, "flac", &[]);
        let whole = std::fs::read(whole).unwrap();
        std::fs::write(path("cut.flac"), &whole[..whole.len() / 2]).unwrap();
        std::fs::write(
            path("text.wav"),
            b"not a wav file at all, but long enough to look at",
        )
        .unwrap();
        std::fs::write(path("nothing.mp3"), b"").unwrap();
        std::fs::write(path("noise.mp3"), [0x5a; 5000]).unwrap();
        write(&path("empty.wav"), 8000, 1, &[]);
        write(&path("slow.wav"), 2000, 1, &[0; 2000]);
        write(&path("long.wav"), 8000, 1, &vec![0; 600 * 8000 + 1]);
        for (name, part) in [
            ("cut.flac", "ffmpeg -i"),
            ("text.wav", "is no sound file"),
            ("nothing.mp3", "is no sound file"),
            ("noise.mp3", "is no sound file"),
            ("empty.wav", "is empty"),
            ("slow.wav", "2000 samples a second"),
            ("long.wav", "ten minutes"),
            ("none.wav", "No such file"),
        ] {
            let error = read(&path(name)).unwrap_err().to_string();
            println!("{error}");
            assert!(
                error.contains(part) && error.contains(name),
                "{name}: {error}"
            );
        }
    }

    #[test]
    fn a_flipped_octet_anywhere_is_an_error_or_a_sound_and_never_a_panic() {
        let folder = tempfile::tempdir().unwrap();
        for ending in ["wav", "flac", "mp3", "ogg", "opus"] {
            let made = encoded(folder.path(), 48_000, ending, &["-t", "0.2"]);
            let whole = std::fs::read(&made).unwrap();
            let broken = folder.path().join(format!("broken.{ending}"));
            for n in 0..20 {
                let mut octets = whole.clone();
                let place = n * 151 % octets.len().min(3000);
                octets[place] ^= 0x41;
                std::fs::write(&broken, &octets).unwrap();
                let _ = read(&broken);
            }
        }
    }
}
