//! `phones.toml`: numbers, names and passwords.

use std::path::Path;

use super::defence;
use super::environment::Environment;
use super::files::{Files, Kind};
use super::media;
use super::names::Names;
use super::node::{Listeners, is_public};
use super::notes::Notes;
use super::report::Problem;
use super::secret::{self, Secret};
use super::section::{At, Section};
use super::site;
use super::source::Place;
use super::transfer;
use super::voicemail::{self, WrittenMail};
use crate::call::Replace;
use crate::sdp::SrtpPolicy;
use crate::sip::Protocol;
use crate::sip::auth::Ha1;
use crate::trunk::profile::MediaTerms;
use crate::trunk::{CallerRights, Network, Pattern, Redirects, Site};

/// One phone that may register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phone {
    /// Number, which is also its SIP user.
    pub number: String,
    /// Name for people; the number when none is written.
    pub display_name: String,
    /// What proves who registers; made with the node's realm.
    pub ha1: Ha1,
    /// Where it may register and call from; anywhere when empty.
    pub networks: Vec<Network>,
    /// Whether its REFER is carried out. Default yes.
    pub may_transfer: bool,
    /// Whose dialogs it may take over. Default its own.
    pub replaces: Replace,
    /// Which numbers it shows outside, and whether at all.
    pub shows: CallerRights,
    /// What becomes of a redirection (call forwarding) by it.
    pub redirects: Redirects,
    /// Codecs, packets, keys.
    pub media: MediaTerms,
    /// Whether its media is secure.
    pub srtp: SrtpPolicy,
}

impl Phone {
    /// Whether its password is the one everybody can read.
    pub fn is_published(&self, realm: &str) -> bool {
        let published = published_password(&self.number);
        self.ha1
            .is_any_of(&Ha1::from_password(&self.number, realm, &published))
    }
}

/// Phones as read.
#[derive(Debug)]
pub(super) struct Phones {
    /// The good ones.
    pub(super) phones: Vec<Phone>,
    /// Numbers of all, good or not.
    pub(super) names: Names,
    /// Those whose password everybody knows.
    published: Vec<At<String>>,
    /// Where media is said to be secure.
    secure: Vec<At<SrtpPolicy>>,
    /// Phones that have a mailbox.
    pub(super) mail: Vec<(String, WrittenMail)>,
}

/// The demo office's published password of a phone.
pub fn published_password(number: &str) -> String {
    format!("tsunagu-{number}")
}

/// Reads the phones.
pub(super) fn read(
    directory: &Path,
    files: &Files,
    environment: &Environment,
    (realm, site): (&str, Option<&Site>),
    notes: &Notes,
) -> Phones {
    let mut phones = Phones {
        phones: Vec::new(),
        names: Names::new("phone", files.is_complete(Kind::Phones)),
        published: Vec::new(),
        secure: Vec::new(),
        mail: Vec::new(),
    };
    for file in files.of(Kind::Phones) {
        let top = Section::new(notes, &file.table, "phones.toml");
        // What stands above the phones of a file is for all of them.
        let srtp_of_file = srtp(&top);
        let of_file = caller_rights(&top, &CallerRights::default(), site, notes);
        let mut media_of_file = MediaTerms::of_phone();
        media::read(&top, &mut media_of_file, notes);
        for phone in top.sections("phone", "a phone") {
            let number = phone.required("number", "1001");
            let name = phone.text("name");
            let networks = defence::networks(&phone, "networks", notes);
            let password = secret::read(&phone, "password", directory, environment, notes);
            let (may_transfer, replaces) = transfer::read_phone(&phone);
            let shows = caller_rights(&phone, &of_file, site, notes);
            let redirects = phone.one_of("redirects", &Redirects::WORDS);
            let mut media = media_of_file.clone();
            media::read(&phone, &mut media, notes);
            let srtp = srtp(&phone).or_else(|| srtp_of_file.clone());
            let mail = voicemail::read_phone(&phone, notes);
            phone.close();
            let Some(number) = number else {
                continue;
            };
            if !is_phone_number(&number.value) {
                let message = format!("\"{}\" is no phone's number", number.value);
                notes.error(
                    &number.place,
                    message,
                    "write 2 to 15 digits, such as \"1001\"",
                );
            }
            phones.names.declare(notes, &number);
            phones
                .mail
                .extend(mail.map(|mail| (number.value.clone(), mail)));
            let is_secure = |srtp: &At<_>| srtp.value != SrtpPolicy::No;
            phones.secure.extend(srtp.clone().filter(is_secure));
            let Some(password) = password else {
                continue;
            };
            if is_published(&password.value, &number.value, realm) {
                phones.published.push(At {
                    value: number.value.clone(),
                    place: password.place,
                });
            }
            phones.phones.push(Phone {
                ha1: ha1(&password.value, &number.value, realm),
                networks,
                display_name: name.map_or_else(|| number.value.clone(), |at| at.value),
                number: number.value,
                may_transfer,
                replaces,
                shows,
                redirects: redirects.map_or(Redirects::Follow, |at| at.value),
                media,
                srtp: srtp.as_ref().map(|at| at.value).unwrap_or_default(),
            });
        }
        top.close();
    }
    phones
}

