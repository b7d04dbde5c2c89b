//! The lines that documents make by standing callers in them: no agents, no plan. Whoever dials the
//! line takes the first. Shared by the shards; knows no media and no SIP, and tells nobody: whoever
//! changes something does.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::claims::Claims;
use crate::base::{CallId, RoomId, Timestamp};
use crate::twiml::{Link, Sid, SidKind, Standing};

/// The lines of a node, by name; shared by its shards.
#[derive(Debug, Default)]
pub struct Lines {
    lines: BTreeMap<String, Line>,
    /// Callers of queues, whom calls take by a reservation and not by their place.
    pub(super) claims: Claims,
}

#[derive(Debug)]
struct Line {
    made: Timestamp,
    max_size: u32,
    /// In the order they came; those who are taken are no longer in the line.
    members: Vec<Member>,
    /// Calls that take, or wait for somebody to take.
    takers: Vec<CallId>,
}

#[derive(Debug)]
struct Member {
    call: CallId,
    since: Timestamp,
    taken: Option<Taken>,
}

/// A caller was taken out of the line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Taken {
    /// The call that took him.
    pub(crate) by: CallId,
    /// Where both will hear each other.
    pub(crate) room: RoomId,
    /// What he hears before.
    pub(crate) whisper: Option<Link>,
    /// Whether he is there.
    pub(crate) has_come: bool,
}

/// Where a caller stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the line.
    Standing(Standing),
    /// With somebody, or on his way.
    Taken(Taken),
}

/// Why somebody has no place in a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPlace {
    /// As many as may be are in it.
    #[error("the line is full")]
    Full,
    /// As many lines as may be are there.
    #[error("there are too many lines")]
    Lines,
}

/// A line, for whoever lists them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineView {
    /// Its id for applications.
    pub sid: Sid,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub made: Timestamp,
    /// Most callers in it.
    pub max_size: u32,
    /// Who stands in it, and since when; the first is next.
    pub members: Vec<(CallId, Timestamp)>,
}

/// Most lines: empty ones make room for new ones.
const MOST_LINES: usize = 1_000;
/// Callers who hear at once that one left before them.
const MOST_ROUSED: usize = 20;
/// Callers in a line that nothing is said of.
pub(super) const USUAL_SIZE: u32 = 1_000;

impl Lines {
    /// All of them, by name.
    pub fn view(&self) -> Vec<LineView> {
        let view = |(name, line): (&String, &Line)| LineView {
            sid: sid(name),
            name: name.clone(),
            made: line.made,
            max_size: line.max_size,
            members: line
                .standing()
                .map(|member| (member.call.clone(), member.since))
                .collect(),
        };
        self.lines.iter().map(view).collect()
    }

    /// Makes a line, or sets how many may stand in one that is there.
    ///
    /// # Errors
    ///
    /// [`NoPlace::Lines`].
    pub fn make(&mut self, now: Timestamp, name: &str, max_size: u32) -> Result<(), NoPlace> {
        self.open(now, name, max_size)?.max_size = max_size;
        Ok(())
    }

    /// Takes an empty line away; false when somebody stands in it or it is not there.
    pub fn remove(&mut self, name: &str) -> bool {
        let is_idle = self.lines.get(name).is_some_and(Line::is_idle);
        is_idle && self.lines.remove(name).is_some()
    }

