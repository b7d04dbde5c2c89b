//! Who hears whom: the plan of a room, pure.
//!
//! Two ordinary members of one format hear each other packet by packet, as long as neither hears
//! anybody else; everybody else hears the mix. What is played to a member alone comes first.
//! Everybody in the mix hears the same but for itself and for the few [`Deviation`]s of its class.

use serde::{Deserialize, Serialize};

use super::mixer::Gain;
use super::{Codec, Rate};
use crate::base::LegId;

/// What the plan must know of one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    /// Leg.
    pub(crate) leg: LegId,
    /// Codec and packet length in ms; `None` before negotiation.
    pub(crate) format: Option<(Codec, u32)>,
    /// What is given to the member instead of the room.
    pub(crate) own: Option<Own>,
    /// Its part in the room.
    pub(crate) standing: Standing,
    /// Whether it is out of the conversation for a while: it hears music (its `own`) or nothing,
    /// and nobody hears it.
    pub(crate) is_held: bool,
}

/// What signalling says of a member's part in its room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Standing {
    /// Whom it hears and who hears it, as a rule.
    pub role: Role,
    /// Nobody hears it.
    pub muted: bool,
    /// Only this one hears it for the time being; an ordinary member's.
    pub whispers_to: Option<LegId>,
}

/// The part of a member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Hears everybody, and is heard only by whom it coaches.
    Coach(LegId),
    /// Hears everybody, and is heard by nobody.
    Listener,
    /// Hears everybody and is heard by everybody.
    #[default]
    Normal,
}

/// How loud one member is for another. Routes turn down, up or off who is heard by its role; they
/// never open an ear that the roles close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    /// Who speaks.
    pub(crate) from: LegId,
    /// Who hears it so.
    pub(crate) to: LegId,
    /// How loud.
    pub(crate) gain: Gain,
    /// How loud it was at the last tick: the next one leads from there.
    pub(crate) before: Gain,
}

/// Something a member hears alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Own {
    /// Its own voice.
    Echo,
    /// Music on hold.
    Music,
    /// A play.
    Play,
}

/// What a member hears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Hears {
    /// The room without itself, made at the tick.
    Mix,
    /// Nothing is sent.
    #[default]
    Nothing,
    /// Something of its own.
    Own(Own),
    /// The other member's packets as they come.
    Relay,
}

/// Who hears a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Nobody.
    Nobody,
    /// One member, if it is there.
    One(LegId),
    /// Everybody.
    Room,
}

/// The plan for one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// What it hears.
    pub(crate) hears: Hears,
    /// Its class among those who hear the mix, a place in [`Plan::classes`]; those of one class
    /// hear the same, but for their own voices. Stays the same as long as its deviations do.
    pub(crate) class: usize,
    /// The place of the member that hears its packets as they come.
    pub(crate) relay_to: Option<usize>,
    /// Who hears it.
    pub(crate) audience: Audience,
    /// Whether anybody hears it in a mix.
    pub(crate) feeds_mix: bool,
}

/// One whom a class hears otherwise than the common mix has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Deviation {
    /// Who speaks.
    pub(crate) leg: LegId,
    /// Its place among the members.
    pub(crate) speaker: usize,
    /// How loud it is heard: in place of 0 dB when everybody hears it, else in addition.
    pub(crate) gain: Gain,
    /// How loud it was heard at the last tick.
    pub(crate) before: Gain,
}

/// Who hears whom in one room. Remembers its classes from drawing to drawing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    rate: Rate,
    is_crowd: bool,
    lines: Vec<Line>,
    /// The first is that of the common mix and has no deviations; unused ones are empty too.
    classes: Vec<Vec<Deviation>>,
    /// Listener and deviation, while drawing.
    deviations: Vec<(usize, Deviation)>,
}

/// Routes of one room at most; more are refused.
pub(crate) const MAX_ROUTES: usize = 256;

impl Route {
    /// How loud it was, and is from now on.
    fn gains(&self) -> (Gain, Gain) {
        (self.before, self.gain)
    }
}

