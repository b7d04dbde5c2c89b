//! The lines of a description (RFC 8866 §5), borrowed from its octets: nothing is copied here.
//!
//! As tolerant as phones need it: `v=` is first and `m=` opens a stream, other lines come in any
//! order, and `o=`, `s=` and `t=` may be missing. What calls do not look at is not judged.

use std::net::IpAddr;

use super::{Direction, Error};

/// A description as its lines.
#[derive(Debug, Default)]
pub(super) struct Session<'a> {
    /// The `o=` line.
    pub(super) origin: Option<OriginLine<'a>>,
    /// Of the first `t=` line.
    pub(super) time: Option<(u64, u64)>,
    /// Of `c=` above the first stream.
    pub(super) connection: Option<ConnectionLine>,
    /// Of the attributes above the first stream.
    pub(super) direction: Option<Direction>,
    /// The streams.
    pub(super) media: Vec<Stream<'a>>,
}

/// The words of an `o=` line (RFC 8866 §5.2).
#[derive(Debug)]
pub(super) struct OriginLine<'a> {
    pub(super) user: &'a str,
    pub(super) session_id: &'a str,
    pub(super) session_version: u64,
    pub(super) address: &'a str,
}

/// A `c=` line; no address when it is a name or a multicast group with a scope.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConnectionLine(pub(super) Option<IpAddr>);

/// A stream: the words of its `m=` line and the lines under it (RFC 8866 §5.14).
#[derive(Debug)]
pub(super) struct Stream<'a> {
    pub(super) kind: &'a str,
    pub(super) port: u16,
    pub(super) protocol: &'a str,
    /// As written.
    pub(super) formats: &'a str,
    /// The first `c=` line.
    pub(super) connection: Option<ConnectionLine>,
    /// What its attributes say of payload types.
    pub(super) explained: Explained<'a>,
    pub(super) direction: Option<Direction>,
    pub(super) rtcp: Option<&'a str>,
    pub(super) rtcp_mux: bool,
    pub(super) rtcp_xr: Option<&'a str>,
    pub(super) ptime: Option<&'a str>,
    pub(super) max_ptime: Option<&'a str>,
    /// The first few.
    pub(super) crypto: Vec<&'a str>,
}

/// `a=rtpmap` and `a=fmtp` by payload type; the first of each counts.
#[derive(Debug, Default)]
pub(super) struct Explained<'a> {
    lines: Vec<(u8, Explanation, &'a str)>,
}

/// Which attribute explains a payload type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Explanation {
    /// `a=rtpmap` (RFC 8866 §6.6).
    Map,
    /// `a=fmtp` (RFC 8866 §6.15).
    Parameters,
}

/// Explanations kept of one stream: two for each payload type there is.
const MAX_EXPLAINED: usize = 256;

/// `a=crypto` lines kept of one stream; there are a dozen suites in all.
const MAX_CRYPTO: usize = 16;

impl<'a> Explained<'a> {
    /// What was said of a payload type.
    pub(super) fn of(&self, payload_type: u8, wanted: Explanation) -> Option<&'a str> {
        let mut lines = self.lines.iter();
        let found = lines.find(|(number, what, _)| (*number, *what) == (payload_type, wanted));
        found.map(|(_, _, text)| *text)
    }

    fn note(&mut self, what: Explanation, value: Option<&'a str>) {
        let Some((number, rest)) = value.and_then(|text| text.trim().split_once([' ', '\t']))
        else {
            return;
        };
        // Of a type that is none nobody asks; one said twice is not needed twice.
        if let Ok(number @ 0..128) = number.parse()
            && self.lines.len() < MAX_EXPLAINED
            && self.of(number, what).is_none()
        {
            self.lines.push((number, what, rest.trim()));
        }
    }
}

