//! Request methods (RFC 3261 §7.1 and the extensions we know).

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::sip::header::scan::is_token;

macro_rules! methods {
    ($($variant:ident $text:literal,)*) => {
        /// A method; letter case matters (RFC 3261 §7.1).
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "each variant is the method it is named after")]
        pub enum Method {
            $($variant,)*
            /// Any other token; never one that has a variant.
            Other(Arc<str>),
        }

        impl Method {
            /// Reads a method; `None` when it is no token.
            pub fn parse(text: &[u8]) -> Option<Self> {
                $(if text == $text.as_bytes() {
                    return Some(Method::$variant);
                })*
                let token = is_token(text).then(|| std::str::from_utf8(text).ok())??;
                Some(Method::Other(token.into()))
            }

            /// As written on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Method::$variant => $text,)*
                    Method::Other(text) => text,
                }
            }
        }
    };
}

methods! {
    Invite "INVITE",
    Ack "ACK",
    Bye "BYE",
    Cancel "CANCEL",
    Register "REGISTER",
    Options "OPTIONS",
    Info "INFO",
    Message "MESSAGE",
    Notify "NOTIFY",
    Prack "PRACK",
    Publish "PUBLISH",
    Refer "REFER",
    Subscribe "SUBSCRIBE",
    Update "UPDATE",
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Method {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Method {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Method::parse(text.as_bytes()).ok_or_else(|| serde::de::Error::custom("not a method"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letter_case_matters_and_other_tokens_are_kept() {
        assert_eq!(Method::parse(b"INVITE"), Some(Method::Invite));
        assert_eq!(
            Method::parse(b"invite"),
            Some(Method::Other("invite".into()))
        );
        assert_eq!(Method::parse(b"IN VITE"), None);
        assert_eq!(Method::parse(b""), None);
    }
}
