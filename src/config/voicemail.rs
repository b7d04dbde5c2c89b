//! `voicemail.toml`: mailboxes and what holds for their messages; and `mailbox` of phones.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use super::environment::Environment;
use super::files::{Files, Kind};
use super::mail::{self, Mail};
use super::names::Names;
use super::node::{Listeners, NodeSettings, is_public};
use super::notes::Notes;
use super::phones::Phones;
use super::report::Problem;
use super::secret;
use super::section::{At, Section};
use super::source::Place;
use super::words::remedy;
use crate::base::Pin;
use crate::mail::{Template, TemplateError};
use crate::recording::{Format, plain_name};
use crate::voicemail::{
    MAIL_NAMES, MailTerms, MailboxTerms, PhoneMail, Unanswered, VoicemailTerms, mail_template,
};

/// Mailboxes as read.
#[derive(Debug)]
pub(super) struct Voicemail {
    pub(super) terms: VoicemailTerms,
    /// Names of all, good or not.
    pub(super) names: Names,
    /// Sounds that are named.
    pub(super) sounds: Vec<At<String>>,
    /// Mailboxes whose PIN everybody knows.
    published: Vec<At<String>>,
}

/// What a phone's entry says of its mailbox.
#[derive(Debug)]
pub(super) struct WrittenMail {
    mailbox: At<String>,
    ring_timeout: Option<Duration>,
    when: Vec<Unanswered>,
}

/// Said before the tone where nothing else is configured.
const GREETING: [&str; 2] = ["vm-greeting", "vm-leave-message"];

/// The demo office's published PIN of a mailbox with this number.
fn published_pin(number: &str) -> String {
    format!("{number:0>4}")
}

/// Reads mailboxes.
pub(super) fn read(
    files: &Files,
    secrets: (&Path, &Environment),
    (node, mail): (&NodeSettings, &Mail),
    notes: &Notes,
) -> Voicemail {
    let mut read = Voicemail {
        terms: VoicemailTerms {
            language: node.language.clone(),
            ..VoicemailTerms::default()
        },
        names: Names::new("mailbox", files.is_complete(Kind::Voicemail)),
        sounds: Vec::new(),
        published: Vec::new(),
    };
    let mut numbers = HashMap::new();
    for file in files.of(Kind::Voicemail) {
        let top = Section::new(notes, &file.table, "voicemail.toml");
        read.read_limits(&top);
        for mailbox in top.sections("mailbox", "a mailbox") {
            let mail = read_mail(&mailbox, mail, &node.language, notes);
            read.read_mailbox(&mailbox, (secrets, mail), &mut numbers, notes);
            mailbox.close();
        }
        top.close();
    }
    read
}

/// Reads a phone's `mailbox`, `mailbox_after` and `mailbox_when`.
pub(super) fn read_phone(phone: &Section<'_>, notes: &Notes) -> Option<WrittenMail> {
    let mailbox = phone.text("mailbox");
    let second = Duration::from_secs(1);
    let after = phone.duration("mailbox_after", second..=second * 300);
    let when = phone.texts("mailbox_when");
    if let (None, Some(place)) = (
        &mailbox,
        after
            .as_ref()
            .map(|at| &at.place)
            .or_else(|| when.as_ref()?.first().map(|at| &at.place)),
    ) {
        let message = "when callers are sent to a mailbox, and to none";
        notes.error(place, message, "name it: mailbox = \"1001\"");
    }
    let mut reasons = Vec::new();
    for word in when.iter().flatten() {
        let words = Unanswered::WORDS;
        match words.iter().find(|(known, _)| *known == word.value) {
            Some((_, why)) => reasons.push(*why),
            None => {
                let words = words.map(|(known, _)| known);
                let message = format!("`mailbox_when` cannot be \"{}\"", word.value);
                let help = remedy(&word.value, &words, "`mailbox_when` is some of");
                notes.error(&word.place, message, help);
            }
        }
    }
    Some(WrittenMail {
        mailbox: mailbox?,
        ring_timeout: after.map(|at| at.value),
        when: match when {
            None => Unanswered::WORDS.map(|(_, why)| why).to_vec(),
            Some(_) => reasons,
        },
    })
}

