//! Both directions of one leg, and what becomes of them when keys change.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::keys::{Keys, MasterKey};
use super::protector::Protector;
use super::unprotector::{Mark, Unprotector, twice};
use super::{Refusal, Unsent};

/// A leg's SRTP.
pub struct Session {
    keys: Keys,
    sending: Protector,
    receiving: Unprotector,
    /// The key before, until a packet of the new one comes.
    former: Option<(MasterKey, Unprotector)>,
}

/// What a checkpoint keeps beside the keys. What we send is not in it: after a death nobody knows
/// how far it went, so it goes on under an SSRC of its own, for which no number is used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionState {
    received: Vec<Mark>,
}

/// What new keys mean for the stream we send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rekeyed {
    /// Our key is the one before: everything goes on.
    Kept,
    /// Our key is new. Whether its rollover counter goes on or begins anew the standards do not
    /// agree (RFC 3711 §3.3.1, RFC 4568 §7.1.4), so it must be used with a new SSRC, for which
    /// there is but one answer.
    Own,
}

impl Session {
    /// A session of keys that nobody has used yet.
    pub fn new(keys: Keys) -> Self {
        Self {
            sending: Protector::new(&keys.send),
            receiving: Unprotector::new(&keys.receive),
            former: None,
            keys,
        }
    }

    /// One that goes on hearing where a checkpoint left it; to be used with a new SSRC.
    pub fn resume(keys: Keys, state: &SessionState) -> Self {
        let mut session = Self::new(keys);
        session.receiving.resume(&state.received);
        session
    }

    /// What a checkpoint needs.
    pub fn state(&self) -> SessionState {
        SessionState {
            received: self.receiving.marks(),
        }
    }

    /// Takes over what was negotiated anew. The far end's key before stays good until the first
    /// packet of its new one.
    pub fn rekey(&mut self, keys: Keys) -> Rekeyed {
        let rekeyed = if keys.send == self.keys.send {
            Rekeyed::Kept
        } else {
            self.sending = Protector::new(&keys.send);
            Rekeyed::Own
        };
        if keys.receive != self.keys.receive {
            self.receive_by(&keys.receive);
        }
        self.keys = keys;
        rekeyed
    }

    fn receive_by(&mut self, key: &MasterKey) {
        let before = self.keys.receive.clone();
        let is_heard = self.receiving.is_heard();
        if let Some((_, former)) = self
            .former
            .take_if(|(former, _)| former == key && !is_heard)
        {
            // The far end thinks better of a key it never used.
            self.receiving = former;
            return;
        }
        let mut receiving = Unprotector::new(key);
        receiving.follow(&self.receiving);
        let receiving = std::mem::replace(&mut self.receiving, receiving);
        // A key that was announced and never heard is not worth waiting for.
        if is_heard || self.former.is_none() {
            self.former = Some((before, receiving));
        }
    }

    /// Protects an RTP packet where it lies; its tag is put behind it. Gives the length
    /// now. No number is sent twice.
    pub fn protect(&mut self, buffer: &mut [u8], length: usize) -> Result<usize, Unsent> {
        self.sending.protect(buffer, length)
    }

    /// Protects a compound RTCP packet where it lies.
    pub fn protect_rtcp(&mut self, buffer: &mut [u8], length: usize) -> Result<usize, Unsent> {
        self.sending.protect_rtcp(buffer, length)
    }

    /// Unprotects an RTP packet where it lies; gives its length without the tag. A
    /// refused one may be lost.
    pub fn unprotect(&mut self, packet: &mut [u8]) -> Result<usize, Refusal> {
        self.with_each_key(packet, Unprotector::unprotect)
    }

    /// Unprotects a compound RTCP packet where it lies.
    pub fn unprotect_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, Refusal> {
        self.with_each_key(packet, Unprotector::unprotect_rtcp)
    }

    fn with_each_key(
        &mut self,
        packet: &mut [u8],
        unprotect: impl Fn(&mut Unprotector, &mut [u8]) -> Result<usize, Refusal>,
    ) -> Result<usize, Refusal> {
        // The former key's memory goes back at the next rekeying or with the leg: nothing is
        // freed for a packet.
        let is_new_heard = self.receiving.is_heard();
        let Some((_, former)) = self.former.as_mut().filter(|_| !is_new_heard) else {
            return unprotect(&mut self.receiving, packet);
        };
        let receiving = &mut self.receiving;
        twice(packet, |packet, is_again| match is_again {
            true => unprotect(former, packet),
            false => unprotect(receiving, packet),
        })
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}
