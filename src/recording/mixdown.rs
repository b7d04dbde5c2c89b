//! All channels of a recording as one, for whoever has one ear.

use std::io;
use std::path::Path;

use super::Reader;

/// Writes a mono WAV file of what all channels of `from` hold together. The samples that were cut
/// because they were too loud together.
///
/// # Errors
///
/// When one of the files cannot be read or written.
pub fn mix(from: &Path, to: &Path) -> io::Result<u64> {
    let mut reader = Reader::open(from)?;
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: reader.hz(),
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(to, spec).map_err(io::Error::other)?;
    let (mut samples, mut cut) = (Vec::new(), 0);
    while reader.read(&mut samples)? {
        for instant in samples.chunks_exact(reader.channels()) {
            let sum: i32 = instant.iter().copied().map(i32::from).sum();
            let sample = sum.clamp(i16::MIN.into(), i16::MAX.into());
            cut += u64::from(sample != sum);
            writer
                .write_sample(sample as i16)
                .map_err(io::Error::other)?;
        }
        samples.clear();
    }
    writer.finalize().map_err(io::Error::other)?;
    Ok(cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_heard_on_the_one_channel() {
        let directory = tempfile::tempdir().expect("a directory");
        let (from, to) = (
            directory.path().join("a.wav"),
            directory.path().join("b.wav"),
        );
        let spec = hound::WavSpec {
            channels: 3,
            sample_rate: 16_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut file = hound::WavWriter::create(&from, spec).expect("a file");
        for sample in [1i16, 20, 300, -5, 5, 7, 30_000, 30_000, 0] {
            file.write_sample(sample).expect("written");
        }
        file.finalize().expect("whole");
        assert_eq!(mix(&from, &to).expect("mixed"), 1);
        let mut reader = hound::WavReader::open(&to).expect("a file");
        assert_eq!(
            (reader.spec().channels, reader.spec().sample_rate),
            (1, 16_000)
        );
        let samples: Vec<i16> = reader.samples().map(|one| one.expect("16 bit")).collect();
        assert_eq!(samples, [321, 7, i16::MAX]);
        assert!(mix(Path::new("/nowhere.wav"), &to).is_err());
    }
}