impl Phones {
    /// A password that stands in a public repository must not be of use from outside.
    pub(super) fn check_listeners(&self, listeners: &Listeners, notes: &Notes) {
        self.check_secure(listeners, notes);
        let Some(first) = self.published.first() else {
            return;
        };
        for listener in listeners.sip.iter().filter(|listener| is_public(listener)) {
            let (protocol, address) = listener.value;
            let phones = match self.published.len() {
                1 => format!("phone {} has", first.value),
                count => format!("{count} phones have"),
            };
            let message = format!(
                "{phones} the demo's published password, so {protocol} {address} stays closed: \
                 only loopback is allowed"
            );
            let help = "give every phone a password of its own, or listen on 127.0.0.1";
            let problem = Problem::error(&listener.place, message, help);
            notes.push(problem.with(&first.place, "the first published password is at"));
        }
    }

    /// Keys are in the descriptions, which only TLS keeps from those who listen (RFC 4568 §9.3).
    fn check_secure(&self, listeners: &Listeners, notes: &Notes) {
        let is_tls = |listener: &At<(Protocol, _)>| listener.value.0 == Protocol::Tls;
        if let Some(first) = self.secure.first()
            && !listeners.sip.iter().any(is_tls)
        {
            let message = "`srtp` without TLS: whoever can read the calls' messages has their keys";
            let help = "listen on \"tls:ADDRESS:5061\" in node.toml, and let these phones use it";
            notes.warning(&first.place, message, help);
        }
    }

    /// Where a phone's number is written.
    pub(super) fn place(&self, number: &str) -> Option<&Place> {
        self.names.place(number)
    }
}

/// Reads which numbers a phone (or all of a file) may show; what is not said is as in `base`.
fn caller_rights(
    section: &Section<'_>,
    base: &CallerRights,
    site: Option<&Site>,
    notes: &Notes,
) -> CallerRights {
    let ids = site::caller_ids(section, site, notes);
    let usual = site::caller_id(section, site, notes);
    let permitted = match ids.is_empty() {
        true => base.permitted.clone(),
        false => ids,
    };
    let usual = usual.or_else(|| base.usual.clone());
    if let Some(number) = usual
        .as_ref()
        .filter(|number| !permitted.is_empty() && !permitted.covers(number))
    {
        let message = format!("`caller_id` is {number}, which is not among `caller_ids`");
        let help = format!("choose one of {permitted}, or add it to them");
        notes.error(section.place(), message, help);
    }
    let flag = |key, base| section.flag(key).map_or(base, |at| at.value);
    CallerRights {
        permitted,
        usual,
        withholds: flag("withhold", base.withholds),
        sees_withheld: flag("sees_withheld", base.sees_withheld),
    }
}

fn srtp(section: &Section<'_>) -> Option<At<SrtpPolicy>> {
    section.one_of("srtp", &SrtpPolicy::WORDS)
}

fn is_phone_number(text: &str) -> bool {
    let digits = text.bytes().all(|c| c.is_ascii_digit());
    digits
        && (2..=15).contains(&text.len())
        && matches!(Pattern::parse(text), Ok(Pattern::Exact(_)))
}

fn ha1(secret: &Secret, number: &str, realm: &str) -> Ha1 {
    let password = match secret {
        Secret::Demo => published_password(number),
        Secret::Password(password) => password.clone(),
        Secret::Ha1(ha1) => return ha1.clone(),
    };
    Ha1::from_password(number, realm, &password)
}

fn is_published(secret: &Secret, number: &str, realm: &str) -> bool {
    let published = published_password(number);
    match secret {
        Secret::Demo => true,
        Secret::Password(password) => *password == published,
        Secret::Ha1(ha1) => ha1.is_any_of(&Ha1::from_password(number, realm, &published)),
    }
}
