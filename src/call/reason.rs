//! Why a leg ends, as SIP says it (RFC 3326): written into CANCEL and BYE, read out of theirs.

use super::hands::Hands;
use crate::base::{Cause, Party};
use crate::sip::ua::Headers;
use crate::sip::{HeaderName, Reason};

/// The Reason of a CANCEL or BYE. A fork that lost hears that the call was taken elsewhere and
/// shows no missed call (RFC 3326 §3.2); all others hear the Q.850 cause.
pub(super) fn header(cause: &Cause) -> Headers {
    let reason = if is_elsewhere(cause) {
        Reason::sip(200, COMPLETED_ELSEWHERE)
    } else {
        Reason::q850(cause.q850, cause.words.as_str())
    };
    vec![(HeaderName::Reason, reason.to_string())]
}

/// What one party's cause becomes for another: the same, or, when the office keeps reasons to
/// itself, that it ended.
pub(super) fn passed_on(hands: &Hands<'_>, generation: u64, by: Party, cause: &Cause) -> Headers {
    let generation = hands.generations.get(&generation);
    let passes = by == Party::Switch
        || is_elsewhere(cause)
        || generation.is_none_or(|generation| generation.pass_reason);
    if passes {
        header(cause)
    } else {
        header(&Cause::normal())
    }
}

/// A cause with what the other side's Reason header adds to it.
pub(super) fn read(reason: Option<&str>, mut cause: Cause) -> Cause {
    let reasons = reason.map(Reason::parse_list).unwrap_or_default();
    let said = |protocol: &str| {
        let mut reasons = reasons.iter();
        reasons.find(|reason| reason.protocol.eq_ignore_ascii_case(protocol))
    };
    let by_sip = said("SIP").and_then(|reason| Some((reason.cause?, reason)));
    let by_q850 = said("Q.850")
        .and_then(|reason| Some((u8::try_from(reason.cause?).ok()?, reason)))
        .filter(|(q850, _)| (1..=127).contains(q850));
    if cause.sip == 487 && matches!(by_sip, Some((200, _))) {
        return Cause::answered_elsewhere();
    }
    if let Some((status @ 300..=699, reason)) = by_sip {
        cause = Cause::from_status(status);
        rename(&mut cause, &reason.text);
    }
    if let Some((q850, reason)) = by_q850 {
        cause.q850 = q850;
        rename(&mut cause, &reason.text);
    }
    cause
}

fn rename(cause: &mut Cause, words: &str) {
    if !words.is_empty() {
        words.clone_into(&mut cause.words);
    }
}

fn is_elsewhere(cause: &Cause) -> bool {
    cause.q850 == Cause::answered_elsewhere().q850
}

/// The words of RFC 3326 §3.2, which phones look for.
const COMPLETED_ELSEWHERE: &str = "Call completed elsewhere";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_lost_hears_that_it_was_answered_elsewhere() {
        let written = &header(&Cause::answered_elsewhere())[0].1;
        assert_eq!(written, r#"SIP;cause=200;text="Call completed elsewhere""#);
        let read = read(Some(written), Cause::from_status(487));
        assert_eq!(read, Cause::answered_elsewhere());
    }

    #[test]
    fn the_cause_of_the_far_end_is_kept_and_said_again() {
        let heard = read(
            Some(r#"SIP;cause=480;text="x", Q.850;cause=31;text="line \"cut\"""#),
            Cause::normal(),
        );
        assert_eq!((heard.sip, heard.q850), (480, 31));
        assert_eq!(header(&heard)[0].1, r#"Q.850;cause=31;text="line \"cut\"""#);
        let only = read(Some("Q.850;cause=41"), Cause::normal());
        assert_eq!((only.sip, only.q850), (200, 41));
        assert_eq!(only.words, "normal clearing");
        for silent in [
            None,
            Some(""),
            Some("Q.850;cause=900"),
            Some("SIP"),
            Some("SIP;cause=200"),
        ] {
            assert_eq!(read(silent, Cause::normal()), Cause::normal());
        }
    }
}
