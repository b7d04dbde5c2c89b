//! Master keys as SDP brings them, and the session keys derived from them (RFC 3711 §4.3, RFC
//! 6188, RFC 7714 §11).

use std::fmt;

use aws_lc_rs::cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use serde::{Deserialize, Serialize};

/// What a packet is protected with (RFC 4568 §6.2, RFC 7714 §14.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Suite {
    /// `AEAD_AES_128_GCM`.
    AeadAes128Gcm,
    /// `AEAD_AES_256_GCM`.
    AeadAes256Gcm,
    /// `AES_CM_128_HMAC_SHA1_32`: a tag of 4 octets on RTP, of 10 on RTCP.
    AesCm128HmacSha1_32,
    /// `AES_CM_128_HMAC_SHA1_80`, the one that everybody has.
    AesCm128HmacSha1_80,
}

impl Suite {
    /// Every suite of ours.
    pub const ALL: [Suite; 4] = [
        Suite::AeadAes128Gcm,
        Suite::AeadAes256Gcm,
        Suite::AesCm128HmacSha1_32,
        Suite::AesCm128HmacSha1_80,
    ];

    /// Octets of the master key, and of the session key derived from it.
    pub const fn key_octets(self) -> usize {
        match self {
            Suite::AeadAes256Gcm => 32,
            _ => 16,
        }
    }

    /// Octets of the salts.
    pub const fn salt_octets(self) -> usize {
        match self {
            Suite::AeadAes128Gcm | Suite::AeadAes256Gcm => 12,
            Suite::AesCm128HmacSha1_32 | Suite::AesCm128HmacSha1_80 => 14,
        }
    }
}

/// A master key with its salt, for one direction. Never shown: not in a log, not by `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct MasterKey {
    suite: Suite,
    /// The key, then the salt; the rest is 0.
    octets: [u8; MAX_OCTETS],
}

/// The keys of a leg.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    /// Of what we send.
    pub send: MasterKey,
    /// Of what the far end sends.
    pub receive: MasterKey,
}

/// AES-256 and its salt.
const MAX_OCTETS: usize = 32 + 12;

impl MasterKey {
    /// A key followed by its salt, as SDP has them; `None` when the suite wants another length.
    pub fn new(suite: Suite, key_and_salt: &[u8]) -> Option<Self> {
        let length = suite.key_octets() + suite.salt_octets();
        let mut octets = [0; MAX_OCTETS];
        octets
            .get_mut(..length)
            .filter(|_| key_and_salt.len() == length)?
            .copy_from_slice(key_and_salt);
        Some(Self { suite, octets })
    }

    /// What it is for.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    fn key(&self) -> &[u8] {
        &self.octets[..self.suite.key_octets()]
    }

    fn salt(&self) -> &[u8] {
        &self.octets[self.suite.key_octets()..][..self.suite.salt_octets()]
    }

    /// The session keys of RTP or RTCP.
    pub(super) fn derive(&self, labels: Labels) -> SessionKeys {
        let mut keys = SessionKeys {
            cipher: [0; 32],
            authentication: [0; 20],
            salt: [0; 14],
        };
        let (key, salt) = (self.suite.key_octets(), self.suite.salt_octets());
        derive(
            self.key(),
            self.salt(),
            labels.cipher,
            &mut keys.cipher[..key],
        );
        derive(
            self.key(),
            self.salt(),
            labels.authentication,
            &mut keys.authentication,
        );
        derive(self.key(), self.salt(), labels.salt, &mut keys.salt[..salt]);
        keys
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({:?}, ***)", self.suite)
    }
}

/// A master key as a checkpoint has it.
#[derive(Serialize, Deserialize)]
struct Written {
    suite: Suite,
    key: String,
}

impl From<MasterKey> for Written {
    fn from(key: MasterKey) -> Self {
        let length = key.suite.key_octets() + key.suite.salt_octets();
        Self {
            suite: key.suite,
            key: hex::encode(&key.octets[..length]),
        }
    }
}

impl TryFrom<Written> for MasterKey {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let octets = hex::decode(&written.key).map_err(|_| "a key that is not hexadecimal")?;
        Self::new(written.suite, &octets).ok_or("a key of another length than its suite's")
    }
}

/// What tells the derived keys apart (RFC 3711 §4.3.2).
#[derive(Clone, Copy, Debug)]
pub(super) struct Labels {
    cipher: u8,
    authentication: u8,
    salt: u8,
}

impl Labels {
    /// Of RTP.
    pub(super) const RTP: Self = Self {
        cipher: 0,
        authentication: 1,
        salt: 2,
    };
    /// Of RTCP.
    pub(super) const RTCP: Self = Self {
        cipher: 3,
        authentication: 4,
        salt: 5,
    };
}

