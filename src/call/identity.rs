//! Who calls, in one call: what was heard of it on arrival, what phones and carriers are told of
//! it, and whether a call may go out with the number it asks to show (RFC 3323, RFC 3325).

use serde::{Deserialize, Serialize};

use super::arrival::{Caller, Refusal, user_of};
use super::core::Core;
use super::diversions::{Diversions, SentOn};
use super::generation::{Generation, Phone};
use super::hands::Hands;
use crate::base::Cause;
use crate::events::{Check, Fact};
use crate::sip::{Asserted, HeaderName, Host, Message, NameAddr, Privacy, Telephone, Uri};
use crate::trunk::{
    AnonymousForm, CallerIdCase, CallerIds, CallerRights, Closed, Denied, NumberFormat, NumberKind,
    Presentation, Shown, Site, Trunk, Wish, WishSource, Withhold, anonymous,
    caller_id_of_emergency, choose_caller_id, is_anonymous,
};

/// What a call knows of its caller besides his number.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// The number of the record that all this is about: after a transfer `from` may be another's.
    of: String,
    /// The caller's name.
    pub(crate) display: Option<String>,
    /// Whether number and name are kept from whom is called.
    pub(crate) withheld: bool,
    /// The number, although it is withheld.
    pub(crate) asserted: Option<String>,
    /// What the phone asks for about showing its number.
    presentation: Option<Presentation>,
    /// The number the caller asks to show outside.
    wish: Option<Wish>,
    /// Who sent the call on.
    pub(super) diversions: Diversions,
    /// Why the call was not placed, for the answer to its caller.
    denied: Option<(String, String, String)>,
}

/// What an INVITE out by a trunk says about whom it calls and who calls.
#[derive(Clone, Debug)]
pub(crate) struct Outward {
    /// The dialled number as the trunk wants it.
    pub(crate) number: String,
    /// The number the call shows, or would if it were not withheld.
    pub(crate) shown: String,
    /// From, without a tag.
    pub(crate) from: NameAddr,
    /// The headers that go with it.
    pub(crate) headers: Vec<(HeaderName, String)>,
}

/// Who calls, read from an INVITE.
#[derive(Debug)]
pub(super) struct Arriving {
    /// The caller's number for record and flows, normalised; `anonymous` when withheld.
    pub(super) from: String,
    /// The same as it was sent, when that is another form.
    pub(super) from_raw: Option<String>,
    /// The rest.
    pub(super) identity: Identity,
}

/// Who calls, read from his INVITE.
pub(super) fn of_caller(
    generation: &Generation,
    caller: &Caller,
    request: &Message,
) -> Result<Arriving, Refusal> {
    match caller {
        Caller::Phone(number) => {
            let phone = generation.phones.get(number).ok_or(403_u16)?;
            of_phone(generation, phone, request)
        }
        Caller::Trunk(name) => {
            let trunk = generation.trunks.get(name).ok_or(403_u16)?;
            Ok(of_trunk(generation.numbers.site(), trunk, request))
        }
    }
}

/// The number he dialled: a phone by the Request-URI, a trunk where its policy says; in E.164 when
/// the trunk's form of it is known only so.
pub(super) fn dialled_by(
    generation: &Generation,
    caller: &Caller,
    request: &Message,
) -> Option<String> {
    let Caller::Trunk(name) = caller else {
        return request.request_uri()?.ok().and_then(user_of);
    };
    let policy = &generation.trunks.get(name)?.identity;
    let telephone = policy.dialled(request)?;
    let dialled = telephone.in_context();
    if policy.called_format == NumberFormat::International
        && let Some(site) = generation.numbers.site()
        && let Ok(read) = site.read_in(&dialled, policy.called_format)
    {
        return Some(read.e164.unwrap_or(read.written));
    }
    Some(dialled.into_owned())
}

/// A number for the record: E.164, or a short number as it is; `None` when the plan cannot read it.
pub(super) fn normalised(site: Option<&Site>, number: &str) -> Option<String> {
    let read = site?.read(number).ok()?;
    Some(read.e164.unwrap_or(read.written))
}

