//! G.711 by table, both laws (ITU-T G.711, tables 1a to 2b).
//!
//! Linear values are the recommendation's 14-bit (mu-law) and 13-bit (A-law) decision values
//! scaled to 16 bits. All tables are made at compile time: 16 + 8 KiB to encode, 1 KiB to decode.

/// Decoded value of each mu-law byte.
pub(super) static ULAW_TO_LINEAR: [i16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = ulaw_value(byte as u8);
        byte += 1;
    }
    table
};

/// Decoded value of each A-law byte.
pub(super) static ALAW_TO_LINEAR: [i16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = alaw_value(byte as u8);
        byte += 1;
    }
    table
};

static LINEAR_TO_ULAW: [u8; 1 << 14] = {
    let mut table = [0; 1 << 14];
    let mut index = 0;
    while index < 1 << 14 {
        table[index] = ulaw_byte(index as i32 - (1 << 13));
        index += 1;
    }
    table
};

static LINEAR_TO_ALAW: [u8; 1 << 13] = {
    let mut table = [0; 1 << 13];
    let mut index = 0;
    while index < 1 << 13 {
        table[index] = alaw_byte(index as i32 - (1 << 12));
        index += 1;
    }
    table
};

/// The mu-law byte of a sample.
pub(super) fn linear_to_ulaw(sample: i16) -> u8 {
    LINEAR_TO_ULAW[((i32::from(sample) >> 2) + (1 << 13)) as usize & ((1 << 14) - 1)]
}

/// The A-law byte of a sample.
pub(super) fn linear_to_alaw(sample: i16) -> u8 {
    LINEAR_TO_ALAW[((i32::from(sample) >> 3) + (1 << 12)) as usize & ((1 << 13) - 1)]
}

/// Table 2b: segment and step, with the bias of 33 (in 14 bits) taken off.
const fn ulaw_value(byte: u8) -> i16 {
    let code = !byte;
    let segment = (code >> 4) & 7;
    let step = (code & 0x0f) as i32;
    let magnitude = (((2 * step + 33) << segment) - 33) << 2;
    if code & 0x80 == 0 {
        magnitude as i16
    } else {
        -magnitude as i16
    }
}

/// Table 1b; even bits are inverted on the line, a set sign bit is positive.
const fn alaw_value(byte: u8) -> i16 {
    let code = byte ^ 0x55;
    let segment = (code >> 4) & 7;
    let step = (code & 0x0f) as i32;
    let magnitude = match segment {
        0 => (2 * step + 1) << 3,
        _ => ((2 * step + 33) << (segment - 1)) << 3,
    };
    if code & 0x80 == 0 {
        -magnitude as i16
    } else {
        magnitude as i16
    }
}

/// Table 2a; `linear` has 14 bits. Magnitudes of negative values are those of one's complement,
/// so that the decision values are symmetric.
const fn ulaw_byte(linear: i32) -> u8 {
    let (sign, magnitude) = if linear < 0 {
        (0x80, !linear)
    } else {
        (0, linear)
    };
    let biased = if magnitude + 33 > 0x1fff {
        0x1fff
    } else {
        magnitude + 33
    };
    // The leading one of 33..=8191 is at bit 5..=12.
    let segment = 26 - (biased as u32).leading_zeros();
    let step = (biased >> (segment + 1)) & 0x0f;
    !(sign | ((segment << 4) as u8) | step as u8)
}

