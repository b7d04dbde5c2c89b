//! Encrypts and authenticates the packets of one kind, RTP or RTCP, under one session key: AES in
//! counter mode with HMAC-SHA1 (RFC 3711 §4.1.1, §4.2.1) or AES-GCM (RFC 7714 §8, §9).

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::EncryptingKey;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;

use super::keys::{Labels, MasterKey, Suite, counter_mode, key_stream};

/// A tag; its cipher says how many octets of it count.
pub(super) type Tag = [u8; GCM_TAG];

/// The tag is not of this key.
pub(super) struct Forged;

/// One session key at work.
pub(super) struct Cipher {
    use_of: Use,
    salt: [u8; 14],
    tag: usize,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Rtcp,
    Rtp,
}

/// Boxed, for they are large and a leg has up to six.
enum Kind {
    Counter(Box<Counter>),
    Gcm(Box<LessSafeKey>),
}

struct Counter {
    key: EncryptingKey,
    authentication: hmac::Key,
}

/// One packet to be sealed or opened.
pub(super) struct Sealing<'a> {
    pub(super) ssrc: u32,
    /// 48 bits of RTP, 31 of RTCP.
    pub(super) index: u64,
    /// The packet without its tag, and where its body begins: what lies before stays in the clear.
    pub(super) packet: &'a mut [u8],
    pub(super) body: usize,
    /// Authenticated too: the rollover counter of RTP, flag and index of RTCP.
    pub(super) beside: [u8; 4],
}

const GCM_TAG: usize = 16;

/// Octets of a report that stay in the clear: its first header and SSRC.
pub(super) const REPORT_HEADER: usize = 8;

/// Longest report in the clear that AES-GCM checks: more than any datagram that is read.
const MAX_CLEAR_REPORT: usize = 2048;

impl Cipher {
    /// For RTP.
    pub(super) fn rtp(key: &MasterKey) -> Self {
        let tag = match key.suite() {
            Suite::AeadAes128Gcm | Suite::AeadAes256Gcm => GCM_TAG,
            Suite::AesCm128HmacSha1_32 => 4,
            Suite::AesCm128HmacSha1_80 => 10,
        };
        Self::new(key, Use::Rtp, tag)
    }

    /// For RTCP, whose tag is never the short one (RFC 4568 §6.2.2).
    pub(super) fn rtcp(key: &MasterKey) -> Self {
        let tag = match key.suite() {
            Suite::AeadAes128Gcm | Suite::AeadAes256Gcm => GCM_TAG,
            Suite::AesCm128HmacSha1_32 | Suite::AesCm128HmacSha1_80 => 10,
        };
        Self::new(key, Use::Rtcp, tag)
    }

    fn new(key: &MasterKey, use_of: Use, tag: usize) -> Self {
        let keys = key.derive(match use_of {
            Use::Rtcp => Labels::RTCP,
            Use::Rtp => Labels::RTP,
        });
        Self {
            use_of,
            salt: keys.salt,
            tag,
            kind: Kind::new(key.suite(), &keys.cipher, &keys.authentication),
        }
    }

    /// Octets of a tag.
    pub(super) fn tag_octets(&self) -> usize {
        self.tag
    }

    /// Whether the tag comes before the SRTCP index (RFC 7714 §9.2) and not after it.
    pub(super) fn is_gcm(&self) -> bool {
        matches!(self.kind, Kind::Gcm(_))
    }

    /// Encrypts the body; gives the tag. `None` when the packet is beyond what a nonce may carry.
    pub(super) fn seal(&self, sealing: &mut Sealing<'_>) -> Option<Tag> {
        let (header, body) = sealing.packet.split_at_mut(sealing.body);
        let mut tag = [0; GCM_TAG];
        match &self.kind {
            Kind::Counter(counter) => {
                let from = self.counter(sealing.ssrc, sealing.index);
                key_stream(&counter.key, from, body);
                tag = counter.sign(sealing.packet, sealing.beside);
            }
            Kind::Gcm(key) => {
                let nonce = self.nonce(sealing.ssrc, sealing.index);
                let mut report = [0; REPORT_HEADER + 4];
                let aad = Aad::from(self.beside_gcm(header, sealing.beside, &mut report)?);
                let sealed = key.seal_in_place_separate_tag(nonce, aad, body).ok()?;
                tag.copy_from_slice(sealed.as_ref());
            }
        }
        Some(tag)
    }

    /// Authenticates and decrypts. The body of a forged packet may be lost.
    pub(super) fn open(&self, sealing: &mut Sealing<'_>, tag: &[u8]) -> Result<(), Forged> {
        let (header, body) = sealing.packet.split_at_mut(sealing.body);
        match &self.kind {
            Kind::Counter(counter) => {
                let expected = counter.sign(sealing.packet, sealing.beside);
                let expected = expected.get(..self.tag).ok_or(Forged)?;
                verify_slices_are_equal(expected, tag).map_err(|_| Forged)?;
                let from = self.counter(sealing.ssrc, sealing.index);
                let body = &mut sealing.packet[sealing.body..];
                key_stream(&counter.key, from, body);
            }
            Kind::Gcm(key) => {
                let nonce = self.nonce(sealing.ssrc, sealing.index);
                let mut report = [0; REPORT_HEADER + 4];
                let aad = self.beside_gcm(header, sealing.beside, &mut report);
                let aad = Aad::from(aad.ok_or(Forged)?);
                key.open_in_place_separate_tag(nonce, aad, tag, body)
                    .map_err(|_| Forged)?;
            }
        }
        Ok(())
    }

