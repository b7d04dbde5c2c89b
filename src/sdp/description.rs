//! Reading and writing whole descriptions.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use super::crypto::Crypto;
use super::grammar::{Session, Stream};
use super::{AudioMedia, Error, ExtendedReports, Format};

/// A session description, as far as it concerns a telephone call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Who describes, and which version of it.
    pub origin: Origin,
    /// Start and stop of `t=`, to be repeated in an answer (RFC 3264 §6).
    pub time: (u64, u64),
    /// Media lines in their order, which answers must keep.
    pub media: Vec<Media>,
}

/// The `o=` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// User name; `-` when none.
    pub user: String,
    /// Session id, digits.
    pub session_id: String,
    /// Version, one more for each change (RFC 3264 §8).
    pub session_version: u64,
    /// Address of the describing host, as written.
    pub address: String,
}

/// One media line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Media {
    /// Audio over RTP, secure or not.
    Audio(AudioMedia),
    /// Anything else; answered with port 0.
    Other(OtherMedia),
}

/// A media line we do not take part in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherMedia {
    /// `video`, `image`, ...
    pub kind: String,
    /// Port.
    pub port: u16,
    /// Transport, such as `udptl`.
    pub protocol: String,
    /// Formats, as written.
    pub formats: String,
}

impl Description {
    /// Reads a description; lines of no concern are skipped, line ends may be LF alone.
    pub fn parse(octets: &[u8]) -> Result<Self, Error> {
        let lines = memchr::memchr_iter(b'\n', octets).count();
        if octets.len() > MAX_SIZE || lines > MAX_LINES {
            return Err(Error::TooLarge);
        }
        let session = Session::parse(octets, MAX_MEDIA)?;
        let origin = session.origin.as_ref();
        Ok(Self {
            origin: Origin {
                user: origin.map_or("-", |origin| origin.user).to_owned(),
                session_id: origin.map_or("0", |origin| origin.session_id).to_owned(),
                session_version: origin.map_or(0, |origin| origin.session_version),
                address: origin.map_or("0.0.0.0", |origin| origin.address).to_owned(),
            },
            time: session.time.unwrap_or_default(),
            media: session
                .media
                .iter()
                .map(|stream| read(&session, stream))
                .collect(),
        })
    }

    /// The audio streams, switched on or off.
    pub fn audio(&self) -> impl Iterator<Item = &AudioMedia> {
        self.media.iter().filter_map(|media| match media {
            Media::Audio(audio) => Some(audio),
            Media::Other(_) => None,
        })
    }

    /// The octets to send, lines ended by CR LF.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = Lines(String::with_capacity(USUAL_SIZE));
        let Origin {
            user,
            session_id,
            session_version,
            address,
        } = &self.origin;
        let family = family(address);
        text.line(format_args!("v=0"));
        text.line(format_args!(
            "o={user} {session_id} {session_version} IN {family} {address}"
        ));
        text.line(format_args!("s=-"));
        let is_audio = |media: &Media| matches!(media, Media::Audio(_));
        if address.parse::<IpAddr>().is_ok() && !self.media.iter().any(is_audio) {
            // RFC 8866 §5.7: no stream has a line of its own for it.
            text.line(format_args!("c=IN {family} {address}"));
        }
        text.line(format_args!("t={} {}", self.time.0, self.time.1));
        for media in &self.media {
            match media {
                Media::Audio(audio) => text.audio(audio),
                Media::Other(other) => text.line(format_args!(
                    "m={} {} {} {}",
                    other.kind, other.port, other.protocol, other.formats
                )),
            }
        }
        text.0.into_bytes()
    }
}

fn family(address: &str) -> &'static str {
    if address.contains(':') { "IP6" } else { "IP4" }
}