/// The caller of a trunk's INVITE, as far as the trunk is believed.
fn of_trunk(site: Option<&Site>, trunk: &Trunk, request: &Message) -> Arriving {
    let policy = &trunk.identity;
    let heard = policy.heard(request);
    let normal = |text: &str| {
        let read = site.and_then(|site| site.read_caller(text, policy.caller_format).ok());
        read.and_then(|number| number.e164)
            .unwrap_or_else(|| text.to_owned())
    };
    let number = heard.number.as_deref().map(normal);
    let raw = heard.number.filter(|raw| number.as_ref() != Some(raw));
    let diversions = heard.diversions.iter().map(|diversion| SentOn {
        by: Telephone::of(&diversion.by.uri).map_or_else(
            || diversion.by.uri.to_string(),
            |by| normal(&by.in_context()),
        ),
        reason: diversion.reason,
        is_private: diversion.is_private,
    });
    let from = match (heard.withheld, &number) {
        (false, Some(number)) => number.clone(),
        _ => ANONYMOUS.to_owned(),
    };
    let identity = Identity {
        of: from.clone(),
        display: heard.display.filter(|_| !heard.withheld),
        withheld: heard.withheld,
        asserted: number.clone().filter(|_| heard.withheld),
        diversions: Diversions::arrived(diversions),
        ..Identity::default()
    };
    Arriving {
        from,
        from_raw: raw.filter(|_| !heard.withheld),
        identity,
    }
}

/// The caller of a phone's INVITE. A phone is nobody else: From and P-Preferred-Identity are its
/// own number, or a number it asks to show outside; which of those it may, is decided when the
/// call goes out (RFC 3325 §6). What it asserts is not believed.
fn of_phone(
    generation: &Generation,
    phone: &Phone,
    request: &Message,
) -> Result<Arriving, Refusal> {
    let claims_another =
        |number: &str| number != phone.number && generation.phones.contains_key(number);
    let from = request.from().ok();
    let preferred = Asserted::read(request, HeaderName::PPreferredIdentity).number();
    let claimed = from.filter(|from| !is_anonymous(from));
    let claimed = claimed
        .and_then(|from| Telephone::of(&from.uri))
        .map(|telephone| telephone.number);
    for number in [&preferred, &claimed].into_iter().flatten() {
        if claims_another(number) {
            return Err(other_identity(&phone.number, number));
        }
    }
    let wish = [(preferred, WishSource::Ppi), (claimed, WishSource::From)]
        .into_iter()
        .filter_map(|(number, source)| {
            let number = number.filter(|number| *number != phone.number)?;
            Some(Wish { number, source })
        })
        .next();
    let privacy = Privacy::parse(&request.header_text(HeaderName::Privacy).unwrap_or_default());
    let hides = privacy.withholds_caller() || from.is_some_and(is_anonymous);
    let presentation = match (hides, privacy.has(Privacy::NONE)) {
        (_, true) => Some(Presentation::Show),
        (true, false) => Some(Presentation::Withhold),
        (false, false) => None,
    };
    Ok(Arriving {
        from: phone.number.clone(),
        from_raw: None,
        identity: Identity {
            of: phone.number.clone(),
            display: Some(phone.display_name.clone()),
            withheld: presentation == Some(Presentation::Withhold),
            presentation,
            wish,
            ..Identity::default()
        },
    })
}

/// The refusal of a phone that says it is another one.
pub(super) fn other_identity(phone: &str, claimed: &str) -> Refusal {
    let claimed: String = claimed
        .chars()
        .filter(|c| !c.is_control())
        .take(40)
        .collect();
    let denied = (
        OTHER_IDENTITY.to_owned(),
        format!("phone {phone} may not call as {claimed}: that is another's identity"),
        format!("内線{phone}は{claimed}として発信できません。他者の番号です"),
    );
    Refusal {
        status: 403,
        headers: refusal_headers(&denied),
    }
}

