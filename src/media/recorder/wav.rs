//! The header of a WAV file: two channels, 8 kHz, 16 bits, with the length it has at the moment.

use crate::media::CLOCK_HZ;

/// Bytes before the first sample.
pub(super) const HEADER_BYTES: u64 = 44;

/// Bytes of one sample pair.
pub(super) const PAIR_BYTES: u64 = 4;

/// Sample pairs a file can hold: 37 hours (RIFF lengths have 32 bits).
pub(super) const MAX_PAIRS: u64 = (u32::MAX as u64 - HEADER_BYTES) / PAIR_BYTES;

/// The header of a file of `pairs` sample pairs.
pub(super) fn header(pairs: u64) -> [u8; HEADER_BYTES as usize] {
    let data = (pairs.min(MAX_PAIRS) * PAIR_BYTES) as u32;
    let mut header = [0; HEADER_BYTES as usize];
    header[0..4].copy_from_slice(b"RIFF");
    header[4..8].copy_from_slice(&(data + HEADER_BYTES as u32 - 8).to_le_bytes());
    header[8..16].copy_from_slice(b"WAVEfmt ");
    header[16..20].copy_from_slice(&16u32.to_le_bytes());
    header[20..22].copy_from_slice(&1u16.to_le_bytes()); // PCM
    header[22..24].copy_from_slice(&2u16.to_le_bytes());
    header[24..28].copy_from_slice(&CLOCK_HZ.to_le_bytes());
    header[28..32].copy_from_slice(&(CLOCK_HZ * PAIR_BYTES as u32).to_le_bytes());
    header[32..34].copy_from_slice(&(PAIR_BYTES as u16).to_le_bytes());
    header[34..36].copy_from_slice(&16u16.to_le_bytes());
    header[36..40].copy_from_slice(b"data");
    header[40..44].copy_from_slice(&data.to_le_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_reader_understands_the_header() {
        let mut file = header(2).to_vec();
        for sample in [1i16, -2, 3, -4] {
            file.extend(sample.to_le_bytes());
        }
        let mut reader = hound::WavReader::new(&file[..]).unwrap();
        let spec = reader.spec();
        assert_eq!(
            (spec.channels, spec.sample_rate, spec.bits_per_sample),
            (2, 8000, 16)
        );
        let samples: Vec<i16> = reader.samples().map(Result::unwrap).collect();
        assert_eq!(samples, [1, -2, 3, -4]);
    }
}
