//! What a letter about a message says.

use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::{MailTerms, Message};
use crate::base::Language;
use crate::mail::{Template, TemplateError};

/// Names that subject and text may have.
pub const MAIL_NAMES: [&str; 9] = [
    "mailbox",
    "who",
    "from",
    "from_name",
    "at",
    "length",
    "link",
    "enclosed",
    "incomplete",
];

/// What a mailbox's letters say when it has no words of its own.
struct Usual {
    subject: &'static str,
    text: &'static str,
}

const ENGLISH: Usual = Usual {
    subject: "Voicemail from {{ who or 'an unknown number' }} ({{ length }})",
    text: "A message was left in mailbox {{ mailbox }}.\n\
        \n\
        From:   {{ who or 'an unknown number' }}\n\
        When:   {{ at }}\n\
        Length: {{ length }}\n\
        {% if incomplete %}\nIts end was lost when the switch was interrupted.\n{% endif %}\
        {% if enclosed %}\nIt is enclosed.\n{% elif link %}\nTo hear it: {{ link }}\n\
        {% else %}\nDial *97 to hear it.\n{% endif %}",
};

const JAPANESE: Usual = Usual {
    subject: "留守番電話: {{ who or '番号不明' }} ({{ length }})",
    text: "メールボックス {{ mailbox }} に伝言が録音されました。\n\
        \n\
        発信者: {{ who or '番号不明' }}\n\
        日時:   {{ at }}\n\
        長さ:   {{ length }}\n\
        {% if incomplete %}\n交換機の中断により、録音の末尾が失われています。\n{% endif %}\
        {% if enclosed %}\n伝言を添付しました。\n{% elif link %}\n再生: {{ link }}\n\
        {% else %}\n*97 をダイヤルして再生してください。\n{% endif %}",
};

/// A subject or a text, as a configuration has it.
///
/// # Errors
///
/// What is wrong with it.
pub fn mail_template(text: &str) -> Result<Template, TemplateError> {
    Template::new(text, &MAIL_NAMES)
}

/// Subject and text of the letter about a message.
pub(super) fn word(
    message: &Message,
    terms: &MailTerms,
    zone: &TimeZone,
    (link, is_enclosed): (Option<String>, bool),
) -> (String, String) {
    let usual = Language::of_locale(&terms.language).pick(ENGLISH, JAPANESE);
    let who = match &message.from_name {
        Some(name) if !message.from.is_empty() => format!("{name} ({})", message.from),
        Some(name) => name.clone(),
        None => message.from.clone(),
    };
    let at = jiff::Timestamp::from_microsecond(message.at.as_micros()).unwrap_or_default();
    let at = at.to_zoned(zone.clone());
    let texts = [
        ("mailbox", message.mailbox.clone()),
        ("who", who),
        ("from", message.from.clone()),
        ("from_name", message.from_name.clone().unwrap_or_default()),
        ("at", at.strftime("%Y-%m-%d %H:%M:%S %Z").to_string()),
        ("length", clock(Duration::from_millis(message.length_ms))),
        ("link", link.unwrap_or_default()),
    ];
    let flags = [
        ("enclosed", is_enclosed),
        ("incomplete", message.defect.is_some()),
    ];
    let texts = texts.map(|(name, text)| (name.to_owned(), Value::from(text)));
    let flags = flags.map(|(name, flag)| (name.to_owned(), Value::from(flag)));
    let names: Map<String, Value> = texts.into_iter().chain(flags).collect();
    let say = |own: &Option<Template>, usual: &str| match own {
        Some(own) => own.render(&names),
        None => Template::ours(usual).render(&names),
    };
    (
        say(&terms.subject, usual.subject),
        say(&terms.text, usual.text),
    )
}

/// `1:05`
fn clock(length: Duration) -> String {
    let seconds = (length.as_millis() + 500) / 1000;
    format!("{}:{:02}", seconds / 60, seconds % 60)
}
