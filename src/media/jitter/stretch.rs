//! Time-stretching by whole pitch periods (WSOLA): the sound becomes longer or shorter, not lower
//! or higher.

use crate::media::Rate;

use super::correlation::{self, energy};
use super::line::Line;

/// The shortest and the longest piece left out or put in, in 400ths of a second: 2.5 and 15 ms.
const SHORTEST: usize = 1;
const LONGEST: usize = 6;

/// What is compared: 5 ms.
const COMPARED: usize = 2;

/// Resemblance that is not heard, and that is accepted when the delay is far off.
const ALIKE: f32 = 0.9;
const ALIKE_IN_NEED: f32 = 0.6;

/// Distance from the target that is far, microseconds.
const FAR: i64 = 60_000;

/// Mean square below which nothing is heard: -60 dB of a full-scale sine.
const SILENT: i64 = 540;

/// Puts a piece in before the next sample, if the sound allows it; returns its length, 0 if not.
pub(super) fn lengthen(line: &mut Line, rate: Rate, micros: i64) -> usize {
    let unit = rate.hz() as usize / 400;
    let (all, now) = line.whole();
    let ahead = all.len() - now;
    let window = COMPARED * unit;
    let longest = (LONGEST * unit).min(ahead);
    if longest < SHORTEST * unit || ahead < window {
        return 0;
    }
    let reference = &all[now..now + window];
    let field = &all[now - longest..now - SHORTEST * unit + window];
    let found = correlation::find(reference, field, stride(rate));
    let length = longest - found.at;
    let piece = &all[now - length..now + length.min(ahead)];
    if length > ahead || !is_allowed(found.quality, piece, micros) {
        return 0;
    }
    line.lengthen(length);
    length
}

/// Leaves a piece of what comes next out, of `most` samples at most, if the sound allows it; returns its length, 0 if not.
pub(super) fn shorten(line: &mut Line, rate: Rate, most: usize, micros: i64) -> usize {
    let unit = rate.hz() as usize / 400;
    let (all, now) = line.whole();
    let ahead = all.len() - now;
    let longest = (LONGEST * unit).min(ahead / 2).min(most);
    let window = COMPARED * unit;
    if longest < SHORTEST * unit {
        return 0;
    }
    if micros <= 0 && !is_silent(&all[now..now + 2 * longest]) {
        return 0;
    }
    let reference = &all[now..now + window];
    let field = &all[now + SHORTEST * unit..all.len().min(now + longest + window)];
    let found = correlation::find(reference, field, stride(rate));
    let length = found.at + SHORTEST * unit;
    let piece = &all[now..now + 2 * length];
    if !is_allowed(found.quality, piece, micros) {
        return 0;
    }
    line.shorten(length);
    length
}

fn stride(rate: Rate) -> usize {
    rate.hz() as usize / 8000
}

fn is_allowed(quality: f32, piece: &[i16], micros: i64) -> bool {
    let alike = match micros {
        ..=0 => f32::INFINITY,
        1..=FAR => ALIKE,
        _ => ALIKE_IN_NEED,
    };
    quality > alike || is_silent(piece)
}

fn is_silent(piece: &[i16]) -> bool {
    energy(piece, 1) < SILENT * piece.len() as i64
}
