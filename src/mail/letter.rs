//! A letter, and how it looks on the wire (RFC 5322, MIME).

use std::time::SystemTime;

use lettre::address::Envelope;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Message, MultiPart, SinglePart};

use super::Address;
use crate::base::Timestamp;

/// What one address is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// What it is called in `Message-ID`, without brackets; the same at every try, so that whoever
    /// gets it twice can know.
    pub id: String,
    /// From whom.
    pub from: Address,
    /// To whom.
    pub to: Address,
    /// When what it tells of happened.
    pub at: Timestamp,
    /// Subject; one line of it.
    pub subject: String,
    /// Text.
    pub text: String,
    /// A file that goes with it.
    pub enclosure: Option<Enclosure>,
}

/// A file that goes with a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enclosure {
    /// Its name.
    pub name: String,
    /// Its media type, such as `audio/wav`.
    pub media_type: &'static str,
    /// What is in it.
    pub octets: Vec<u8>,
}

/// Longest subject that a person would read, characters.
const LONGEST_SUBJECT: usize = 200;

impl Letter {
    /// As the server gets it. Only ASCII is in it, so every server takes it.
    ///
    /// # Errors
    ///
    /// What cannot be written, in words.
    pub(super) fn compose(&self) -> Result<(Envelope, Vec<u8>), String> {
        // A caller's name is in it: nothing of his begins a header of its own.
        let one_line = |c: char| if c.is_control() { ' ' } else { c };
        let subject: String = self.subject.trim().chars().map(one_line).collect();
        let micros = u64::try_from(self.at.as_micros()).unwrap_or_default();
        let at = SystemTime::UNIX_EPOCH + std::time::Duration::from_micros(micros);
        let message = Message::builder()
            .from(self.from.mailbox())
            .to(self.to.mailbox())
            .date(at)
            .message_id(Some(format!("<{}>", self.id)))
            .subject(subject.chars().take(LONGEST_SUBJECT).collect::<String>())
            // RFC 3834 §5: no machine answers.
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ));
        let text = SinglePart::plain(self.text.clone());
        let message = match &self.enclosure {
            None => message.singlepart(text),
            Some(file) => {
                let media_type = ContentType::parse(file.media_type)
                    .map_err(|error| format!("{}: {error}", file.media_type))?;
                let file = Attachment::new(file.name.clone()).body(file.octets.clone(), media_type);
                message.multipart(MultiPart::mixed().singlepart(text).singlepart(file))
            }
        };
        let message = message.map_err(|error| error.to_string())?;
        Ok((message.envelope().clone(), message.formatted()))
    }
}
