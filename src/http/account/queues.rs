//! `Queues` and their `Members`: the lines in which calls stand.

use axum::response::Response;
use serde_json::{Value, json};

use super::fault::{Fault, code};
use super::page::{Page, Wanted};
use super::{Asked, shown, written};
use crate::base::{CallId, Timestamp};
use crate::call::ControlError;
use crate::router::{QueueView, RouterView};
use crate::twiml::{Modification, Sid, SidKind};

/// A line, first caller first.
struct Line {
    sid: Sid,
    name: String,
    members: Vec<Member>,
    average_wait: u64,
}

/// One who stands in it.
struct Member {
    call: CallId,
    since: Timestamp,
}

impl Asked<'_> {
    /// A page of the queues there are.
    pub(super) fn list_queues(&self) -> Result<Response, Fault> {
        let wanted = Wanted::read(&self.said)?;
        let router = self.sources.live.router();
        let queues = router.queues.iter();
        let all = queues.map(|queue| self.queue_shown(&self.line_of(&router, queue)));
        let page = Page::of_few(all.collect(), &wanted);
        Ok(page.answer("queues", &self.uri("Queues"), &wanted, &self.said))
    }

    /// One queue.
    pub(super) fn fetch_queue(&self, sid: &str) -> Result<Response, Fault> {
        Ok(shown(&self.queue_shown(&self.line(sid)?)))
    }

    /// A page of a queue's members, first caller first.
    pub(super) fn list_members(&self, queue: &str) -> Result<Response, Fault> {
        let wanted = Wanted::read(&self.said)?;
        let line = self.line(queue)?;
        let members = line.members.iter().enumerate();
        let all = members.map(|(place, member)| self.member_shown(&line, place, member));
        let page = Page::of_few(all.collect(), &wanted);
        let path = self.uri(&format!("Queues/{queue}/Members"));
        Ok(page.answer("queue_members", &path, &wanted, &self.said))
    }

    /// A member, by his call; `Front` is the first.
    pub(super) fn fetch_member(&self, queue: &str, call: &str) -> Result<Response, Fault> {
        let line = self.line(queue)?;
        let (place, member) = self.member(&line, call)?;
        Ok(shown(&self.member_shown(&line, place, member)))
    }

    /// Takes a member out of the line: he goes on with a document.
    pub(super) fn dequeue(&self, queue: &str, call: &str) -> Result<Response, Fault> {
        let link = self.said.link("Url", "Method", code::URL)?;
        let link = link.ok_or_else(|| Fault::bad(code::URL, "Url is required"))?;
        let line = self.line(queue)?;
        let (place, member) = self.member(&line, call)?;
        let wish = Modification::Redirect(link);
        let live = &self.sources.live;
        live.modify(member.call.as_str(), wish)
            .map_err(|error| match error {
                ControlError::NoCall => self.gone(),
                error => Fault::bad(code::STATE, error.to_string()),
            })?;
        Ok(shown(&self.member_shown(&line, place, member)))
    }

    fn line(&self, sid: &str) -> Result<Line, Fault> {
        let router = self.sources.live.router();
        let mut queues = router.queues.iter();
        let found = queues.find(|queue| Sid::derive(SidKind::Queue, &queue.name).as_str() == sid);
        let queue = found.ok_or_else(|| self.gone())?;
        Ok(self.line_of(&router, queue))
    }

    fn line_of(&self, router: &RouterView, queue: &QueueView) -> Line {
        let mut standing: Vec<_> = router
            .tasks
            .iter()
            .filter(|task| task.queue == queue.name && task.position.is_some())
            .filter_map(|task| Some((task.position?, task.call.clone()?, task.entered)))
            .collect();
        standing.sort_by_key(|(position, ..)| *position);
        let now = self.sources.live.now();
        let waits = standing.iter().map(|(.., since)| now.since(*since).as_secs());
        let sum: u64 = waits.sum();
        let average_wait = sum.checked_div(standing.len() as u64).unwrap_or(0);
        let members = standing.into_iter();
        Line {
            sid: Sid::derive(SidKind::Queue, &queue.name),
            name: queue.name.clone(),
            members: members
                .map(|(_, call, since)| Member { call, since })
                .collect(),
            average_wait,
        }
    }

    fn member<'l>(&self, line: &'l Line, call: &str) -> Result<(usize, &'l Member), Fault> {
        let is_he = |(_, member): &(usize, &Member)| {
            call == "Front" || sid_of(&member.call).as_str() == call
        };
        let mut members = line.members.iter().enumerate();
        members.find(is_he).ok_or_else(|| self.gone())
    }

    fn queue_shown(&self, line: &Line) -> Value {
        let own = |below: &str| self.uri(&format!("Queues/{}{below}", line.sid));
        json!({
            "account_sid": self.account.sid.as_str(),
            "average_wait_time": line.average_wait,
            "current_size": line.members.len(),
            "date_created": null,
            "date_updated": null,
            "friendly_name": line.name,
            "max_size": null,
            "sid": line.sid.as_str(),
            "subresource_uris": {"members": own("/Members")},
            "uri": own(""),
        })
    }

    fn member_shown(&self, line: &Line, place: usize, member: &Member) -> Value {
        let call = sid_of(&member.call);
        let waited = self.sources.live.now().since(member.since).as_secs();
        json!({
            "call_sid": call.as_str(),
            "date_enqueued": written(member.since),
            "position": place + 1,
            "queue_sid": line.sid.as_str(),
            "uri": self.uri(&format!("Queues/{}/Members/{call}", line.sid)),
            "wait_time": waited,
        })
    }
}

fn sid_of(call: &CallId) -> Sid {
    Sid::derive(SidKind::Call, call.as_str())
}
