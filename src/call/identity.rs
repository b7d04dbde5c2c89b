//! Who calls, in one call, and what phones are told of it (RFC 3323, RFC 3325).

use serde::{Deserialize, Serialize};

use super::core::Core;
use super::diversions::Diversions;
use super::generation::Generation;
use super::hands::Hands;
use crate::base::Cause;
use crate::events::{Check, Fact};
use crate::sip::{HeaderName, Host, NameAddr, Privacy, Uri};
use crate::trunk::{AnonymousForm, Closed, Presentation, Wish, anonymous};

/// What a call knows of its caller besides his number.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// The number of the record that all this is about: after a transfer `from` may be another's.
    pub(super) of: String,
    /// The caller's name.
    pub(crate) display: Option<String>,
    /// Whether number and name are kept from whom is called.
    pub(crate) withheld: bool,
    /// The number, although it is withheld.
    pub(crate) asserted: Option<String>,
    /// What the phone asks for about showing its number.
    pub(super) presentation: Option<Presentation>,
    /// The number the caller asks to show outside.
    pub(super) wish: Option<Wish>,
    /// Who sent the call on.
    pub(super) diversions: Diversions,
    /// Why the call was not placed, for the answer to its caller.
    pub(super) denied: Option<(String, String, String)>,
}

impl Identity {
    /// The caller dialled that his number is to be shown or not.
    pub(super) fn ask(&mut self, presentation: Presentation) {
        self.presentation = Some(presentation);
        self.withheld = presentation == Presentation::Withhold;
    }

    /// The facts that `CallStarted` does not hold; nothing for a plain call.
    pub(super) fn facts(&self, from_raw: Option<String>, to_raw: Option<String>) -> Vec<Fact> {
        let mut facts = Vec::new();
        let is_plain =
            from_raw.is_none() && to_raw.is_none() && self.display.is_none() && !self.withheld;
        if !is_plain {
            facts.push(Fact::CallIdentified {
                from_raw,
                to_raw,
                from_name: self.display.clone(),
                withheld: self.withheld,
                asserted: self.asserted.clone(),
            });
        }
        facts.extend(self.diversions.facts());
        facts
    }

    /// Who sent the call here, the last of them, unless he does not want that to be known.
    pub(crate) fn forwarded_from(&self) -> Option<String> {
        self.diversions.latest().map(str::to_owned)
    }

    /// Why the call ended with a status: in the words of the check that failed, when one did.
    pub(crate) fn cause(&self, status: u16) -> Cause {
        let cause = Cause::from_status(status);
        match &self.denied {
            Some((code, words, _)) if status == 403 => cause.with_words(format!("{code}: {words}")),
            _ => cause,
        }
    }

    /// What the caller is told beside a 403: code and reason in both languages (RFC 3261 §20.43,
    /// RFC 3326).
    pub(crate) fn refusal_headers(&self, status: u16) -> Vec<(HeaderName, String)> {
        let denied = self.denied.as_ref().filter(|_| status == 403);
        denied.map(refusal_headers).unwrap_or_default()
    }
}

impl Core {
    /// Notes a check of the present attempt.
    pub(crate) fn check(&mut self, hands: &mut Hands<'_>, check: Check) {
        self.emit(hands, Fact::Checked { check });
    }

    /// A trunk takes no call now: the status for the caller.
    pub(crate) fn trunk_closed(
        &mut self,
        hands: &mut Hands<'_>,
        trunk: &str,
        closed: Closed,
    ) -> u16 {
        tracing::debug!(call = %self.id, trunk, ?closed, "trunk takes no call");
        let words = format!("trunk {trunk} {closed}");
        let check = Check::failed("trunk.capacity", trunk, words, closed.code());
        self.check(hands, check);
        Closed::STATUS
    }

    /// From of a call to one of our phones. Who withholds his number is anonymous there, but for
    /// phones with the right to see it.
    pub(crate) fn inward_from(
        &self,
        generation: &Generation,
        phone: &str,
        host: &Host,
        port: Option<u16>,
    ) -> (NameAddr, Vec<(HeaderName, String)>) {
        let rights = generation.phones.get(phone).map(|phone| &phone.shows);
        let sees = rights.is_some_and(|rights| rights.sees_withheld);
        let other = Identity {
            display: generation
                .phones
                .get(&self.from)
                .map(|caller| caller.display_name.clone()),
            ..Identity::default()
        };
        if let Some(shown) = &self.shows {
            let uri = Uri::sip(shown, host.clone(), port);
            return (NameAddr::new(uri), Vec::new());
        }
        let identity = self.identity_of_from().unwrap_or(&other);
        let privacy = || vec![(HeaderName::Privacy, Privacy::ID.to_string())];
        if identity.withheld {
            // A phone that withholds its number has it in `from`, a trunk's caller in `asserted`.
            let known = identity.asserted.as_deref();
            let known = known.or_else(|| Some(&*self.from).filter(|from| *from != ANONYMOUS));
            return match known.filter(|_| sees) {
                Some(number) => {
                    let uri = Uri::sip(number, host.clone(), port);
                    (NameAddr::new(uri), privacy())
                }
                None => (anonymous(AnonymousForm::Invalid, host, port), privacy()),
            };
        }
        if self.from == ANONYMOUS {
            return (anonymous(AnonymousForm::Invalid, host, port), Vec::new());
        }
        let from = NameAddr::new(Uri::sip(&self.from, host.clone(), port));
        match identity.display.as_deref() {
            Some(display) => (from.with_display(display), Vec::new()),
            None => (from, Vec::new()),
        }
    }

    /// The name of whom `from` names, for flows and agents.
    pub(super) fn name_of_from(&self, generation: &Generation) -> Option<String> {
        caller_name(generation, &self.from, self.identity_of_from())
    }

    /// What is known of whom `from` names; `None` when a transfer made him another.
    pub(super) fn identity_of_from(&self) -> Option<&Identity> {
        Some(&self.identity).filter(|identity| identity.of == self.from)
    }
}

/// A caller's name, unless he withholds it; a phone's is the one it has here.
pub(crate) fn caller_name(
    generation: &Generation,
    from: &str,
    identity: Option<&Identity>,
) -> Option<String> {
    if identity.is_some_and(|identity| identity.withheld) {
        return None;
    }
    let said = identity.and_then(|identity| identity.display.clone());
    let own = || Some(generation.phones.get(from)?.display_name.clone());
    said.or_else(own).filter(|name| !name.is_empty())
}

/// Code and sentences as headers. Quotation marks would end the text, line breaks the header.
pub(super) fn refusal_headers(denied: &(String, String, String)) -> Vec<(HeaderName, String)> {
    let (code, words, words_ja) = denied;
    let plain = |text: &str| text.replace(['"', '\\'], "'");
    let warning = |words: &str| format!("399 tsunagu \"{code}: {}\"", plain(words));
    vec![
        (HeaderName::Warning, warning(words)),
        (HeaderName::Warning, warning(words_ja)),
        (HeaderName::Reason, format!("SIP;cause=403;text=\"{code}\"")),
    ]
}

/// The number of a caller who does not say it (RFC 3323 §4.1).
pub(super) const ANONYMOUS: &str = "anonymous";