fn read(session: &Session<'_>, stream: &Stream<'_>) -> Media {
    let is_audio = stream.kind.eq_ignore_ascii_case("audio");
    if !is_audio || !PROTOCOLS.contains(&stream.protocol) {
        return Media::Other(OtherMedia {
            kind: stream.kind.to_owned(),
            port: stream.port,
            protocol: stream.protocol.to_owned(),
            formats: stream.formats.to_owned(),
        });
    }
    let connection = stream.connection.or(session.connection);
    let address = connection.and_then(|line| line.0);
    let formats = stream.formats.split_ascii_whitespace().take(MAX_FORMATS);
    Media::Audio(AudioMedia {
        address,
        port: stream.port,
        protocol: stream.protocol.to_owned(),
        rtcp: stream.rtcp.and_then(|rtcp| read_rtcp(rtcp, address)),
        rtcp_mux: stream.rtcp_mux,
        extended_reports: stream
            .rtcp_xr
            .map_or_else(ExtendedReports::default, ExtendedReports::parse),
        direction: stream.direction.or(session.direction).unwrap_or_default(),
        formats: formats
            .filter_map(|number| Format::read(number, &stream.explained))
            .collect(),
        ptime_ms: stream.ptime.and_then(|text| text.trim().parse().ok()),
        max_ptime_ms: stream.max_ptime.and_then(|text| text.trim().parse().ok()),
        crypto: stream
            .crypto
            .iter()
            .filter_map(|line| Crypto::read(line))
            .collect(),
    })
}

/// `53020` or `53020 IN IP4 192.0.2.1` (RFC 3605 §2.1).
fn read_rtcp(text: &str, address: Option<IpAddr>) -> Option<SocketAddr> {
    let mut words = text.split_ascii_whitespace();
    let port = words.next()?.parse().ok()?;
    let address = match words.nth(2) {
        Some(own) => own.parse().ok()?,
        None => address?,
    };
    Some(SocketAddr::new(address, port))
}

struct Lines(String);

impl Lines {
    /// Writes one line; what would end it early becomes a space.
    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        let start = self.0.len();
        let _ = self.0.write_fmt(line);
        if self.0[start..].contains(LINE_ENDS) {
            let clean = self.0[start..].replace(LINE_ENDS, " ");
            self.0.truncate(start);
            self.0 += &clean;
        }
        self.0 += "\r\n";
    }

    fn audio(&mut self, audio: &AudioMedia) {
        self.line(format_args!(
            "m=audio {} {} {}",
            audio.port,
            audio.protocol,
            audio.numbers()
        ));
        if let Some(address) = audio.address {
            let family = if address.is_ipv6() { "IP6" } else { "IP4" };
            self.line(format_args!("c=IN {family} {address}"));
        }
        for format in &audio.formats {
            self.format(format);
        }
        for crypto in &audio.crypto {
            self.line(format_args!("a=crypto:{}", crypto.write()));
        }
        if let Some(ptime) = audio.ptime_ms {
            self.line(format_args!("a=ptime:{ptime}"));
        }
        if let Some(longest) = audio.max_ptime_ms {
            self.line(format_args!("a=maxptime:{longest}"));
        }
        if let Some(rtcp) = audio.rtcp {
            let family = if rtcp.is_ipv6() { "IP6" } else { "IP4" };
            self.line(format_args!(
                "a=rtcp:{} IN {family} {}",
                rtcp.port(),
                rtcp.ip()
            ));
        }
        if audio.rtcp_mux {
            self.line(format_args!("a=rtcp-mux"));
        }
        if !audio.extended_reports.is_empty() {
            self.line(format_args!("a=rtcp-xr:{}", audio.extended_reports));
        }
        self.line(format_args!("a={}", audio.direction.as_str()));
    }

    fn format(&mut self, format: &Format) {
        let Format {
            payload_type,
            encoding,
            clock_rate,
            channels,
            fmtp,
        } = format;
        match channels {
            1 => self.line(format_args!(
                "a=rtpmap:{payload_type} {encoding}/{clock_rate}"
            )),
            _ => self.line(format_args!(
                "a=rtpmap:{payload_type} {encoding}/{clock_rate}/{channels}"
            )),
        }
        if let Some(fmtp) = fmtp {
            self.line(format_args!("a=fmtp:{payload_type} {fmtp}"));
        }
    }
}

const LINE_ENDS: [char; 3] = ['\r', '\n', '\0'];

/// Transports we speak: plain and secure (RFC 3711 §12, RFC 5124); those with an F differ in RTCP
/// timing only (RFC 4585).
const PROTOCOLS: [&str; 4] = ["RTP/AVP", "RTP/AVPF", "RTP/SAVP", "RTP/SAVPF"];

/// A browser with a camera and data has three or four; each costs a line in the answer.
pub(super) const MAX_MEDIA: usize = 16;

/// Octets: a browser's with every codec and candidate has 12,000.
pub(super) const MAX_SIZE: usize = 32_768;