/// Reads a mailbox's `email` and what belongs to it.
fn read_mail(
    mailbox: &Section<'_>,
    mail: &Mail,
    language: &str,
    notes: &Notes,
) -> Option<MailTerms> {
    let written = mailbox.texts("email");
    let attach = mailbox.flag("attach");
    let subject = read_template(mailbox, "subject", notes);
    let text = read_template(mailbox, "text", notes);
    let spoken = mailbox.one_of("language", &[("en", "en"), ("ja", "ja")]);
    let Some(written) = written.filter(|written| !written.is_empty()) else {
        for key in ["attach", "subject", "text", "language"] {
            if mailbox.has(key) {
                let message = format!("`{key}` is of e-mail, and goes to nobody");
                notes.error(mailbox.place(), message, "add email = [\"NAME@DOMAIN\"]");
            }
        }
        return None;
    };
    if let Some(first) = written
        .first()
        .filter(|_| !mail.has_server && mail.is_complete)
    {
        let help = "write mail.toml with server = \"...\" and from = \"...\"";
        notes.error(&first.place, "there is no server to send e-mail by", help);
    }
    if written.len() > MOST_ADDRESSES {
        let message = format!("more than {MOST_ADDRESSES} addresses for one mailbox");
        let help = "make a mailing list, and write its address";
        notes.error(&written[0].place, message, help);
    }
    let mut to = Vec::new();
    for written in written {
        let place = written.place.clone();
        let Some(address) = mail::read_address(Some(written), notes) else {
            continue;
        };
        if to.contains(&address) {
            let message = format!("{} is there twice", address.plain());
            notes.error(&place, message, "delete one");
            continue;
        }
        to.push(address);
    }
    let attach = attach.is_none_or(|at| at.value);
    if !attach && mail.settings.base_url.is_none() && mail.is_complete && mail.has_server {
        let message = "without `attach` a letter has a link, and nobody knows to where";
        let help = "add base_url = \"https://...\" to mail.toml";
        notes.error(mailbox.place(), message, help);
    }
    Some(MailTerms {
        to,
        attach,
        subject,
        text,
        language: spoken.map_or_else(|| language.to_owned(), |at| at.value.to_owned()),
    })
}

fn read_template(mailbox: &Section<'_>, key: &'static str, notes: &Notes) -> Option<Template> {
    let written = mailbox.text(key)?;
    match mail_template(&written.value) {
        Ok(template) => Some(template),
        Err(error) => {
            let help = match &error {
                TemplateError::Unknown(name) => remedy(name, &MAIL_NAMES, "a letter has"),
                TemplateError::Unreadable(_) => "see docs/voicemail.md".to_owned(),
            };
            notes.error(&written.place, format!("`{key}`: {error}"), help);
            None
        }
    }
}

/// More than a mailbox has readers; more are a mailing list's.
const MOST_ADDRESSES: usize = 20;

impl Voicemail {
    /// Gives phones their mailboxes, which must be there; and looks whether a published PIN can be
    /// tried from outside.
    pub(super) fn give_to(&mut self, phones: &Phones, listeners: &Listeners, notes: &Notes) {
        for (phone, mail) in &phones.mail {
            if !self.names.refer(notes, &mail.mailbox) {
                continue;
            }
            let mail = PhoneMail {
                mailbox: mail.mailbox.value.clone(),
                ring_timeout: mail.ring_timeout,
                when: mail.when.clone(),
            };
            self.terms.phones.insert(phone.clone(), mail);
        }
        let Some(first) = self.published.first() else {
            return;
        };
        for listener in listeners.sip.iter().filter(|listener| is_public(listener)) {
            let (protocol, address) = listener.value;
            let message = format!(
                "mailbox {} has the demo's published PIN, so {protocol} {address} stays closed: \
                 only loopback is allowed",
                first.value
            );
            let help = "give every mailbox a PIN of its own, or listen on 127.0.0.1";
            let problem = Problem::error(&listener.place, message, help);
            notes.push(problem.with(&first.place, "the first published PIN is at"));
        }
    }