impl Member {
    /// Who hears it.
    pub(crate) fn audience(&self) -> Audience {
        let standing = &self.standing;
        match (standing.role, standing.whispers_to) {
            _ if standing.muted || self.is_held => Audience::Nobody,
            (Role::Listener, _) => Audience::Nobody,
            (Role::Coach(whom), _) => Audience::One(whom),
            (Role::Normal, Some(whom)) => Audience::One(whom),
            (Role::Normal, None) => Audience::Room,
        }
    }

    /// Whether it hears the room at all.
    fn hears_room(&self) -> bool {
        self.format.is_some() && self.own.is_none() && !self.is_held
    }
}

impl Plan {
    /// Draws the plan anew: who joined, left, changed codec, role or routes, or is played to.
    /// While something is announced to the room, nobody is relayed.
    pub(crate) fn draw(&mut self, members: &[Member], routes: &[Route], is_announced: bool) {
        self.rate = room_rate(members);
        let normal = |member: &&Member| member.standing.role == Role::Normal;
        self.is_crowd = members.iter().filter(normal).count() > 2;
        self.find_deviations(members, routes);
        self.lines.clear();
        self.lines.extend(members.iter().map(|member| Line {
            hears: match (member.format, member.own) {
                (None, _) => Hears::Nothing,
                (_, Some(own)) => Hears::Own(own),
                _ if member.is_held => Hears::Nothing,
                _ => Hears::Mix,
            },
            class: 0,
            relay_to: None,
            audience: member.audience(),
            feeds_mix: false,
        }));
        self.classify();
        if !is_announced {
            self.relay(members);
        }
        self.feed(members);
    }

    /// The rate the room is mixed at: the highest that two members have, so that what one of them
    /// says another can hear.
    pub(crate) fn rate(&self) -> Rate {
        self.rate
    }

    /// The plan of each member.
    pub(crate) fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Deviations of a class; none of class 0, of members who hear what everybody hears.
    pub(crate) fn class(&self, class: usize) -> &[Deviation] {
        self.classes.get(class).map_or(&[], Vec::as_slice)
    }

    /// Whether anybody hears the mix.
    pub(crate) fn mixes(&self) -> bool {
        self.lines.iter().any(|line| line.hears == Hears::Mix)
    }

    /// Whether more than two talk who are not there to supervise.
    pub(crate) fn is_crowd(&self) -> bool {
        self.is_crowd
    }

    /// Who is heard by one otherwise than by everybody: whisperers, coaches, routes.
    fn find_deviations(&mut self, members: &[Member], routes: &[Route]) {
        self.deviations.clear();
        let place = |leg| members.iter().position(|member| member.leg == leg);
        let gains = |from, to| {
            let route = routes
                .iter()
                .find(|route| (route.from, route.to) == (from, to));
            route.map_or((Gain::UNITY, Gain::UNITY), Route::gains)
        };
        for (speaker, member) in members.iter().enumerate() {
            let Audience::One(whom) = member.audience() else {
                continue;
            };
            let gains = gains(member.leg, whom);
            let listener = place(whom).filter(|listener| *listener != speaker);
            if let Some(listener) = listener.filter(|_| gains != (Gain::SILENT, Gain::SILENT)) {
                self.deviate(members, listener, speaker, gains);
            }
        }
        let is_even = |route: &&Route| route.gains() == (Gain::UNITY, Gain::UNITY);
        for route in routes.iter().filter(|route| !is_even(route)) {
            let (Some(speaker), Some(listener)) = (place(route.from), place(route.to)) else {
                continue;
            };
            if speaker != listener && members[speaker].audience() == Audience::Room {
                self.deviate(members, listener, speaker, route.gains());
            }
        }
        // One who routes twice is heard as the first says.
        self.deviations
            .sort_by_key(|(listener, deviation)| (*listener, deviation.leg));
        self.deviations
            .dedup_by_key(|(listener, deviation)| (*listener, deviation.leg));
    }

