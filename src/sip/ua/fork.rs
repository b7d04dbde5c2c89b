//! Answers nobody wants: a second fork's, or one that crossed our CANCEL (RFC 3261 §13.2.2.4).

use crate::base::Timestamp;
use crate::sip::dialog::{Dialog, MAX_FORWARDS};
use crate::sip::location::Destination;
use crate::sip::transaction::Reaction;
use crate::sip::{Message, Method};

use super::{Owner, UserAgent};

impl UserAgent {
    /// Acknowledges the 2xx and hangs up. Each repeat of the 2xx is acknowledged again; the BYE
    /// has a branch made from the 2xx, so that there is only one.
    pub(super) fn dismiss(
        &mut self,
        now: Timestamp,
        reaction: &Reaction<Owner>,
        response: &Message,
    ) {
        let dialog = Message::parse(reaction.kept.clone())
            .ok()
            .and_then(|invite| Dialog::accepted(&invite, response));
        let Some(mut dialog) = dialog else {
            return;
        };
        let peer = Destination::of(dialog.peer());
        dialog.located = peer.and_then(|peer| self.seeker.locator.known(now, &peer));
        let flow = dialog.next_hop(reaction.flow);
        let number = self.keys.companion(reaction.id, &dialog.remote_tag);
        let via = self.identity.via(&flow);
        let ack = dialog.numbered(Method::Ack, dialog.local_cseq, &via, MAX_FORWARDS);
        self.stats.request_sent(&Method::Ack);
        self.transmit(flow, ack.build());
        let branch = self.identity.fixed_branch(number);
        let id = self.keys.client(&branch, &Method::Bye);
        if self.transactions.owner(id).is_some() {
            return;
        }
        let via = self.identity.via_with(&flow, &branch);
        dialog.local_cseq = dialog.local_cseq.saturating_add(SPENT);
        let bye = dialog.request(Method::Bye, &via).build();
        self.start(now, (&Method::Bye, &branch), (flow, bye), Owner::Nobody);
    }
}

/// Sequence numbers that PRACK and UPDATE may have used up in an early dialog nobody keeps any
/// more; the BYE must have a higher one, and gaps are allowed (RFC 3261 §12.2.2).
const SPENT: u32 = 10_000;
