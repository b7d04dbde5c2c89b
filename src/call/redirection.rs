//! Redirections (3xx) of one call: which Contacts are tried, in which order, and where it ends.
//!
//! RFC 3261 §8.1.3.4: by q, none twice. Who may be sent where is the call's to say
//! ([`super::onward`]).

use serde::{Deserialize, Serialize};

use crate::sip::NameAddr;
use crate::sip::Uri;

/// What a call has been sent to so far.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Redirections {
    /// Numbers and addresses rung, as [`key`] writes them.
    seen: Vec<String>,
    /// How often the call was sent on.
    hops: u8,
}

/// Why a redirection is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotFollowed {
    /// Everything it points to has been rung.
    #[error("the redirection leads in a circle")]
    Circle,
    /// It points nowhere.
    #[error("the redirection names nobody")]
    Nobody,
    /// The call has been sent on too often.
    #[error("redirected too often")]
    TooOften,
}

impl NotFollowed {
    /// The status that tells the caller.
    pub(crate) const fn status(self) -> u16 {
        match self {
            NotFollowed::Circle => 482,
            NotFollowed::Nobody | NotFollowed::TooOften => 480,
        }
    }
}

impl Redirections {
    /// Notes a number that is rung.
    pub(crate) fn note(&mut self, number: &str) {
        if self.seen.len() < MAX_SEEN && !self.seen.iter().any(|seen| seen == number) {
            self.seen.push(number.to_owned());
        }
    }

    /// The addresses to try next, the best first; each is noted as rung.
    pub(crate) fn take(&mut self, contacts: &[NameAddr]) -> Result<Vec<Uri>, NotFollowed> {
        if self.hops >= MAX_HOPS {
            return Err(NotFollowed::TooOften);
        }
        self.hops += 1;
        if contacts.is_empty() {
            return Err(NotFollowed::Nobody);
        }
        let mut ordered: Vec<&NameAddr> = contacts.iter().collect();
        ordered.sort_by_key(|contact| std::cmp::Reverse(thousandths(contact)));
        let mut next = Vec::new();
        for contact in ordered {
            let key = key(&contact.uri);
            if next.len() < MAX_CONTACTS && !self.seen.contains(&key) {
                self.note(&key);
                next.push(contact.uri.clone());
            }
        }
        if next.is_empty() {
            return Err(NotFollowed::Circle);
        }
        Ok(next)
    }
}

/// What two addresses of one party have in common: the user, or the host where there is none.
fn key(uri: &Uri) -> String {
    let user = uri.user_decoded();
    if user.is_empty() {
        return uri.host.to_string().to_ascii_lowercase();
    }
    user.into_owned()
}

/// The q of a Contact, 0 to 1000; 1000 when none is written (RFC 3261 §20.10).
fn thousandths(contact: &NameAddr) -> u32 {
    let Some(q) = contact.params.value("q") else {
        return 1000;
    };
    let q = q.trim().parse::<f32>().unwrap_or(0.0);
    // NaN and whatever lies outside become the nearest end.
    (q.clamp(0.0, 1.0) * 1000.0) as u32
}

/// Times one call is sent on.
const MAX_HOPS: u8 = 5;
/// Contacts tried of one redirection.
const MAX_CONTACTS: usize = 5;
/// Addresses remembered: more than hops and contacts allow.
const MAX_SEEN: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn contacts(texts: &[&str]) -> Vec<NameAddr> {
        let parse = |text: &&str| NameAddr::parse(text).expect("a contact");
        texts.iter().map(parse).collect()
    }

    fn take(redirections: &mut Redirections, texts: &[&str]) -> Result<Vec<String>, NotFollowed> {
        let uris = redirections.take(&contacts(texts))?;
        Ok(uris.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_best_q_goes_first_and_equals_keep_their_order() {
        let mut redirections = Redirections::default();
        let taken = take(
            &mut redirections,
            &[
                "<sip:a@x>;q=0.2",
                "<sip:b@x>;q=0.9",
                "<sip:c@x>",
                "<sip:d@x>;q=0.9",
                "<sip:e@x>;q=nonsense",
                "<sip:f@x>;q=7",
            ],
        );
        let expected = ["sip:c@x", "sip:f@x", "sip:b@x", "sip:d@x", "sip:a@x"];
        assert_eq!(taken, Ok(expected.map(str::to_owned).to_vec()));
    }

    #[test]
    fn nobody_is_rung_twice() {
        let mut redirections = Redirections::default();
        redirections.note("1006");
        let taken = take(&mut redirections, &["<sip:1007@x>", "<sip:1006@x:5070>"]);
        assert_eq!(taken, Ok(vec!["sip:1007@x".to_owned()]));
        let again = take(&mut redirections, &["<sip:1006@y>", "<sip:1007@x>"]);
        assert_eq!(again, Err(NotFollowed::Circle));
        assert_eq!(take(&mut redirections, &[]), Err(NotFollowed::Nobody));
    }

    #[test]
    fn a_chain_has_an_end() {
        let mut redirections = Redirections::default();
        for hop in 0..MAX_HOPS {
            let to = format!("<sip:{}@x>", 2000 + u32::from(hop));
            assert!(take(&mut redirections, &[&to]).is_ok());
        }
        let last = take(&mut redirections, &["<sip:9999@x>"]);
        assert_eq!(last, Err(NotFollowed::TooOften));
    }
}
