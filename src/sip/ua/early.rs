//! The early dialogs of our INVITE, one a fork (RFC 3261 §13.2.2.1): their provisional responses,
//! reliable ones acknowledged in order (RFC 3262 §4), and their end (RFC 6228).

use crate::base::Timestamp;
use crate::sip::dialog::Dialog;
use crate::sip::{HeaderName, Message, Method, RAck};

use super::session::{Calling, Phase, Session};
use super::settings::Body;
use super::terms::Reliable;
use super::{Event, Owner, SessionId, UserAgent};

/// One early dialog.
#[derive(Debug)]
pub(super) struct Early {
    pub(super) dialog: Dialog,
    /// RSeq of its last reliable response.
    rseq: Option<u32>,
    /// The PRACK that is owed until the call gives the answer it must carry.
    owed: Option<RAck>,
    /// Offer and answer have passed reliably: a new offer may follow by UPDATE (RFC 3311 §5.1).
    pub(super) is_agreed: bool,
}

/// What a provisional response is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Worth {
    /// New, and sent unreliably.
    Plain,
    /// New, reliable and in order.
    InOrder,
    /// Seen before, or before its time.
    Nothing,
}

impl UserAgent {
    /// Takes a provisional response other than 100 to our INVITE that is still wanted.
    pub(super) fn progressed(
        &mut self,
        now: Timestamp,
        id: SessionId,
        response: &Message,
        status: u16,
    ) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        session.peer.learn(response);
        let to = response.to();
        let tag = to.as_ref().ok().and_then(|to| to.tag()).unwrap_or("");
        let worth = weigh(session, tag, response);
        match worth {
            Worth::Nothing => return,
            Worth::InOrder => self.take_reliable(now, id, tag, response),
            Worth::Plain => {}
        }
        if status == 199 {
            return self.early_ended(id, tag);
        }
        self.tell(Event::Progress {
            session: id,
            response: response.clone(),
        });
    }

    /// Acknowledges a reliable response now, or once the call has answered the offer in it.
    fn take_reliable(&mut self, now: Timestamp, id: SessionId, tag: &str, response: &Message) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        let Phase::Calling(Calling {
            has_offer, forks, ..
        }) = &mut session.phase
        else {
            return;
        };
        let Some(fork) = find(forks, tag) else { return };
        let (Some(rseq), Ok(cseq)) = (fork.rseq, response.cseq()) else {
            return;
        };
        let rack = RAck { rseq, cseq };
        let has_body = !response.body().is_empty();
        if has_body && !*has_offer && !fork.is_agreed {
            fork.owed = Some(rack);
            return;
        }
        fork.is_agreed |= has_body;
        self.prack(now, id, tag, &rack, None);
        self.settle(now, id);
    }

    /// Sends the PRACK that is owed, with the answer the call gives; false when none is.
    pub(super) fn answer_early(
        &mut self,
        now: Timestamp,
        id: SessionId,
        body: Option<&Body>,
    ) -> bool {
        let owed = self.sessions.get_mut(&id).and_then(|session| {
            let Phase::Calling(calling) = &mut session.phase else {
                return None;
            };
            let fork = calling.forks.iter_mut().find(|fork| fork.owed.is_some())?;
            fork.is_agreed |= body.is_some();
            Some((fork.owed.take()?, fork.dialog.remote_tag.clone()))
        });
        let Some((rack, tag)) = owed else {
            return false;
        };
        if let (Some(body), Some(session)) = (body, self.sessions.get_mut(&id)) {
            session.said = Some(body.clone());
        }
        self.prack(now, id, &tag, &rack, body);
        self.settle(now, id);
        true
    }

    fn prack(
        &mut self,
        now: Timestamp,
        id: SessionId,
        tag: &str,
        rack: &RAck,
        body: Option<&Body>,
    ) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        let heard_on = session.flow;
        let Some(dialog) = session.dialog_with(tag) else {
            return;
        };
        let flow = dialog.next_hop(heard_on);
        let via = self.identity.via(&flow);
        let mut builder = dialog
            .request(Method::Prack, &via)
            .header(HeaderName::RAck, rack);
        builder = self.identity.name(builder);
        if let Some(body) = body {
            builder = builder.body(&body.content_type, body.bytes.clone());
        }
        let branch = via.branch().unwrap_or_default();
        let request = (flow, builder.build());
        self.start(now, (&Method::Prack, branch), request, Owner::Prack(id));
    }

    fn early_ended(&mut self, id: SessionId, tag: &str) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        if let Phase::Calling(calling) = &mut session.phase {
            calling.forks.retain(|fork| fork.dialog.remote_tag != tag);
        }
        self.tell(Event::EarlyEnded {
            session: id,
            tag: tag.to_owned(),
        });
    }
}

impl Session {
    /// Takes over the early dialog that a 2xx confirms. True when offer and answer have passed in
    /// it already, so that 2xx and ACK need carry neither.
    pub(super) fn confirm_early(&mut self, response: &Message) -> bool {
        let Phase::Calling(calling) = &mut self.phase else {
            return false;
        };
        let to = response.to();
        let tag = to.as_ref().ok().and_then(|to| to.tag()).unwrap_or("");
        let forks = std::mem::take(&mut calling.forks);
        let fork = forks.into_iter().find(|fork| fork.dialog.remote_tag == tag);
        fork.is_some_and(|fork| {
            self.dialog = fork.dialog;
            fork.is_agreed
        })
    }

    /// The fork in which an offer of ours may follow, by its tag.
    pub(super) fn agreed_fork(&self) -> Option<&str> {
        let Phase::Calling(calling) = &self.phase else {
            return None;
        };
        let fork = calling.forks.iter().find(|fork| fork.is_agreed)?;
        Some(&fork.dialog.remote_tag)
    }
}

/// Makes the early dialog of a response with a new tag, and says what the response is worth.
fn weigh(session: &mut Session, tag: &str, response: &Message) -> Worth {
    let is_reliable =
        session.terms.reliable != Reliable::Off && response.lists(HeaderName::Require, "100rel");
    let rseq = response.rseq().filter(|rseq| is_reliable && *rseq > 0);
    let Phase::Calling(calling) = &mut session.phase else {
        return Worth::Nothing;
    };
    if tag.is_empty() {
        return Worth::Plain;
    }
    if find(&mut calling.forks, tag).is_none() && calling.forks.len() < MAX_FORKS {
        let mut dialog = session.dialog.clone();
        dialog.establish(response);
        calling.forks.push(Early {
            dialog,
            rseq: None,
            owed: None,
            is_agreed: false,
        });
    }
    match (find(&mut calling.forks, tag), rseq) {
        (Some(fork), Some(rseq)) => {
            // RFC 3262 §4: a repeat, or one that overtook another, is not processed.
            let is_next = fork
                .rseq
                .is_none_or(|last| last.checked_add(1) == Some(rseq));
            if !is_next || fork.owed.is_some() {
                return Worth::Nothing;
            }
            fork.rseq = Some(rseq);
            Worth::InOrder
        }
        (None, Some(_)) => Worth::Nothing,
        (_, None) => Worth::Plain,
    }
}

fn find<'f>(forks: &'f mut [Early], tag: &str) -> Option<&'f mut Early> {
    forks.iter_mut().find(|fork| fork.dialog.remote_tag == tag)
}

/// Early dialogs kept of one INVITE; whoever forks wider is heard, but not acknowledged.
const MAX_FORKS: usize = 16;
