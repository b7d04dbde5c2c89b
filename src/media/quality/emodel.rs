//! How good it sounds, estimated: the E-model of ITU-T G.107 with its default values.
//!
//! On the narrow-band scale (R up to 93.2, MOS up to 4.41) for every codec, so that legs can be
//! compared: what wide-band adds to the pleasure of listening is not shown.

use crate::media::Codec;

/// What a listener gets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Path {
    /// Codec of the stream.
    pub codec: Codec,
    /// Whether what is lost is concealed by whoever plays it.
    pub concealed: bool,
    /// Share of packets lost or too late, 0 to 1.
    pub loss: f32,
    /// How losses cluster, 1 for random ones (BurstR).
    pub burst_ratio: f32,
    /// One way from mouth to ear, milliseconds.
    pub delay_ms: f32,
}

/// A codec's equipment impairment: of its coding, and how it bears loss.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Impairment {
    /// Ie.
    coding: f64,
    /// Bpl.
    robustness: f64,
}

/// ITU-T G.113 Appendix I tables I.1 and I.4: Ie 0; Bpl 4.3 without and 25.1 with the concealment
/// of G.711 Appendix I. G.722 at 64 kbit/s and Opus from 16 kbit/s on are no worse than G.711 to a
/// narrow-band ear (Ie 0); G.113 has no narrow-band Bpl for them. Their decoders conceal, and at
/// least as well as G.711 Appendix I, whose value is therefore taken.
fn impairment(codec: Codec, concealed: bool) -> Impairment {
    let robustness = match codec {
        Codec::Pcma | Codec::Pcmu if !concealed => 4.3,
        _ => 25.1,
    };
    Impairment {
        coding: 0.0,
        robustness,
    }
}

impl Path {
    /// The transmission rating R, 0 to 93.2 (ITU-T G.107 §7.1).
    pub fn rating(&self) -> f32 {
        let rating = BASE - delay_impairment(f64::from(self.delay_ms)) - self.equipment();
        rating.clamp(0.0, 100.0) as f32
    }

    /// The mean opinion score expected, 1 to 4.41 (MOS-CQE, ITU-T G.107 Annex B).
    pub fn mos(&self) -> f32 {
        opinion(f64::from(self.rating())) as f32
    }

    /// Ie,eff (ITU-T G.107 §7.5).
    fn equipment(&self) -> f64 {
        let Impairment { coding, robustness } = impairment(self.codec, self.concealed);
        let percent = f64::from(self.loss.clamp(0.0, 1.0)) * 100.0;
        let burst_ratio = f64::from(self.burst_ratio.clamp(1.0, 20.0));
        coding + (95.0 - coding) * percent / (percent / burst_ratio + robustness)
    }
}

/// Ro - Is with every default of ITU-T G.107 Table 2: 94.77 - 1.41.
const BASE: f64 = 94.77 - 1.41;
/// Ro, for the echo terms.
const SIGNAL_TO_NOISE: f64 = 94.77;
/// TELR, dB: default.
const TALKER_ECHO_LOSS: f64 = 65.0;
/// WEPL, dB: default.
const ECHO_PATH_LOSS: f64 = 110.0;
/// No, dBm0p: the default noise floor's sum.
const NOISE: f64 = -61.18;
/// RLR, dB: default.
const RECEIVE_LOUDNESS: f64 = 2.0;
/// No estimate is made for delays beyond this: the rating is 0 long before.
const MOST_DELAY_MS: f64 = 10_000.0;