/// What the packets of one kind are protected with.
pub(super) struct SessionKeys {
    /// 16 or 32 octets of it count.
    pub(super) cipher: [u8; 32],
    /// Not used by AES-GCM.
    pub(super) authentication: [u8; 20],
    /// 12 or 14 octets of it count.
    pub(super) salt: [u8; 14],
}

/// The key stream of AES in counter mode from `label XOR salt` on (RFC 3711 §4.3.3); a shorter
/// salt counts as followed by zeros (RFC 7714 §11).
fn derive(key: &[u8], salt: &[u8], label: u8, derived: &mut [u8]) {
    let mut counter = [0; 16];
    counter[..salt.len()].copy_from_slice(salt);
    counter[7] ^= label;
    derived.fill(0);
    key_stream(&counter_mode(key), counter, derived);
}

/// A key for [`key_stream`].
pub(super) fn counter_mode(key: &[u8]) -> EncryptingKey {
    let algorithm = if key.len() == 32 { &AES_256 } else { &AES_128 };
    UnboundCipherKey::new(algorithm, key)
        .and_then(EncryptingKey::ctr)
        .expect("a key of the algorithm's own length")
}

/// Adds the key stream from a counter on to some octets: encrypts and decrypts alike.
pub(super) fn key_stream(key: &EncryptingKey, counter: [u8; 16], octets: &mut [u8]) {
    key.less_safe_encrypt(octets, EncryptionContext::Iv128(FixedLength::from(counter)))
        .expect("counter mode takes every length");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        hex::decode(text.replace(' ', "")).expect("hexadecimal")
    }

    /// RFC 3711 appendix B.2: three blocks at the start, three around the end of the segment.
    #[test]
    fn key_stream_of_rfc_3711() {
        let key = counter_mode(&hex("2B7E151628AED2A6ABF7158809CF4F3C"));
        let counter = hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD0000")
            .try_into()
            .expect("16");
        let mut stream = vec![0; 0xff02 * 16];
        key_stream(&key, counter, &mut stream);
        for (block, expected) in [
            (0, "E03EAD0935C95E80E166B16DD92B4EB4"),
            (1, "D23513162B02D0F72A43A2FE4A5F97AB"),
            (2, "41E95B3BB0A2E8DD477901E4FCA894C0"),
            (0xfeff, "EC8CDF7398607CB0F2D21675EA9EA1E4"),
            (0xff00, "362B7C3C6773516318A077D7FC5073AE"),
            (0xff01, "6A2CC3787889374FBEB4C81B17BA6C44"),
        ] {
            assert_eq!(stream[block * 16..][..16], hex(expected), "block {block:x}");
        }
    }

    /// RFC 3711 appendix B.3.
    #[test]
    fn session_keys_of_rfc_3711() {
        let written = "E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6";
        let master = MasterKey::new(Suite::AesCm128HmacSha1_80, &hex(written)).expect("key");
        let keys = master.derive(Labels::RTP);
        assert_eq!(keys.cipher[..16], hex("C61E7A93744F39EE10734AFE3FF7A087"));
        assert_eq!(keys.salt[..], hex("30CBBC08863D8C85D49DB34A9AE1"));
        let authentication = "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4";
        assert_eq!(keys.authentication[..], hex(authentication));
    }

    /// RFC 6188 §7.2: the same function of AES-256.
    #[test]
    fn session_keys_of_rfc_6188() {
        let key = hex("F0F04914B513F2763A1B1FA130F10E2998F6F6E43E4309D1E622A0E332B9F1B6");
        let salt = hex("3B04803DE51EE7C96423AB5B78D2");
        let (mut cipher, mut derived_salt) = ([0; 32], [0; 14]);
        derive(&key, &salt, 0, &mut cipher);
        derive(&key, &salt, 2, &mut derived_salt);
        let expected = "5BA1064E30EC51613CAD926C5A28EF731EC7FB397F70A960653CAF06554CD8C4";
        assert_eq!(cipher[..], hex(expected));
        assert_eq!(derived_salt[..], hex("FA31791685CA444A9E07C6C64E93"));
    }

    #[test]
    fn a_key_has_its_suites_length_and_is_never_shown() {
        for suite in Suite::ALL {
            let octets = [0xA7; 46];
            let length = suite.key_octets() + suite.salt_octets();
            assert_eq!(MasterKey::new(suite, &octets[..length - 1]), None);
            assert_eq!(MasterKey::new(suite, &octets[..length + 1]), None);
            let key = MasterKey::new(suite, &octets[..length]).expect("key");
            let shown = format!("{key:?}").to_lowercase();
            assert!(!shown.contains("a7") && !shown.contains("167"), "{shown}");
            let json = serde_json::to_string(&key).expect("json");
            assert_eq!(serde_json::from_str::<MasterKey>(&json).expect("key"), key);
            let cut = json.replacen("a7", "", 1);
            assert!(serde_json::from_str::<MasterKey>(&cut).is_err());
        }
    }
}