/// Table 1a; `linear` has 13 bits.
const fn alaw_byte(linear: i32) -> u8 {
    let (sign, magnitude) = if linear < 0 {
        (0, !linear)
    } else {
        (0x80, linear)
    };
    let code = if magnitude < 32 {
        magnitude >> 1
    } else {
        let segment = 27 - (magnitude as u32).leading_zeros();
        ((segment << 4) as i32) | ((magnitude >> segment) & 0x0f)
    };
    (sign | code as u8) ^ 0x55
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Table 2a/2b of G.711: (decision value, character signal, value at the decoder output), in
    /// 14-bit units, first interval of each segment and the last of all.
    const ULAW: [(i32, u8, i32); 10] = [
        (0, 0b1111_1111, 0),
        (1, 0b1111_1110, 2),
        (31, 0b1110_1111, 33),
        (95, 0b1101_1111, 99),
        (223, 0b1100_1111, 231),
        (479, 0b1011_1111, 495),
        (991, 0b1010_1111, 1023),
        (2015, 0b1001_1111, 2079),
        (4063, 0b1000_1111, 4191),
        (7903, 0b1000_0000, 8031),
    ];

    /// Table 1a/1b, in 13-bit units (the recommendation's 4096 scale); line code with even bits
    /// inverted.
    const ALAW: [(i32, u8, i32); 10] = [
        (0, 0b1101_0101, 1),
        (2, 0b1101_0100, 3),
        (32, 0b1100_0101, 33),
        (64, 0b1111_0101, 66),
        (128, 0b1110_0101, 132),
        (256, 0b1001_0101, 264),
        (512, 0b1000_0101, 528),
        (1024, 0b1011_0101, 1056),
        (2048, 0b1010_0101, 2112),
        (3968, 0b1010_1010, 4032),
    ];

    #[test]
    fn ulaw_follows_tables_2a_and_2b() {
        for (decision, code, value) in ULAW {
            assert_eq!(linear_to_ulaw((decision * 4) as i16), code, "at {decision}");
            assert_eq!(i32::from(ULAW_TO_LINEAR[usize::from(code)]), value * 4);
            assert_eq!(
                i32::from(ULAW_TO_LINEAR[usize::from(code & 0x7f)]),
                -value * 4
            );
            if decision > 0 {
                assert_ne!(
                    linear_to_ulaw((decision * 4 - 1) as i16),
                    code,
                    "below {decision}"
                );
                assert_eq!(linear_to_ulaw((-decision * 4 - 4) as i16), code & 0x7f);
            }
        }
    }

    #[test]
    fn alaw_follows_tables_1a_and_1b() {
        for (decision, code, value) in ALAW {
            assert_eq!(linear_to_alaw((decision * 8) as i16), code, "at {decision}");
            assert_eq!(i32::from(ALAW_TO_LINEAR[usize::from(code)]), value * 8);
            assert_eq!(
                i32::from(ALAW_TO_LINEAR[usize::from(code & 0x7f)]),
                -value * 8
            );
            if decision > 0 {
                assert_ne!(
                    linear_to_alaw((decision * 8 - 1) as i16),
                    code,
                    "below {decision}"
                );
                assert_eq!(linear_to_alaw((-decision * 8 - 8) as i16), code & 0x7f);
            }
        }
    }

    /// The sequences of G.711 tables 5 and 6 that are a 1 kHz sine at 0 dBm0.
    #[test]
    fn the_digital_milliwatt_decodes_to_a_sine_of_one_kilohertz() {
        let ulaw = [0x1eu8, 0x0b, 0x0b, 0x1e, 0x9e, 0x8b, 0x8b, 0x9e];
        let alaw = [0x34u8, 0x21, 0x21, 0x34, 0xb4, 0xa1, 0xa1, 0xb4];
        for (table, bytes) in [(&ULAW_TO_LINEAR, ulaw), (&ALAW_TO_LINEAR, alaw)] {
            let values = bytes.map(|byte| i32::from(table[usize::from(byte)]));
            for i in 0..4 {
                assert_eq!(values[i], -values[i + 4]);
            }
            let ratio = f64::from(values[1]) / f64::from(values[0]);
            assert!((ratio - (1.0 + 2.0f64.sqrt())).abs() < 0.1, "{ratio}");
        }
    }

    #[test]
    fn every_byte_comes_back_through_its_value() {
        for byte in 0..=255u8 {
            assert_eq!(linear_to_alaw(ALAW_TO_LINEAR[usize::from(byte)]), byte);
            let through = linear_to_ulaw(ULAW_TO_LINEAR[usize::from(byte)]);
            // Both zeros of mu-law have the value 0.
            assert_eq!(through, if byte == 0x7f { 0xff } else { byte });
        }
    }

    #[test]
    fn the_error_is_never_more_than_half_a_step() {
        for sample in i16::MIN..=i16::MAX {
            let ulaw = ULAW_TO_LINEAR[usize::from(linear_to_ulaw(sample))];
            let alaw = ALAW_TO_LINEAR[usize::from(linear_to_alaw(sample))];
            for decoded in [ulaw, alaw] {
                let error = (i32::from(decoded) - i32::from(sample)).abs();
                let step = (i32::from(sample).abs() / 16).max(16);
                assert!(error <= step / 2 + 8, "{sample} became {decoded}");
            }
        }
    }
}
