//! G.722 at 64 kbit/s (ITU-T G.722 sections 3 to 5): two sub-bands of ADPCM, in integers.
//!
//! Block numbers are those of the recommendation's figures. Sixteen samples in a ms, eight octets
//! out; the low six bits of an octet are the lower sub-band's, the high two the higher's. The modes
//! of 56 and 48 kbit/s, which steal bits for data, are left out: RTP carries mode 1 only (RFC 3551
//! §4.5.2).

/// One direction's memory, for encoding.
#[derive(Clone, Debug)]
pub(super) struct G722Encoder {
    history: History,
    lower: Band,
    higher: Band,
}

/// One direction's memory, for decoding.
#[derive(Clone, Debug)]
pub(super) struct G722Decoder {
    history: History,
    lower: Band,
    higher: Band,
}

impl G722Encoder {
    pub(super) fn new() -> Self {
        Self {
            history: History::default(),
            lower: Band::new(LOWER_STEP),
            higher: Band::new(HIGHER_STEP),
        }
    }

    /// Encodes as many pairs of samples as `payload` has room for; returns how many octets.
    pub(super) fn encode(&mut self, samples: &[i16], payload: &mut [u8]) -> usize {
        let pairs = samples.chunks_exact(2).zip(payload.iter_mut());
        pairs
            .map(|(pair, octet)| *octet = self.octet(pair[0].into(), pair[1].into()))
            .count()
    }

    fn octet(&mut self, first: i32, second: i32) -> u8 {
        let (even, odd) = self.history.filter(first, second);
        let low = (odd + even) >> 14;
        let high = (odd - even) >> 14;
        // A code of six bits: sign, and which interval the difference lies in (block 1L).
        let difference = saturate(low - self.lower.estimate);
        let size = magnitude(difference);
        let step = self.lower.step;
        let interval = LOWER_DECISIONS.partition_point(|decision| (decision * step) >> 12 <= size);
        let lower = match difference < 0 {
            true => LOWER_NEGATIVE[interval],
            false => LOWER_POSITIVE[interval],
        };
        self.lower.take_lower(lower);
        let difference = saturate(high - self.higher.estimate);
        let is_outer = magnitude(difference) >= (HIGHER_DECISION * self.higher.step) >> 12;
        let higher = match (difference < 0, is_outer) {
            (true, false) => 1,
            (true, true) => 0,
            (false, false) => 3,
            (false, true) => 2,
        };
        self.higher.take_higher(higher);
        higher << 6 | lower
    }
}

impl G722Decoder {
    pub(super) fn new() -> Self {
        Self {
            history: History::default(),
            lower: Band::new(LOWER_STEP),
            higher: Band::new(HIGHER_STEP),
        }
    }

    /// Decodes as many octets as `samples` has room for in pairs; returns how many samples.
    pub(super) fn decode(&mut self, payload: &[u8], samples: &mut [i16]) -> usize {
        let pairs = payload.iter().zip(samples.chunks_exact_mut(2));
        2 * pairs
            .map(|(octet, pair)| {
                let (first, second) = self.pair(*octet);
                pair.copy_from_slice(&[first, second]);
            })
            .count()
    }

    fn pair(&mut self, octet: u8) -> (i16, i16) {
        let (lower, higher) = (octet & 0x3f, octet >> 6);
        // What is heard has six bits; what is predicted from, in both ends alike, four.
        let heard = (self.lower.step * SIX_BITS[usize::from(lower)]) >> 15;
        let low = (self.lower.estimate + heard).clamp(-16_384, 16_383);
        self.lower.take_lower(lower);
        let heard = (self.higher.step * TWO_BITS[usize::from(higher)]) >> 15;
        let high = (self.higher.estimate + heard).clamp(-16_384, 16_383);
        self.higher.take_higher(higher);
        let (even, odd) = self.history.filter(low + high, low - high);
        (saturate(odd >> 11) as i16, saturate(even >> 11) as i16)
    }
}

