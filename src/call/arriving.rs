//! Who calls, read from an INVITE: of a carrier as far as it is believed, of a phone what it may say
//! of itself (RFC 3323, RFC 3325); and whom it dialled.

use super::arrival::{Caller, Refusal, user_of};
use super::diversions::{Diversions, SentOn};
use super::generation::{Generation, Phone};
use super::identity::{ANONYMOUS, Identity, refusal_headers};
use crate::sip::{Asserted, HeaderName, Message, Privacy, Telephone};
use crate::trunk::{NumberFormat, Presentation, Site, Trunk, Wish, WishSource, is_anonymous};

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

/// A phone says that it is another one.
const OTHER_IDENTITY: &str = "caller_id.other_identity";