/// Lines.
pub(super) const MAX_LINES: usize = 1024;

/// Payload types read per stream; an RTP payload type has 128 values.
const MAX_FORMATS: usize = 128;

/// Room made at once.
const USUAL_SIZE: usize = 400;

#[cfg(test)]
mod tests {
    use super::super::Direction;
    use super::*;

    const OFFER: &str = "v=0\r\no=alice 2890844526 2 IN IP4 host.example.com\r\ns=x\r\n\
        c=IN IP4 192.0.2.1\r\nt=3 4\r\na=sendonly\r\n\
        m=audio 49170 RTP/AVP 0 8 9 97 101 102\r\na=rtpmap:97 opus/48000/2\r\n\
        a=fmtp:97 useinbandfec=1\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n\
        a=ptime:20\r\na=rtcp:53020\r\na=rtcp-mux\r\n\
        m=video 51372 RTP/AVP 31\r\na=rtpmap:31 H261/90000\r\n\
        m=audio 0 RTP/SAVP 0\r\n";

    #[test]
    fn an_offer_is_read_whole() {
        let offer = Description::parse(OFFER.as_bytes()).unwrap();
        assert_eq!(offer.origin.session_version, 2);
        assert_eq!(offer.time, (3, 4));
        assert_eq!(offer.media.len(), 3);
        let audio = offer.audio().next().unwrap();
        assert_eq!(audio.remote(), Some("192.0.2.1:49170".parse().unwrap()));
        assert_eq!(audio.rtcp, Some("192.0.2.1:53020".parse().unwrap()));
        assert_eq!(audio.direction, Direction::SendOnly);
        assert!(audio.rtcp_mux);
        let encodings: Vec<_> = audio.formats.iter().map(|f| f.encoding.as_str()).collect();
        assert_eq!(
            encodings,
            ["PCMU", "PCMA", "G722", "opus", "telephone-event"]
        );
        assert_eq!(audio.formats[3].channels, 2);
        let event = audio.telephone_event(8000).unwrap();
        assert_eq!(event.payload_type, 101);
        assert_eq!(audio.telephone_event(48_000), Some(event));
        assert_eq!(audio.comfort_noise(8000), None);
        let secure: Vec<_> = offer.audio().map(AudioMedia::is_secure).collect();
        assert_eq!(secure, [false, true]);
    }

    #[test]
    fn writing_and_reading_again_changes_nothing() {
        let offer = Description::parse(OFFER.as_bytes()).unwrap();
        assert_eq!(Description::parse(&offer.to_bytes()), Ok(offer));
    }

    #[test]
    fn hold_by_address_and_strange_addresses_have_no_remote() {
        let with = |address: &str| {
            let text = OFFER.replace("IN IP4 192.0.2.1", &format!("IN {address}"));
            Description::parse(text.as_bytes()).unwrap()
        };
        for address in [
            "IP4 0.0.0.0",
            "IP4 224.2.1.1/127",
            "IP4 255.255.255.255",
            "IP4 host",
        ] {
            let description = with(address);
            let audio = description.audio().next().unwrap();
            assert_eq!(audio.remote(), None, "{address}");
            assert_eq!(audio.is_held_by_address(), address.ends_with("0.0.0.0"));
        }
        let six = with("IP6 2001:db8::1");
        let six = six.audio().next().unwrap();
        assert_eq!(six.remote(), Some("[2001:db8::1]:49170".parse().unwrap()));
    }

    #[test]
    fn what_is_no_description_is_an_error() {
        for text in ["", "hello", "v=0\r\nm=audio x RTP/AVP 0\r\n", "v=1\r\n"] {
            assert!(
                matches!(
                    Description::parse(text.as_bytes()),
                    Err(Error::Malformed(_))
                ),
                "{text}"
            );
        }
        let many = format!("{OFFER}{}", "m=video 1 RTP/AVP 31\r\n".repeat(14));
        assert_eq!(
            Description::parse(many.as_bytes()),
            Err(Error::TooManyMedia)
        );
    }

    #[test]
    fn no_part_begins_a_line_of_its_own() {
        let mut offer = Description::parse(OFFER.as_bytes()).unwrap();
        offer.origin.user = "x\r\na=evil".to_owned();
        let text = String::from_utf8(offer.to_bytes()).unwrap();
        assert!(!text.contains("\na=evil"));
    }
}