impl<'a> Session<'a> {
    /// Reads the lines; line ends may be LF alone.
    pub(super) fn parse(octets: &'a [u8], most_media: usize) -> Result<Self, Error> {
        let text = std::str::from_utf8(octets).map_err(|_| malformed("not UTF-8"))?;
        let mut lines = text.split('\n').filter_map(|line| {
            let line = line.strip_suffix('\r').unwrap_or(line);
            (!line.is_empty()).then(|| key_and_value(line))
        });
        match lines.next().transpose()? {
            Some((b'v', "0")) => {}
            Some((b'v', _)) => return Err(malformed("a version that is not 0")),
            _ => return Err(malformed("does not begin with v=")),
        }
        let mut session = Session::default();
        let mut has_name = false;
        for line in lines {
            let (key, value) = line?;
            match (key, session.media.last_mut()) {
                (b'm', _) => {
                    if session.media.len() == most_media {
                        return Err(Error::TooManyMedia);
                    }
                    session.media.push(Stream::parse(value)?);
                }
                (b'c', Some(stream)) => {
                    let line = ConnectionLine::parse(value)?;
                    stream.connection.get_or_insert(line);
                }
                (b'a', Some(stream)) => stream.attribute(value),
                (_, Some(_)) => {}
                (b'o', None) => {
                    let line = OriginLine::parse(value)?;
                    once(&mut session.origin, line, "o= twice")?;
                }
                (b's', None) if std::mem::replace(&mut has_name, true) => {
                    return Err(malformed("s= twice"));
                }
                (b'c', None) => {
                    let line = ConnectionLine::parse(value)?;
                    once(&mut session.connection, line, "c= twice")?;
                }
                (b't', None) => {
                    let time = time(value)?;
                    session.time.get_or_insert(time);
                }
                (b'a', None) => {
                    let (name, _) = attribute(value);
                    session.direction = session.direction.or_else(|| Direction::parse(name));
                }
                _ => {}
            }
        }
        Ok(session)
    }
}

impl<'a> OriginLine<'a> {
    fn parse(value: &'a str) -> Result<Self, Error> {
        match words::<6>(value) {
            Some([user, session_id, version, net, family, address])
                if is_token(net) && is_token(family) =>
            {
                let wrong = |_| malformed("the version of o= is no number");
                Ok(Self {
                    user,
                    session_id,
                    session_version: version.parse().map_err(wrong)?,
                    address,
                })
            }
            _ => Err(malformed("o= has not its six words")),
        }
    }
}

impl ConnectionLine {
    fn parse(value: &str) -> Result<Self, Error> {
        match words::<3>(value) {
            Some([net, family, address]) if is_token(net) && is_token(family) => {
                Ok(Self(address.parse().ok()))
            }
            _ => Err(malformed("c= has not its three words")),
        }
    }
}

impl<'a> Stream<'a> {
    fn parse(value: &'a str) -> Result<Self, Error> {
        let mut words = value.splitn(4, ' ');
        let (Some(kind), Some(port), Some(protocol), Some(formats)) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(malformed("m= has not its four words"));
        };
        let (port, count) = match port.split_once('/') {
            Some((port, count)) => (port, Some(count)),
            None => (port, None),
        };
        let is_count = |count: &str| count.parse::<u16>().is_ok();
        let port = port.parse().ok().filter(|_| count.is_none_or(is_count));
        Ok(Self {
            kind,
            port: port.ok_or_else(|| malformed("the port of m= is no port"))?,
            protocol,
            formats,
            connection: None,
            explained: Explained::default(),
            direction: None,
            rtcp: None,
            rtcp_mux: false,
            rtcp_xr: None,
            ptime: None,
            max_ptime: None,
            crypto: Vec::new(),
        })
    }

    /// The first of each name counts.
    fn attribute(&mut self, line: &'a str) {
        let (name, value) = attribute(line);
        // Sorted by how often phones say it; names are the same in any case of their letters.
        if name.eq_ignore_ascii_case("rtpmap") {
            self.explained.note(Explanation::Map, value);
        } else if name.eq_ignore_ascii_case("fmtp") {
            self.explained.note(Explanation::Parameters, value);
        } else if let Some(direction) = Direction::parse(name) {
            self.direction.get_or_insert(direction);
        } else if name.eq_ignore_ascii_case("ptime") {
            self.ptime.get_or_insert(value.unwrap_or_default());
        } else if name.eq_ignore_ascii_case("maxptime") {
            self.max_ptime.get_or_insert(value.unwrap_or_default());
        } else if name.eq_ignore_ascii_case("rtcp") {
            self.rtcp.get_or_insert(value.unwrap_or_default());
        } else if name.eq_ignore_ascii_case("rtcp-mux") {
            self.rtcp_mux = true;
        } else if name.eq_ignore_ascii_case("rtcp-xr") {
            self.rtcp_xr.get_or_insert(value.unwrap_or_default());
        } else if name.eq_ignore_ascii_case("crypto") && self.crypto.len() < MAX_CRYPTO {
            self.crypto.extend(value);
        }
    }
}

