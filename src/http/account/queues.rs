//! `Queues` and their `Members`: the lines in which calls stand.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::fault::{Fault, code};
use super::page::{Page, Wanted};
use super::parameters::wrong;
use super::{Asked, shown, written};
use crate::base::{CallId, Timestamp};
use crate::call::ControlError;
use crate::http::answer::answer;
use crate::router::{QueueView, RouterView};
use crate::twiml::{Modification, Sid, SidKind};

/// A line, first caller first.
struct Line {
    sid: Sid,
    name: String,
    made: Option<Timestamp>,
    /// Most members, of one that a program made.
    max_size: Option<u32>,
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
        let all = self.lines();
        let all = all.iter().map(|line| self.queue_shown(line));
        let page = Page::of_few(all.collect(), &wanted);
        Ok(page.answer("queues", &self.uri("Queues"), &wanted, &self.said))
    }

    /// Makes a queue that has no agents: whoever stands in it is dialled or dequeued.
    pub(super) fn create_queue(&self) -> Result<Response, Fault> {
        let name = self.said.get("FriendlyName").unwrap_or_default();
        if !(1..=64).contains(&name.chars().count()) {
            return Err(wrong("FriendlyName", "a name of 1 to 64 characters"));
        }
        if self.lines().iter().any(|line| line.name == name) {
            let words = format!("There is a queue {name}");
            return Err(Fault::bad(code::PARAMETER, words));
        }
        let max_size = self.max_size()?.unwrap_or(USUAL_SIZE);
        self.make_queue(name, max_size)?;
        let made = self.line(Sid::derive(SidKind::Queue, name).as_str())?;
        Ok(answer(StatusCode::CREATED, &self.queue_shown(&made)))
    }

    /// Sets how many may stand in a queue that a program made.
    pub(super) fn modify_queue(&self, sid: &str) -> Result<Response, Fault> {
        let line = self.line(sid)?;
        if line.max_size.is_none() {
            let words = "This queue is one of the configuration";
            return Err(Fault::bad(code::STATE, words));
        }
        if self
            .said
            .get("FriendlyName")
            .is_some_and(|name| name != line.name)
        {
            return Err(Fault::bad(code::STATE, "A queue keeps its name"));
        }
        if let Some(max_size) = self.max_size()? {
            self.make_queue(&line.name, max_size)?;
        }
        Ok(shown(&self.queue_shown(&self.line(sid)?)))
    }

    /// Takes a queue away that a program made, when nobody stands in it.
    pub(super) fn delete_queue(&self, sid: &str) -> Result<Response, Fault> {
        let line = self.line(sid)?;
        match self.sources.live.remove_line(&line.name) {
            true => Ok(StatusCode::NO_CONTENT.into_response()),
            false => {
                let words = "Somebody stands in this queue, or it is one of the configuration";
                Err(Fault::bad(code::PARAMETER, words))
            }
        }
    }

    fn max_size(&self) -> Result<Option<u32>, Fault> {
        match self.said.get("MaxSize").map(str::parse) {
            None => Ok(None),
            Some(Ok(size)) if (1..=5_000).contains(&size) => Ok(Some(size)),
            Some(_) => Err(wrong("MaxSize", "a number from 1 to 5000")),
        }
    }

    fn make_queue(&self, name: &str, max_size: u32) -> Result<(), Fault> {
        let made = self.sources.live.make_line(name, max_size);
        made.map_err(|error| Fault::unavailable(error.to_string()))
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

    /// Queues of the configuration, and then those that programs made.
    fn lines(&self) -> Vec<Line> {
        let router = self.sources.live.router();
        let queues = router.queues.iter();
        let mut lines: Vec<Line> = queues.map(|queue| self.line_of(&router, queue)).collect();
        lines.extend(self.sources.live.lines().into_iter().map(|line| {
            let members = line.members.into_iter();
            let members: Vec<Member> = members
                .map(|(call, since)| Member { call, since })
                .collect();
            Line {
                average_wait: self.average_wait(&members),
                sid: line.sid,
                name: line.name,
                made: Some(line.made),
                max_size: Some(line.max_size),
                members,
            }
        }));
        lines
    }

    fn line(&self, sid: &str) -> Result<Line, Fault> {
        let mut lines = self.lines().into_iter();
        lines
            .find(|line| line.sid.as_str() == sid)
            .ok_or_else(|| self.gone())
    }

    /// How long those have waited who stand in a line.
    fn average_wait(&self, members: &[Member]) -> u64 {
        let now = self.sources.live.now();
        let sum: u64 = members
            .iter()
            .map(|one| now.since(one.since).as_secs())
            .sum();
        sum.checked_div(members.len() as u64).unwrap_or(0)
    }

    fn line_of(&self, router: &RouterView, queue: &QueueView) -> Line {
        let mut standing: Vec<_> = router
            .tasks
            .iter()
            .filter(|task| task.queue == queue.name && task.position.is_some())
            .filter_map(|task| Some((task.position?, task.call.clone()?, task.entered)))
            .collect();
        standing.sort_by_key(|(position, ..)| *position);
        let members = standing.into_iter();
        let members: Vec<Member> = members
            .map(|(_, call, since)| Member { call, since })
            .collect();
        Line {
            sid: Sid::derive(SidKind::Queue, &queue.name),
            name: queue.name.clone(),
            made: None,
            max_size: None,
            average_wait: self.average_wait(&members),
            members,
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
            "date_created": line.made.map(written),
            "date_updated": line.made.map(written),
            "friendly_name": line.name,
            "max_size": line.max_size,
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

/// Members of a queue that nothing is said of.
const USUAL_SIZE: u32 = 1_000;
