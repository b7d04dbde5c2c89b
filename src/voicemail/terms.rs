//! What the office says of its mailboxes; part of a generation.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::base::Pin;
use crate::mail::{Address, Template};
use crate::recording::Format;

/// Every mailbox, and what holds for all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoicemailTerms {
    /// Mailboxes by name.
    pub mailboxes: BTreeMap<String, MailboxTerms>,
    /// Phones that have one, by number.
    pub phones: HashMap<String, PhoneMail>,
    /// Longest a message may be. Default 3 min.
    pub longest: Duration,
    /// Shortest that counts. Default 2 s.
    pub shortest: Duration,
    /// Silence that ends a message. Default 5 s.
    pub silence: Duration,
    /// Messages of a mailbox from which on it takes no more. Default 100.
    pub messages: usize,
    /// How long a message stays that nobody saved. Default for ever.
    pub keep: Option<Duration>,
    /// Bytes of all messages together from which on no mailbox takes more. Default no limit.
    pub bytes: Option<u64>,
    /// What the files are. Default as recordings are.
    pub format: Option<Format>,
    /// Wrong PINs after which a mailbox takes none for [`VoicemailTerms::pin_pause`]. Default 5.
    pub pin_tries: u32,
    /// How long it takes none, counted from the last wrong one. Default 5 min.
    pub pin_pause: Duration,
    /// Language of those who listen. Default English.
    pub language: String,
}

/// One mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailboxTerms {
    /// Digits that name it on the telephone; empty when it has none.
    pub number: String,
    /// What its owner proves himself with; without one it is opened at its own phones only.
    pub pin: Option<Pin>,
    /// Whether its own phones are asked for the PIN, too. Default no.
    pub asks_own_phone: bool,
    /// Sounds said before the tone, while no greeting is recorded.
    pub greeting: Vec<String>,
    /// To whom its messages are mailed; `None` when to nobody.
    pub mail: Option<MailTerms>,
}

/// How a mailbox's messages are mailed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailTerms {
    /// To whom; at least one.
    pub to: Vec<Address>,
    /// Whether the sound goes with it. Default yes.
    pub attach: bool,
    /// Subject; ours in `language` when `None`.
    pub subject: Option<Template>,
    /// Text; ours in `language` when `None`.
    pub text: Option<Template>,
    /// Language of whoever reads it.
    pub language: String,
}

/// A phone's mailbox, and when callers are sent there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhoneMail {
    /// Mailbox.
    pub mailbox: String,
    /// How long the phone rings; as long as any other when `None`.
    pub ring_timeout: Option<Duration>,
    /// Why callers are sent there.
    pub when: Vec<Unanswered>,
}

/// Why a phone does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unanswered {
    /// It is in a call, or refuses this one.
    Busy,
    /// It rang in vain.
    NoAnswer,
    /// It is not registered, or cannot be reached.
    Unregistered,
}

impl Unanswered {
    /// Every word a configuration may use.
    pub const WORDS: [(&'static str, Unanswered); 3] = [
        ("busy", Unanswered::Busy),
        ("no_answer", Unanswered::NoAnswer),
        ("unregistered", Unanswered::Unregistered),
    ];
}

impl Default for VoicemailTerms {
    fn default() -> Self {
        Self {
            mailboxes: BTreeMap::new(),
            phones: HashMap::new(),
            longest: Duration::from_secs(180),
            shortest: Duration::from_secs(2),
            silence: Duration::from_secs(5),
            messages: 100,
            keep: None,
            bytes: None,
            format: None,
            pin_tries: 5,
            pin_pause: Duration::from_secs(300),
            language: "en".to_owned(),
        }
    }
}

impl VoicemailTerms {
    /// The mailbox that digits on the telephone mean.
    pub fn numbered(&self, digits: &str) -> Option<&str> {
        let mut mailboxes = self.mailboxes.iter();
        let found = mailboxes.find(|(_, terms)| !digits.is_empty() && terms.number == digits);
        found.map(|(name, _)| name.as_str())
    }
}
