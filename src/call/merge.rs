//! Two calls become one (RFC 5589 §7): whoever was consulted goes over into the older call, whose
//! record goes on; the younger one, the consultation, ends and says where it went on.

use super::CallKey;
use super::core::Core;
use super::exchange::Exchange;
use super::feature::{Stage, Target, Wish};
use super::hands::Hands;
use super::leg::{Leg, Progress};
use super::machine::Call;
use super::negotiate;
use super::refer::origin;
use crate::base::{Cause, LegId, Party, Timestamp};
use crate::events::{Fact, MediaSummary, Role, TransferKind};
use crate::sip::ua::ReferId;

impl Exchange {
    /// Carries an accepted attended transfer out.
    pub(super) fn join_calls(
        &mut self,
        now: Timestamp,
        (own, leaver, refer): (CallKey, LegId, ReferId),
        (other, consulting): (CallKey, LegId),
    ) {
        self.with_two(now, (own, other), |first, second, hands| {
            let session = first.core.leg(leaver).map(|leg| leg.session);
            let Some(session) = session else { return };
            if let Err(status) = join(first, second, hands, (leaver, refer), consulting) {
                hands.ua.notify(hands.now, session, refer, status);
            }
        });
    }
}

/// Joins what the one who leaves talks about in two calls. The status to tell when that cannot be.
fn join(
    own: &mut Call,
    other: &mut Call,
    hands: &mut Hands<'_>,
    (leaver, refer): (LegId, ReferId),
    consulting: LegId,
) -> Result<(), u16> {
    let session = own.core.leg(leaver).map(|leg| leg.session).ok_or(481_u16)?;
    match &other.stage {
        Stage::Talk(_) => {
            other.transferable(consulting)?;
            let consultation_is_older = other.core.record.started < own.core.record.started;
            // The notice goes first: BYE waits for its answer.
            hands.ua.notify(hands.now, session, refer, 200);
            if consultation_is_older {
                merge((other, consulting), (own, leaver), hands);
            } else {
                merge((own, leaver), (other, consulting), hands);
            }
            Ok(())
        }
        Stage::Dial(_) if other.core.is_lead(consulting) => {
            take_ringing(own, other, hands, (leaver, refer))
        }
        Stage::Service(_) | Stage::Treatment(_) | Stage::Waiting(_)
            if other.core.is_lead(consulting) =>
        {
            dial_again(own, other, hands, (leaver, refer))
        }
        _ => Err(403),
    }
}

/// Both are in conversation: what `gone` has left moves into `kept`.
fn merge(
    (kept, keeper): (&mut Call, LegId),
    (gone, leaver): (&mut Call, LegId),
    hands: &mut Hands<'_>,
) {
    let (Stage::Talk(talk), Stage::Talk(lost)) = (&mut kept.stage, &mut gone.stage) else {
        return;
    };
    let find = |core: &Core, leaver| {
        core.talking()
            .find(|leg| leg.id != leaver)
            .map(|leg| leg.id)
    };
    let (Some(stays), Some(moves)) = (find(&kept.core, keeper), find(&gone.core, leaver)) else {
        return;
    };
    let name = |core: &Core, leg| core.leg(leg).map_or_else(String::new, Leg::name);
    let requested = Fact::TransferRequested {
        kind: TransferKind::Attended,
        leg: keeper,
        by: name(&kept.core, keeper),
        party: name(&kept.core, stays),
        target: name(&gone.core, moves),
        consultation: Some(gone.core.id.clone()),
    };
    kept.core.emit(hands, requested);
    kept.core.close_room(hands);
    gone.core.close_room(hands);
    lost.part(&mut gone.core, hands, leaver);
    let agents = lost.hand_over_agents(&mut gone.core, hands);
    let (record, tasks) = (lost.is_recorded(), !agents.is_empty());
    lost.drop_script(&mut gone.core, hands);
    move_leg(&mut gone.core, &mut kept.core, hands, moves);
    finish(gone, hands, &kept.core);
    if tasks {
        // What the router says of the tasks that moved is meant for the call they moved to.
        let ids = std::mem::take(&mut gone.core.also);
        for id in ids.into_iter().chain([gone.core.id.clone()]) {
            hands.index.heirs.insert(id.clone(), kept.core.key);
            kept.core.also.push(id);
        }
    }
    let done = Fact::TransferDone {
        leg: keeper,
        to: Some(moves),
    };
    kept.core.emit(hands, done);
    talk.part(&mut kept.core, hands, keeper);
    let mut talk = (**talk).clone();
    if kept.core.is_lead(keeper) {
        kept.core.lead(stays);
        kept.core.from = kept.core.caller().party.clone();
        talk.drop_script(&mut kept.core, hands);
    }
    talk.go_on_with(moves);
    talk.take_over(agents, record);
    let cause = Cause::normal().with_words("transferred");
    kept.core.hang_up(hands, keeper, Party::Switch, cause);
    kept.start(hands, Stage::Talk(Box::new(talk)));
}