    fn deviate(
        &mut self,
        members: &[Member],
        listener: usize,
        speaker: usize,
        (before, gain): (Gain, Gain),
    ) {
        if members[listener].hears_room() {
            let leg = members[speaker].leg;
            let deviation = Deviation {
                leg,
                speaker,
                gain,
                before,
            };
            self.deviations.push((listener, deviation));
        }
    }

    /// Gives listeners of the same deviations the same class, the one they had before if they had.
    fn classify(&mut self) {
        let same = |class: &[Deviation], group: &[(usize, Deviation)]| {
            class.len() == group.len()
                && class
                    .iter()
                    .zip(group)
                    .all(|(a, (_, b))| (a.leg, a.gain, a.before) == (b.leg, b.gain, b.before))
        };
        let groups = || self.deviations.chunk_by(|a, b| a.0 == b.0);
        if self.classes.is_empty() {
            self.classes.push(Vec::new());
        }
        for class in self.classes.iter_mut().skip(1) {
            match groups().find(|group| same(class, group)) {
                // The members may have moved.
                Some(group) => class.iter_mut().zip(group).for_each(|(a, (_, b))| *a = *b),
                None => class.clear(),
            }
        }
        for group in groups() {
            let known = self
                .classes
                .iter()
                .skip(1)
                .position(|class| same(class, group));
            let class = known.map_or_else(
                || {
                    let unused = self.classes.iter().skip(1).position(Vec::is_empty);
                    unused.map_or(self.classes.len(), |class| class + 1)
                },
                |class| class + 1,
            );
            if class == self.classes.len() {
                self.classes.push(Vec::new());
            }
            if known.is_none() {
                let deviations = group.iter().map(|(_, deviation)| *deviation);
                self.classes[class].extend(deviations);
            }
            self.lines[group[0].0].class = class;
        }
        while self.classes.len() > 1 && self.classes.last().is_some_and(Vec::is_empty) {
            self.classes.pop();
        }
    }

    /// Lets two ordinary members hear each other's packets, each if it hears nobody but the other.
    fn relay(&mut self, members: &[Member]) {
        let is_normal = |place: &usize| members[*place].standing.role == Role::Normal;
        let mut normal = (0..members.len()).filter(is_normal);
        let (Some(a), Some(b), None) = (normal.next(), normal.next(), normal.next()) else {
            return;
        };
        if members[a].format != members[b].format {
            return;
        }
        for (speaker, listener) in [(a, b), (b, a)] {
            let line = self.lines[listener];
            let hears_only_it = match (self.lines[speaker].audience, self.class(line.class)) {
                (Audience::Room, []) => true,
                (Audience::One(_), [one]) => {
                    one.speaker == speaker && (one.before, one.gain) == (Gain::UNITY, Gain::UNITY)
                }
                _ => false,
            };
            if line.hears == Hears::Mix && hears_only_it {
                self.lines[listener].hears = Hears::Relay;
                self.lines[speaker].relay_to = Some(listener);
            }
        }
    }

    /// Marks whose voices a mix needs.
    fn feed(&mut self, members: &[Member]) {
        let listens = |line: &Line| line.hears == Hears::Mix;
        let listeners = self.lines.iter().filter(|line| listens(line)).count();
        for place in 0..self.lines.len() {
            let line = self.lines[place];
            self.lines[place].feeds_mix = members[place].format.is_some()
                && match line.audience {
                    Audience::Nobody => false,
                    Audience::One(whom) => self.deviations.iter().any(|(listener, deviation)| {
                        members[*listener].leg == whom
                            && deviation.speaker == place
                            && listens(&self.lines[*listener])
                    }),
                    Audience::Room => listeners > usize::from(listens(&line)),
                };
        }
    }
}