/// The quadrature mirror filter's memory (section 3.1, 4.4): 24 samples, oldest first, by parity.
#[derive(Clone, Debug, Default)]
struct History {
    even: [i32; 12],
    odd: [i32; 12],
}

impl History {
    /// Takes in two samples; the filter's two halves.
    fn filter(&mut self, first: i32, second: i32) -> (i32, i32) {
        self.even.copy_within(1.., 0);
        self.odd.copy_within(1.., 0);
        self.even[11] = first;
        self.odd[11] = second;
        let even = self.even.iter().zip(&MIRROR).map(|(s, c)| s * c).sum();
        let odd = self.odd.iter().zip(MIRROR.iter().rev());
        (even, odd.map(|(s, c)| s * c).sum())
    }
}

/// One sub-band: an adaptive step and an adaptive predictor of two poles and six zeros.
#[derive(Clone, Debug)]
struct Band {
    /// What the predictor expects next.
    estimate: i32,
    /// The part of the estimate that comes from the zeros.
    zeros_estimate: i32,
    /// Logarithm of the step.
    scale: i32,
    step: i32,
    poles: [i32; 2],
    zeros: [i32; 6],
    /// Quantised differences, newest first.
    differences: [i32; 6],
    /// Reconstructed signal before this sample.
    reconstructed: i32,
    /// Signs of the partially reconstructed signal, newest first: -1 or 0.
    signs: [i32; 2],
}

impl Band {
    fn new(step: i32) -> Self {
        Self {
            estimate: 0,
            zeros_estimate: 0,
            scale: 0,
            step,
            poles: [0; 2],
            zeros: [0; 6],
            differences: [0; 6],
            reconstructed: 0,
            signs: [0; 2],
        }
    }

    /// Blocks 2L, 3L and 4L: a code of the lower sub-band, of six bits.
    fn take_lower(&mut self, code: u8) {
        let code = usize::from(code >> 2);
        let difference = (self.step * FOUR_BITS[code]) >> 15;
        self.scale = ((self.scale * 127) >> 7) + LOWER_SCALE[code];
        self.scale = self.scale.clamp(0, 18_432);
        self.step = antilog(self.scale, 8);
        self.predict(difference);
    }

    /// Blocks 2H, 3H and 4H: a code of the higher sub-band, of two bits.
    fn take_higher(&mut self, code: u8) {
        let code = usize::from(code);
        let difference = (self.step * TWO_BITS[code]) >> 15;
        self.scale = ((self.scale * 127) >> 7) + HIGHER_SCALE[code];
        self.scale = self.scale.clamp(0, 22_528);
        self.step = antilog(self.scale, 10);
        self.predict(difference);
    }

    /// Block 4: adapts the predictor to a quantised difference and makes the next estimate.
    fn predict(&mut self, difference: i32) {
        let reconstructed = saturate(self.estimate + difference);
        let sign = saturate(self.zeros_estimate + difference) >> 15;
        // UPPOL2
        let same = |other: i32| sign == other;
        let first = saturate(self.poles[0] << 2);
        let first = if same(self.signs[0]) { -first } else { first };
        let mut second = first.min(32_767) >> 7;
        second += if same(self.signs[1]) { 128 } else { -128 };
        second += (self.poles[1] * 32_512) >> 15;
        let second = second.clamp(-12_288, 12_288);
        // UPPOL1
        let step = if same(self.signs[0]) { 192 } else { -192 };
        let limit = 15_360 - second;
        let first = (((self.poles[0] * 32_640) >> 15) + step).clamp(-limit, limit);
        self.poles = [first, second];
        self.signs = [sign, self.signs[0]];
        // UPZERO
        let step = if difference == 0 { 0 } else { 128 };
        for (zero, before) in self.zeros.iter_mut().zip(&self.differences) {
            let step = if (before ^ difference) < 0 {
                -step
            } else {
                step
            };
            *zero = ((*zero * 32_640) >> 15) + step;
        }
        // DELAYA
        self.differences.copy_within(..5, 1);
        self.differences[0] = difference;
        // FILTEP, FILTEZ, PREDIC
        let newest = (first * saturate(reconstructed << 1)) >> 15;
        let older = (second * saturate(self.reconstructed << 1)) >> 15;
        self.reconstructed = reconstructed;
        let zeros = self.zeros.iter().zip(&self.differences);
        let zeros = zeros.map(|(zero, before)| (zero * saturate(before << 1)) >> 15);
        self.zeros_estimate = saturate(zeros.sum());
        self.estimate = saturate(saturate(newest + older) + self.zeros_estimate);
    }
}

