//! REFER in a call: who may transfer whom, and where to.

use super::exchange::Exchange;
use crate::base::Timestamp;
use crate::sip::Message;
use crate::sip::ua::{ReferId, SessionId};

impl Exchange {
    pub(super) fn on_refer(
        &mut self,
        now: Timestamp,
        session: SessionId,
        refer: ReferId,
        _request: &Message,
    ) {
        self.ua.refuse_refer(now, session, refer, 403);
    }
}