    /// Whether there is a line.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.lines.contains_key(name)
    }

    fn open(&mut self, now: Timestamp, name: &str, max_size: u32) -> Result<&mut Line, NoPlace> {
        if !self.lines.contains_key(name) && self.lines.len() >= MOST_LINES {
            let idle = self.lines.iter().find(|(_, line)| line.is_idle());
            let idle = idle.map(|(name, _)| name.clone());
            self.lines.remove(&idle.ok_or(NoPlace::Lines)?);
        }
        let line = self.lines.entry(name.to_owned()).or_insert_with(|| Line {
            made: now,
            max_size,
            members: Vec::new(),
            takers: Vec::new(),
        });
        Ok(line)
    }

    /// Stands a caller in a line, which is made when it is not there.
    pub(super) fn enter(
        &mut self,
        now: Timestamp,
        name: &str,
        call: &CallId,
        max_size: Option<u32>,
    ) -> Result<(), NoPlace> {
        let line = self.open(now, name, max_size.unwrap_or(USUAL_SIZE))?;
        if line.standing().count() >= line.max_size as usize {
            return Err(NoPlace::Full);
        }
        line.members.push(Member {
            call: call.clone(),
            since: now,
            taken: None,
        });
        Ok(())
    }

    /// One who stood in a line before the process started anew does so again, in his place.
    pub(super) fn enter_again(
        &mut self,
        name: &str,
        (call, since): (&CallId, Timestamp),
        max_size: u32,
        taken: Option<Taken>,
    ) {
        if let Ok(line) = self.open(since, name, max_size) {
            let place = line.members.partition_point(|member| member.since <= since);
            let call = call.clone();
            line.members.insert(place, Member { call, since, taken });
        }
    }

    /// A call wants somebody of a line.
    pub(super) fn wants(&mut self, name: &str, call: &CallId) {
        if let Some(line) = self.lines.get_mut(name)
            && !line.takers.contains(call)
        {
            line.takers.push(call.clone());
        }
    }

    /// The same after the process started anew, before anybody of the line may be there.
    pub(super) fn wants_again(&mut self, now: Timestamp, name: &str, call: &CallId) {
        if self.open(now, name, USUAL_SIZE).is_ok() {
            self.wants(name, call);
        }
    }

    /// Takes the first of a line, if there is one.
    pub(super) fn take(&mut self, name: &str, taken: impl FnOnce() -> Taken) -> Option<CallId> {
        let line = self.lines.get_mut(name)?;
        let member = line.members.iter_mut().find(|one| one.taken.is_none())?;
        member.taken = Some(taken());
        Some(member.call.clone())
    }

    /// A caller who was taken is in the room.
    pub(super) fn has_come(&mut self, name: &str, call: &CallId) {
        if let Some(taken) = self.taken_mut(name, call) {
            taken.has_come = true;
        }
    }

    fn taken_mut(&mut self, name: &str, call: &CallId) -> Option<&mut Taken> {
        let mut members = self.lines.get_mut(name)?.members.iter_mut();
        members.find(|one| one.call == *call)?.taken.as_mut()
    }

    /// Whether a caller whom a call took has come; `None` when he is gone.
    pub(super) fn is_there(&self, name: &str, call: &CallId, by: &CallId) -> Option<bool> {
        let mut members = self.lines.get(name)?.members.iter();
        let member = members.find(|one| one.call == *call)?;
        let taken = member.taken.as_ref().filter(|taken| taken.by == *by)?;
        Some(taken.has_come)
    }

    /// Where a caller stands; `None` when he does not, or whoever talked with him is gone.
    pub(super) fn place(&self, now: Timestamp, name: &str, call: &CallId) -> Option<Place> {
        let line = self.lines.get(name)?;
        let member = line.members.iter().find(|one| one.call == *call)?;
        if let Some(taken) = &member.taken {
            let lives = line.takers.contains(&taken.by);
            return lives.then(|| Place::Taken(taken.clone()));
        }
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let before = line.standing().take_while(|one| one.call != *call).count();
        let size = count(line.standing().count());
        let waits = line.standing().map(|one| now.since(one.since));
        let average = waits.sum::<Duration>().checked_div(size);
        Some(Place::Standing(Standing {
            queue: sid(name),
            position: count(before) + 1,
            size,
            max_size: line.max_size,
            average_wait: average.unwrap_or_default(),
        }))
    }

    /// A call has nothing to do with a line any more: it stood there, or wanted somebody, or talks
    /// with him. Who is to look.
    pub(super) fn leave(&mut self, name: &str, call: &CallId) -> Vec<CallId> {
        let Some(line) = self.lines.get_mut(name) else {
            return Vec::new();
        };
        let mut concerned = Vec::new();
        line.takers.retain(|taker| taker != call);
        let mut kept = Vec::new();
        for mut member in std::mem::take(&mut line.members) {
            let taken = member.taken.take();
            let is_by = taken.as_ref().is_some_and(|taken| taken.by == *call);
            match taken {
                Some(taken) if member.call == *call => concerned.push(taken.by),
                _ if member.call == *call => {}
                Some(taken) if is_by && taken.has_come => concerned.push(member.call),
                // He was on his way: he is the first again.
                Some(_) if is_by => {
                    concerned.push(member.call.clone());
                    kept.push(member);
                }
                taken => {
                    member.taken = taken;
                    kept.push(member);
                }
            }
        }
        line.members = kept;
        // Those behind look by themselves every few seconds: a place further is no matter of haste.
        let first = line.standing().take(MOST_ROUSED);
        concerned.extend(first.map(|member| member.call.clone()));
        concerned.extend(line.takers.iter().cloned());
        concerned
    }

    /// Who wants somebody of a line and has nobody, the longest first.
    pub(super) fn waiting_takers(&self, name: &str) -> Vec<CallId> {
        let Some(line) = self.lines.get(name) else {
            return Vec::new();
        };
        let has = |taker: &&CallId| {
            let taken = line.members.iter().filter_map(|one| one.taken.as_ref());
            !taken.into_iter().any(|taken| taken.by == **taker)
        };
        line.takers.iter().filter(has).cloned().collect()
    }
}

