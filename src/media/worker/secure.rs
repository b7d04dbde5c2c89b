//! A leg's SRTP between its sockets and everything else: packets are plain from here on inwards.

use crate::media::quality;
use crate::media::rtp::{self, is_rtcp};
use crate::media::srtp::{Keys, Refusal, Rekeyed, Session, SessionState};

use super::Counts;
use super::leg::Leg;

/// Which socket a packet came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    Rtcp,
    Rtp,
}

impl Leg {
    /// Takes over the keys that were negotiated. The far end's keys before stay good until it
    /// uses its new ones.
    pub(super) fn secure(&mut self, keys: Option<&Keys>) {
        let Some(keys) = keys else {
            self.srtp = None;
            return;
        };
        match &mut self.srtp {
            Some(session) => {
                if session.rekey(keys.clone()) == Rekeyed::Own {
                    self.out.begin_anew();
                }
            }
            None => {
                self.srtp = Some(Box::new(Session::new(keys.clone())));
                self.out.begin_anew();
            }
        }
    }

    /// Goes on hearing where a checkpoint left it.
    pub(super) fn resume_secure(&mut self, keys: Option<&Keys>, state: Option<&SessionState>) {
        if let (Some(keys), Some(state)) = (keys, state) {
            self.srtp = Some(Box::new(Session::resume(keys.clone(), state)));
        }
    }

    /// Unprotects what came in, where it lies; gives its length. `None` when it is not believed:
    /// that is counted here, and nobody else hears of it.
    pub(super) fn unprotect(
        &mut self,
        door: Door,
        datagram: &mut [u8],
        counts: &mut Counts,
    ) -> Option<usize> {
        let Some(session) = &mut self.srtp else {
            return Some(datagram.len());
        };
        let is_muxed = self.flow.as_ref().is_some_and(|flow| flow.rtcp_mux);
        let is_report = door == Door::Rtcp || is_muxed && is_rtcp(datagram);
        let result = match is_report {
            true => session.unprotect_rtcp(datagram),
            false => session.unprotect(datagram),
        };
        match result {
            Ok(length) => Some(length),
            Err(refusal) => {
                self.inbound.refused += 1;
                counts.refused += 1;
                // What was there before says nothing of what is wrong now.
                if !is_report && refusal != Refusal::Replayed {
                    self.watch.refuse(quality::Refusal::Srtp);
                }
                match refusal {
                    Refusal::Forged => counts.srtp_forged += 1,
                    Refusal::Malformed => counts.srtp_malformed += 1,
                    Refusal::Replayed => counts.srtp_replayed += 1,
                }
                None
            }
        }
    }

    /// Protects what goes out, where it lies; gives its length. `None` when it may not go out.
    pub(super) fn protect(
        &mut self,
        buffer: &mut [u8],
        length: usize,
        counts: &mut Counts,
    ) -> Option<usize> {
        let Some(session) = &mut self.srtp else {
            return Some(length);
        };
        let sealed = session.protect(buffer, length).ok();
        counts.srtp_unsent += u64::from(sealed.is_none());
        sealed
    }

    /// The same for a report.
    pub(super) fn protect_rtcp(&mut self, buffer: &mut [u8], length: usize) -> Option<usize> {
        match &mut self.srtp {
            Some(session) => session.protect_rtcp(buffer, length).ok(),
            None => Some(length),
        }
    }
}

/// What is shown of a packet that was refused: its header, for the rest may be lost, and is
/// nobody's to read.
pub(super) fn header_of(datagram: &[u8]) -> &[u8] {
    &datagram[..datagram.len().min(rtp::HEADER_BYTES)]
}
