//! How we write to one peer: what we call ourselves, and what we keep to ourselves.

use bytes::Bytes;

use crate::sip::HeaderName;

/// A peer's wishes for every message we send it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manners {
    /// Instead of the node's User-Agent and Server.
    pub user_agent: Option<String>,
    /// Whether Via asks for `rport` (RFC 3581).
    pub rport: bool,
    /// Headers that are never sent, whoever adds them. Those a message cannot do without are
    /// sent all the same.
    pub deny: Vec<HeaderName>,
    /// Headers that may be sent; all when empty.
    pub allow: Vec<HeaderName>,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            user_agent: None,
            rport: true,
            deny: Vec::new(),
            allow: Vec::new(),
        }
    }
}

impl Manners {
    /// Whether a message means nothing without a header.
    pub fn is_needed(name: &HeaderName) -> bool {
        NEEDED.contains(name)
    }

    /// Whether a header may go out.
    pub fn allows(&self, name: &HeaderName) -> bool {
        if Self::is_needed(name) {
            return true;
        }
        !self.deny.contains(name) && (self.allow.is_empty() || self.allow.contains(name))
    }

    /// A message of ours as the peer wants it: lines left out, our name replaced. The body and
    /// what addresses the message stay as they are.
    pub(super) fn dress(&self, message: Bytes) -> Bytes {
        if *self == Self::default() {
            return message;
        }
        let mut dressed = Vec::with_capacity(message.len());
        let mut rest = &message[..];
        let mut is_first = true;
        while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
            let (line, after) = rest.split_at(end + 2);
            if end == 0 {
                break;
            }
            rest = after;
            if std::mem::take(&mut is_first) {
                dressed.extend_from_slice(line);
            } else {
                self.write(line, &mut dressed);
            }
        }
        dressed.extend_from_slice(rest);
        dressed.into()
    }

    fn write(&self, line: &[u8], dressed: &mut Vec<u8>) {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        let name = std::str::from_utf8(name).ok().map(str::trim);
        let Some(name) = name.and_then(HeaderName::parse) else {
            return dressed.extend_from_slice(line);
        };
        match (&name, &self.user_agent) {
            (name, _) if !self.allows(name) => {}
            (HeaderName::UserAgent | HeaderName::Server, Some(own)) => {
                let own = own.replace(['\r', '\n'], " ");
                dressed.extend_from_slice(format!("{}: {own}\r\n", name.as_str()).as_bytes());
            }
            (HeaderName::Via, _) if !self.rport => {
                let via = String::from_utf8_lossy(line);
                let own = via
                    .strip_suffix(";rport\r\n")
                    .map(|via| format!("{via}\r\n"));
                let own = own.unwrap_or_else(|| via.replacen(";rport;", ";", 1));
                dressed.extend_from_slice(own.as_bytes());
            }
            _ => dressed.extend_from_slice(line),
        }
    }
}

/// Headers that a message means nothing without (RFC 3261 table 2, RFC 3262), and those that
/// prove who we are.
const NEEDED: &[HeaderName] = &[
    HeaderName::Authorization,
    HeaderName::CallId,
    HeaderName::Contact,
    HeaderName::ContentLength,
    HeaderName::ContentType,
    HeaderName::CSeq,
    HeaderName::Expires,
    HeaderName::From,
    HeaderName::MaxForwards,
    HeaderName::ProxyAuthenticate,
    HeaderName::ProxyAuthorization,
    HeaderName::RAck,
    HeaderName::RecordRoute,
    HeaderName::Require,
    HeaderName::Route,
    HeaderName::RSeq,
    HeaderName::To,
    HeaderName::Via,
    HeaderName::WwwAuthenticate,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_dressed_and_its_body_left_alone() {
        let manners = Manners {
            user_agent: Some("switch".to_owned()),
            rport: false,
            deny: vec![HeaderName::Allow, HeaderName::PAssertedIdentity],
            allow: Vec::new(),
        };
        let message = "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9;rport\r\n\
            Allow: INVITE\r\nUser-Agent: x\r\nContent-Length: 12\r\n\r\nAllow: me\r\n\r\n";
        let dressed = manners.dress(Bytes::from_static(message.as_bytes()));
        assert_eq!(
            String::from_utf8_lossy(&dressed),
            "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9\r\nUser-Agent: switch\r\n\
             Content-Length: 12\r\n\r\nAllow: me\r\n\r\n"
        );
        let same = Bytes::from_static(message.as_bytes());
        assert_eq!(Manners::default().dress(same.clone()), same);
    }

    #[test]
    fn what_is_denied_stays_and_what_is_needed_goes() {
        let manners = Manners {
            deny: vec![HeaderName::Allow, HeaderName::Via],
            ..Manners::default()
        };
        assert!(!manners.allows(&HeaderName::Allow));
        assert!(manners.allows(&HeaderName::Via));
        assert!(manners.allows(&HeaderName::Supported));
        let few = Manners {
            allow: vec![HeaderName::Supported],
            ..Manners::default()
        };
        assert!(few.allows(&HeaderName::Supported));
        assert!(few.allows(&HeaderName::To));
        assert!(!few.allows(&HeaderName::Allow));
    }
}
