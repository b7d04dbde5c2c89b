//! Callers of a queue whom other calls take by the reservations of their tasks: who takes whom, and
//! whether they have met. Shared by the shards beside the lines; tells nobody: whoever changes
//! something does.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::{CallId, ReservationId, RoomId};
use crate::router::RouterView;
use crate::twiml::{Link, Sid, SidKind};

/// The claims of a node, by reservation. As many as there are calls that claim, one each.
#[derive(Debug, Default)]
pub(super) struct Claims {
    claims: BTreeMap<ReservationId, Standing>,
}

/// A caller whom a call takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claim {
    /// What it is claimed by.
    pub(crate) reservation: ReservationId,
    /// The call that claims.
    pub(crate) by: CallId,
    /// The call of the caller.
    pub(crate) caller: CallId,
    /// Where both will hear each other.
    pub(crate) room: RoomId,
    /// What the caller hears before.
    pub(crate) whisper: Option<Link>,
    /// The activity the worker goes to when he has nothing left in hand.
    pub(crate) post_work: Option<String>,
}

/// How far a claim is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Claimed {
    /// The caller's call has not said anything yet.
    Made,
    /// The reservation is being accepted, or was; the caller may hear something before.
    Granted,
    /// Both hear each other.
    Met,
}

/// Which of the two calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Caller,
    Taker,
}

#[derive(Debug)]
struct Standing {
    claim: Claim,
    course: Claimed,
    has_caller: bool,
    has_taker: bool,
}

/// A reservation that is open, of a caller in a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) reservation: ReservationId,
    /// The call of the caller.
    pub(crate) caller: CallId,
    pub(crate) queue: String,
}

/// Why nobody can be taken by a reservation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotOpen {
    #[error("it was accepted before")]
    Accepted,
    #[error("its caller stands in \"{0}\"")]
    Elsewhere(String),
    #[error("its task stands for no call")]
    NoCall,
    /// Or the view is older than it.
    #[error("there is none, or it is over")]
    Unknown,
}

impl Open {
    /// The reservation that a document names by its SID, or by our own id. An empty `queue` is
    /// whichever it is.
    pub(super) fn find(view: &RouterView, named: &str, queue: &str) -> Result<Self, NotOpen> {
        let is_it = |id: &ReservationId| {
            id.as_str() == named || Sid::derive(SidKind::Reservation, id.as_str()).as_str() == named
        };
        let found = view.tasks.iter().find_map(|task| {
            let mut offers = task.reservations.iter();
            let offer = offers.find(|offer| is_it(&offer.reservation))?;
            Some((task, offer))
        });
        let (task, offer) = found.ok_or(NotOpen::Unknown)?;
        if task.assigned || task.wrapping {
            return Err(NotOpen::Accepted);
        }
        let caller = task.call.clone().ok_or(NotOpen::NoCall)?;
        if !queue.is_empty() && queue != task.queue {
            return Err(NotOpen::Elsewhere(task.queue.clone()));
        }
        Ok(Self {
            reservation: offer.reservation.clone(),
            caller,
            queue: task.queue.clone(),
        })
    }
}

impl Claims {
    /// A call claims a caller; false when another does already.
    pub(super) fn make(&mut self, claim: Claim) -> bool {
        let is_free = !self.claims.contains_key(&claim.reservation);
        if is_free {
            let standing = Standing {
                claim: claim.clone(),
                course: Claimed::Made,
                has_caller: true,
                has_taker: true,
            };
            self.claims.insert(claim.reservation, standing);
        }
        is_free
    }

    /// The claim after the process started anew: from whichever of the two calls is there again.
    pub(super) fn make_again(&mut self, claim: Claim, course: Claimed, side: Side) {
        let known = self.claims.entry(claim.reservation.clone());
        let known = known.or_insert_with(|| Standing {
            claim,
            course,
            has_caller: false,
            has_taker: false,
        });
        // Of two who remember it differently one was frozen before the other.
        known.course = known.course.max(course);
        match side {
            Side::Caller => known.has_caller = true,
            Side::Taker => known.has_taker = true,
        }
    }

    /// The claim on a caller that nothing was said to yet.
    pub(super) fn on_caller(&self, caller: &CallId) -> Option<&Claim> {
        let mut claims = self.claims.values();
        let made = claims.find(|one| one.claim.caller == *caller && one.course == Claimed::Made);
        made.map(|one| &one.claim)
    }

