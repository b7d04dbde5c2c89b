//! Our codecs beside ffmpeg's, sample by sample.

use std::fs;
use std::process::Command;

use super::{Codec, Decoder, Encoder};
use crate::base::Entropy;

/// What ffmpeg makes of octets, from one format to another; both are ffmpeg's words.
fn ffmpeg(input: &[u8], from: &[&str], to: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let (source, target) = (folder.path().join("in"), folder.path().join("out"));
    fs::write(&source, input).unwrap();
    let mut command = Command::new("ffmpeg");
    command
        .args(["-nostdin", "-v", "error"])
        .args(from)
        .arg("-i")
        .arg(&source);
    let outcome = command.args(to).arg(&target).output();
    let outcome = outcome.expect("ffmpeg, which `scripts/set-up test` installs");
    assert!(outcome.status.success(), "{outcome:?}");
    fs::read(&target).unwrap()
}

fn octets(samples: &[i16]) -> Vec<u8> {
    samples
        .iter()
        .flat_map(|sample| sample.to_le_bytes())
        .collect()
}

fn samples(octets: &[u8]) -> Vec<i16> {
    let pairs = octets.chunks_exact(2);
    pairs
        .map(|two| i16::from_le_bytes([two[0], two[1]]))
        .collect()
}

/// As ffmpeg names G.711 at 8 kHz.
fn law(codec: Codec) -> &'static str {
    match codec {
        Codec::Pcma => "alaw",
        _ => "mulaw",
    }
}

const LINEAR: [&str; 6] = ["-f", "s16le", "-ar", "8000", "-ac", "1"];

#[test]
fn every_octet_of_g711_decodes_as_with_ffmpeg() {
    let all: Vec<u8> = (0..=255).collect();
    for codec in [Codec::Pcma, Codec::Pcmu] {
        let from = ["-f", law(codec), "-ar", "8000", "-ac", "1"];
        let theirs = samples(&ffmpeg(&all, &from, &["-f", "s16le"]));
        let mut ours = [0; 256];
        assert_eq!(Decoder::new(codec).decode(&all, &mut ours), 256);
        assert_eq!(ours[..], theirs, "{codec:?}");
    }
}

/// The tables of G.711 by their own rule: each value at the decoder output lies halfway between two
/// decision values, `y = (x + x') / 2`. From ffmpeg's values follow all decision values, linear in 16
/// bits, smallest first; the first interval ends at `first`.
fn decisions(values: &[i32], first: i32) -> Vec<i32> {
    let mut ends = vec![first];
    for value in &values[1..] {
        let begin = ends[ends.len() - 1];
        ends.push(2 * value - begin);
    }
    ends
}

/// ffmpeg decides halfway between two values at the decoder output; the recommendation does not
/// where two segments meet. Ties aside, they differ there only, and ours is what the tables say.
#[test]
fn every_sample_encodes_as_the_tables_of_g711_say_and_as_with_ffmpeg_but_between_segments() {
    let all: Vec<i16> = (i16::MIN..=i16::MAX).collect();
    for (codec, first) in [(Codec::Pcma, 16), (Codec::Pcmu, 4)] {
        let from = ["-f", law(codec), "-ar", "8000", "-ac", "1"];
        let heard = |encoded: &[u8]| -> Vec<i32> {
            let heard = samples(&ffmpeg(encoded, &from, &["-f", "s16le"]));
            heard.into_iter().map(i32::from).collect()
        };
        let theirs = heard(&ffmpeg(&octets(&all), &LINEAR, &["-f", law(codec)]));
        let mut encoded = vec![0; all.len()];
        assert_eq!(Encoder::new(codec).encode(&all, &mut encoded), all.len());
        let ours = heard(&encoded);
        let mut values: Vec<i32> = ours.iter().map(|value| value.abs()).collect();
        values.sort_unstable();
        values.dedup();
        assert_eq!(values.len(), 128);
        let ends = decisions(&values, first);
        let (mut differ, mut nearer) = (0, 0);
        for ((sample, ours), theirs) in all.iter().zip(&ours).zip(&theirs) {
            let sample = i32::from(*sample);
            let at = values.binary_search(&ours.abs()).unwrap();
            let begin = if at == 0 { 0 } else { ends[at - 1] };
            let end = if at == 127 { i32::MAX } else { ends[at] };
            assert!(
                (begin..=end).contains(&sample.abs()),
                "{codec:?}: {sample} became {ours}"
            );
            assert!(
                *ours == 0 || (*ours < 0) == (sample < 0),
                "{codec:?}: {sample}"
            );
            if ours == theirs {
                continue;
            }
            differ += 1;
            // ffmpeg looks at 14 bits, so that a tie of its own may be of four samples.
            let (near, far) = ((sample - ours).abs(), (sample - theirs).abs());
            nearer += usize::from(near <= far);
            let halfway = (ours + theirs).abs() / 2;
            let decision = if theirs.abs() > ours.abs() {
                end
            } else {
                begin
            };
            let (low, high) = (halfway.min(decision) - 4, halfway.max(decision) + 4);
            assert!((low..=high).contains(&sample.abs()), "{codec:?}: {sample}");
        }
        let share = f64::from(differ) / 65_536.0;
        println!("{codec:?}: {differ} of 65,536 differ, ours as near or nearer in {nearer}");
        assert!(share < 0.015, "{differ}");
    }
}

