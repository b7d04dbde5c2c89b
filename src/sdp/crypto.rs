//! Keys of secure RTP in a description: `a=crypto` (RFC 4568, RFC 7714 §14.1).
//!
//! One key a line, by `inline`, without MKI. A line that asks for more than we do is no line for
//! us: another of the same offer may be. The description is the key: it belongs on TLS only.

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::{Deserialize, Serialize};

use crate::base::Entropy;

/// What packets are protected with (RFC 4568 §6.2, RFC 7714 §14.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CryptoSuite {
    /// AES-GCM with keys of 128 bits.
    #[serde(rename = "AEAD_AES_128_GCM")]
    AeadAes128Gcm,
    /// AES-GCM with keys of 256 bits.
    #[serde(rename = "AEAD_AES_256_GCM")]
    AeadAes256Gcm,
    /// AES in counter mode, HMAC-SHA1 cut at 4 octets.
    #[serde(rename = "AES_CM_128_HMAC_SHA1_32")]
    AesCm128HmacSha1_32,
    /// AES in counter mode, HMAC-SHA1 cut at 10 octets: the one that every phone has.
    #[serde(rename = "AES_CM_128_HMAC_SHA1_80")]
    AesCm128HmacSha1_80,
}

impl CryptoSuite {
    /// In the order we offer them. AES-GCM costs a third of the others; the short tag comes last.
    pub const ALL: [Self; 4] = [
        Self::AeadAes128Gcm,
        Self::AeadAes256Gcm,
        Self::AesCm128HmacSha1_80,
        Self::AesCm128HmacSha1_32,
    ];

    /// Its name in a description.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::AeadAes256Gcm => "AEAD_AES_256_GCM",
            Self::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
            Self::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
        }
    }

    /// Octets of its master key and salt together.
    pub const fn key_octets(self) -> usize {
        match self {
            Self::AeadAes128Gcm => 16 + 12,
            Self::AeadAes256Gcm => 32 + 12,
            Self::AesCm128HmacSha1_32 | Self::AesCm128HmacSha1_80 => 16 + 14,
        }
    }

    fn parse(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|suite| name.eq_ignore_ascii_case(suite.as_str()))
    }
}

/// A master key followed by its salt. Never shown: not in a log, not by `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CryptoKey(Vec<u8>);

impl CryptoKey {
    /// A new one.
    pub fn random(suite: CryptoSuite, entropy: &mut Entropy) -> Self {
        let mut octets = Vec::with_capacity(suite.key_octets() + 8);
        while octets.len() < suite.key_octets() {
            octets.extend(entropy.u64().to_be_bytes());
        }
        octets.truncate(suite.key_octets());
        Self(octets)
    }

    /// Key and salt.
    pub fn octets(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for CryptoKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CryptoKey(***)")
    }
}

/// One `a=crypto` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crypto {
    /// Which line of the offer an answer means.
    pub tag: u32,
    /// Suite.
    pub suite: CryptoSuite,
    /// What the describing side sends with.
    pub key: CryptoKey,
}

impl Crypto {
    /// Reads the value of the attribute; `None` when we could not do all it says, or when it is
    /// none.
    pub(super) fn read(value: &str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        let tag = words.next()?;
        if tag.len() > 9 || !tag.bytes().all(|octet| octet.is_ascii_digit()) {
            return None;
        }
        let suite = CryptoSuite::parse(words.next()?)?;
        let key = read_key(words.next()?, suite)?;
        if !words.all(is_harmless) {
            return None;
        }
        Some(Self {
            tag: tag.parse().ok()?,
            suite,
            key,
        })
    }

    /// The value of the attribute.
    pub(super) fn write(&self) -> String {
        let key = BASE64.encode(&self.key.0);
        format!("{} {} inline:{key}", self.tag, self.suite.as_str())
    }
}

/// `inline:key||salt` with a lifetime or none (RFC 4568 §6.1). A second key would need MKIs to
/// tell them apart.
fn read_key(text: &str, suite: CryptoSuite) -> Option<CryptoKey> {
    let (method, info) = text.split_once(':')?;
    if !method.eq_ignore_ascii_case("inline") || info.contains(';') {
        return None;
    }
    let mut parts = info.split('|');
    let octets = BASE64.decode(parts.next()?).ok()?;
    if octets.len() != suite.key_octets() || !parts.next().is_none_or(is_lifetime) {
        return None;
    }
    // What follows would be an MKI; so is a first part with a colon, which is no lifetime.
    parts.next().is_none().then_some(CryptoKey(octets))
}

/// `2^20` or a number of packets. Whose key it is renews it in time.
fn is_lifetime(text: &str) -> bool {
    let number = text.strip_prefix("2^").unwrap_or(text);
    !number.is_empty() && number.bytes().all(|octet| octet.is_ascii_digit())
}

/// Whether a session parameter (RFC 4568 §6.3) changes nothing of what we do: the window for
/// replays is a hint, a key derivation rate of 0 is the usual one, and what begins with a dash may
/// be ignored. Without encryption or authentication there is no security to speak of.
fn is_harmless(parameter: &str) -> bool {
    let is = |name: &str| {
        let start = parameter.get(..name.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(name))
    };
    parameter.starts_with('-') || is("WSH=") || parameter.eq_ignore_ascii_case("KDR=0")
}

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Whether media is secured with a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SrtpPolicy {
    /// Never: an offer of secure media alone is refused.
    #[default]
    No,
    /// When the peer offers it; we offer plain media.
    Optional,
    /// Always: an offer of plain media is refused.
    Required,
}

