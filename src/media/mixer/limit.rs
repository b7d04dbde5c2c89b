//! A limiter without memory: linear up to three quarters of full scale, then bent towards it.

/// Where bending begins (-2.5 dB of full scale).
const KNEE: u32 = 24_576;

/// What is left above the knee.
const ROOM: f32 = (i16::MAX as u32 - KNEE) as f32;

/// Brings a sum into 16 bits: monotonic, odd, with a continuous slope; what does not exceed the
/// knee comes out as it went in.
pub fn soft_limit(sum: i32) -> i16 {
    let magnitude = sum.unsigned_abs();
    // Without a branch, so that several samples are limited at once. Below the knee exactly zero.
    let excess = magnitude.saturating_sub(KNEE) as i32 as f32;
    let bent = (ROOM * excess / (ROOM + excess)) as i16;
    let limited = magnitude.min(KNEE) as i16 + bent;
    if sum < 0 { -limited } else { limited }
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