    /// Authenticates a report that is not encrypted: its E flag is not set.
    pub(super) fn check_clear(&self, sealing: &Sealing<'_>, tag: &[u8]) -> Result<(), Forged> {
        match &self.kind {
            Kind::Counter(counter) => {
                let expected = counter.sign(sealing.packet, sealing.beside);
                let expected = expected.get(..self.tag).ok_or(Forged)?;
                verify_slices_are_equal(expected, tag).map_err(|_| Forged)
            }
            Kind::Gcm(key) => {
                let nonce = self.nonce(sealing.ssrc, sealing.index);
                let mut space = [0; MAX_CLEAR_REPORT + 4];
                let (length, end) = (sealing.packet.len(), sealing.packet.len() + 4);
                let aad = space.get_mut(..end).ok_or(Forged)?;
                aad[..length].copy_from_slice(sealing.packet);
                aad[length..].copy_from_slice(&sealing.beside);
                key.open_in_place_separate_tag(nonce, Aad::from(aad), tag, &mut [])
                    .map(drop)
                    .map_err(|_| Forged)
            }
        }
    }

    /// What AES-GCM authenticates beside the body: the header of RTP, whose rollover counter is in
    /// the nonce; the header of a report with its flag and index (RFC 7714 §8.2, §9.2).
    fn beside_gcm<'a>(
        &self,
        header: &'a [u8],
        beside: [u8; 4],
        report: &'a mut [u8; REPORT_HEADER + 4],
    ) -> Option<&'a [u8]> {
        if self.use_of == Use::Rtp {
            return Some(header);
        }
        report[..REPORT_HEADER].copy_from_slice(header.get(..REPORT_HEADER)?);
        report[REPORT_HEADER..].copy_from_slice(&beside);
        Some(&report[..])
    }

    /// Where the key stream begins (RFC 3711 §4.1.1).
    fn counter(&self, ssrc: u32, index: u64) -> [u8; 16] {
        let mut counter = [0; 16];
        counter[..14].copy_from_slice(&self.salt);
        add(&mut counter[4..8], &ssrc.to_be_bytes());
        add(&mut counter[8..14], &index.to_be_bytes()[2..]);
        counter
    }

    /// The nonce of AES-GCM (RFC 7714 §8.1, §9.1): 48 bits of index end it, 32 in RTCP's case
    /// whose other 16 are 0.
    fn nonce(&self, ssrc: u32, index: u64) -> Nonce {
        let mut nonce = [0; 12];
        nonce.copy_from_slice(&self.salt[..12]);
        add(&mut nonce[2..6], &ssrc.to_be_bytes());
        add(&mut nonce[6..12], &index.to_be_bytes()[2..]);
        Nonce::assume_unique_for_key(nonce)
    }
}

impl Kind {
    fn new(suite: Suite, key: &[u8; 32], authentication: &[u8]) -> Self {
        let key = &key[..suite.key_octets()];
        let gcm = |algorithm| {
            let key = UnboundKey::new(algorithm, key).expect("a key of the algorithm's own length");
            Self::Gcm(Box::new(LessSafeKey::new(key)))
        };
        match suite {
            Suite::AeadAes128Gcm => gcm(&AES_128_GCM),
            Suite::AeadAes256Gcm => gcm(&AES_256_GCM),
            Suite::AesCm128HmacSha1_32 | Suite::AesCm128HmacSha1_80 => {
                let algorithm = hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY;
                Self::Counter(Box::new(Counter {
                    key: counter_mode(key),
                    authentication: hmac::Key::new(algorithm, authentication),
                }))
            }
        }
    }
}

impl Counter {
    /// HMAC-SHA1 of the packet and what stands beside it, cut at the longest tag.
    fn sign(&self, packet: &[u8], beside: [u8; 4]) -> Tag {
        let mut signing = hmac::Context::with_key(&self.authentication);
        signing.update(packet);
        signing.update(&beside);
        let mut tag = [0; GCM_TAG];
        tag.copy_from_slice(&signing.sign().as_ref()[..GCM_TAG]);
        tag
    }
}

fn add(octets: &mut [u8], other: &[u8]) {
    for (octet, other) in octets.iter_mut().zip(other) {
        *octet ^= other;
    }
}

#[cfg(test)]
impl Cipher {
    /// One of session keys that are given and not derived, as the vectors of RFC 7714 are.
    pub(super) fn of_session(suite: Suite, key: &[u8], salt: &[u8], is_rtcp: bool) -> Self {
        let (mut octets, mut padded) = ([0; 32], [0; 14]);
        octets[..key.len()].copy_from_slice(key);
        padded[..salt.len()].copy_from_slice(salt);
        Self {
            use_of: if is_rtcp { Use::Rtcp } else { Use::Rtp },
            salt: padded,
            tag: GCM_TAG,
            kind: Kind::new(suite, &octets, &[0; 20]),
        }
    }
}
