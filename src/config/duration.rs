//! Lengths of time as people write them.

use std::time::Duration;

/// `"500ms"`, `"15s"`, `"1m30s"`, `"2h"`: whole numbers with units, largest first.
pub(super) fn parse_duration(text: &str) -> Option<Duration> {
    const UNITS: [(&str, u64); 4] = [("ms", 1), ("h", 3_600_000), ("m", 60_000), ("s", 1000)];
    let (mut rest, mut total, mut last) = (text.trim(), 0u64, u64::MAX);
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let (unit, millis) = UNITS.into_iter().find(|(unit, _)| rest.starts_with(unit))?;
        if millis >= last {
            return None;
        }
        last = millis;
        total = total.checked_add(number.checked_mul(millis)?)?;
        rest = &rest[unit.len()..];
    }
    Some(Duration::from_millis(total))
}

/// The shortest writing that [`parse_duration`] reads back.
pub(super) fn show_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    match millis {
        0 => "0s".to_owned(),
        _ if millis.is_multiple_of(3_600_000) => format!("{}h", millis / 3_600_000),
        _ if millis.is_multiple_of(60_000) => format!("{}m", millis / 60_000),
        _ if millis.is_multiple_of(1000) => format!("{}s", millis / 1000),
        _ => format!("{millis}ms"),
    }
}

pub(super) const HELP: &str = "write \"500ms\", \"15s\", \"1m30s\" or \"2h\"";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_need_units_largest_first() {
        for (text, millis) in [
            ("500ms", Some(500)),
            ("15s", Some(15_000)),
            ("1m30s", Some(90_000)),
            ("2h", Some(7_200_000)),
            ("0", Some(0)),
            ("15", None),
            ("", None),
            ("30s1m", None),
            ("5 s", None),
            ("s", None),
            ("99999999999999999999s", None),
            ("18446744073709551615h", None),
        ] {
            assert_eq!(
                parse_duration(text),
                millis.map(Duration::from_millis),
                "{text}"
            );
        }
        assert_eq!(show_duration(Duration::from_secs(90)), "90s");
    }
}
