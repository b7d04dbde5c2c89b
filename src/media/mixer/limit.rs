//! A limiter without memory: linear up to three quarters of full scale, then bent towards it.

/// Where bending begins (-2.5 dB of full scale): a single voice is never touched.
const KNEE: i32 = 24_576;

/// What is left above the knee.
const ROOM: i32 = i16::MAX as i32 - KNEE;

/// Brings a sum into 16 bits: monotonic, odd, with a continuous slope.
pub fn soft_limit(sum: i32) -> i16 {
    let magnitude = sum.saturating_abs();
    if magnitude <= KNEE {
        return sum as i16;
    }
    let excess = i64::from(magnitude - KNEE);
    let bent = KNEE + (i64::from(ROOM) * excess / (i64::from(ROOM) + excess)) as i32;
    (if sum < 0 { -bent } else { bent }) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_linear_then_monotonic_and_never_overflows() {
        assert_eq!(soft_limit(24_576), 24_576);
        assert_eq!(soft_limit(-100), -100);
        assert_eq!(soft_limit(i32::MAX), 32_766);
        assert_eq!(soft_limit(i32::MIN), -32_766);
        let mut last = 0;
        for sum in 0..300_000 {
            let limited = soft_limit(sum);
            assert!(limited >= last && limited - last <= 1);
            assert_eq!(soft_limit(-sum), -limited);
            last = limited;
        }
    }
}
