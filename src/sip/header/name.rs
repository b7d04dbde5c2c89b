//! Header names, long and compact (RFC 3261 §7.3.3 and the IANA registry).

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::scan::is_token;

macro_rules! header_names {
    ($($variant:ident $text:literal $($compact:literal)?,)*) => {
        /// A header's name; those we know are variants, compared without regard to case.
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "each variant is the header it is named after")]
        pub enum HeaderName {
            $($variant,)*
            /// Any other, as written; never one that has a variant.
            Other(Arc<str>),
        }

        #[derive(Clone, Copy)]
        #[repr(u8)]
        enum Known { $($variant,)* }

        /// In the order of the variants: full name, compact letter or NUL.
        const NAMES: &[(&str, u8)] = &[$(($text, 0 $(+ $compact)?),)*];

        const VARIANTS: &[HeaderName] = &[$(HeaderName::$variant,)*];

        impl HeaderName {
            /// The number of a known name, [`Self::UNKNOWN`] for others.
            pub(in crate::sip) const fn index(&self) -> u8 {
                match self {
                    $(HeaderName::$variant => Known::$variant as u8,)*
                    HeaderName::Other(_) => Self::UNKNOWN,
                }
            }
        }
    };
}

header_names! {
    Accept "Accept",
    AcceptEncoding "Accept-Encoding",
    AcceptLanguage "Accept-Language",
    AlertInfo "Alert-Info",
    Allow "Allow",
    AllowEvents "Allow-Events" b'u',
    AuthenticationInfo "Authentication-Info",
    Authorization "Authorization",
    CallId "Call-ID" b'i',
    CallInfo "Call-Info",
    Contact "Contact" b'm',
    ContentDisposition "Content-Disposition",
    ContentEncoding "Content-Encoding" b'e',
    ContentLanguage "Content-Language",
    ContentLength "Content-Length" b'l',
    ContentType "Content-Type" b'c',
    CSeq "CSeq",
    Date "Date",
    Diversion "Diversion",
    ErrorInfo "Error-Info",
    Event "Event" b'o',
    Expires "Expires",
    From "From" b'f',
    HistoryInfo "History-Info",
    Identity "Identity" b'y',
    InReplyTo "In-Reply-To",
    InfoPackage "Info-Package",
    MaxBreadth "Max-Breadth",
    MaxForwards "Max-Forwards",
    MimeVersion "MIME-Version",
    MinExpires "Min-Expires",
    MinSe "Min-SE",
    Organization "Organization",
    PAssertedIdentity "P-Asserted-Identity",
    PCalledPartyId "P-Called-Party-ID",
    PPreferredIdentity "P-Preferred-Identity",
    Path "Path",
    Priority "Priority",
    Privacy "Privacy",
    ProxyAuthenticate "Proxy-Authenticate",
    ProxyAuthenticationInfo "Proxy-Authentication-Info",
    ProxyAuthorization "Proxy-Authorization",
    ProxyRequire "Proxy-Require",
    RAck "RAck",
    Reason "Reason",
    RecordRoute "Record-Route",
    RecvInfo "Recv-Info",
    ReferTo "Refer-To" b'r',
    ReferSub "Refer-Sub",
    ReferredBy "Referred-By" b'b',
    RemotePartyId "Remote-Party-ID",
    Replaces "Replaces",
    ReplyTo "Reply-To",
    Require "Require",
    RetryAfter "Retry-After",
    Route "Route",
    RSeq "RSeq",
    Server "Server",
    ServiceRoute "Service-Route",
    SessionExpires "Session-Expires" b'x',
    Subject "Subject" b's',
    SubscriptionState "Subscription-State",
    Supported "Supported" b'k',
    Timestamp "Timestamp",
    To "To" b't',
    Unsupported "Unsupported",
    UserAgent "User-Agent",
    Via "Via" b'v',
    Warning "Warning",
    WwwAuthenticate "WWW-Authenticate",
}

impl HeaderName {
    /// What [`Self::index`] says of a name without a variant.
    pub(in crate::sip) const UNKNOWN: u8 = u8::MAX;

    /// The name that was written, full or compact, in any letter case; `None` when it is no token.
    pub fn parse(text: &str) -> Option<Self> {
        match VARIANTS.get(usize::from(Self::index_of(text.as_bytes()))) {
            Some(known) => Some(known.clone()),
            None if is_token(text.as_bytes()) => Some(HeaderName::Other(text.into())),
            None => None,
        }
    }

    /// The full name.
    pub fn as_str(&self) -> &str {
        match self {
            HeaderName::Other(text) => text,
            known => NAMES[usize::from(known.index())].0,
        }
    }

    /// The number of the known name written in `text`; no allocation.
    pub(in crate::sip) fn index_of(text: &[u8]) -> u8 {
        if let [letter] = text {
            return COMPACT[usize::from(letter & 0x7f)];
        }
        let Some(bucket) = BY_LENGTH.get(text.len()) else {
            return Self::UNKNOWN;
        };
        let first = text.first().map_or(0, u8::to_ascii_lowercase);
        for &index in bucket {
            if index == Self::UNKNOWN {
                break;
            }
            let name = NAMES[usize::from(index)].0.as_bytes();
            if name[0].to_ascii_lowercase() == first && name.eq_ignore_ascii_case(text) {
                return index;
            }
        }
        Self::UNKNOWN
    }
}

/// Known names by length, so that a look-up compares with three or four at most.
static BY_LENGTH: [[u8; 12]; 26] = {
    let mut buckets = [[HeaderName::UNKNOWN; 12]; 26];
    let mut index = 0;
    while index < NAMES.len() {
        let bucket = &mut buckets[NAMES[index].0.len()];
        let mut slot = 0;
        while bucket[slot] != HeaderName::UNKNOWN {
            slot += 1;
        }
        bucket[slot] = index as u8;
        index += 1;
    }
    buckets
};

/// Known names by compact letter, both cases.
static COMPACT: [u8; 128] = {
    let mut letters = [HeaderName::UNKNOWN; 128];
    let mut index = 0;
    while index < NAMES.len() {
        let letter = NAMES[index].1;
        if letter != 0 {
            letters[letter as usize] = index as u8;
            letters[letter.to_ascii_uppercase() as usize] = index as u8;
        }
        index += 1;
    }
    letters
};

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for HeaderName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for HeaderName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        HeaderName::parse(&text).ok_or_else(|| serde::de::Error::custom("not a header name"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_in_any_case_and_by_its_letter() {
        for (name, (text, letter)) in VARIANTS.iter().zip(NAMES) {
            assert_eq!(HeaderName::parse(text).as_ref(), Some(name));
            assert_eq!(HeaderName::parse(&text.to_uppercase()).as_ref(), Some(name));
            assert_eq!(name.as_str(), *text);
            if *letter != 0 {
                let letter = char::from(*letter).to_string();
                assert_eq!(HeaderName::parse(&letter).as_ref(), Some(name));
            }
        }
    }

    #[test]
    fn other_names_are_kept_as_written() {
        let name = HeaderName::parse("X-Tsunagu").unwrap();
        assert_eq!(name.as_str(), "X-Tsunagu");
        assert_eq!(HeaderName::parse("not a name"), None);
        assert_eq!(HeaderName::parse(""), None);
        assert_eq!(HeaderName::parse("é"), None);
    }
}