/// Id = Idte + Idle + Idd for a path as long there as back (ITU-T G.107 §7.4).
fn delay_impairment(delay_ms: f64) -> f64 {
    let one_way = delay_ms.clamp(0.0, MOST_DELAY_MS);
    let talker = {
        let terv = TALKER_ECHO_LOSS
            - 40.0 * ((1.0 + one_way / 10.0) / (1.0 + one_way / 150.0)).log10()
            + 6.0 * (-0.3 * one_way * one_way).exp();
        let echo = 80.0 + 2.5 * (terv - 14.0);
        let room = -1.5 * (NOISE - RECEIVE_LOUDNESS);
        let half = (room - echo) / 2.0;
        (half + (half * half + 100.0).sqrt() - 1.0) * (1.0 - (-one_way).exp())
    };
    let listener = {
        let echo = 10.5 * (ECHO_PATH_LOSS + 7.0) * (2.0 * one_way + 1.0).powf(-0.25);
        let half = (SIGNAL_TO_NOISE - echo) / 2.0;
        half + (half * half + 169.0).sqrt()
    };
    let absolute = if one_way <= 100.0 {
        0.0
    } else {
        let x = (one_way / 100.0).log2();
        let bend = |x: f64| (1.0 + x.powi(6)).powf(1.0 / 6.0);
        25.0 * (bend(x) - 3.0 * bend(x / 3.0) + 2.0)
    };
    talker.max(0.0) + listener + absolute
}

/// ITU-T G.107 Annex B; never below 1, which the cubic is for the smallest ratings.
fn opinion(rating: f64) -> f64 {
    match rating {
        ..=0.0 => 1.0,
        100.0.. => 4.5,
        r => (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).max(1.0),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PATH: Path = Path {
        codec: Codec::Pcmu,
        concealed: true,
        loss: 0.0,
        burst_ratio: 1.0,
        delay_ms: 0.0,
    };

    #[test]
    fn the_default_path_has_the_rating_of_the_recommendation() {
        // ITU-T G.107 §7.7: R = 93.2 with all defaults; Annex B: MOS 4.41.
        assert!((PATH.rating() - 93.2).abs() < 0.05, "{}", PATH.rating());
        assert!((PATH.mos() - 4.41).abs() < 0.005, "{}", PATH.mos());
    }

    #[test]
    fn opinions_are_those_of_annex_b() {
        for (rating, mos) in [
            (50.0, 2.58),
            (60.0, 3.10),
            (70.0, 3.60),
            (80.0, 4.03),
            (90.0, 4.34),
        ] {
            assert!((opinion(rating) - mos).abs() < 0.01, "{rating}");
        }
        assert_eq!(
            (opinion(-5.0), opinion(120.0), opinion(3.0)),
            (1.0, 4.5, 1.0)
        );
    }

    #[test]
    fn loss_costs_what_appendix_i_of_g_113_says() {
        let rating = |loss, concealed| {
            let path = Path {
                loss,
                concealed,
                ..PATH
            };
            path.rating()
        };
        // 95 * 5 / (5 + 25.1) = 15.8; 95 * 1 / (1 + 4.3) = 17.9; 95 * 2 / (2 + 25.1) = 7.0.
        assert!((93.2 - rating(0.05, true) - 15.8).abs() < 0.1);
        assert!((93.2 - rating(0.01, false) - 17.9).abs() < 0.1);
        assert!((93.2 - rating(0.02, true) - 7.0).abs() < 0.1);
        let burst = Path {
            loss: 0.02,
            burst_ratio: 2.0,
            ..PATH
        };
        assert!(burst.rating() < rating(0.02, true));
    }

    #[test]
    fn delay_is_free_below_100_ms_and_dear_beyond_300() {
        let rating = |delay_ms| Path { delay_ms, ..PATH }.rating();
        // Figure 1 of ITU-T G.114: 89 to 91 at 150 ms, about 70 at 400 ms with TELR 65.
        assert!(rating(100.0) > 90.0);
        assert!((88.0..=92.0).contains(&rating(150.0)), "{}", rating(150.0));
        assert!((62.0..=74.0).contains(&rating(400.0)), "{}", rating(400.0));
        let mut last = rating(0.0);
        for delay in (10..2000).step_by(10) {
            let now = rating(delay as f32);
            assert!(now <= last + 0.01, "{delay}");
            last = now;
        }
    }

    proptest! {
        #[test]
        fn any_figures_give_an_opinion(loss: f32, burst_ratio: f32, delay_ms: f32, concealed: bool) {
            let path = Path { loss, burst_ratio, delay_ms, concealed, ..PATH };
            let mos = path.mos();
            prop_assert!(loss.is_nan() || burst_ratio.is_nan() || delay_ms.is_nan()
                || (1.0..=4.5).contains(&mos), "{mos}");
        }
    }
}
