//! Personal data in logs: numbers and addresses are shown only as far as operators need.

use std::fmt;

/// Wraps a phone number, name or address on its way into a log line.
///
/// Shows the first and last two characters of what it holds, so that two lines about one caller
/// can be matched without the log becoming an address book.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Pii<T>(pub T);

impl<T: fmt::Display> fmt::Display for Pii<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: Vec<char> = self.0.to_string().chars().collect();
        if text.len() < 8 {
            return f.write_str("***");
        }
        let (head, tail) = (&text[..2], &text[text.len() - 2..]);
        write!(
            f,
            "{}***{}",
            head.iter().collect::<String>(),
            tail.iter().collect::<String>()
        )
    }
}

impl<T: fmt::Display> fmt::Debug for Pii<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::Pii;

    #[test]
    fn hides_the_middle_of_a_number_and_all_of_a_short_one() {
        assert_eq!(Pii("+819012345678").to_string(), "+8***78");
        assert_eq!(format!("{:?}", Pii("1001")), "***");
    }
}
