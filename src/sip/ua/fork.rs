//! Answers nobody wants: a second fork's, or one that crossed our CANCEL (RFC 3261 §13.2.2.4).

use std::sync::Arc;

use crate::base::Timestamp;
use crate::sip::auth::Credentials;
use crate::sip::dialog::{Dialog, MAX_FORWARDS};
use crate::sip::location::Destination;
use crate::sip::transaction::{Reaction, TransactionId};
use crate::sip::{Message, Method};

use super::retry::credentials_in;
use super::{Manners, Owner, UserAgent};

/// A BYE to whom we did not want: his call, if there still is one, knows nothing of it.
#[derive(Debug)]
pub(super) struct Parting {
    transaction: TransactionId,
    pub(super) credentials: Option<Box<Credentials>>,
    pub(super) manners: Option<Arc<Manners>>,
}

impl UserAgent {
    /// Acknowledges the 2xx and hangs up. Each repeat of the 2xx is acknowledged again; the BYE
    /// has a branch made from the 2xx, so that there is only one.
    pub(super) fn dismiss(
        &mut self,
        now: Timestamp,
        reaction: &Reaction<Owner>,
        response: &Message,
    ) {
        let Ok(invite) = Message::parse(reaction.kept.clone()) else {
            return;
        };
        let Some(mut dialog) = Dialog::accepted(&invite, response) else {
            return;
        };
        let peer = Destination::of(dialog.peer());
        dialog.located = peer.and_then(|peer| self.seeker.locator.known(now, &peer));
        let flow = dialog.next_hop(reaction.flow);
        let number = self.keys.companion(reaction.id, &dialog.remote_tag);
        let via = self.identity.via(&flow);
        let mut ack = dialog.numbered(Method::Ack, dialog.local_cseq, &via, MAX_FORWARDS);
        // RFC 3261 §22.1: a proxy that asked for them wants to see them again.
        for (name, value) in credentials_in(&invite) {
            ack = ack.header(name, value);
        }
        let ack = self.dress(reaction.owner, ack.build());
        self.stats.request_sent(&Method::Ack);
        self.transmit(flow, ack);
        let branch = self.identity.fixed_branch(number);
        let id = self.keys.client(&branch, &Method::Bye);
        if self.transactions.owner(id).is_some() {
            return;
        }
        let via = self.identity.via_with(&flow, &branch);
        dialog.local_cseq = dialog.local_cseq.saturating_add(SPENT);
        let bye = dialog.request(Method::Bye, &via).build();
        let parting = Parting {
            transaction: id,
            credentials: self.credentials(reaction.owner).cloned().map(Box::new),
            manners: self.manners(reaction.owner).cloned(),
        };
        self.partings.insert(number, parting);
        let owner = Owner::Parting(number);
        self.start(now, (&Method::Bye, &branch), (flow, bye), owner);
    }

    pub(super) fn parting_answered(
        &mut self,
        now: Timestamp,
        number: u64,
        reaction: &Reaction<Owner>,
        response: &Message,
    ) {
        if response.status().is_none_or(|status| status < 200) {
            return;
        }
        match self.try_again(now, reaction, response) {
            Some(again) => {
                if let Some(parting) = self.partings.get_mut(&number) {
                    parting.transaction = again;
                }
            }
            None => self.parted(number, reaction.id),
        }
    }

    /// A BYE of them is over.
    pub(super) fn parted(&mut self, number: u64, transaction: TransactionId) {
        let parting = self.partings.get(&number);
        if parting.is_some_and(|parting| parting.transaction == transaction) {
            self.partings.remove(&number);
        }
    }
}

/// Sequence numbers that PRACK and UPDATE may have used up in an early dialog nobody keeps any
/// more; the BYE must have a higher one, and gaps are allowed (RFC 3261 §12.2.2).
const SPENT: u32 = 10_000;
