//! The language people are spoken to in.

use std::fmt;
use std::str::FromStr;

/// The language people are spoken to in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// 日本語.
    Japanese,
}

impl Language {
    /// The one of two texts that is in this language.
    pub fn pick<T>(self, english: T, japanese: T) -> T {
        match self {
            Self::English => english,
            Self::Japanese => japanese,
        }
    }

    /// The language of a locale such as `ja_JP.UTF-8`; English where it is neither.
    pub fn of_locale(locale: &str) -> Self {
        match locale.starts_with("ja") {
            true => Self::Japanese,
            false => Self::English,
        }
    }
}

impl FromStr for Language {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "en" => Ok(Self::English),
            "ja" => Ok(Self::Japanese),
            _ => Err("`en` or `ja`".to_owned()),
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.pick("en", "ja"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_says_which() {
        assert_eq!(Language::of_locale("ja_JP.UTF-8"), Language::Japanese);
        assert_eq!(Language::of_locale("C"), Language::English);
        assert_eq!("ja".parse(), Ok(Language::Japanese));
        assert!("de".parse::<Language>().is_err());
    }
}
