//! What an unknown word was most likely meant to be.

/// The word of `known` that `word` was most likely meant to be.
pub(super) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let word = word.to_lowercase();
    known
        .iter()
        .map(|&known| {
            (
                strsim::damerau_levenshtein(&known.to_lowercase(), &word),
                known,
            )
        })
        .min()
        .filter(|(distance, _)| *distance <= 1 + word.chars().count() / 4)
        .map(|(_, known)| known)
}

/// The remedy for an unknown word: the nearest known one, or all of them.
pub(super) fn remedy(word: &str, known: &[&str], introduction: &str) -> String {
    match nearest(word, known) {
        Some(known) => format!("did you mean `{known}`?"),
        None => format!("{introduction} {}", list(known)),
    }
}

/// Words in a row, the first dozen of them.
fn list(words: &[&str]) -> String {
    const SHOWN: usize = 16;
    let shown: Vec<String> = words
        .iter()
        .take(SHOWN)
        .map(|word| format!("`{word}`"))
        .collect();
    let more = words.len().saturating_sub(SHOWN);
    match more {
        0 => shown.join(", "),
        _ => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_the_word_it_was_meant_to_be() {
        let known = ["ring_timeout", "max_wait", "music"];
        assert_eq!(nearest("ring_timout", &known), Some("ring_timeout"));
        assert_eq!(nearest("Music", &known), Some("music"));
        assert_eq!(nearest("colour", &known), None);
        assert_eq!(remedy("colour", &["a", "b"], "it has"), "it has `a`, `b`");
    }
}