/// `k=value`, without what no line may contain (RFC 8866 §9, byte-string).
fn key_and_value(line: &str) -> Result<(u8, &str), Error> {
    if memchr::memchr2(b'\r', b'\0', line.as_bytes()).is_some() {
        return Err(malformed("CR or NUL inside a line"));
    }
    match line.as_bytes() {
        [key, b'=', ..] if *key != b'=' => Ok((*key, line.get(2..).unwrap_or_default())),
        _ => Err(malformed("a line that is not of the form k=value")),
    }
}

/// `name` or `name:value`.
fn attribute(line: &str) -> (&str, Option<&str>) {
    match line.split_once(':') {
        Some((name, value)) => (name, Some(value)),
        None => (line, None),
    }
}

/// Start and stop of a `t=` line (RFC 8866 §5.9).
fn time(value: &str) -> Result<(u64, u64), Error> {
    let [start, stop] = words::<2>(value).ok_or_else(|| malformed("t= has not its two words"))?;
    match (start.parse(), stop.parse()) {
        (Ok(start), Ok(stop)) => Ok((start, stop)),
        _ => Err(malformed("t= without numbers")),
    }
}

/// So many words and no more; more blanks than one between them are forgiven.
fn words<const N: usize>(value: &str) -> Option<[&str; N]> {
    let mut words = value.split(' ').filter(|word| !word.is_empty());
    let mut found = [""; N];
    for place in &mut found {
        *place = words.next()?;
    }
    words.next().is_none().then_some(found)
}

/// RFC 8866 §9, `token-char`.
fn is_token(word: &str) -> bool {
    let is_char = |octet: u8| {
        matches!(octet, 0x21 | 0x23..=0x27 | 0x2a..=0x2b | 0x2d..=0x2e | 0x30..=0x39)
            || matches!(octet, 0x41..=0x5a | 0x5e..=0x7e)
    };
    word.bytes().all(is_char)
}

fn once<T>(place: &mut Option<T>, value: T, why: &str) -> Result<(), Error> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(malformed(why)),
    }
}