impl SrtpPolicy {
    /// Its words in the configuration.
    pub const WORDS: [(&'static str, Self); 3] = [
        ("no", Self::No),
        ("optional", Self::Optional),
        ("required", Self::Required),
    ];
}

/// What we can secure a stream with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalCrypto {
    /// Whether it is.
    pub policy: SrtpPolicy,
    /// Our key for each suite, in the order offered; none when media is never secured.
    keys: Vec<(CryptoSuite, CryptoKey)>,
}

impl LocalCrypto {
    /// Fresh keys, as far as the policy needs any.
    pub fn new(policy: SrtpPolicy, entropy: &mut Entropy) -> Self {
        let mut crypto = Self {
            policy,
            keys: Vec::new(),
        };
        crypto.renew(entropy);
        crypto
    }

    /// All keys anew, so that whatever is agreed next begins with one that was never used.
    pub fn renew(&mut self, entropy: &mut Entropy) {
        let suites = CryptoSuite::ALL.into_iter();
        let suites = suites.filter(|_| self.policy != SrtpPolicy::No);
        let keys = suites.map(|suite| (suite, CryptoKey::random(suite, entropy)));
        self.keys = keys.collect();
    }

    /// Our key for a suite.
    pub(super) fn key(&self, suite: CryptoSuite) -> Option<&CryptoKey> {
        let mut keys = self.keys.iter();
        keys.find(|(own, _)| *own == suite).map(|(_, key)| key)
    }

    /// The lines of an offer: every suite, or the one in use alone.
    pub(super) fn offered(&self, in_use: Option<CryptoSuite>) -> Vec<Crypto> {
        let keys = self.keys.iter();
        let wanted = keys.filter(|(suite, _)| in_use.is_none_or(|in_use| in_use == *suite));
        let line = |(tag, (suite, key)): (u32, &(CryptoSuite, CryptoKey))| Crypto {
            tag,
            suite: *suite,
            key: key.clone(),
        };
        (1..).zip(wanted).map(line).collect()
    }

    /// The first of their lines that we can do.
    pub(super) fn choose<'a>(&self, theirs: &'a [Crypto]) -> Option<(&'a Crypto, SecureMedia)> {
        theirs.iter().find_map(|line| {
            let secure = SecureMedia {
                suite: line.suite,
                ours: self.key(line.suite)?.clone(),
                theirs: line.key.clone(),
            };
            Some((line, secure))
        })
    }
}

/// What both sides secure a stream with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecureMedia {
    /// Suite, both ways.
    pub suite: CryptoSuite,
    /// What we send with.
    pub ours: CryptoKey,
    /// What the far end sends with.
    pub theirs: CryptoKey,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 4568 §4.1's key of AES_CM_128.
    const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

    #[test]
    fn lines_of_the_wild_are_read_or_left_alone() {
        for (line, is_ours) in [
            (format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20"), true),
            (
                format!("999999999 aes_cm_128_hmac_sha1_32 INLINE:{KEY}"),
                true,
            ),
            (
                format!("2 AES_CM_128_HMAC_SHA1_32 inline:{KEY}|1048576 WSH=128 KDR=0"),
                true,
            ),
            (
                format!("2 AES_CM_128_HMAC_SHA1_32 inline:{KEY} -FANCY=1"),
                true,
            ),
            (
                format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:4"),
                false,
            ),
            (format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|1:4"), false),
            (
                format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY};inline:{KEY}"),
                false,
            ),
            (
                format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} UNENCRYPTED_SRTP"),
                false,
            ),
            (
                format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} UNENCRYPTED_SRTCP"),
                false,
            ),
            (
                format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} UNAUTHENTICATED_SRTP"),
                false,
            ),
            (
                format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} KDR=1"),
                false,
            ),
            (
                format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} FEC_ORDER=FEC_SRTP"),
                false,
            ),
            (format!("1 F8_128_HMAC_SHA1_80 inline:{KEY}"), false),
            (format!("1 AEAD_AES_128_GCM inline:{KEY}"), false),
            (
                format!("1 AES_CM_128_HMAC_SHA1_80 inline:{}", &KEY[4..]),
                false,
            ),
            (format!("1 AES_CM_128_HMAC_SHA1_80 mikey:{KEY}"), false),
            (format!("x AES_CM_128_HMAC_SHA1_80 inline:{KEY}"), false),
            (
                format!("1234567890 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"),
                false,
            ),
            ("1 AES_CM_128_HMAC_SHA1_80".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(Crypto::read(&line).is_some(), is_ours, "{line}");
        }
        let gcm = "7 AEAD_AES_128_GCM inline:AAECAwQFBgcICQoLDA0OD1F1aWQgcHJvIHF1bw";
        let read = Crypto::read(gcm).expect("padding may be missing");
        assert_eq!(read.write(), format!("{gcm}=="));
    }

    #[test]
    fn what_is_written_is_read_and_never_shown() {
        let mut entropy = Entropy::from_seed(4568);
        let local = LocalCrypto::new(SrtpPolicy::Required, &mut entropy);
        for line in local.offered(None) {
            assert_eq!(Crypto::read(&line.write()), Some(line.clone()));
            assert_eq!(line.key.octets().len(), line.suite.key_octets());
            assert_eq!(format!("{:?}", line.key), "CryptoKey(***)");
        }
        let mut renewed = local.clone();
        renewed.renew(&mut entropy);
        for suite in CryptoSuite::ALL {
            assert_ne!(local.key(suite), renewed.key(suite));
        }
        let none = LocalCrypto::new(SrtpPolicy::No, &mut entropy);
        assert_eq!(none.offered(None), []);
    }

    proptest! {
        #[test]
        fn no_value_panics(value in "\\PC{0,80}") {
            let _ = Crypto::read(&value);
        }
    }
}