/// The consulted party still rings: it rings on for whoever stays (a semi-attended transfer).
fn take_ringing(
    own: &mut Call,
    other: &mut Call,
    hands: &mut Hands<'_>,
    (leaver, refer): (LegId, ReferId),
) -> Result<(), u16> {
    let Stage::Dial(dial) = &mut other.stage else {
        return Err(481);
    };
    if dial.is_whispering() {
        // Whoever answered does not ring any more, and has not taken the call yet.
        return Err(403);
    }
    let legs = dial.surrender();
    let lives = |leg: &LegId| other.core.leg(*leg).is_some_and(Leg::is_live);
    let legs: Vec<LegId> = legs.into_iter().filter(lives).collect();
    if legs.is_empty() {
        return Err(480);
    }
    let number = other.core.to.clone();
    other.core.close_room(hands);
    for leg in &legs {
        move_leg(&mut other.core, &mut own.core, hands, *leg);
    }
    finish(other, hands, &own.core);
    let wish = Wish {
        kind: TransferKind::Attended,
        leaver,
        refer: Some(refer),
        target: Target::Ringing { legs, number },
        consultation: Some(other.core.id.clone()),
    };
    own.transfer(hands, wish);
    Ok(())
}

/// The consultation stands in a queue or hears a menu: whoever stays goes there in its place, from
/// the beginning.
fn dial_again(
    own: &mut Call,
    other: &mut Call,
    hands: &mut Hands<'_>,
    (leaver, refer): (LegId, ReferId),
) -> Result<(), u16> {
    let generation = hands.generations.get(&own.core.generation).ok_or(500_u16)?;
    let leg = own.core.leg(leaver).ok_or(481_u16)?;
    let number = other.core.to.clone();
    let destination = generation.numbers.dialled(origin(leg), &number);
    let destination = destination.ok_or(403_u16)?;
    if let Some(stage) = other.stage.feature() {
        stage.leave(&mut other.core, hands);
    }
    finish(other, hands, &own.core);
    let wish = Wish {
        kind: TransferKind::Attended,
        leaver,
        refer: Some(refer),
        target: Target::Number {
            destination,
            number,
        },
        consultation: Some(other.core.id.clone()),
    };
    own.transfer(hands, wish);
    Ok(())
}

/// The consultation is over; its record says where it went on.
fn finish(gone: &mut Call, hands: &mut Hands<'_>, kept: &Core) {
    let into = kept.id.clone();
    gone.core.emit(hands, Fact::Continued { into });
    gone.stage = Stage::Over;
    let is_answered = gone.core.talking().next().is_some();
    let cause = match is_answered {
        true => Cause::normal(),
        false => Cause::from_status(487),
    };
    gone.core
        .end(hands, Party::Switch, &cause.with_words("transferred"));
}

/// A leg with its SIP session and its media goes over to another call.
fn move_leg(from: &mut Core, to: &mut Core, hands: &mut Hands<'_>, id: LegId) {
    let Some(place) = from.legs.iter().position(|leg| leg.id == id) else {
        return;
    };
    let left = Fact::LegEnded {
        leg: id,
        by: Party::Switch,
        cause: Cause::normal().with_words("went over to another call"),
        media: MediaSummary::default(),
    };
    from.emit(hands, left);
    let mut leg = from.legs.remove(place);
    leg.hears_music = false;
    if leg.role == Role::Caller {
        leg.role = Role::Callee;
    }
    let (rang, codec) = (leg.rang, leg.negotiated.as_ref().map(negotiate::codec_name));
    let codec = codec.filter(|_| leg.progress == Progress::Answered);
    to.take_leg(hands, leg);
    if rang {
        to.emit(hands, Fact::LegRinging { leg: id });
    }
    if let Some(codec) = codec {
        let codec = codec.to_owned();
        to.emit(hands, Fact::LegAnswered { leg: id, codec });
    }
}