    /// How far a claim is, for one of its calls; `None` when it is over, or the other call is gone.
    pub(super) fn course(&self, claim: &Claim, side: Side) -> Option<Claimed> {
        let known = self.claims.get(&claim.reservation)?;
        let has_other = match side {
            Side::Caller => known.has_taker,
            Side::Taker => known.has_caller,
        };
        (has_other && known.claim.by == claim.by).then_some(known.course)
    }

    /// A claim is further.
    pub(super) fn goes_on(&mut self, claim: &Claim, course: Claimed) {
        let known = self.claims.get_mut(&claim.reservation);
        if let Some(known) = known.filter(|known| known.claim.by == claim.by) {
            known.course = course;
        }
    }

    /// A claim is over.
    pub(super) fn end(&mut self, claim: &Claim) {
        let is_it = |known: &Standing| known.claim.by == claim.by;
        if self.claims.get(&claim.reservation).is_some_and(is_it) {
            self.claims.remove(&claim.reservation);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::router::{OfferView, TaskView};

    fn claim(by: &str) -> Claim {
        Claim {
            reservation: ReservationId::new("r1"),
            by: CallId::new(by),
            caller: CallId::new("caller"),
            room: RoomId(1),
            whisper: None,
            post_work: None,
        }
    }

    #[test]
    fn a_caller_is_claimed_once_at_a_time() {
        let mut claims = Claims::default();
        assert!(claims.make(claim("a")) && !claims.make(claim("b")));
        assert_eq!(
            claims.on_caller(&CallId::new("caller")).map(|it| &it.by),
            Some(&CallId::new("a"))
        );
        claims.end(&claim("b"));
        assert_eq!(
            claims.course(&claim("a"), Side::Taker),
            Some(Claimed::Made),
            "another's"
        );
        claims.goes_on(&claim("a"), Claimed::Granted);
        assert_eq!(claims.on_caller(&CallId::new("caller")), None);
        claims.end(&claim("a"));
        assert_eq!(claims.course(&claim("a"), Side::Caller), None);
        assert!(claims.make(claim("b")));
    }

    #[test]
    fn a_claim_holds_after_a_restart_when_both_are_there_again() {
        let mut claims = Claims::default();
        claims.make_again(claim("a"), Claimed::Granted, Side::Taker);
        assert_eq!(claims.course(&claim("a"), Side::Taker), None);
        claims.make_again(claim("a"), Claimed::Met, Side::Caller);
        for side in [Side::Taker, Side::Caller] {
            assert_eq!(claims.course(&claim("a"), side), Some(Claimed::Met));
        }
    }

    #[test]
    fn a_reservation_is_found_by_its_sid_while_it_is_open_and_its_task_a_call() {
        let id = ReservationId::new("r1");
        let sid = Sid::derive(SidKind::Reservation, "r1").to_string();
        let task: TaskView = serde_json::from_value(serde_json::json!({
            "task": "t1", "call": "caller", "queue": "sales", "channel": "voice",
            "workflow": null, "at": null, "attributes": {}, "priority": 0,
            "entered": crate::base::Timestamp::ZERO, "position": 1,
            "reservation": "r1", "worker": "ann", "assigned": false, "offers": 1,
        }))
        .expect("a task");
        let offer = OfferView {
            reservation: id.clone(),
            worker: "ann".to_owned(),
            until: None,
        };
        let open = TaskView {
            reservations: vec![offer],
            ..task
        };
        let view = |task: &TaskView| RouterView {
            tasks: vec![task.clone()],
            ..RouterView::default()
        };
        for (named, queue) in [(sid.as_str(), ""), ("r1", "sales")] {
            let found = Open::find(&view(&open), named, queue).expect("it is open");
            assert_eq!((&found.reservation, &*found.queue), (&id, "sales"));
            assert_eq!(found.caller, CallId::new("caller"));
        }
        let accepted = TaskView {
            assigned: true,
            ..open.clone()
        };
        let of_no_call = TaskView {
            call: None,
            ..open.clone()
        };
        for (task, named, queue, why) in [
            (&open, "r2", "", NotOpen::Unknown),
            (
                &open,
                "r1",
                "support",
                NotOpen::Elsewhere("sales".to_owned()),
            ),
            (&accepted, "r1", "", NotOpen::Accepted),
            (&of_no_call, "r1", "", NotOpen::NoCall),
        ] {
            assert_eq!(Open::find(&view(task), named, queue), Err(why));
        }
    }
}