impl Line {
    fn standing(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.taken.is_none())
    }

    fn is_idle(&self) -> bool {
        self.members.is_empty() && self.takers.is_empty()
    }
}

fn sid(name: &str) -> Sid {
    Sid::derive(SidKind::Queue, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::ZERO;

    fn id(call: &str) -> CallId {
        CallId::new(call)
    }

    fn line(calls: &[&str]) -> Lines {
        let mut lines = Lines::default();
        for call in calls {
            lines.enter(NOW, "x", &id(call), Some(3)).expect("room");
        }
        lines
    }

    fn take(lines: &mut Lines, by: &str) -> Option<CallId> {
        lines.wants("x", &id(by));
        lines.take("x", || Taken {
            by: id(by),
            room: RoomId(1),
            whisper: None,
            has_come: false,
        })
    }

    fn position(lines: &Lines, call: &str) -> Option<u32> {
        match lines.place(NOW, "x", &id(call))? {
            Place::Standing(standing) => Some(standing.position),
            Place::Taken(_) => Some(0),
        }
    }

    #[test]
    fn the_first_to_come_is_the_first_to_be_taken() {
        let mut lines = line(&["a", "b", "c"]);
        assert_eq!(position(&lines, "c"), Some(3));
        assert_eq!(take(&mut lines, "d"), Some(id("a")));
        assert_eq!(
            (position(&lines, "a"), position(&lines, "c")),
            (Some(0), Some(2))
        );
        assert_eq!(lines.view()[0].members.len(), 2);
        assert_eq!(take(&mut lines, "e"), Some(id("b")));
        assert_eq!(take(&mut lines, "f"), Some(id("c")));
        assert_eq!(take(&mut lines, "g"), None);
        assert_eq!(lines.waiting_takers("x"), [id("g")]);
    }

    #[test]
    fn one_more_than_may_be_has_no_place() {
        let mut lines = line(&["a", "b", "c"]);
        let more = lines.enter(NOW, "x", &id("d"), Some(9));
        assert_eq!(
            more,
            Err(NoPlace::Full),
            "a line that is there keeps its size"
        );
        take(&mut lines, "e");
        assert_eq!(lines.enter(NOW, "x", &id("d"), None), Ok(()));
    }

    #[test]
    fn who_leaves_moves_the_others_up() {
        let mut lines = line(&["a", "b"]);
        assert_eq!(lines.leave("x", &id("a")), [id("b")]);
        assert_eq!(position(&lines, "b"), Some(1));
        assert_eq!(lines.leave("x", &id("b")), []);
        assert!(lines.remove("x") && !lines.knows("x"));
    }

    #[test]
    fn whoever_gives_up_before_they_meet_gives_the_caller_back() {
        let mut lines = line(&["a", "b"]);
        take(&mut lines, "d");
        assert!(lines.leave("x", &id("d")).contains(&id("a")));
        assert_eq!(position(&lines, "a"), Some(1));
        take(&mut lines, "e");
        lines.has_come("x", &id("a"));
        assert_eq!(lines.is_there("x", &id("a"), &id("e")), Some(true));
        assert!(lines.leave("x", &id("e")).contains(&id("a")));
        assert_eq!(position(&lines, "a"), None, "they have met: he is out");
    }

    #[test]
    fn a_caller_whose_other_party_died_is_out() {
        let mut lines = Lines::default();
        let taken = Taken {
            by: id("dead"),
            room: RoomId(1),
            whisper: None,
            has_come: true,
        };
        lines.enter_again("x", (&id("a"), NOW), 3, Some(taken));
        assert_eq!(position(&lines, "a"), None);
    }

    #[test]
    fn there_are_only_so_many_lines_and_empty_ones_make_room() {
        let mut lines = Lines::default();
        for number in 0..MOST_LINES {
            let name = number.to_string();
            lines.enter(NOW, &name, &id(&name), None).expect("room");
        }
        let one_more = lines.enter(NOW, "x", &id("x"), None);
        assert_eq!(one_more, Err(NoPlace::Lines));
        lines.leave("7", &id("7"));
        assert_eq!(lines.enter(NOW, "x", &id("x"), None), Ok(()));
        assert!(!lines.knows("7"));
    }
}