/// The second highest of the members' rates; 8 kHz for fewer than two.
fn room_rate(members: &[Member]) -> Rate {
    let (mut highest, mut second) = (Rate::Narrow, Rate::Narrow);
    for (codec, _) in members.iter().filter_map(|member| member.format) {
        let rate = codec.rate();
        if rate > highest {
            (highest, second) = (rate, highest);
        } else {
            second = second.max(rate);
        }
    }
    second
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FORMAT: Option<(Codec, u32)> = Some((Codec::Pcmu, 20));

    fn member(leg: u64) -> Member {
        Member {
            leg: LegId(leg),
            format: FORMAT,
            own: None,
            standing: Standing::default(),
            is_held: false,
        }
    }

    fn drawn(members: &[Member], routes: &[Route]) -> Plan {
        let mut plan = Plan::default();
        plan.draw(members, routes, false);
        plan
    }

    fn heard(members: &[Member]) -> Vec<Hears> {
        let plan = drawn(members, &[]);
        plan.lines.iter().map(|line| line.hears).collect()
    }

    /// How loud a listener hears a speaker by the plan, when both send and receive.
    fn planned(plan: &Plan, speaker: usize, listener: usize) -> Option<Gain> {
        let (says, line) = (plan.lines[speaker], plan.lines[listener]);
        if speaker == listener {
            return None;
        }
        match line.hears {
            Hears::Nothing | Hears::Own(_) => None,
            Hears::Relay => (says.relay_to == Some(listener)).then_some(Gain::UNITY),
            Hears::Mix if !says.feeds_mix => None,
            Hears::Mix => {
                let mut deviations = plan.class(line.class).iter();
                let deviation = deviations.find(|deviation| deviation.speaker == speaker);
                let gain = match (deviation, says.audience) {
                    (Some(deviation), _) => deviation.gain,
                    (None, Audience::Room) => Gain::UNITY,
                    (None, _) => Gain::SILENT,
                };
                (gain != Gain::SILENT).then_some(gain)
            }
        }
    }

    /// The matrix the roles demand, in words of its own.
    fn demanded(
        members: &[Member],
        routes: &[Route],
        speaker: usize,
        listener: usize,
    ) -> Option<Gain> {
        let (says, hears) = (&members[speaker], &members[listener]);
        let route = |route: &&Route| route.from == says.leg && route.to == hears.leg;
        let gain = routes
            .iter()
            .find(route)
            .map_or(Gain::UNITY, |route| route.gain);
        let is_deaf = hears.format.is_none() || hears.own.is_some() || hears.is_held;
        let is_dumb = says.format.is_none()
            || says.standing.muted
            || says.is_held
            || says.standing.role == Role::Listener;
        let is_meant = match says.standing.role {
            Role::Coach(whom) => whom == hears.leg,
            _ => says
                .standing
                .whispers_to
                .is_none_or(|whom| whom == hears.leg),
        };
        let hears = speaker != listener && !is_deaf && !is_dumb && is_meant;
        (hears && gain != Gain::SILENT).then_some(gain)
    }

    fn check(plan: &Plan, members: &[Member], routes: &[Route]) {
        for listener in 0..members.len() {
            for speaker in 0..members.len() {
                assert_eq!(
                    planned(plan, speaker, listener),
                    demanded(members, routes, speaker, listener),
                    "{speaker} heard by {listener} of {members:#?} {routes:?}: {plan:#?}"
                );
            }
        }
    }

    #[test]
    fn two_of_one_format_are_relayed_and_three_are_mixed() {
        let [a, b, c] = [1, 2, 3].map(member);
        assert_eq!(heard(&[a, b]), [Hears::Relay; 2]);
        assert_eq!(heard(&[a, b, c]), [Hears::Mix; 3]);
        assert_eq!(heard(&[a]), [Hears::Mix]);
    }

    #[test]
    fn different_codecs_or_packet_lengths_are_mixed() {
        for format in [(Codec::Pcma, 20), (Codec::Pcmu, 30)] {
            let other = Member {
                format: Some(format),
                ..member(2)
            };
            assert_eq!(heard(&[member(1), other]), [Hears::Mix; 2]);
        }
    }

    #[test]
    fn what_is_played_to_one_leaves_the_other_relayed() {
        let played = Member {
            own: Some(Own::Play),
            ..member(1)
        };
        let expected = [Hears::Own(Own::Play), Hears::Relay];
        assert_eq!(heard(&[played, member(2)]), expected);
    }

    #[test]
    fn one_on_hold_hears_music_and_is_heard_by_nobody() {
        let held = Member {
            own: Some(Own::Music),
            is_held: true,
            ..member(1)
        };
        let members = [held, member(2)];
        let plan = drawn(&members, &[]);
        check(&plan, &members, &[]);
        assert_eq!(heard(&members), [Hears::Own(Own::Music), Hears::Mix]);
        assert!(!plan.lines[0].feeds_mix);
        // The two who are left talk to each other, packet by packet or not.
        let members = [held, member(2), member(3)];
        check(&drawn(&members, &[]), &members, &[]);
    }

    #[test]
    fn a_member_without_a_flow_hears_nothing() {
        let silent = Member {
            format: None,
            own: Some(Own::Play),
            ..member(1)
        };
        assert_eq!(heard(&[silent, member(2)]), [Hears::Nothing, Hears::Mix]);
    }

    #[test]
    fn a_caller_notices_neither_monitor_nor_coach() {
        let [caller, agent, third] = [1, 2, 3].map(member);
        let as_role = |role| Member {
            standing: Standing {
                role,
                ..Standing::default()
            },
            ..third
        };
        let monitor = as_role(Role::Listener);
        let expected = [Hears::Relay, Hears::Relay, Hears::Mix];
        assert_eq!(heard(&[caller, agent, monitor]), expected);
        let coach = as_role(Role::Coach(agent.leg));
        let members = [caller, agent, coach];
        assert_eq!(heard(&members), [Hears::Relay, Hears::Mix, Hears::Mix]);
        let plan = drawn(&members, &[]);
        check(&plan, &members, &[]);
        assert_eq!(plan.class(plan.lines[1].class)[0].leg, coach.leg);
        // Barge: an ordinary member.
        assert_eq!(heard(&[caller, agent, third]), [Hears::Mix; 3]);
    }

    #[test]
    fn an_announcement_reaches_two_who_were_relayed() {
        let mut plan = Plan::default();
        plan.draw(&[member(1), member(2)], &[], true);
        assert!(plan.lines.iter().all(|line| line.hears == Hears::Mix));
        assert!(plan.mixes());
    }

    #[test]
    fn listeners_who_hear_the_same_are_of_one_class_that_keeps_its_number() {
        let mut members: Vec<Member> = (0..10).map(member).collect();
        let gain = Gain::from_db(-6.0);
        let (from, to) = (LegId(0), LegId);
        let mut routes: Vec<Route> = (4..8)
            .map(|n| Route {
                from,
                to: to(n),
                gain,
                before: gain,
            })
            .collect();
        let silent = Gain::SILENT;
        let first = Route {
            from,
            to: to(1),
            gain: silent,
            before: silent,
        };
        routes.insert(0, first);
        let mut plan = drawn(&members, &routes);
        let classes = |plan: &Plan| plan.lines.iter().map(|line| line.class).collect::<Vec<_>>();
        assert_eq!(classes(&plan), [0, 1, 0, 0, 2, 2, 2, 2, 0, 0]);
        members.remove(1);
        plan.draw(&members, &routes, false);
        check(&plan, &members, &routes);
        assert_eq!(classes(&plan), [0, 0, 0, 2, 2, 2, 2, 0, 0]);
        assert_eq!((plan.class(1), plan.class(2).len()), (&[][..], 1));
        plan.draw(&members, &[], false);
        assert_eq!((classes(&plan), plan.classes.len()), (vec![0; 9], 1));
    }

    #[test]
    fn two_thousand_are_planned_and_the_muted_need_no_decoding() {
        let mut members: Vec<Member> = (0..2000).map(member).collect();
        for muted in &mut members[10..] {
            muted.standing.muted = true;
        }
        let plan = drawn(&members, &[]);
        let feeding = plan.lines.iter().filter(|line| line.feeds_mix).count();
        assert_eq!((feeding, plan.classes.len()), (10, 1));
        for place in [0, 9, 10, 1999] {
            for other in 0..2000 {
                let demanded = demanded(&members, &[], place, other);
                assert_eq!(planned(&plan, place, other), demanded);
            }
        }
    }

    /// One change to a room.
    #[derive(Clone, Debug)]
    enum Change {
        Announce(bool),
        Format(u64, Option<(Codec, u32)>),
        Hold(u64, bool),
        Join(u64),
        Leave(u64),
        Mute(u64, bool),
        Play(u64, Option<Own>),
        Role(u64, Role),
        Route(u64, u64, f32),
        Whisper(u64, Option<u64>),
    }

    fn change() -> impl Strategy<Value = Change> {
        let leg = || 0u64..8;
        let role = prop_oneof![
            Just(Role::Normal),
            Just(Role::Listener),
            leg().prop_map(|leg| Role::Coach(LegId(leg)))
        ];
        let format = prop::option::of((prop::sample::select(&Codec::ALL[..]), Just(20u32)));
        let own = prop::option::of(prop::sample::select(&[Own::Echo, Own::Play][..]));
        prop_oneof![
            1 => any::<bool>().prop_map(Change::Announce),
            1 => (leg(), format).prop_map(|(leg, format)| Change::Format(leg, format)),
            1 => (leg(), any::<bool>()).prop_map(|(leg, on)| Change::Hold(leg, on)),
            3 => leg().prop_map(Change::Join),
            2 => leg().prop_map(Change::Leave),
            1 => (leg(), any::<bool>()).prop_map(|(leg, on)| Change::Mute(leg, on)),
            1 => (leg(), own).prop_map(|(leg, own)| Change::Play(leg, own)),
            2 => (leg(), role).prop_map(|(leg, role)| Change::Role(leg, role)),
            2 => (leg(), leg(), prop::sample::select(&[f32::NEG_INFINITY, -6.0, 0.0, 6.0][..]))
                .prop_map(|(from, to, db)| Change::Route(from, to, db)),
            1 => (leg(), prop::option::of(leg())).prop_map(|(leg, to)| Change::Whisper(leg, to)),
        ]
    }

    proptest! {
        #[test]
        fn who_hears_whom_is_what_the_roles_demand(
            changes in prop::collection::vec(change(), 1..60)
        ) {
            let (mut members, mut routes) = (Vec::<Member>::new(), Vec::<Route>::new());
            let (mut plan, mut is_announced) = (Plan::default(), false);
            for change in changes {
                let mut with = |leg, change: &dyn Fn(&mut Member)| {
                    members.iter_mut().filter(|member| member.leg == LegId(leg)).for_each(change);
                };
                match change {
                    Change::Announce(on) => is_announced = on,
                    Change::Format(leg, format) => with(leg, &|member| member.format = format),
                    Change::Hold(leg, on) => with(leg, &|member| {
                        member.is_held = on;
                        member.own = on.then_some(Own::Music);
                    }),
                    Change::Join(leg) => {
                        if members.iter().all(|member| member.leg != LegId(leg)) {
                            members.push(member(leg));
                        }
                    }
                    Change::Leave(leg) => members.retain(|member| member.leg != LegId(leg)),
                    Change::Mute(leg, on) => with(leg, &|member| member.standing.muted = on),
                    Change::Play(leg, own) => with(leg, &|member| member.own = own),
                    Change::Role(leg, role) => with(leg, &|member| member.standing.role = role),
                    Change::Route(from, to, db) => {
                        let (from, to, gain) = (LegId(from), LegId(to), Gain::from_db(db));
                        let known = routes.iter().position(|route| (route.from, route.to) == (from, to));
                        let before = known.map_or(Gain::UNITY, |known| routes.remove(known).gain);
                        routes.push(Route { from, to, gain, before });
                    }
                    Change::Whisper(leg, to) => {
                        with(leg, &|member| member.standing.whispers_to = to.map(LegId));
                    }
                }
                plan.draw(&members, &routes, is_announced);
                check(&plan, &members, &routes);
                let relays = plan.lines.iter().any(|line| line.hears == Hears::Relay);
                prop_assert!(!(relays && is_announced));
                prop_assert!(plan.classes.len() <= 8 + 1, "as many as there ever were members");
            }
        }
    }
}