/// SCALEL and SCALEH: from a logarithmic scale factor to a quantiser's step.
fn antilog(scale: i32, offset: i32) -> i32 {
    let mantissa = ANTILOG[(scale >> 6) as usize & 31];
    let shift = offset - (scale >> 11);
    let step = match shift < 0 {
        true => mantissa << -shift,
        false => mantissa >> shift,
    };
    step << 2
}

fn saturate(value: i32) -> i32 {
    value.clamp(i16::MIN.into(), i16::MAX.into())
}

/// Of one's complement, as the recommendation compares.
fn magnitude(difference: i32) -> i32 {
    if difference < 0 {
        !difference
    } else {
        difference
    }
}

/// Steps of the quantisers before the first sample.
const LOWER_STEP: i32 = 32;
const HIGHER_STEP: i32 = 8;

/// Half of the mirror filter's 24 coefficients (table 11); the other half is the same backwards.
const MIRROR: [i32; 12] = [3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11];

/// Decision levels of the lower sub-band (table 14, Q6), without the outermost infinity.
const LOWER_DECISIONS: [i32; 29] = [
    35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023,
    1121, 1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
];

/// The decision level of the higher sub-band (table 14, Q2).
const HIGHER_DECISION: i32 = 564;

/// Codes of the lower sub-band's intervals, from the smallest outward (table 15, ILN and ILP).
const LOWER_NEGATIVE: [u8; 30] = [
    63, 62, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10,
    9, 8, 7, 6, 5, 4,
];
const LOWER_POSITIVE: [u8; 30] = [
    61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41, 40, 39, 38,
    37, 36, 35, 34, 33, 32,
];

/// Quantised values of the lower sub-band by its leading four bits (table 17, QM4).
const FOUR_BITS: [i32; 16] = [
    0, -20_456, -12_896, -8_968, -6_288, -4_240, -2_584, -1_200, 20_456, 12_896, 8_968, 6_288,
    4_240, 2_584, 1_200, 0,
];

/// The same by all six (QM6).
const SIX_BITS: [i32; 64] = [
    -136, -136, -136, -136, -24_808, -21_904, -19_008, -16_704, -14_984, -13_512, -12_280, -11_192,
    -10_232, -9_360, -8_576, -7_856, -7_192, -6_576, -6_000, -5_456, -4_944, -4_464, -4_008,
    -3_576, -3_168, -2_776, -2_400, -2_032, -1_688, -1_360, -1_040, -728, 24_808, 21_904, 19_008,
    16_704, 14_984, 13_512, 12_280, 11_192, 10_232, 9_360, 8_576, 7_856, 7_192, 6_576, 6_000,
    5_456, 4_944, 4_464, 4_008, 3_576, 3_168, 2_776, 2_400, 2_032, 1_688, 1_360, 1_040, 728, 432,
    136, -432, -136,
];

/// Quantised values of the higher sub-band (QM2).
const TWO_BITS: [i32; 4] = [-7_408, -1_616, 7_408, 1_616];

/// How each code moves the lower sub-band's scale (WL by RL42).
const LOWER_SCALE: [i32; 16] = [
    -60, 3_042, 1_198, 538, 334, 172, 58, -30, 3_042, 1_198, 538, 334, 172, 58, -30, -60,
];

/// How each code moves the higher sub-band's scale (WH by IH2).
const HIGHER_SCALE: [i32; 4] = [798, -214, 798, -214];

/// Inverse logarithm of five bits (table 17, ILB).
const ANTILOG: [i32; 32] = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834,
    2896, 2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];