const WIDE: [&str; 6] = ["-f", "s16le", "-ar", "16000", "-ac", "1"];

/// Three seconds each of what a codec may meet, at 16 kHz.
fn wide_signals() -> Vec<(&'static str, Vec<i16>)> {
    let mut entropy = Entropy::from_seed(722);
    let mut noise = |width: u64| -> Vec<i16> {
        let half = (width / 2) as i32;
        (0..48_000)
            .map(|_| (entropy.below(width) as i32 - half) as i16)
            .collect()
    };
    let tone = |hz: f64, level: f64| -> Vec<i16> {
        let turn = hz * std::f64::consts::TAU / 16_000.0;
        (0..48_000)
            .map(|i| ((f64::from(i) * turn).sin() * level) as i16)
            .collect()
    };
    let square = |i: i32| if i / 37 % 2 == 0 { i16::MAX } else { i16::MIN };
    let voice = super::voice::sentence(crate::media::Rate::Wide, 3, 722);
    vec![
        ("silence", vec![0; 48_000]),
        ("a voice", voice),
        ("1 kHz", tone(1000.0, 10_000.0)),
        ("6 kHz, loud", tone(6000.0, 32_000.0)),
        ("50 Hz, as loud as can be", tone(50.0, 32_767.0)),
        ("faint noise", noise(60)),
        ("noise", noise(6000)),
        ("noise, as loud as can be", noise(65_536)),
        ("overload", (0..48_000).map(square).collect()),
    ]
}

#[test]
fn g722_is_ffmpegs_bit_by_bit_both_ways() {
    for (name, signal) in wide_signals() {
        let theirs = ffmpeg(&octets(&signal), &WIDE, &["-f", "g722"]);
        let mut ours = vec![0; 24_000];
        let mut encoder = Encoder::new(Codec::G722);
        for (signal, ours) in signal.chunks(320).zip(ours.chunks_mut(160)) {
            assert_eq!(encoder.encode(signal, ours), 160);
        }
        assert_eq!(ours, theirs, "{name}, encoded");
        let theirs = samples(&ffmpeg(&ours, &["-f", "g722"], &["-f", "s16le"]));
        let mut decoder = Decoder::new(Codec::G722);
        let mut heard = vec![0; 48_000];
        for (ours, heard) in ours.chunks(160).zip(heard.chunks_mut(320)) {
            assert_eq!(decoder.duration(ours), 320);
            assert_eq!(decoder.decode(ours, heard), 320);
        }
        assert_eq!(heard, theirs, "{name}, decoded");
    }
}

#[test]
fn g722_of_random_octets_decodes_as_with_ffmpeg() {
    let mut entropy = Entropy::from_seed(722);
    let junk: Vec<u8> = (0..100_000).map(|_| entropy.below(256) as u8).collect();
    let theirs = samples(&ffmpeg(&junk, &["-f", "g722"], &["-f", "s16le"]));
    let mut ours = vec![0; 200_000];
    assert_eq!(Decoder::new(Codec::G722).decode(&junk, &mut ours), 200_000);
    assert_eq!(ours, theirs);
}