fn malformed(why: &str) -> Error {
    Error::Malformed(why.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MOST: usize = 16;

    /// Lines real descriptions are made of, well and badly formed.
    const LINES: [&str; 36] = [
        "o=- 1 2 IN IP4 192.0.2.1",
        "o=alice  3 4 IN IP6 2001:db8::1",
        "o=- x",
        "o=- 1 2 IN IP4:x 192.0.2.1",
        "s=-",
        "s=",
        "c=IN IP4 192.0.2.7",
        "c=IN IP6 ::1",
        "c=IN IP4 pbx.example",
        "c=IN IP4",
        "t=0 0",
        "t=3 4",
        "t=now",
        "a=sendonly",
        "a=inactive",
        "a=recvonly",
        "a=SENDRECV",
        "a=ptime:20",
        "a=PTIME:30",
        "a=maxptime: 40 ",
        "a=ptime",
        "a=rtcp:5003",
        "a=rtcp:5003 IN IP4 192.0.2.9",
        "a=rtcp-mux",
        "a=rtpmap:101 telephone-event/8000",
        "a=rtpmap:96 opus/48000/2",
        "a=rtpmap:96 x",
        "a=fmtp:101 0-15",
        "a=fmtp:101\t0-16",
        "m=audio 4000 RTP/AVP 0 8 101 96",
        "m=audio 4002/2 RTP/AVP 9 101",
        "m=video 4004 RTP/AVP 31",
        "m=audio 99999 RTP/AVP 0",
        "m=audio 4006 RTP/AVP",
        "",
        "nothing",
    ];

    /// What `sdp_types` makes of it, as this file would say it.
    fn as_sdp_types(octets: &[u8]) -> Option<String> {
        let session = sdp_types::Session::parse(octets).ok()?;
        let ip = |line: &sdp_types::Connection| line.try_address().ok().map(|found| found.ip);
        let direction = |attributes: &[sdp_types::Attribute]| {
            let mut attributes = attributes.iter();
            attributes.find_map(|one| Direction::parse(&one.attribute))
        };
        let mut text = format!(
            "{:?} {:?} {:?} {:?} {:?}",
            session.origin.sess_id,
            session.origin.unicast_address,
            session.times.first().map(|t| (t.start_time, t.stop_time)),
            session.connection.as_ref().map(ip),
            direction(&session.attributes),
        );
        for media in &session.medias {
            let value = |name| media.get_first_attribute_value(name);
            let explained = |name: &'static str, number: u8| {
                media.get_attribute_values(name).flatten().find_map(|text| {
                    let (own, rest) = text.trim().split_once([' ', '\t'])?;
                    (own.parse() == Ok(number)).then(|| rest.trim().to_owned())
                })
            };
            text += &format!(
                "\n{} {} {} {} {:?} {:?} {:?} {:?} {:?} {} {:?}",
                media.media,
                media.port,
                media.proto,
                media.fmt,
                media.connections.first().map(ip),
                direction(&media.attributes),
                value("rtcp").map(Option::unwrap_or_default),
                value("ptime").map(Option::unwrap_or_default),
                value("maxptime").map(Option::unwrap_or_default),
                media.has_attribute("rtcp-mux"),
                [96, 101].map(|n| (explained("rtpmap", n), explained("fmtp", n))),
            );
        }
        Some(text)
    }

    fn as_here(octets: &[u8]) -> Option<String> {
        let session = Session::parse(octets, MOST).ok()?;
        let origin = session.origin.as_ref();
        let mut text = format!(
            "{:?} {:?} {:?} {:?} {:?}",
            origin.map_or("0", |origin| origin.session_id),
            origin.map_or("0.0.0.0", |origin| origin.address),
            session.time,
            session.connection.map(|line| line.0),
            session.direction,
        );
        for media in &session.media {
            let of = |n, what| media.explained.of(n, what).map(str::to_owned);
            text += &format!(
                "\n{} {} {} {} {:?} {:?} {:?} {:?} {:?} {} {:?}",
                media.kind,
                media.port,
                media.protocol,
                media.formats,
                media.connection.map(|line| line.0),
                media.direction,
                media.rtcp,
                media.ptime,
                media.max_ptime,
                media.rtcp_mux,
                [96, 101].map(|n| (of(n, Explanation::Map), of(n, Explanation::Parameters))),
            );
        }
        Some(text)
    }

    proptest! {
        /// An independent reader agrees with every description, and about which are none.
        #[test]
        fn sdp_types_reads_the_same(
            lines in proptest::collection::vec(proptest::sample::select(&LINES[..]), 0..14),
            is_usual in any::<bool>(),
        ) {
            let begin = if is_usual { "v=0\r\n" } else { "" };
            let text = format!("{begin}{}\r\n", lines.join("\r\n"));
            prop_assert_eq!(as_here(text.as_bytes()), as_sdp_types(text.as_bytes()));
        }

        /// Whatever octets come: what is read here, the other reads as well.
        #[test]
        fn octets_of_any_kind_are_read_or_refused(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
            let begun = [b"v=0\r\n", &octets[..]].concat();
            let _ = as_here(&begun);
            let _ = as_here(&octets);
        }
    }

    #[test]
    fn a_bomb_of_explanations_stays_small() {
        let many = "a=rtpmap:96 x/8000\r\n".repeat(1000);
        let text = format!("v=0\r\nm=audio 4000 RTP/AVP 96\r\n{many}");
        let session = Session::parse(text.as_bytes(), MOST).expect("a description");
        assert_eq!(session.media[0].explained.lines.len(), 1);
    }
}
