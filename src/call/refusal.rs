//! What whoever refused a call said beyond the status: its Reason header (RFC 3326, in responses
//! RFC 6432), or a reason phrase of its own.

use crate::base::reason::phrase;
use crate::sip::{HeaderName, Message, Reason};

/// Longest words that are kept, in characters.
const MOST: usize = 120;

/// The words of a refusal; `None` when it has none but those of its status.
pub(super) fn words(response: &Message) -> Option<String> {
    let header = response.header_text(HeaderName::Reason);
    let reasons = header.map(|text| Reason::parse_list(&text));
    let mut reasons = reasons.into_iter().flatten();
    let said = reasons.find_map(|reason| cleaned(&reason.text));
    said.or_else(|| {
        let status = response.status()?;
        let own = response.reason_phrase();
        let is_usual = own.trim().eq_ignore_ascii_case(phrase(status));
        cleaned(&own).filter(|_| !is_usual)
    })
}

/// Whether the words say that the phone was told to ring nobody: as good as a decline, whatever
/// status the phone's maker has chosen for it.
pub(super) fn is_do_not_disturb(words: &str) -> bool {
    let words = words.to_ascii_lowercase().replace(['-', '_'], " ");
    words.contains("do not disturb") || words.split(' ').any(|word| word == "dnd")
}

fn cleaned(text: &str) -> Option<String> {
    let text = text.trim().chars().filter(|c| !c.is_control());
    let text: String = text.take(MOST).collect();
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(start: &str, header: &str) -> Option<String> {
        let text = format!(
            "SIP/2.0 {start}\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:1@a>;tag=1\r\n\
             To: <sip:2@a>;tag=2\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n{header}\r\n"
        );
        words(&Message::parse(text.into()).expect("a response"))
    }

    #[test]
    fn what_a_phone_says_for_itself_is_kept_and_what_its_status_says_is_not() {
        let said = |start, header| refusal(start, header);
        assert_eq!(said("486 Busy Here", ""), None);
        assert_eq!(said("603 decline", ""), None);
        assert_eq!(
            said("480 Do Not Disturb", ""),
            Some("Do Not Disturb".into())
        );
        let reason = "Reason: SIP;cause=603;text=\"in a meeting\"\r\n";
        assert_eq!(said("603 Decline", reason), Some("in a meeting".into()));
        assert_eq!(said("486 Busy Here", "Reason: Q.850;cause=17\r\n"), None);
        let long = said(&format!("486 {}", "い".repeat(500)), "").expect("words");
        assert_eq!(long.chars().count(), MOST);
    }

    #[test]
    fn do_not_disturb_is_known_in_its_spellings() {
        for yes in ["Do Not Disturb", "do-not-disturb", "DND active", "dnd"] {
            assert!(is_do_not_disturb(yes), "{yes}");
        }
        for no in ["", "disturbed", "dndx", "Busy"] {
            assert!(!is_do_not_disturb(no), "{no}");
        }
    }
}