    fn read_limits(&mut self, top: &Section<'_>) {
        let terms = &mut self.terms;
        let second = Duration::from_secs(1);
        let hour = second * 3600;
        if let Some(longest) = top.duration("longest", second * 5..=second * 1800) {
            terms.longest = longest.value;
        }
        if let Some(shortest) = top.duration("shortest", Duration::ZERO..=second * 60) {
            terms.shortest = shortest.value;
        }
        if let Some(silence) = top.duration("silence", second..=second * 60) {
            terms.silence = silence.value;
        }
        if let Some(messages) = top.integer("messages", 1..=10_000) {
            terms.messages = usize::try_from(messages.value).unwrap_or(1);
        }
        if let Some(keep) = top.duration("keep", hour..=hour * 24 * 3650) {
            terms.keep = Some(keep.value);
        }
        if let Some(most) = top.integer("megabytes", 1..=1 << 30) {
            terms.bytes = Some(u64::try_from(most.value).unwrap_or(1) << 20);
        }
        let formats = Format::ALL.map(|format| (format.extension(), format));
        if let Some(format) = top.one_of("format", &formats) {
            terms.format = Some(format.value);
        }
        if let Some(tries) = top.integer("pin_tries", 1..=20) {
            terms.pin_tries = u32::try_from(tries.value).unwrap_or(1);
        }
        if let Some(pause) = top.duration("pin_pause", second..=hour * 24) {
            terms.pin_pause = pause.value;
        }
    }

    fn read_mailbox(
        &mut self,
        mailbox: &Section<'_>,
        ((directory, environment), mail): ((&Path, &Environment), Option<MailTerms>),
        numbers: &mut HashMap<String, Place>,
        notes: &Notes,
    ) {
        let name = mailbox.required("name", "1001");
        let number = mailbox.text("number");
        let pin = secret::read_digits(mailbox, "pin", directory, environment, notes);
        let asks_own_phone = mailbox.flag("ask_own_phone");
        let greeting = mailbox.texts("greeting");
        let Some(name) = name else { return };
        if plain_name(&name.value) != name.value || name.value.len() > 64 {
            let message = format!("\"{}\" cannot be the name of a folder", name.value);
            let help = "use up to 64 letters, digits, - and _";
            notes.error(&name.place, message, help);
        }
        self.names.declare(notes, &name);
        let is_digits = |text: &str| text.bytes().all(|c| c.is_ascii_digit());
        if let Some(number) = number
            .as_ref()
            .filter(|it| !is_digits(&it.value) || it.value.len() > 15)
        {
            let message = format!("\"{}\" is no mailbox's number", number.value);
            notes.error(&number.place, message, "write up to 15 digits");
        }
        let own = is_digits(&name.value).then(|| name.clone());
        let number = number.or(own);
        if let Some(number) = &number
            && let Some(other) = numbers.insert(number.value.clone(), number.place.clone())
            && other != number.place
        {
            let message = format!("the number {} is there twice", number.value);
            let help = "give every mailbox its own";
            let problem = Problem::error(&number.place, message, help);
            notes.push(problem.with(&other, "the other is at"));
        }
        let number = number.map(|at| at.value).unwrap_or_default();
        let pin = pin.and_then(|pin| self.take_pin(&name.value, &number, &pin, notes));
        let asks_own_phone = asks_own_phone.is_some_and(|at| at.value);
        if asks_own_phone && pin.is_none() {
            let message = "`ask_own_phone` without `pin`: nobody can open it";
            notes.error(mailbox.place(), message, "add pin = \"env:NAME\"");
        }
        let usual = || GREETING.map(str::to_owned).to_vec();
        let written = greeting.as_ref().map(|sounds| {
            let names = sounds.iter().map(|at| at.value.clone());
            names.collect::<Vec<_>>()
        });
        match greeting {
            Some(sounds) => self.sounds.extend(sounds),
            None => self.sounds.extend(usual().into_iter().map(|value| At {
                value,
                place: name.place.clone(),
            })),
        }
        let terms = MailboxTerms {
            number,
            pin,
            asks_own_phone,
            greeting: written.unwrap_or_else(usual),
            mail,
        };
        self.terms.mailboxes.insert(name.value, terms);
    }

    fn take_pin(
        &mut self,
        name: &str,
        number: &str,
        written: &At<secret::Digits>,
        notes: &Notes,
    ) -> Option<Pin> {
        let published = published_pin(number);
        let text = match &written.value {
            secret::Digits::Demo => published.clone(),
            secret::Digits::Text(text) => text.clone(),
        };
        if text == published {
            self.published.push(At {
                value: name.to_owned(),
                place: written.place.clone(),
            });
        }
        let pin = Pin::new(&text);
        if pin.is_none() {
            let message = format!("the PIN of mailbox {name} is not 4 to 12 digits");
            notes.error(&written.place, message, "choose another one");
        }
        pin
    }
}