/// What was dialled without what the phone asks for about showing its number, when the whole leads
/// nowhere: 184 1001.
pub(super) fn without_presentation<'t>(
    site: Option<&Site>,
    dialled: &'t str,
) -> Option<(Presentation, &'t str)> {
    let site = site?;
    [Presentation::Show, Presentation::Withhold]
        .into_iter()
        .find_map(|presentation| {
            let prefix = site.presentation_prefix(presentation);
            let rest = dialled
                .strip_prefix(prefix)
                .filter(|rest| !rest.is_empty())?;
            (!prefix.is_empty()).then_some((presentation, rest))
        })
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

    /// What an INVITE by `trunk` to `number` says; or why there will be none: nothing was sent yet.
    pub(crate) fn outward(
        &mut self,
        hands: &mut Hands<'_>,
        trunk: &Trunk,
        number: &str,
        host: (Host, Option<u16>),
        target: &Uri,
    ) -> Result<Outward, u16> {
        let Some(generation) = hands.generations.get(&self.generation).cloned() else {
            return Err(500);
        };
        let site = generation.numbers.site();
        let read = site.and_then(|site| site.read(number).ok());
        let what = match &read {
            Some(read) => {
                let e164 = read.e164.as_deref().unwrap_or(&read.written);
                format!("{} number {e164}, by trunk {}", read.kind, trunk.name)
            }
            None => format!("taken as dialled, by trunk {}", trunk.name),
        };
        self.check(hands, Check::passed("number", number, what));
        let is_emergency = read
            .as_ref()
            .is_some_and(|read| read.kind == NumberKind::Emergency);
        let rights = self.caller_rights(&generation);
        let chosen = self.choose_number(hands, &generation, trunk, is_emergency)?;
        let asked = read.as_ref().and_then(|read| read.presentation);
        let known = self.identity_of_from();
        let asked = asked.or(known.and_then(|known| known.presentation));
        // Whoever calls for help dials the number alone: 184 before it may lead nowhere.
        let asked = asked.filter(|_| !is_emergency);
        let withheld = !is_emergency
            && match asked {
                Some(presentation) => presentation == Presentation::Withhold,
                None => {
                    known.is_some_and(|known| known.withheld)
                        || rights.is_some_and(|rights| rights.withholds)
                }
            };
        self.emit(
            hands,
            Fact::CallerShown {
                number: chosen.clone(),
                withheld,
            },
        );
        let shown_number = written(site, trunk, &chosen);
        if self.caller_is_outside() {
            self.sent_out_again(hands);
        }
        let diversions = self.diversions_out(site, trunk, &host);
        let shown = Shown {
            number: &shown_number,
            display: self
                .identity_of_from()
                .and_then(|known| known.display.as_deref()),
            withheld,
            host,
            target,
            diversions: &diversions,
        };
        let presented = trunk.identity.present(&shown);
        let asked = match withheld {
            true => Some(Presentation::Withhold),
            false => asked,
        };
        let prefix = read.as_ref().map_or("", |_| prefix_of(site, trunk, asked));
        Ok(Outward {
            number: format!("{prefix}{}", dialled(site, trunk, number)),
            shown: chosen,
            from: presented.from,
            headers: presented.headers,
        })
    }

    /// What is known of whom `from` names; `None` when a transfer made him another.
    fn identity_of_from(&self) -> Option<&Identity> {
        Some(&self.identity).filter(|identity| identity.of == self.from)
    }

    fn caller_is_outside(&self) -> bool {
        self.legs.first().is_some_and(|leg| leg.trunk.is_some())
    }

    /// Rights of the phone that calls; `None` when none of ours does.
    fn caller_rights<'g>(&self, generation: &'g Generation) -> Option<&'g CallerRights> {
        if self.caller_is_outside() {
            return None;
        }
        let phone = generation.phones.get(&self.from);
        phone.map(|phone| &phone.shows)
    }

    /// The number the call shows; every check goes into the record.
    fn choose_number(
        &mut self,
        hands: &mut Hands<'_>,
        generation: &Generation,
        trunk: &Trunk,
        is_emergency: bool,
    ) -> Result<String, u16> {
        let rights = self.caller_rights(generation);
        let nothing = CallerIds::default();
        let permitted = match rights {
            Some(rights) if !rights.permitted.is_empty() => &rights.permitted,
            Some(_) => &generation.caller_ids,
            None => &nothing,
        };
        let caller = match rights {
            Some(_) => format!("phone {}", self.from),
            None => format!("caller {}", self.from),
        };
        let wish = self.identity_of_from().and_then(|known| known.wish.clone());
        let wanted = wish.as_ref().map(|wish| wish.number.as_str());
        let owner = wanted.and_then(|number| generation.owner_of(number, &trunk.name));
        let own = match (&self.identity.asserted, self.from.as_str()) {
            (Some(asserted), ANONYMOUS) => asserted.clone(),
            (_, from) => from.to_owned(),
        };
        let case = CallerIdCase {
            caller: &caller,
            wish: wish.as_ref(),
            permitted,
            usual: rights.and_then(|rights| rights.usual.as_deref()),
            own: &own,
            trunk,
            site: generation.numbers.site(),
            office: generation.caller_id.as_deref(),
            owner: owner.as_deref(),
        };
        if is_emergency {
            let number = caller_id_of_emergency(&case);
            let words = "an emergency call shows the office's number, whatever is asked for";
            self.check(hands, Check::passed("caller_id.emergency", &number, words));
            return Ok(number);
        }
        if rights.is_none() && trunk.identity.pass_caller && own != ANONYMOUS {
            let words = format!("trunk {} lets a call sent on show its caller", trunk.name);
            self.check(hands, Check::passed("caller_id.passed", &own, words));
            return Ok(own);
        }
        let mut checks = Vec::new();
        let chosen = choose_caller_id(&case, |check| checks.push(check));
        for check in checks {
            self.check(hands, check);
        }
        chosen.map_err(|denied| {
            tracing::info!(call = %self.id, code = denied.code, "caller id refused");
            let Denied {
                code,
                words,
                words_ja,
            } = denied;
            self.identity.denied = Some((code.to_owned(), words, words_ja));
            403
        })
    }
}

