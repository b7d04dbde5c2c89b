//! A call that goes out by a trunk: the number as the carrier wants it, whom it says to call, and
//! whether it may say so (RFC 3323, RFC 3325). Decided before anything is sent.

use super::core::Core;
use super::generation::Generation;
use super::hands::Hands;
use super::identity::ANONYMOUS;
use crate::events::{Check, Fact, Role};
use crate::sip::{HeaderName, Host, NameAddr, Uri};
use crate::trunk::{
    CallerIdCase, CallerIds, CallerRights, Denied, NumberFormat, NumberKind, Presentation, Shown,
    Site, Trunk, Wish, WishSource, Withhold, caller_id_of_emergency, choose_caller_id,
};

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

impl Core {
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
        let rights = rights.filter(|_| self.shows.is_none());
        let chosen = self.choose_number(hands, &generation, trunk, is_emergency)?;
        let asked = read.as_ref().and_then(|read| read.presentation);
        // What a flow shows is no matter of the caller's.
        let known = self.identity_of_from().filter(|_| self.shows.is_none());
        let asked = asked.or(known.and_then(|known| known.presentation));
        // Whoever calls for help dials the number alone: 184 before it may lead nowhere.
        let asked = asked.filter(|_| !is_emergency);
        let withheld = !is_emergency
            && match asked {
                Some(presentation) => presentation == Presentation::Withhold,
                None => {
                    self.shows.is_none() && known.is_some_and(|known| known.withheld)
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
                .filter(|_| self.shows.is_none())
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

    fn caller_is_outside(&self) -> bool {
        let first = self.legs.first();
        first.is_some_and(|leg| leg.role == Role::Caller && leg.trunk.is_some())
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
        // What a flow shows may come from a caller's keys or a program: it must be ours, and the
        // trunk's.
        let mut of_flow = CallerIds::default();
        if let Some(shown) = &self.shows
            && (*shown == self.from || generation.own_number(shown).is_some())
        {
            drop(of_flow.add(shown, generation.numbers.site()));
        }
        let nothing = CallerIds::default();
        let permitted = match rights {
            _ if self.shows.is_some() => &of_flow,
            Some(rights) if !rights.permitted.is_empty() => &rights.permitted,
            Some(_) => &generation.caller_ids,
            None => &nothing,
        };
        let caller = match rights {
            _ if self.shows.is_some() => "the flow".to_owned(),
            Some(_) => format!("phone {}", self.from),
            None => format!("caller {}", self.from),
        };
        let of_flow = self.shows.as_ref().map(|number| Wish {
            number: number.clone(),
            source: WishSource::Flow,
        });
        let wish = || self.identity_of_from().and_then(|known| known.wish.clone());
        let wish = of_flow.or_else(wish);
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
        let shows_another = self.shows.as_ref().is_some_and(|shown| *shown != own);
        if rights.is_none() && trunk.identity.pass_caller && own != ANONYMOUS && !shows_another {
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