impl Generation {
    /// Who shows a number by right, other than the trunk `but`: for a sentence.
    fn owner_of(&self, number: &str, but: &str) -> Option<String> {
        let site = self.numbers.site();
        let number = site.and_then(|site| site.e164(number))?;
        let mut trunks = self.trunks.values().filter(|trunk| trunk.name != but);
        let trunk = trunks.find(|trunk| {
            let own = trunk.caller_id.as_deref();
            let own = own.and_then(|own| site.and_then(|site| site.e164(own)));
            own.as_ref() == Some(&number) || trunk.identity.caller_ids.covers(&number)
        });
        if let Some(trunk) = trunk {
            return Some(format!("trunk {}", trunk.name));
        }
        let mut phones = self.phones.values().filter(|phone| {
            phone.shows.usual.as_ref() == Some(&number) || phone.shows.permitted.covers(&number)
        });
        phones.next().map(|phone| format!("phone {}", phone.number))
    }
}

/// A number of ours as the trunk wants callers' numbers.
pub(super) fn written(site: Option<&Site>, trunk: &Trunk, number: &str) -> String {
    let format = trunk.identity.caller_format;
    let Some(site) = site else {
        return number.to_owned();
    };
    if format == NumberFormat::AsDialled {
        // As the configuration has it.
        let own = trunk.caller_id.as_deref();
        let own = own.filter(|own| site.e164(own).as_deref() == Some(number));
        return own.unwrap_or(number).to_owned();
    }
    match site.read_caller(number, format) {
        Ok(read) => site.write(&read, format),
        Err(_) => number.to_owned(),
    }
}

/// The dialled number as the trunk wants it.
pub(super) fn dialled(site: Option<&Site>, trunk: &Trunk, number: &str) -> String {
    let read = site.and_then(|site| Some((site, site.read(number).ok()?)));
    read.map_or_else(
        || number.to_owned(),
        |(site, read)| site.write(&read, trunk.identity.called_format),
    )
}

/// What stands before the dialled number where that is how numbers are withheld.
fn prefix_of(site: Option<&Site>, trunk: &Trunk, asked: Option<Presentation>) -> &'static str {
    match (site, asked) {
        (Some(site), Some(asked)) if trunk.identity.withhold == Withhold::Prefix => {
            site.presentation_prefix(asked)
        }
        _ => "",
    }
}

/// Code and sentences as headers. Quotation marks would end the text, line breaks the header.
fn refusal_headers(denied: &(String, String, String)) -> Vec<(HeaderName, String)> {
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
/// A phone says that it is another one.
const OTHER_IDENTITY: &str = "caller_id.other_identity";
